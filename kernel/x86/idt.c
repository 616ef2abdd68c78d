/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/idt.h"
#include "kernel/lib/check.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/gdt.h"
#include "kernel/x86/irq.h"

enum { VECTORS = 256, STUB_BYTES = 16, GATE_INTERRUPT = 0x8e };

/* SDM vol. 3A, 6.14.1 */
struct gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

_Static_assert(sizeof(struct gate) == 16, "one gate");
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "as isr.asm pushes it");

extern const u8 isr_stubs[VECTORS * STUB_BYTES];
void trap_dispatch(const struct trap_frame *frame);

static struct gate gates[VECTORS];

/* Interrupt stack table numbers: what may come while the stack pointer cannot be trusted. */
static u8 ist_of(u32 vector)
{
	static const u8 ist[] = {
		[VECTOR_HOST_NMI] = STACK_NMI + 1,
		[VECTOR_HOST_DOUBLE_FAULT] = STACK_DOUBLE_FAULT + 1,
		[VECTOR_HOST_MACHINE_CHECK] = STACK_MACHINE_CHECK + 1,
	};

	return vector < ARRAY_SIZE(ist) ? ist[vector] : 0;
}

void idt_init(void)
{
	for (u32 i = 0; i < VECTORS; i++) {
		u64 to = (u64)&isr_stubs[(u64)i * STUB_BYTES];

		CHECK(gates[i].type == 0);
		gates[i] = (struct gate){
			.offset_low = (u16)to,
			.selector = SELECTOR_CODE,
			.ist = ist_of(i),
			.type = GATE_INTERRUPT,
			.offset_middle = (u16)(to >> 16),
			.offset_high = (u32)(to >> 32),
		};
	}
}

void idt_load(void)
{
	struct table_register idtr = { sizeof(gates) - 1, (u64)gates };

	__asm__ volatile("lidt %0" : : "m"(idtr));
}

u64 idt_base(void)
{
	return (u64)gates;
}

/* An interrupt comes only out of idle or a window between steps: IF is 0 everywhere else. */
void trap_dispatch(const struct trap_frame *frame)
{
	CHECK(frame->vector < VECTORS);
	if (frame->vector == VECTOR_HOST_NMI) {
		trap_nmi(frame);
		return;
	}
	if (frame->vector == VECTOR_HOST_MACHINE_CHECK) {
		trap_machine_check(frame);
		return;
	}
	if (frame->vector < IRQ_FIRST)
		trap_unexpected(frame);
	irq_left_idle();
	irq_dispatch((u32)frame->vector);
}
