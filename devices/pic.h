/* SPDX-License-Identifier: BSD-2-Clause */
/* The pair of 8259A interrupt controllers with its ELCR (Intel 8259A data sheet; ELCR: ICH9, 13.4.5). Called with the PC's lock. */
#pragma once
#include "kernel/lib/types.h"

struct pc;

enum { PIC_LINES = 16 };

/* Which initialisation word comes next at the odd port. */
enum pic_init { PIC_READY, PIC_ICW2, PIC_ICW3, PIC_ICW4 };

struct pic {
	u8 lines; /* levels of the inputs */
	u8 irr, imr, isr;
	u8 elcr;   /* 1: level-triggered */
	u8 base;   /* vector of input 0 */
	u8 lowest; /* input of lowest priority; 7 unless rotated */
	u8 init;   /* enum pic_init */
	bool single, needs_icw4;
	bool read_isr, poll;
	bool special_mask, auto_eoi, rotate_auto, nested;
};

void pic_reset(struct pc *pc);
u32 pic_read(struct pc *pc, u16 port, u32 size);
void pic_write(struct pc *pc, u16 port, u32 size, u32 value);
u32 pic_read_elcr(struct pc *pc, u16 port, u32 size);
void pic_write_elcr(struct pc *pc, u16 port, u32 size, u32 value);

void pic_line(struct pc *pc, u32 irq, bool high);
/* The INTA cycle: the vector; the master's or slave's spurious one if the request has gone. */
u8 pic_acknowledge(struct pc *pc);
/* Does INTR stand as the registers say? */
const char *pic_audit(struct pc *pc);
