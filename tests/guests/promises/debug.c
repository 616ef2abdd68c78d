/* SPDX-License-Identifier: BSD-2-Clause */
/* Breakpoints on execution, data and ports, and single-stepping: over instructions that the processor runs, and over those that exit. */
#include "tests/guests/promises/promises.h"
#include <string.h>

enum { MOST = 32, SLEEP_US = 20000 };
enum {
	DR7_EXACT = 0x300,
	ON_EXECUTION = 0,
	ON_WRITE = 1,
	ON_PORT = 2,
	ON_ACCESS = 3,
	ONE_BYTE = 0,
	FOUR_BYTES = 3,
	EIGHT_BYTES = 2
};
#define DR6_RESET 0xffff0ff0ULL
#define DR6_DETECTED BIT(13)
#define DR6_STEP BIT(14)
#define DR7_GENERAL_DETECT BIT(13)

typedef void code(u64 device, void *memory);
extern code step_plain, step_string, step_shadow, step_halt, stop_cpuid, stop_port, stop_device, stop_string,
	watched_stack_shadow;
void icebp_once(void);
extern const u64 step_plain_at[], step_string_at[], step_shadow_at[], step_halt_at[];
extern const u8 stop_cpuid_at[], stop_after_cpuid_at[], stop_port_at[], stop_after_port_at[], stop_device_at[],
	stop_after_device_at[], stop_string_at[], stop_after_string_at[], watched_stack_shadow_after[], icebp_after[];

/* ---- what #DB saw ---- */

static struct {
	u64 rip, dr6;
} seen[MOST];
static volatile u32 traps;
static u32 last_step;

static void debug_exception(struct frame *frame)
{
	if (traps < MOST) {
		seen[traps].rip = frame->rip;
		seen[traps].dr6 = dr6_read();
	}
	traps = traps + 1;
	if (traps >= last_step)
		frame->rflags &= ~RFLAGS_TF;
	frame->rflags |= RFLAGS_RF; /* an instruction breakpoint would stop here again */
	dr6_write(0);
}

static void begin(u64 dr7)
{
	interrupt_on(VECTOR_DB, debug_exception);
	memset(seen, 0, sizeof(seen));
	traps = 0;
	last_step = 0;
	dr6_write(0);
	dr7_write(dr7);
}

static void end(void)
{
	dr7_write(0);
	interrupt_on(VECTOR_DB, NULL);
}

/* DR7 for breakpoint n. */
static u64 enabled(u32 n, u64 on, u64 bytes)
{
	return DR7_EXACT | BIT(2 * n) | on << (16 + 4 * n) | bytes << (18 + 4 * n);
}

/* The bits of breakpoints that are not enabled may be set as well (SDM vol. 3B, 18.2.3). */
static bool is_dr6(u64 dr6, u64 hit)
{
	return (dr6 & ~0xfULL) == DR6_RESET && (dr6 & hit);
}

/* ---- single-stepping ---- */

static const char *steps(code *what, const u64 *at)
{
	static u8 memory[16];
	u32 count = 0;

	while (at[count])
		count++;
	begin(0);
	last_step = count;
	what(IOAPIC_AT, memory);
	end();
	for (u32 i = 0; i < count && i < traps; i++) {
		EXPECT(seen[i].rip == at[i], "trap %u is at 0x%llx, not at 0x%llx", i, seen[i].rip, at[i]);
		EXPECT(seen[i].dr6 == (DR6_RESET | DR6_STEP), "DR6 is 0x%llx at trap %u", seen[i].dr6, i);
	}
	EXPECT(traps == count, "%u traps, not %u", traps, count);
	return NULL;
}

static const char *single_steps_trap_after_every_instruction(void)
{
	return steps(step_plain, step_plain_at);
}

static const char *single_steps_trap_after_each_element_of_a_string(void)
{
	return steps(step_string, step_string_at);
}

static const char *mov_ss_holds_a_single_step_back(void)
{
	return steps(step_shadow, step_shadow_at);
}

static void wake(struct frame *frame)
{
	(void)frame;
	apic_eoi();
}

