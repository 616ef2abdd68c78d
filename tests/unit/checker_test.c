/* SPDX-License-Identifier: BSD-2-Clause */
/* The VM-entry checker: each rule is broken on purpose by one row, and it is that rule that is named. */
#include "tests/unit/support/vmx_fake.h"
#include "vmx/checker.h"
#include "vmx/checker_rules.h"
#include "vmx/inject.h"
#include "vmx/machine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOTHING "no rule that the checker knows"
#define NON_CANONICAL 0x800000000000ULL
#define TOO_HIGH BIT(46)
#define BAD_PAT 0x0007040600070402ULL

enum { V86_IN_LONG64 = VCPU_LONG64 + 1 }; /* a mode that cannot be */
enum { CHANGES = 6, PHYSICAL_BITS = 46 };

/* All that a row changes, in order; `on` and `off` are bits of controls. */
struct change {
	u32 field;
	enum { SET_TO = 0, ON, OFF } how;
	u64 value;
};

#define CPU2_ON(bits)                                    \
	{                                                \
		ENCODING_CPU_CONTROLS_2, ON, (u32)(bits) \
	}
#define CPU2_OFF(bits)                                    \
	{                                                 \
		ENCODING_CPU_CONTROLS_2, OFF, (u32)(bits) \
	}
#define CPU_ON(bits)                                   \
	{                                              \
		ENCODING_CPU_CONTROLS, ON, (u32)(bits) \
	}
#define PIN_ON(bits)                                   \
	{                                              \
		ENCODING_PIN_CONTROLS, ON, (u32)(bits) \
	}
#define PIN_OFF(bits)                                   \
	{                                               \
		ENCODING_PIN_CONTROLS, OFF, (u32)(bits) \
	}
#define EVENT_IS(type, vector)                                                                         \
	{                                                                                              \
		ENCODING_ENTRY_EVENT, SET_TO, EVENT_VALID | (u32)(type) << EVENT_TYPE_SHIFT | (vector) \
	}
#define SET(field, value)                         \
	{                                         \
		ENCODING_##field, SET_TO, (value) \
	}
#define VIRTUAL_INTERRUPTS CPU_ON(CPU_TPR_SHADOW), CPU2_ON(CPU2_VIRTUAL_INTERRUPTS)
#define POSTED VIRTUAL_INTERRUPTS, PIN_ON(PIN_POSTED_INTERRUPTS)
#define IF_ON                                        \
	{                                            \
		ENCODING_GUEST_RFLAGS, ON, RFLAGS_IF \
	}
#define RIGHTS(s, value)                                                    \
	{                                                                   \
		ENCODING_GUEST_ES_RIGHTS + 2 * SEGMENT_##s, SET_TO, (value) \
	}
#define V86                                          \
	{                                            \
		ENCODING_GUEST_RFLAGS, ON, RFLAGS_VM \
	}

