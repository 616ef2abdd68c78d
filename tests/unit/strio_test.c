/* SPDX-License-Identifier: BSD-2-Clause */
/* INS and OUTS. */
#include "tests/unit/support/emulate_fake.h"
#include "vmx/emulate_string.h"
#include "vmx/strio.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define V (&fake_vcpu)
#define DF BIT(10)

enum { IN = 1 << 3, STRING = 1 << 4, REP = 1 << 5, PORT = 0x1f0 };
enum { ADDRESS_16 = 0, ADDRESS_32 = 1, ADDRESS_64 = 2 };

/* The exit of an INS or OUTS of `bytes`; info: address size and segment. */
static enum exit_action run(u32 what, u32 bytes, u32 address_size, enum segment segment)
{
	V->exit.qualification = what | STRING | (bytes - 1) | PORT << 16;
	vmcs_write(EXIT_INSTRUCTION, address_size << 7 | (u32)segment << 15);
	return strio_run(V);
}

static u64 memory_at(u64 address, u32 bytes)
{
	u64 value = 0;

	memcpy(&value, fake_memory + address, bytes);
	return value;
}

static void one_element_needs_no_count(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	V->regs.rdi = 0x8000;
	V->regs.rcx = 0;
	assert_int_equal(run(IN, 4, ADDRESS_64, SEGMENT_ES), EXIT_ADVANCE);
	assert_int_equal(memory_at(0x8000, 8), (u64)PORT << 16);
	assert_int_equal(V->regs.rdi, 0x8004);
	assert_int_equal(V->regs.rcx, 0);
}

static void a_count_of_zero_does_nothing(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	V->regs.rdi = 0x0123456789abcdef; /* not canonical: not even looked at */
	assert_int_equal(run(IN | REP, 4, ADDRESS_64, SEGMENT_ES), EXIT_ADVANCE);
	assert_int_equal(fake_accesses, 0);
}

static void a_disk_sector_arrives_in_bursts(void **state)
{
	u32 exits = 1;

	(void)state;
	fake_guest(VCPU_LONG64);
	V->regs.rdi = 0x8f00; /* across a page border */
	V->regs.rcx = 256;
	while (run(IN | REP, 2, ADDRESS_64, SEGMENT_ES) == EXIT_RESUME)
		exits++;
	assert_int_equal(exits, 256 / STRING_BURST);
	assert_int_equal(V->regs.rcx, 0);
	assert_int_equal(V->regs.rdi, 0x9100);
	for (u32 i = 0; i < 256; i++)
		assert_int_equal(memory_at(0x8f00 + 2 * i, 2), i);
	assert_int_equal(fake_entry_at(fake_leaf(0x9000)), 0x9067);
}

static void bytes_go_out_in_order_and_backwards_with_df(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	memcpy(fake_memory + 0x8ffe, "abcd", 4);
	V->regs.rsi = 0x8ffe;
	V->regs.rcx = 4;
	assert_int_equal(run(REP, 1, ADDRESS_64, SEGMENT_DS), EXIT_ADVANCE);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(fake_log[i].value, 'a' + i);
	assert_int_equal(fake_entry_at(fake_leaf(0x8000)), 0x8027);
	fake_accesses = 0;
	vmcs_write(GUEST_RFLAGS, RFLAGS_ONE | DF);
	V->regs.rsi = 0x9001;
	V->regs.rcx = 4;
	assert_int_equal(run(REP, 1, ADDRESS_64, SEGMENT_DS), EXIT_ADVANCE);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(fake_log[i].value, 'd' - i);
	assert_int_equal(V->regs.rsi, 0x8ffd);
}

static void segments_and_address_sizes_are_those_of_the_instruction(void **state)
{
	(void)state;
	fake_guest(VCPU_REAL);
	vmcs_write(GUEST_FS_BASE, 0x20000);
	vmcs_write(GUEST_ES_BASE, 0x30000);
	fake_memory[0x20010] = 0x42;
	V->regs.rsi = 0xffff0010;
	V->regs.rcx = 0xffff0001;
	assert_int_equal(run(REP, 1, ADDRESS_16, SEGMENT_FS), EXIT_ADVANCE);
	assert_int_equal(fake_log[0].value, 0x42);
	assert_int_equal(V->regs.rsi, 0xffff0011);
	assert_int_equal(V->regs.rcx, 0xffff0000);
	V->regs.rdi = 0x11110020;
	assert_int_equal(run(IN, 1, ADDRESS_16, SEGMENT_DS), EXIT_ADVANCE);
	assert_int_equal(memory_at(0x30020, 1), 1);
	fake_guest(VCPU_LONG64);
	V->regs.rdi = 0xffffffff00008000;
	assert_int_equal(run(IN, 1, ADDRESS_32, SEGMENT_ES), EXIT_ADVANCE);
	assert_int_equal(V->regs.rdi, 0x8001);
}

