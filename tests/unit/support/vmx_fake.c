/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/vmx_fake.h"
#include "vmx/machine.h"
#include "vmx/switch.h"
#include <string.h>

enum { ENCODINGS = 0x7000 };

static u64 fields[ENCODINGS];
u64 vmx_fake_cr2, vmx_fake_dr6, vmx_fake_debug[4];
struct vmx_caps vmx_caps;

u64 vmcs_read_raw(u32 encoding)
{
	CHECK(encoding < ENCODINGS && vmcs_name(encoding));
	return fields[encoding];
}

void vmcs_write_raw(u32 encoding, u64 value)
{
	CHECK(encoding < ENCODINGS && vmcs_name(encoding));
	fields[encoding] = value;
}

static void segment(enum segment s, u16 selector, u32 limit, u32 rights)
{
	u32 step = 2 * (u32)s;

	vmcs_write_raw(ENCODING_GUEST_ES_SELECTOR + step, selector);
	vmcs_write_raw(ENCODING_GUEST_ES_BASE + step, 0);
	vmcs_write_raw(ENCODING_GUEST_ES_LIMIT + step, limit);
	vmcs_write_raw(ENCODING_GUEST_ES_RIGHTS + step, rights);
}

void vmx_fake_mode(enum vcpu_mode mode)
{
	static const struct {
		u64 cr0, cr4, efer;
		u32 limit, code, data, entry;
	} modes[] = {
		[VCPU_REAL] = { CR0_ET | CR0_NE, 0, 0, 0xffff, 0x9b, 0x93, 0 },
		[VCPU_PROTECTED32] = { CR0_ET | CR0_NE | CR0_PE, 0, 0, 0xffffffff, 0xc09b, 0xc093, 0 },
		[VCPU_LONG64] = { CR0_ET | CR0_NE | CR0_PE | CR0_PG, CR4_PAE, EFER_LME | EFER_LMA, 0xffffffff, 0xa09b, 0xc093,
				  ENTRY_IA32E_GUEST },
	};

	for (u32 s = SEGMENT_ES; s <= SEGMENT_GS; s++)
		segment((enum segment)s, 0x18, modes[mode].limit, modes[mode].data);
	segment(SEGMENT_CS, 0x10, modes[mode].limit, modes[mode].code);
	vmcs_write(GUEST_CR0, modes[mode].cr0);
	vmcs_write(GUEST_CR4, modes[mode].cr4 | CR4_VMXE | CR4_MCE);
	vmcs_write(CR4_MASK, CR4_VMXE | CR4_MCE);
	vmcs_write(CR4_SHADOW, modes[mode].cr4);
	vmcs_write(GUEST_EFER, modes[mode].efer);
	vmcs_write(ENTRY_CONTROLS, modes[mode].entry);
}

void vmx_fake_reset(void)
{
	memset(fields, 0, sizeof(fields));
	vmx_fake_cr2 = 0;
	vmx_fake_dr6 = DR6_RESET;
	vmx_caps = (struct vmx_caps){
		.usable = true,
		.cr0_must = CR0_PE | CR0_NE | CR0_PG,
		.cr0_may = 0xffffffff,
		.cr4_must = CR4_VMXE,
		.cr4_may = 0x7727ff,
		.ept_dirty = true,
		.ept_large = true,
		.xcr0 = 7,
	};
	vmcs_write(CPU_CONTROLS_2, CPU2_UNRESTRICTED_GUEST | CPU2_EPT);
	vmcs_write(GUEST_RFLAGS, RFLAGS_ONE);
	segment(SEGMENT_LDTR, 0, 0xffff, 0x82);
	segment(SEGMENT_TR, 0, 0xffff, 0x8b);
	vmx_fake_mode(VCPU_LONG64);
}

void switch_set_cr2(struct vcpu *v, u64 address)
{
	(void)v;
	vmx_fake_cr2 = address;
}

u64 switch_debug_address(struct vcpu *v, u32 n)
{
	(void)v;
	return vmx_fake_debug[n];
}

u64 switch_dr6(struct vcpu *v)
{
	(void)v;
	return vmx_fake_dr6;
}

void switch_set_dr6(struct vcpu *v, u64 value)
{
	(void)v;
	vmx_fake_dr6 = value;
}

void switch_set_xcr0(struct vcpu *v, u64 value)
{
	v->xcr0 = value;
}