static const struct broken {
	const char *rule;
	u32 mode; /* enum vcpu_mode, or V86_IN_LONG64 */
	struct change changes[CHANGES];
} rows[] = {
	/* controls: 26.2.1.1 */
	{ "pin-based controls: a bit that this processor does not allow", VCPU_LONG64, { PIN_ON(BIT(1)) } },
	{ "processor-based controls: a bit that this processor does not allow", VCPU_LONG64, { CPU_ON(1) } },
	{ "processor-based controls: a bit that this processor does not allow",
	  VCPU_LONG64,
	  { { ENCODING_CPU_CONTROLS, OFF, CPU_HLT } } },
	{ "secondary controls: a bit that this processor does not allow", VCPU_LONG64, { CPU2_ON(BIT(31)) } },
	{ "more CR3 targets than the processor has", VCPU_LONG64, { SET(CR3_TARGET_COUNT, 5) } },
	{ "I/O bitmap A: a page's address", VCPU_LONG64, { CPU_ON(CPU_IO_BITMAPS), SET(IO_BITMAP_A, 0x1800) } },
	{ "I/O bitmap B: a page's address", VCPU_LONG64, { CPU_ON(CPU_IO_BITMAPS), SET(IO_BITMAP_B, TOO_HIGH) } },
	{ "the MSR bitmap: a page's address", VCPU_LONG64, { SET(MSR_BITMAP, 0x1001) } },
	{ "the virtual APIC: a page's address", VCPU_LONG64, { CPU_ON(CPU_TPR_SHADOW), SET(VIRTUAL_APIC, 8) } },
	{ "the TPR threshold: 0 to 15", VCPU_LONG64, { CPU_ON(CPU_TPR_SHADOW), SET(TPR_THRESHOLD, 16) } },
	{ "virtual NMIs need NMI exiting", VCPU_LONG64, { PIN_OFF(PIN_NMI) } },
	{ "NMI-window exiting needs virtual NMIs", VCPU_LONG64, { CPU_ON(CPU_NMI_WINDOW), PIN_OFF(PIN_VIRTUAL_NMI) } },
	{ "the APIC-access page: a page's address", VCPU_LONG64, { CPU2_ON(CPU2_VIRTUAL_APIC_ACCESS), SET(APIC_ACCESS, 0x10) } },
	{ "x2APIC mode, APIC registers and virtual interrupts need the TPR shadow", VCPU_LONG64, { CPU2_ON(CPU2_X2APIC_MODE) } },
	{ "x2APIC mode, APIC registers and virtual interrupts need the TPR shadow",
	  VCPU_LONG64,
	  { CPU2_ON(CPU2_APIC_REGISTERS) } },
	{ "x2APIC mode, APIC registers and virtual interrupts need the TPR shadow",
	  VCPU_LONG64,
	  { CPU2_ON(CPU2_VIRTUAL_INTERRUPTS) } },
	{ "x2APIC mode and APIC accesses exclude each other",
	  VCPU_LONG64,
	  { CPU_ON(CPU_TPR_SHADOW), CPU2_ON(CPU2_X2APIC_MODE | CPU2_VIRTUAL_APIC_ACCESS) } },
	{ "virtual-interrupt delivery needs external-interrupt exiting",
	  VCPU_LONG64,
	  { VIRTUAL_INTERRUPTS, PIN_OFF(PIN_EXTERNAL_INTERRUPT) } },
	{ "posted interrupts need virtual-interrupt delivery", VCPU_LONG64, { PIN_ON(PIN_POSTED_INTERRUPTS) } },
	{ "posted interrupts need acknowledgement on exit",
	  VCPU_LONG64,
	  { POSTED, { ENCODING_EXIT_CONTROLS, OFF, EXIT_ACKNOWLEDGE_INTERRUPT } } },
	{ "the posted-interrupt vector: up to 255", VCPU_LONG64, { POSTED, SET(POSTED_VECTOR, 256) } },
	{ "the posted-interrupt descriptor: an address of 64 bytes", VCPU_LONG64, { POSTED, SET(POSTED_DESCRIPTOR, 0x20) } },
	{ "VPID must not be 0", VCPU_LONG64, { SET(VPID, 0) } },
	{ "the EPT pointer: write-back, walk length 4, reserved bits clear", VCPU_LONG64, { SET(EPT_POINTER, 0x10005e | 1) } },
	{ "the EPT pointer: write-back, walk length 4, reserved bits clear", VCPU_LONG64, { SET(EPT_POINTER, 0x100056) } },
	{ "the EPT pointer: write-back, walk length 4, reserved bits clear", VCPU_LONG64, { SET(EPT_POINTER, 0x1000de) } },
	{ "the page-modification log needs EPT", VCPU_LONG64, { CPU2_ON(CPU2_PAGE_MODIFICATION_LOG), CPU2_OFF(CPU2_EPT) } },
	{ "the page-modification log: a page's address",
	  VCPU_LONG64,
	  { CPU2_ON(CPU2_PAGE_MODIFICATION_LOG), SET(PML_ADDRESS, 2) } },
	{ "an unrestricted guest needs EPT", VCPU_LONG64, { CPU2_OFF(CPU2_EPT) } },
	{ "VM functions: a reserved bit", VCPU_LONG64, { CPU2_ON(CPU2_VMFUNC), SET(VM_FUNCTIONS, 2) } },
	{ "EPTP switching needs EPT and its list a page's address",
	  VCPU_LONG64,
	  { CPU2_ON(CPU2_VMFUNC), SET(VM_FUNCTIONS, 1), SET(EPTP_LIST, 1) } },
	{ "the VMREAD bitmap: a page's address", VCPU_LONG64, { CPU2_ON(CPU2_VMCS_SHADOWING), SET(VMREAD_BITMAP, 1) } },
	{ "the VMWRITE bitmap: a page's address", VCPU_LONG64, { CPU2_ON(CPU2_VMCS_SHADOWING), SET(VMWRITE_BITMAP, 1) } },
	{ "the #VE information: a page's address", VCPU_LONG64, { CPU2_ON(CPU2_EPT_VIOLATION_VE), SET(VE_INFORMATION, 1) } },
	/* exit and entry controls: 26.2.1.2, 26.2.1.3 */
	{ "exit controls: a bit that this processor does not allow", VCPU_LONG64, { { ENCODING_EXIT_CONTROLS, ON, BIT(31) } } },
	{ "saving the preemption timer needs the timer", VCPU_LONG64, { PIN_OFF(PIN_PREEMPTION_TIMER) } },
	{ "MSRs stored at exit: an address of 16 bytes",
	  VCPU_LONG64,
	  { SET(EXIT_MSR_STORE_COUNT, 1), SET(EXIT_MSR_STORE_ADDRESS, 8) } },
	{ "MSRs loaded at exit: an address of 16 bytes",
	  VCPU_LONG64,
	  { SET(EXIT_MSR_LOAD_COUNT, 2), SET(EXIT_MSR_LOAD_ADDRESS, TOO_HIGH - 16) } },
	{ "entry controls: a bit that this processor does not allow", VCPU_LONG64, { { ENCODING_ENTRY_CONTROLS, ON, BIT(31) } } },
	{ "SMM can be entered and left only from SMM", VCPU_LONG64, { { ENCODING_ENTRY_CONTROLS, ON, ENTRY_TO_SMM } } },
	{ "MSRs loaded at entry: an address of 16 bytes",
	  VCPU_LONG64,
	  { SET(ENTRY_MSR_LOAD_COUNT, 1), SET(ENTRY_MSR_LOAD_ADDRESS, 1) } },
	{ "the event: bits 30:12 are reserved", VCPU_LONG64, { EVENT_IS(EVENT_EXCEPTION, 6 | BIT(12)) } },
	{ "the event: type 1 is reserved, type 7 needs the monitor trap flag", VCPU_LONG64, { EVENT_IS(1, 0) } },
	{ "the event: an NMI has vector 2, an exception at most 31, another event 0", VCPU_LONG64, { EVENT_IS(EVENT_NMI, 3) } },
	{ "the event: an NMI has vector 2, an exception at most 31, another event 0",
	  VCPU_LONG64,
	  { EVENT_IS(EVENT_EXCEPTION, 32) } },
	{ "the event: an NMI has vector 2, an exception at most 31, another event 0", VCPU_LONG64, { EVENT_IS(EVENT_OTHER, 1) } },
	{ "the event: an error code exactly for exceptions that push one, in protected mode",
	  VCPU_LONG64,
	  { EVENT_IS(EVENT_EXCEPTION, 13) } },
	{ "the event: an error code exactly for exceptions that push one, in protected mode",
	  VCPU_LONG64,
	  { EVENT_IS(EVENT_EXCEPTION, 6 | EVENT_HAS_ERROR) } },
	{ "the event: an error code exactly for exceptions that push one, in protected mode",
	  VCPU_REAL,
	  { EVENT_IS(EVENT_EXCEPTION, 13 | EVENT_HAS_ERROR) } },
	{ "the event: error codes have 16 bits",
	  VCPU_LONG64,
	  { EVENT_IS(EVENT_EXCEPTION, 13 | EVENT_HAS_ERROR), SET(ENTRY_EVENT_ERROR, BIT(16)) } },
	{ "the event: a software event has an instruction length of at most 15, and not 0",
	  VCPU_LONG64,
	  { EVENT_IS(EVENT_SOFT_INTERRUPT, 0x80) } },
	{ "the event: a software event has an instruction length of at most 15, and not 0",
	  VCPU_LONG64,
	  { EVENT_IS(EVENT_SOFT_EXCEPTION, 3), SET(ENTRY_EVENT_LENGTH, 16) } },
	/* host: 26.2.2 - 26.2.4 */
	{ "host CR0 against IA32_VMX_CR0_FIXED", VCPU_LONG64, { { ENCODING_HOST_CR0, OFF, CR0_NE } } },
	{ "host CR4 against IA32_VMX_CR4_FIXED", VCPU_LONG64, { { ENCODING_HOST_CR4, OFF, CR4_VMXE } } },
	{ "host CR3: within the physical address width", VCPU_LONG64, { SET(HOST_CR3, TOO_HIGH) } },
	{ "host SYSENTER_ESP must be canonical", VCPU_LONG64, { SET(HOST_SYSENTER_ESP, NON_CANONICAL) } },
	{ "host SYSENTER_EIP must be canonical", VCPU_LONG64, { SET(HOST_SYSENTER_EIP, NON_CANONICAL) } },
	{ "host PAT: memory types 0, 1, 4, 5, 6, 7", VCPU_LONG64, { SET(HOST_PAT, BAD_PAT) } },
	{ "host EFER: reserved bits", VCPU_LONG64, { { ENCODING_HOST_EFER, ON, BIT(1) } } },
	{ "host EFER: LME and LMA, as the exit control says", VCPU_LONG64, { { ENCODING_HOST_EFER, OFF, EFER_LMA } } },
	{ "host selectors: neither RPL nor TI", VCPU_LONG64, { SET(HOST_FS_SELECTOR, 3) } },
	{ "host selectors: neither RPL nor TI", VCPU_LONG64, { SET(HOST_DS_SELECTOR, 4) } },
	{ "host CS must not be 0", VCPU_LONG64, { SET(HOST_CS_SELECTOR, 0) } },
	{ "host TR must not be 0", VCPU_LONG64, { SET(HOST_TR_SELECTOR, 0) } },
	{ "host FS base must be canonical", VCPU_LONG64, { SET(HOST_FS_BASE, NON_CANONICAL) } },
	{ "host GS base must be canonical", VCPU_LONG64, { SET(HOST_GS_BASE, NON_CANONICAL) } },
	{ "host GDTR base must be canonical", VCPU_LONG64, { SET(HOST_GDTR_BASE, NON_CANONICAL) } },
	{ "host IDTR base must be canonical", VCPU_LONG64, { SET(HOST_IDTR_BASE, NON_CANONICAL) } },
	{ "host TR base must be canonical", VCPU_LONG64, { SET(HOST_TR_BASE, NON_CANONICAL) } },
	{ "a 64-bit host needs its exit control", VCPU_LONG64, { { ENCODING_EXIT_CONTROLS, OFF, EXIT_HOST_64 } } },
	{ "a 64-bit host needs CR4.PAE", VCPU_LONG64, { { ENCODING_HOST_CR4, OFF, CR4_PAE } } },
	{ "host RIP must be canonical", VCPU_LONG64, { SET(HOST_RIP, NON_CANONICAL) } },
	/* segments: 26.3.1.2, 26.3.1.3 */
	{ "guest TR and LDTR: selectors of the GDT", VCPU_LONG64, { SET(GUEST_TR_SELECTOR, 4) } },
	{ "guest TR and LDTR: selectors of the GDT", VCPU_LONG64, { SET(GUEST_LDTR_SELECTOR, 4) } },
	{ "guest SS: the RPL of CS", VCPU_LONG64, { CPU2_OFF(CPU2_UNRESTRICTED_GUEST), SET(GUEST_SS_SELECTOR, 0x1b) } },
	{ "guest TR, FS, GS and LDTR bases must be canonical", VCPU_LONG64, { SET(GUEST_GS_BASE, NON_CANONICAL) } },
	{ "guest TR, FS, GS and LDTR bases must be canonical", VCPU_LONG64, { SET(GUEST_LDTR_BASE, NON_CANONICAL) } },
	{ "guest CS, SS, DS and ES bases: below 4 GiB", VCPU_LONG64, { SET(GUEST_CS_BASE, BIT(32)) } },
	{ "guest CS, SS, DS and ES bases: below 4 GiB", VCPU_LONG64, { SET(GUEST_ES_BASE, BIT(32)) } },
	{ "virtual-8086 mode: base 16 times the selector, limit 0xffff, rights 0xf3", VCPU_PROTECTED32, { V86 } },
	{ "guest CS must be accessed code (or data for an unrestricted guest)", VCPU_LONG64, { RIGHTS(CS, 0xa098) } },
	{ "guest CS must be accessed code (or data for an unrestricted guest)",
	  VCPU_LONG64,
	  { CPU2_OFF(CPU2_UNRESTRICTED_GUEST), RIGHTS(CS, 0xa093) } },
	{ "guest SS must be writable accessed data", VCPU_LONG64, { RIGHTS(SS, 0xc091) } },
	{ "guest DS, ES, FS, GS must be accessed and readable", VCPU_LONG64, { RIGHTS(DS, 0xc092) } },
	{ "guest DS, ES, FS, GS must be accessed and readable", VCPU_LONG64, { RIGHTS(FS, 0xc099) } },
	{ "guest code, stack and data must not be system segments", VCPU_LONG64, { RIGHTS(GS, 0xc083) } },
	{ "guest CS: its DPL against that of SS", VCPU_LONG64, { RIGHTS(CS, 0xa0fb) } },
	{ "guest CS: its DPL against that of SS", VCPU_LONG64, { RIGHTS(CS, 0xa0fd) } },
	{ "guest CS: its DPL against that of SS", VCPU_PROTECTED32, { RIGHTS(CS, 0xc0f3) } },
	{ "guest SS: its DPL against RPL and CR0.PE",
	  VCPU_LONG64,
	  { CPU2_OFF(CPU2_UNRESTRICTED_GUEST), RIGHTS(CS, 0xa0fb), RIGHTS(SS, 0xc0f3) } },
	{ "guest SS: its DPL against RPL and CR0.PE", VCPU_REAL, { RIGHTS(CS, 0xfb), RIGHTS(SS, 0xf3) } },
	{ "guest DS, ES, FS, GS: their DPL against RPL",
	  VCPU_LONG64,
	  { CPU2_OFF(CPU2_UNRESTRICTED_GUEST), SET(GUEST_DS_SELECTOR, 0x1b) } },
	{ "guest segments must be present", VCPU_LONG64, { RIGHTS(ES, 0xc013) } },
	{ "guest segments must be present", VCPU_LONG64, { RIGHTS(TR, 0x0b) } },
	{ "guest segments' rights: reserved bits", VCPU_LONG64, { RIGHTS(CS, 0xa19b) } },
	{ "guest segments' rights: reserved bits", VCPU_LONG64, { RIGHTS(LDTR, 0x20082) } },
	{ "guest CS must not be L and D at once", VCPU_LONG64, { RIGHTS(CS, 0xe09b) } },
	{ "guest segments' limits against granularity", VCPU_LONG64, { SET(GUEST_SS_LIMIT, 0xfffffffe) } },
	{ "guest segments' limits against granularity", VCPU_LONG64, { SET(GUEST_TR_LIMIT, 0x100000) } },
	{ "guest TR must be a usable, busy TSS", VCPU_LONG64, { RIGHTS(TR, 0x1008b) } },
	{ "guest TR must be a usable, busy TSS", VCPU_LONG64, { RIGHTS(TR, 0x89) } },
	{ "guest TR must be a usable, busy TSS", VCPU_LONG64, { RIGHTS(TR, 0x83) } },
	{ "guest LDTR must be an LDT or unusable", VCPU_LONG64, { RIGHTS(LDTR, 0x83) } },
	{ "guest GDTR base must be canonical", VCPU_LONG64, { SET(GUEST_GDTR_BASE, NON_CANONICAL) } },
	{ "guest IDTR base must be canonical", VCPU_LONG64, { SET(GUEST_IDTR_BASE, NON_CANONICAL) } },
	{ "guest GDTR limit: below 64 KiB", VCPU_LONG64, { SET(GUEST_GDTR_LIMIT, BIT(16)) } },
	{ "guest IDTR limit: below 64 KiB", VCPU_LONG64, { SET(GUEST_IDTR_LIMIT, BIT(16)) } },
	/* registers: 26.3.1.1, 26.3.1.4 */
	{ "guest CR0 against IA32_VMX_CR0_FIXED", VCPU_LONG64, { { ENCODING_GUEST_CR0, OFF, CR0_NE } } },
	{ "guest CR0 against IA32_VMX_CR0_FIXED", VCPU_REAL, { CPU2_OFF(CPU2_UNRESTRICTED_GUEST) } },
	{ "guest CR0.PG needs CR0.PE", VCPU_REAL, { { ENCODING_GUEST_CR0, ON, CR0_PG } } },
	{ "guest CR4 against IA32_VMX_CR4_FIXED", VCPU_LONG64, { { ENCODING_GUEST_CR4, OFF, CR4_VMXE } } },
	{ "guest CR4.CET needs CR0.WP", VCPU_LONG64, { { ENCODING_GUEST_CR4, ON, BIT(23) } } },
	{ "guest DEBUGCTL: reserved bits", VCPU_LONG64, { SET(GUEST_DEBUGCTL, BIT(3)) } },
	{ "an IA-32e guest needs CR0.PG", VCPU_LONG64, { { ENCODING_GUEST_CR0, OFF, CR0_PG } } },
	{ "an IA-32e guest needs CR4.PAE", VCPU_LONG64, { { ENCODING_GUEST_CR4, OFF, CR4_PAE } } },
	{ "guest CR4.PCIDE needs IA-32e mode", VCPU_PROTECTED32, { { ENCODING_GUEST_CR4, ON, CR4_PCIDE } } },
	{ "guest CR3: within the physical address width", VCPU_LONG64, { SET(GUEST_CR3, TOO_HIGH) } },
	{ "guest DR7: bits 63:32 clear", VCPU_LONG64, { SET(GUEST_DR7, BIT(32)) } },
	{ "guest SYSENTER_ESP must be canonical", VCPU_LONG64, { SET(GUEST_SYSENTER_ESP, NON_CANONICAL) } },
	{ "guest SYSENTER_EIP must be canonical", VCPU_LONG64, { SET(GUEST_SYSENTER_EIP, NON_CANONICAL) } },
	{ "guest PAT: memory types 0, 1, 4, 5, 6, 7", VCPU_LONG64, { SET(GUEST_PAT, BAD_PAT) } },
	{ "guest EFER: reserved bits", VCPU_LONG64, { { ENCODING_GUEST_EFER, ON, BIT(12) } } },
	{ "guest EFER: LMA as the entry control says", VCPU_PROTECTED32, { SET(GUEST_EFER, EFER_LMA) } },
	{ "guest EFER: LME as LMA under paging", VCPU_LONG64, { SET(GUEST_EFER, EFER_LMA) } },
	{ "guest RIP: canonical in 64-bit code, else below 4 GiB", VCPU_LONG64, { SET(GUEST_RIP, NON_CANONICAL) } },
	{ "guest RIP: canonical in 64-bit code, else below 4 GiB", VCPU_PROTECTED32, { SET(GUEST_RIP, BIT(32)) } },
	{ "guest RFLAGS: reserved bits", VCPU_LONG64, { SET(GUEST_RFLAGS, 0) } },
	{ "guest RFLAGS: reserved bits", VCPU_LONG64, { { ENCODING_GUEST_RFLAGS, ON, BIT(15) } } },
	{ "an interrupt needs RFLAGS.IF", VCPU_LONG64, { EVENT_IS(EVENT_INTERRUPT, 0x30) } },
	/* what blocks and what waits: 26.3.1.5, 26.3.1.6 */
	{ "activity: a state that this processor does not have", VCPU_LONG64, { SET(GUEST_ACTIVITY, 4) } },
	{ "activity: a state that this processor does not have", VCPU_LONG64, { SET(GUEST_ACTIVITY, 3) } },
	{ "activity: halted only at ring 0",
	  VCPU_PROTECTED32,
	  { SET(GUEST_ACTIVITY, 1), RIGHTS(CS, 0xc0fb), RIGHTS(SS, 0xc0f3) } },
	{ "activity: active under blocking by STI or MOV SS",
	  VCPU_LONG64,
	  { SET(GUEST_ACTIVITY, 1), SET(GUEST_INTERRUPTIBILITY, 2) } },
	{ "activity: the event does not end it", VCPU_LONG64, { SET(GUEST_ACTIVITY, 1), EVENT_IS(EVENT_EXCEPTION, 6) } },
	{ "activity: the event does not end it",
	  VCPU_LONG64,
	  { SET(GUEST_ACTIVITY, 2), IF_ON, EVENT_IS(EVENT_INTERRUPT, 0x30) } },
	{ "interruptibility: bits 31:5 are reserved", VCPU_LONG64, { SET(GUEST_INTERRUPTIBILITY, BIT(5)) } },
	{ "interruptibility: STI and MOV SS exclude each other", VCPU_LONG64, { IF_ON, SET(GUEST_INTERRUPTIBILITY, 3) } },
	{ "interruptibility: blocking by STI needs RFLAGS.IF", VCPU_LONG64, { SET(GUEST_INTERRUPTIBILITY, BLOCKED_STI) } },
	{ "interruptibility: an interrupt under blocking by STI or MOV SS",
	  VCPU_LONG64,
	  { IF_ON, SET(GUEST_INTERRUPTIBILITY, BLOCKED_STI), EVENT_IS(EVENT_INTERRUPT, 0x30) } },
	{ "interruptibility: an NMI under blocking by STI or MOV SS",
	  VCPU_LONG64,
	  { SET(GUEST_INTERRUPTIBILITY, BLOCKED_MOV_SS), EVENT_IS(EVENT_NMI, 2) } },
	{ "interruptibility: blocking by SMI outside of SMM", VCPU_LONG64, { SET(GUEST_INTERRUPTIBILITY, BLOCKED_SMI) } },
	{ "interruptibility: an NMI under blocking by NMI",
	  VCPU_LONG64,
	  { SET(GUEST_INTERRUPTIBILITY, BLOCKED_NMI), EVENT_IS(EVENT_NMI, 2) } },
	{ "interruptibility: MOV SS inside of an enclave", VCPU_LONG64, { SET(GUEST_INTERRUPTIBILITY, 16 | BLOCKED_MOV_SS) } },
	{ "pending debug exceptions: reserved bits", VCPU_LONG64, { SET(GUEST_PENDING_DEBUG, BIT(4)) } },
	{ "pending debug exceptions: BS as RFLAGS.TF under blocking or halted",
	  VCPU_LONG64,
	  { SET(GUEST_PENDING_DEBUG, BIT(14)), SET(GUEST_INTERRUPTIBILITY, BLOCKED_MOV_SS) } },
	{ "pending debug exceptions: BS as RFLAGS.TF under blocking or halted",
	  VCPU_LONG64,
	  { SET(GUEST_ACTIVITY, 1), { ENCODING_GUEST_RFLAGS, ON, RFLAGS_TF } } },
	{ "pending debug exceptions: a transaction's is alone",
	  VCPU_LONG64,
	  { SET(GUEST_PENDING_DEBUG, BIT(16) | BIT(12) | 1) } },
	{ "the VMCS link pointer must be all ones", VCPU_LONG64, { SET(GUEST_VMCS_LINK, 0x1000) } },
	{ "guest PDPTEs: reserved bits",
	  VCPU_PROTECTED32,
	  { { ENCODING_GUEST_CR0, ON, CR0_PG }, { ENCODING_GUEST_CR4, ON, CR4_PAE }, SET(GUEST_PDPTE2, 3) } },
	{ "virtual-8086 mode: only in protected, not in IA-32e mode", V86_IN_LONG64, { V86 } },
};

