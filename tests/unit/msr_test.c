/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers as guests find them. */
#include "kernel/lib/config.h"
#include "tests/unit/support/pc_fake.h"
#include "tests/unit/support/platform_fake.h"
#include "tests/unit/support/vmx_fake.h"
#include "vmx/exit.h"
#include "vmx/inject.h"
#include "vmx/machine.h"
#include "vmx/msr.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define V (&vcpu)
#define SECOND (1000ULL * FAKE_TSC_KHZ)
#define FAR 1000000000000ULL
#define APIC_ON BIT(11)

enum { LOW_END = 0x2000, FUZZ_ROUNDS = 200000, VARIABLE_COUNT = 8 };
enum {
	TSC = 0x10,
	APIC_BASE = 0x1b,
	FEATURE_CONTROL = 0x3a,
	TSC_ADJUST = 0x3b,
	MTRR_CAP = 0xfe,
	CAPABILITIES = 0x10a,
	MCG_CAP = 0x179,
	MCG_STATUS = 0x17a,
	MISC_ENABLE = 0x1a0,
	DEBUGCTL = 0x1d9,
	BASE0 = 0x200,
	MASK0 = 0x201,
	FIXED_4K_LAST = 0x26f,
	DEF_TYPE = 0x2ff,
	DEADLINE = 0x6e0,
	EOI = 0x80b,
	SVR = 0x80f,
	LVT_TIMER_MSR = 0x832
};
#define HIGH_BASE 0xc0000000U

static struct vcpu vcpu;
static bool indexed; /* the table's index has been made */
static u8 unused_bitmap[PAGE_SIZE];
static u64 random_state;

static const struct {
	u32 first, last;
	const char *name;
} rows[] = {
#define MSR(first_, last_, name_, direct_, read_, write_, why_) { first_, last_, #name_ },
#include "vmx/msr.def"
#undef MSR
};

static u64 next_random(void)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return random_state >> 16 ^ random_state << 21;
}

static struct cpuid processor(u32 leaf, u32 subleaf)
{
	(void)subleaf;
	if (leaf == 0 || leaf == 0x80000000)
		return (struct cpuid){ leaf + 0x20, 0, 0, 0 };
	if (leaf == 0x80000008)
		return (struct cpuid){ 0x302e, 0, 0, 0 };
	return (struct cpuid){ ~0U, ~0U, ~0U, ~0U };
}

static void begin_as(enum config_identity identity)
{
	vmx_fake_reset();
	fake_pc(1);
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(fake_vm_start(0, 1024, 1024), OK);
	memset(V, 0, sizeof(*V));
	vcpu.config = (struct vcpu_config){
		.pc = pc, .mm = fake_vm(0), .identity = identity, .tsc_khz = FAKE_TSC_KHZ, .host_tsc_khz = FAKE_TSC_KHZ
	};
	cpuid_build(&vcpu.cpuid,
		    &(struct cpuid_facts){ .ask = processor, .vcpus = 1, .tsc_khz = FAKE_TSC_KHZ, .identity = identity });
	msr_reset(V);
	vcpu.notices = 0;
	fake_msr = 0;
	if (indexed)
		msr_fill_bitmap(unused_bitmap);
}

static void begin(void)
{
	begin_as(IDENTITY_KVM);
}

/* Only ECX, EDX and EAX count. */
static enum exit_action read_of(u32 number)
{
	vcpu.event.info = 0;
	vcpu.regs.rcx = 0xabcd000000000000 | number;
	vcpu.regs.rax = vcpu.regs.rdx = 0x5555555555555555;
	return msr_read_exit(V);
}

static enum exit_action write_of(u32 number, u64 value)
{
	vcpu.event.info = 0;
	vcpu.regs.rcx = 0xabcd000000000000 | number;
	vcpu.regs.rax = 0x1111111100000000 | (u32)value;
	vcpu.regs.rdx = 0x2222222200000000 | value >> 32;
	return msr_write_exit(V);
}

static u64 get(u32 number)
{
	assert_int_equal(read_of(number), EXIT_ADVANCE);
	assert_true(vcpu.regs.rax >> 32 == 0 && vcpu.regs.rdx >> 32 == 0);
	return vcpu.regs.rdx << 32 | vcpu.regs.rax;
}

static void set(u32 number, u64 value)
{
	assert_int_equal(write_of(number, value), EXIT_ADVANCE);
}

