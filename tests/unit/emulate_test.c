/* SPDX-License-Identifier: BSD-2-Clause */
/* Device accesses by emulation: what is promised beside the arithmetic (emulate_native_test.c compares that with the processor). */
#include "tests/unit/support/emulate_fake.h"
#include "vmx/emulate.h"
#include "vmx/emulate_string.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define V (&fake_vcpu)

static void device_set(u32 offset, u64 value)
{
	memcpy(fake_device + offset, &value, sizeof(value));
}

static u64 device_at(u32 offset, u32 bytes)
{
	u64 value = 0;

	memcpy(&value, fake_device + offset, bytes);
	return value;
}

static enum exit_action run(u64 linear, u64 qualification)
{
	fake_violation(linear, linear, qualification);
	return emulate_mmio(V, (gpa_t){ linear });
}

static void done(u64 linear, u64 qualification, u32 length)
{
	assert_int_equal(run(linear, qualification), EXIT_ADVANCE_DECODED);
	assert_int_equal(V->exit.length, length);
}

static void injected(enum exit_action action, u32 vector, u32 error)
{
	assert_int_equal(action, EXIT_INJECT);
	assert_int_equal(V->event.info & 0xff, vector);
	assert_int_equal(V->event.error, error);
}

/* ---- the forms that matter most ---- */

static void a_lapic_read_reads_the_device_once_and_clears_the_upper_half(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0x8b, 0x87, 0x20, 0x00, 0x00, 0x00); /* mov eax, [rdi + 0x20] */
	V->regs.rax = ~0ULL;
	V->regs.rdi = FAKE_DEVICE;
	device_set(0x20, 0x1122334455667788);
	done(FAKE_DEVICE + 0x20, FAKE_READ, 6);
	assert_int_equal(V->regs.rax, 0x55667788);
	assert_int_equal(fake_accesses, 1);
	assert_int_equal(fake_log[0].bytes, 4);
	assert_int_equal(fake_log[0].address, FAKE_DEVICE + 0x20);
	/* Five: four tables and the code. The operand is where the processor said. */
	assert_int_equal(fake_reaches, 5);
}

static void a_lapic_write_writes_the_device_once_and_reads_nothing(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0xc7, 0x04, 0x25, 0xb0, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00); /* mov dword [0x100000b0], 0 */
	device_set(0xb0, ~0ULL);
	done(FAKE_DEVICE + 0xb0, FAKE_WRITE, 11);
	assert_int_equal(device_at(0xb0, 8), 0xffffffff00000000);
	assert_int_equal(fake_accesses, 1);
	assert_true(fake_log[0].write);
}

static void rip_relative_addresses_count_from_the_next_instruction(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	u32 distance = (u32)(FAKE_DEVICE + 8 - (FAKE_CODE + 10));
	u8 code[10] = { 0xc7, 0x05, (u8)distance, (u8)(distance >> 8), (u8)(distance >> 16), (u8)(distance >> 24), 0x44,
			0x33, 0x22, 0x11 };

	fake_code(code, sizeof(code));
	done(FAKE_DEVICE + 8, FAKE_WRITE, 10);
	assert_int_equal(device_at(8, 4), 0x11223344);
}

static void absolute_addresses_are_as_wide_as_addresses(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0x48, 0xa1, 0x10, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00); /* mov rax, [0x10000010] */
	device_set(0x10, 0x0102030405060708);
	done(FAKE_DEVICE + 0x10, FAKE_READ, 10);
	assert_int_equal(V->regs.rax, 0x0102030405060708);
	fake_guest(VCPU_PROTECTED32);
	FAKE_BYTES(0xa2, 0x11, 0x00, 0x00, 0x10); /* mov [0x10000011], al */
	V->regs.rax = 0xab;
	done(FAKE_DEVICE + 0x11, FAKE_WRITE, 5);
	assert_int_equal(device_at(0x10, 4), 0xab00);
}

static void fs_and_gs_have_bases_in_64_bit_code(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0x65, 0x88, 0x01); /* mov gs:[rcx], al */
	vmcs_write(GUEST_GS_BASE, FAKE_DEVICE);
	V->regs.rcx = 0x33;
	V->regs.rax = 0x7e;
	done(0, FAKE_WRITE, 3);
	assert_int_equal(device_at(0x33, 1), 0x7e);
	FAKE_BYTES(0x3e, 0x88, 0x01); /* ds: has none */
	vmcs_write(GUEST_DS_BASE, 0x1000);
	V->regs.rcx = FAKE_DEVICE + 0x34;
	done(FAKE_DEVICE + 0x34, FAKE_WRITE, 3);
	assert_int_equal(device_at(0x34, 1), 0x7e);
}

