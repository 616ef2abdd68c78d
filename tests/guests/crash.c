/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends badly in the way that the command line names, or, without one, that a typed line names.  Only this VM may notice. */
#include "tests/guests/lib/guest.h"
#include <string.h>

#define HOLE 0xd0000000ULL /* no memory, no device */

enum { PORT_RESET = 0xcf9, PORT_8042 = 0x64, TABLE_LIMIT = 0xfff };

struct __attribute__((packed)) table_pointer {
	u16 limit;
	u64 base;
};

static void use_idt(u64 base, u16 limit)
{
	struct table_pointer pointer = { limit, base };

	__asm__ volatile("lidt %0" : : "m"(pointer));
}

static void triple_fault(void)
{
	use_idt(0, 0);
	__asm__ volatile("ud2");
}

static void idt_in_a_hole(void)
{
	use_idt(HOLE, TABLE_LIMIT);
	__asm__ volatile("ud2");
}

static void jump_into_a_hole(void)
{
	__asm__ volatile("jmp *%0" : : "r"(HOLE));
}

static void stack_in_a_hole(void)
{
	__asm__ volatile("mov %0, %%rsp; push %%rax; ret" : : "r"(HOLE + PAGE_SIZE) : "memory");
}

static void page_tables_in_a_hole(void)
{
	cr3_write(HOLE);
}

static void string_store_into_a_hole(void)
{
	u64 to = HOLE;
	u64 count = 1 << 20;

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0) : "memory");
}

/* A memory operand that no emulator of a few instructions knows. */
static void strange_instruction_on_a_device(void)
{
	__asm__ volatile("lock cmpxchg16b (%0)" : : "r"(IOAPIC_AT) : "rax", "rdx", "memory");
}

static void halt_without_interrupts(void)
{
	cpu_halt_forever();
}

static void spin_without_interrupts(void)
{
	interrupts_off();
	for (;;)
		;
}

static void reset_by_cf9(void)
{
	port_out8(PORT_RESET, 6);
}

static void reset_by_8042(void)
{
	port_out8(PORT_8042, 0xfe);
}

static const struct way {
	const char *name;
	void (*crash)(void);
} ways[] = {
	{ "triple_fault", triple_fault },
	{ "idt_in_a_hole", idt_in_a_hole },
	{ "jump_into_a_hole", jump_into_a_hole },
	{ "stack_in_a_hole", stack_in_a_hole },
	{ "page_tables_in_a_hole", page_tables_in_a_hole },
	{ "string_store_into_a_hole", string_store_into_a_hole },
	{ "strange_instruction_on_a_device", strange_instruction_on_a_device },
	{ "halt_without_interrupts", halt_without_interrupts },
	{ "spin_without_interrupts", spin_without_interrupts },
	{ "reset_by_cf9", reset_by_cf9 },
	{ "reset_by_8042", reset_by_8042 },
	{ "power_off", power_off },
};

static void crash(const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(ways); i++)
		if (strcmp(name, ways[i].name) == 0) {
			say("crash: %s\n", name);
			ways[i].crash();
			say("crash: survived %s\n", name);
			return;
		}
	say("crash: no way \"%s\"\n", name);
}

void guest_main(void)
{
	char line[64];

	for (u32 i = 0; i < ARRAY_SIZE(ways); i++)
		if (guest_option(ways[i].name))
			crash(ways[i].name);
	say("crash: ready\n");
	interrupts_enable();
	for (;;) {
		console_line(line, sizeof(line));
		crash(line);
	}
}
