/* SPDX-License-Identifier: BSD-2-Clause */
/* The CPUID exit: a look-up, and the few answers that depend on the subleaf or on the vCPU's state. */
#include "vmx/cpuid.h"
#include "vmx/exit.h"

#define EXTENDED_BASE 0x80000000U
#define HYPERVISOR_CLASS 0x40

/* Leaves that take a subleaf, or that change as the guest runs. */
enum { LEAF_FEATURES = 1, LEAF_CACHES = 4, LEAF_STRUCTURED = 7, LEAF_TOPOLOGY = 0xb, LEAF_XSAVE = 0xd };
#define DYNAMIC_LEAVES (1U << LEAF_FEATURES | 1U << LEAF_CACHES | 1U << LEAF_STRUCTURED | 1U << LEAF_TOPOLOGY | 1U << LEAF_XSAVE)

enum { OSXSAVE = 1 << 27, APIC = 1 << 9 };
enum { LEVEL_SMT = 1, LEVEL_CORE = 2, LEVEL_SHIFT = 8 };
enum { LEGACY_AREA = 512 + 64 };

u64 cpuid_xcr0_mask(const struct vcpu *v)
{
	return v->cpuid.xcr0;
}

u64 cpuid_cr4_mask(const struct vcpu *v)
{
	return v->cpuid.cr4;
}

u32 cpuid_address_bits(const struct vcpu *v)
{
	return v->cpuid.extended[8].a & 0xff;
}

static const struct cpuid nothing;

/* ---- subleaves and state ---- */

static struct cpuid features(const struct vcpu *v, u32 subleaf)
{
	struct cpuid id = v->cpuid.basic[LEAF_FEATURES];
	u64 base = 0;

	(void)subleaf;
	if (vcpu_cr4() & CR4_OSXSAVE)
		id.c |= OSXSAVE;
	if (pc_msr_read(v->config.pc, v->config.index, MSR_APIC_BASE, &base) == OK && !(base & BIT(11)))
		id.d &= ~(u32)APIC;
	return id;
}

static struct cpuid caches(const struct vcpu *v, u32 subleaf)
{
	return subleaf < CPUID_CACHES ? v->cpuid.caches[subleaf] : nothing;
}

static struct cpuid structured(const struct vcpu *v, u32 subleaf)
{
	return subleaf == 0 ? v->cpuid.basic[LEAF_STRUCTURED] : nothing;
}

/* One thread a core, all cores in one package: level 0 is the thread, level 1 the core (its row is in the table). */
static struct cpuid topology(const struct vcpu *v, u32 subleaf)
{
	struct cpuid core = v->cpuid.basic[LEAF_TOPOLOGY];

	if (subleaf == 0)
		return (struct cpuid){ 0, 1, LEVEL_SMT << LEVEL_SHIFT, core.d };
	if (subleaf == 1)
		return core;
	return (struct cpuid){ 0, 0, subleaf & 0xff, core.d };
}

/* The area that XSAVE writes with these components: where the furthest one ends. */
static u32 standard_size(const struct cpuid_table *table, u64 xcr0)
{
	u32 size = LEGACY_AREA;

	for (u32 i = 2; i < CPUID_COMPONENTS; i++)
		if ((xcr0 & BIT(i)) && table->components[i].b + table->components[i].a > size)
			size = table->components[i].b + table->components[i].a;
	return size;
}

static struct cpuid extended_state(const struct vcpu *v, u32 subleaf)
{
	const struct cpuid_table *table = &v->cpuid;

	if (!table->xcr0 || subleaf >= CPUID_COMPONENTS)
		return nothing;
	if (subleaf == 0)
		return (struct cpuid){ (u32)table->xcr0, standard_size(table, v->xcr0), standard_size(table, table->xcr0),
				       (u32)(table->xcr0 >> 32) };
	return table->components[subleaf];
}

/* ---- look-up ---- */

static struct cpuid dynamic(const struct vcpu *v, u32 leaf, u32 subleaf)
{
	static struct cpuid (*const answers[CPUID_BASIC])(const struct vcpu *v, u32 subleaf) = {
		[LEAF_FEATURES] = features, [LEAF_CACHES] = caches,        [LEAF_STRUCTURED] = structured,
		[LEAF_TOPOLOGY] = topology, [LEAF_XSAVE] = extended_state,
	};

	CHECK(leaf < CPUID_BASIC && answers[leaf]);
	return answers[leaf](v, subleaf);
}

static struct cpuid rare(const struct vcpu *v, u32 leaf, u32 subleaf)
{
	const struct cpuid_table *table = &v->cpuid;

	if (leaf - EXTENDED_BASE < CPUID_EXTENDED)
		return table->extended[leaf - EXTENDED_BASE];
	if (leaf >> 24 != HYPERVISOR_CLASS)
		return dynamic(v, CPUID_BASIC - 1, subleaf);
	for (u32 i = 0; i < table->hypervisor_count; i++)
		if (table->hypervisor[i].leaf == leaf)
			return table->hypervisor[i].values;
	return nothing;
}

static void answer(struct vcpu *v, const struct cpuid *id)
{
	v->regs.rax = id->a;
	v->regs.rbx = id->b;
	v->regs.rcx = id->c;
	v->regs.rdx = id->d;
}

/* Out of line, so that the common case needs no stack. */
static __attribute__((noinline)) enum exit_action computed(struct vcpu *v)
{
	u32 leaf = (u32)v->regs.rax;
	u32 subleaf = (u32)v->regs.rcx;
	struct cpuid id = leaf < CPUID_BASIC ? dynamic(v, leaf, subleaf) : rare(v, leaf, subleaf);

	answer(v, &id);
	return EXIT_ADVANCE;
}

enum exit_action cpuid_exit(struct vcpu *v)
{
	u32 leaf = (u32)v->regs.rax;

	if (__builtin_expect(leaf >= CPUID_BASIC || (DYNAMIC_LEAVES >> leaf & 1), 0))
		return computed(v);
	answer(v, &v->cpuid.basic[leaf & 0xf]); /* masked, so that no mispredicted branch reads behind the table (Spectre v1) */
	return EXIT_ADVANCE;
}
