/* SPDX-License-Identifier: BSD-2-Clause */
/* Gates that are not there and stacks that are not mapped: which exception comes instead. SDM vol. 3A, 6.13 and 6.15. */
#include "tests/guests/events/events.h"
#include <string.h>

enum {
	GATE_BYTES = 16,
	GATE_IST = 4,
	GATE_TYPE = 5,
	PRESENT = 0x80,
	TASK_IST1 = 36,
	VECTORS = 256,
	SHORT_LIMIT = 0x70 * GATE_BYTES - 1
};
enum { ERROR_EXTERNAL = 1, ERROR_IDT = 2 };

struct __attribute__((packed)) table_pointer {
	u16 limit;
	u64 base;
};

static u8 idt[VECTORS][GATE_BYTES];
static u8 *unmapped;

static void raise_ud(void *unused)
{
	(void)unused;
	__asm__ volatile("ud2");
}

static void raise_pf(void *unused)
{
	(void)unused;
	*(volatile u8 *)unmapped = 1;
}

static void raise_gp_by_exit(void *unused)
{
	(void)unused;
	msr_write(0x1234, 0);
}

static void raise_int(void *unused)
{
	(void)unused;
	__asm__ volatile("int $0x70");
}

static void raise_ipi(void *unused)
{
	(void)unused;
	apic_send(apic_id(), ICR_FIXED | VECTOR_IPI);
	__asm__ volatile("sti; nop; nop; cli");
}

static void raise_db(void *unused)
{
	(void)unused;
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop" : : : "memory", "cc");
}

static const struct row {
	const char *name;
	void (*raise)(void *unused);
	u8 missing;      /* this gate is not present … */
	u8 on_bad_stack; /* … this one's stack is not mapped */
	bool short_limit, cr2_is_the_stack;
	u8 vector;
	u32 error;
} rows[] = {
	{ "#UD without a gate", raise_ud, UD, 0, false, false, NP, UD * 8 + ERROR_IDT + ERROR_EXTERNAL },
	{ "INT behind the limit", raise_int, 0, 0, true, false, GP, 0x70 * 8 + ERROR_IDT },
	{ "INT without a gate", raise_int, 0x70, 0, false, false, NP, 0x70 * 8 + ERROR_IDT },
	{ "an interrupt without a gate", raise_ipi, VECTOR_IPI, 0, false, false, NP,
	  VECTOR_IPI * 8 + ERROR_IDT + ERROR_EXTERNAL },
	{ "#PF without a gate", raise_pf, PF, 0, false, false, DF, 0 },
	{ "#GP of an exit without a gate", raise_gp_by_exit, GP, 0, false, false, DF, 0 },
	{ "#DB without a gate", raise_db, DB, 0, false, false, NP, DB * 8 + ERROR_IDT + ERROR_EXTERNAL },
	{ "#UD without a stack", raise_ud, 0, UD, false, true, PF, 2 },
	{ "#GP of an exit without a stack", raise_gp_by_exit, 0, GP, false, true, PF, 2 },
	{ "#DB without a stack", raise_db, 0, DB, false, true, PF, 2 },
	{ "an interrupt without a stack", raise_ipi, 0, VECTOR_IPI, false, true, PF, 2 },
	{ "#PF without a stack", raise_pf, 0, PF, false, false, DF, 0 },
};

static u64 task_base(void)
{
	struct table_pointer gdt;
	u16 selector;
	u64 low;

	__asm__ volatile("sgdt %0; str %1" : "=m"(gdt), "=r"(selector));
	memcpy(&low, (void *)(gdt.base + selector), sizeof(low));
	return (low >> 16 & 0xffffff) | (low >> 56) << 24;
}

static const char *run_row(const struct row *row)
{
	struct table_pointer old, ours = { row->short_limit ? SHORT_LIMIT : sizeof(idt) - 1, (u64)idt };
	u64 top = (u64)unmapped + PAGE_SIZE;

	__asm__ volatile("sidt %0" : "=m"(old));
	memcpy(idt, (void *)old.base, sizeof(idt));
	memcpy((void *)(task_base() + TASK_IST1), &top, sizeof(top));
	if (row->missing)
		idt[row->missing][GATE_TYPE] &= (u8)~PRESENT;
	if (row->on_bad_stack)
		idt[row->on_bad_stack][GATE_IST] = 1;
	cr2_write(0);
	__asm__ volatile("lidt %0" : : "m"(ours));
	u64 vector = try_call(row->raise, NULL);
	__asm__ volatile("lidt %0" : : "m"(old));
	apic_eoi();
	EXPECT(vector == row->vector && try_error == row->error, "%s: vector %lld, error 0x%llx", row->name, vector, try_error);
	EXPECT(!row->cr2_is_the_stack || cr2_read() == top - 8, "%s: CR2 is 0x%llx", row->name, cr2_read());
	return NULL;
}

const char *missing_gates_and_stacks(void)
{
	const char *what = NULL;

	unmapped = fresh_pages(1);
	page_set((u64)unmapped, 0);
	for (u32 i = 0; i < ARRAY_SIZE(rows) && !what; i++)
		what = run_row(&rows[i]);
	page_set((u64)unmapped, (u64)unmapped | PAGE_PRESENT | PAGE_WRITE);
	return what;
}
