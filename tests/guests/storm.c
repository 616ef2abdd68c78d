/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts as fast as they can come, from every source, on two CPUs: none is lost, nobody starves, and it ends when the guest ends it. */
#include "tests/guests/lib/guest.h"

enum {
	ROUNDS = 3000,
	NMI_ROUNDS = 1000,
	RESTARTS = 30,
	STORM_US = 20000,
	ANSWER_US = 500000,
	LVT_PERIODIC = 1 << 17,
	IOAPIC_LEVEL = 1 << 15
};
enum {
	IOAPIC_NMI = 4 << 8,
	PIT_PIN = 2,
	UART_PIN = 4,
	UART_IER = 0x3f9,
	PIT_COMMAND = 0x43,
	PIT_CHANNEL0 = 0x40,
	VECTOR_NMI = 2,
	VECTOR_NOTHING = 0x70
};
enum { IPI_ALL = 0x84000, IPI_LOW = VECTOR_IPI, IPI_HIGH = VECTOR_IPI + 0x40 };

static u32 ids[GUEST_MAX_CPUS];
static volatile u32 count, highs, other_runs, other_spins;

static bool wait_until(const volatile u32 *value, u32 at_least)
{
	for (u64 end = rdtsc() + tsc_hz / 1000000 * ANSWER_US; *value < at_least;)
		if (rdtsc() > end)
			return false;
	return true;
}

/* ---- each handler brings the next one ---- */

static void send_again(struct frame *frame)
{
	apic_eoi();
	if (++count < ROUNDS)
		apic_write(APIC_SELF_IPI, (u32)frame->vector);
}

static const char *self_ipis_at_full_rate(void)
{
	u64 spins = 0;

	if (!apic_x2())
		return SKIP("no x2APIC");
	interrupt_on(IPI_LOW, send_again);
	count = 0;
	apic_write(APIC_SELF_IPI, IPI_LOW);
	interrupts_enable();
	for (u64 end = rdtsc() + tsc_hz / 1000000 * ANSWER_US; count < ROUNDS && rdtsc() < end;)
		spins++;
	interrupts_off();
	EXPECT(count == ROUNDS, "%u of %u came", count, ROUNDS);
	return NULL;
}

static void high(struct frame *frame)
{
	(void)frame;
	highs++;
	apic_eoi();
}

/* From inside of a handler that has not ended its interrupt: the same one waits, a higher one comes. */
static void raise_both(struct frame *frame)
{
	(void)frame;
	u32 before = highs;

	count++;
	if (count == 1)
		apic_write(APIC_SELF_IPI, IPI_LOW);
	apic_write(APIC_SELF_IPI, IPI_HIGH);
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	if (highs != before + 1 || count > 2)
		count = 100;
	apic_eoi();
}

static const char *only_higher_ones_interrupt_a_handler(void)
{
	if (!apic_x2())
		return SKIP("no x2APIC");
	interrupt_on(IPI_LOW, raise_both);
	interrupt_on(IPI_HIGH, high);
	count = highs = 0;
	apic_write(APIC_SELF_IPI, IPI_LOW);
	__asm__ volatile("sti; nop; nop; nop; cli" : : : "memory");
	EXPECT(count == 2 && highs == 2, "%u low ones, %u high ones", count, highs);
	return NULL;
}

/* ---- lines and timers ---- */

static void ended(struct frame *frame)
{
	(void)frame;
	count++;
	apic_eoi();
}

/* Between two of these the interrupted program may get no instruction: only the handler can end it. */
static void ended_for_the_last_time(struct frame *frame)
{
	if (count + 1 == ROUNDS)
		port_out8(UART_IER, 0);
	ended(frame);
}

static void not_ended(struct frame *frame)
{
	(void)frame;
	count++;
}

/* The UART's transmitter is empty and stays so. Its line is high until the interrupt is switched off. */
static void level_line(bool on, interrupt_handler *handler)
{
	interrupt_on(VECTOR_CONSOLE, handler);
	ioapic_route(UART_PIN, VECTOR_CONSOLE, IOAPIC_LEVEL | (on ? 0 : IOAPIC_MASKED));
	port_out8(UART_IER, on ? 2 : 0);
}