static bool is_gp(enum exit_action action)
{
	return action == EXIT_INJECT && (vcpu.event.info & 0xff) == VECTOR_GP && (vcpu.event.info & EVENT_HAS_ERROR) &&
	       vcpu.event.error == 0;
}

static bool refuses_read(u32 number)
{
	bool gp = is_gp(read_of(number));

	return gp && vcpu.regs.rax == 0x5555555555555555 && vcpu.regs.rdx == 0x5555555555555555;
}

static bool refuses(u32 number, u64 value)
{
	return is_gp(write_of(number, value));
}

/* ---- the table ---- */

static u32 row_of(u32 number)
{
	u32 i = 0;

	while (i < ARRAY_SIZE(rows) && (number < rows[i].first || number > rows[i].last))
		i++;
	return i;
}

static void rows_rise_and_do_not_overlap(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(rows[i].first <= rows[i].last);
		if (i && rows[i].first <= rows[i - 1].last)
			fail_msg("%s", rows[i].name);
	}
}

static void what_no_row_names_is_a_protection_fault(void **state)
{
	u32 seen = 0;

	(void)state;
	begin();
	for (u32 number = 0; number < LOW_END; number++) {
		for (u32 high = 0; high < 2; high++) {
			u32 msr_number = number + (high ? HIGH_BASE : 0);

			if (row_of(msr_number) != ARRAY_SIZE(rows))
				continue;
			if (!refuses_read(msr_number) || !refuses(msr_number, 0))
				fail_msg("0x%x is there", msr_number);
			seen++;
		}
	}
	assert_true(seen > LOW_END);
	assert_true(refuses_read(0xffffffff) && refuses(0x40000000, 0) && refuses_read(0x4b564d02) && refuses(0x4b564d04, 1));
}

static bool exits(const u8 *bitmap, u32 number)
{
	u32 bit = number < LOW_END ? number : number - HIGH_BASE + 8 * 1024;
	bool read = bitmap[bit / 8] >> bit % 8 & 1, write = bitmap[2048 + bit / 8] >> bit % 8 & 1;

	assert_int_equal(read, write);
	return read;
}

/* What VM entry and exit or switch.c change with the vCPU; anything more would be the host's own. */
static void the_bitmap_lets_through_what_is_switched_and_nothing_else(void **state)
{
	static const u32 switched[] = { 0x174,      0x175,      0x176,      0x277,      0xc0000080, 0xc0000081,
					0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102 };
	static const struct {
		u32 there, first, count;
	} more[] = { { BIT(DIRECT_RDTSCP), 0xc0000103, 1 }, { BIT(DIRECT_SPEC_CTRL), 0x48, 2 } };
	u8 bitmap[PAGE_SIZE];

	(void)state;
	for (u32 some = 0; some < 1U << ARRAY_SIZE(more); some++) {
		u32 there = BIT(DIRECT), expected = ARRAY_SIZE(switched), through = 0;

		for (u32 i = 0; i < ARRAY_SIZE(more); i++) {
			there |= some >> i & 1 ? more[i].there : 0;
			expected += some >> i & 1 ? more[i].count : 0;
		}
		memset(bitmap, 0x5a, sizeof(bitmap));
		msr_make_bitmap(bitmap, there);
		for (u32 number = 0; number < LOW_END; number++)
			through += (exits(bitmap, number) ? 0 : 1U) + (exits(bitmap, HIGH_BASE + number) ? 0 : 1U);
		assert_int_equal(through, expected);
		for (u32 i = 0; i < ARRAY_SIZE(switched); i++)
			assert_false(exits(bitmap, switched[i]));
		for (u32 i = 0; i < ARRAY_SIZE(more); i++)
			assert_int_equal(exits(bitmap, more[i].first), !(some >> i & 1));
	}
}

static void whatever_a_guest_tries_is_answered(void **state)
{
	u64 seed = (u64)time(NULL);

	(void)state;
	printf("seed %llu\n", seed);
	random_state = seed;
	begin();
	for (u32 i = 0; i < FUZZ_ROUNDS; i++) {
		u32 row = (u32)(next_random() % ARRAY_SIZE(rows));
		u32 number = rows[row].first + (u32)(next_random() % (rows[row].last - rows[row].first + 2));
		u64 value = next_random() & (next_random() % 2 ? 0xfffffffff : ~0ULL) & (next_random() % 2 ? 0xffffff : ~0ULL);
		bool write = next_random() % 2;
		enum exit_action action = write ? write_of(number, value) : read_of(number);

		if (action != EXIT_ADVANCE && !is_gp(action))
			fail_msg("seed %llu: 0x%x %s 0x%llx: %u", seed, number, write ? "=" : "read", value, action);
	}
	fake_audit_memory();
}