static void a_stack_in_a_device_is_pushed_to(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0xff, 0x37); /* push [rdi] */
	V->regs.rdi = 0x8000;
	fake_entry(0x8000, 0x1122334455667788);
	vmcs_write(GUEST_RSP, FAKE_DEVICE + 0x20);
	done(0, FAKE_WRITE, 2);
	assert_int_equal(device_at(0x18, 8), 0x1122334455667788);
	assert_int_equal(vmcs_read(GUEST_RSP), FAKE_DEVICE + 0x18);
}

static void rf_ends_with_the_instruction(void **state)
{
	static const u8 codes[][4] = { { 0x89, 0x07 }, { 0xf3, 0xab }, { 0xff, 0x37 } };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		fake_guest(VCPU_LONG64);
		fake_code(codes[i], sizeof(codes[i]));
		V->regs.rdi = FAKE_DEVICE;
		V->regs.rcx = 1;
		vmcs_write(GUEST_RFLAGS, RFLAGS_ONE | RFLAGS_RF | RFLAGS_IF);
		done(FAKE_DEVICE, FAKE_WRITE, 2);
		assert_int_equal(vmcs_read(GUEST_RFLAGS), RFLAGS_ONE | RFLAGS_IF);
	}
}

/* ---- gather, then act ---- */

struct kept {
	union vcpu_regs regs;
	u64 rsp, flags;
	u8 memory[FAKE_MEMORY];
};

static void keep(struct kept *kept)
{
	kept->regs = V->regs;
	kept->rsp = vmcs_read(GUEST_RSP);
	kept->flags = vmcs_read(GUEST_RFLAGS);
	memcpy(kept->memory, fake_memory, FAKE_MEMORY);
}

static void assert_unchanged(const struct kept *kept)
{
	assert_memory_equal(&kept->regs, &V->regs, sizeof(kept->regs));
	assert_int_equal(kept->rsp, vmcs_read(GUEST_RSP));
	assert_int_equal(kept->flags, vmcs_read(GUEST_RFLAGS));
	assert_memory_equal(kept->memory, fake_memory, FAKE_MEMORY);
	assert_int_equal(fake_accesses, 0);
}

/* RSI: memory across a page border; RDI: the device, RBX: half memory, half device. */
static void set_up_for_suspension(const u8 *code)
{
	fake_guest(VCPU_LONG64);
	fake_code(code, CODE_BYTES);
	V->regs.rsi = 0x8ffc;
	V->regs.rdi = FAKE_DEVICE + 0x100;
	V->regs.rbx = FAKE_MEMORY - 4;
	V->regs.rcx = 1;
	memset(fake_memory + 0x8ff0, 0x5a, 32);
	device_set(0x100, 0x1234567812345678);
}

static void whatever_suspends_has_changed_nothing_and_is_done_once_later(void **state)
{
	static const u8 codes[][CODE_BYTES] = {
		{ 0x48, 0x01, 0x07 },       /* add [rdi], rax */
		{ 0x48, 0xa5 },             /* movsq */
		{ 0xf3, 0x48, 0xa7 },       /* repe cmpsq */
		{ 0xff, 0x37 },             /* push [rdi] */
		{ 0x8f, 0x07 },             /* pop [rdi] */
		{ 0x48, 0x87, 0x03 },       /* xchg [rbx], rax */
		{ 0x48, 0x0f, 0xb1, 0x03 }, /* cmpxchg [rbx], rax */
	};
	static struct kept before, wanted;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		set_up_for_suspension(codes[i]);
		assert_int_equal(run(0, FAKE_WRITE), EXIT_ADVANCE_DECODED);
		u32 reaches = fake_reaches, accesses = fake_accesses;

		keep(&wanted);
		for (u32 at = 1; at <= reaches; at++) {
			set_up_for_suspension(codes[i]);
			keep(&before);
			fake_suspend_at = at;
			assert_int_equal(run(0, FAKE_WRITE), EXIT_SUSPEND);
			assert_unchanged(&before);
			assert_int_equal(run(0, FAKE_WRITE), EXIT_ADVANCE_DECODED);
			assert_int_equal(fake_accesses, accesses);
			assert_memory_equal(&wanted.regs, &V->regs, sizeof(V->regs));
			assert_memory_equal(wanted.memory, fake_memory, FAKE_MEMORY);
		}
	}
}

