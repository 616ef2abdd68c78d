/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests are told about their processor. */
#include "kernel/abi/cpuid.h"
#include "kernel/lib/config.h"
#include "tests/unit/support/pc_fake.h"
#include "tests/unit/support/vmx_fake.h"
#include "vmx/exit.h"
#include "vmx/machine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { ROUNDS = 2000, KHZ = 50000, OSXSAVE = 27, APIC = 9, LAST = 0xd };
enum { A, B, C, D };
#define LAST_EXTENDED 0x80000008U
#define XCR0_ALL 0xe7ULL

static struct vcpu vcpu;
static u64 random_state;

/* ---- processors ---- */

static u32 next_random(void)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(random_state >> 32);
}

/* Sizes and offsets of extended state as on every processor with AVX-512. */
static struct cpuid component(u32 i)
{
	static const u32 size[] = { [2] = 256, [5] = 64, [6] = 512, [7] = 1024 };
	static const u32 offset[] = { [2] = 576, [5] = 1088, [6] = 1152, [7] = 1664 };

	return i < ARRAY_SIZE(size) ? (struct cpuid){ size[i], offset[i], 0, 0 } : (struct cpuid){ 0 };
}

/* Has everything that there is and ever will be. */
static struct cpuid everything(u32 leaf, u32 subleaf)
{
	if (leaf == 0 || leaf == 0x80000000)
		return (struct cpuid){ leaf + 0x40, 0x756e6547, 0x6c65746e, 0x49656e69 };
	if (leaf == 0xd && subleaf > 1)
		return component(subleaf);
	if (leaf == 4)
		return subleaf < 4 ? (struct cpuid){ 0xfc004021 | (subleaf ? subleaf << 5 : 1 << 5), 1, 2, 3 }
				   : (struct cpuid){ 0 };
	return (struct cpuid){ ~0U, ~0U, ~0U, ~0U };
}

static struct cpuid old(u32 leaf, u32 subleaf)
{
	(void)subleaf;
	if (leaf == 0)
		return (struct cpuid){ 2, 0x756e6547, 0x6c65746e, 0x49656e69 };
	if (leaf == 0x80000000)
		return (struct cpuid){ 0x80000004, 0, 0, 0 };
	return leaf <= 2 || (leaf >= 0x80000000 && leaf <= 0x80000004) ? (struct cpuid){ 0 }
								       : (struct cpuid){ ~0U, ~0U, ~0U, ~0U };
}

static u64 processor_seed;

static struct cpuid some(u32 leaf, u32 subleaf)
{
	struct cpuid id = everything(leaf, subleaf);

	if (leaf == 0 || leaf == 0x80000000 || leaf == 0xd)
		return id;
	random_state = processor_seed ^ ((u64)leaf << 20) ^ subleaf;
	next_random();
	return (struct cpuid){ next_random(), next_random(), next_random(), next_random() };
}

/* ---- the guest ---- */

static struct cpuid_facts facts_of(struct cpuid (*ask)(u32 leaf, u32 subleaf))
{
	return (struct cpuid_facts){ .ask = ask,
				     .xcr0 = XCR0_ALL,
				     .rdtscp = true,
				     .invpcid = true,
				     .spec_ctrl = true,
				     .identity = IDENTITY_KVM,
				     .vcpu = 0,
				     .vcpus = 1,
				     .tsc_khz = KHZ };
}

static void begin(const struct cpuid_facts *facts)
{
	vmx_fake_reset();
	fake_pc(facts->vcpus);
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.config = (struct vcpu_config){ .pc = pc, .index = facts->vcpu };
	vcpu.xcr0 = 1;
	cpuid_build(&vcpu.cpuid, facts);
}

static void begin_with(struct cpuid (*ask)(u32 leaf, u32 subleaf))
{
	struct cpuid_facts facts = facts_of(ask);

	begin(&facts);
}