static const char *a_level_line_comes_again_after_each_end(void)
{
	count = 0;
	level_line(true, ended_for_the_last_time);
	interrupts_enable();
	(void)wait_until(&count, ROUNDS);
	interrupts_off();
	level_line(false, ended);
	EXPECT(count == ROUNDS, "%u of %u came", count, ROUNDS);
	return NULL;
}

static const char *a_level_line_that_is_not_ended_comes_once(void)
{
	count = 0;
	level_line(true, not_ended);
	interrupts_enable();
	wait_us(2000);
	interrupts_off();
	u32 seen = count;
	level_line(false, ended);
	apic_eoi();
	EXPECT(seen == 1, "%u came", seen);
	return NULL;
}

static const char *timers_of_one_tick_leave_time_for_others(void)
{
	u64 spins = 0;

	count = 0;
	interrupt_on(VECTOR_TIMER, ended);
	interrupt_on(VECTOR_PIT, ended);
	ioapic_route(PIT_PIN, VECTOR_PIT, 0);
	port_out8(PIT_COMMAND, 0x14);
	port_out8(PIT_CHANNEL0, 2); /* mode 2 knows no 1 */
	apic_write(APIC_TIMER_DIVIDE, 0xb);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
	apic_write(APIC_TIMER_INITIAL, 1);
	interrupts_enable();
	for (u64 end = rdtsc() + tsc_hz / 1000000 * STORM_US; rdtsc() < end;)
		spins++;
	interrupts_off();
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, 0);
	ioapic_route(PIT_PIN, VECTOR_PIT, IOAPIC_MASKED);
	port_out8(PIT_COMMAND, 0x10);
	EXPECT(count > 50 && spins > 1000, "%u interrupts, %llu spins", count, spins);
	return NULL;
}

static void arm_again(struct frame *frame)
{
	(void)frame;
	apic_eoi();
	if (++count < ROUNDS)
		apic_deadline(1);
}

static const char *deadlines_in_the_past_fire_at_once(void)
{
	if (!cpu_has(FEATURE_TSC_DEADLINE))
		return SKIP("no TSC deadline");
	count = 0;
	interrupt_on(VECTOR_TIMER, arm_again);
	apic_deadline(1);
	interrupts_enable();
	bool came = wait_until(&count, ROUNDS);
	interrupts_off();
	EXPECT(came && count == ROUNDS, "%u of %u came", count, ROUNDS);
	return NULL;
}

/* ---- NMIs ---- */

static void nmi(struct frame *frame)
{
	(void)frame;
	count++;
}

static void nmi_again(struct frame *frame)
{
	(void)frame;
	if (++count < NMI_ROUNDS)
		apic_send(ids[0], ICR_NMI);
}

static const char *nmis_to_itself(void)
{
	count = 0;
	interrupt_on(VECTOR_NMI, nmi);
	for (u32 i = 1; i <= NMI_ROUNDS; i++) {
		apic_send(ids[0], ICR_NMI);
		EXPECT(wait_until(&count, i) && count == i, "NMI %u: %u came", i, count);
	}
	return NULL;
}

static const char *nmis_that_send_the_next_one(void)
{
	count = 0;
	interrupt_on(VECTOR_NMI, nmi_again);
	apic_send(ids[0], ICR_NMI);
	EXPECT(wait_until(&count, NMI_ROUNDS), "%u of %u came", count, NMI_ROUNDS);
	return NULL;
}

static const char *an_nmi_ends_a_halt_with_interrupts_off(void)
{
	count = 0;
	interrupt_on(VECTOR_NMI, nmi);
	port_out8(PIT_COMMAND, 0x30); /* channel 0, mode 0: once, in 1 ms */
	ioapic_route(PIT_PIN, 0, IOAPIC_NMI);
	port_out8(PIT_CHANNEL0, 1193 & 0xff);
	port_out8(PIT_CHANNEL0, 1193 >> 8);
	__asm__ volatile("cli; hlt" : : : "memory");
	ioapic_route(PIT_PIN, VECTOR_PIT, IOAPIC_MASKED);
	EXPECT(count == 1, "%u came", count);
	return NULL;
}

/* ---- the other CPU ---- */

/*
 * Each IRET ends NMI blocking, which Bochs 2.7 carries over from whoever was on the processor before: its VM entry sets the blocking that the
 * VMCS asks for, but clears none.
 */
