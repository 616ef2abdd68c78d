/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/trace.h"
#include "kernel/core/cpu.h"
#include "kernel/lib/check.h"
#include "kernel/x86/cpu.h"

static struct trace_cpu {
	u64 end;
	struct trace_event events[TRACE_EVENTS];
} cpus[MAX_CPUS];

static const char *const texts[] = {
#define TRACE_TEXT(kind, text) [TRACE_##kind] = text,
	TRACE_KINDS(TRACE_TEXT)
#undef TRACE_TEXT
};

/* The number moves on after the event is whole; a reader checks it again after copying. */
void trace(enum trace_kind kind, u64 a, u64 b)
{
	struct trace_cpu *cpu = &cpus[cpu_index()];

	CHECK((u32)kind < TRACE_KIND_COUNT);
	cpu->events[cpu->end % TRACE_EVENTS] = (struct trace_event){ rdtsc(), a, b, kind };
	__atomic_store_n(&cpu->end, cpu->end + 1, __ATOMIC_RELEASE);
}

u64 trace_end(u32 cpu)
{
	CHECK(cpu < MAX_CPUS);
	return __atomic_load_n(&cpus[cpu].end, __ATOMIC_ACQUIRE);
}

/* The oldest slot is being overwritten while the next event is written, so it counts as gone. */
bool trace_read(u32 cpu, u64 position, struct trace_event *event)
{
	if (position >= trace_end(cpu))
		return false;
	*event = cpus[cpu].events[position % TRACE_EVENTS];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return trace_end(cpu) - position < TRACE_EVENTS;
}

const char *trace_kind_text(u32 kind)
{
	CHECK(kind < TRACE_KIND_COUNT);
	return texts[kind];
}
