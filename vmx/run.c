/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU arrives on this CPU, runs, and leaves when the scheduler has to know.  The loop itself is entry.asm, exit.c and run.h. */
#include "vmx/run.h"
#include "vmx/caps.h"
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

	v->step = step_this_cpu();
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

/* All but that an interrupt or an event waits.  EXIT_RESUME: go on into the guest. */
static __attribute__((noinline)) enum exit_action take_rare_notices(struct vcpu *v, u32 notices)
{
	if (notices & NOTICE_INIT) {
		life_init(v, notices & NOTICE_SIPI);
		return EXIT_WAIT_SIPI;
	}
	if (notices & NOTICE_STATE)
		switch_reload_extended(v);
	if (notices & NOTICE_TSC)
		vmcs_write(TSC_OFFSET, v->tsc_offset + v->soft.tsc_adjust);
	if (notices & NOTICE_NMI)
		v->nmi_pending = true;
	if (notices & NOTICE_CLOCK)
		pvclock_update(v);
	if (notices & NOTICE_BREAK)
		vmcs_write_raw(v->broken.encoding, v->broken.value);
	return EXIT_RESUME;
}

static enum exit_action take_notices(struct vcpu *v)
{
	u32 notices = __atomic_exchange_n(&v->notices, 0, __ATOMIC_SEQ_CST);

	if (__builtin_expect(notices & ~(u32)(NOTICE_INTERRUPT | NOTICE_EVENT), 0)) {
		enum exit_action action = take_rare_notices(v, notices);

		if (action != EXIT_RESUME)
			return action;
	}
	inject_before_entry(v);
	return EXIT_RESUME;
}

enum exit_action run_prepare(struct vcpu *v, bool stale)
{
	for (;;) {
		if (stale) {
			ept_invalidate(v->config.ept);
			step_invalidated(v->vm_id);
		}
		if (!run_has_news(v)) {
			step_check_entry(v->vm_id);
			return EXIT_RESUME;
		}
		step_leave_guest(v->step);
		if (*v->yield)
			return EXIT_YIELD;
		enum exit_action action = take_notices(v);

		if (action != EXIT_RESUME)
			return action;
		stale = step_enter_guest(v->step, v->vm_id);
	}
}

static enum vcpu_outcome outcome_of(enum exit_action action)
{
	static const struct {
		bool ends;
		enum vcpu_outcome outcome;
	} rows[] = {
		[EXIT_SUSPEND] = { true, VCPU_SUSPENDED },   [EXIT_KILL] = { true, VCPU_ENDED },
		[EXIT_YIELD] = { true, VCPU_YIELD },         [EXIT_HALT] = { true, VCPU_HALTED },
		[EXIT_WAIT_SIPI] = { true, VCPU_WAIT_SIPI },
	};

	CHECK((u32)action < ARRAY_SIZE(rows) && rows[action].ends);
	return rows[action].outcome;
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
	v->slice_end = slice_end;
	v->yield = yield;
	vcpu_note(v, NOTICE_INTERRUPT);
	set_slice(slice_end);
	enum exit_action action = run_enter(v);

	if (action == EXIT_RESUME)
		action = vmx_run(v);
	if (action == EXIT_YIELD || action == EXIT_SUSPEND)
		pvclock_left(v);
	return outcome_of(action);
}