static const char *a_single_step_ends_hlt(void)
{
	u64 begun = rdtsc();
	const char *trouble;

	interrupt_on(VECTOR_TIMER, wake);
	timer_arm(SLEEP_US); /* else it might sleep for ever */
	trouble = steps(step_halt, step_halt_at);
	interrupts_off();
	timer_arm(0);
	EXPECT(rdtsc() - begun < tsc_hz / 1000000 * SLEEP_US / 2, "the trap came with the next interrupt only");
	return trouble;
}

/* ---- breakpoints on execution ---- */

static const char *stops_at(code *what, const u8 *first, const u8 *second)
{
	static u8 memory[16];

	dr0_write((u64)first);
	dr3_write((u64)second);
	begin(enabled(0, ON_EXECUTION, ONE_BYTE) | enabled(3, ON_EXECUTION, ONE_BYTE));
	what(IOAPIC_AT, memory);
	end();
	EXPECT(traps == 2, "%u stops, the last at 0x%llx", traps, seen[traps ? traps - 1 : 0].rip);
	EXPECT(seen[0].rip == (u64)first && seen[1].rip == (u64)second, "stops at 0x%llx and 0x%llx", seen[0].rip, seen[1].rip);
	EXPECT(is_dr6(seen[0].dr6, 1) && is_dr6(seen[1].dr6, 8), "DR6 was 0x%llx and 0x%llx", seen[0].dr6, seen[1].dr6);
	return NULL;
}

static const char *execution_stops_at_cpuid_and_behind(void)
{
	return stops_at(stop_cpuid, stop_cpuid_at, stop_after_cpuid_at);
}

static const char *execution_stops_at_a_port_and_behind(void)
{
	return stops_at(stop_port, stop_port_at, stop_after_port_at);
}

static const char *execution_stops_at_a_device_and_behind(void)
{
	return stops_at(stop_device, stop_device_at, stop_after_device_at);
}

static const char *execution_stops_at_a_string_once_and_behind(void)
{
	return stops_at(stop_string, stop_string_at, stop_after_string_at);
}

/* ---- breakpoints on data: they trap after the access ---- */

static u8 data[64] __attribute__((aligned(64)));

static const char *traps_once(const char *what, u64 dr6)
{
	EXPECT(traps == 1, "%s: %u traps", what, traps);
	EXPECT(is_dr6(seen[0].dr6, dr6), "%s: DR6 is 0x%llx", what, seen[0].dr6);
	return NULL;
}

static const char *data_traps_after_reads_and_writes(void)
{
	dr1_write((u64)data);
	begin(enabled(1, ON_WRITE, FOUR_BYTES));
	(void)*(volatile u8 *)data;
	u32 reads = traps;
	*(volatile u8 *)(data + 3) = 1;
	*(volatile u8 *)(data + 4) = 1;
	end();
	EXPECT(reads == 0, "a read hit a breakpoint on writes");
	const char *trouble = traps_once("a write", 2);
	if (trouble)
		return trouble;
	begin(enabled(1, ON_ACCESS, EIGHT_BYTES));
	(void)*(volatile u8 *)(data + 7);
	end();
	return traps_once("a read", 2);
}

static const char *data_traps_when_a_string_port_fills_it(void)
{
	dr2_write((u64)data + 1);
	begin(enabled(2, ON_WRITE, ONE_BYTE));
	stop_string(IOAPIC_AT, data); /* three bytes: the middle one is watched */
	end();
	const char *trouble = traps_once("INS", 4);
	if (trouble)
		return trouble;
	EXPECT(seen[0].rip == (u64)stop_string_at, "the trap is at 0x%llx", seen[0].rip);
	return NULL;
}

static const char *data_traps_at_a_device(void)
{
	dr0_write(IOAPIC_AT);
	begin(enabled(0, ON_ACCESS, FOUR_BYTES));
	stop_device(IOAPIC_AT, data);
	end();
	const char *trouble = traps_once("a read", 1);
	if (trouble)
		return trouble;
	EXPECT(seen[0].rip == (u64)stop_after_device_at, "the trap is at 0x%llx", seen[0].rip);
	begin(enabled(0, ON_WRITE, FOUR_BYTES));
	*(volatile u32 *)IOAPIC_AT = 0;
	end();
	return traps_once("a write", 1);
}

