/* SPDX-License-Identifier: BSD-2-Clause */
/* One CPU's own data, reached through GS.  Modules keep their own per-CPU arrays, indexed by cpu_index(). */
#pragma once
#include "kernel/lib/lock.h"
#include "kernel/lib/types.h"

enum { MAX_CPUS = 256 };

struct cpu {
	struct cpu *self; /* gs:0 */
	struct lock_cpu locks;
	u32 index; /* 0 is the boot CPU; dense */
	u32 apic_id;
	u64 stack_top; /* the one kernel stack, guard page below */
	bool online;
};
_Static_assert(offsetof(struct cpu, locks) == LOCK_CPU_AT, "where kernel/lib looks");

static inline struct cpu *cpu_self(void)
{
	struct cpu *cpu;
	__asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

static inline u32 cpu_index(void)
{
	u32 index;
	__asm__ volatile("movl %%gs:%c1, %0" : "=r"(index) : "i"(offsetof(struct cpu, index)));
	return index;
}

enum { CPU_STACK_BYTES = 32 * 1024 };

extern u32 cpu_count;           /* online CPUs; fixed after start */
struct cpu *cpu_get(u32 index); /* CHECKs the index */
void cpu_kick(u32 index);       /* IPI: leave the guest or wake from idle; cheap when it does neither */

/* The very first thing of the boot CPU: GS, so that locks and CHECK work. */
void cpu_boot_early(void);
/* This CPU's descriptor tables, stacks for NMI, #DF and #MC, interrupt table. Needs paging. */
void cpu_load_tables(struct cpu *cpu);