/* What is right in every mode: each change of a row is the only thing that is wrong. */
static const struct change sound[] = {
	SET(VPID, 1),
	SET(MSR_BITMAP, 0x1000),
	SET(EPT_POINTER, 0x10005e),
	SET(GUEST_VMCS_LINK, ~0ULL),
	SET(GUEST_PAT, 0x0007040600070406ULL),
	SET(HOST_PAT, 0x0007040600070406ULL),
	SET(GUEST_GDTR_LIMIT, 0xffff),
	SET(GUEST_DR7, DR7_RESET),
	SET(HOST_CR0, CR0_PE | CR0_NE | CR0_PG),
	SET(HOST_CR4, CR4_VMXE | CR4_PAE),
	SET(HOST_EFER, EFER_LME | EFER_LMA | EFER_NXE),
	SET(HOST_CS_SELECTOR, 8),
	SET(HOST_SS_SELECTOR, 16),
	SET(HOST_TR_SELECTOR, 24),
	SET(HOST_RIP, 0xffffffff80000000ULL),
	SET(HOST_GS_BASE, 0xffffffff80001000ULL),
	SET(EXIT_CONTROLS, EXIT_SAVE_DEBUG | EXIT_HOST_64 | EXIT_ACKNOWLEDGE_INTERRUPT | EXIT_LOAD_PAT | EXIT_LOAD_EFER |
				   EXIT_SAVE_PREEMPTION_TIMER),
	SET(PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMI | PIN_PREEMPTION_TIMER),
	SET(CPU_CONTROLS, CPU_HLT | CPU_MSR_BITMAPS | (u32)CPU_SECONDARY),
	SET(CPU_CONTROLS_2, CPU2_EPT | CPU2_VPID | CPU2_UNRESTRICTED_GUEST),
	{ ENCODING_ENTRY_CONTROLS, ON, ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER },
};

