/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APICs: priorities, messages, modes, registers; and their round trips with the IOAPIC. */
#include "tests/unit/support/pc_fake.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ICR_NMI = 4 << 8, ICR_INIT = 5 << 8, ICR_SIPI = 6 << 8, ICR_LOWEST = 1 << 8, ICR_LOGICAL = 1 << 11 };
enum { ICR_ASSERT = 1 << 14, ICR_LEVEL = 1 << 15, ICR_SELF = 1 << 18, ICR_ALL = 2 << 18, ICR_OTHERS = 3 << 18 };
enum { ESR = 0x828, ICR = 0x830, SELF_IPI = 0x83f, EOI = 0x80b, TPR = 0x808, PPR = 0x80a, SVR = 0x80f, BASE = 0x1b };

#define ENTRY_LEVEL_V(vector) ((vector) | BIT(15))

static void self_ipi(u8 vector)
{
	msr_set(0, SELF_IPI, vector);
}

static int x2apic_with(u32 vcpus)
{
	fake_pc(vcpus);
	fake_x2apic();
	return 0;
}

/* ---- priority ---- */

static void a_higher_class_interrupts_a_lower_one_and_the_same_class_waits(void **state)
{
	(void)state;
	x2apic_with(1);
	self_ipi(0x41);
	assert_int_equal(pc_interrupt_ack(pc, 0), 0x41);
	self_ipi(0x4f);
	assert_false(pc_interrupt_pending(pc, 0));
	self_ipi(0x50);
	assert_int_equal(pc_interrupt_ack(pc, 0), 0x50);
	assert_int_equal(msr(0, PPR), 0x50);
	msr_set(0, EOI, 0);
	assert_int_equal(msr(0, PPR), 0x40);
	assert_false(pc_interrupt_pending(pc, 0));
	msr_set(0, EOI, 0);
	assert_int_equal(pc_interrupt_ack(pc, 0), 0x4f);
	fake_audit();
}

static void of_two_requests_the_higher_vector_comes_first(void **state)
{
	(void)state;
	x2apic_with(1);
	self_ipi(0x31);
	self_ipi(0xfe);
	self_ipi(0x80);
	assert_int_equal(fake_take(0), 0xfe);
	assert_int_equal(fake_take(0), 0x80);
	assert_int_equal(fake_take(0), 0x31);
	assert_int_equal(fake_take(0), -1);
}

static void tpr_holds_back_its_class_and_below_and_lowering_it_tells_the_host(void **state)
{
	(void)state;
	x2apic_with(1);
	pc_set_cr8(pc, 0, 5);
	assert_int_equal(msr(0, TPR), 0x50);
	self_ipi(0x5f);
	assert_false(pc_interrupt_pending(pc, 0));
	u32 before = fake.interrupts[0];

	pc_set_cr8(pc, 0, 4);
	assert_true(fake.interrupts[0] > before);
	assert_int_equal(pc_get_cr8(pc, 0), 4);
	assert_int_equal(fake_take(0), 0x5f);
	msr_set(0, TPR, 0x60);
	self_ipi(0x61);
	before = fake.interrupts[0];
	msr_set(0, TPR, 0);
	assert_true(fake.interrupts[0] > before);
}

static void an_eoi_ends_the_highest_in_service_and_tells_the_host_what_waits(void **state)
{
	(void)state;
	x2apic_with(1);
	self_ipi(0x40);
	assert_int_equal(pc_interrupt_ack(pc, 0), 0x40);
	self_ipi(0x42);
	u32 before = fake.interrupts[0];

	msr_set(0, EOI, 0);
	assert_int_equal(fake.interrupts[0], before + 1);
	assert_int_equal(pc_interrupt_ack(pc, 0), 0x42);
	before = fake.interrupts[0];
	msr_set(0, EOI, 0);
	assert_int_equal(fake.interrupts[0], before);
	msr_set(0, EOI, 0); /* with nothing in service: nothing happens */
	assert_true(msr_refused(0, EOI, 1));
}

