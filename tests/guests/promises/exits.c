/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways out of a guest: each that a handler of its own answers. */
#include "tests/guests/promises/promises.h"

enum { NAP_US = 50 };

static void by_cpuid(void)
{
	(void)cpuid(0, 0);
}

static void by_port(void)
{
	(void)port_in8(PORT_HARMLESS);
}

static void by_msr(void)
{
	(void)msr_read(MSR_TSC);
}

static void by_device_memory(void)
{
	(void)ioapic_get(1);
}

static void by_halt(void)
{
	const u32 never = 0;

	(void)wait_flag(&never, NAP_US);
	interrupts_off();
}

static void by_first_touch(void)
{
	*fresh_pages(1) = 1;
}

static void vmcall(void)
{
	__asm__ volatile("vmcall" : : "a"(0) : "memory");
}

/* #UD where there is no hypervisor. */
static void by_hypercall(void)
{
	(void)code_raises(vmcall);
}

const struct exit_way exit_ways[] = {
	{ "CPUID", by_cpuid },      { "a port", by_port },
	{ "an MSR", by_msr },       { "device memory", by_device_memory },
	{ "HLT", by_halt },         { "a first touch", by_first_touch },
	{ "VMCALL", by_hypercall },
};
const u32 exit_way_count = ARRAY_SIZE(exit_ways);