static struct cpuid guest(u32 leaf, u32 subleaf)
{
	vcpu.regs.rax = 0xdead000000000000 | leaf;
	vcpu.regs.rcx = 0xdead000000000000 | subleaf;
	vcpu.regs.rbx = vcpu.regs.rdx = ~0ULL;
	assert_int_equal(cpuid_exit(&vcpu), EXIT_ADVANCE);
	assert_true(((vcpu.regs.rax | vcpu.regs.rbx | vcpu.regs.rcx | vcpu.regs.rdx) >> 32) == 0);
	return (struct cpuid){ (u32)vcpu.regs.rax, (u32)vcpu.regs.rbx, (u32)vcpu.regs.rcx, (u32)vcpu.regs.rdx };
}

static u32 reg_of(struct cpuid id, u32 reg)
{
	const u32 regs[] = { id.a, id.b, id.c, id.d };

	return regs[reg];
}

static bool has(u32 leaf, u32 reg, u32 bit)
{
	return reg_of(guest(leaf, 0), reg) >> bit & 1;
}

/* ---- features ---- */

static void what_no_row_offers_does_not_exist(void **state)
{
	static const struct {
		u32 leaf, reg, bit;
		const char *name;
	} never[] = {
		{ 1, C, 2, "DTES64" },        { 1, C, 3, "MONITOR" },    { 1, C, 5, "VMX" },
		{ 1, C, 6, "SMX" },           { 1, C, 7, "EIST" },       { 1, C, 8, "TM2" },
		{ 1, C, 15, "PDCM" },         { 1, C, 18, "DCA" },       { 1, C, OSXSAVE, "OSXSAVE" },
		{ 1, D, 21, "DS" },           { 1, D, 22, "ACPI" },      { 1, D, 28, "HTT of one vCPU" },
		{ 1, D, 29, "TM" },           { 1, D, 31, "PBE" },       { 7, B, 2, "SGX" },
		{ 7, B, 4, "HLE" },           { 7, B, 11, "RTM" },       { 7, B, 12, "PQM" },
		{ 7, B, 14, "MPX" },          { 7, B, 15, "PQE" },       { 7, B, 25, "PT" },
		{ 7, C, 3, "PKU" },           { 7, C, 5, "WAITPKG" },    { 7, C, 7, "CET_SS" },
		{ 7, C, 16, "LA57" },         { 7, C, 28, "MOVDIR64B" }, { 7, C, 29, "ENQCMD" },
		{ 7, C, 31, "PKS" },          { 7, D, 18, "PCONFIG" },   { 7, D, 19, "LBR" },
		{ 7, D, 20, "CET_IBT" },      { 7, D, 24, "AMX" },       { 0x80000001, C, 2, "SVM" },
		{ 0x80000001, C, 10, "IBS" },
	};

	(void)state;
	begin_with(everything);
	for (u32 i = 0; i < ARRAY_SIZE(never); i++)
		if (has(never[i].leaf, never[i].reg, never[i].bit))
			fail_msg("%s is promised", never[i].name);
	for (u32 leaf = 5; leaf <= 0xa; leaf++)
		if (leaf != 6 && leaf != 7)
			assert_int_equal(guest(leaf, 0).a | guest(leaf, 0).b | guest(leaf, 0).c | guest(leaf, 0).d, 0);
	assert_int_equal(guest(6, 0).a, 1 << 2);
	assert_int_equal(guest(7, 0).a, 0);
	assert_int_equal(guest(7, 1).a, 0);
	assert_int_equal(guest(0xd, 1).a, 1); /* XSAVEOPT alone */
}

/* Those that software provides. */
static bool is_ours(u32 leaf, u32 reg, u32 bit)
{
	static const struct {
		u32 leaf, reg, bits;
	} set[] = {
		{ 1, C, 1U << 21 | 1U << 24 | 1U << 31 }, { 1, D, 1U << APIC | 1U << 12 }, { 6, A, 1U << 2 }, { 7, B, 1U << 1 }
	};

	for (u32 i = 0; i < ARRAY_SIZE(set); i++)
		if (set[i].leaf == leaf && set[i].reg == reg && (set[i].bits >> bit & 1))
			return true;
	return false;
}

