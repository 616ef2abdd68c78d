/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/checker.h"
#include "kernel/lib/ptab.h"
#include "vmx/caps.h"
#include "vmx/inject.h"
#include "vmx/machine.h"

/* Each rule returns true if it holds. */

static bool is_canonical(u64 address)
{
	return ((s64)(address << 16) >> 16) == (s64)address;
}

static bool unrestricted(void)
{
	return (vmcs_read(CPU_CONTROLS_2) & CPU2_UNRESTRICTED_GUEST) != 0;
}

static bool long_mode(void)
{
	return (vmcs_read(ENTRY_CONTROLS) & ENTRY_IA32E_GUEST) != 0;
}

static bool usable(enum segment s)
{
	return !(segment_rights(s) & RIGHTS_UNUSABLE);
}

/* ---- control registers and modes (26.3.1.1) ---- */

static bool cr0_fixed(void)
{
	u64 must = vmx_caps.cr0_must;
	u64 cr0 = vmcs_read(GUEST_CR0);

	if (unrestricted())
		must &= ~(CR0_PE | CR0_PG);
	return (cr0 & must) == must && !(cr0 & ~vmx_caps.cr0_may);
}

static bool cr0_paging(void)
{
	u64 cr0 = vmcs_read(GUEST_CR0);

	return !(cr0 & CR0_PG) || (cr0 & CR0_PE);
}

static bool cr4_fixed(void)
{
	u64 cr4 = vmcs_read(GUEST_CR4);

	return (cr4 & vmx_caps.cr4_must) == vmx_caps.cr4_must && !(cr4 & ~vmx_caps.cr4_may);
}

static bool long_needs_paging(void)
{
	return !long_mode() || ((vmcs_read(GUEST_CR0) & CR0_PG) && (vmcs_read(GUEST_CR4) & CR4_PAE));
}

static bool pcid_needs_long(void)
{
	return long_mode() || !(vmcs_read(GUEST_CR4) & CR4_PCIDE);
}

static bool efer_agrees(void)
{
	u64 efer = vmcs_read(GUEST_EFER);
	bool lma = (efer & EFER_LMA) != 0;

	if (efer & ~(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE))
		return false;
	return lma == long_mode() && (!(vmcs_read(GUEST_CR0) & CR0_PG) || lma == ((efer & EFER_LME) != 0));
}