static const char *a_trap_waits_for_the_end_of_mov_ss_shadow(void)
{
	static u16 selector = DATA;

	dr0_write((u64)&selector);
	begin(enabled(0, ON_ACCESS, ONE_BYTE));
	watched_stack_shadow(IOAPIC_AT, &selector);
	end();
	const char *trouble = traps_once("MOV SS", 1);
	if (trouble)
		return trouble;
	EXPECT(seen[0].rip == (u64)watched_stack_shadow_after, "the trap is at 0x%llx", seen[0].rip);
	return NULL;
}

/* ---- breakpoints on ports, general detect, ICEBP ---- */

static const char *ports_trap_with_cr4_de(void)
{
	u64 cr4 = cr4_read();

	cr4_write(cr4 | CR4_DE);
	dr3_write(PORT_HARMLESS);
	begin(enabled(3, ON_PORT, ONE_BYTE));
	stop_port(IOAPIC_AT, data);
	end();
	cr4_write(cr4);
	const char *trouble = traps_once("IN", 8);
	if (trouble)
		return trouble;
	EXPECT(seen[0].rip == (u64)stop_after_port_at, "the trap is at 0x%llx", seen[0].rip);
	return NULL;
}

static void read_dr0(void)
{
	(void)dr0_read();
}

static const char *general_detect_guards_the_debug_registers(void)
{
	begin(0);
	interrupt_on(VECTOR_DB, NULL); /* a fault: code_raises leaves the instruction */
	dr7_write(DR7_GENERAL_DETECT);
	u64 vector = code_raises(read_dr0);
	u64 dr7 = dr7_read(), dr6 = dr6_read();
	end();
	EXPECT(vector == VECTOR_DB, "reading DR0 raised %lld", vector);
	EXPECT(dr6 == (DR6_RESET | DR6_DETECTED), "DR6 is 0x%llx", dr6);
	EXPECT(!(dr7 & DR7_GENERAL_DETECT), "DR7.GD is still set");
	return NULL;
}

static const char *icebp_traps_behind_itself(void)
{
	begin(0);
	u64 vector = code_raises(icebp_once);
	end();
	EXPECT(vector == TRY_NOTHING, "it raised %lld", vector);
	EXPECT(traps == 1 && seen[0].rip == (u64)icebp_after, "%u traps, at 0x%llx", traps, seen[0].rip);
	return NULL;
}

static const struct promise list[] = {
	{ "single_steps_trap_after_every_instruction", single_steps_trap_after_every_instruction },
	{ "single_steps_trap_after_each_element_of_a_string", single_steps_trap_after_each_element_of_a_string },
	{ "mov_ss_holds_a_single_step_back", mov_ss_holds_a_single_step_back },
	{ "a_single_step_ends_hlt", a_single_step_ends_hlt },
	{ "execution_stops_at_cpuid_and_behind", execution_stops_at_cpuid_and_behind },
	{ "execution_stops_at_a_port_and_behind", execution_stops_at_a_port_and_behind },
	{ "execution_stops_at_a_device_and_behind", execution_stops_at_a_device_and_behind },
	{ "execution_stops_at_a_string_once_and_behind", execution_stops_at_a_string_once_and_behind },
	{ "data_traps_after_reads_and_writes", data_traps_after_reads_and_writes },
	{ "data_traps_when_a_string_port_fills_it", data_traps_when_a_string_port_fills_it },
	{ "data_traps_at_a_device", data_traps_at_a_device },
	{ "a_trap_waits_for_the_end_of_mov_ss_shadow", a_trap_waits_for_the_end_of_mov_ss_shadow },
	{ "ports_trap_with_cr4_de", ports_trap_with_cr4_de },
	{ "general_detect_guards_the_debug_registers", general_detect_guards_the_debug_registers },
	{ "icebp_traps_behind_itself", icebp_traps_behind_itself },
};
PROMISES(debug, list);
