/* SPDX-License-Identifier: BSD-2-Clause */
/* Breakpoints on accesses that the hypervisor makes, and single steps over what it carries out. */
#include "tests/unit/support/emulate_fake.h"
#include "vmx/debug.h"
#include "vmx/exit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define V (&fake_vcpu)
#define ENABLED BIT(12)
#define STEP BIT(14)

enum { WRITE = 1, PORT = 2, ANY = 3, ONE = 0, TWO = 1, EIGHT = 2, FOUR = 3 };

static void watch(u32 n, u64 address, u64 on, u64 length)
{
	fake_guest(VCPU_LONG64);
	vmx_fake_debug[n] = address;
	vmcs_write(GUEST_DR7, BIT(2 * n) | on << (16 + 4 * n) | length << (18 + 4 * n));
}

static u64 pending_after(u64 address, u32 bytes, u32 access)
{
	vmcs_write(GUEST_PENDING_DEBUG, 0);
	debug_access(V, address, bytes, access);
	return vmcs_read(GUEST_PENDING_DEBUG);
}

static void a_breakpoint_on_writes_is_hit_by_writes_only(void **state)
{
	(void)state;
	watch(1, 0x1000, WRITE, FOUR);
	assert_int_equal(pending_after(0x1000, 4, DEBUG_WRITE), ENABLED | 2);
	assert_int_equal(pending_after(0x1000, 4, DEBUG_READ), 0);
	assert_int_equal(pending_after(0x1000, 4, DEBUG_PORT), 0);
}

static void a_breakpoint_on_accesses_is_hit_by_both(void **state)
{
	(void)state;
	watch(3, 0x1000, ANY, EIGHT);
	assert_int_equal(pending_after(0x1007, 1, DEBUG_READ), ENABLED | 8);
	assert_int_equal(pending_after(0xfff, 2, DEBUG_WRITE), ENABLED | 8);
}

static void its_address_is_aligned_to_its_length_and_its_ends_count(void **state)
{
	(void)state;
	watch(0, 0x1003, WRITE, TWO);
	assert_int_equal(pending_after(0x1001, 1, DEBUG_WRITE), 0);
	assert_int_equal(pending_after(0x1002, 1, DEBUG_WRITE), ENABLED | 1);
	assert_int_equal(pending_after(0x1003, 8, DEBUG_WRITE), ENABLED | 1);
	assert_int_equal(pending_after(0x1004, 8, DEBUG_WRITE), 0);
}

static void breakpoints_on_ports_need_cr4_de(void **state)
{
	(void)state;
	watch(2, 0x3f8, PORT, ONE);
	assert_int_equal(pending_after(0x3f8, 1, DEBUG_PORT), 0);
	vmcs_write(GUEST_CR4, vmcs_read(GUEST_CR4) | CR4_DE);
	assert_int_equal(pending_after(0x3f8, 1, DEBUG_PORT), ENABLED | 4);
	assert_int_equal(pending_after(0x3f6, 2, DEBUG_PORT), 0);
	assert_int_equal(pending_after(0x3f8, 1, DEBUG_WRITE), 0);
}

static void what_is_not_enabled_and_execution_are_not_hit(void **state)
{
	(void)state;
	watch(0, 0x1000, ANY, ONE);
	vmcs_write(GUEST_DR7, vmcs_read(GUEST_DR7) & ~DR7_ENABLES);
	assert_int_equal(pending_after(0x1000, 1, DEBUG_WRITE), 0);
	watch(0, 0x1000, 0, ONE);
	assert_int_equal(pending_after(0x1000, 1, DEBUG_READ), 0);
}

static void a_step_traps_unless_only_branches_do(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	debug_step();
	assert_int_equal(vmcs_read(GUEST_PENDING_DEBUG), 0);
	vmcs_write(GUEST_RFLAGS, RFLAGS_ONE | RFLAGS_TF);
	vmcs_write(GUEST_DEBUGCTL, 2);
	debug_step();
	assert_int_equal(vmcs_read(GUEST_PENDING_DEBUG), 0);
	vmcs_write(GUEST_DEBUGCTL, 0);
	debug_step();
	assert_int_equal(vmcs_read(GUEST_PENDING_DEBUG), STEP);
}

static void hlt_does_not_sleep_when_a_trap_follows(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	assert_int_equal(exit_halt(V), EXIT_HALT);
	fake_guest(VCPU_LONG64);
	vmcs_write(GUEST_RFLAGS, RFLAGS_ONE | RFLAGS_TF);
	assert_int_equal(exit_halt(V), EXIT_ADVANCE);
	assert_false(V->halted);
	vmcs_write(GUEST_RFLAGS, RFLAGS_ONE);
	vmcs_write(GUEST_PENDING_DEBUG, ENABLED | 1); /* from a watched MOV SS before it */
	assert_int_equal(exit_halt(V), EXIT_ADVANCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_breakpoint_on_writes_is_hit_by_writes_only),
		cmocka_unit_test(a_breakpoint_on_accesses_is_hit_by_both),
		cmocka_unit_test(its_address_is_aligned_to_its_length_and_its_ends_count),
		cmocka_unit_test(breakpoints_on_ports_need_cr4_de),
		cmocka_unit_test(what_is_not_enabled_and_execution_are_not_hit),
		cmocka_unit_test(a_step_traps_unless_only_branches_do),
		cmocka_unit_test(hlt_does_not_sleep_when_a_trap_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
