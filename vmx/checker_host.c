/* SPDX-License-Identifier: BSD-2-Clause */
/* What VM exit loads.  SDM vol. 3C, 26.2.2 - 26.2.4. */
#include "vmx/caps.h"
#include "vmx/checker_rules.h"
#include "vmx/machine.h"

enum { SELECTOR_BITS = 0xffff, RPL_AND_TABLE = 7 };

static bool cr0(const struct checker_rule *rule)
{
	u64 value = checker_value(rule->field);

	return (value & vmx_caps.cr0_must) == vmx_caps.cr0_must && !(value & ~vmx_caps.cr0_may);
}

static bool selectors(const struct checker_rule *rule)
{
	static const u32 fields[] = { ENCODING_HOST_ES_SELECTOR, ENCODING_HOST_CS_SELECTOR, ENCODING_HOST_SS_SELECTOR,
				      ENCODING_HOST_DS_SELECTOR, ENCODING_HOST_FS_SELECTOR, ENCODING_HOST_GS_SELECTOR,
				      ENCODING_HOST_TR_SELECTOR };

	for (u32 i = 0; i < ARRAY_SIZE(fields); i++)
		if (checker_has(fields[i], rule->mask))
			return false;
	return true;
}

static const struct checker_rule rows[] = {
	{ "host CR0 against IA32_VMX_CR0_FIXED", cr0, 0, 0, ENCODING_HOST_CR0, 0 },
	{ "host CR4 against IA32_VMX_CR4_FIXED", checker_cr4, 0, 0, ENCODING_HOST_CR4, 0 },
	{ "host CR3: within the physical address width", checker_address, 0, 0, ENCODING_HOST_CR3, 0 },
	{ "host SYSENTER_ESP must be canonical", checker_canonical, 0, 0, ENCODING_HOST_SYSENTER_ESP, 0 },
	{ "host SYSENTER_EIP must be canonical", checker_canonical, 0, 0, ENCODING_HOST_SYSENTER_EIP, 0 },
	{ "host PAT: memory types 0, 1, 4, 5, 6, 7", checker_pat, ENCODING_EXIT_CONTROLS, EXIT_LOAD_PAT, ENCODING_HOST_PAT, 0 },
	{ "host EFER: reserved bits", checker_clear, ENCODING_EXIT_CONTROLS, EXIT_LOAD_EFER, ENCODING_HOST_EFER,
	  ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE) },
	{ "host EFER: LME and LMA, as the exit control says", checker_set, ENCODING_EXIT_CONTROLS, EXIT_LOAD_EFER,
	  ENCODING_HOST_EFER, EFER_LME | EFER_LMA },
	{ "host selectors: neither RPL nor TI", selectors, 0, 0, 0, RPL_AND_TABLE },
	{ "host CS must not be 0", checker_any, 0, 0, ENCODING_HOST_CS_SELECTOR, SELECTOR_BITS },
	{ "host TR must not be 0", checker_any, 0, 0, ENCODING_HOST_TR_SELECTOR, SELECTOR_BITS },
	{ "host FS base must be canonical", checker_canonical, 0, 0, ENCODING_HOST_FS_BASE, 0 },
	{ "host GS base must be canonical", checker_canonical, 0, 0, ENCODING_HOST_GS_BASE, 0 },
	{ "host GDTR base must be canonical", checker_canonical, 0, 0, ENCODING_HOST_GDTR_BASE, 0 },
	{ "host IDTR base must be canonical", checker_canonical, 0, 0, ENCODING_HOST_IDTR_BASE, 0 },
	{ "host TR base must be canonical", checker_canonical, 0, 0, ENCODING_HOST_TR_BASE, 0 },
	{ "a 64-bit host needs its exit control", checker_set, 0, 0, ENCODING_EXIT_CONTROLS, EXIT_HOST_64 },
	{ "a 64-bit host needs CR4.PAE", checker_set, 0, 0, ENCODING_HOST_CR4, CR4_PAE },
	{ "host RIP must be canonical", checker_canonical, 0, 0, ENCODING_HOST_RIP, 0 },
};

const struct checker_rules checker_host = { rows, ARRAY_SIZE(rows) };
