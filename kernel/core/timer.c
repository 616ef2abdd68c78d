/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/timer.h"
#include "kernel/core/cpu.h"
#include "kernel/lib/check.h"

/* Each CPU's own; nobody else touches it, so there is no lock. Sorted by deadline: timers per CPU are few (its vCPUs, the shell). */
LIST_HEAD(timer_list, timer);
static struct timer_cpu {
	struct timer_list armed;
	u64 programmed; /* what the hardware was told, 0: nothing */
} cpus[MAX_CPUS];

static void program_first(struct timer_cpu *cpu)
{
	const struct timer *first = LIST_FIRST(&cpu->armed);
	u64 deadline = first ? first->deadline_tsc : 0;

	if (deadline == cpu->programmed)
		return;
	cpu->programmed = deadline;
	timer_program(deadline);
}

static void insert(struct timer_list *list, struct timer *timer)
{
	struct timer *last = NULL;
	struct timer *other;

	LIST_FOREACH(other, list, link) {
		if (other->deadline_tsc > timer->deadline_tsc)
			break;
		last = other;
	}
	if (last)
		LIST_INSERT_AFTER(last, timer, link);
	else
		LIST_INSERT_HEAD(list, timer, link);
}

static void disarm(struct timer *timer)
{
	CHECK(timer->cpu == cpu_index());
	LIST_REMOVE(timer, link);
	timer->deadline_tsc = 0;
}

void timer_arm(struct timer *timer, u64 deadline_tsc)
{
	struct timer_cpu *cpu = &cpus[cpu_index()];

	CHECK(timer->expired != NULL);
	if (timer->deadline_tsc)
		disarm(timer);
	timer->cpu = cpu_index();
	timer->deadline_tsc = max_u64(deadline_tsc, 1);
	insert(&cpu->armed, timer);
	program_first(cpu);
}

void timer_cancel(struct timer *timer)
{
	if (!timer->deadline_tsc)
		return;
	disarm(timer);
	program_first(&cpus[cpu_index()]);
}

/* What is armed again for the past during this run waits for the next interrupt: a run is as long as the list was. */
void timer_interrupt(void)
{
	struct timer_cpu *cpu = &cpus[cpu_index()];
	struct timer_list due = LIST_HEAD_INITIALIZER(due);
	struct timer *last = NULL;
	u64 now = time_tsc();

	for (struct timer *timer; (timer = LIST_FIRST(&cpu->armed)) && timer->deadline_tsc <= now; last = timer) {
		LIST_REMOVE(timer, link);
		if (last)
			LIST_INSERT_AFTER(last, timer, link);
		else
			LIST_INSERT_HEAD(&due, timer, link);
	}
	for (struct timer *timer; (timer = LIST_FIRST(&due));) {
		disarm(timer);
		timer->expired(timer);
	}
	cpu->programmed = 0;
	program_first(cpu);
}
