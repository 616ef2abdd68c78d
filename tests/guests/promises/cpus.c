/* SPDX-License-Identifier: BSD-2-Clause */
/* Two CPUs: they are alike, know who they are, and have one time. */
#include "tests/guests/promises/promises.h"
#include <string.h>

enum { ANSWER_US = 5000000, ROUNDS = 20000, LEAF_TOPOLOGY = 0xb, LEVEL_CORE = 2, LEAF_FEATURES = 1, LEAF_XSAVE = 0xd };

static u32 ids[GUEST_MAX_CPUS];

/* ---- the other CPU does what it is told ---- */

static void (*volatile job)(void);

static void work(void)
{
	for (;;) {
		interrupts_enable(); /* with interrupts off, Bochs would hold back the host's as well */
		if (job) {
			job();
			job = NULL;
		}
		cpu_pause();
	}
}

static bool start_there(void (*function)(void))
{
	static bool there;

	if (!there && (acpi_cpus(ids) < 2 || !cpu_start(ids[1], work)))
		return false;
	there = true;
	interrupts_enable();
	job = function;
	return true;
}

/* False: no second CPU. */
static bool wait_there(void)
{
	for (u64 end = rdtsc() + tsc_hz / 1000000 * ANSWER_US; job;)
		if (rdtsc() > end)
			die("the other CPU does not answer");
	return true;
}

static bool run_there(void (*function)(void))
{
	return start_there(function) && wait_there();
}

#define NO_SECOND_CPU SKIP("one CPU")

/* ---- CPUID ---- */

enum { LEAVES = 64 };
static struct cpuid_row {
	u32 leaf, subleaf;
	struct cpuid id;
} rows[GUEST_MAX_CPUS][LEAVES];
static u32 row_count[GUEST_MAX_CPUS];

/* What a CPU may say differently: its APIC ID, and what follows its own CR4 and XCR0. */
static struct cpuid without_identity(u32 leaf, u32 subleaf)
{
	struct cpuid id = cpuid(leaf, subleaf);

	if (leaf == LEAF_FEATURES) {
		id.b &= 0xffffff;
		id.c &= ~(u32)BIT(27);
	}
	if (leaf == LEAF_TOPOLOGY)
		id.d = 0;
	if (leaf == LEAF_XSAVE)
		id.b = 0;
	return id;
}

static void read_leaves(u32 cpu, u32 base)
{
	u32 last = cpuid(base, 0).a;

	for (u32 leaf = base; leaf <= last && leaf < base + 32; leaf++) {
		u32 subleaves = leaf == 4 || leaf == LEAF_TOPOLOGY || leaf == LEAF_XSAVE ? 4 : 1;

		for (u32 subleaf = 0; subleaf < subleaves && row_count[cpu] < LEAVES; subleaf++)
			rows[cpu][row_count[cpu]++] = (struct cpuid_row){ leaf, subleaf, without_identity(leaf, subleaf) };
	}
}

static void read_all_leaves(u32 cpu)
{
	row_count[cpu] = 0;
	read_leaves(cpu, 0);
	read_leaves(cpu, 0x80000000);
	read_leaves(cpu, 0x40000000);
}

static void read_all_leaves_there(void)
{
	read_all_leaves(1);
}

static const char *cpuid_says_the_same_on_both(void)
{
	if (!run_there(read_all_leaves_there))
		return NO_SECOND_CPU;
	read_all_leaves(0);
	EXPECT(row_count[0] == row_count[1], "%u leaves and %u", row_count[0], row_count[1]);
	for (u32 i = 0; i < row_count[0]; i++)
		EXPECT(memcmp(&rows[0][i], &rows[1][i], sizeof(rows[0][i])) == 0, "leaf 0x%x, subleaf %u differs",
		       rows[0][i].leaf, rows[0][i].subleaf);
	return NULL;
}

static struct {
	u32 lapic, leaf1, leafb, cores, level;
} who[GUEST_MAX_CPUS];

static void look_who(u32 cpu)
{
	struct cpuid core = cpuid(LEAF_TOPOLOGY, 1);

	who[cpu].lapic = apic_id();
	who[cpu].leaf1 = cpuid(LEAF_FEATURES, 0).b >> 24;
	who[cpu].leafb = core.d;
	who[cpu].cores = core.b;
	who[cpu].level = core.c >> 8 & 0xff;
}

static void look_who_there(void)
{
	look_who(1);
}

static const char *each_knows_its_apic_id(void)
{
	if (!run_there(look_who_there))
		return NO_SECOND_CPU;
	look_who(0);
	for (u32 cpu = 0; cpu < 2; cpu++) {
		EXPECT(who[cpu].lapic == ids[cpu], "the MADT says %u, the LAPIC %u", ids[cpu], who[cpu].lapic);
		EXPECT(who[cpu].leaf1 == ids[cpu], "leaf 1 says %u, the LAPIC %u", who[cpu].leaf1, ids[cpu]);
		EXPECT(who[cpu].level != LEVEL_CORE || who[cpu].leafb == ids[cpu], "leaf 0xb says %u", who[cpu].leafb);
		EXPECT(who[cpu].level != LEVEL_CORE || who[cpu].cores == acpi_cpus(ids), "leaf 0xb counts %u cores",
		       who[cpu].cores);
	}
	return NULL;
}