static void apply(const struct change *changes, u32 count)
{
	for (u32 i = 0; i < count && (changes[i].field || changes[i].how || changes[i].value || i == 0); i++) {
		u64 old = vmcs_read_raw(changes[i].field);
		const u64 results[] = { changes[i].value, old | changes[i].value, old & ~changes[i].value };

		vmcs_write_raw(changes[i].field, results[changes[i].how]);
	}
}

/* Every control of controls.def may be on; only HLT exiting must. */
static void allow_controls(void)
{
	static const struct {
		enum control_group group;
		u32 mask;
	} all[] = {
#define CONTROL(group, name, bit, wish, why) { CONTROL_##group, 1U << (bit) },
#include "vmx/controls.def"
#undef CONTROL
	};

	for (u32 i = 0; i < ARRAY_SIZE(all); i++)
		vmx_caps.allowed[all[i].group] |= (u64)all[i].mask << 32;
	vmx_caps.allowed[CONTROL_CPU] |= CPU_HLT;
}

static void make_v86(void)
{
	for (u32 s = SEGMENT_ES; s <= SEGMENT_GS; s++) {
		vmcs_write_raw(ENCODING_GUEST_ES_SELECTOR + 2 * s, 0);
		vmcs_write_raw(ENCODING_GUEST_ES_LIMIT + 2 * s, 0xffff);
		vmcs_write_raw(ENCODING_GUEST_ES_RIGHTS + 2 * s, 0xf3);
	}
}

