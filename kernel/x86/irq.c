/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/irq.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"

enum { VECTORS = 256 };

static void (*handlers[VECTORS])(void);
static u32 unexpected;

void irq_set_handler(u32 vector, void (*handler)(void))
{
	CHECK(vector >= IRQ_FIRST && vector < VECTORS);
	CHECK(handlers[vector] == NULL && handler != NULL);
	__atomic_store_n(&handlers[vector], handler, __ATOMIC_RELEASE);
}

void irq_dispatch(u32 vector)
{
	CHECK(vector >= IRQ_FIRST && vector < VECTORS);
	ASSERT(!interrupts_are_on());
	if (vector == IRQ_SPURIOUS)
		return;
	void (*handler)(void) = __atomic_load_n(&handlers[vector], __ATOMIC_ACQUIRE);

	if (handler)
		handler();
	else if (__atomic_fetch_add(&unexpected, 1, __ATOMIC_RELAXED) == 0)
		log_line("irq: vector 0x%x has no handler; further ones are not reported", vector);
	apic_eoi();
}
