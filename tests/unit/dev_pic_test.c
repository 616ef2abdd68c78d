/* SPDX-License-Identifier: BSD-2-Clause */
/* The 8259 pair as systems drive it: initialisation, priorities, ends of interrupt, masks, polling, spurious vectors, ELCR. */
#include "tests/unit/support/pc_fake.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MASTER = 0x20, SLAVE = 0xa0, EOI = 0x20, SPECIFIC = 0x60, READ_IRR = 0x0a, READ_ISR = 0x0b, POLL = 0x0c };
enum { SET_SPECIAL = 0x68, CLEAR_SPECIAL = 0x48, ROTATE_EOI = 0xa0, SET_LOWEST = 0xc0, ROTATE_AUTO = 0x80 };
enum { MASTER_BASE = 0x30, SLAVE_BASE = 0x38, PLAIN = 1, AUTO_EOI = 3, NESTED = 0x11 };

static void line(u32 irq, bool high)
{
	lock_acquire(&pc->lock);
	pc_line(pc, irq, high);
	lock_release(&pc->lock);
}

static void pulse(u32 irq)
{
	line(irq, false);
	line(irq, true);
	line(irq, false);
}

static void initialise(u16 port, u32 base, u32 cascade, u32 icw4)
{
	out8(port, 0x11);
	out8(port + 1, base);
	out8(port + 1, cascade);
	out8(port + 1, icw4);
}

/* As Linux and everybody since the AT does. */
static void both(u32 icw4)
{
	fake_pc(1);
	initialise(MASTER, MASTER_BASE, 4, icw4);
	initialise(SLAVE, SLAVE_BASE, 2, icw4);
	out8(MASTER + 1, 0);
	out8(SLAVE + 1, 0);
}

static int ack(void)
{
	fake_audit();
	return pc_interrupt_ack(pc, 0);
}

static u8 isr(u16 port)
{
	out8(port, READ_ISR);
	u8 value = in8(port);

	out8(port, READ_IRR);
	return value;
}

static void linux_finds_it_by_its_mask_register(void **state)
{
	(void)state;
	fake_pc(1);
	out8(SLAVE + 1, 0xff);
	out8(MASTER + 1, 0xfb);
	assert_int_equal(in8(MASTER + 1), 0xfb);
	assert_int_equal(in8(SLAVE + 1), 0xff);
}

static void initialisation_sets_the_vectors_and_forgets_the_rest(void **state)
{
	(void)state;
	both(PLAIN);
	out8(MASTER + 1, 0xef);
	out8(MASTER, SET_LOWEST | 3);
	out8(MASTER, SET_SPECIAL);
	pulse(6);
	initialise(MASTER, 0x45, 4, PLAIN); /* the low bits of a base are not kept */
	assert_int_equal(in8(MASTER + 1), 0);
	assert_int_equal(in8(MASTER), 0); /* an edge before it is gone */
	pulse(5);
	pulse(6);
	assert_int_equal(ack(), 0x45);
	assert_int_equal(ack(), -1);
	out8(MASTER, EOI);
	assert_int_equal(ack(), 0x46);
}

static void a_single_one_without_icw4_takes_two_words(void **state)
{
	(void)state;
	fake_pc(1);
	out8(MASTER, 0x12);
	out8(MASTER + 1, 0x50);
	out8(MASTER + 1, 0xaa); /* the mask already */
	assert_int_equal(in8(MASTER + 1), 0xaa);
}

static void lower_numbers_interrupt_higher_ones(void **state)
{
	(void)state;
	both(PLAIN);
	pulse(5);
	pulse(3);
	assert_int_equal(ack(), MASTER_BASE + 3);
	pulse(7);
	assert_int_equal(ack(), -1);
	pulse(1);
	assert_int_equal(ack(), MASTER_BASE + 1);
	assert_int_equal(isr(MASTER), 1 << 3 | 1 << 1);
	out8(MASTER, EOI); /* the highest: 1 */
	assert_int_equal(isr(MASTER), 1 << 3);
	assert_int_equal(ack(), -1);
	out8(MASTER, SPECIFIC | 3);
	assert_int_equal(ack(), MASTER_BASE + 5);
	out8(MASTER, EOI);
	assert_int_equal(ack(), MASTER_BASE + 7);
	fake_audit();
}

static void the_slave_comes_through_input_2_and_needs_two_ends(void **state)
{
	(void)state;
	both(PLAIN);
	pulse(8);
	pulse(4);
	assert_int_equal(ack(), SLAVE_BASE + 0);
	assert_int_equal(isr(MASTER), 1 << 2);
	assert_int_equal(isr(SLAVE), 1);
	pulse(12); /* waits for the slave's end, and then for the master's */
	assert_int_equal(ack(), -1);
	out8(SLAVE, SPECIFIC | 0);
	assert_int_equal(ack(), -1);
	out8(MASTER, SPECIFIC | 2);
	assert_int_equal(ack(), SLAVE_BASE + 4);
	out8(SLAVE, EOI);
	out8(MASTER, EOI);
	assert_int_equal(ack(), MASTER_BASE + 4);
	fake_audit();
}

