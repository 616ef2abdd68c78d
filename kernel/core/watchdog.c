/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/watchdog.h"
#include "kernel/core/cpu.h"
#include "kernel/core/step.h"
#include "kernel/core/timer.h"
#include "kernel/lib/check.h"
#include "kernel/x86/apic.h"

enum { STUCK_SECONDS = 5 };
#define SECOND_NS 1000000000ULL

static struct watch {
	struct timer timer;
	u64 last_count;
	u32 seconds; /* that its neighbour has stood still */
	u32 asked;   /* by the CPU before it */
} watches[MAX_CPUS];

static void look(struct timer *timer)
{
	struct watch *watch = CONTAINER_OF(timer, struct watch, timer);
	u32 next = (cpu_index() + 1) % cpu_count;
	u64 count = step_count(next);

	CHECK(watch == &watches[cpu_index()]);
	watch->seconds = step_in_kernel(next) && count == watch->last_count ? watch->seconds + 1 : 0;
	watch->last_count = count;
	if (watch->seconds >= STUCK_SECONDS) {
		__atomic_store_n(&watches[next].asked, 1, __ATOMIC_SEQ_CST);
		apic_nmi(cpu_get(next)->apic_id);
		return;
	}
	timer_arm(timer, time_tsc() + time_ns_to_tsc(SECOND_NS));
}

void watchdog_start(void)
{
	struct watch *watch = &watches[cpu_index()];

	CHECK(watch->timer.expired == NULL);
	watch->timer.expired = look;
	if (cpu_count > 1)
		timer_arm(&watch->timer, time_tsc() + time_ns_to_tsc(SECOND_NS));
}

bool watchdog_asks(void)
{
	return __atomic_load_n(&watches[cpu_index()].asked, __ATOMIC_SEQ_CST);
}
