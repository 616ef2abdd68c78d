/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways in which a PC's software resets it: port CF9 (the FADT's reset register), the 8042's pulse, port 92h. */
#pragma once
#include "kernel/lib/types.h"

struct pc;

enum { RESET_PORT = 0xcf9, RESET_VALUE = 6 };

struct reset {
	u8 cf9, port92;
};

void reset_reset(struct pc *pc);
u32 reset_read_8042(struct pc *pc, u16 port, u32 size);
void reset_write_8042(struct pc *pc, u16 port, u32 size, u32 value);
u32 reset_read_92(struct pc *pc, u16 port, u32 size);
void reset_write_92(struct pc *pc, u16 port, u32 size, u32 value);
u32 reset_read_cf9(struct pc *pc, u16 port, u32 size);
void reset_write_cf9(struct pc *pc, u16 port, u32 size, u32 value);