static void in_special_nested_mode_a_better_slave_input_interrupts_its_slave(void **state)
{
	(void)state;
	both(NESTED);
	pulse(12);
	assert_int_equal(ack(), SLAVE_BASE + 4);
	pulse(10);
	assert_int_equal(ack(), SLAVE_BASE + 2);
	pulse(13);
	assert_int_equal(ack(), -1);
}

static void in_special_nested_mode_inputs_below_the_slave_wait_for_its_end(void **state)
{
	(void)state;
	both(NESTED);
	pulse(12);
	assert_int_equal(ack(), SLAVE_BASE + 4);
	pulse(4);
	assert_int_equal(ack(), -1);
	pulse(1);
	assert_int_equal(ack(), MASTER_BASE + 1);
	out8(MASTER, 0x61);
	out8(SLAVE, 0x64);
	assert_int_equal(ack(), -1);
	out8(MASTER, 0x62);
	assert_int_equal(ack(), MASTER_BASE + 4);
	fake_audit();
}

static void masked_edges_are_remembered_and_masked_lines_do_not_interrupt(void **state)
{
	(void)state;
	both(PLAIN);
	out8(MASTER + 1, 1 << 4);
	pulse(4);
	assert_int_equal(ack(), -1);
	out8(MASTER, READ_IRR);
	assert_int_equal(in8(MASTER), 1 << 4); /* Linux asks here for what came before it had a handler */
	out8(MASTER + 1, 0);
	assert_int_equal(ack(), MASTER_BASE + 4);
	assert_int_equal(in8(MASTER), 0);
}

static void special_mask_mode_lets_lower_priorities_through(void **state)
{
	(void)state;
	both(PLAIN);
	pulse(3);
	assert_int_equal(ack(), MASTER_BASE + 3);
	pulse(6);
	out8(MASTER + 1, 1 << 3);
	assert_int_equal(ack(), -1);
	out8(MASTER, SET_SPECIAL);
	assert_int_equal(ack(), MASTER_BASE + 6);
	out8(MASTER, EOI); /* not 3, which is masked */
	assert_int_equal(isr(MASTER), 1 << 3);
	out8(MASTER, CLEAR_SPECIAL);
	pulse(6);
	assert_int_equal(ack(), -1);
}

static void automatic_eoi_leaves_nothing_in_service(void **state)
{
	(void)state;
	both(AUTO_EOI);
	pulse(10);
	pulse(14);
	pulse(4);
	assert_int_equal(ack(), SLAVE_BASE + 2);
	assert_int_equal(isr(MASTER) | isr(SLAVE), 0);
	assert_int_equal(ack(), SLAVE_BASE + 6);
	assert_int_equal(ack(), MASTER_BASE + 4);
	assert_int_equal(ack(), -1);
	fake_audit();
}

static void priorities_rotate_on_request(void **state)
{
	(void)state;
	both(PLAIN);
	out8(MASTER, SET_LOWEST | 4);
	pulse(4);
	pulse(5);
	pulse(1);
	assert_int_equal(ack(), MASTER_BASE + 5);
	out8(MASTER, ROTATE_EOI); /* 5 becomes the lowest */
	assert_int_equal(ack(), MASTER_BASE + 1);
	out8(MASTER, EOI);
	assert_int_equal(ack(), MASTER_BASE + 4);
	both(AUTO_EOI);
	out8(MASTER, ROTATE_AUTO);
	pulse(3);
	pulse(4);
	assert_int_equal(ack(), MASTER_BASE + 3); /* now the lowest */
	pulse(3);
	assert_int_equal(ack(), MASTER_BASE + 4);
	assert_int_equal(ack(), MASTER_BASE + 3);
}

static void polling_acknowledges_one_controller(void **state)
{
	(void)state;
	both(PLAIN);
	out8(MASTER, POLL);
	assert_int_equal(in8(MASTER), 0);
	pulse(10);
	out8(MASTER, POLL);
	assert_int_equal(in8(MASTER), 0x82);
	out8(SLAVE, POLL);
	assert_int_equal(in8(SLAVE), 0x82);
	assert_int_equal(isr(SLAVE), 1 << 2);
	out8(SLAVE, EOI);
	out8(MASTER, EOI);
	assert_int_equal(ack(), -1);
	fake_audit();
}

