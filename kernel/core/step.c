/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/step.h"
#include "kernel/core/cpu.h"
#include "kernel/core/trace.h"
#include "kernel/lib/check.h"
#include "kernel/x86/cpu.h"

/* A CPU's state is one word; IDLE is 0 so that a CPU that has not started yet counts as idle. In a guest: IN_GUEST | VM. */
enum { IDLE = 0, IN_KERNEL = 1, IN_GUEST = STEP_MAX_VMS };

static struct step_cpu {
	u32 state;
	u64 seen;                       /* the epoch at its last boundary */
	u64 boundaries;
	u64 entry_generation;           /* what this entry must have invalidated */
	u64 flushed[STEP_MAX_VMS];      /* the VM's generation that its invalidation covers, or will before entry */
	u64 executed[STEP_MAX_VMS];     /* the same, once the instruction has run */
	u64 start;
	const char *place;
	struct step_worst worst;
} __attribute__((aligned(64))) cpus[MAX_CPUS];

static u64 epoch;
static u64 generation[STEP_MAX_VMS]; /* the epoch of its latest removal */

static u64 load(const u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(u64 *word, u64 value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static struct step_cpu *self(void)
{
	return &cpus[cpu_index()];
}

static u32 state_of(u32 cpu)
{
	CHECK(cpu < MAX_CPUS);
	return __atomic_load_n(&cpus[cpu].state, __ATOMIC_SEQ_CST);
}

/* A sequentially consistent store is a full fence on x86: what follows is read after others can see the state. */
static void set_state(struct step_cpu *cpu, u32 state)
{
	__atomic_store_n(&cpu->state, state, __ATOMIC_SEQ_CST);
}

/* ---- measuring ---- */

static void measure_from(struct step_cpu *cpu, const char *place)
{
	if (!DEBUG_BUILD)
		return;
	cpu->place = place;
	cpu->start = rdtsc();
}

static void measure_to_here(struct step_cpu *cpu)
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

/* Pointers are dead. What was published before this load has been passed: its narrowing is visible to the next step. */
static void boundary(struct step_cpu *cpu)
{
	measure_to_here(cpu);
	store(&cpu->seen, load(&epoch));
	store(&cpu->boundaries, cpu->boundaries + 1);
}

void step_begin(const char *place)
{
	struct step_cpu *cpu = self();

	CHECK(cpu->state < IN_GUEST);
	measure_to_here(cpu);
	if (cpu->state != IN_KERNEL)
		set_state(cpu, IN_KERNEL);
	measure_from(cpu, place);
}

void step_end(void)
{
	struct step_cpu *cpu = self();

	CHECK(cpu->state == IN_KERNEL);
	boundary(cpu);
}

void step_enter_idle(void)
{
	struct step_cpu *cpu = self();

	CHECK(cpu->state < IN_GUEST);
	boundary(cpu);
	set_state(cpu, IDLE);
}

bool step_enter_guest(u32 vm)
{
	struct step_cpu *cpu = self();

	CHECK(vm > 0 && vm < STEP_MAX_VMS && cpu->state == IN_KERNEL);
	boundary(cpu);
	set_state(cpu, IN_GUEST | vm);
	cpu->entry_generation = load(&generation[vm]);
	if (cpu->flushed[vm] >= cpu->entry_generation)
		return false;
	store(&cpu->flushed[vm], cpu->entry_generation);
	return true;
}

void step_invalidated(u32 vm)
{
	struct step_cpu *cpu = self();

	CHECK(cpu->state == (IN_GUEST | vm));
	cpu->executed[vm] = cpu->flushed[vm];
}

void step_check_entry(u32 vm)
{
	const struct step_cpu *cpu = self();

	ASSERT(cpu->state == (IN_GUEST | vm));
	ASSERT(cpu->executed[vm] >= cpu->entry_generation);
}

void step_leave_guest(void)
{
	struct step_cpu *cpu = self();

	CHECK(cpu->state > IN_GUEST);
	set_state(cpu, IN_KERNEL);
	measure_from(cpu, "VM exit");
}

/* ---- removals ---- */

/* The VM's generation first reaches the epoch, then CPUs are looked at: one that enters now reads it, one that is in is seen. */
u64 step_publish(u32 vm)
{
	CHECK(vm > 0 && vm < STEP_MAX_VMS);
	u64 mine = __atomic_add_fetch(&epoch, 1, __ATOMIC_SEQ_CST);
	u64 old = load(&generation[vm]);

	while (old < mine &&
	       !__atomic_compare_exchange_n(&generation[vm], &old, mine, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	for (u32 cpu = 0; cpu < cpu_count; cpu++)
		if (state_of(cpu) == (IN_GUEST | vm))
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

	if (state == IN_KERNEL)
		return load(&cpus[cpu].seen) >= debt;
	if (state == (IN_GUEST | vm))
		return load(&cpus[cpu].flushed[vm]) >= debt;
	return true;
}

bool step_settled(u32 vm, u64 debt)
{
	CHECK(vm > 0 && vm < STEP_MAX_VMS && debt <= load(&epoch));
	for (u32 cpu = 0; cpu < cpu_count; cpu++)
		if (!passed(cpu, vm, debt))
			return false;
	return true;
}

/* ---- what others ask about a CPU ---- */

bool step_needs_kick(u32 cpu)
{
	return state_of(cpu) != IN_KERNEL;
}

bool step_in_kernel(u32 cpu)
{
	return state_of(cpu) == IN_KERNEL;
}

u64 step_count(u32 cpu)
{
	CHECK(cpu < MAX_CPUS);
	return load(&cpus[cpu].boundaries);
}
