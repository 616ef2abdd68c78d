/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/cpus.h"
#include "kernel/core/boot.h"
#include "kernel/core/step.h"
#include "kernel/core/timer.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "kernel/x86/ap.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/features.h"
#include "kernel/x86/paging.h"

enum {
	INIT_WAIT_US = 10000, /* SDM vol. 3A, 9.4.4.1: INIT, 10 ms, SIPI, 200 us, SIPI */
	FIRST_WAIT_US = 20000,
	SECOND_WAIT_US = 1000000,
	CALL_WAIT_US = 2000000,
	POLL_US = 10,
	TSC_APART_US = 50, /* further apart than the hand-over takes: the TSCs do not agree */
	BOOT_CPU_FLAG = 1,
};

static struct call {
	void (*function)(void);
	bool done;
} calls[MAX_CPUS];

static u64 answered_tsc;

/* Say "idle" first, look for a call after: the caller stores the call first and looks at our state after. */
static void serve_calls(struct call *call)
{
	for (;;) {
		step_enter_idle();
		void (*function)(void) = __atomic_exchange_n(&call->function, NULL, __ATOMIC_SEQ_CST);

		if (!function) {
			cpu_halt_until_interrupt();
			continue;
		}
		step_begin(NULL);
		function();
		__atomic_store_n(&call->done, true, __ATOMIC_RELEASE);
	}
}

static void cpu_main(void *argument)
{
	struct cpu *cpu = argument;

	msr_write(MSR_GS_BASE, (u64)cpu);
	features_enable();
	cpu_load_tables(cpu);
	apic_enable();
	time_init_cpu();
	CHECK(apic_id() == cpu->apic_id);
	answered_tsc = time_tsc();
	__atomic_store_n(&cpu->online, true, __ATOMIC_RELEASE);
	serve_calls(&calls[cpu->index]);
}

static bool wait_for(const bool *word, u64 us)
{
	for (u64 waited = 0; waited < us; waited += POLL_US) {
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE))
			return true;
		time_wait_us(POLL_US);
	}
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void check_tsc(const struct cpu *cpu)
{
	u64 now = time_tsc();
	u64 apart = max_u64(now, answered_tsc) - min_u64(now, answered_tsc);

	if (time_tsc_to_ns(apart) > TSC_APART_US * 1000ULL)
		log_line("cpus: TSC of CPU %u is %llu ticks %s", cpu->index, apart, now > answered_tsc ? "behind" : "ahead");
}

/* A CPU that does not answer is put back to wait for a SIPI: it must not wake up later on another's stack. */
static bool start(struct cpu *cpu, u32 page)
{
	static const u64 waits_us[] = { FIRST_WAIT_US, SECOND_WAIT_US };

	ap_aim(cpu->stack_top, cpu, cpu_main);
	for (u32 i = 0; i < ARRAY_SIZE(waits_us); i++) {
		apic_start_ipi(cpu->apic_id, page);
		if (wait_for(&cpu->online, waits_us[i])) {
			check_tsc(cpu);
			return true;
		}
	}
	apic_init_ipi(cpu->apic_id);
	log_line("cpus: the CPU with APIC ID %u does not answer", cpu->apic_id);
	return false;
}

static bool is_other(const struct boot_cpu *cpu)
{
	return cpu->apic_id != cpu_get(0)->apic_id;
}

/* Everything that a CPU needs mapped exists before the start-up tables copy the kernel's half. */
static void prepare(u64 stack_tops[MAX_CPUS])
{
	for (u32 i = 1; i < bootinfo.cpu_count; i++) {
		stack_tops[i] = paging_stack(CPU_STACK_BYTES);
		cpu_make_trap_stacks(i);
	}
	mpa_t page = { bootinfo.trampoline };
	struct paging_source low = { boot_take_frame, NULL };

	ap_prepare(page, paging_startup_root(page, low), paging_root());
}

bool cpus_start(void)
{
	static u64 stack_tops[MAX_CPUS];
	u32 others = 0;

	prepare(stack_tops);
	for (u32 i = 0; i < bootinfo.cpu_count; i++)
		if (is_other(&bootinfo.cpus[i]))
			apic_init_ipi(bootinfo.cpus[i].apic_id);
	time_wait_us(INIT_WAIT_US);
	for (u32 i = 0; i < bootinfo.cpu_count; i++) {
		if (!is_other(&bootinfo.cpus[i]))
			continue;
		others++;
		struct cpu *cpu = cpu_prepare(cpu_count, bootinfo.cpus[i].apic_id, stack_tops[cpu_count]);

		if (start(cpu, (u32)(bootinfo.trampoline >> PAGE_SHIFT)))
			cpu_count++;
	}
	log_line("cpus: %u of %u run", cpu_count, others + 1);
	return cpu_count == others + 1;
}

static void give(u32 cpu, void (*function)(void))
{
	CHECK(__atomic_load_n(&calls[cpu].function, __ATOMIC_RELAXED) == NULL);
	calls[cpu].done = false;
	__atomic_store_n(&calls[cpu].function, function, __ATOMIC_SEQ_CST);
	cpu_kick(cpu);
}

void cpus_call(void (*function)(void))
{
	for (u32 cpu = 1; cpu < cpu_count; cpu++)
		give(cpu, function);
	for (u32 cpu = 1; cpu < cpu_count; cpu++) {
		bool came_back = wait_for(&calls[cpu].done, CALL_WAIT_US);

		CHECK(came_back);
	}
}

void cpus_release(void (*function)(void))
{
	for (u32 cpu = 1; cpu < cpu_count; cpu++)
		give(cpu, function);
}