static void a_second_request_of_a_vector_is_kept_while_the_first_is_in_service(void **state)
{
	(void)state;
	x2apic_with(1);
	self_ipi(0x77);
	self_ipi(0x77); /* merges */
	assert_int_equal(pc_interrupt_ack(pc, 0), 0x77);
	assert_int_equal(msr(0, 0x813), 1U << (0x77 - 0x60));
	self_ipi(0x77);
	assert_int_equal(msr(0, 0x823), 1U << (0x77 - 0x60));
	msr_set(0, EOI, 0);
	assert_int_equal(fake_take(0), 0x77);
	assert_int_equal(fake_take(0), -1);
}

/* ---- messages ---- */

static void shorthands_reach_whom_they_name(void **state)
{
	(void)state;
	x2apic_with(4);
	msr_set(1, ICR, ICR_OTHERS | 0x50);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(fake_take(i), i == 1 ? -1 : 0x50);
	msr_set(1, ICR, ICR_ALL | 0x51);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(fake_take(i), 0x51);
	msr_set(1, ICR, ICR_SELF | 0x52);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(fake_take(i), i == 1 ? 0x52 : -1);
	msr_set(1, ICR, ICR_OTHERS | ICR_NMI);
	assert_int_equal(fake.nmis[0] + fake.nmis[2] + fake.nmis[3], 3);
	assert_int_equal(fake.nmis[1], 0);
	fake_audit();
}

static void init_and_sipi_reach_the_processor_they_name_and_deassert_does_nothing(void **state)
{
	(void)state;
	x2apic_with(2);
	msr_set(0, ICR, 1ULL << 32 | ICR_INIT | ICR_ASSERT | ICR_LEVEL);
	assert_int_equal(fake.inits[1], 1);
	msr_set(0, ICR, 1ULL << 32 | ICR_INIT | ICR_LEVEL);
	assert_int_equal(fake.inits[1], 1);
	msr_set(0, ICR, 1ULL << 32 | ICR_SIPI | 0x9a);
	assert_int_equal(fake.sipis[1], 1);
	assert_int_equal(fake.sipi_vector[1], 0x9a);
	assert_int_equal(fake.inits[0] + fake.sipis[0], 0);
	assert_int_equal(msr(0, ICR), 1ULL << 32 | ICR_SIPI | 0x9a);
}

static void init_and_sipi_reach_a_software_disabled_lapic_and_vectors_do_not(void **state)
{
	(void)state;
	fake_pc(2);
	msr_set(0, BASE, msr(0, BASE) | LAPIC_BASE_X2APIC);
	msr_set(0, ICR, 1ULL << 32 | ICR_INIT | ICR_ASSERT);
	msr_set(0, ICR, 1ULL << 32 | 0x40);
	assert_int_equal(fake.inits[1], 1);
	assert_int_equal(fake.interrupts[1], 0);
}

static void x2apic_logical_destinations_are_cluster_and_bit(void **state)
{
	(void)state;
	x2apic_with(4);
	assert_int_equal(msr(2, 0x80d), 1 << 2);
	assert_int_equal(msr(2, 0x802), 2);
	msr_set(0, ICR, 0x5ULL << 32 | ICR_LOGICAL | 0x60); /* IDs 0 and 2 */
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(fake_take(i), i % 2 == 0 ? 0x60 : -1);
	msr_set(0, ICR, 0x10005ULL << 32 | ICR_LOGICAL | 0x60); /* another cluster */
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(fake_take(i), -1);
	msr_set(0, ICR, 0xffffffffULL << 32 | ICR_LOGICAL | 0x61);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(fake_take(i), 0x61);
	msr_set(0, ICR, 0xffULL << 32 | 0x62); /* 255 is a processor like any other here */
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(fake_take(i), -1);
}

static void xapic_reg(u32 vcpu, u32 offset, u32 value)
{
	pc_mmio_write(pc, vcpu, (gpa_t){ 0xfee00000 + offset }, 4, value);
}