static bool pat_types(void)
{
	u64 pat = vmcs_read(GUEST_PAT);

	for (u32 i = 0; i < 8; i++) {
		u32 type = (u32)(pat >> (8 * i)) & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool dr7_high(void)
{
	return vmcs_read(GUEST_DR7) >> 32 == 0;
}

/* ---- segments (26.3.1.2) ---- */

static bool tr_usable(void)
{
	u32 rights = segment_rights(SEGMENT_TR);
	u32 type = rights & RIGHTS_TYPE;

	return usable(SEGMENT_TR) && (type == 11 || (type == 3 && !long_mode())) && (rights & RIGHTS_PRESENT) &&
	       !(rights & RIGHTS_NOT_SYSTEM) && !(segment_selector(SEGMENT_TR) & 4);
}

static bool ldtr_valid(void)
{
	u32 rights = segment_rights(SEGMENT_LDTR);

	return !usable(SEGMENT_LDTR) ||
	       ((rights & RIGHTS_TYPE) == 2 && (rights & RIGHTS_PRESENT) && !(rights & RIGHTS_NOT_SYSTEM));
}

static bool cs_type(void)
{
	u32 rights = segment_rights(SEGMENT_CS);
	u32 type = rights & RIGHTS_TYPE;

	if (!usable(SEGMENT_CS) || !(rights & RIGHTS_PRESENT) || !(rights & RIGHTS_NOT_SYSTEM))
		return false;
	return type == 9 || type == 11 || type == 13 || type == 15 || (type == 3 && unrestricted());
}

static bool cs_long_or_big(void)
{
	u32 rights = segment_rights(SEGMENT_CS);

	return !long_mode() || !(rights & RIGHTS_LONG) || !(rights & RIGHTS_BIG);
}

static bool ss_type(void)
{
	u32 type = segment_rights(SEGMENT_SS) & RIGHTS_TYPE;

	return !usable(SEGMENT_SS) || type == 3 || type == 7;
}

static bool limits_match_granularity(void)
{
	for (u32 s = 0; s < SEGMENTS; s++) {
		u32 limit = segment_limit((enum segment)s);
		bool pages = (segment_rights((enum segment)s) & RIGHTS_GRANULAR) != 0;

		if (usable((enum segment)s) && (((limit & 0xfff) != 0xfff && pages) || ((limit >> 20) && !pages)))
			return false;
	}
	return true;
}

static bool rights_reserved(void)
{
	for (u32 s = 0; s < SEGMENTS; s++)
		if (usable((enum segment)s) && (segment_rights((enum segment)s) & 0xfffe0f00))
			return false;
	return true;
}

static bool bases_canonical(void)
{
	return is_canonical(segment_base(SEGMENT_FS)) && is_canonical(segment_base(SEGMENT_GS)) &&
	       is_canonical(segment_base(SEGMENT_TR)) && segment_base(SEGMENT_CS) >> 32 == 0;
}

static bool virtual_8086(void)
{
	if (!(vmcs_read(GUEST_RFLAGS) & RFLAGS_VM))
		return true;
	for (u32 s = SEGMENT_ES; s <= SEGMENT_GS; s++)
		if (segment_rights((enum segment)s) != 0xf3 || segment_limit((enum segment)s) != 0xffff)
			return false;
	return !long_mode();
}

/* ---- tables, RIP, RFLAGS (26.3.1.3, 26.3.1.4) ---- */

static bool tables(void)
{
	return is_canonical(vmcs_read(GUEST_GDTR_BASE)) && is_canonical(vmcs_read(GUEST_IDTR_BASE)) &&
	       !(vmcs_read(GUEST_GDTR_LIMIT) >> 16) && !(vmcs_read(GUEST_IDTR_LIMIT) >> 16);
}

static bool rip(void)
{
	u64 value = vmcs_read(GUEST_RIP);

	if (long_mode() && (segment_rights(SEGMENT_CS) & RIGHTS_LONG))
		return is_canonical(value);
	return value >> 32 == 0;
}

static bool rflags(void)
{
	u64 value = vmcs_read(GUEST_RFLAGS);

	return (value & RFLAGS_ONE) && !(value & 0xffffffffffc08028ULL);
}

/* ---- activity, interruptibility, the event (26.3.1.5, 26.2.1.3) ---- */

static bool activity(void)
{
	return vmcs_read(GUEST_ACTIVITY) == 0;
}

static bool blocking(void)
{
	u32 state = vmcs_read(GUEST_INTERRUPTIBILITY);
	bool both = (state & BLOCKED_STI) && (state & BLOCKED_MOV_SS);

	return !(state & ~0x1fU) && !both && (!(state & BLOCKED_STI) || (vmcs_read(GUEST_RFLAGS) & RFLAGS_IF));
}

static bool interrupt_deliverable(void)
{
	u32 info = vmcs_read(ENTRY_EVENT);
	u32 state = vmcs_read(GUEST_INTERRUPTIBILITY);

	if (!(info & EVENT_VALID) || event_type(info) != EVENT_INTERRUPT)
		return true;
	return (vmcs_read(GUEST_RFLAGS) & RFLAGS_IF) && !(state & (BLOCKED_STI | BLOCKED_MOV_SS));
}

static bool nmi_deliverable(void)
{
	u32 info = vmcs_read(ENTRY_EVENT);

	if (!(info & EVENT_VALID) || event_type(info) != EVENT_NMI)
		return true;
	return (info & 0xff) == 2 && !(vmcs_read(GUEST_INTERRUPTIBILITY) & (BLOCKED_MOV_SS | BLOCKED_NMI));
}

static bool event_error(void)
{
	u32 info = vmcs_read(ENTRY_EVENT);

	if (!(info & EVENT_VALID) || !(info & EVENT_HAS_ERROR))
		return true;
	return event_type(info) == EVENT_EXCEPTION && (vmcs_read(GUEST_CR0) & CR0_PE) && !(vmcs_read(ENTRY_EVENT_ERROR) >> 16);
}

static bool event_length(void)
{
	u32 info = vmcs_read(ENTRY_EVENT);
	u32 length = vmcs_read(ENTRY_EVENT_LENGTH);

	return !(info & EVENT_VALID) || event_type(info) < EVENT_SOFT_INTERRUPT || (length >= 1 && length <= 15);
}

static bool pending_debug(void)
{
	u32 state = vmcs_read(GUEST_INTERRUPTIBILITY);
	bool step = (vmcs_read(GUEST_PENDING_DEBUG) & BIT(14)) != 0;
	bool wanted = (vmcs_read(GUEST_RFLAGS) & RFLAGS_TF) && !(vmcs_read(GUEST_DEBUGCTL) & 2);

	return !(state & (BLOCKED_STI | BLOCKED_MOV_SS)) || step == wanted;
}

static bool link_pointer(void)
{
	return vmcs_read(GUEST_VMCS_LINK) == ~0ULL;
}

/* ---- controls and host state (26.2.1, 26.2.2) ---- */

static bool vpid(void)
{
	return vmcs_read(VPID) != 0;
}

static bool ept_pointer(void)
{
	u64 eptp = vmcs_read(EPT_POINTER);

	return (eptp & 7) == 6 && (eptp >> 3 & 7) == 3 && !(eptp & 0xf80) && (eptp & pt_x86.address) != 0;
}

static bool virtual_nmi_needs_exit(void)
{
	return !(vmcs_read(CPU_CONTROLS) & CPU_NMI_WINDOW) || (vmcs_read(PIN_CONTROLS) & PIN_VIRTUAL_NMI);
}

static bool host_selectors(void)
{
	return vmcs_read(HOST_CS_SELECTOR) && vmcs_read(HOST_TR_SELECTOR) &&
	       !((vmcs_read(HOST_CS_SELECTOR) | vmcs_read(HOST_TR_SELECTOR) | vmcs_read(HOST_SS_SELECTOR)) & 7);
}

static bool host_addresses(void)
{
	return is_canonical(vmcs_read(HOST_RIP)) && is_canonical(vmcs_read(HOST_GS_BASE)) &&
	       is_canonical(vmcs_read(HOST_TR_BASE)) && is_canonical(vmcs_read(HOST_GDTR_BASE)) &&
	       is_canonical(vmcs_read(HOST_IDTR_BASE));
}

static bool host_mode(void)
{
	u64 efer = vmcs_read(HOST_EFER);

	return (efer & EFER_LMA) && (efer & EFER_LME) && (vmcs_read(HOST_CR4) & CR4_PAE);
}

static const struct {
	bool (*holds)(void);
	const char *text;
} rules[] = {
	{ vpid, "VPID must not be 0" },
	{ ept_pointer, "the EPT pointer: write-back, walk length 4, reserved bits clear" },
	{ virtual_nmi_needs_exit, "NMI-window exiting needs virtual NMIs" },
	{ host_selectors, "host CS and TR must not be 0, nor have RPL or TI" },
	{ host_addresses, "host addresses must be canonical" },
	{ host_mode, "the host must be in long mode" },
	{ cr0_fixed, "guest CR0 against IA32_VMX_CR0_FIXED" },
	{ cr0_paging, "guest CR0.PG needs CR0.PE" },
	{ cr4_fixed, "guest CR4 against IA32_VMX_CR4_FIXED" },
	{ long_needs_paging, "an IA-32e guest needs CR0.PG and CR4.PAE" },
	{ pcid_needs_long, "guest CR4.PCIDE needs IA-32e mode" },
	{ efer_agrees, "guest EFER: reserved bits; LMA as the entry control; LME as LMA under paging" },
	{ pat_types, "guest PAT: memory types 0, 1, 4, 5, 6, 7" },
	{ dr7_high, "guest DR7: bits 63:32 clear" },
	{ tr_usable, "guest TR must be a usable, busy TSS in the GDT" },
	{ ldtr_valid, "guest LDTR must be an LDT or unusable" },
	{ cs_type, "guest CS must be present code (or data for an unrestricted guest)" },
	{ cs_long_or_big, "guest CS must not be L and D at once" },
	{ ss_type, "guest SS must be writable data" },
	{ limits_match_granularity, "segment limits against granularity" },
	{ rights_reserved, "segment rights: reserved bits" },
	{ bases_canonical, "segment bases must be canonical, CS below 4 GiB" },
	{ virtual_8086, "virtual-8086 mode: rights 0xf3, limits 0xffff, no IA-32e mode" },
	{ tables, "GDTR and IDTR: canonical bases, limits below 64 KiB" },
	{ rip, "guest RIP: canonical in 64-bit code, else below 4 GiB" },
	{ rflags, "guest RFLAGS: reserved bits" },
	{ activity, "the guest must be active" },
	{ blocking, "interruptibility: STI and MOV SS exclude each other; STI needs RFLAGS.IF" },
	{ interrupt_deliverable, "an interrupt needs RFLAGS.IF and no blocking" },
	{ nmi_deliverable, "an NMI needs vector 2 and no blocking" },
	{ event_error, "an error code needs a hardware exception, CR0.PE and 16 bits" },
	{ event_length, "a software event needs an instruction length of 1 to 15" },
	{ pending_debug, "pending debug exceptions: BS as RFLAGS.TF under blocking" },
	{ link_pointer, "the VMCS link pointer must be all ones" },
};

const char *checker_find(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(rules); i++)
		if (!rules[i].holds())
			return rules[i].text;
	return "no rule that the checker knows";
}
