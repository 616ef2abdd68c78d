/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/setup.h"
#include "kernel/x86/gdt.h"
#include "kernel/x86/idt.h"
#include "vmx/caps.h"
#include "vmx/control_regs.h"
#include "vmx/cpuid.h"
#include "vmx/entry.h"
#include "vmx/machine.h"
#include "vmx/msr.h"
#include <string.h>

struct row {
	u32 field;
	u64 value;
	const char *why;
};

/* ---- controls ---- */

static const struct row controls[] = {
	{ ENCODING_EXCEPTION_BITMAP, BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC),
	  "#DB and #AC can loop in delivery; #MC is the host's" },
	{ ENCODING_PAGE_FAULT_MASK, 0, "page faults are the guest's own" },
	{ ENCODING_PAGE_FAULT_MATCH, 0, "page faults are the guest's own" },
	{ ENCODING_CR3_TARGET_COUNT, 0, "no exits by CR3" },
	{ ENCODING_EXIT_MSR_STORE_COUNT, 0, "switch.c does it, not at each exit" },
	{ ENCODING_EXIT_MSR_LOAD_COUNT, 0, "switch.c does it, not at each exit" },
	{ ENCODING_ENTRY_MSR_LOAD_COUNT, 0, "switch.c does it, not at each exit" },
	{ ENCODING_ENTRY_EVENT, 0, "nothing to inject yet" },
	{ ENCODING_GUEST_VMCS_LINK, ~0ULL, "no shadow VMCS" },
};

/* ---- guest, after power-on (SDM vol. 3A, table 9-1), flat rights where a mode row says so ---- */

static const struct row power_on[] = {
	{ ENCODING_GUEST_LDTR_SELECTOR, 0, "none" },
	{ ENCODING_GUEST_LDTR_BASE, 0, "none" },
	{ ENCODING_GUEST_LDTR_LIMIT, 0xffff, "none" },
	{ ENCODING_GUEST_LDTR_RIGHTS, 0x82, "an LDT, present" },
	{ ENCODING_GUEST_TR_SELECTOR, 0, "none" },
	{ ENCODING_GUEST_TR_BASE, 0, "none" },
	{ ENCODING_GUEST_TR_LIMIT, 0xffff, "none" },
	{ ENCODING_GUEST_TR_RIGHTS, 0x8b, "VM entry wants a busy TSS" },
	{ ENCODING_GUEST_GDTR_BASE, 0, "power-on" },
	{ ENCODING_GUEST_GDTR_LIMIT, 0xffff, "power-on" },
	{ ENCODING_GUEST_IDTR_BASE, 0, "power-on" },
	{ ENCODING_GUEST_IDTR_LIMIT, 0xffff, "power-on" },
	{ ENCODING_GUEST_RFLAGS, RFLAGS_ONE, "power-on" },
	{ ENCODING_GUEST_DR7, DR7_RESET, "power-on" },
	{ ENCODING_GUEST_DEBUGCTL, 0, "power-on" },
	{ ENCODING_GUEST_PAT, 0x0007040600070406ULL, "power-on" },
	{ ENCODING_GUEST_EFER, 0, "power-on" },
	{ ENCODING_GUEST_CR3, 0, "power-on" },
	{ ENCODING_GUEST_SYSENTER_CS, 0, "power-on" },
	{ ENCODING_GUEST_SYSENTER_ESP, 0, "power-on" },
	{ ENCODING_GUEST_SYSENTER_EIP, 0, "power-on" },
	{ ENCODING_GUEST_INTERRUPTIBILITY, 0, "nothing blocked" },
	{ ENCODING_GUEST_ACTIVITY, 0, "active; HLT and wait-for-SIPI are ours" },
	{ ENCODING_GUEST_PENDING_DEBUG, 0, "none" },
	{ ENCODING_ENTRY_EVENT, 0, "none" },
};

struct mode {
	u64 cr0, cr4, efer;
	u16 code, data; /* selectors; code 0: from the start */
	u32 limit, code_rights, data_rights;
};

static const struct mode modes[] = {
	[VCPU_REAL] = { .cr0 = CR0_ET | CR0_CD | CR0_NW, .limit = 0xffff, .code_rights = 0x9b, .data_rights = 0x93 },
	[VCPU_PROTECTED32] = { .cr0 = CR0_ET | CR0_PE,
			       .code = 0x10,
			       .data = 0x18,
			       .limit = 0xffffffff,
			       .code_rights = 0xc09b,
			       .data_rights = 0xc093 },
	[VCPU_LONG64] = { .cr0 = CR0_ET | CR0_PE | CR0_PG,
			  .cr4 = CR4_PAE,
			  .efer = EFER_LME,
			  .code = 0x10,
			  .data = 0x18,
			  .limit = 0xffffffff,
			  .code_rights = 0xa09b,
			  .data_rights = 0xc093 },
};

static void write_rows(const struct row *rows, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		ASSERT(rows[i].why[0]);
		vmcs_write_raw(rows[i].field, rows[i].value);
	}
}

static void write_segment(enum segment s, u16 selector, u64 base, u32 limit, u32 rights)
{
	u32 step = 2 * (u32)s;

	vmcs_write_raw(ENCODING_GUEST_ES_SELECTOR + step, selector);
	vmcs_write_raw(ENCODING_GUEST_ES_BASE + step, base);
	vmcs_write_raw(ENCODING_GUEST_ES_LIMIT + step, limit);
	vmcs_write_raw(ENCODING_GUEST_ES_RIGHTS + step, rights);
}