static u32 xapic(u32 vcpu, u32 offset)
{
	return (u32)pc_mmio_read(pc, vcpu, (gpa_t){ 0xfee00000 + offset }, 4);
}

static int xapic_take(u32 vcpu)
{
	int vector = pc_interrupt_ack(pc, vcpu);

	if (vector >= 0)
		xapic_reg(vcpu, 0xb0, 0);
	return vector;
}

static void xapic_with(u32 vcpus)
{
	fake_pc(vcpus);
	for (u32 i = 0; i < vcpus; i++) {
		xapic_reg(i, 0xf0, SVR_ENABLE | 0xff);
		xapic_reg(i, 0xd0, 1U << (24 + i));
	}
}

static void xapic_flat_and_cluster_destinations(void **state)
{
	(void)state;
	xapic_with(4);
	xapic_reg(0, 0x310, 0xa << 24); /* flat: bits 1 and 3 */
	xapic_reg(0, 0x300, ICR_LOGICAL | 0x70);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(xapic_take(i), i % 2 ? 0x70 : -1);
	for (u32 i = 0; i < 4; i++) {
		xapic_reg(i, 0xe0, 0x0fffffff);
		xapic_reg(i, 0xd0, (i / 2) << 28 | 1U << (24 + i % 2));
	}
	xapic_reg(0, 0x310, 0x12U << 24); /* cluster 1, bit 1 */
	xapic_reg(0, 0x300, ICR_LOGICAL | 0x71);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(xapic_take(i), i == 3 ? 0x71 : -1);
	xapic_reg(0, 0x310, 0xffU << 24);
	xapic_reg(0, 0x300, 0x72);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(xapic_take(i), 0x72);
	assert_int_equal(xapic(3, 0x20), 3 << 24);
	assert_int_equal(xapic(0, 0x30), 0x50014);
	fake_audit();
}

static void lowest_priority_goes_to_one_the_least_busy(void **state)
{
	(void)state;
	xapic_with(3);
	xapic_reg(0, 0x80, 0x30);
	xapic_reg(1, 0x80, 0x20);
	xapic_reg(2, 0x80, 0x40);
	xapic_reg(0, 0x310, 0x7U << 24);
	xapic_reg(0, 0x300, ICR_LOGICAL | ICR_LOWEST | 0x80);
	assert_int_equal(xapic_take(0), -1);
	assert_int_equal(xapic_take(1), 0x80);
	assert_int_equal(xapic_take(2), -1);
	xapic_reg(1, 0xf0, 0xff); /* software-disabled: does not take part */
	xapic_reg(0, 0x300, ICR_LOGICAL | ICR_LOWEST | 0x81);
	assert_int_equal(xapic_take(0), 0x81);
}

/* ---- errors ---- */

static void an_illegal_vector_is_an_error_that_a_write_to_esr_shows(void **state)
{
	(void)state;
	x2apic_with(1);
	msr_set(0, 0x837, 0xee);
	self_ipi(3);
	assert_int_equal(msr(0, ESR), 0);
	msr_set(0, ESR, 0);
	assert_int_equal(msr(0, ESR), ESR_SEND_VECTOR);
	assert_int_equal(fake_take(0), 0xee);
	msr_set(0, ESR, 0);
	assert_int_equal(msr(0, ESR), 0);
	assert_true(msr_refused(0, ESR, 1));
	msr_set(0, 0x837, 5); /* the error's own vector is illegal: no recursion, no interrupt */
	self_ipi(3);
	assert_int_equal(fake_take(0), -1);
	fake_audit();
}

