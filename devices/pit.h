/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8254 timer (Intel 8254 data sheet) and port 61h.  A channel holds when it was started; count and output are computed
 * from the time when somebody looks.  Called with the PC's lock.
 */
#pragma once
#include "kernel/lib/types.h"

struct pc;

enum { PIT_CHANNELS = 3 };

struct pit_channel {
	u32 reload;      /* 1 … 65536 (10000 in BCD and more with digits that are none) */
	u64 start;       /* PIT tick at which it began to count */
	u64 held;        /* ticks counted when its gate stopped it */
	u8 mode, access; /* access: 1 low byte, 2 high byte, 3 both */
	bool bcd, gate;
	bool loaded; /* a whole count was written since the mode was */
	bool counting;
	bool write_high, read_high;
	u8 low;           /* first byte of a two-byte write */
	u8 latched_bytes; /* left to read of `latch` */
	u16 latch;
	bool status_latched;
	u8 status;
};

struct pit {
	struct pit_channel channel[PIT_CHANNELS];
	u64 next; /* VM TSC of channel 0's next rising edge, or PC_NEVER */
	u8 port61;
};

void pit_reset(struct pc *pc);
u32 pit_read(struct pc *pc, u16 port, u32 size);
void pit_write(struct pc *pc, u16 port, u32 size, u32 value);
u32 pit_read_61(struct pc *pc, u16 port, u32 size);
void pit_write_61(struct pc *pc, u16 port, u32 size, u32 value);
void pit_run(struct pc *pc, u64 now);
const char *pit_audit(struct pc *pc);
