/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC under ThreadSanitizer, one thread a vCPU: no message, level or deadline is lost between processors, and what the lock does
 * not guard is atomic.
 */
#include "tests/unit/support/pc_fake.h"
#include "tests/unit/fake/kernel/core/cpu.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { BALLS = 20000, PRESSES = 3000, ACCESSES = 20000, ROUNDS = 5000, PATIENCE = 5000000 };
enum { ICR = 0x830, EOI = 0x80b, LVT_TIMER_MSR = 0x832, TSC_DEADLINE = 0x6e0, DEADLINE_MODE = 2 << LVT_TIMER_SHIFT };
enum { BALL = 0x61, TICK = 0xec, SCI_VECTOR = 0x51, BUTTON = 1 << 8, LEVEL = 1 << 15, RELOAD = 11932 };

static bool over; /* someone has lost what he waited for, or all is done */

static void run(void *(*const bodies[])(void *), u32 count)
{
	pthread_t threads[PC_MAX_VCPUS];

	__atomic_store_n(&over, false, __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < count; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, bodies[i], (void *)(uintptr_t)i), 0);
	for (u32 i = 0; i < count; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static u32 self(void *argument)
{
	u32 index = (u32)(uintptr_t)argument;

	fake_cpu_set(index);
	return index;
}

/* Take interrupts until `vector` has come. */
static bool wait_vector(u32 vcpu, int vector)
{
	for (u32 i = 0; i < PATIENCE && !__atomic_load_n(&over, __ATOMIC_RELAXED); i++) {
		int taken = pc_interrupt_pending(pc, vcpu) ? pc_interrupt_ack(pc, vcpu) : -1;

		if (taken >= 0)
			(void)pc_msr_write(pc, vcpu, EOI, 0);
		if (taken == vector)
			return true;
		sched_yield();
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	return false;
}

/* ---- messages ---- */

static u32 played[2];

static void *play(void *argument)
{
	u32 me = self(argument);

	for (; played[me] < BALLS && (me == 0 || wait_vector(me, BALL)); played[me]++) {
		(void)pc_msr_write(pc, me, ICR, (u64)!me << 32 | BALL);
		if (me == 0 && !wait_vector(me, BALL))
			break;
	}
	return NULL;
}

static void no_message_between_processors_is_lost(void **state)
{
	static void *(*const players[])(void *) = { play, play };

	(void)state;
	fake_pc(2);
	fake_x2apic();
	played[0] = played[1] = 0;
	run(players, ARRAY_SIZE(players));
	assert_int_equal(played[0], BALLS);
	assert_int_equal(played[1], BALLS);
	fake_audit();
}

/* ---- levels ---- */

static u32 pressed, heard;

/* The host presses, and presses again when the guest has answered. */
static void *press(void *argument)
{
	(void)self(argument);
	for (u32 i = 0; i < PRESSES && !__atomic_load_n(&over, __ATOMIC_RELAXED); i++) {
		__atomic_store_n(&pressed, i + 1, __ATOMIC_SEQ_CST);
		pc_power_button(pc);
		for (u32 spins = 0; spins < PATIENCE && __atomic_load_n(&heard, __ATOMIC_SEQ_CST) <= i; spins++)
			sched_yield();
	}
	return NULL;
}

static void *answer(void *argument)
{
	u32 me = self(argument);

	while (heard < PRESSES && wait_vector(me, SCI_VECTOR)) {
		if (!(pc_port_read(pc, me, PM_EVENT, 2) & BUTTON))
			continue; /* ended before it was looked at: the level came once more */
		pc_port_write(pc, me, PM_EVENT, 2, BUTTON);
		__atomic_store_n(&heard, __atomic_load_n(&pressed, __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* The third one moves the pin's entry about meanwhile, as a system does that balances interrupts. */
static void *disturb(void *argument)
{
	u32 me = self(argument);

	while (__atomic_load_n(&heard, __ATOMIC_SEQ_CST) < PRESSES && !__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		pc_mmio_write(pc, me, (gpa_t){ IOAPIC_BASE }, 4, 0x10 + 2 * IRQ_SCI);
		pc_mmio_write(pc, me, (gpa_t){ IOAPIC_BASE + 0x10 }, 4, BIT(16) | LEVEL | SCI_VECTOR);
		sched_yield();
		pc_mmio_write(pc, me, (gpa_t){ IOAPIC_BASE + 0x10 }, 4, LEVEL | SCI_VECTOR);
		sched_yield();
	}
	return NULL;
}

static void no_level_is_lost_while_its_pin_is_masked_and_unmasked(void **state)
{
	static void *(*const bodies[])(void *) = { answer, disturb, press };

	(void)state;
	fake_pc(3);
	fake_x2apic();
	fake_ioapic_set(IRQ_SCI, LEVEL | SCI_VECTOR);
	pc_port_write(pc, 0, PM_EVENT + 2, 2, BUTTON);
	pressed = heard = 0;
	run(bodies, ARRAY_SIZE(bodies));
	assert_int_equal(heard, PRESSES);
	fake_audit();
}

/* ---- lowest priority looks at registers of others ---- */

static u32 received[2];

static void *receive(void *argument)
{
	u32 me = self(argument);

	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST) || pc_interrupt_pending(pc, me)) {
		int taken = pc_interrupt_ack(pc, me);

		pc_set_cr8(pc, me, (u8)(received[me] & 1));
		received[me] += taken == BALL;
		if (taken >= 0)
			(void)pc_msr_write(pc, me, EOI, 0);
		sched_yield();
	}
	return NULL;
}

/* Lines that rise and fall: the IOAPIC asks both LAPICs for their priority each time. */
static void *ring(void *argument)
{
	(void)self(argument);
	for (u32 i = 0; i < PRESSES; i++) {
		pc_power_button(pc);
		pc_port_write(pc, 2, PM_EVENT, 2, BUTTON);
		sched_yield();
	}
	__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void lowest_priority_delivery_reads_running_processors(void **state)
{
	static void *(*const bodies[])(void *) = { receive, receive, ring };

	(void)state;
	fake_pc(3);
	fake_x2apic();
	fake_ioapic_set(IRQ_SCI, BIT(56) * 3 | BIT(11) | MODE_LOWEST << 8 | BALL); /* logical, edge: processors 0 and 1 */
	pc_port_write(pc, 0, PM_EVENT + 2, 2, BUTTON);
	received[0] = received[1] = 0;
	run(bodies, ARRAY_SIZE(bodies));
	assert_in_range(received[0] + received[1], 1, PRESSES);
	fake_audit();
}

/* ---- deadlines ---- */

static pthread_barrier_t together;
static u32 late;

/* What the host must have been told when nobody moves anything any more. */
static u64 earliest(void)
{
	return min_u64(pc->lapic[0].deadline, pc->chipset_deadline);
}

/* vCPU 0 arms its own timer while another one programmes the 8254, which shares its deadline. */
static void *arm(void *argument)
{
	u32 me = self(argument);

	for (u32 i = 1; i <= ROUNDS; i++) {
		pthread_barrier_wait(&together);
		(void)pc_msr_write(pc, me, TSC_DEADLINE, i % 3 ? 1000 * i : 10000000000);
		pthread_barrier_wait(&together);
		late += fake.deadline[0] != earliest();
	}
	return NULL;
}

static void *programme(void *argument)
{
	u32 me = self(argument);

	for (u32 i = 1; i <= ROUNDS; i++) {
		pthread_barrier_wait(&together);
		pc_port_write(pc, me, 0x43, 1, 0x34);
		pc_port_write(pc, me, 0x40, 1, i & 0xff);
		pc_port_write(pc, me, 0x40, 1, 1 + (i >> 8));
		pthread_barrier_wait(&together);
	}
	return NULL;
}

static void the_last_announced_deadline_is_the_earliest(void **state)
{
	static void *(*const bodies[])(void *) = { arm, programme };

	(void)state;
	fake_pc(2);
	fake_x2apic();
	msr_set(0, LVT_TIMER_MSR, DEADLINE_MODE | TICK);
	fake.yields = true;
	late = 0;
	assert_int_equal(pthread_barrier_init(&together, NULL, ARRAY_SIZE(bodies)), 0);
	run(bodies, ARRAY_SIZE(bodies));
	assert_int_equal(pthread_barrier_destroy(&together), 0);
	assert_int_equal(late, 0);
	fake_audit();
}

/* ---- everything at once ---- */

static void touch(u32 me, u32 what)
{
	switch (what % 6) {
	case 0:
		(void)pc_port_read(pc, me, PM_TIMER, 4);
		break;
	case 1:
		pc_port_write(pc, me, 0x70, 1, RTC_C);
		(void)pc_port_read(pc, me, 0x71, 1);
		break;
	case 2:
		pc_port_write(pc, me, PC_COM1, 1, 'x');
		break;
	case 3:
		pc_timers(pc, me, __atomic_add_fetch(&fake.now, 1000, __ATOMIC_SEQ_CST));
		break;
	case 4:
		(void)pc_msr_write(pc, me, ICR, 3 << 18 | BALL); /* all others */
		break;
	default:
		(void)pc_mmio_read(pc, me, (gpa_t){ PCI_ECAM_BASE }, 4);
		break;
	}
	if (pc_interrupt_ack(pc, me) >= 0)
		(void)pc_msr_write(pc, me, EOI, 0);
}

static void *work(void *argument)
{
	u32 me = self(argument);

	for (u32 i = 0; i < ACCESSES; i++)
		touch(me, i * (me + 1) + i / 7);
	return NULL;
}

/* A processor that its fellows switch off and on by INIT and by its own mode changes. */
static void *come_and_go(void *argument)
{
	u32 me = self(argument);

	for (u32 i = 0; i < ACCESSES / 20; i++) {
		pc_set_lapic_state(pc, me, true);
		(void)pc_msr_write(pc, me, 0x1b, 0xfee00000);
		(void)pc_msr_write(pc, me, 0x1b, 0xfee00000 | LAPIC_BASE_ENABLE);
		(void)pc_msr_write(pc, me, 0x1b, 0xfee00000 | LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC);
		(void)pc_msr_write(pc, me, 0x80f, SVR_ENABLE | 0xff);
		touch(me, i);
	}
	return NULL;
}

static void devices_hold_their_promises_under_all_processors_at_once(void **state)
{
	static void *(*const bodies[])(void *) = { work, work, come_and_go };

	(void)state;
	fake_pc(3);
	fake_x2apic();
	fake_ioapic_set(IRQ_COM1, TICK);
	fake_ioapic_set(IRQ_RTC, BIT(56) | SCI_VECTOR);
	out8(0x43, 0x34);
	out8(0x40, RELOAD & 0xff);
	out8(0x40, RELOAD >> 8);
	run(bodies, ARRAY_SIZE(bodies));
	fake_audit();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_message_between_processors_is_lost),
		cmocka_unit_test(no_level_is_lost_while_its_pin_is_masked_and_unmasked),
		cmocka_unit_test(lowest_priority_delivery_reads_running_processors),
		cmocka_unit_test(the_last_announced_deadline_is_the_earliest),
		cmocka_unit_test(devices_hold_their_promises_under_all_processors_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
