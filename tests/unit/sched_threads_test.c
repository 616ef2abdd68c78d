/* SPDX-License-Identifier: BSD-2-Clause */
/* The scheduler under ThreadSanitizer, one thread a CPU: no wake-up is lost, no task runs twice at once, shares are shares. */
#include "kernel/core/step.h"
#include "kernel/core/timer.h"
#include "kernel/lib/check.h"
#include "kernel/sched.h"
#include "tests/unit/fake/kernel/core/cpu.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

u64 tsc_khz = 1000000;
static u64 fake_time;

u64 time_tsc(void)
{
	return __atomic_add_fetch(&fake_time, 100, __ATOMIC_RELAXED);
}

void step_begin(const char *place)
{
	(void)place;
}

void step_end(void)
{
}

void step_enter_idle(void)
{
}

enum { CPUS = 2, MESSAGES = 200000 };

/* Two tasks on two CPUs that hand a ball back and forth: a lost wake-up ends the game. */
struct player {
	struct task task;
	struct player *other;
	u32 balls, played, inside;
};
static struct player players[CPUS];
static u32 finished;

static enum task_result play(struct task *task)
{
	struct player *me = CONTAINER_OF(task, struct player, task);
	enum task_result result = TASK_WAIT;

	CHECK(__atomic_exchange_n(&me->inside, 1, __ATOMIC_ACQUIRE) == 0);
	if (__atomic_load_n(&me->balls, __ATOMIC_ACQUIRE)) {
		__atomic_fetch_sub(&me->balls, 1, __ATOMIC_ACQ_REL);
		if (++me->played == MESSAGES / CPUS)
			result = TASK_DONE;
		__atomic_fetch_add(&me->other->balls, 1, __ATOMIC_ACQ_REL);
		sched_wake(&me->other->task);
	}
	__atomic_store_n(&me->inside, 0, __ATOMIC_RELEASE);
	if (result == TASK_DONE)
		__atomic_fetch_add(&finished, 1, __ATOMIC_RELEASE);
	return result;
}

static void *cpu_loop(void *argument)
{
	fake_cpu_set((u32)(uintptr_t)argument);
	while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < CPUS)
		sched_pass();
	return NULL;
}

static void a_wake_up_is_never_lost_between_cpus(void **state)
{
	pthread_t threads[CPUS];

	(void)state;
	cpu_count = CPUS;
	for (u32 i = 0; i < CPUS; i++) {
		players[i] =
			(struct player){ .task = { .name = "player", .step = play, .weight = 1000 }, .other = &players[1 - i] };
		sched_add(&players[i].task, i);
	}
	players[0].balls = 1;
	sched_wake(&players[0].task);
	for (u32 i = 0; i < CPUS; i++)
		pthread_create(&threads[i], NULL, cpu_loop, (void *)(uintptr_t)i);
	for (u32 i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	for (u32 i = 0; i < CPUS; i++) {
		assert_int_equal(players[i].played, MESSAGES / CPUS);
		assert_true(sched_is_gone(&players[i].task));
	}
	fake_cpu_set(0);
}

struct worker {
	struct task task;
	u64 ticks;
};

static enum task_result work(struct task *task)
{
	struct worker *me = CONTAINER_OF(task, struct worker, task);

	me->ticks += 1000;
	__atomic_add_fetch(&fake_time, 1000, __ATOMIC_RELAXED);
	return TASK_AGAIN;
}

static void processor_time_follows_the_weights(void **state)
{
	static struct worker workers[3];
	const u32 weights[] = { 1000, 2000, 4000 };

	(void)state;
	for (u32 i = 0; i < 3; i++) {
		workers[i].task = (struct task){ .name = "worker", .step = work, .weight = weights[i] };
		sched_add(&workers[i].task, 0);
		sched_wake(&workers[i].task);
	}
	for (u32 i = 0; i < 70000; i++)
		sched_pass();
	for (u32 i = 1; i < 3; i++) {
		double ratio = (double)workers[i].ticks / (double)workers[0].ticks;

		assert_true(ratio > weights[i] / 1000.0 * 0.98 && ratio < weights[i] / 1000.0 * 1.02);
	}
}

static enum task_result count(struct task *task)
{
	struct worker *me = CONTAINER_OF(task, struct worker, task);

	me->ticks++;
	return TASK_WAIT;
}

static void a_task_that_was_not_added_or_is_gone_ignores_wake_ups(void **state)
{
	static struct worker stranger = { .task = { .name = "stranger", .step = count, .weight = 1000 } };

	(void)state;
	sched_wake(&stranger.task);
	for (u32 i = 0; i < 10; i++)
		sched_pass();
	assert_int_equal(stranger.ticks, 0);
	assert_string_equal(sched_state_text(&stranger.task), "new");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wake_up_is_never_lost_between_cpus),
		cmocka_unit_test(processor_time_follows_the_weights),
		cmocka_unit_test(a_task_that_was_not_added_or_is_gone_ignores_wake_ups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
