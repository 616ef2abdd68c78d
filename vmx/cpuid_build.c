/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's CPUID table from the processor's answers, cpuid.def and the VM's configuration. */
#include "devices/bus.h"
#include "kernel/abi/cpuid.h"
#include "kernel/lib/check.h"
#include "kernel/lib/config.h"
#include "vmx/cpuid.h"
#include <string.h>

enum { A, B, C, D };
enum { ADDRESS_BITS_MOST = 44 }; /* page numbers of guests have 32 bits */

#define XCR0_AVX 0x4ULL
#define XCR0_AVX512 0xe0ULL
#define XCR0_GUEST 0xe7ULL /* x87, SSE, AVX, AVX-512 */
/* XSAVEOPT.  Not XSAVEC: Bochs 2.7's loses all but x87 and SSE state, and it saves no guest work that XSAVEOPT does not. */
#define COMPONENT_FEATURES 1

/* ---- conditions of cpuid.def ---- */

static bool always(const struct cpuid_facts *facts)
{
	return facts->ask != NULL;
}

static bool xsave(const struct cpuid_facts *facts)
{
	return (facts->xcr0 & XCR0_AVX) != 0;
}

static bool avx512(const struct cpuid_facts *facts)
{
	return (facts->xcr0 & XCR0_AVX512) == XCR0_AVX512;
}

static bool rdtscp(const struct cpuid_facts *facts)
{
	return facts->rdtscp;
}

static bool invpcid(const struct cpuid_facts *facts)
{
	return facts->invpcid;
}

static bool spec_ctrl(const struct cpuid_facts *facts)
{
	return facts->spec_ctrl;
}

static const struct feature {
	u32 leaf;
	u8 reg, bit;
	bool (*needs)(const struct cpuid_facts *facts); /* NULL: set in any case */
	const char *name, *why;
} features[] = {
#define PASS(leaf_, reg_, bit_, name_, needs_, why_) { leaf_, reg_, bit_, needs_, #name_, why_ },
#define SET(leaf_, reg_, bit_, name_, why_) { leaf_, reg_, bit_, NULL, #name_, why_ },
#include "vmx/cpuid.def"
#undef PASS
#undef SET
};

/* ---- leaves ---- */

static struct cpuid *row_of(struct cpuid_table *table, u32 leaf)
{
	bool basic = leaf < 0x80000000;
	u32 row = leaf & 0x7fffffff;

	CHECK(row < (basic ? CPUID_BASIC : CPUID_EXTENDED));
	return basic ? &table->basic[row] : &table->extended[row];
}

static u32 *reg_of(struct cpuid *id, u32 reg)
{
	u32 *const regs[] = { &id->a, &id->b, &id->c, &id->d };

	return regs[reg];
}

/* A leaf beyond the processor's last one is all zeros, not what the processor says instead. */
static struct cpuid ask(const struct cpuid_facts *facts, u32 leaf, u32 subleaf)
{
	return leaf <= facts->ask(leaf & 0x80000000, 0).a ? facts->ask(leaf, subleaf) : (struct cpuid){ 0 };
}

static void fill_features(struct cpuid_table *table, const struct cpuid_facts *facts)
{
	for (u32 i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *feature = &features[i];
		struct cpuid says = ask(facts, feature->leaf, 0);
		bool there = !feature->needs || ((*reg_of(&says, feature->reg) >> feature->bit & 1) && feature->needs(facts));

		CHECK(feature->why[0]);
		if (there)
			*reg_of(row_of(table, feature->leaf), feature->reg) |= 1U << feature->bit;
	}
}

static u32 log2_up(u32 n)
{
	u32 log = 0;

	while (1U << log < n)
		log++;
	return log;
}

/* Vendor, model, brand and caches are the processor's own. */
static void fill_facts(struct cpuid_table *table, const struct cpuid_facts *facts)
{
	struct cpuid vendor = ask(facts, 0, 0);
	struct cpuid model = ask(facts, 1, 0);

	table->basic[0] = (struct cpuid){ CPUID_BASIC - 1, vendor.b, vendor.c, vendor.d };
	table->basic[1].a = model.a;
	table->basic[1].b = (model.b & 0xffff) | (1U << log2_up(facts->vcpus)) << 16 | facts->vcpu << 24;
	table->basic[1].d |= facts->vcpus > 1 ? 1U << 28 : 0;
	table->basic[2] = ask(facts, 2, 0);
	table->extended[0].a = 0x80000000 + CPUID_EXTENDED - 1;
	for (u32 leaf = 0x80000002; leaf <= 0x80000006; leaf++)
		*row_of(table, leaf) = ask(facts, leaf, 0);
	table->extended[7].d = ask(facts, 0x80000007, 0).d & 1U << 8; /* invariant TSC */
	u32 sizes = ask(facts, 0x80000008, 0).a;
	u32 physical = sizes & 0xff;

	table->extended[8].a = (sizes & 0xff00) | (physical < ADDRESS_BITS_MOST ? physical : ADDRESS_BITS_MOST);
}