static void a_register_that_does_not_exist_is_an_error_by_memory_and_refused_by_msr(void **state)
{
	(void)state;
	xapic_with(1);
	assert_int_equal(xapic(0, 0x40), 0);
	xapic_reg(0, 0x280, 0);
	assert_int_equal(xapic(0, 0x280), ESR_REGISTER);
	u64 value;

	assert_int_equal(pc_msr_read(pc, 0, 0x802, &value), E_INVALID); /* not in xAPIC mode */
	fake_x2apic();
	assert_int_equal(pc_msr_read(pc, 0, 0x804, &value), E_INVALID);
	assert_int_equal(pc_msr_read(pc, 0, 0x80e, &value), E_INVALID); /* no DFR */
	assert_int_equal(pc_msr_read(pc, 0, 0x831, &value), E_INVALID); /* no second half of ICR */
	assert_int_equal(pc_msr_read(pc, 0, 0x80b, &value), E_INVALID); /* write-only */
	assert_int_equal(pc_msr_read(pc, 0, 0x840, &value), E_INVALID);
	assert_true(msr_refused(0, 0x802, 0));
	assert_true(msr_refused(0, 0x80d, 0));
	assert_true(msr_refused(0, 0x810, 0));
	assert_true(msr_refused(0, TPR, 0x100));
	assert_true(msr_refused(0, TPR, 1ULL << 32));
	assert_true(msr_refused(0, ICR, 1 << 13));
	assert_int_equal(xapic(0, 0x20), 0xffffffff); /* x2APIC: no longer in memory */
}

/* ---- modes ---- */

static void apic_base_allows_the_transitions_of_the_manual_only(void **state)
{
	(void)state;
	fake_pc(1);
	u64 xapic_mode = msr(0, BASE), x2apic = xapic_mode | LAPIC_BASE_X2APIC, off = xapic_mode & ~(u64)LAPIC_BASE_ENABLE;

	assert_int_equal(xapic_mode, 0xfee00900);
	assert_true(msr_refused(0, BASE, off | LAPIC_BASE_X2APIC));
	assert_true(msr_refused(0, BASE, xapic_mode | 1));
	assert_true(msr_refused(0, BASE, xapic_mode | BIT(60)));
	msr_set(0, BASE, x2apic);
	assert_true(msr_refused(0, BASE, xapic_mode));
	msr_set(0, BASE, off);
	assert_true(msr_refused(0, BASE, x2apic));
	msr_set(0, BASE, xapic_mode);
	msr_set(0, BASE, x2apic);
	fake_audit();
}

static void a_lapic_that_was_off_works_again_from_its_reset_state(void **state)
{
	(void)state;
	x2apic_with(2);
	self_ipi(0x90);
	msr_set(0, 0x832, 2 << LVT_TIMER_SHIFT | 0x91);
	msr_set(0, 0x6e0, 5000);
	msr_set(0, BASE, 0xfee00900 & ~(u64)LAPIC_BASE_ENABLE);
	assert_false(pc_interrupt_pending(pc, 0));
	assert_int_equal(fake.deadline[0], 0);
	msr_set(1, ICR, 0x92); /* nobody hears it */
	assert_int_equal(mmio32(0xfee00020), 0xffffffff);
	msr_set(0, BASE, 0xfee00900);
	assert_int_equal(mmio32(0xfee000f0), 0xff);
	assert_int_equal(mmio32(0xfee00320), LVT_MASKED);
	assert_false(pc_interrupt_pending(pc, 0));
	mmio32_set(0xfee000f0, SVR_ENABLE | 0xff);
	msr_set(1, ICR, 0x93);
	assert_int_equal(pc_interrupt_ack(pc, 0), 0x93);
	fake_audit();
}

static void a_moved_lapic_answers_at_its_new_base(void **state)
{
	(void)state;
	fake_pc(2);
	msr_set(1, BASE, 0xfed00800);
	assert_int_equal(pc_mmio_read(pc, 1, (gpa_t){ 0xfed00020 }, 4), 1 << 24);
	assert_int_equal(pc_mmio_read(pc, 1, (gpa_t){ 0xfee00020 }, 4), 0xffffffff);
	assert_int_equal(pc_mmio_read(pc, 0, (gpa_t){ 0xfee00020 }, 4), 0);
}

