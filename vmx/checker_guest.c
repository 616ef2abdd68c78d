/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's registers, what blocks it, what waits for it.  SDM vol. 3C, 26.3.1.1 and 26.3.1.4 - 26.3.1.6. */
#include "vmx/caps.h"
#include "vmx/checker_rules.h"
#include "vmx/inject.h"
#include "vmx/machine.h"

enum { ACTIVE, HALTED, SHUT_DOWN, WAIT_FOR_SIPI, ACTIVITIES };
enum { BLOCKED_ENCLAVE = 16, ACTIVITY_SHIFT = 5, VECTOR_MASK = 0xff, PRESENT = 1 };
#define ALWAYS 0, 0
#define IN_LONG_MODE ENCODING_ENTRY_CONTROLS, ENTRY_IA32E_GUEST
#define WITH_EVENT ENCODING_ENTRY_EVENT, EVENT_VALID
#define CR4_CET BIT(23)
#define DEBUGCTL_KNOWN 0xdfc7ULL /* LBR, BTF, bus locks, and what freezes or traces */
#define DEBUGCTL_BTF BIT(1)
#define RFLAGS_RESERVED 0xffffffffffc08028ULL
#define PENDING_STEP BIT(14)
#define PENDING_RTM BIT(16)
#define PENDING_RESERVED 0xfffffffffffeaff0ULL
#define PDPTE_RESERVED 0x1e6ULL

static u64 must_be(u64 must)
{
	bool free = checker_has(ENCODING_CPU_CONTROLS_2, CPU2_UNRESTRICTED_GUEST);

	return free ? must & ~(CR0_PE | CR0_PG) : must;
}

static bool is_long(void)
{
	return checker_has(ENCODING_ENTRY_CONTROLS, ENTRY_IA32E_GUEST);
}

static bool is_paging(void)
{
	return checker_has(ENCODING_GUEST_CR0, CR0_PG);
}

/* ---- control registers and MSRs ---- */

static bool cr0(const struct checker_rule *rule)
{
	u64 value = checker_value(rule->field);

	return (value & must_be(vmx_caps.cr0_must)) == must_be(vmx_caps.cr0_must) && !(value & ~vmx_caps.cr0_may);
}

static bool pcid(const struct checker_rule *rule)
{
	return is_long() || checker_clear(rule);
}

static bool efer_active(const struct checker_rule *rule)
{
	return checker_has(rule->field, EFER_LMA) == is_long();
}

static bool efer_enabled(const struct checker_rule *rule)
{
	return !is_paging() || checker_has(rule->field, EFER_LME) == checker_has(rule->field, EFER_LMA);
}

/* ---- RIP and RFLAGS ---- */

static bool rip(const struct checker_rule *rule)
{
	u64 value = checker_value(rule->field);

	return is_long() && (segment_rights(SEGMENT_CS) & RIGHTS_LONG) ? checker_is_canonical(value) : value >> 32 == 0;
}

static bool rflags(const struct checker_rule *rule)
{
	return checker_clear(rule) && checker_has(rule->field, RFLAGS_ONE);
}

static bool v86(const struct checker_rule *rule)
{
	(void)rule;
	return !is_long() && checker_has(ENCODING_GUEST_CR0, CR0_PE);
}

static bool interrupts_on(const struct checker_rule *rule)
{
	return event_type((u32)checker_value(ENCODING_ENTRY_EVENT)) != EVENT_INTERRUPT || checker_set(rule);
}

/* ---- activity ---- */

static bool activity(const struct checker_rule *rule)
{
	u64 state = checker_value(rule->field);

	return state == ACTIVE || (state < ACTIVITIES && (vmx_caps.misc >> (ACTIVITY_SHIFT + state) & 1));
}

static bool halted_at_ring_0(const struct checker_rule *rule)
{
	return checker_value(rule->field) != HALTED || (segment_rights(SEGMENT_SS) >> RIGHTS_DPL_SHIFT & 3) == 0;
}

static bool active_where_blocked(const struct checker_rule *rule)
{
	return checker_value(rule->field) == ACTIVE;
}

/* Which events leave which state. */
static bool event_wakes(const struct checker_rule *rule)
{
	u32 info = (u32)checker_value(ENCODING_ENTRY_EVENT);
	u32 type = event_type(info);
	bool machine_check = type == EVENT_EXCEPTION && (info & VECTOR_MASK) == VECTOR_MC;
	bool debug = type == EVENT_EXCEPTION && (info & VECTOR_MASK) == VECTOR_DB;

	switch (checker_value(rule->field)) {
	case ACTIVE:
		return true;
	case HALTED:
		return type == EVENT_INTERRUPT || type == EVENT_NMI || type == EVENT_OTHER || machine_check || debug;
	case SHUT_DOWN:
		return type == EVENT_NMI || machine_check;
	default:
		return false;
	}
}

