/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each CPU owns its run queue and nobody else touches it: others hand over tasks through a lock-free stack of woken ones.
 * A task's state is one word that changes by compare-exchange, so that no wake-up is lost and no task is queued twice.
 */
#include "kernel/sched.h"
#include "kernel/core/cpu.h"
#include "kernel/core/step.h"
#include "kernel/core/timer.h"
#include "kernel/core/trace.h"
#include "kernel/lib/check.h"
#include "kernel/lib/lock.h"
#include "kernel/x86/cpu.h"

enum task_state { NEW, WAITING, QUEUED, RUNNING, RUNNING_WOKEN, GONE };

enum {
	SLICE_SHARED_US = 3000, /* others wait on this CPU */
	SLICE_ALONE_US = 100000,
	WAKE_CREDIT_US = 3000, /* how far a sleeper may lag behind the queue and still catch up */
	NORMAL_WEIGHT = 1000,
	MAX_WEIGHT = 1000000,
};

static struct queue {
	TAILQ_HEAD(task_list, task) runnable; /* by virtual time, smallest first */
	struct task *woken;                   /* pushed by anyone, taken whole by the owner */
	u64 virtual_now;                      /* of the last task that ran */
	u64 slice_end;
	u64 weight; /* of the tasks that were placed here because it was least loaded */
	u32 yield;
	bool ready;
} queues[MAX_CPUS];

static u64 us_to_tsc(u64 us)
{
	return us * tsc_khz / 1000;
}

static struct queue *my_queue(void)
{
	struct queue *queue = &queues[cpu_index()];

	if (!queue->ready) {
		TAILQ_INIT(&queue->runnable);
		queue->ready = true;
	}
	return queue;
}

static u32 least_loaded_cpu(void)
{
	u32 best = 0;

	for (u32 cpu = 1; cpu < cpu_count; cpu++)
		if (__atomic_load_n(&queues[cpu].weight, __ATOMIC_RELAXED) <
		    __atomic_load_n(&queues[best].weight, __ATOMIC_RELAXED))
			best = cpu;
	return best;
}

void sched_add(struct task *task, u32 cpu)
{
	CHECK(task->step != NULL && task->weight > 0 && task->weight <= MAX_WEIGHT);
	task->balanced = cpu == SCHED_ANY_CPU;
	task->cpu = task->balanced ? least_loaded_cpu() : cpu;
	CHECK(task->cpu < cpu_count);
	task->virtual_time = 0;
	task->run_ticks = 0;
	task->wake_next = NULL;
	if (task->balanced)
		__atomic_fetch_add(&queues[task->cpu].weight, task->weight, __ATOMIC_RELAXED);
	__atomic_store_n(&task->state, WAITING, __ATOMIC_RELEASE);
}