static void nothing_is_promised_that_the_processor_lacks(void **state)
{
	static const u32 leaves[] = { 1, 6, 7, 0x80000001 };
	u64 seed = (u64)time(NULL);

	(void)state;
	printf("seed %llu\n", seed);
	for (u64 round = 0; round < ROUNDS; round++) {
		processor_seed = seed + round;
		begin_with(some);
		for (u32 i = 0; i < ARRAY_SIZE(leaves); i++)
			for (u32 reg = leaves[i] == 1 ? C : A; reg <= D; reg++)
				for (u32 bit = 0; bit < 32; bit++)
					if (has(leaves[i], reg, bit) && !is_ours(leaves[i], reg, bit) &&
					    !(reg_of(some(leaves[i], 0), reg) >> bit & 1))
						fail_msg("seed %llu: leaf %x register %u bit %u", processor_seed, leaves[i], reg,
							 bit);
	}
}

static void what_needs_state_or_a_control_goes_with_it(void **state)
{
	static const struct {
		u32 leaf, reg, bit;
		u64 xcr0;
	} rows[] = { { 1, C, 26, 4 },    { 1, C, 28, 4 },   { 1, C, 12, 4 },    { 7, B, 5, 4 },     { 7, B, 16, 0xe0 },
		     { 7, B, 31, 0xe0 }, { 7, C, 1, 0xe0 }, { 7, C, 11, 0xe0 }, { 7, C, 14, 0xe0 }, { 7, C, 9, 4 } };
	struct cpuid_facts facts = facts_of(everything);

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		facts.xcr0 = XCR0_ALL;
		begin(&facts);
		assert_true(has(rows[i].leaf, rows[i].reg, rows[i].bit));
		facts.xcr0 = XCR0_ALL & ~rows[i].xcr0;
		begin(&facts);
		assert_false(has(rows[i].leaf, rows[i].reg, rows[i].bit));
	}
	assert_true(has(7, B, 10) && has(7, C, 22) && has(0x80000001, D, 27) && has(7, D, 26) && has(7, D, 27) && has(7, D, 31));
	facts.rdtscp = facts.invpcid = facts.spec_ctrl = false;
	begin(&facts);
	assert_false(has(7, B, 10) || has(7, C, 22) || has(0x80000001, D, 27) || has(7, D, 26) || has(7, D, 27) || has(7, D, 31));
}

static void an_old_processor_gets_only_what_software_adds(void **state)
{
	(void)state;
	begin_with(old);
	assert_int_equal(guest(7, 0).b, 1 << 1);
	assert_int_equal(guest(7, 0).c | guest(7, 0).d, 0);
	assert_int_equal(guest(0xd, 0).a | guest(0xd, 0).b | guest(0xd, 0).c, 0);
	assert_int_equal(guest(0x80000007, 0).d, 0);
	assert_int_equal(cpuid_xcr0_mask(&vcpu), 0);
	assert_int_equal(cpuid_cr4_mask(&vcpu), 0);
}

static void state_of_the_guest_shows(void **state)
{
	(void)state;
	begin_with(everything);
	vmcs_write(GUEST_CR4, vmcs_read(GUEST_CR4) | CR4_OSXSAVE);
	assert_true(has(1, C, OSXSAVE));
	vmcs_write(GUEST_CR4, vmcs_read(GUEST_CR4) & ~CR4_OSXSAVE);
	assert_false(has(1, C, OSXSAVE));
	assert_true(has(1, D, APIC));
	msr_set(0, 0x1b, msr(0, 0x1b) & ~BIT(11));
	assert_false(has(1, D, APIC));
}

static void control_register_bits_need_their_feature(void **state)
{
	(void)state;
	begin_with(everything);
	assert_int_equal(cpuid_cr4_mask(&vcpu), 0x370fff);
	for (u64 round = 0; round < ROUNDS; round++) {
		processor_seed = round;
		begin_with(some);
		u64 cr4 = cpuid_cr4_mask(&vcpu);

		assert_int_equal(cr4 & (CR4_VMXE | CR4_SMXE | CR4_LA57 | CR4_PKE), 0);
		assert_int_equal((cr4 & CR4_PCIDE) != 0, has(1, C, 17));
		assert_int_equal((cr4 & CR4_OSXSAVE) != 0, has(1, C, 26));
		assert_int_equal((cr4 & CR4_SMEP) != 0, has(7, B, 7));
		assert_int_equal((cr4 & CR4_FSGSBASE) != 0, has(7, B, 0));
		assert_int_equal((cr4 & CR4_UMIP) != 0, has(7, C, 2));
	}
}