static void software_disabling_masks_every_lvt_and_keeps_it_masked(void **state)
{
	(void)state;
	x2apic_with(1);
	msr_set(0, 0x832, 0x40);
	msr_set(0, 0x836, 4 << 8);
	msr_set(0, SVR, 0xff);
	assert_int_equal(msr(0, 0x832), LVT_MASKED | 0x40);
	msr_set(0, 0x832, 0x41);
	assert_int_equal(msr(0, 0x832), LVT_MASKED | 0x41);
	msr_set(0, SVR, SVR_ENABLE | 0xff);
	assert_int_equal(msr(0, 0x836), LVT_MASKED | 4 << 8);
	fake_audit();
}

static void init_leaves_the_mode_and_resets_the_rest(void **state)
{
	(void)state;
	x2apic_with(2);
	msr_set(1, SELF_IPI, 0x55);
	msr_set(1, TPR, 0x10);
	pc_set_lapic_state(pc, 1, true);
	assert_int_equal(msr(1, BASE), 0xfee00c00);
	assert_int_equal(msr(1, TPR), 0);
	assert_int_equal(msr(1, SVR), 0xff);
	assert_false(pc_interrupt_pending(pc, 1));
	pc_set_lapic_state(pc, 1, false);
	assert_int_equal(msr(1, BASE), 0xfee00800);
	fake_audit();
}

/* ---- round trips with the IOAPIC ---- */

static void line(u32 irq, bool high)
{
	lock_acquire(&pc->lock);
	pc_line(pc, irq, high);
	lock_release(&pc->lock);
}

static void a_level_comes_again_after_eoi_until_the_device_lets_go(void **state)
{
	(void)state;
	x2apic_with(2);
	fake_ioapic_set(17, BIT(56) | ENTRY_LEVEL_V(0x61)); /* to vCPU 1 */
	line(17, true);
	assert_int_equal(pc_interrupt_ack(pc, 1), 0x61);
	assert_int_equal(fake_ioapic_get(17), BIT(56) | ENTRY_LEVEL_V(0x61) | BIT(14));
	assert_false(pc_interrupt_pending(pc, 1));
	msr_set(1, EOI, 0);
	assert_int_equal(pc_interrupt_ack(pc, 1), 0x61); /* still high */
	line(17, false);
	msr_set(1, EOI, 0);
	assert_int_equal(pc_interrupt_ack(pc, 1), -1);
	assert_int_equal(fake_ioapic_get(17), BIT(56) | ENTRY_LEVEL_V(0x61));
	line(17, true);
	assert_int_equal(fake_take(1), 0x61);
	fake_audit();
}

static void an_edge_comes_once_and_a_masked_one_is_lost(void **state)
{
	(void)state;
	x2apic_with(1);
	fake_ioapic_set(4, 0x62);
	line(4, true);
	line(4, true);
	assert_int_equal(fake_take(0), 0x62);
	assert_int_equal(fake_take(0), -1);
	line(4, false);
	fake_ioapic_set(4, BIT(16) | 0x62);
	line(4, true);
	fake_ioapic_set(4, 0x62);
	assert_int_equal(fake_take(0), -1);
	line(4, false);
	line(4, true);
	assert_int_equal(fake_take(0), 0x62);
}

static void a_masked_level_is_delivered_when_unmasked(void **state)
{
	(void)state;
	x2apic_with(1);
	fake_ioapic_set(9, BIT(16) | ENTRY_LEVEL_V(0x63));
	line(9, true);
	assert_false(pc_interrupt_pending(pc, 0));
	fake_ioapic_set(9, ENTRY_LEVEL_V(0x63));
	assert_int_equal(pc_interrupt_ack(pc, 0), 0x63);
	line(9, false);
	msr_set(0, EOI, 0);
	assert_int_equal(fake_take(0), -1);
}

