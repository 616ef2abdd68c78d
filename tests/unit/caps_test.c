/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever a processor or its firmware withholds: one line says what is missing and what to do. */
#include "vmx/machine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The processor that vmx/caps.c asks is this one. */
static u64 fake_read(u32 msr);
static void fake_write(u32 msr, u64 value);
static bool fake_has(u64 feature);
static struct cpuid fake_cpuid(u32 leaf, u32 subleaf);
#define msr_read fake_read
#define msr_write fake_write
#define cpu_has fake_has
#define cpuid(leaf, subleaf) fake_cpuid(leaf, subleaf)
#define cr0_read() (0x80000021ULL)
#include "vmx/caps.c"

enum { WHY_BYTES = 200, FIRST_VMX_MSR = MSR_VMX_BASIC, VMX_MSRS = 0x14 };
#define TRUE_CONTROLS_REVISION 0xc0000000000012ULL
#define ALL_FREE 0xffffffff00000000ULL

static struct {
	bool vmx;
	u64 feature_control;
	u64 vmx_msrs[VMX_MSRS];
	u32 reads_of_secondary;
} processor;

static u64 fake_read(u32 msr)
{
	if (msr == MSR_FEATURE_CONTROL)
		return processor.feature_control;
	assert_true(processor.vmx); /* else #GP */
	assert_in_range(msr, FIRST_VMX_MSR, FIRST_VMX_MSR + VMX_MSRS - 1);
	processor.reads_of_secondary += msr == MSR_VMX_CPU2 || msr == MSR_VMX_EPT_VPID;
	return processor.vmx_msrs[msr - FIRST_VMX_MSR];
}

static void fake_write(u32 msr, u64 value)
{
	assert_int_equal(msr, MSR_FEATURE_CONTROL);
	assert_false(processor.feature_control & VMX_LOCKED); /* else #GP */
	processor.feature_control = value;
}

static bool fake_has(u64 feature)
{
	return processor.vmx && (feature == FEATURE_VMX || feature == FEATURE_XSAVE);
}

static struct cpuid fake_cpuid(u32 leaf, u32 subleaf)
{
	static const struct {
		u32 leaf;
		struct cpuid answer;
	} leaves[] = {
		{ 7, { .b = 1 << 5 } }, /* AVX2 */
		{ 13, { .a = 0x2e7, .b = 832, .c = 2696 } },
		{ 0x80000008, { .a = 46 } },
	};

	assert_int_equal(subleaf, 0);
	for (u32 i = 0; i < ARRAY_SIZE(leaves); i++)
		if (leaves[i].leaf == leaf)
			return leaves[i].answer;
	fail_msg("leaf 0x%x", leaf);
	return (struct cpuid){ 0 };
}

static u64 *vmx_msr(u32 msr)
{
	return &processor.vmx_msrs[msr - FIRST_VMX_MSR];
}

/* All that can be asked for, unlocked. */
static int make_perfect(void **state)
{
	(void)state;
	memset(&processor, 0, sizeof(processor));
	memset(&vmx_caps, 0, sizeof(vmx_caps));
	processor.vmx = true;
	*vmx_msr(MSR_VMX_BASIC) = TRUE_CONTROLS_REVISION;
	for (u32 msr = MSR_VMX_PIN; msr <= MSR_VMX_ENTRY; msr++)
		*vmx_msr(msr) = ALL_FREE;
	for (u32 msr = MSR_VMX_TRUE_PIN; msr <= MSR_VMX_TRUE_ENTRY; msr++)
		*vmx_msr(msr) = ALL_FREE;
	*vmx_msr(MSR_VMX_CPU2) = ALL_FREE;
	*vmx_msr(MSR_VMX_EPT_VPID) = ~0ULL;
	*vmx_msr(MSR_VMX_MISC) = 5;
	*vmx_msr(MSR_VMX_CR0_FIXED0) = 0x80000021;
	return 0;
}

static void expect_refused(const char *missing, const char *remedy)
{
	char why[WHY_BYTES] = "";

	vmx_caps.usable = false;
	assert_int_equal(vmx_probe(why, sizeof(why)), E_UNSUPPORTED);
	assert_false(vmx_caps.usable);
	if (!strstr(why, missing) || !strstr(why, remedy) || strchr(why, '\n') || strlen(why) + 1 == sizeof(why))
		fail_msg("'%s' does not say '%s' and '%s' in one line", why, missing, remedy);
}