/* Cache types 1 to 3 are caches, 0 ends the list; a cache above the second level is shared by all vCPUs. */
static void fill_topology(struct cpuid_table *table, const struct cpuid_facts *facts)
{
	u32 ids = 1U << log2_up(facts->vcpus);

	for (u32 i = 0; i < CPUID_CACHES; i++) {
		struct cpuid cache = ask(facts, 4, i);
		u32 sharing = (cache.a >> 5 & 7) > 2 ? ids : 1;

		if (cache.a & 0x1f)
			cache.a = (cache.a & 0x3fff) | (sharing - 1) << 14 | (ids - 1) << 26;
		table->caches[i] = cache;
	}
	table->basic[0xb] = (struct cpuid){ log2_up(facts->vcpus), facts->vcpus, 2 << 8 | 1, facts->vcpu };
}

static void fill_extended_state(struct cpuid_table *table, const struct cpuid_facts *facts)
{
	table->xcr0 = facts->xcr0 & XCR0_GUEST & ~(avx512(facts) ? 0 : XCR0_AVX512);
	if (!xsave(facts) || !(table->basic[1].c & 1U << 26)) {
		table->xcr0 = 0;
		return;
	}
	for (u32 i = 1; i < CPUID_COMPONENTS; i++)
		if (i == 1 || (table->xcr0 & BIT(i)))
			table->components[i] = ask(facts, 0xd, i);
	table->components[1] = (struct cpuid){ .a = table->components[1].a & COMPONENT_FEATURES };
}

/* ---- hypervisors ---- */

static void add(struct cpuid_table *table, u32 leaf, struct cpuid values)
{
	CHECK(table->hypervisor_count < CPUID_HYPERVISOR);
	table->hypervisor[table->hypervisor_count].leaf = leaf;
	table->hypervisor[table->hypervisor_count++].values = values;
}

static struct cpuid signature(u32 last, const char text[12])
{
	struct cpuid id = { .a = last };

	memcpy(&id.b, text, 4);
	memcpy(&id.c, text + 4, 4);
	memcpy(&id.d, text + 8, 4);
	return id;
}

/* KVM's features (Linux, kvm_para.h): both clock interfaces, no delay after port I/O, steal time, and clocks that agree. */
enum { KVM_CLOCK = 1 << 0, KVM_NO_IO_DELAY = 1 << 1, KVM_CLOCK2 = 1 << 3, KVM_STEAL = 1 << 5, KVM_CLOCK_STABLE = 1 << 24 };
enum { KVM_FEATURES = KVM_CLOCK | KVM_NO_IO_DELAY | KVM_CLOCK2 | KVM_STEAL | KVM_CLOCK_STABLE };

/* VMware's leaf, which others have too: frequencies of TSC and APIC timer, in kHz. */
enum { LEAF_TIMING = 0x10 };

static void fill_hypervisor(struct cpuid_table *table, const struct cpuid_facts *facts)
{
	const struct cpuid timing = { .a = (u32)facts->tsc_khz, .b = PC_APIC_BUS_KHZ };
	u32 ours = CPUID_HYPERVISOR_BASE;

	if (facts->identity == IDENTITY_KVM) {
		add(table, ours, signature(ours + LEAF_TIMING, "KVMKVMKVM\0\0"));
		add(table, ours + 1, (struct cpuid){ .a = KVM_FEATURES });
		add(table, ours + LEAF_TIMING, timing);
		ours += CPUID_HYPERVISOR_STEP;
	}
	if (facts->identity == IDENTITY_VMWARE) {
		add(table, ours, signature(ours + LEAF_TIMING, "VMwareVMware"));
		add(table, ours + LEAF_TIMING, timing);
		ours += CPUID_HYPERVISOR_STEP;
	}
	add(table, ours, signature(ours + AEROSTAT_LEAF_VERSION, AEROSTAT_SIGNATURE));
	add(table, ours + AEROSTAT_LEAF_VERSION, (struct cpuid){ .a = AEROSTAT_ABI_VERSION });
}

/* ---- what follows for CR4 ---- */

static u64 cr4_of(const struct cpuid_table *table)
{
	static const struct {
		u32 leaf;
		u8 reg, bit;
		u64 bits;
	} rows[] = {
		{ 1, D, 1, CR4_VME | CR4_PVI }, { 1, D, 4, CR4_TSD },         { 1, D, 2, CR4_DE },   { 1, D, 3, CR4_PSE },
		{ 1, D, 6, CR4_PAE },           { 1, D, 7, CR4_MCE },         { 1, D, 13, CR4_PGE }, { 1, D, 5, CR4_PCE },
		{ 1, D, 24, CR4_OSFXSR },       { 1, D, 25, CR4_OSXMMEXCPT }, { 7, C, 2, CR4_UMIP }, { 7, B, 0, CR4_FSGSBASE },
		{ 1, C, 17, CR4_PCIDE },        { 1, C, 26, CR4_OSXSAVE },    { 7, B, 7, CR4_SMEP }, { 7, B, 20, CR4_SMAP },
	};
	u64 cr4 = 0;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpuid id = table->basic[rows[i].leaf];

		if (*reg_of(&id, rows[i].reg) >> rows[i].bit & 1)
			cr4 |= rows[i].bits;
	}
	return cr4;
}

void cpuid_build(struct cpuid_table *table, const struct cpuid_facts *facts)
{
	CHECK(facts->vcpus > 0 && facts->vcpu < facts->vcpus);
	memset(table, 0, sizeof(*table));
	fill_features(table, facts);
	fill_facts(table, facts);
	fill_topology(table, facts);
	fill_extended_state(table, facts);
	fill_hypervisor(table, facts);
	table->cr4 = cr4_of(table);
}
