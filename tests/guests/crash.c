/* SPDX-License-Identifier: BSD-2-Clause */
/* Ends badly in the way that the command line names, or, without one, that a typed line names.  Only this VM may notice. */
#include "tests/guests/lib/guest.h"
#include <string.h>

#define HOLE 0xd0000000ULL /* no memory, no device */

enum { PORT_RESET = 0xcf9, PORT_8042 = 0x64, PORT_92 = 0x92, TABLE_LIMIT = 0xfff };
enum {
	PIT_COMMAND = 0x43,
	PIT_CHANNEL0 = 0x40,
	PIT_PIN = 2,
	UART_IER = 0x3f9,
	UART_PIN = 4,
	IOAPIC_LEVEL = 1 << 15,
	LVT_PERIODIC = 1 << 17
};

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

static void idt_of_zeros(void)
{
	use_idt((u64)fresh_pages(1), TABLE_LIMIT);
	__asm__ volatile("ud2");
}

/* Zeros are ADD [RAX], AL: it runs on to the end of memory. */
static void jump_into_zeros(void)
{
	static u8 sum;

	__asm__ volatile("jmp *%0" : : "r"(memory_end() - 2 * PAGE_SIZE), "a"(&sum));
}

static void jump_into_a_hole(void)
{
	__asm__ volatile("jmp *%0" : : "r"(HOLE));
}

static void stack_in_a_hole(void)
{
	__asm__ volatile("mov %0, %%rsp; push %%rax; ret" : : "r"(HOLE + PAGE_SIZE) : "memory");
}

static void stack_not_present(void)
{
	u8 *page = fresh_pages(1);

	page_set((u64)page, 0);
	__asm__ volatile("mov %0, %%rsp; push %%rax" : : "r"(page + PAGE_SIZE) : "memory");
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

/* ---- storms without an end: each handler brings the next one ---- */

static void send_again(struct frame *frame)
{
	apic_eoi();
	apic_write(APIC_SELF_IPI, (u32)frame->vector);
}

static void self_ipis_for_ever(void)
{
	interrupt_on(VECTOR_IPI, send_again);
	interrupt_on(VECTOR_IPI + 0x20, send_again);
	apic_write(APIC_SELF_IPI, VECTOR_IPI);
	apic_write(APIC_SELF_IPI, VECTOR_IPI + 0x20);
	interrupts_enable();
	for (;;)
		;
}

static void send_nmi(struct frame *frame)
{
	(void)frame;
	apic_send(apic_id(), ICR_NMI);
}

static void nmis_for_ever(void)
{
	interrupt_on(2, send_nmi);
	apic_send(apic_id(), ICR_NMI);
	cpu_halt_forever();
}

static void end(struct frame *frame)
{
	(void)frame;
	apic_eoi();
}

/* The transmitter is empty and stays so: its line is never low. */
static void level_interrupts_for_ever(void)
{
	interrupt_on(VECTOR_CONSOLE, end);
	ioapic_route(UART_PIN, VECTOR_CONSOLE, IOAPIC_LEVEL);
	port_out8(UART_IER, 2);
	interrupts_enable();
	for (;;)
		;
}

static void ignore(struct frame *frame)
{
	(void)frame;
}

static void level_interrupt_never_ended(void)
{
	interrupt_on(VECTOR_CONSOLE, ignore);
	ioapic_route(UART_PIN, VECTOR_CONSOLE, IOAPIC_LEVEL);
	port_out8(UART_IER, 2);
	interrupts_enable();
	for (;;)
		;
}

static void timers_of_one_tick_for_ever(void)
{
	interrupt_on(VECTOR_TIMER, end);
	interrupt_on(VECTOR_PIT, end);
	ioapic_route(PIT_PIN, VECTOR_PIT, 0);
	port_out8(PIT_COMMAND, 0x14); /* channel 0, low byte, mode 2: every tick if a count of 1 were allowed */
	port_out8(PIT_CHANNEL0, 1);
	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, 1);
	interrupts_enable();
	for (;;)
		;
}

/* It waits for a start-up message that nobody will send. */
static void init_to_itself(void)
{
	apic_send(apic_id(), ICR_INIT);
}

/* ---- ends that were asked for ---- */

static void reset_by_cf9(void)
{
	port_out8(PORT_RESET, 6);
}

static void reset_by_8042(void)
{
	port_out8(PORT_8042, 0xfe);
}

static void reset_by_92(void)
{
	port_out8(PORT_92, 1);
}

static const struct way {
	const char *name;
	void (*crash)(void);
} ways[] = {
	{ "triple_fault", triple_fault },
	{ "idt_in_a_hole", idt_in_a_hole },
	{ "idt_of_zeros", idt_of_zeros },
	{ "jump_into_zeros", jump_into_zeros },
	{ "jump_into_a_hole", jump_into_a_hole },
	{ "stack_in_a_hole", stack_in_a_hole },
	{ "stack_not_present", stack_not_present },
	{ "page_tables_in_a_hole", page_tables_in_a_hole },
	{ "string_store_into_a_hole", string_store_into_a_hole },
	{ "strange_instruction_on_a_device", strange_instruction_on_a_device },
	{ "halt_without_interrupts", halt_without_interrupts },
	{ "spin_without_interrupts", spin_without_interrupts },
	{ "self_ipis_for_ever", self_ipis_for_ever },
	{ "nmis_for_ever", nmis_for_ever },
	{ "level_interrupts_for_ever", level_interrupts_for_ever },
	{ "level_interrupt_never_ended", level_interrupt_never_ended },
	{ "timers_of_one_tick_for_ever", timers_of_one_tick_for_ever },
	{ "init_to_itself", init_to_itself },
	{ "reset_by_cf9", reset_by_cf9 },
	{ "reset_by_8042", reset_by_8042 },
	{ "reset_by_92", reset_by_92 },
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