static void push_woken(struct task *task)
{
	struct queue *queue = &queues[task->cpu];
	struct task *head = __atomic_load_n(&queue->woken, __ATOMIC_RELAXED);

	do
		task->wake_next = head;
	while (!__atomic_compare_exchange_n(&queue->woken, &head, task, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

void sched_poke(u32 cpu)
{
	CHECK(cpu < cpu_count);
	__atomic_store_n(&queues[cpu].yield, 1, __ATOMIC_SEQ_CST);
	if (cpu != cpu_index())
		cpu_kick(cpu);
}

void sched_wake(struct task *task)
{
	u32 state = __atomic_load_n(&task->state, __ATOMIC_ACQUIRE);

	while (state == WAITING || state == RUNNING) {
		u32 next = state == WAITING ? QUEUED : RUNNING_WOKEN;

		if (!__atomic_compare_exchange_n(&task->state, &state, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			continue;
		if (next == QUEUED) {
			push_woken(task);
			sched_poke(task->cpu);
		}
		return;
	}
}

bool sched_is_gone(const struct task *task)
{
	return __atomic_load_n(&task->state, __ATOMIC_ACQUIRE) == GONE;
}

static void enqueue(struct queue *queue, struct task *task)
{
	struct task *other;

	TAILQ_FOREACH_REVERSE(other, &queue->runnable, task_list, queue)
		if (other->virtual_time <= task->virtual_time)
			break;
	if (other)
		TAILQ_INSERT_AFTER(&queue->runnable, other, task, queue);
	else
		TAILQ_INSERT_HEAD(&queue->runnable, task, queue);
}

/* A sleeper does not save up time: it resumes at most a credit behind the task that ran last. */
static void take_woken(struct queue *queue)
{
	struct task *task = __atomic_exchange_n(&queue->woken, NULL, __ATOMIC_ACQUIRE);
	u64 credit = us_to_tsc(WAKE_CREDIT_US);
	u64 floor = queue->virtual_now > credit ? queue->virtual_now - credit : 0;

	while (task) {
		struct task *next = task->wake_next;

		CHECK(task->state == QUEUED);
		task->virtual_time = max_u64(task->virtual_time, floor);
		enqueue(queue, task);
		task = next;
	}
}

static void after_step(struct queue *queue, struct task *task, enum task_result result)
{
	u32 state = RUNNING;

	if (result == TASK_DONE) {
		if (task->balanced)
			__atomic_fetch_sub(&queue->weight, task->weight, __ATOMIC_RELAXED);
		__atomic_store_n(&task->state, GONE, __ATOMIC_RELEASE);
		return;
	}
	if (result == TASK_WAIT &&
	    __atomic_compare_exchange_n(&task->state, &state, WAITING, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	__atomic_store_n(&task->state, QUEUED, __ATOMIC_RELEASE);
	enqueue(queue, task);
}

static void run_task(struct queue *queue, struct task *task)
{
	u64 start = time_tsc();

	TAILQ_REMOVE(&queue->runnable, task, queue);
	queue->virtual_now = max_u64(queue->virtual_now, task->virtual_time);
	queue->slice_end = start + us_to_tsc(TAILQ_EMPTY(&queue->runnable) ? SLICE_ALONE_US : SLICE_SHARED_US);
	__atomic_store_n(&task->state, RUNNING, __ATOMIC_RELEASE);

	step_begin(task->name);
	enum task_result result = task->step(task);
	step_end();

	CHECK(lock_none_held());
	u64 ticks = time_tsc() - start;
	task->run_ticks += ticks;
	task->virtual_time += ticks * NORMAL_WEIGHT / task->weight;
	trace(TRACE_TASK, (u64)task->name, result);
	after_step(queue, task, result);
}

const char *sched_state_text(const struct task *task)
{
	static const char *const text[] = { "new", "waiting", "ready", "running", "running", "gone" };
	u32 state = __atomic_load_n(&task->state, __ATOMIC_RELAXED);

	CHECK(state < ARRAY_SIZE(text));
	return text[state];
}

u64 sched_slice_end(void)
{
	return queues[cpu_index()].slice_end;
}

const volatile u32 *sched_yield_flag(void)
{
	return &queues[cpu_index()].yield;
}

/*
 * Say "idle" first, look at the stack of woken tasks after: a waker pushes first and looks at our state after, so one of
 * the two sees the other.  Interrupts stay off until `sti; hlt`, so a kick in between ends the halt.
 */
static void idle(struct queue *queue)
{
	step_enter_idle(); /* a sequentially consistent store */
	if (!__atomic_load_n(&queue->woken, __ATOMIC_SEQ_CST))
		cpu_halt_until_interrupt();
}

void sched_pass(void)
{
	struct queue *queue = my_queue();

	cpu_take_interrupts(); /* a guest with interrupts off may hold them back (Bochs), and workers may follow one another */
	__atomic_store_n(&queue->yield, 0, __ATOMIC_SEQ_CST);
	take_woken(queue);
	struct task *task = TAILQ_FIRST(&queue->runnable);

	if (task)
		run_task(queue, task);
	else
		idle(queue);
}

void sched_run(void)
{
	for (;;)
		sched_pass();
}
