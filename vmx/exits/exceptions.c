/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions, NMIs and host interrupts that ended guest execution; events that end the guest. */
#include "kernel/core/trace.h"
#include "kernel/lib/check.h"
#include "kernel/x86/irq.h"
#include "vmx/exit.h"
#include "vmx/inject.h"
#include "vmx/machine.h"
#include "vmx/switch.h"

/* The host's: through its own gate, as if it had hit the kernel. Its IRET ends NMI blocking. */
static enum exit_action host_nmi(struct vcpu *v)
{
	(void)v;
	__asm__ volatile("int $2" : : : "memory");
	return EXIT_RESUME;
}

/*
 * The shadow of STI or MOV SS ends with the exception's delivery.  VM entry would not take it with RFLAGS.TF: then, it holds, a single step
 * must be pending, but an exit by #DB leaves none (26.3.1.5).
 */
static void end_shadow(void)
{
	vmcs_write(GUEST_INTERRUPTIBILITY, vmcs_read(GUEST_INTERRUPTIBILITY) & ~(u32)(BLOCKED_STI | BLOCKED_MOV_SS));
}

/*
 * Intercepted only because its delivery can loop for ever inside the processor (CVE-2015-8104).  The exit left DR6 and DR7 alone; what the
 * exception would have done to them is in the qualification (SDM vol. 3C, 27.1).
 */
static enum exit_action debug_exception(struct vcpu *v)
{
	switch_set_dr6(v, (switch_dr6(v) & ~0xfULL) | (v->exit.qualification & 0x600f));
	vmcs_write(GUEST_DR7, vmcs_read(GUEST_DR7) & ~DR7_GENERAL_DETECT);
	vmcs_write(GUEST_DEBUGCTL, 0); /* LBR and BTF, all that a guest may set */
	end_shadow();
	return vcpu_inject_exception(v, VECTOR_DB, 0);
}

/* ICEBP is intercepted as #DB too, but completes its instruction. */
static enum exit_action icebp(struct vcpu *v)
{
	v->exit.length = vmcs_read(EXIT_LENGTH);
	(void)debug_exception(v);
	return EXIT_ADVANCE_DECODED;
}

/* CVE-2015-5307: as #DB. */
static enum exit_action alignment_check(struct vcpu *v)
{
	return vcpu_inject_exception(v, VECTOR_AC, 0);
}

enum exit_action exit_exception(struct vcpu *v)
{
	static const struct {
		u32 type, vector;
		enum exit_action (*handler)(struct vcpu *v);
	} kinds[] = {
		{ EVENT_NMI, VECTOR_NMI, host_nmi },
		{ EVENT_EXCEPTION, VECTOR_DB, debug_exception },
		{ EVENT_ICEBP, VECTOR_DB, icebp },
		{ EVENT_EXCEPTION, VECTOR_AC, alignment_check },
		{ EVENT_EXCEPTION, VECTOR_MC, exit_machine_check },
	};
	u32 info = vmcs_read(EXIT_EVENT);

	CHECK(info & EVENT_VALID);
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++)
		if (event_type(info) == kinds[i].type && (info & 0xff) == kinds[i].vector)
			return kinds[i].handler(v);
	return vcpu_kill(v, "exception %u that was not asked for", info & 0xff);
}

enum exit_action exit_interrupt(struct vcpu *v)
{
	u32 info = vmcs_read(EXIT_EVENT);

	(void)v;
	CHECK(info & EVENT_VALID);
	trace(TRACE_INTERRUPT, info & 0xff, 0);
	irq_dispatch(info & 0xff);
	return EXIT_RESUME;
}

enum exit_action exit_window(struct vcpu *v)
{
	vcpu_note(v, NOTICE_INTERRUPT);
	return EXIT_RESUME;
}

enum exit_action exit_triple_fault(struct vcpu *v)
{
	return vcpu_kill(v, "triple fault");
}

enum exit_action exit_task_switch(struct vcpu *v)
{
	return vcpu_kill(v, "hardware task switch to selector 0x%x", (u32)v->exit.qualification & 0xffff);
}

enum exit_action exit_unexpected(struct vcpu *v)
{
	return vcpu_kill(v, "unexpected exit %s (%u)", exit_reason_name(v->exit.reason), v->exit.reason);
}