/* ---- constants and words ---- */

static void virtualisation_is_locked_off(void **state)
{
	(void)state;
	begin();
	assert_int_equal(get(FEATURE_CONTROL), 1);
	assert_true(refuses(FEATURE_CONTROL, 5));
	assert_true(refuses_read(0x480));
}

static void there_are_no_machine_check_banks(void **state)
{
	(void)state;
	begin();
	assert_int_equal(get(MCG_CAP), 0);
	assert_true(refuses(MCG_CAP, 0));
	set(MCG_STATUS, 0);
	assert_true(refuses(MCG_STATUS, 1));
	assert_true(refuses_read(0x400) && refuses(0x17b, ~0ULL));
}

static void immunities_are_told_where_cpuid_says_so_and_nothing_else(void **state)
{
	(void)state;
	begin();
	fake_msr = ~0ULL;
	u64 told = get(CAPABILITIES);

	assert_true(told & BIT(0) && told & BIT(5));
	assert_false(told & BIT(1)); /* enhanced IBRS needs IA32_SPEC_CTRL */
	assert_false(told & BIT(7)); /* TSX_CTRL */
	assert_true(refuses(CAPABILITIES, 0));
	vcpu.cpuid.basic[7].d |= 1U << 26;
	assert_true(get(CAPABILITIES) & BIT(1));
	vcpu.cpuid.basic[7].d = 0;
	assert_true(refuses_read(CAPABILITIES));
	assert_true(refuses_read(0x48) && refuses(0x49, 1));
}

static void the_microcode_is_the_processors_and_stays(void **state)
{
	(void)state;
	begin();
	fake_msr = 0xb000021ULL << 32;
	set(0x8b, 0);
	assert_int_equal(get(0x8b), 0xb000021ULL << 32);
	assert_true(refuses(0x79, 0));
}

static void only_fast_strings_can_be_switched(void **state)
{
	(void)state;
	begin();
	assert_int_equal(get(MISC_ENABLE), 0x1801);
	set(MISC_ENABLE, 0);
	assert_int_equal(get(MISC_ENABLE), 0x1800);
	set(MISC_ENABLE, ~0ULL);
	assert_int_equal(get(MISC_ENABLE), 0x1801);
}

static void branches_are_not_recorded(void **state)
{
	(void)state;
	begin();
	set(DEBUGCTL, 3);
	assert_int_equal(get(DEBUGCTL), 2);
	assert_int_equal(vmcs_read(GUEST_DEBUGCTL), 2);
	assert_true(refuses(DEBUGCTL, 1 << 6) && refuses(DEBUGCTL, BIT(32)));
}

/* ---- memory types ---- */

static void memory_is_write_back_and_the_hole_is_not(void **state)
{
	(void)state;
	begin();
	assert_int_equal(get(MTRR_CAP), 0x508);
	assert_true(refuses(MTRR_CAP, 0));
	assert_int_equal(get(DEF_TYPE), 0xc06);
	assert_int_equal(get(BASE0), 0xc0000000);
	assert_int_equal(get(MASK0), 0xfffc0000800);
	for (u32 i = 1; i < VARIABLE_COUNT; i++)
		assert_int_equal(get(MASK0 + 2 * i), 0);
	assert_int_equal(get(0x250), 0x0606060606060606);
	assert_int_equal(get(FIXED_4K_LAST), 0x0606060606060606);
	assert_true(refuses_read(0x210) && refuses_read(0x251) && refuses_read(0x25a) && refuses_read(0x270));
}