static void the_eoi_register_and_a_switch_to_edge_end_a_level_too(void **state)
{
	(void)state;
	x2apic_with(1);
	fake_ioapic_set(9, ENTRY_LEVEL_V(0x64));
	line(9, true);
	line(9, false);
	mmio32_set(IOAPIC_BASE + 0x40, 0x65); /* another vector: nothing */
	assert_true(fake_ioapic_get(9) & BIT(14));
	mmio32_set(IOAPIC_BASE + 0x40, 0x64);
	assert_false(fake_ioapic_get(9) & BIT(14));
	line(9, true);
	assert_true(fake_ioapic_get(9) & BIT(14));
	fake_ioapic_set(9, BIT(16) | 0x64);
	assert_false(fake_ioapic_get(9) & BIT(14));
	mmio32_set(IOAPIC_BASE, 1);
	assert_int_equal(mmio32(IOAPIC_BASE + 0x10), 0x170020);
}

static void a_level_that_nobody_took_is_tried_again(void **state)
{
	(void)state;
	fake_pc(1);
	fake_ioapic_set(9, ENTRY_LEVEL_V(0x66)); /* the LAPIC is software-disabled */
	line(9, true);
	assert_false(fake_ioapic_get(9) & BIT(14));
	fake_x2apic();
	fake_ioapic_set(9, ENTRY_LEVEL_V(0x66));
	assert_int_equal(fake_take(0), 0x66);
}

static void a_vector_that_turns_from_level_to_edge_ends_without_the_ioapic(void **state)
{
	(void)state;
	x2apic_with(1);
	fake_ioapic_set(9, ENTRY_LEVEL_V(0x67));
	line(9, true);
	line(9, false);
	assert_int_equal(fake_take(0), 0x67);
	self_ipi(0x67);
	assert_int_equal(msr(0, 0x81b), 0);
	assert_int_equal(fake_take(0), 0x67);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_higher_class_interrupts_a_lower_one_and_the_same_class_waits),
		cmocka_unit_test(of_two_requests_the_higher_vector_comes_first),
		cmocka_unit_test(tpr_holds_back_its_class_and_below_and_lowering_it_tells_the_host),
		cmocka_unit_test(an_eoi_ends_the_highest_in_service_and_tells_the_host_what_waits),
		cmocka_unit_test(a_second_request_of_a_vector_is_kept_while_the_first_is_in_service),
		cmocka_unit_test(shorthands_reach_whom_they_name),
		cmocka_unit_test(init_and_sipi_reach_the_processor_they_name_and_deassert_does_nothing),
		cmocka_unit_test(init_and_sipi_reach_a_software_disabled_lapic_and_vectors_do_not),
		cmocka_unit_test(x2apic_logical_destinations_are_cluster_and_bit),
		cmocka_unit_test(xapic_flat_and_cluster_destinations),
		cmocka_unit_test(lowest_priority_goes_to_one_the_least_busy),
		cmocka_unit_test(an_illegal_vector_is_an_error_that_a_write_to_esr_shows),
		cmocka_unit_test(a_register_that_does_not_exist_is_an_error_by_memory_and_refused_by_msr),
		cmocka_unit_test(apic_base_allows_the_transitions_of_the_manual_only),
		cmocka_unit_test(a_lapic_that_was_off_works_again_from_its_reset_state),
		cmocka_unit_test(a_moved_lapic_answers_at_its_new_base),
		cmocka_unit_test(software_disabling_masks_every_lvt_and_keeps_it_masked),
		cmocka_unit_test(init_leaves_the_mode_and_resets_the_rest),
		cmocka_unit_test(a_level_comes_again_after_eoi_until_the_device_lets_go),
		cmocka_unit_test(an_edge_comes_once_and_a_masked_one_is_lost),
		cmocka_unit_test(a_masked_level_is_delivered_when_unmasked),
		cmocka_unit_test(the_eoi_register_and_a_switch_to_edge_end_a_level_too),
		cmocka_unit_test(a_level_that_nobody_took_is_tried_again),
		cmocka_unit_test(a_vector_that_turns_from_level_to_edge_ends_without_the_ioapic),
	};

	return cmocka_run_group_tests(tests, NULL, fake_pc_free);
}
