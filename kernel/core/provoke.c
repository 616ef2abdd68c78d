/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/provoke.h"
#include "kernel/core/cpu.h"
#include "kernel/core/panic.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include <string.h>

enum { NOWHERE = 0x10, FRAME_BYTES = 256, NMI_SPINS = 1000000 };

static const char *provoke_panic(void)
{
	panic("asked for on the console");
}

static const char *provoke_check(void)
{
	volatile u32 two = 2;

	CHECK(two + two == 5);
	return NULL;
}

/* Down to the guard page: the page fault finds no stack, and the double fault has one of its own. */
static __attribute__((noinline)) u32 provoke_stack_deeper(u32 depth)
{
	volatile u8 frame[FRAME_BYTES];

	frame[depth % FRAME_BYTES] = (u8)depth;
	if (depth == UINT32_MAX)
		return 0;
	return provoke_stack_deeper(depth + 1) + frame[depth % FRAME_BYTES];
}

static const char *provoke_stack(void)
{
	provoke_stack_deeper(0);
	return NULL;
}

static __attribute__((noinline)) const char *provoke_guard(void)
{
	volatile char local[8];
	volatile char *at = local;

	__asm__ volatile("" : "+r"(at));
	for (u32 i = 0; i < 2 * sizeof(u64) + sizeof(local); i++)
		at[i] = 'x';
	return NULL;
}

static const char *provoke_fault(void)
{
	volatile u64 *nowhere = (volatile u64 *)NOWHERE;

	__asm__ volatile("" : "+r"(nowhere));
	*nowhere = 0;
	return NULL;
}

static const char *provoke_write_text(void)
{
	*(volatile u8 *)(u64)provoke = 0xcc;
	return NULL;
}

static const char *provoke_exec_data(void)
{
	static u8 data[] = { 0xc3 }; /* RET */
	void (*run)(void) = (void (*)(void))(u64)data;

	__asm__ volatile("" : "+r"(run));
	run();
	return NULL;
}

static const char *provoke_hang(void)
{
	if (cpu_count == 1)
		return "with one processor nobody watches";
	for (;;)
		cpu_pause();
}

/* The gate of a machine check; that the banks have nothing to say is part of what it prints. */
static const char *provoke_mce(void)
{
	__asm__ volatile("int %0" : : "i"(18) : "memory");
	return NULL;
}

static const char *provoke_nmi(void)
{
	apic_nmi(cpu_self()->apic_id);
	for (u32 i = 0; i < NMI_SPINS; i++)
		cpu_pause();
	return "the local APIC did not deliver it";
}

static const struct {
	const char *what;
	const char *(*run)(void);
} rows[] = {
	{ "panic", provoke_panic },
	{ "check", provoke_check },
	{ "stack", provoke_stack },
	{ "guard", provoke_guard },
	{ "fault", provoke_fault },
	{ "write-text", provoke_write_text },
	{ "exec-data", provoke_exec_data },
	{ "hang", provoke_hang },
	{ "mce", provoke_mce },
	{ "nmi", provoke_nmi },
};

const char *provoke(const char *what)
{
	CHECK(what && what[0]);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *why = strcmp(rows[i].what, what) == 0 ? rows[i].run() : NULL;

		if (why)
			return why;
	}
	return "it had no effect";
}