static void an_operand_half_in_memory_half_in_a_device_goes_to_both(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0x48, 0x89, 0x03);                         /* mov [rbx], rax */
	fake_entry(FAKE_TABLES + 0x2008, FAKE_DEVICE | 0x87); /* linear 2 MiB: the device */
	V->regs.rbx = FAKE_MEMORY - 3;
	V->regs.rax = 0x1122334455667788;
	done(FAKE_MEMORY, FAKE_WRITE, 3);
	assert_int_equal(device_at(0, 5), 0x1122334455);
	assert_int_equal(fake_memory[FAKE_MEMORY - 3] | fake_memory[FAKE_MEMORY - 1] << 8, 0x6688);
	V->regs.rax = 0;
	FAKE_BYTES(0x48, 0x8b, 0x03); /* mov rax, [rbx] */
	done(FAKE_MEMORY, FAKE_READ, 3);
	assert_int_equal(V->regs.rax, 0x1122334455667788);
}

static void dirty_and_accessed_flags_are_set_as_by_the_processor(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0x48, 0xa5); /* movsq: memory to the device */
	V->regs.rsi = 0x8000;
	V->regs.rdi = FAKE_DEVICE;
	done(FAKE_DEVICE, FAKE_WRITE, 2);
	assert_int_equal(fake_entry_at(fake_leaf(0x8000)), 0x8000 | 0x27);
	assert_int_equal(fake_entry_at(FAKE_TABLES + 0x2000 + 8 * (FAKE_DEVICE >> LARGE_SHIFT)), FAKE_DEVICE | 0xe7);
	assert_int_equal(fake_entry_at(FAKE_TABLES) & 0xfff, 0x27);
	V->regs.rdi = 0x9000;
	V->regs.rsi = FAKE_DEVICE;
	done(FAKE_DEVICE, FAKE_READ, 2);
	assert_int_equal(fake_entry_at(fake_leaf(0x9000)), 0x9000 | 0x67);
}

/* ---- what the guest did wrong ---- */

static void a_fault_on_the_other_operand_reaches_the_guest(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0xa5); /* movsd */
	V->regs.rsi = FAKE_DEVICE;
	V->regs.rdi = 0x9ffe;
	fake_entry(fake_leaf(0xa000), 0);
	injected(run(FAKE_DEVICE, FAKE_READ), VECTOR_PF, 2);
	assert_int_equal(vmx_fake_cr2, 0xa000);
	assert_int_equal(fake_accesses, 0);
}

static void addresses_that_are_not_canonical_are_refused_by_segment(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0xa5);
	V->regs.rsi = FAKE_DEVICE;
	V->regs.rdi = 0x00007ffffffffffd;
	injected(run(FAKE_DEVICE, FAKE_READ), VECTOR_GP, 0);
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0xff, 0x37); /* push [rdi] */
	V->regs.rdi = FAKE_DEVICE;
	vmcs_write(GUEST_RSP, 0x8000000000000000);
	injected(run(FAKE_DEVICE, FAKE_READ), VECTOR_SS, 0);
}

static void segment_limits_hold_in_real_mode(void **state)
{
	(void)state;
	fake_guest(VCPU_REAL);
	FAKE_BYTES(0xa5); /* movsw */
	vmcs_write(GUEST_DS_BASE, FAKE_DEVICE);
	V->regs.rdi = 0xffff;
	injected(run(FAKE_DEVICE, FAKE_READ), VECTOR_GP, 0);
}

static void a_read_only_or_code_segment_is_not_written(void **state)
{
	(void)state;
	fake_guest(VCPU_PROTECTED32);
	FAKE_BYTES(0x2e, 0xff, 0x07); /* inc dword cs:[edi] */
	V->regs.rdi = FAKE_DEVICE;
	injected(run(0, FAKE_WRITE), VECTOR_GP, 0);
	fake_guest(VCPU_PROTECTED32);
	FAKE_BYTES(0xff, 0x07);
	vmcs_write(GUEST_DS_RIGHTS, 0xc091);
	V->regs.rdi = FAKE_DEVICE;
	injected(run(0, FAKE_WRITE), VECTOR_GP, 0);
}