/* ---- extended state ---- */

static void sizes_of_extended_state_follow_xcr0_as_on_the_processor(void **state)
{
	static const struct {
		u64 xcr0;
		u32 bytes;
	} rows[] = { { 1, 576 }, { 3, 576 }, { 7, 832 }, { 0xe7, 2688 } };

	(void)state;
	begin_with(everything);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		vcpu.xcr0 = rows[i].xcr0;
		assert_int_equal(guest(0xd, 0).b, rows[i].bytes);
		assert_int_equal(guest(0xd, 1).a & ~1U, 0);
		assert_int_equal(guest(0xd, 1).b, 0);
		assert_int_equal(guest(0xd, 0).c, 2688);
		assert_int_equal(guest(0xd, 0).a, XCR0_ALL);
	}
	for (u32 i = 2; i < 64; i++)
		assert_int_equal(guest(0xd, i).a, XCR0_ALL >> i & 1 ? component(i).a : 0);
}

static void without_avx512_its_state_is_gone_and_a_part_of_it_is_none(void **state)
{
	struct cpuid_facts facts = facts_of(everything);

	(void)state;
	for (u64 parts = 0; parts < 0xe0; parts += 0x20) {
		facts.xcr0 = 7 | parts;
		begin(&facts);
		assert_int_equal(guest(0xd, 0).a, 7);
		assert_int_equal(guest(0xd, 0).c, 832);
		assert_int_equal(cpuid_xcr0_mask(&vcpu), 7);
		assert_int_equal(guest(0xd, 7).a | guest(0xd, 5).b, 0);
	}
}

/* ---- topology ---- */

static void every_vcpu_is_a_core_with_its_apic_id(void **state)
{
	struct cpuid_facts facts = facts_of(everything);

	(void)state;
	for (facts.vcpus = 1; facts.vcpus <= PC_MAX_VCPUS; facts.vcpus++) {
		for (facts.vcpu = 0; facts.vcpu < facts.vcpus; facts.vcpu++) {
			begin(&facts);
			u32 shift = guest(0xb, 1).a;

			assert_int_equal(guest(1, 0).b >> 24, facts.vcpu);
			assert_true((guest(1, 0).b >> 16 & 0xff) >= facts.vcpus);
			assert_int_equal(has(1, D, 28), facts.vcpus > 1);
			for (u32 level = 0; level < 4; level++)
				assert_int_equal(guest(0xb, level).d, facts.vcpu);
			assert_int_equal(guest(0xb, 0).a, 0);
			assert_int_equal(guest(0xb, 0).b, 1);
			assert_int_equal(guest(0xb, 0).c, 0x100);
			assert_int_equal(guest(0xb, 1).b, facts.vcpus);
			assert_int_equal(guest(0xb, 1).c, 0x201);
			assert_int_equal(guest(0xb, 2).b, 0);
			assert_int_equal(guest(0xb, 2).c, 2);
			assert_true(1U << shift >= facts.vcpus && (facts.vcpus - 1) >> shift == 0);
			assert_int_equal((guest(4, 0).a >> 26) + 1, 1U << shift);
			assert_int_equal((guest(4, 3).a >> 14 & 0xfff) + 1, 1U << shift);
			assert_int_equal(guest(4, 1).a >> 14 & 0xfff, 0);
			assert_int_equal(guest(4, 4).a, 0);
		}
		facts.vcpu = 0;
	}
}

/* ---- leaves ---- */

static void beyond_the_last_leaf_the_last_one_answers(void **state)
{
	static const u32 beyond[] = {
		LAST + 1, 0x14, 0x15, 0x16, 0x1f, 0x3fffffff, 0x41000000, 0x7fffffff, 0x80000009, 0xffffffff
	};

	(void)state;
	begin_with(everything);
	assert_int_equal(guest(0, 0).a, LAST);
	assert_int_equal(guest(0x80000000, 0).a, LAST_EXTENDED);
	for (u32 i = 0; i < ARRAY_SIZE(beyond); i++)
		for (u32 subleaf = 0; subleaf < 9; subleaf++) {
			struct cpuid expected = guest(LAST, subleaf), got = guest(beyond[i], subleaf);

			assert_memory_equal(&expected, &got, sizeof(got));
		}
}

