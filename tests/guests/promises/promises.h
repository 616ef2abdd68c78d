/* SPDX-License-Identifier: BSD-2-Clause */
/* What an x86 processor promises, a list for each area.  QEMU or a PC answers the same questions: if answers differ, one is wrong. */
#pragma once
#include "tests/guests/lib/guest.h"

struct promises {
	const char *name;
	const struct promise *list;
	u32 count;
};
extern const struct promises promises_state, promises_debug, promises_interrupts, promises_features, promises_memory,
	promises_clocks, promises_cpus;

#define PROMISES(area, list_) const struct promises promises_##area = { #area, list_, ARRAY_SIZE(list_) }

enum { VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_UD = 6, VECTOR_NM = 7, VECTOR_GP = 13, VECTOR_PF = 14 };
enum { PORT_HARMLESS = 0x61, CODE64 = 0x08, DATA = 0x10 };
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_RF BIT(16)

/* ---- exits.c: what leaves the guest, each way once ---- */

struct exit_way {
	const char *name;
	void (*leave)(void);
};
extern const struct exit_way exit_ways[];
extern const u32 exit_way_count;

/* ---- vectors of what one instruction raises (faults.c), TRY_NOTHING without ---- */

u64 msr_write_raises(u32 msr, u64 value);
u64 msr_read_raises(u32 msr);
u64 cr4_write_raises(u64 value);
u64 cr8_write_raises(u64 value);
u64 xsetbv_raises(u32 which, u64 value);
/* `code` runs alone, and returns. */
u64 code_raises(void (*code)(void));

static inline u64 cr8_read(void)
{
	u64 value;
	__asm__ volatile("mov %%cr8, %0" : "=r"(value));
	return value;
}

static inline void cr8_write(u64 value)
{
	__asm__ volatile("mov %0, %%cr8" : : "r"(value) : "memory");
}