/* With automatic EOI the slave's pin would stand high from one request to the next, and the master sees edges only. */
static void polling_a_slave_loses_none_of_its_requests(void **state)
{
	(void)state;
	both(AUTO_EOI);
	pulse(10);
	pulse(11);
	for (u32 input = 2; input <= 3; input++) {
		out8(MASTER, POLL);
		assert_int_equal(in8(MASTER), 0x82);
		out8(SLAVE, POLL);
		assert_int_equal(in8(SLAVE), 0x80 | input);
	}
	assert_int_equal(ack(), -1);
}

static void a_level_stays_until_its_device_lets_go(void **state)
{
	(void)state;
	both(PLAIN);
	assert_int_equal(in8(0x4d1), 1 << 1); /* the SCI, as firmware leaves it */
	out8(0x4d0, 0xff);
	assert_int_equal(in8(0x4d0), 0xf8); /* timer, keyboard and cascade are edges */
	out8(0x4d1, 0xff);
	assert_int_equal(in8(0x4d1), 0xde);
	line(5, true);
	assert_int_equal(ack(), MASTER_BASE + 5);
	out8(MASTER, EOI);
	assert_int_equal(ack(), MASTER_BASE + 5);
	line(5, false);
	out8(MASTER, EOI);
	assert_int_equal(ack(), -1);
	line(5, true);
	line(5, false); /* gone before anybody looked */
	assert_int_equal(ack(), -1);
	fake_audit();
}

static void a_slave_level_that_goes_away_is_the_slaves_spurious_interrupt(void **state)
{
	(void)state;
	both(PLAIN);
	line(9, true);
	line(9, false);
	assert_true(pc_interrupt_pending(pc, 0));
	assert_int_equal(ack(), SLAVE_BASE + 7);
	assert_int_equal(isr(SLAVE), 0);       /* that is how handlers tell */
	assert_int_equal(isr(MASTER), 1 << 2); /* the master's end is due all the same */
	out8(MASTER, SPECIFIC | 2);
	assert_int_equal(ack(), -1);
	fake_audit();
}

static void it_reaches_the_processor_only_through_lint0_as_extint(void **state)
{
	(void)state;
	both(PLAIN);
	fake_x2apic(); /* software-enabled: LINT0 stays as firmware left it */
	u32 before = fake.interrupts[0];

	line(5, true);
	assert_int_equal(fake.interrupts[0], before + 1);
	assert_true(pc_interrupt_pending(pc, 0));
	msr_set(0, 0x835, LVT_MASKED | MODE_EXTINT << 8);
	assert_false(pc_interrupt_pending(pc, 0));
	before = fake.interrupts[0];
	msr_set(0, 0x835, MODE_EXTINT << 8);
	assert_true(fake.interrupts[0] > before);
	assert_int_equal(ack(), MASTER_BASE + 5);
	msr_set(0, 0x1b, LAPIC_BASE_BSP | 0xfee00000); /* a LAPIC that is off is a wire */
	out8(MASTER, EOI);
	line(5, false);
	line(5, true);
	assert_int_equal(ack(), MASTER_BASE + 5);
}

static void a_wide_access_is_two_narrow_ones(void **state)
{
	(void)state;
	both(PLAIN);
	pc_port_write(pc, 0, MASTER, 2, 0x5500 | READ_IRR);
	assert_int_equal(in8(MASTER + 1), 0x55);
	pulse(1);
	assert_int_equal(pc_port_read(pc, 0, MASTER, 2), 0x5502);
	assert_int_equal(pc_port_read(pc, 0, MASTER, 4), 0xffff5502);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_finds_it_by_its_mask_register),
		cmocka_unit_test(initialisation_sets_the_vectors_and_forgets_the_rest),
		cmocka_unit_test(a_single_one_without_icw4_takes_two_words),
		cmocka_unit_test(lower_numbers_interrupt_higher_ones),
		cmocka_unit_test(the_slave_comes_through_input_2_and_needs_two_ends),
		cmocka_unit_test(in_special_nested_mode_a_better_slave_input_interrupts_its_slave),
		cmocka_unit_test(in_special_nested_mode_inputs_below_the_slave_wait_for_its_end),
		cmocka_unit_test(masked_edges_are_remembered_and_masked_lines_do_not_interrupt),
		cmocka_unit_test(special_mask_mode_lets_lower_priorities_through),
		cmocka_unit_test(automatic_eoi_leaves_nothing_in_service),
		cmocka_unit_test(priorities_rotate_on_request),
		cmocka_unit_test(polling_acknowledges_one_controller),
		cmocka_unit_test(polling_a_slave_loses_none_of_its_requests),
		cmocka_unit_test(a_level_stays_until_its_device_lets_go),
		cmocka_unit_test(a_slave_level_that_goes_away_is_the_slaves_spurious_interrupt),
		cmocka_unit_test(it_reaches_the_processor_only_through_lint0_as_extint),
		cmocka_unit_test(a_wide_access_is_two_narrow_ones),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
