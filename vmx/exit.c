/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a VM exit to its handler, what follows from the handler's answer, and on to the next entry.  Only this file moves the guest's RIP.
 * What all exits do is counted in instructions (docs/results.md): here and in what is inline here.
 */
#include "vmx/exit.h"
#include "vmx/checker.h"
#include "vmx/counters.h"
#include "vmx/debug.h"
#include "vmx/inject.h"
#include "vmx/machine.h"
#include "vmx/run.h"

enum { QUAL = 1, EVENT = 2 };
#define REASON_ENTRY_FAILED BIT(31)

/* The table by columns: what each exit looks at is next to each other. */
static enum exit_action (*const handlers[])(struct vcpu *v) = {
#define EXIT(number, name, handler, needs) [number] = handler,
#include "vmx/exit_reasons.def"
#undef EXIT
};

static const u8 needs_of[] = {
#define EXIT(number, name, handler, needs) [number] = (needs),
#include "vmx/exit_reasons.def"
#undef EXIT
};

static const char *const names[] = {
#define EXIT(number, name, handler, needs) [number] = #name,
#include "vmx/exit_reasons.def"
#undef EXIT
};

#define EXIT(number, name, handler, needs) _Static_assert((number) == REASON_##name, "exit reasons in order, no holes");
#include "vmx/exit_reasons.def"
#undef EXIT
_Static_assert(ARRAY_SIZE(handlers) == EXIT_REASON_COUNT && (u32)EXIT_REASON_COUNT <= (u32)EXIT_REASONS,
	       "every reason has its row");

const char *exit_reason_name(u32 reason)
{
	return reason < EXIT_REASON_COUNT ? names[reason] : NULL;
}

/* Outside of 64-bit code the instruction pointer wraps at 4 GiB. */
static u64 wrapped(u64 rip)
{
	return vcpu_long_code() ? rip : (u32)rip;
}

/* The instruction is done: its successor is next, STI and MOV SS have had their one instruction, single-stepping traps. */
static inline __attribute__((always_inline)) void advance(const struct vcpu *v, u32 length)
{
	u64 to = v->exit.rip + length;
	u32 blocking = vmcs_read(GUEST_INTERRUPTIBILITY);

	ASSERT(length >= 1 && length <= 15);
	if (__builtin_expect((u32)to < length, 0))
		to = wrapped(to);
	vmcs_write(GUEST_RIP, to);
	if (__builtin_expect(blocking & (BLOCKED_STI | BLOCKED_MOV_SS), 0))
		vmcs_write(GUEST_INTERRUPTIBILITY, blocking & ~(u32)(BLOCKED_STI | BLOCKED_MOV_SS));
	if (__builtin_expect((vmcs_read(GUEST_RFLAGS) & RFLAGS_TF) != 0, 0))
		debug_step();
}

static inline void remember(struct exit_past *past, u64 reason, u64 rip, u64 tsc)
{
	u32 at = past->next++ % EXIT_RING;

	past->rip[at] = rip;
	past->reason[at] = (u32)reason;
	past->tsc[at] = (u32)tsc;
}

static __attribute__((noinline)) enum exit_action no_such_exit(struct vcpu *v)
{
	u32 reason = vmcs_read(EXIT_REASON);

	if (reason == (REASON_ENTRY_FAILED | REASON_ENTRY_FAILED_MACHINE_CHECK))
		return exit_machine_check(v);
	if (reason & REASON_ENTRY_FAILED)
		return vcpu_kill(v, "VM entry failed (reason %u): %s", reason & 0xffff, checker_find());
	return vcpu_kill(v, "unknown exit reason 0x%x", reason);
}

enum exit_action exit_entry_refused(struct vcpu *v)
{
	step_leave_guest(v->step);
	v->exit.rip = vmcs_read(GUEST_RIP);
	return vcpu_kill(v, "VM entry refused (error %u): %s", vmcs_read(INSTRUCTION_ERROR), checker_find());
}

static __attribute__((noinline)) enum exit_action replay_and_handle(struct vcpu *v)
{
	inject_replay(v);
	return handlers[v->exit.reason](v);
}

static inline enum exit_action dispatch(struct vcpu *v, u64 tsc)
{
	u64 reason = vmcs_read_wide(EXIT_REASON);
	u64 rip = vmcs_read(GUEST_RIP);

	v->exit.rip = rip;
	remember(&v->past, reason, rip, tsc);
	if (__builtin_expect(reason >= EXIT_REASON_COUNT, 0))
		return no_such_exit(v);
	v->exit.reason = (u32)reason;
	if (needs_of[reason]) {
		v->exit.qualification = vmcs_read(EXIT_QUALIFICATION);
		if (needs_of[reason] & EVENT)
			return replay_and_handle(v);
	}
	return handlers[reason](v);
}

static inline void count(struct vcpu *v)
{
	counters_add(&v->cycles[v->exit.reason], (u32)rdtsc() - (u32)v->exit_tsc);
}

static inline enum exit_action again(struct vcpu *v)
{
	count(v);
	if (__builtin_expect(v->exit_tsc >= v->slice_end, 0))
		return EXIT_YIELD;
	return run_enter(v);
}

/* Answers that are not as frequent as EXIT_ADVANCE. */
static __attribute__((noinline)) enum exit_action conclude(struct vcpu *v, enum exit_action action)
{
	if (action == EXIT_HALT)
		advance(v, vmcs_read(EXIT_LENGTH));
	if (action == EXIT_ADVANCE_DECODED)
		advance(v, v->exit.length);
	if (action == EXIT_RESUME || action == EXIT_ADVANCE_DECODED || action == EXIT_INJECT)
		return again(v);
	count(v);
	return action;
}

enum exit_action exit_handle(struct vcpu *v)
{
	u64 tsc = rdtsc();

	v->exit_tsc = tsc;
	step_leave_guest(v->step);
	enum exit_action action = dispatch(v, tsc);

	if (__builtin_expect(action != EXIT_ADVANCE, 0))
		return conclude(v, action);
	advance(v, vmcs_read(EXIT_LENGTH));
	return again(v);
}
