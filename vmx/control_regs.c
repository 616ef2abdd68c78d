/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/control_regs.h"
#include "vmx/caps.h"
#include "vmx/machine.h"

enum { TSS16_BUSY = 3 };

/* Caching is ours (a guest must not turn it off for a physical CPU), NE is VT-x's. */
static u64 cr0_ours(void)
{
	return CR0_CD | CR0_NW | (vmx_caps.cr0_must & ~(CR0_PE | CR0_PG));
}

/* Machine checks are the host's, VMXE is VT-x's. */
static u64 cr4_ours(void)
{
	return CR4_MCE | vmx_caps.cr4_must;
}

struct control_state control_state(void)
{
	return (struct control_state){
		.cr0 = vcpu_cr0(),
		.cr3 = vmcs_read(GUEST_CR3),
		.cr4 = vcpu_cr4(),
		.efer = vmcs_read(GUEST_EFER),
		.code64 = vcpu_long_code(),
		.code_long = segment_rights(SEGMENT_CS) & RIGHTS_LONG,
		.task16 = (segment_rights(SEGMENT_TR) & RIGHTS_TYPE) == TSS16_BUSY,
	};
}

bool control_cr0_valid(const struct control_state *now, u64 value)
{
	bool starts = (value & CR0_PG) && !(now->cr0 & CR0_PG);
	bool stops = !(value & CR0_PG) && (now->cr0 & CR0_PG);

	if (value >> 32)
		return false;
	if ((value & CR0_PG) && !(value & CR0_PE))
		return false;
	if ((value & CR0_NW) && !(value & CR0_CD))
		return false;
	/* Into IA-32e mode: SDM vol. 3A, 9.8.5. */
	if (starts && (now->efer & EFER_LME) && (!(now->cr4 & CR4_PAE) || now->code_long || now->task16))
		return false;
	if (stops && (now->code64 || (now->cr4 & CR4_PCIDE)))
		return false;
	return true;
}

bool control_cr4_valid(const struct control_state *now, u64 value, u64 promised)
{
	bool lma = (now->efer & EFER_LMA) != 0;

	if (value & ~promised)
		return false;
	if (lma && !(value & CR4_PAE))
		return false;
	if ((value & ~now->cr4 & CR4_PCIDE) && (!lma || (now->cr3 & 0xfff)))
		return false;
	return true;
}

void control_set_cr0(u64 value)
{
	u64 efer = vmcs_read(GUEST_EFER);
	bool lma = (value & CR0_PG) && (efer & EFER_LME);
	u32 entry = vmcs_read(ENTRY_CONTROLS) & ~(u32)ENTRY_IA32E_GUEST;

	vmcs_write(GUEST_CR0, (value & ~(CR0_CD | CR0_NW)) | (vmx_caps.cr0_must & ~(CR0_PE | CR0_PG)));
	vmcs_write(CR0_SHADOW, value);
	vmcs_write(GUEST_EFER, lma ? efer | EFER_LMA : efer & ~EFER_LMA);
	vmcs_write(ENTRY_CONTROLS, lma ? entry | ENTRY_IA32E_GUEST : entry);
}

void control_set_cr4(u64 value)
{
	vmcs_write(GUEST_CR4, value | cr4_ours());
	vmcs_write(CR4_SHADOW, value);
}

void control_set_masks(u64 promised)
{
	CHECK(!(promised & CR4_VMXE));
	vmcs_write(CR0_MASK, cr0_ours());
	vmcs_write(CR4_MASK, cr4_ours() | ~promised);
}
