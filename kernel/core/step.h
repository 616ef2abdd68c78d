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
#include "kernel/lib/types.h"

enum { STEP_MAX_VMS = 256 }; /* VM identifiers 1 … STEP_MAX_VMS - 1; 0 is "no VM" */

/* Begin a step (after a VM exit, out of idle, or before a task): `place` is a static string for the measurement, NULL: not measured. */
void step_begin(const char *place);
/* End it without leaving the kernel: the next task's step begins. Pointers die here. */
void step_end(void);
void step_enter_idle(void); /* before sti; hlt */

/*
 * Enter guest mode of VM `vm` (interrupts off, last thing before VM entry).  Returns true if this CPU must first invalidate the
 * VM's translations (INVEPT): the function has recorded that it will.
 */
bool step_enter_guest(u32 vm);
/* Said right after the INVEPT that step_enter_guest asked for: what step_check_entry believes. */
void step_invalidated(u32 vm);
/* Debug: CHECK that this CPU's last invalidation for `vm` covers the VM's generation. Called right before VM entry. */
void step_check_entry(u32 vm);
void step_leave_guest(void); /* first thing after a VM exit */

/* Publish a removal of rights in VM `vm`: returns the new epoch and kicks the CPUs that are in its guest mode. */
u64 step_publish(u32 vm);
/* Has every CPU passed `epoch` of `vm`? Never waits. */
bool step_settled(u32 vm, u64 epoch);

/* Must `cpu` be interrupted to notice something soon?  After a full fence: it is idle or in a guest (both look again before they are). */
bool step_needs_kick(u32 cpu);
/* For the watchdog: is it in the kernel, and a number that moves with every boundary. */
bool step_in_kernel(u32 cpu);
u64 step_count(u32 cpu);

struct step_worst {
	u64 ticks;
	const char *place;
};
struct step_worst step_worst(u32 cpu);
