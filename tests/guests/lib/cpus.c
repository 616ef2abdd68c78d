/* SPDX-License-Identifier: BSD-2-Clause */
/* Other CPUs, started by INIT and SIPI as the MP specification says, one after the other. */
#include "tests/guests/lib/guest.h"
#include <string.h>

enum { LOW_PAGE = 0x8000, STACK_BYTES = 8192, ANSWER_US = 100000 };

extern const u8 low_begin[], low_end[];
extern u64 cpu_stack;
void cpu_entered(void);

u64 cpu_stack;
static u8 stacks[GUEST_MAX_CPUS][STACK_BYTES] __attribute__((aligned(16)));
static void (*cpu_function)(void);
static volatile u32 cpu_answered;

void low_page_prepare(void)
{
	memcpy((void *)(u64)LOW_PAGE, low_begin, (size_t)(low_end - low_begin));
}

void cpu_entered(void)
{
	void (*function)(void) = cpu_function;

	interrupts_init();
	apic_init();
	__atomic_store_n(&cpu_answered, 1, __ATOMIC_RELEASE);
	function();
	for (;;)
		__asm__ volatile("sti; hlt");
}

bool cpu_start(u32 apic, void (*function)(void))
{
	static u32 next_stack;

	if (next_stack == GUEST_MAX_CPUS)
		die("no stack for one more CPU");
	cpu_stack = (u64)stacks[++next_stack - 1] + STACK_BYTES;
	cpu_function = function;
	cpu_answered = 0;
	apic_send(apic, ICR_INIT);
	wait_us(10000);
	for (u32 i = 0; i < 2 && !cpu_answered; i++) {
		apic_send(apic, ICR_STARTUP | LOW_PAGE >> PAGE_SHIFT);
		wait_us(200);
	}
	for (u64 end = rdtsc() + tsc_hz / 1000000 * ANSWER_US; !cpu_answered && rdtsc() < end;)
		cpu_pause();
	return cpu_answered;
}
