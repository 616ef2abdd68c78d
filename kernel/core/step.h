/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps and epochs.  A step is what a CPU does between two boundaries (guest, idle, or the next task); a pointer into
 * guest memory lives at most until the end of the step.  One machine-wide epoch counts removals of rights: whoever narrows
 * translations of a VM publishes a new epoch (the debt) and frees or trusts nothing until every CPU has passed it.
 *
 * A CPU has passed epoch e of VM v when it is idle, is inside another VM's guest mode, or ended a step after e was
 * published (and, if it entered v since, invalidated first).  Remover: publish, fence, read the CPU's state.
 * Runner: write the state, fence, read the VM's generation.  Nobody waits: debts are queued.
 *
 * Debug builds measure each stretch with interrupts off (in TSC ticks, which in Bochs are instructions) and keep the worst
 * with its place.
 */
#pragma once
#include "kernel/lib/check.h"
#include "kernel/lib/types.h"

enum { STEP_MAX_VMS = 256 }; /* VM identifiers 1 … STEP_MAX_VMS - 1; 0 is "no VM" */

/* Begin a step (after a VM exit, out of idle, or before a task): `place` is a static string for the measurement, NULL: not measured. */
void step_begin(const char *place);
/* End it without leaving the kernel: the next task's step begins. Pointers die here. */
void step_end(void);
void step_enter_idle(void); /* before sti; hlt */

/* Said right after the INVEPT that step_enter_guest asked for: what step_check_entry believes. */
void step_invalidated(u32 vm);
/* Debug: CHECK that this CPU's last invalidation for `vm` covers the VM's generation. Called right before VM entry. */
void step_check_entry(u32 vm);

/* Publish a removal of rights in VM `vm`: returns the new epoch and kicks the CPUs that are in its guest mode. */
u64 step_publish(u32 vm);
/* Has every CPU passed `epoch` of `vm`? Never waits. */
bool step_settled(u32 vm, u64 epoch);

/* Must `cpu` be interrupted to notice something soon?  After a full fence: it is idle or in a guest (both look again before they are). */
bool step_needs_kick(u32 cpu);
/* For the watchdog: is it in the kernel, and a number that moves with every step_end and step_enter_idle. */
bool step_in_kernel(u32 cpu);
u64 step_count(u32 cpu);
u64 step_idle_ticks(u32 cpu); /* how long it was idle: TSC ticks in which nothing was executed */

struct step_worst {
	u64 ticks;
	const char *place;
};
struct step_worst step_worst(u32 cpu);

/* ---- into a guest and out of it: each VM exit passes here, so these are inline, by a pointer that a vCPU keeps while it is on the CPU ---- */

/* A CPU's state is one word; IDLE is 0 so that a CPU that has not started yet counts as idle. In a guest: IN_GUEST | VM. */
enum { STEP_IDLE = 0, STEP_IN_KERNEL = 1, STEP_IN_GUEST = STEP_MAX_VMS };

struct step_cpu {
	u32 state;
	u64 seen;       /* the epoch at its last boundary */
	u64 boundaries; /* but those into a guest */
	u64 idle_since;
	u64 idle_ticks;       /* of the idle times that have ended */
	u64 entry_generation; /* debug: what this entry must have invalidated */
	u64 start;
	const char *place;
	struct step_worst worst;
	u64 flushed[STEP_MAX_VMS];  /* the VM's generation that its invalidation covers, or will before entry */
	u64 executed[STEP_MAX_VMS]; /* the same, once the instruction has run */
} __attribute__((aligned(64)));

extern u64 step_epoch;
extern u64 step_generation[STEP_MAX_VMS]; /* the epoch of each VM's latest removal */

struct step_cpu *step_this_cpu(void);
void step_will_invalidate(struct step_cpu *cpu, u32 vm, u64 generation);
void step_measure_from(struct step_cpu *cpu, const char *place);
void step_measure_to_here(struct step_cpu *cpu);

/* Pointers are dead. What was published before this load has been passed: its narrowing is visible to the next step. */
static inline void step_boundary(struct step_cpu *cpu)
{
	if (DEBUG_BUILD)
		step_measure_to_here(cpu);
	__atomic_store_n(&cpu->seen, __atomic_load_n(&step_epoch, __ATOMIC_SEQ_CST), __ATOMIC_RELEASE);
}

/* A sequentially consistent store is a full fence on x86: what follows is read after others can see the state. */
static inline void step_set_state(struct step_cpu *cpu, u32 state)
{
	__atomic_store_n(&cpu->state, state, __ATOMIC_SEQ_CST);
}

/*
 * Enter guest mode of VM `vm` (interrupts off, last thing before VM entry).  Returns true if this CPU must first invalidate the
 * VM's translations (INVEPT): the function has recorded that it will.
 */
static inline bool step_enter_guest(struct step_cpu *cpu, u32 vm)
{
	ASSERT(vm > 0 && vm < STEP_MAX_VMS);  /* vcpu_init checks it once */
	ASSERT(cpu->state == STEP_IN_KERNEL); /* step_end checks it once a slice */
	step_boundary(cpu);
	step_set_state(cpu, STEP_IN_GUEST + vm);
	u64 generation = __atomic_load_n(&step_generation[vm], __ATOMIC_SEQ_CST);

	if (DEBUG_BUILD)
		cpu->entry_generation = generation;
	if (__builtin_expect(cpu->flushed[vm] >= generation, 1))
		return false;
	step_will_invalidate(cpu, vm, generation);
	return true;
}

/* First thing after a VM exit. */
static inline void step_leave_guest(struct step_cpu *cpu)
{
	ASSERT(cpu->state > STEP_IN_GUEST); /* likewise */
	step_set_state(cpu, STEP_IN_KERNEL);
	if (DEBUG_BUILD)
		step_measure_from(cpu, "VM exit");
}