/* ---- interruptibility ---- */

static bool not_both(const struct checker_rule *rule)
{
	return (checker_value(rule->field) & rule->mask) != rule->mask;
}

static bool sti_needs_if(const struct checker_rule *rule)
{
	return checker_clear(rule) || checker_has(ENCODING_GUEST_RFLAGS, RFLAGS_IF);
}

static bool interrupt_deliverable(const struct checker_rule *rule)
{
	return event_type((u32)checker_value(ENCODING_ENTRY_EVENT)) != EVENT_INTERRUPT || checker_clear(rule);
}

/* Processors may refuse blocking by STI too; ours never injects an NMI then. */
static bool nmi_deliverable(const struct checker_rule *rule)
{
	return event_type((u32)checker_value(ENCODING_ENTRY_EVENT)) != EVENT_NMI || checker_clear(rule);
}

static bool nmi_unblocked(const struct checker_rule *rule)
{
	return !checker_has(ENCODING_PIN_CONTROLS, PIN_VIRTUAL_NMI) || nmi_deliverable(rule);
}

/* ---- what waits ---- */

static bool pending_step(const struct checker_rule *rule)
{
	bool wanted = checker_has(ENCODING_GUEST_RFLAGS, RFLAGS_TF) && !checker_has(ENCODING_GUEST_DEBUGCTL, DEBUGCTL_BTF);
	bool held = checker_has(ENCODING_GUEST_INTERRUPTIBILITY, BLOCKED_STI | BLOCKED_MOV_SS) ||
		    checker_value(ENCODING_GUEST_ACTIVITY) == HALTED;

	return !held || checker_has(rule->field, rule->mask) == wanted;
}

static bool link_pointer(const struct checker_rule *rule)
{
	return checker_value(rule->field) == ~0ULL;
}

/* With EPT the four entries are in the VMCS. */
static bool pdptes(const struct checker_rule *rule)
{
	if (!is_paging() || is_long() || !checker_has(ENCODING_GUEST_CR4, CR4_PAE))
		return true;
	for (u32 i = 0; i < 4; i++) {
		u64 entry = checker_value(rule->field + 2 * i);

		if ((entry & PRESENT) && !checker_is_address(entry, rule->mask))
			return false;
	}
	return true;
}

