/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/journal.h"
#include "kernel/lib/check.h"
#include <signal.h>
#include <stddef.h>

static void (*looking)(void);
static u64 looks;

static void on_trap(int signal)
{
	(void)signal;
	looks++;
	looking();
}

/* The compiler may keep values below the stack pointer (the red zone): step over it. */
#define CHANGE_FLAGS(change) \
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\t" change "\n\tpopfq\n\tlea 128(%%rsp), %%rsp" : : : "memory", "cc")

u64 journal(void (*operation)(void *context), void *context, void (*look)(void))
{
	struct sigaction action = { .sa_handler = on_trap }, before;

	looking = look;
	looks = 0;
	CHECK(sigaction(SIGTRAP, &action, &before) == 0);
	CHANGE_FLAGS("orq $0x100, (%%rsp)");
	operation(context);
	CHANGE_FLAGS("andq $~0x100, (%%rsp)");
	CHECK(sigaction(SIGTRAP, &before, NULL) == 0);
	return looks;
}