static void a_perfect_processor_is_usable(void **state)
{
	char why[WHY_BYTES];

	(void)state;
	assert_int_equal(vmx_probe(why, sizeof(why)), OK);
	assert_true(vmx_caps.usable && vmx_caps.ept_dirty && vmx_caps.ept_large);
	assert_int_equal(vmx_caps.revision, 0x12);
	assert_int_equal(vmx_caps.timer_shift, 5);
	assert_int_equal(vmx_caps.xsave_bytes, 2696);
	assert_true(vmx_has(CONTROL_CPU2, CPU2_EPT) && vmx_has(CONTROL_PIN, PIN_PREEMPTION_TIMER));
}

static void without_vt_x_nothing_else_is_read(void **state)
{
	(void)state;
	processor.vmx = false;
	expect_refused("no VT-x", "nested virtualisation");
	assert_int_equal(processor.feature_control, 0);
}

static void what_firmware_left_open_is_enabled_and_locked(void **state)
{
	char why[WHY_BYTES];

	(void)state;
	assert_int_equal(vmx_probe(why, sizeof(why)), OK);
	assert_int_equal(processor.feature_control, VMX_LOCKED | VMX_ENABLED);
	processor.feature_control = 0x20000 | VMX_LOCKED | VMX_ENABLED; /* SGX too: firmware's business */
	assert_int_equal(vmx_probe(why, sizeof(why)), OK);
	assert_int_equal(processor.feature_control, 0x20000 | VMX_LOCKED | VMX_ENABLED);
}

static void what_firmware_locked_off_is_told_to_be_switched_on_there(void **state)
{
	(void)state;
	processor.feature_control = VMX_LOCKED;
	expect_refused("VT-x is disabled by firmware (IA32_FEATURE_CONTROL = 0x1)", "firmware setup");
	assert_int_equal(processor.feature_control, VMX_LOCKED);
	processor.feature_control = VMX_LOCKED | 2; /* inside SMX only */
	expect_refused("IA32_FEATURE_CONTROL = 0x3", "firmware setup");
}

static const struct {
	enum control_group group;
	u32 msr, bit;
	enum { NEEDED, WANTED, SWITCHED, NEVER } wish;
	const char *name;
} rows[] = {
#define CONTROL(group_, name_, bit_, wish_, why_) { CONTROL_##group_, MSR_OF_##group_, bit_, wish_, #name_ },
#define MSR_OF_CPU MSR_VMX_TRUE_CPU
#define MSR_OF_CPU2 MSR_VMX_CPU2
#define MSR_OF_PIN MSR_VMX_TRUE_PIN
#define MSR_OF_EXIT MSR_VMX_TRUE_EXIT
#define MSR_OF_ENTRY MSR_VMX_TRUE_ENTRY
#include "vmx/controls.def"
#undef CONTROL
};

static void each_missing_control_is_named_with_its_register(void **state)
{
	char msr[20];

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].wish != NEEDED && rows[i].wish != SWITCHED)
			continue;
		make_perfect(state);
		*vmx_msr(rows[i].msr) &= ~BIT(32 + rows[i].bit);
		snprintf(msr, sizeof(msr), "(MSR 0x%x)", rows[i].msr);
		expect_refused(rows[i].name, msr);
		expect_refused("VT-x lacks", "newer");
	}
}

static void a_control_that_cannot_be_off_is_named_too(void **state)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].wish != NEVER && rows[i].wish != SWITCHED)
			continue;
		make_perfect(state);
		*vmx_msr(rows[i].msr) |= BIT(rows[i].bit);
		expect_refused(rows[i].name, "newer");
	}
}

static void what_is_only_wanted_is_left_off_where_it_is_missing(void **state)
{
	char why[WHY_BYTES];

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].wish != WANTED)
			continue;
		make_perfect(state);
		*vmx_msr(rows[i].msr) &= ~BIT(32 + rows[i].bit);
		assert_int_equal(vmx_probe(why, sizeof(why)), OK);
		assert_false(vmx_has(rows[i].group, 1U << rows[i].bit));
	}
}

/* Penryn, 2008: what made Westmere new is named, not one of the small things that it lacks as well. */
static void the_generation_before_ept_is_told_that_ept_is_missing(void **state)
{
	(void)state;
	*vmx_msr(MSR_VMX_CPU2) = 0x4100000000ULL;
	*vmx_msr(MSR_VMX_TRUE_PIN) &= ~BIT(32 + 6);
	expect_refused("lacks EPT (MSR 0x48b)", "Westmere");
}

static void a_processor_without_secondary_controls_is_not_asked_for_them(void **state)
{
	(void)state;
	*vmx_msr(MSR_VMX_TRUE_CPU) &= ~BIT(63);
	expect_refused("lacks SECONDARY", "Westmere");
	assert_int_equal(processor.reads_of_secondary, 0);
}