static void other_cpu(void)
{
	__atomic_fetch_add(&other_runs, 1, __ATOMIC_SEQ_CST);
	interrupts_enable();
	for (;;) {
		__asm__ volatile("int %0" : : "i"(VECTOR_NOTHING) : "memory");
		other_spins++;
	}
}

static void nothing(struct frame *frame)
{
	(void)frame;
}

static const char *the_other_cpu_starts(void)
{
	EXPECT(acpi_cpus(ids) >= 2, "one CPU");
	interrupt_on(VECTOR_NOTHING, nothing);
	EXPECT(cpu_start(ids[1], other_cpu), "APIC ID %u did not answer", ids[1]);
	EXPECT(wait_until(&other_runs, 1), "it does not run");
	return NULL;
}

static const char *nmis_to_the_other_cpu(void)
{
	count = 0;
	interrupt_on(VECTOR_NMI, nmi);
	for (u32 i = 1; i <= NMI_ROUNDS / 4; i++) {
		apic_send(ids[1], ICR_NMI);
		EXPECT(wait_until(&count, i), "NMI %u: %u came", i, count);
	}
	u32 before = other_spins;
	EXPECT(wait_until(&other_spins, before + 100), "it does not go on");
	return NULL;
}

static void both(struct frame *frame)
{
	(void)frame;
	u32 before = __atomic_fetch_add(&count, 1, __ATOMIC_SEQ_CST);

	apic_eoi();
	if (before < ROUNDS)
		apic_write(APIC_ICR, IPI_ALL | IPI_LOW);
}

/* Two CPUs that answer every broadcast with a broadcast. Here too only the handlers can end it. */
static const char *broadcasts_answer_broadcasts(void)
{
	if (!apic_x2())
		return SKIP("no x2APIC");
	count = 0;
	interrupt_on(IPI_LOW, both);
	interrupts_enable();
	apic_write(APIC_ICR, IPI_ALL | IPI_LOW);
	bool came = wait_until(&count, ROUNDS);
	wait_us(20000);
	u32 last = count;
	wait_us(1000);
	interrupts_off();
	EXPECT(came, "%u of %u came", count, ROUNDS);
	EXPECT(last == count, "it goes on");
	return NULL;
}

/* Bare INIT and SIPI, without the pauses that the specification asks for, in the middle of whatever the other CPU does. */
static const char *init_and_sipi_without_a_pause(void)
{
	for (u32 i = 0; i < RESTARTS; i++) {
		u32 before = other_runs;

		apic_send(ids[1], ICR_NMI);
		apic_send(ids[1], ICR_INIT);
		apic_send(ids[1], ICR_INIT);
		apic_send(ids[1], ICR_STARTUP | 8);
		apic_send(ids[1], ICR_STARTUP | 8);
		EXPECT(wait_until(&other_runs, before + 1), "start %u failed", i);
	}
	return NULL;
}

void guest_main(void)
{
	static const struct promise list[] = {
		{ "self_ipis_at_full_rate", self_ipis_at_full_rate },
		{ "only_higher_ones_interrupt_a_handler", only_higher_ones_interrupt_a_handler },
		{ "a_level_line_comes_again_after_each_end", a_level_line_comes_again_after_each_end },
		{ "a_level_line_that_is_not_ended_comes_once", a_level_line_that_is_not_ended_comes_once },
		{ "timers_of_one_tick_leave_time_for_others", timers_of_one_tick_leave_time_for_others },
		{ "deadlines_in_the_past_fire_at_once", deadlines_in_the_past_fire_at_once },
		{ "the_other_cpu_starts", the_other_cpu_starts },
		{ "nmis_to_itself", nmis_to_itself },
		{ "nmis_that_send_the_next_one", nmis_that_send_the_next_one },
		{ "an_nmi_ends_a_halt_with_interrupts_off", an_nmi_ends_a_halt_with_interrupts_off },
		{ "nmis_to_the_other_cpu", nmis_to_the_other_cpu },
		{ "broadcasts_answer_broadcasts", broadcasts_answer_broadcasts },
		{ "init_and_sipi_without_a_pause", init_and_sipi_without_a_pause },
	};

	promises_run("storm", list, ARRAY_SIZE(list));
}