static const struct checker_rule rows[] = {
	{ "guest CR0 against IA32_VMX_CR0_FIXED", cr0, ALWAYS, ENCODING_GUEST_CR0, 0 },
	{ "guest CR0.PG needs CR0.PE", checker_set, ENCODING_GUEST_CR0, CR0_PG, ENCODING_GUEST_CR0, CR0_PE },
	{ "guest CR4 against IA32_VMX_CR4_FIXED", checker_cr4, ALWAYS, ENCODING_GUEST_CR4, 0 },
	{ "guest CR4.CET needs CR0.WP", checker_set, ENCODING_GUEST_CR4, CR4_CET, ENCODING_GUEST_CR0, CR0_WP },
	{ "guest DEBUGCTL: reserved bits", checker_clear, ENCODING_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG, ENCODING_GUEST_DEBUGCTL,
	  ~DEBUGCTL_KNOWN },
	{ "an IA-32e guest needs CR0.PG", checker_set, IN_LONG_MODE, ENCODING_GUEST_CR0, CR0_PG },
	{ "an IA-32e guest needs CR4.PAE", checker_set, IN_LONG_MODE, ENCODING_GUEST_CR4, CR4_PAE },
	{ "guest CR4.PCIDE needs IA-32e mode", pcid, ALWAYS, ENCODING_GUEST_CR4, CR4_PCIDE },
	{ "guest CR3: within the physical address width", checker_address, ALWAYS, ENCODING_GUEST_CR3, 0 },
	{ "guest DR7: bits 63:32 clear", checker_clear, ENCODING_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG, ENCODING_GUEST_DR7,
	  ~0ULL << 32 },
	{ "guest SYSENTER_ESP must be canonical", checker_canonical, ALWAYS, ENCODING_GUEST_SYSENTER_ESP, 0 },
	{ "guest SYSENTER_EIP must be canonical", checker_canonical, ALWAYS, ENCODING_GUEST_SYSENTER_EIP, 0 },
	{ "guest PAT: memory types 0, 1, 4, 5, 6, 7", checker_pat, ENCODING_ENTRY_CONTROLS, ENTRY_LOAD_PAT, ENCODING_GUEST_PAT,
	  0 },
	{ "guest EFER: reserved bits", checker_clear, ENCODING_ENTRY_CONTROLS, ENTRY_LOAD_EFER, ENCODING_GUEST_EFER,
	  ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE) },
	{ "guest EFER: LMA as the entry control says", efer_active, ENCODING_ENTRY_CONTROLS, ENTRY_LOAD_EFER, ENCODING_GUEST_EFER,
	  0 },
	{ "guest EFER: LME as LMA under paging", efer_enabled, ENCODING_ENTRY_CONTROLS, ENTRY_LOAD_EFER, ENCODING_GUEST_EFER, 0 },

	{ "guest RIP: canonical in 64-bit code, else below 4 GiB", rip, ALWAYS, ENCODING_GUEST_RIP, 0 },
	{ "guest RFLAGS: reserved bits", rflags, ALWAYS, ENCODING_GUEST_RFLAGS, RFLAGS_RESERVED },
	{ "virtual-8086 mode: only in protected, not in IA-32e mode", v86, ENCODING_GUEST_RFLAGS, RFLAGS_VM, 0, 0 },
	{ "an interrupt needs RFLAGS.IF", interrupts_on, WITH_EVENT, ENCODING_GUEST_RFLAGS, RFLAGS_IF },

	{ "activity: a state that this processor does not have", activity, ALWAYS, ENCODING_GUEST_ACTIVITY, 0 },
	{ "activity: halted only at ring 0", halted_at_ring_0, ALWAYS, ENCODING_GUEST_ACTIVITY, 0 },
	{ "activity: active under blocking by STI or MOV SS", active_where_blocked, ENCODING_GUEST_INTERRUPTIBILITY,
	  BLOCKED_STI | BLOCKED_MOV_SS, ENCODING_GUEST_ACTIVITY, 0 },
	{ "activity: the event does not end it", event_wakes, WITH_EVENT, ENCODING_GUEST_ACTIVITY, 0 },

	{ "interruptibility: bits 31:5 are reserved", checker_clear, ALWAYS, ENCODING_GUEST_INTERRUPTIBILITY, 0xffffffe0 },
	{ "interruptibility: STI and MOV SS exclude each other", not_both, ALWAYS, ENCODING_GUEST_INTERRUPTIBILITY,
	  BLOCKED_STI | BLOCKED_MOV_SS },
	{ "interruptibility: blocking by STI needs RFLAGS.IF", sti_needs_if, ALWAYS, ENCODING_GUEST_INTERRUPTIBILITY,
	  BLOCKED_STI },
	{ "interruptibility: an interrupt under blocking by STI or MOV SS", interrupt_deliverable, WITH_EVENT,
	  ENCODING_GUEST_INTERRUPTIBILITY, BLOCKED_STI | BLOCKED_MOV_SS },
	{ "interruptibility: an NMI under blocking by STI or MOV SS", nmi_deliverable, WITH_EVENT,
	  ENCODING_GUEST_INTERRUPTIBILITY, BLOCKED_STI | BLOCKED_MOV_SS },
	{ "interruptibility: blocking by SMI outside of SMM", checker_clear, ALWAYS, ENCODING_GUEST_INTERRUPTIBILITY,
	  BLOCKED_SMI },
	{ "interruptibility: an NMI under blocking by NMI", nmi_unblocked, WITH_EVENT, ENCODING_GUEST_INTERRUPTIBILITY,
	  BLOCKED_NMI },
	{ "interruptibility: MOV SS inside of an enclave", not_both, ALWAYS, ENCODING_GUEST_INTERRUPTIBILITY,
	  BLOCKED_ENCLAVE | BLOCKED_MOV_SS },

	{ "pending debug exceptions: reserved bits", checker_clear, ALWAYS, ENCODING_GUEST_PENDING_DEBUG, PENDING_RESERVED },
	{ "pending debug exceptions: BS as RFLAGS.TF under blocking or halted", pending_step, ALWAYS,
	  ENCODING_GUEST_PENDING_DEBUG, PENDING_STEP },
	{ "pending debug exceptions: a transaction's is alone", checker_clear, ENCODING_GUEST_PENDING_DEBUG, PENDING_RTM,
	  ENCODING_GUEST_PENDING_DEBUG, 0xfff | PENDING_STEP },
	{ "the VMCS link pointer must be all ones", link_pointer, ALWAYS, ENCODING_GUEST_VMCS_LINK, 0 },
	{ "guest PDPTEs: reserved bits", pdptes, ENCODING_CPU_CONTROLS_2, CPU2_EPT, ENCODING_GUEST_PDPTE0, PDPTE_RESERVED },
};

const struct checker_rules checker_guest = { rows, ARRAY_SIZE(rows) };