static void memory_type_registers_keep_what_the_processor_would_take(void **state)
{
	static const struct {
		u32 number;
		u64 good, bad;
	} rules[] = {
		{ DEF_TYPE, 0x800, 0xc02 },         { DEF_TYPE, 0xc06, 0x1006 },
		{ DEF_TYPE, 0xc05, 0xc07 },         { DEF_TYPE, 0, BIT(32) },
		{ BASE0, 0xfffffffff006, 0x3 },     { BASE0 + 14, 0x1000001, 0x806 },
		{ MASK0, 0xfffffffff800, 0x400 },   { MASK0 + 14, 0, BIT(63) },
		{ 0x250, 0x0001040506000006, 0x2 }, { FIXED_4K_LAST, 0, 0x0700000000000000 },
	};

	(void)state;
	begin();
	for (u32 i = 0; i < ARRAY_SIZE(rules); i++) {
		u64 address = (1ULL << cpuid_address_bits(V)) - 1;
		u64 good = rules[i].number < BASE0 + 2 * VARIABLE_COUNT ? rules[i].good & address : rules[i].good;

		set(rules[i].number, good);
		assert_true(refuses(rules[i].number, rules[i].bad));
		assert_true(get(rules[i].number) == good);
	}
	assert_true(refuses(BASE0, 1ULL << cpuid_address_bits(V)));
}

static void every_memory_type_register_is_its_own(void **state)
{
	static const u32 fixed[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f };

	(void)state;
	begin();
	for (u32 i = 0; i < 2 * VARIABLE_COUNT; i++)
		set(BASE0 + i, (u64)(i + 1) << PAGE_SHIFT);
	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
		set(fixed[i], (i & 1) << 8 | (u64)(i >> 1 & 1) << 16 | (u64)(i >> 2 & 1) << 24 | (u64)(i >> 3) << 32);
	for (u32 i = 0; i < 2 * VARIABLE_COUNT; i++)
		assert_int_equal(get(BASE0 + i), (u64)(i + 1) << PAGE_SHIFT);
	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
		assert_int_equal(get(fixed[i]),
				 (i & 1) << 8 | (u64)(i >> 1 & 1) << 16 | (u64)(i >> 2 & 1) << 24 | (u64)(i >> 3) << 32);
}

/* ---- time ---- */

static void a_written_counter_counts_on_from_there(void **state)
{
	(void)state;
	begin();
	vcpu.tsc_offset = 12345;
	u64 before = get(TSC);

	assert_int_equal(get(TSC_ADJUST), 0);
	set(TSC, before + 1000 * SECOND);
	assert_true(get(TSC) >= before + 1000 * SECOND);
	assert_true(get(TSC) < before + 2000 * SECOND);
	assert_true(vcpu.notices & NOTICE_TSC && vcpu.notices & NOTICE_CLOCK);
	u64 adjusted = get(TSC_ADJUST);

	assert_true(adjusted <= 1000 * SECOND && adjusted > 900 * SECOND);
	set(TSC_ADJUST, 0);
	assert_true(get(TSC) < before + 1000 * SECOND);
	set(TSC, 0);
	assert_true(get(TSC) < 1000 * SECOND);
	assert_int_equal(vcpu.tsc_offset, 12345);
}

/* The VM's time is the devices' from here; it stands in them, so all that follows is far from now. */
static void begin_timer(void)
{
	begin();
	fake_x2apic();
	fake_run_to(FAR);
	vcpu.tsc_offset = fake.now - rdtsc();
	set(LVT_TIMER_MSR, 2 << 17 | 0x40);
}

static const u64 adjustments[] = { 0, 5000, 1ULL << 62, (u64)-5000, 1ULL << 63, (u64)-FAR - 1 };

static void deadlines_are_in_the_vcpus_own_time(void **state)
{
	(void)state;
	begin_timer();
	for (u32 i = 0; i < ARRAY_SIZE(adjustments); i++) {
		u64 now = fake.now;

		set(TSC_ADJUST, adjustments[i]);
		set(DEADLINE, now + FAR + adjustments[i]);
		assert_int_equal(get(DEADLINE), now + FAR + adjustments[i]);
		fake_run(FAR - 1);
		assert_false(pc_interrupt_pending(pc, 0));
		fake_run(1);
		assert_int_equal(fake_take(0), 0x40);
		assert_int_equal(get(DEADLINE), 0);
		vcpu.tsc_offset += FAR;
		set(DEADLINE, fake.now + FAR + adjustments[i]);
		set(DEADLINE, 0);
		fake_run(2 * FAR);
		vcpu.tsc_offset += 2 * FAR;
		assert_false(pc_interrupt_pending(pc, 0));
	}
}

