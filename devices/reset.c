/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/reset.h"
#include "devices/pc.h"

enum { CF9_SYSTEM = 2, CF9_RESET = 4, CF9_KEPT = 0xa };
enum { FAST_RESET = 1, A20 = 2 };
enum { PULSE_MASK = 0xf1, PULSE_RESET = 0xf0 }; /* 8042 commands F0-FF pulse the outputs whose bit is 0; output 0 is reset */

void reset_reset(struct pc *pc)
{
	pc->reset = (struct reset){ .port92 = A20 };
}

/*
 * There is no keyboard controller (the FADT says so), but its status port reads as idle and empty: who waits until he may send the
 * reset command goes on, who probes for a keyboard gets no answer and gives up.  Ones would hang the first, and some of the second.
 */
u32 reset_read_8042(struct pc *pc, u16 port, u32 size)
{
	(void)pc, (void)port, (void)size;
	return 0;
}

void reset_write_8042(struct pc *pc, u16 port, u32 size, u32 value)
{
	(void)port;
	CHECK(size == 1);
	if ((value & PULSE_MASK) == PULSE_RESET)
		pc->host->power(pc->vm, PC_POWER_RESET);
}

u32 reset_read_92(struct pc *pc, u16 port, u32 size)
{
	(void)port, (void)size;
	return pc->reset.port92;
}

/* A20 is never masked, whatever is written. */
void reset_write_92(struct pc *pc, u16 port, u32 size, u32 value)
{
	(void)port;
	CHECK(size == 1);
	pc->reset.port92 = A20;
	if (value & FAST_RESET)
		pc->host->power(pc->vm, PC_POWER_RESET);
}

u32 reset_read_cf9(struct pc *pc, u16 port, u32 size)
{
	(void)port, (void)size;
	return pc->reset.cf9;
}

void reset_write_cf9(struct pc *pc, u16 port, u32 size, u32 value)
{
	(void)port;
	CHECK(size == 1);
	pc->reset.cf9 = value & CF9_KEPT;
	if (value & CF9_RESET)
		pc->host->power(pc->vm, PC_POWER_RESET);
}
