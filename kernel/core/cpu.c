/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/cpu.h"
#include "kernel/core/cpus.h"
#include "kernel/core/step.h"
#include "kernel/core/trace.h"
#include "kernel/lib/check.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/features.h"
#include "kernel/x86/gdt.h"
#include "kernel/x86/idt.h"
#include "kernel/x86/irq.h"
#include "kernel/x86/paging.h"

enum { TRAP_STACK_BYTES = 8 * 1024 };

u32 cpu_count = 1;
static struct cpu cpus[MAX_CPUS];
static struct descriptors descriptors[MAX_CPUS];

extern u8 boot_stack_top[];

struct cpu *cpu_get(u32 index)
{
	CHECK(index < cpu_count);
	return &cpus[index];
}

struct cpu *cpu_prepare(u32 index, u32 apic_id, u64 stack_top)
{
	CHECK(index < MAX_CPUS);
	struct cpu *cpu = &cpus[index];

	*cpu = (struct cpu){ .self = cpu, .index = index, .apic_id = apic_id, .stack_top = stack_top };
	cpu->locks.owner = index + 1;
	return cpu;
}

/* gs:0 first: everything else may CHECK, and a failed CHECK asks which CPU it is. */
void cpu_boot_early(void)
{
	struct cpu *cpu = cpu_prepare(0, 0, (u64)boot_stack_top);

	msr_write(MSR_GS_BASE, (u64)cpu);
	cpu->online = true;
}

enum { GUARD_OFFSET = 0x28 };

/*
 * Loading a selector into FS or GS clears its base.  We use no FS; code of Debian's libraries is compiled for threads, and looks for its
 * stack's guard at %fs:0x28: it finds ours.
 */
void cpu_load_tables(struct cpu *cpu)
{
	u64 stack_tops[STACKS];

	for (u32 i = 0; i < STACKS; i++)
		stack_tops[i] = cpu_trap_stack(cpu->index, i);
	gdt_load(&descriptors[cpu->index], stack_tops);
	msr_write(MSR_GS_BASE, (u64)cpu);
	msr_write(MSR_FS_BASE, (u64)&__stack_chk_guard - GUARD_OFFSET);
	idt_load();
}

/* Stacks exist before the CPU does: only the boot CPU changes the kernel's mappings. */
static u64 trap_stacks[MAX_CPUS][STACKS];

void cpu_make_trap_stacks(u32 index)
{
	CHECK(index < MAX_CPUS);
	for (u32 i = 0; i < STACKS; i++)
		trap_stacks[index][i] = paging_stack(TRAP_STACK_BYTES);
}

u64 cpu_trap_stack(u32 index, u32 stack)
{
	CHECK(index < MAX_CPUS && stack < STACKS && trap_stacks[index][stack] != 0);
	return trap_stacks[index][stack];
}

/* The kicker's stores are visible before the state is read; the other side stores its state and looks again before it is away. */
void cpu_kick(u32 index)
{
	struct cpu *cpu = cpu_get(index);

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (index == cpu_index() || !step_needs_kick(index))
		return;
	trace(TRACE_KICK, index, 0);
	apic_ipi(cpu->apic_id, IRQ_KICK);
}

void irq_left_idle(void)
{
	step_begin("interrupt");
}
