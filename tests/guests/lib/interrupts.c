/* SPDX-License-Identifier: BSD-2-Clause */
/* One IDT for all CPUs; a handler per vector; exceptions that nobody expects end the guest with a line. */
#include "tests/guests/lib/guest.h"

enum {
	VECTORS = 256,
	ISR_BYTES = 16,
	CODE64 = 0x08,
	GATE_PRESENT = 0x8e,
	EXCEPTIONS = 32,
	VECTOR_PAGE_FAULT = 14,
	RFLAGS_TF = 0x100
};

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_middle;
	u32 offset_high, reserved;
};
struct __attribute__((packed)) table_pointer {
	u16 limit;
	u64 base;
};

extern const u8 isr_first[], try_landing[];
extern u64 try_rsp;
u64 try_error;
void interrupt_entered(struct frame *frame);

static struct gate idt[VECTORS];
static interrupt_handler *handlers[VECTORS];

void interrupt_on(u8 vector, interrupt_handler *handler)
{
	handlers[vector] = handler;
}

static void unexpected(const struct frame *frame)
{
	if (try_rsp == 0 || frame->vector >= EXCEPTIONS)
		die("vector %llu, error 0x%llx at rip 0x%llx, rsp 0x%llx, cr2 0x%llx", frame->vector, frame->error, frame->rip,
		    frame->rsp, frame->vector == VECTOR_PAGE_FAULT ? cr2_read() : 0);
}

void interrupt_entered(struct frame *frame)
{
	interrupt_handler *handler = handlers[frame->vector];

	if (handler) {
		handler(frame);
		return;
	}
	if (frame->vector == VECTOR_SPURIOUS)
		return;
	unexpected(frame);
	try_error = frame->error;
	frame->rax = frame->vector;
	frame->rip = (u64)try_landing;
	frame->rflags &= ~(u64)RFLAGS_TF;
	frame->rsp = try_rsp;
}

void interrupt_gate(u8 vector, u64 entry)
{
	u64 at = entry ? entry : (u64)isr_first + vector * ISR_BYTES;

	idt[vector] = (struct gate){ (u16)at, CODE64, 0, GATE_PRESENT, (u16)(at >> 16), (u32)(at >> 32), 0 };
}

void interrupt_gate_flags(u8 vector, u8 flags)
{
	idt[vector].type |= flags;
}

void interrupts_init(void)
{
	struct table_pointer pointer = { sizeof(idt) - 1, (u64)idt };

	for (u32 i = 0; i < VECTORS; i++)
		interrupt_gate((u8)i, 0);
	__asm__ volatile("lidt %0" : : "m"(pointer));
}
