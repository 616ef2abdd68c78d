/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vCPU's loop: note what is pending → enter → exit → handler → again, until the scheduler has to know.
 *
 * A CPU that sets a notice (or *yield) and then sees this CPU outside of the guest sends no interrupt.  So the last look at both
 * comes after step_enter_guest, which says "in the guest" and fences; an interrupt sent later is pending at entry and exits at once.
 */
#include "kernel/core/step.h"
#include "vmx/caps.h"
#include "vmx/counters.h"
#include "vmx/cpu.h"
#include "vmx/entry.h"
#include "vmx/ept.h"
#include "vmx/inject.h"
#include "vmx/insn.h"
#include "vmx/life.h"
#include "vmx/machine.h"
#include "vmx/mitigations.h"
#include "vmx/pvclock.h"
#include "vmx/setup.h"
#include "vmx/switch.h"

enum { L1D_FLUSH = 1, BRANCH_BARRIER = 1 };

/* ---- onto this CPU ---- */

/* Another VM than the last one: what it could learn from the last one's traces goes. */
static void guard_against_last(const struct vcpu *v, struct vmx_cpu *cpu)
{
	if (cpu->last_vm == v->vm_id)
		return;
	cpu->last_vm = v->vm_id;
	if (v->guards & GUARD_FLUSH_L1D)
		msr_write(MSR_FLUSH_CMD, L1D_FLUSH);
	if (v->guards & GUARD_BARRIER)
		msr_write(MSR_PRED_CMD, BRANCH_BARRIER);
}

static void arrive(struct vcpu *v, struct vmx_cpu *cpu)
{
	u32 here = cpu_index();

	CHECK(cpu->on && (v->cpu == -1 || v->cpu == (s32)here));
	if (cpu->current != v) {
		vmx_load(mpa_of(v->vmcs));
		cpu->current = v;
	}
	if (v->cpu == -1) {
		v->cpu = (s32)here;
		v->launched = 0;
		setup_host();
		/* It ran elsewhere since, and what it invalidated there is still cached here. */
		vmx_invvpid(INVALIDATE_SINGLE, vmcs_read(VPID));
	}
	switch_in(v);
	guard_against_last(v, cpu);
}

static void set_slice(u64 slice_end)
{
	u64 now = rdtsc();
	u64 ticks = slice_end > now ? (slice_end - now) >> vmx_caps.timer_shift : 0;

	vmcs_write(PREEMPTION_TIMER, (u32)min_u64(ticks, UINT32_MAX));
}

/* ---- between exits ---- */

static bool has_notice(const struct vcpu *v)
{
	return __atomic_load_n(&v->notices, __ATOMIC_RELAXED) != 0;
}

/* Act on what was noted. True: go on into the guest. */
static bool take_notices(struct vcpu *v)
{
	u32 notices = __atomic_exchange_n(&v->notices, 0, __ATOMIC_SEQ_CST);

	if (notices & NOTICE_INIT) {
		life_init(v, notices & NOTICE_SIPI);
		return false;
	}
	if (notices & NOTICE_STATE)
		switch_reload_extended(v);
	if (notices & NOTICE_TSC)
		vmcs_write(TSC_OFFSET, v->tsc_offset + v->soft.tsc_adjust);
	if (notices & NOTICE_NMI)
		v->nmi_pending = true;
	if (notices & NOTICE_CLOCK)
		pvclock_update(v);
	inject_before_entry(v);
	return true;
}

static enum exit_action enter_once(struct vcpu *v)
{
	if (!vmx_enter(v)) {
		step_leave_guest();
		return exit_entry_refused(v);
	}
	v->exit_tsc = rdtsc();
	v->launched = 1;
	step_leave_guest();
	enum exit_action action = exit_dispatch(v);

	counters_add(&v->cycles[v->exit.reason], (u32)rdtsc() - (u32)v->exit_tsc);
	return action;
}

static enum vcpu_outcome outcome_of(enum exit_action action)
{
	static const enum vcpu_outcome outcome[] = {
		[EXIT_SUSPEND] = VCPU_SUSPENDED, [EXIT_KILL] = VCPU_ENDED,
		[EXIT_YIELD] = VCPU_YIELD,       [EXIT_HALT] = VCPU_HALTED,
	};

	CHECK(action == EXIT_SUSPEND || action == EXIT_KILL || action == EXIT_YIELD || action == EXIT_HALT);
	return outcome[action];
}

static enum vcpu_outcome run(struct vcpu *v, u64 slice_end, const volatile u32 *yield)
{
	for (;;) {
		if (__builtin_expect(step_enter_guest(v->vm_id), 0)) {
			ept_invalidate(v->config.ept);
			step_invalidated(v->vm_id);
		}
		if (__builtin_expect(has_notice(v) | *yield, 0)) {
			step_leave_guest();
			if (*yield)
				return VCPU_YIELD;
			if (!take_notices(v))
				return VCPU_WAIT_SIPI;
			continue;
		}
		if (DEBUG_BUILD)
			step_check_entry(v->vm_id);
		enum exit_action action = enter_once(v);

		if (__builtin_expect(action != EXIT_RESUME, 0))
			return outcome_of(action);
		if (__builtin_expect(v->exit_tsc >= slice_end, 0))
			return VCPU_YIELD;
	}
}

enum vcpu_outcome vcpu_run(struct vcpu *v, u64 slice_end, const volatile u32 *yield)
{
	if (!vcpu_has_work(v)) {
		if (v->waits_for_sipi)
			return VCPU_WAIT_SIPI;
		if (v->halted)
			return VCPU_HALTED;
	}
	arrive(v, vmx_cpu());
	pvclock_came_back(v);
	if (v->waits_for_sipi && !life_sipi(v))
		return VCPU_WAIT_SIPI;
	v->halted = false;
	vcpu_note(v, NOTICE_INTERRUPT);
	set_slice(slice_end);
	enum vcpu_outcome outcome = run(v, slice_end, yield);

	if (outcome == VCPU_YIELD || outcome == VCPU_SUSPENDED)
		pvclock_left(v);
	return outcome;
}
