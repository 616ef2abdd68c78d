/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/mitigations.h"
#include "kernel/lib/check.h"
#include "vmx/machine.h"
#include "vmx/vmx.h"

/* CPUID.(7,0).EDX and IA32_ARCH_CAPABILITIES, SDM vol. 2A (CPUID) and vol. 4, table 2-2. */
#define EDX_MD_CLEAR BIT(10)
#define EDX_SPEC_CTRL BIT(26)
#define EDX_L1D_FLUSH BIT(28)
#define EDX_ARCH_CAPABILITIES BIT(29)
#define CAPABILITY_RDCL_NO BIT(0)
#define CAPABILITY_SKIP_L1DFL BIT(3)
#define CAPABILITY_MULTIHIT_NO BIT(6)

/* Models that never had the iTLB multihit erratum and do not say so by MSR: Atoms and Knights (Intel's list, INTEL-SA-00210). */
static const u8 no_multihit_models[] = { 0x1c, 0x26, 0x27, 0x35, 0x36, 0x37, 0x4a, 0x4c, 0x4d,
					 0x57, 0x5a, 0x5c, 0x5f, 0x6e, 0x7a, 0x85, 0x86 };

static bool always(const struct mitigation_facts *facts)
{
	return facts->family != 0;
}

static bool has_md_clear(const struct mitigation_facts *facts)
{
	return (facts->leaf7_edx & EDX_MD_CLEAR) != 0;
}

/* Without the command there is nothing to do it with: a software flush reads 64 KiB, longer than a step may be. */
static bool has_l1tf(const struct mitigation_facts *facts)
{
	return (facts->leaf7_edx & EDX_L1D_FLUSH) && !(facts->capabilities & (CAPABILITY_RDCL_NO | CAPABILITY_SKIP_L1DFL));
}

static bool has_ibpb(const struct mitigation_facts *facts)
{
	return (facts->leaf7_edx & EDX_SPEC_CTRL) != 0;
}

static bool has_multihit(const struct mitigation_facts *facts)
{
	if (facts->family != 6 || (facts->capabilities & CAPABILITY_MULTIHIT_NO))
		return false;
	for (u32 i = 0; i < ARRAY_SIZE(no_multihit_models); i++)
		if (facts->model == no_multihit_models[i])
			return false;
	return true;
}

static const struct {
	bool (*applies)(const struct mitigation_facts *facts);
	enum guard guard;
	const char *name, *why;
} mitigations[] = {
#define MITIGATION(name_, condition_, action_, why_) { .applies = condition_, .guard = action_, .name = #name_, .why = why_ },
#include "vmx/mitigations.def"
#undef MITIGATION
};

u32 mitigation_guards(const struct mitigation_facts *facts)
{
	u32 guards = 0;

	for (u32 i = 0; i < ARRAY_SIZE(mitigations); i++)
		if (mitigations[i].applies(facts))
			guards |= mitigations[i].guard;
	return guards;
}

struct mitigation_facts mitigation_facts(void)
{
	u32 signature = cpuid(1, 0).a;
	struct mitigation_facts facts = {
		.family = signature >> 8 & 0xf,
		.model = (signature >> 4 & 0xf) | (signature >> 12 & 0xf0),
	};

	if (cpuid(0, 0).a >= 7)
		facts.leaf7_edx = cpuid(7, 0).d;
	if (facts.leaf7_edx & EDX_ARCH_CAPABILITIES)
		facts.capabilities = msr_read(MSR_ARCH_CAPABILITIES);
	return facts;
}

/* ---- this machine ---- */

static bool off;
static bool known;
static u32 in_force;

void vmx_set_mitigations(bool on)
{
	CHECK(!known);
	off = !on;
}

u32 mitigations_in_force(void)
{
	if (!known) {
		struct mitigation_facts facts = mitigation_facts();

		in_force = off ? 0 : mitigation_guards(&facts);
		__atomic_store_n(&known, true, __ATOMIC_RELEASE);
	}
	return in_force;
}

bool mitigation_large_not_executable(void)
{
	return (mitigations_in_force() & GUARD_LARGE_DATA) != 0;
}
