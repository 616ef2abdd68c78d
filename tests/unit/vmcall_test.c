/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls to the hypervisor. */
#include "kernel/abi/cpuid.h"
#include "kernel/abi/hypercall.h"
#include "tests/unit/support/vmx_fake.h"
#include "vmx/exit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CPL3 = 3 << RIGHTS_DPL_SHIFT };

static s64 call(u64 number)
{
	static struct vcpu vcpu;

	vcpu.regs.rax = number;
	assert_int_equal(exit_vmcall(&vcpu), EXIT_ADVANCE);
	return (s64)vcpu.regs.rax;
}

static void set_cpl(u32 rights)
{
	vmcs_write(GUEST_SS_RIGHTS, (vmcs_read(GUEST_SS_RIGHTS) & ~(u32)CPL3) | rights);
}

static void the_version_is_that_of_the_leaf(void **state)
{
	(void)state;
	vmx_fake_reset();
	assert_int_equal(call(AEROSTAT_CALLS + AEROSTAT_CALL_VERSION), AEROSTAT_ABI_VERSION);
}

static void unknown_numbers_are_no_error_of_the_guest(void **state)
{
	static const u64 unknown[] = { 0, 1, 5, 9, 10, 11, 12, AEROSTAT_CALLS - 1, AEROSTAT_CALLS + 1, UINT32_MAX, ~0ULL };

	(void)state;
	vmx_fake_reset();
	for (u32 i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_int_equal(call(unknown[i]), AEROSTAT_ENOSYS);
}

static void user_mode_may_not_call(void **state)
{
	(void)state;
	vmx_fake_reset();
	set_cpl(CPL3);
	assert_int_equal(call(AEROSTAT_CALLS), AEROSTAT_EPERM);
	assert_int_equal(call(0), AEROSTAT_EPERM);
	set_cpl(0);
	assert_int_equal(call(AEROSTAT_CALLS), AEROSTAT_ABI_VERSION);
}

static void a_number_has_32_bits(void **state)
{
	(void)state;
	vmx_fake_reset();
	vmx_fake_mode(VCPU_PROTECTED32);
	assert_int_equal(call(0xdead000000000000 | AEROSTAT_CALLS), AEROSTAT_ABI_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_version_is_that_of_the_leaf),
		cmocka_unit_test(unknown_numbers_are_no_error_of_the_guest),
		cmocka_unit_test(user_mode_may_not_call),
		cmocka_unit_test(a_number_has_32_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