static void lock_where_it_must_not_be_is_undefined(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0xf0, 0x89, 0x07); /* lock mov */
	injected(run(FAKE_DEVICE, FAKE_WRITE), VECTOR_UD, 0);
}

static void an_unknown_instruction_ends_the_vm_naming_its_bytes(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0x0f, 0x11, 0x07); /* movups [rdi], xmm0 */
	assert_int_equal(run(FAKE_DEVICE, FAKE_WRITE), EXIT_KILL);
	assert_non_null(strstr(vcpu_why(V), "not emulated: 0f 11 07"));
	assert_non_null(strstr(vcpu_why(V), "rip 0x5000"));
}

static void code_tables_and_event_delivery_in_device_memory_end_the_vm(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	assert_int_equal(run(FAKE_DEVICE, 0x184), EXIT_KILL);
	assert_non_null(strstr(vcpu_why(V), "code in device memory"));
	assert_int_equal(run(FAKE_DEVICE, 0x081), EXIT_KILL);
	assert_non_null(strstr(vcpu_why(V), "page tables"));
	V->event.info = EVENT_VALID | 0x20;
	assert_int_equal(run(FAKE_DEVICE, FAKE_WRITE), EXIT_KILL);
	assert_non_null(strstr(vcpu_why(V), "delivery"));
}

static void code_that_changed_meanwhile_is_run_by_the_processor(void **state)
{
	static const u8 codes[][4] = { { 0x89, 0xc7 }, { 0x89, 0x06 }, { 0xa5 }, { 0xff, 0x36 } };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(codes); i++) {
		fake_guest(VCPU_LONG64);
		fake_code(codes[i], sizeof(codes[i]));
		V->regs.rsi = 0x8000;
		V->regs.rdi = 0x9000;
		assert_int_equal(run(FAKE_DEVICE, FAKE_WRITE), EXIT_RESUME);
		assert_int_equal(fake_accesses, 0);
	}
}

static void instructions_across_a_page_border_need_the_second_page_only_if_they_reach_it(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	V->exit.rip = 0x5ffe;
	FAKE_BYTES(0x8b, 0x07); /* mov eax, [rdi] */
	V->regs.rdi = FAKE_DEVICE;
	fake_entry(fake_leaf(0x6000), 0);
	done(FAKE_DEVICE, FAKE_READ, 2);
	FAKE_BYTES(0x8b, 0x47, 0x04); /* mov eax, [rdi + 4] */
	injected(run(FAKE_DEVICE, FAKE_READ), VECTOR_PF, 0);
	assert_int_equal(vmx_fake_cr2, 0x6000);
	V->event.info = 0;
	fake_entry(fake_leaf(0x6000), 0x6007);
	done(FAKE_DEVICE + 4, FAKE_READ, 3);
}

/* ---- strings ---- */

static void a_long_string_goes_in_bursts_and_ends_exactly(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0xf3, 0xab); /* rep stosd */
	V->regs.rdi = FAKE_DEVICE + 0x10;
	V->regs.rcx = 3 * STRING_BURST + 1;
	V->regs.rax = 0xa1b2c3d4;
	for (u32 i = 1; i <= 3; i++) {
		assert_int_equal(run(FAKE_DEVICE, FAKE_WRITE), EXIT_RESUME);
		assert_int_equal(V->regs.rcx, (3 - i) * STRING_BURST + 1);
		assert_int_equal(V->regs.rdi, FAKE_DEVICE + 0x10 + 4 * i * STRING_BURST);
	}
	done(FAKE_DEVICE, FAKE_WRITE, 2);
	assert_int_equal(V->regs.rcx, 0);
	assert_int_equal(fake_accesses, 3 * STRING_BURST + 1);
	assert_int_equal(device_at(0x10 + 4 * 3 * STRING_BURST, 8), 0xa1b2c3d4);
}

static void a_string_without_end_yields(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0xf3, 0xac); /* rep lodsb */
	V->regs.rsi = FAKE_DEVICE;
	V->regs.rcx = ~0ULL;
	assert_int_equal(run(FAKE_DEVICE, FAKE_READ), EXIT_RESUME);
	assert_true(fake_accesses <= STRING_BURST);
}

