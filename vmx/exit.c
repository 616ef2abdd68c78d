/* SPDX-License-Identifier: BSD-2-Clause */
/* From a VM exit to its handler, and what follows from the handler's answer.  Only this file moves the guest's RIP. */
#include "vmx/exit.h"
#include "vmx/checker.h"
#include "vmx/inject.h"
#include "vmx/machine.h"

enum { QUAL = 1, EVENT = 2 };
#define REASON_ENTRY_FAILED BIT(31)
#define PENDING_DEBUG_STEP BIT(14)

struct exit_row {
	enum exit_action (*handler)(struct vcpu *v);
	u32 needs;
	const char *name;
};

static const struct exit_row rows[] = {
#define EXIT(number, name_, handler_, needs_) [number] = { .handler = handler_, .needs = (needs_), .name = #name_ },
#include "vmx/exit_reasons.def"
#undef EXIT
};

#define EXIT(number, name, handler, needs) _Static_assert((number) == REASON_##name, "exit reasons in order, no holes");
#include "vmx/exit_reasons.def"
#undef EXIT
_Static_assert(ARRAY_SIZE(rows) == EXIT_REASON_COUNT && (u32)EXIT_REASON_COUNT <= (u32)EXIT_REASONS, "every reason has its row");

const char *exit_reason_name(u32 reason)
{
	return reason < EXIT_REASON_COUNT ? rows[reason].name : NULL;
}

/* Outside of 64-bit code the instruction pointer wraps at 4 GiB. */
static u64 wrapped(u64 rip)
{
	return vcpu_long_code() ? rip : (u32)rip;
}

/* The instruction is done: its successor is next, STI and MOV SS have had their one instruction, single-stepping traps. */
static void advance(const struct vcpu *v, u32 length)
{
	u64 from = v->exit.rip;
	u64 to = from + length;
	u32 blocking = vmcs_read(GUEST_INTERRUPTIBILITY);

	ASSERT(length >= 1 && length <= 15);
	if (__builtin_expect((from ^ to) >> 32 != 0, 0))
		to = wrapped(to);
	vmcs_write(GUEST_RIP, to);
	if (__builtin_expect(blocking & (BLOCKED_STI | BLOCKED_MOV_SS), 0))
		vmcs_write(GUEST_INTERRUPTIBILITY, blocking & ~(u32)(BLOCKED_STI | BLOCKED_MOV_SS));
	if (__builtin_expect((vmcs_read(GUEST_RFLAGS) & RFLAGS_TF) != 0, 0))
		vmcs_write(GUEST_PENDING_DEBUG, vmcs_read(GUEST_PENDING_DEBUG) | PENDING_DEBUG_STEP);
}

static void remember(struct vcpu *v, u32 reason)
{
	struct exit_past *past = &v->past[v->past_next++ % EXIT_RING];

	past->rip = v->exit.rip;
	past->reason = reason;
	past->tsc = (u32)v->exit_tsc;
}

static enum exit_action no_such_exit(struct vcpu *v, u32 reason)
{
	if (reason & REASON_ENTRY_FAILED)
		return vcpu_kill(v, "VM entry failed (reason %u): %s", reason & 0xffff, checker_find());
	return vcpu_kill(v, "unknown exit reason 0x%x", reason);
}

enum exit_action exit_entry_refused(struct vcpu *v)
{
	v->exit.rip = vmcs_read(GUEST_RIP);
	return vcpu_kill(v, "VM entry refused (error %u): %s", vmcs_read(INSTRUCTION_ERROR), checker_find());
}

enum exit_action exit_dispatch(struct vcpu *v)
{
	u32 reason = vmcs_read(EXIT_REASON);

	v->exit.rip = vmcs_read(GUEST_RIP);
	remember(v, reason);
	if (__builtin_expect(reason >= EXIT_REASON_COUNT, 0))
		return no_such_exit(v, reason);
	const struct exit_row *row = &rows[reason];

	v->exit.reason = reason;
	if (row->needs & QUAL)
		v->exit.qualification = vmcs_read(EXIT_QUALIFICATION);
	if (row->needs & EVENT)
		inject_replay(v);
	enum exit_action action = row->handler(v);

	if (__builtin_expect(action == EXIT_ADVANCE, 1)) {
		advance(v, vmcs_read(EXIT_LENGTH));
		return EXIT_RESUME;
	}
	if (action == EXIT_HALT)
		advance(v, vmcs_read(EXIT_LENGTH));
	if (action == EXIT_ADVANCE_DECODED)
		advance(v, v->exit.length);
	return action == EXIT_ADVANCE_DECODED || action == EXIT_INJECT ? EXIT_RESUME : action;
}