/* ---- one time ---- */

static u64 now_tsc(u32 cpu)
{
	(void)cpu;
	__asm__ volatile("lfence" : : : "memory");
	return rdtsc();
}

static u64 (*now)(u32 cpu);
static volatile u64 last_time, turn;
static volatile u32 went_back;

/* By turns: each reads its clock after it has seen the other's. */
static void ping_pong(u32 cpu)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) % 2 != cpu)
			;
		u64 mine = now(cpu);

		if (mine < last_time)
			went_back = went_back + 1;
		last_time = mine;
		__atomic_store_n(&turn, turn + 1, __ATOMIC_RELEASE);
	}
}

static void ping_pong_there(void)
{
	ping_pong(1);
}

static const char *never_back(u64 (*clock)(u32 cpu))
{
	now = clock;
	last_time = turn = went_back = 0;
	if (!start_there(ping_pong_there))
		return NO_SECOND_CPU;
	ping_pong(0);
	(void)wait_there();
	EXPECT(went_back == 0, "%u of %u times", went_back, 2 * ROUNDS);
	return NULL;
}

static const char *tsc_never_goes_back_from_cpu_to_cpu(void)
{
	return never_back(now_tsc);
}

static void register_there(void)
{
	pvclock_register(1);
}

static const char *pvclock_never_goes_back_from_cpu_to_cpu(void)
{
	if (!pvclock_is_there())
		return SKIP("no KVM clock");
	if (!run_there(register_there))
		return NO_SECOND_CPU;
	pvclock_register(0);
	return never_back(pvclock_ns);
}

static u64 tsc_there, adjust_there;

static void read_tsc_there(void)
{
	tsc_there = rdtsc();
	adjust_there = msr_read(MSR_TSC_ADJUST);
}

static const char *tsc_adjust_is_each_cpus_own(void)
{
	if (!cpu_has(CPU_FEATURE(7, 1, 1)))
		return SKIP("no TSC_ADJUST");
	msr_write(MSR_TSC_ADJUST, 1ULL << 40);
	bool there = run_there(read_tsc_there);
	msr_write(MSR_TSC_ADJUST, 0);
	if (!there)
		return NO_SECOND_CPU;
	EXPECT(adjust_there == 0 && tsc_there < 1ULL << 40, "the other's adjustment is 0x%llx", adjust_there);
	return NULL;
}

/* ---- memory types, NMI ---- */

static u64 types_there[3];
static const u32 type_msrs[] = { MSR_PAT, MSR_MTRR_DEF_TYPE, MSR_MTRR_BASE0 };

static void read_types_there(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(type_msrs); i++)
		types_there[i] = msr_read(type_msrs[i]);
}

static const char *memory_types_are_the_same_on_both(void)
{
	if (!run_there(read_types_there))
		return NO_SECOND_CPU;
	for (u32 i = 0; i < ARRAY_SIZE(type_msrs); i++)
		EXPECT(types_there[i] == msr_read(type_msrs[i]), "MSR 0x%x is 0x%llx there", type_msrs[i], types_there[i]);
	return NULL;
}

static volatile u32 nmis, sleeps;

static void nmi(struct frame *frame)
{
	(void)frame;
	nmis = nmis + 1;
}

static void ipi(struct frame *frame)
{
	(void)frame;
	apic_eoi();
}

static void sleep_deaf(void)
{
	interrupts_off();
	sleeps = 1;
	__asm__ volatile("hlt" : : : "memory");
}

static const char *an_nmi_wakes_a_cpu_that_halts_without_interrupts(void)
{
	nmis = sleeps = 0;
	interrupt_on(VECTOR_NMI, nmi);
	interrupt_on(VECTOR_IPI, ipi);
	if (!start_there(sleep_deaf))
		return NO_SECOND_CPU;
	while (!sleeps)
		cpu_pause();
	wait_us(1000);
	EXPECT(job != NULL, "it does not halt");
	apic_send(ids[1], ICR_FIXED | VECTOR_IPI);
	wait_us(1000);
	EXPECT(job != NULL, "an interrupt wakes it");
	apic_send(ids[1], ICR_NMI);
	(void)wait_there();
	EXPECT(nmis == 1, "%u NMIs came", nmis);
	return NULL;
}

static const struct promise list[] = {
	{ "cpuid_says_the_same_on_both", cpuid_says_the_same_on_both },
	{ "each_knows_its_apic_id", each_knows_its_apic_id },
	{ "tsc_never_goes_back_from_cpu_to_cpu", tsc_never_goes_back_from_cpu_to_cpu },
	{ "pvclock_never_goes_back_from_cpu_to_cpu", pvclock_never_goes_back_from_cpu_to_cpu },
	{ "tsc_adjust_is_each_cpus_own", tsc_adjust_is_each_cpus_own },
	{ "memory_types_are_the_same_on_both", memory_types_are_the_same_on_both },
	{ "an_nmi_wakes_a_cpu_that_halts_without_interrupts", an_nmi_wakes_a_cpu_that_halts_without_interrupts },
};
PROMISES(cpus, list);