static void make_sound(u32 mode)
{
	vmx_fake_reset();
	vmx_fake_mode(mode == V86_IN_LONG64 ? VCPU_LONG64 : (enum vcpu_mode)mode);
	if (mode == V86_IN_LONG64)
		make_v86();
	vmx_caps.physical_bits = PHYSICAL_BITS;
	vmx_caps.cr0_must = CR0_PE | CR0_NE | CR0_PG;
	vmx_caps.cr4_may |= BIT(23);
	vmx_caps.misc = 4 << 16 | BIT(6) | BIT(7); /* HLT and shutdown, no wait-for-SIPI */
	allow_controls();
	apply(sound, ARRAY_SIZE(sound));
}

static void test_a_sound_vmcs_breaks_no_rule(void **state)
{
	static const enum vcpu_mode modes[] = { VCPU_REAL, VCPU_PROTECTED32, VCPU_LONG64 };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(modes); i++) {
		make_sound(modes[i]);
		assert_string_equal(checker_find(), NOTHING);
	}
	make_sound(VCPU_PROTECTED32);
	make_v86();
	vmcs_write(GUEST_RFLAGS, RFLAGS_ONE | RFLAGS_VM);
	assert_string_equal(checker_find(), NOTHING);
}

static void test_each_broken_field_is_named(void **state)
{
	u32 wrong = 0;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		make_sound(rows[i].mode);
		apply(rows[i].changes, CHANGES);
		if (strcmp(checker_find(), rows[i].rule) == 0)
			continue;
		fprintf(stderr, "row %u: '%s', not '%s'\n", i, checker_find(), rows[i].rule);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* Total by construction: a rule that nobody has broken could be wrong for ever. */
static void test_each_rule_is_broken_by_a_row(void **state)
{
	const struct checker_rules *parts[] = { &checker_controls, &checker_host, &checker_segments, &checker_guest };
	u32 missing = 0;

	(void)state;
	for (u32 part = 0; part < ARRAY_SIZE(parts); part++) {
		for (u32 i = 0; i < parts[part]->count; i++) {
			const char *text = parts[part]->rows[i].text;
			u32 row = 0;

			while (row < ARRAY_SIZE(rows) && strcmp(rows[row].rule, text) != 0)
				row++;
			if (row < ARRAY_SIZE(rows))
				continue;
			fprintf(stderr, "no row breaks: %s\n", text);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

/* On processors that say so. */
static void test_a_software_event_of_length_0(void **state)
{
	(void)state;
	make_sound(VCPU_LONG64);
	vmx_caps.misc |= BIT(30);
	vmcs_write(ENTRY_EVENT, EVENT_VALID | EVENT_SOFT_INTERRUPT << EVENT_TYPE_SHIFT | 0x80);
	assert_string_equal(checker_find(), NOTHING);
}

static void test_what_an_event_may_wake(void **state)
{
	static const struct change halted[][2] = {
		{ IF_ON, EVENT_IS(EVENT_INTERRUPT, 0x30) },
		{ SET(VPID, 1), EVENT_IS(EVENT_NMI, 2) },
		{ SET(VPID, 1), EVENT_IS(EVENT_EXCEPTION, VECTOR_MC) },
		{ SET(VPID, 1), EVENT_IS(EVENT_EXCEPTION, VECTOR_DB) },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(halted); i++) {
		make_sound(VCPU_LONG64);
		vmcs_write(GUEST_ACTIVITY, 1);
		apply(halted[i], 2);
		assert_string_equal(checker_find(), NOTHING);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_sound_vmcs_breaks_no_rule),  cmocka_unit_test(test_each_broken_field_is_named),
		cmocka_unit_test(test_each_rule_is_broken_by_a_row), cmocka_unit_test(test_a_software_event_of_length_0),
		cmocka_unit_test(test_what_an_event_may_wake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
