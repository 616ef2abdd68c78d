/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/inject.h"
#include "kernel/core/trace.h"
#include "vmx/controls.h"
#include "vmx/machine.h"
#include "vmx/switch.h"

/* Exceptions by what follows when one hits while another is delivered.  SDM vol. 3A, tables 6-4 and 6-5. */
enum class { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static const u8 class_of[32] = {
	[VECTOR_DE] = CONTRIBUTORY, [VECTOR_TS] = CONTRIBUTORY, [VECTOR_NP] = CONTRIBUTORY, [VECTOR_SS] = CONTRIBUTORY,
	[VECTOR_GP] = CONTRIBUTORY, [VECTOR_PF] = PAGE_FAULT,   [VECTOR_DF] = DOUBLE_FAULT, [21] = CONTRIBUTORY, /* #CP */
};

enum { ERROR_EXTERNAL = 1, EVENT_KEPT = 0xfff };

static void queue(struct vcpu *v, u32 type, u32 vector, u32 error)
{
	v->event = (struct vcpu_event){ .info = EVENT_VALID | type << EVENT_TYPE_SHIFT | vector };
	/* In real-address mode nothing is pushed, and VM entry refuses an error code (26.2.1.3). */
	if (type == EVENT_EXCEPTION && (EXCEPTIONS_WITH_ERROR & BIT(vector)) && (vcpu_cr0() & CR0_PE)) {
		v->event.info |= EVENT_HAS_ERROR;
		v->event.error = error;
	}
	vcpu_note(v, NOTICE_EVENT);
}

enum exit_action vcpu_inject_exception(struct vcpu *v, u32 vector, u32 error)
{
	u32 before = v->event.info;

	CHECK(vector < ARRAY_SIZE(class_of) && vector != VECTOR_NMI);
	if (!(before & EVENT_VALID)) {
		queue(v, EVENT_EXCEPTION, vector, error);
		return EXIT_INJECT;
	}
	enum class first = event_type(before) == EVENT_EXCEPTION ? class_of[before & 31] : BENIGN;
	enum class second = class_of[vector];

	if (first == DOUBLE_FAULT && second != BENIGN)
		return vcpu_kill(v, "triple fault");
	if ((first == CONTRIBUTORY && second == CONTRIBUTORY) || (first == PAGE_FAULT && second != BENIGN)) {
		queue(v, EVENT_EXCEPTION, VECTOR_DF, 0);
		return EXIT_INJECT;
	}
	/* Serially: as on the processor the second one is delivered, and it says that an event from outside was in flight. */
	bool outside =
		event_type(before) == EVENT_INTERRUPT || event_type(before) == EVENT_NMI || event_type(before) == EVENT_EXCEPTION;

	queue(v, EVENT_EXCEPTION, vector, outside && second == CONTRIBUTORY ? error | ERROR_EXTERNAL : error);
	return EXIT_INJECT;
}

enum exit_action vcpu_inject_page_fault(struct vcpu *v, gva_t address, u32 error)
{
	switch_set_cr2(v, address.a);
	return vcpu_inject_exception(v, VECTOR_PF, error);
}

void inject_replay(struct vcpu *v)
{
	u32 info = vmcs_read(VECTORING_EVENT);

	if (!(info & EVENT_VALID))
		return;
	ASSERT(!(v->event.info & EVENT_VALID));
	v->event = (struct vcpu_event){ .info = info & (EVENT_VALID | EVENT_KEPT) };
	if (info & EVENT_HAS_ERROR)
		v->event.error = vmcs_read(VECTORING_ERROR);
	if (event_type(info) >= EVENT_SOFT_INTERRUPT)
		v->event.length = vmcs_read(EXIT_LENGTH);
	/* The NMI was not delivered after all: its blocking starts when it is. */
	if (event_type(info) == EVENT_NMI)
		vmcs_write(GUEST_INTERRUPTIBILITY, vmcs_read(GUEST_INTERRUPTIBILITY) & ~(u32)BLOCKED_NMI);
	vcpu_note(v, NOTICE_EVENT);
}

/* ---- before entry ---- */

static void place(const struct vcpu *v, struct vcpu_event event)
{
	trace(TRACE_INJECT, event.info, (u64)v->vm_id << 32 | v->config.index);
	vmcs_write(ENTRY_EVENT, event.info);
	if (event.info & EVENT_HAS_ERROR)
		vmcs_write(ENTRY_EVENT_ERROR, event.error);
	if (event_type(event.info) >= EVENT_SOFT_INTERRUPT)
		vmcs_write(ENTRY_EVENT_LENGTH, event.length);
}

static bool place_queued(struct vcpu *v)
{
	if (!(v->event.info & EVENT_VALID))
		return false;
	place(v, v->event);
	v->event.info = 0;
	return true;
}

static bool place_nmi(struct vcpu *v, u32 blocking)
{
	if (blocking & (BLOCKED_NMI | BLOCKED_STI | BLOCKED_MOV_SS))
		return false;
	place(v, (struct vcpu_event){ .info = EVENT_VALID | EVENT_NMI << EVENT_TYPE_SHIFT | VECTOR_NMI });
	v->nmi_pending = false;
	return true;
}

/* Whether one more waits, for which the guest must open a window. */
static bool place_interrupt(struct vcpu *v, bool busy, u32 blocking)
{
	if (busy || !(vmcs_read(GUEST_RFLAGS) & RFLAGS_IF) || (blocking & (BLOCKED_STI | BLOCKED_MOV_SS)))
		return pc_interrupt_pending(v->config.pc, v->config.index);
	int vector = pc_interrupt_ack(v->config.pc, v->config.index);

	if (vector < 0)
		return false;
	CHECK(vector <= 255);
	place(v, (struct vcpu_event){ .info = EVENT_VALID | (u32)vector });
	return pc_interrupt_pending(v->config.pc, v->config.index);
}

void inject_before_entry(struct vcpu *v)
{
	u32 blocking = vmcs_read(GUEST_INTERRUPTIBILITY);
	u32 controls = v->cpu_controls & ~(u32)(CPU_NMI_WINDOW | CPU_INTERRUPT_WINDOW);
	bool busy = (vmcs_read(ENTRY_EVENT) & EVENT_VALID) != 0 || place_queued(v);

	if (v->nmi_pending && !busy)
		busy = place_nmi(v, blocking);
	/* A processor may open the NMI's window in STI's shadow, where none can be placed (25.2): the other one opens behind it. */
	if (v->nmi_pending)
		controls |= blocking & BLOCKED_STI ? CPU_INTERRUPT_WINDOW : CPU_NMI_WINDOW;
	if (place_interrupt(v, busy, blocking))
		controls |= CPU_INTERRUPT_WINDOW;
	if (controls != v->cpu_controls) {
		v->cpu_controls = controls;
		vmcs_write(CPU_CONTROLS, controls);
	}
}

void inject_reset(struct vcpu *v)
{
	v->event.info = 0;
	v->nmi_pending = false;
	vmcs_write(ENTRY_EVENT, 0);
}
