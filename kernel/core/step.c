/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/step.h"
#include "kernel/core/cpu.h"
#include "kernel/core/trace.h"
#include "kernel/lib/check.h"
#include "kernel/x86/cpu.h"

static struct step_cpu cpus[MAX_CPUS];
u64 step_epoch;
u64 step_generation[STEP_MAX_VMS];

static u64 load(const u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(u64 *word, u64 value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

struct step_cpu *step_this_cpu(void)
{
	return &cpus[cpu_index()];
}

static u32 state_of(u32 cpu)
{
	CHECK(cpu < MAX_CPUS);
	return __atomic_load_n(&cpus[cpu].state, __ATOMIC_SEQ_CST);
}

/* ---- measuring ---- */

void step_measure_from(struct step_cpu *cpu, const char *place)
{
	if (!DEBUG_BUILD)
		return;
	cpu->place = place;
	cpu->start = rdtsc();
}

void step_measure_to_here(struct step_cpu *cpu)
{
	if (!DEBUG_BUILD || !cpu->place)
		return;
	u64 ticks = rdtsc() - cpu->start;

	if (ticks > cpu->worst.ticks)
		cpu->worst = (struct step_worst){ ticks, cpu->place };
	cpu->place = NULL;
}

struct step_worst step_worst(u32 cpu)
{
	CHECK(cpu < MAX_CPUS);
	return cpus[cpu].worst;
}

/* ---- boundaries ---- */

static void boundary(struct step_cpu *cpu)
{
	step_boundary(cpu);
	store(&cpu->boundaries, cpu->boundaries + 1);
}

static void leave_idle(struct step_cpu *cpu)
{
	if (cpu->idle_since)
		__atomic_store_n(&cpu->idle_ticks, cpu->idle_ticks + rdtsc() - cpu->idle_since, __ATOMIC_RELAXED);
	cpu->idle_since = 0;
	step_set_state(cpu, STEP_IN_KERNEL);
}

void step_begin(const char *place)
{
	struct step_cpu *cpu = step_this_cpu();

	CHECK(cpu->state < STEP_IN_GUEST);
	step_measure_to_here(cpu);
	if (cpu->state != STEP_IN_KERNEL)
		leave_idle(cpu);
	step_measure_from(cpu, place);
}

void step_end(void)
{
	struct step_cpu *cpu = step_this_cpu();

	CHECK(cpu->state == STEP_IN_KERNEL);
	boundary(cpu);
}

void step_enter_idle(void)
{
	struct step_cpu *cpu = step_this_cpu();

	CHECK(cpu->state < STEP_IN_GUEST);
	boundary(cpu);
	cpu->idle_since = rdtsc();
	step_set_state(cpu, STEP_IDLE);
}

void step_will_invalidate(struct step_cpu *cpu, u32 vm, u64 generation)
{
	store(&cpu->flushed[vm], generation);
}

void step_invalidated(u32 vm)
{
	struct step_cpu *cpu = step_this_cpu();

	CHECK(cpu->state == (STEP_IN_GUEST | vm));
	cpu->executed[vm] = cpu->flushed[vm];
}

void step_check_entry(u32 vm)
{
	const struct step_cpu *cpu = step_this_cpu();

	ASSERT(cpu->state == (STEP_IN_GUEST | vm));
	ASSERT(cpu->executed[vm] >= cpu->entry_generation);
}

/* ---- removals ---- */

/* The VM's generation first reaches the epoch, then CPUs are looked at: one that enters now reads it, one that is in is seen. */
u64 step_publish(u32 vm)
{
	CHECK(vm > 0 && vm < STEP_MAX_VMS);
	u64 mine = __atomic_add_fetch(&step_epoch, 1, __ATOMIC_SEQ_CST);
	u64 old = load(&step_generation[vm]);

	while (old < mine &&
	       !__atomic_compare_exchange_n(&step_generation[vm], &old, mine, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	for (u32 cpu = 0; cpu < cpu_count; cpu++)
		if (state_of(cpu) == (STEP_IN_GUEST | vm))
			cpu_kick(cpu);
	trace(TRACE_PUBLISH, vm, mine);
	return mine;
}

/*
 * In the guest of `vm` itself only the invalidation before entry counts: a CPU may have read the epoch at its boundary and the
 * generation just before the publisher raised it.
 */
static bool passed(u32 cpu, u32 vm, u64 debt)
{
	u32 state = state_of(cpu);

	if (state == STEP_IN_KERNEL)
		return load(&cpus[cpu].seen) >= debt;
	if (state == (STEP_IN_GUEST | vm))
		return load(&cpus[cpu].flushed[vm]) >= debt;
	return true;
}

bool step_settled(u32 vm, u64 debt)
{
	CHECK(vm > 0 && vm < STEP_MAX_VMS && debt <= load(&step_epoch));
	for (u32 cpu = 0; cpu < cpu_count; cpu++)
		if (!passed(cpu, vm, debt))
			return false;
	return true;
}

/* ---- what others ask about a CPU ---- */

bool step_needs_kick(u32 cpu)
{
	return state_of(cpu) != STEP_IN_KERNEL;
}

bool step_in_kernel(u32 cpu)
{
	return state_of(cpu) == STEP_IN_KERNEL;
}

u64 step_idle_ticks(u32 cpu)
{
	CHECK(cpu < MAX_CPUS);
	return __atomic_load_n(&cpus[cpu].idle_ticks, __ATOMIC_RELAXED);
}

u64 step_count(u32 cpu)
{
	CHECK(cpu < MAX_CPUS);
	return load(&cpus[cpu].boundaries);
}
