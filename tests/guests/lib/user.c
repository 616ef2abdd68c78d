/* SPDX-License-Identifier: BSD-2-Clause */
/* User mode and back on the same stack; a task state segment for what interrupts it. */
#include "tests/guests/lib/guest.h"
#include <string.h>

enum { USER_CODE = 0x33, USER_DATA = 0x3b, KERNEL_CODE = 0x08, KERNEL_DATA = 0x10, TASK = 0x40, GDT_ENTRIES = 10, COPIED = 6 };
enum { VECTOR_LEAVE = 0x81, GATE_USER = 3 << 5, TSS_RSP0 = 4, TSS_MAP_AT = 102, TSS_BYTES = 104, STACK_BYTES = 8192 };

struct __attribute__((packed)) table_pointer {
	u16 limit;
	u64 base;
};

extern const u64 guest_gdt[];
static u64 gdt[GDT_ENTRIES];
static u8 task[TSS_BYTES], stack[STACK_BYTES] __attribute__((aligned(16)));

static void leave(struct frame *frame)
{
	frame->cs = KERNEL_CODE;
	frame->ss = KERNEL_DATA;
}

void user_init(void)
{
	struct table_pointer pointer = { sizeof(gdt) - 1, (u64)gdt };
	u64 top = (u64)stack + STACK_BYTES, at = (u64)task;

	pages_for_user();
	memcpy(gdt, guest_gdt, COPIED * sizeof(gdt[0]));
	gdt[USER_CODE / 8] = 0x00affb000000ffff;
	gdt[USER_DATA / 8] = 0x00cff3000000ffff;
	gdt[TASK / 8] = (TSS_BYTES - 1) | (at & 0xffffff) << 16 | 0x89ULL << 40 | (at >> 24 & 0xff) << 56;
	memcpy(task + TSS_RSP0, &top, sizeof(top));
	task[TSS_MAP_AT] = TSS_BYTES; /* no I/O permission map: no ports */
	interrupt_on(VECTOR_LEAVE, leave);
	interrupt_gate_flags(VECTOR_LEAVE, GATE_USER);
	__asm__ volatile("lgdt %0; ltr %w1" : : "m"(pointer), "r"(TASK) : "memory");
}

static void enter(void)
{
	__asm__ volatile("mov %%rsp, %%rax; pushq %0; pushq %%rax; pushfq; pushq %1; lea 1f(%%rip), %%rax; pushq %%rax; iretq; 1:"
			 :
			 : "i"(USER_DATA), "i"(USER_CODE)
			 : "rax", "memory");
}

u64 user_call(void (*function)(void *), void *argument)
{
	enter();
	u64 vector = try_call(function, argument);

	__asm__ volatile("int %0" : : "i"(VECTOR_LEAVE) : "memory");
	return vector;
}