static void offsets_wrap_in_real_mode_between_elements(void **state)
{
	(void)state;
	fake_guest(VCPU_REAL);
	fake_memory[0xffff] = 1;
	fake_memory[0] = 2;
	V->regs.rsi = 0xffff;
	V->regs.rcx = 2;
	assert_int_equal(run(REP, 1, ADDRESS_16, SEGMENT_DS), EXIT_ADVANCE);
	assert_int_equal(fake_log[1].value, 2);
	assert_int_equal(V->regs.rsi, 1);
}

static void a_page_fault_comes_before_the_port_is_read(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	V->regs.rdi = 0x8ffc;
	V->regs.rcx = 3;
	fake_entry(fake_leaf(0x9000), 0x9005);
	vmcs_write(GUEST_CR0, vmcs_read(GUEST_CR0) | CR0_WP);
	assert_int_equal(run(IN | REP, 4, ADDRESS_64, SEGMENT_ES), EXIT_INJECT);
	assert_int_equal(V->event.info & 0xff, VECTOR_PF);
	assert_int_equal(V->event.error, 3);
	assert_int_equal(vmx_fake_cr2, 0x9000);
	assert_int_equal(fake_accesses, 1);
	assert_int_equal(V->regs.rcx, 2);
	assert_int_equal(V->regs.rdi, 0x9000);
}

static void a_page_that_is_away_suspends_between_elements(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	V->regs.rdi = 0x8ffe;
	V->regs.rcx = 2;
	fake_suspend_page = 9;
	assert_int_equal(run(IN | REP, 2, ADDRESS_64, SEGMENT_ES), EXIT_SUSPEND);
	assert_int_equal(run(IN | REP, 2, ADDRESS_64, SEGMENT_ES), EXIT_SUSPEND);
	assert_int_equal(fake_accesses, 1);
	fake_suspend_page = ~0ULL;
	assert_int_equal(run(IN | REP, 2, ADDRESS_64, SEGMENT_ES), EXIT_ADVANCE);
	assert_int_equal(fake_accesses, 2);
	assert_int_equal(memory_at(0x8ffe, 4), 0x10000);
}

static void limits_and_rights_of_segments_hold(void **state)
{
	(void)state;
	fake_guest(VCPU_PROTECTED32);
	vmcs_write(GUEST_ES_LIMIT, 0x8001);
	V->regs.rdi = 0x7ffe;
	V->regs.rcx = 2;
	assert_int_equal(run(IN | REP, 4, ADDRESS_32, SEGMENT_ES), EXIT_INJECT);
	assert_int_equal(V->event.info & 0xff, VECTOR_GP);
	assert_int_equal(V->regs.rcx, 1);
	fake_guest(VCPU_PROTECTED32);
	vmcs_write(GUEST_ES_RIGHTS, BIT(16));
	assert_int_equal(run(IN, 4, ADDRESS_32, SEGMENT_ES), EXIT_INJECT);
	fake_guest(VCPU_PROTECTED32);
	vmcs_write(GUEST_CS_RIGHTS, 0xc099); /* execute-only */
	assert_int_equal(run(0, 4, ADDRESS_32, SEGMENT_CS), EXIT_INJECT);
	assert_int_equal(fake_accesses, 0);
}

static void a_segment_that_expands_down_is_valid_above_its_limit(void **state)
{
	(void)state;
	fake_guest(VCPU_PROTECTED32);
	vmcs_write(GUEST_ES_RIGHTS, 0xc097);
	vmcs_write(GUEST_ES_LIMIT, 0x7fff);
	V->regs.rdi = 0x8000;
	assert_int_equal(run(IN, 4, ADDRESS_32, SEGMENT_ES), EXIT_ADVANCE);
	V->regs.rdi = 0x7ffe;
	assert_int_equal(run(IN, 4, ADDRESS_32, SEGMENT_ES), EXIT_INJECT);
}

static void device_memory_takes_part(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	V->regs.rdi = FAKE_DEVICE;
	assert_int_equal(run(IN, 4, ADDRESS_64, SEGMENT_ES), EXIT_ADVANCE);
	assert_int_equal(fake_accesses, 2);
	assert_true(fake_log[1].write);
	assert_int_equal(fake_log[1].value, (u64)PORT << 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_element_needs_no_count),
		cmocka_unit_test(a_count_of_zero_does_nothing),
		cmocka_unit_test(a_disk_sector_arrives_in_bursts),
		cmocka_unit_test(bytes_go_out_in_order_and_backwards_with_df),
		cmocka_unit_test(segments_and_address_sizes_are_those_of_the_instruction),
		cmocka_unit_test(offsets_wrap_in_real_mode_between_elements),
		cmocka_unit_test(a_page_fault_comes_before_the_port_is_read),
		cmocka_unit_test(a_page_that_is_away_suspends_between_elements),
		cmocka_unit_test(limits_and_rights_of_segments_hold),
		cmocka_unit_test(a_segment_that_expands_down_is_valid_above_its_limit),
		cmocka_unit_test(device_memory_takes_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