static void write_segments(const struct mode *mode, const struct vcpu_start *start)
{
	bool real = start->mode == VCPU_REAL;
	u16 code = real ? start->cs : mode->code;

	for (u32 s = SEGMENT_ES; s <= SEGMENT_GS; s++)
		write_segment((enum segment)s, mode->data, 0, mode->limit, mode->data_rights);
	write_segment(SEGMENT_CS, code, real ? (u64)code << 4 : 0, mode->limit, mode->code_rights);
}

void setup_guest(const struct vcpu *v, const struct vcpu_start *start)
{
	CHECK((u32)start->mode < ARRAY_SIZE(modes));
	const struct mode *mode = &modes[start->mode];

	write_rows(power_on, ARRAY_SIZE(power_on));
	write_segments(mode, start);
	control_set_masks(cpuid_cr4_mask(v));
	vmcs_write(GUEST_EFER, mode->efer);
	control_set_cr4(mode->cr4);
	control_set_cr0(mode->cr0);
	vmcs_write(GUEST_CR3, start->cr3);
	vmcs_write(GUEST_RIP, start->rip);
	vmcs_write(GUEST_RSP, start->rsp);
}

/* ---- the MSR bitmap ---- */

static mpn_t msr_bitmap;

err_t setup_msr_bitmap(void)
{
	if (msr_bitmap.n)
		return OK;
	err_t error = mm_overhead_alloc(0, &msr_bitmap);

	if (error)
		return error;
	memset(platform_frame(msr_bitmap), 0xff, PAGE_SIZE);
	msr_fill_bitmap(platform_frame(msr_bitmap));
	return OK;
}

void setup_controls(struct vcpu *v)
{
	CHECK(msr_bitmap.n && v->config.index < PC_MAX_VCPUS && v->vm_id < 0xffff / PC_MAX_VCPUS);
	write_rows(controls, ARRAY_SIZE(controls));
	v->cpu_controls = vmx_caps.controls[CONTROL_CPU];
	vmcs_write(PIN_CONTROLS, vmx_caps.controls[CONTROL_PIN]);
	vmcs_write(CPU_CONTROLS, v->cpu_controls);
	vmcs_write(CPU_CONTROLS_2, vmx_caps.controls[CONTROL_CPU2]);
	vmcs_write(EXIT_CONTROLS, vmx_caps.controls[CONTROL_EXIT]);
	vmcs_write(ENTRY_CONTROLS, vmx_caps.controls[CONTROL_ENTRY]);
	vmcs_write(VPID, (u16)(v->vm_id * PC_MAX_VCPUS + v->config.index));
	vmcs_write(EPT_POINTER, v->config.ept->eptp);
	vmcs_write(MSR_BITMAP, mpa_of(msr_bitmap).a);
	vmcs_write(TSC_OFFSET, v->tsc_offset);
}

/* ---- host ---- */

static u64 zero(void)
{
	return 0;
}

static u64 code_selector(void)
{
	return SELECTOR_CODE;
}

static u64 data_selector(void)
{
	return SELECTOR_DATA;
}

static u64 task_selector(void)
{
	return SELECTOR_TSS;
}

static u64 pat(void)
{
	return msr_read(MSR_PAT);
}

static u64 efer(void)
{
	return msr_read(MSR_EFER);
}

static u64 fs_base(void)
{
	return msr_read(MSR_FS_BASE);
}

static u64 gs_base(void)
{
	return msr_read(MSR_GS_BASE);
}

static u64 exit_address(void)
{
	return (u64)vmx_exited;
}

/* What VM exit loads: this CPU as it is now. SDM vol. 3C, 25.5. */
static const struct {
	u32 field;
	u64 (*value)(void);
} host[] = {
	{ ENCODING_HOST_ES_SELECTOR, data_selector },
	{ ENCODING_HOST_CS_SELECTOR, code_selector },
	{ ENCODING_HOST_SS_SELECTOR, data_selector },
	{ ENCODING_HOST_DS_SELECTOR, data_selector },
	{ ENCODING_HOST_FS_SELECTOR, zero },
	{ ENCODING_HOST_GS_SELECTOR, zero },
	{ ENCODING_HOST_TR_SELECTOR, task_selector },
	{ ENCODING_HOST_PAT, pat },
	{ ENCODING_HOST_EFER, efer },
	{ ENCODING_HOST_SYSENTER_CS, zero },
	{ ENCODING_HOST_SYSENTER_ESP, zero },
	{ ENCODING_HOST_SYSENTER_EIP, zero },
	{ ENCODING_HOST_CR0, cr0_read },
	{ ENCODING_HOST_CR3, cr3_read },
	{ ENCODING_HOST_CR4, cr4_read },
	{ ENCODING_HOST_FS_BASE, fs_base },
	{ ENCODING_HOST_GS_BASE, gs_base },
	{ ENCODING_HOST_TR_BASE, tss_base },
	{ ENCODING_HOST_GDTR_BASE, gdt_base },
	{ ENCODING_HOST_IDTR_BASE, idt_base },
	{ ENCODING_HOST_RIP, exit_address },
};

void setup_host(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(host); i++)
		vmcs_write_raw(host[i].field, host[i].value());
}