static void addresses_are_no_wider_than_page_numbers(void **state)
{
	(void)state;
	begin_with(everything);
	assert_int_equal(guest(LAST_EXTENDED, 0).a, 0xff00 | 44);
	assert_int_equal(cpuid_address_bits(&vcpu), 44);
	assert_int_equal(guest(LAST_EXTENDED, 0).b, 0);
	assert_int_equal(guest(0x80000007, 0).d, 1 << 8);
}

/* The base of the hypervisor with this signature, searched as Linux does; 0: none. */
static u32 base_of(const char *signature)
{
	for (u32 base = CPUID_HYPERVISOR_BASE; base < 0x40010000; base += CPUID_HYPERVISOR_STEP) {
		struct cpuid id = guest(base, 0);
		char text[12];

		memcpy(text, &id.b, 4);
		memcpy(text + 4, &id.c, 4);
		memcpy(text + 8, &id.d, 4);
		if (memcmp(text, signature, sizeof(text)) == 0)
			return base;
	}
	return 0;
}

static void each_identity_stands_before_ours(void **state)
{
	static const struct {
		u32 identity, kvm, vmware, ours;
	} rows[] = {
		{ IDENTITY_KVM, 0x40000000, 0, 0x40000100 },
		{ IDENTITY_VMWARE, 0, 0x40000000, 0x40000100 },
		{ IDENTITY_NONE, 0, 0, 0x40000000 },
	};
	struct cpuid_facts facts = facts_of(everything);

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		facts.identity = rows[i].identity;
		begin(&facts);
		assert_int_equal(base_of("KVMKVMKVM\0\0\0"), rows[i].kvm);
		assert_int_equal(base_of("VMwareVMware"), rows[i].vmware);
		assert_int_equal(base_of(AEROSTAT_SIGNATURE), rows[i].ours);
		assert_true(has(1, C, 31));
		assert_int_equal(guest(rows[i].ours + AEROSTAT_LEAF_VERSION, 0).a, AEROSTAT_ABI_VERSION);
		assert_int_equal(guest(0x400000ff, 0).a | guest(0x40ffffff, 0).a, 0);
	}
}

static void the_timing_leaf_tells_the_calibrated_rate(void **state)
{
	struct cpuid_facts facts = facts_of(everything);

	(void)state;
	for (facts.identity = IDENTITY_KVM; facts.identity <= IDENTITY_VMWARE; facts.identity++) {
		begin(&facts);
		assert_int_equal(guest(0x40000000, 0).a, 0x40000010);
		assert_int_equal(guest(0x40000010, 0).a, KHZ);
		assert_int_equal(guest(0x40000010, 0).b, PC_APIC_BUS_KHZ);
		assert_int_equal(guest(0x40000010, 0).c | guest(0x40000010, 0).d, 0);
	}
}

static void kvm_features_are_those_that_work(void **state)
{
	(void)state;
	begin_with(everything);
	assert_int_equal(guest(0x40000001, 0).a, 1 << 0 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 24);
	assert_int_equal(guest(0x40000001, 0).d, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_row_offers_does_not_exist),
		cmocka_unit_test(nothing_is_promised_that_the_processor_lacks),
		cmocka_unit_test(what_needs_state_or_a_control_goes_with_it),
		cmocka_unit_test(an_old_processor_gets_only_what_software_adds),
		cmocka_unit_test(state_of_the_guest_shows),
		cmocka_unit_test(control_register_bits_need_their_feature),
		cmocka_unit_test(sizes_of_extended_state_follow_xcr0_as_on_the_processor),
		cmocka_unit_test(without_avx512_its_state_is_gone_and_a_part_of_it_is_none),
		cmocka_unit_test(every_vcpu_is_a_core_with_its_apic_id),
		cmocka_unit_test(beyond_the_last_leaf_the_last_one_answers),
		cmocka_unit_test(addresses_are_no_wider_than_page_numbers),
		cmocka_unit_test(each_identity_stands_before_ours),
		cmocka_unit_test(the_timing_leaf_tells_the_calibrated_rate),
		cmocka_unit_test(kvm_features_are_those_that_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