static void a_deadline_that_has_passed_fires_at_once(void **state)
{
	(void)state;
	begin_timer();
	for (u32 i = 0; i < ARRAY_SIZE(adjustments); i++) {
		u64 now = fake.now + adjustments[i];
		const u64 past[] = { now, 1, now - 1 };

		set(TSC_ADJUST, adjustments[i]);
		for (u32 j = 0; j < ARRAY_SIZE(past); j++) {
			set(DEADLINE, past[j]);
			fake_run(1);
			if (past[j] && past[j] <= now)
				assert_int_equal(fake_take(0), 0x40);
		}
	}
}

static void the_last_moment_never_comes(void **state)
{
	(void)state;
	begin_timer();
	set(TSC_ADJUST, 5000);
	set(DEADLINE, ~0ULL);
	assert_true(get(DEADLINE) == ~0ULL);
	fake_run(FAR);
	assert_false(pc_interrupt_pending(pc, 0));
}

/* ---- the LAPIC ---- */

static void the_lapic_is_reached_by_its_mode(void **state)
{
	(void)state;
	begin();
	assert_int_equal(get(APIC_BASE), 0xfee00900);
	assert_true(refuses_read(SVR) && refuses(EOI, 0));
	set(APIC_BASE, 0xfee00d00);
	set(SVR, 0x1ff);
	assert_int_equal(get(SVR), 0x1ff);
	set(EOI, 0);
	assert_true(refuses(EOI, 1) && refuses(EOI, BIT(32)));
	assert_true(refuses_read(EOI) && refuses_read(0x840));
	assert_true(refuses(APIC_BASE, 0xfee00900));
	set(APIC_BASE, 0xfee00100);
	assert_int_equal(get(APIC_BASE) & APIC_ON, 0);
	assert_true(refuses_read(SVR));
}

/* ---- identities ---- */

static void kvms_registers_are_kvms_alone(void **state)
{
	static const u32 numbers[] = { 0x11, 0x12, 0x4b564d00, 0x4b564d01, 0x4b564d03 };

	(void)state;
	for (enum config_identity identity = IDENTITY_KVM; identity <= IDENTITY_NONE; identity++) {
		begin_as(identity);
		for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
			assert_int_equal(refuses_read(numbers[i]), identity != IDENTITY_KVM);
			assert_int_equal(refuses(numbers[i], 0), identity != IDENTITY_KVM);
		}
	}
}

static void reset_is_as_firmware_leaves_it(void **state)
{
	(void)state;
	begin();
	set(TSC_ADJUST, 77);
	set(MISC_ENABLE, 0);
	set(DEF_TYPE, 0);
	set(MASK0, 0);
	msr_reset(V);
	assert_int_equal(get(TSC_ADJUST), 0);
	assert_int_equal(get(MISC_ENABLE), 0x1801);
	assert_int_equal(get(DEF_TYPE), 0xc06);
	assert_int_equal(get(MASK0), 0xfffc0000800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_rise_and_do_not_overlap),
		cmocka_unit_test(what_no_row_names_is_a_protection_fault),
		cmocka_unit_test(the_bitmap_lets_through_what_is_switched_and_nothing_else),
		cmocka_unit_test(whatever_a_guest_tries_is_answered),
		cmocka_unit_test(virtualisation_is_locked_off),
		cmocka_unit_test(there_are_no_machine_check_banks),
		cmocka_unit_test(immunities_are_told_where_cpuid_says_so_and_nothing_else),
		cmocka_unit_test(the_microcode_is_the_processors_and_stays),
		cmocka_unit_test(only_fast_strings_can_be_switched),
		cmocka_unit_test(branches_are_not_recorded),
		cmocka_unit_test(memory_is_write_back_and_the_hole_is_not),
		cmocka_unit_test(memory_type_registers_keep_what_the_processor_would_take),
		cmocka_unit_test(every_memory_type_register_is_its_own),
		cmocka_unit_test(a_written_counter_counts_on_from_there),
		cmocka_unit_test(deadlines_are_in_the_vcpus_own_time),
		cmocka_unit_test(a_deadline_that_has_passed_fires_at_once),
		cmocka_unit_test(the_last_moment_never_comes),
		cmocka_unit_test(the_lapic_is_reached_by_its_mode),
		cmocka_unit_test(kvms_registers_are_kvms_alone),
		cmocka_unit_test(reset_is_as_firmware_leaves_it),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	indexed = true;
	return failed + cmocka_run_group_tests_name("with the index", tests, NULL, NULL);
}