static void a_string_that_faults_midway_keeps_what_is_done(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0xf3, 0x48, 0xa5); /* rep movsq, device to memory */
	V->regs.rsi = FAKE_DEVICE;
	V->regs.rdi = 0x9ff0;
	V->regs.rcx = 5;
	fake_entry(fake_leaf(0xa000), 0);
	injected(run(FAKE_DEVICE, FAKE_READ), VECTOR_PF, 2);
	assert_int_equal(vmx_fake_cr2, 0xa000);
	assert_int_equal(V->regs.rcx, 3);
	assert_int_equal(V->regs.rsi, FAKE_DEVICE + 16);
	assert_int_equal(V->regs.rdi, 0xa000);
	assert_int_equal(fake_accesses, 2);
}

static void single_stepping_stops_after_each_element(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0xf3, 0xaa);
	V->regs.rdi = FAKE_DEVICE;
	V->regs.rcx = 2;
	vmcs_write(GUEST_RFLAGS, RFLAGS_ONE | RFLAGS_TF);
	assert_int_equal(run(FAKE_DEVICE, FAKE_WRITE), EXIT_RESUME);
	assert_int_equal(vmcs_read(GUEST_PENDING_DEBUG), 1 << 14);
	assert_int_equal(V->regs.rcx, 1);
	done(FAKE_DEVICE, FAKE_WRITE, 2); /* the last one's trap is exit.c's */
}

static void string_counts_are_as_wide_as_addresses(void **state)
{
	(void)state;
	fake_guest(VCPU_LONG64);
	FAKE_BYTES(0x67, 0xf3, 0xaa); /* rep stosb, 32-bit addresses */
	V->regs.rdi = 0xabcd00000000 | FAKE_DEVICE;
	V->regs.rcx = 0x500000002;
	done(FAKE_DEVICE, FAKE_WRITE, 3);
	assert_int_equal(V->regs.rcx, 0);
	assert_int_equal(V->regs.rdi, FAKE_DEVICE + 2);
	fake_guest(VCPU_REAL);
	FAKE_BYTES(0xf3, 0xaa); /* 16-bit */
	vmcs_write(GUEST_ES_BASE, FAKE_DEVICE);
	V->regs.rdi = 0x77770010;
	V->regs.rcx = 0x88880001;
	done(FAKE_DEVICE, FAKE_WRITE, 2);
	assert_int_equal(V->regs.rcx, 0x88880000);
	assert_int_equal(V->regs.rdi, 0x77770011);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lapic_read_reads_the_device_once_and_clears_the_upper_half),
		cmocka_unit_test(a_lapic_write_writes_the_device_once_and_reads_nothing),
		cmocka_unit_test(rip_relative_addresses_count_from_the_next_instruction),
		cmocka_unit_test(absolute_addresses_are_as_wide_as_addresses),
		cmocka_unit_test(fs_and_gs_have_bases_in_64_bit_code),
		cmocka_unit_test(a_stack_in_a_device_is_pushed_to),
		cmocka_unit_test(rf_ends_with_the_instruction),
		cmocka_unit_test(whatever_suspends_has_changed_nothing_and_is_done_once_later),
		cmocka_unit_test(an_operand_half_in_memory_half_in_a_device_goes_to_both),
		cmocka_unit_test(dirty_and_accessed_flags_are_set_as_by_the_processor),
		cmocka_unit_test(a_fault_on_the_other_operand_reaches_the_guest),
		cmocka_unit_test(addresses_that_are_not_canonical_are_refused_by_segment),
		cmocka_unit_test(segment_limits_hold_in_real_mode),
		cmocka_unit_test(a_read_only_or_code_segment_is_not_written),
		cmocka_unit_test(lock_where_it_must_not_be_is_undefined),
		cmocka_unit_test(an_unknown_instruction_ends_the_vm_naming_its_bytes),
		cmocka_unit_test(code_tables_and_event_delivery_in_device_memory_end_the_vm),
		cmocka_unit_test(code_that_changed_meanwhile_is_run_by_the_processor),
		cmocka_unit_test(instructions_across_a_page_border_need_the_second_page_only_if_they_reach_it),
		cmocka_unit_test(a_long_string_goes_in_bursts_and_ends_exactly),
		cmocka_unit_test(a_string_without_end_yields),
		cmocka_unit_test(a_string_that_faults_midway_keeps_what_is_done),
		cmocka_unit_test(single_stepping_stops_after_each_element),
		cmocka_unit_test(string_counts_are_as_wide_as_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
