/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler: per-CPU run queues of tasks by proportional share (smallest virtual time first).  A task is a vCPU or a
 * worker: a step function that runs briefly and returns.  No threads, no preemption in the kernel.
 */
#pragma once
#include "kernel/lib/types.h"
#include <sys/queue.h>

enum task_result {
	TASK_AGAIN, /* has more to do: stays runnable */
	TASK_WAIT,  /* nothing to do until sched_wake; a wake-up during the step is not lost */
	TASK_DONE,  /* leaves the scheduler; its memory may be reused once sched_is_gone() */
};

struct task {
	const char *name;
	enum task_result (*step)(struct task *task);
	u32 weight; /* CPU shares: 1,000 is one vCPU of normal shares */
	/* the scheduler's own: */
	TAILQ_ENTRY(task) queue;
	struct task *wake_next;
	u32 cpu;
	bool balanced; /* placed by load: counts for the next one; who asked for its CPU does not */
	u32 state;
	u64 virtual_time;
	u64 run_ticks;
};

/* Add a task on CPU `cpu` (SCHED_ANY_CPU: the one with the least weight), waiting; sched_wake starts it. */
enum { SCHED_ANY_CPU = 0xffffffff };
void sched_add(struct task *task, u32 cpu);
/* Make it runnable; from any CPU and any step; lock-free; idempotent. Kicks its CPU. */
void sched_wake(struct task *task);
bool sched_is_gone(const struct task *task);
const char *sched_state_text(const struct task *task); /* "ready" */
/* The end of the running task's time slice on this CPU, as host TSC. */
u64 sched_slice_end(void);
/* Non-zero while a task that was woken waits to be looked at: the running vCPU returns to the scheduler. One load. */
const volatile u32 *sched_yield_flag(void);
/* Make the task that runs on `cpu` return to the scheduler (and, if idle, wake the CPU). Any CPU, any step. */
void sched_poke(u32 cpu);
/* One pass on this CPU: the next task's step, or one idle period. */
void sched_pass(void);
NORETURN void sched_run(void); /* the loop of every CPU */