/* The first VT-x processors have no MSRs "true controls": the plain ones count. */
static void the_plain_registers_count_where_there_are_no_exact_ones(void **state)
{
	char why[WHY_BYTES];

	(void)state;
	*vmx_msr(MSR_VMX_BASIC) = BASIC_STRING_IO | 0x12;
	for (u32 msr = MSR_VMX_TRUE_PIN; msr <= MSR_VMX_TRUE_ENTRY; msr++)
		*vmx_msr(msr) = 0;
	assert_int_equal(vmx_probe(why, sizeof(why)), OK);
	*vmx_msr(MSR_VMX_ENTRY) &= ~BIT(32 + 15);
	expect_refused("LOAD_EFER", "(MSR 0x484)");
}

static void each_missing_part_of_ept_is_named(void **state)
{
	static const struct {
		u32 bit;
		const char *name;
	} parts[] = { { 6, "length 4" }, { 14, "write-back" }, { 20, "INVEPT" },  { 25, "INVEPT" },
		      { 26, "INVEPT" },  { 32, "INVVPID" },    { 41, "INVVPID" }, { 42, "INVVPID" } };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
		*vmx_msr(MSR_VMX_EPT_VPID) = ~BIT(parts[i].bit);
		expect_refused(parts[i].name, "use a newer processor");
	}
}

static void information_about_string_io_is_needed(void **state)
{
	(void)state;
	*vmx_msr(MSR_VMX_BASIC) &= ~BASIC_STRING_IO;
	expect_refused("INS and OUTS (MSR 0x480)", "use a newer processor");
}

/* What of this processor another CPU lacks is said of that CPU, and nobody turns VT-x on. */
static void cpus_that_differ_are_told_apart(void **state)
{
	static const struct {
		bool vmx;
		u64 feature_control, basic;
		const char *says;
	} others[] = { { false, 0, TRUE_CONTROLS_REVISION, "CPU 0 has no VT-x, unlike" },
		       { true, VMX_LOCKED, TRUE_CONTROLS_REVISION, "CPU 0 has VT-x disabled by firmware, unlike" },
		       { true, 0, TRUE_CONTROLS_REVISION + 1, "CPU 0 has VT-x of another kind, unlike" } };
	char why[WHY_BYTES];

	for (u32 i = 0; i < ARRAY_SIZE(others); i++) {
		make_perfect(state);
		assert_int_equal(vmx_probe(why, sizeof(why)), OK);
		vmx_compare_cpu();
		assert_int_equal(vmx_all_alike(why, sizeof(why)), OK);
		assert_true(vmx_caps.usable);
		processor.vmx = others[i].vmx;
		processor.feature_control = others[i].feature_control;
		*vmx_msr(MSR_VMX_BASIC) = others[i].basic;
		vmx_compare_cpu();
		assert_int_equal(vmx_all_alike(why, sizeof(why)), E_UNSUPPORTED);
		assert_false(vmx_caps.usable);
		assert_non_null(strstr(why, others[i].says));
		assert_non_null(strstr(why, "in the firmware setup, or update the firmware"));
	}
}

/* The other CPUs' registers are theirs: each is unlocked by itself. */
static void comparing_enables_what_firmware_left_open(void **state)
{
	char why[WHY_BYTES];

	(void)state;
	assert_int_equal(vmx_probe(why, sizeof(why)), OK);
	processor.feature_control = 0;
	vmx_compare_cpu();
	assert_int_equal(processor.feature_control, VMX_LOCKED | VMX_ENABLED);
	assert_int_equal(vmx_all_alike(why, sizeof(why)), OK);
}

#define TEST(name) cmocka_unit_test_setup(name, make_perfect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_perfect_processor_is_usable),
		TEST(without_vt_x_nothing_else_is_read),
		TEST(what_firmware_left_open_is_enabled_and_locked),
		TEST(what_firmware_locked_off_is_told_to_be_switched_on_there),
		TEST(each_missing_control_is_named_with_its_register),
		TEST(a_control_that_cannot_be_off_is_named_too),
		TEST(what_is_only_wanted_is_left_off_where_it_is_missing),
		TEST(the_generation_before_ept_is_told_that_ept_is_missing),
		TEST(a_processor_without_secondary_controls_is_not_asked_for_them),
		TEST(the_plain_registers_count_where_there_are_no_exact_ones),
		TEST(each_missing_part_of_ept_is_named),
		TEST(information_about_string_io_is_needed),
		TEST(cpus_that_differ_are_told_apart),
		TEST(comparing_enables_what_firmware_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
