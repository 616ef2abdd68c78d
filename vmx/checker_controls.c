/* SPDX-License-Identifier: BSD-2-Clause */
/* VM-execution, exit and entry controls.  SDM vol. 3C, 26.2.1. */
#include "vmx/caps.h"
#include "vmx/checker_rules.h"
#include "vmx/ept.h"
#include "vmx/inject.h"
#include "vmx/machine.h"

#define PAGE_BITS 0xfffULL
#define MISC_LENGTH_0 BIT(30) /* a software event of length 0 is fine */
#define PIN ENCODING_PIN_CONTROLS
#define CPU ENCODING_CPU_CONTROLS
#define CPU2 ENCODING_CPU_CONTROLS_2
#define EXIT ENCODING_EXIT_CONTROLS
#define ENTRY ENCODING_ENTRY_CONTROLS
#define EVENT ENCODING_ENTRY_EVENT

enum { EVENT_VECTOR = 0xff, EVENT_RESERVED_TYPE = 1, EXCEPTIONS = 32, INSTRUCTION_MOST = 15 };

/* The capability MSR (mask: its group): low half, bits that must be 1; high half, bits that may be. */
static bool allowed(const struct checker_rule *rule)
{
	CHECK(rule->mask < CONTROL_GROUPS);
	u64 capability = vmx_caps.allowed[rule->mask];
	u32 value = (u32)checker_value(rule->field);

	return !(~value & (u32)capability) && !(value & ~(u32)(capability >> 32));
}

static bool few_targets(const struct checker_rule *rule)
{
	return checker_value(rule->field) <= (vmx_caps.misc >> 16 & 0x1ff);
}

static bool tpr_threshold(const struct checker_rule *rule)
{
	return checker_has(CPU2, CPU2_VIRTUAL_INTERRUPTS) || checker_clear(rule);
}

static bool ept_pointer(const struct checker_rule *rule)
{
	u64 eptp = checker_value(rule->field);
	u64 reserved = vmx_caps.ept_dirty ? 0xf80 : 0xfc0;

	return (eptp & 7) == 6 && (eptp >> 3 & 7) == pt_ept.levels - 1 && checker_is_address(eptp, reserved);
}

static bool eptp_switching(const struct checker_rule *rule)
{
	return !(checker_value(rule->field) & 1) ||
	       (checker_has(CPU2, CPU2_EPT) && checker_is_address(vmcs_read(EPTP_LIST), PAGE_BITS));
}

/* 16 bytes an entry, all of it within the physical address width. `field`: the count, `mask`: where its address stands. */
static bool msr_area(const struct checker_rule *rule)
{
	CHECK(rule->mask <= UINT32_MAX && vmcs_name((u32)rule->mask));
	u64 start = checker_value((u32)rule->mask);

	return checker_is_address(start, 0xf) && checker_is_address(start + checker_value(rule->field) * 16 - 1, 0);
}

/* ---- the event to inject (26.2.1.3) ---- */

static bool event_kind(const struct checker_rule *rule)
{
	u32 type = event_type((u32)checker_value(rule->field));

	return type != EVENT_RESERVED_TYPE && (type != EVENT_OTHER || (vmx_caps.allowed[CONTROL_CPU] >> 32 & CPU_MONITOR_TRAP));
}

static bool event_vector(const struct checker_rule *rule)
{
	u32 info = (u32)checker_value(rule->field);
	u32 vector = info & EVENT_VECTOR;

	switch (event_type(info)) {
	case EVENT_NMI:
		return vector == VECTOR_NMI;
	case EVENT_EXCEPTION:
		return vector < EXCEPTIONS;
	case EVENT_OTHER:
		return vector == 0;
	default:
		return true;
	}
}

static bool event_has_error(const struct checker_rule *rule)
{
	u32 info = (u32)checker_value(rule->field);
	bool real = checker_has(CPU2, CPU2_UNRESTRICTED_GUEST) && !checker_has(ENCODING_GUEST_CR0, CR0_PE);
	bool wants = event_type(info) == EVENT_EXCEPTION && (EXCEPTIONS_WITH_ERROR & BIT(info & (EXCEPTIONS - 1)));

	return ((info & EVENT_HAS_ERROR) != 0) == (wants && !real);
}

static bool event_error(const struct checker_rule *rule)
{
	return !(checker_value(rule->field) & EVENT_HAS_ERROR) || vmcs_read(ENTRY_EVENT_ERROR) >> 16 == 0;
}

static bool event_length(const struct checker_rule *rule)
{
	u32 type = event_type((u32)checker_value(rule->field));
	u32 length = vmcs_read(ENTRY_EVENT_LENGTH);

	u32 least = vmx_caps.misc & MISC_LENGTH_0 ? 0 : 1;

	return type < EVENT_SOFT_INTERRUPT || type == EVENT_OTHER || (length >= least && length <= INSTRUCTION_MOST);
}

static const struct checker_rule rows[] = {
	{ "pin-based controls: a bit that this processor does not allow", allowed, 0, 0, PIN, CONTROL_PIN },
	{ "processor-based controls: a bit that this processor does not allow", allowed, 0, 0, CPU, CONTROL_CPU },
	{ "secondary controls: a bit that this processor does not allow", allowed, CPU, (u32)CPU_SECONDARY, CPU2, CONTROL_CPU2 },
	{ "more CR3 targets than the processor has", few_targets, 0, 0, ENCODING_CR3_TARGET_COUNT, 0 },
	{ "I/O bitmap A: a page's address", checker_address, CPU, CPU_IO_BITMAPS, ENCODING_IO_BITMAP_A, PAGE_BITS },
	{ "I/O bitmap B: a page's address", checker_address, CPU, CPU_IO_BITMAPS, ENCODING_IO_BITMAP_B, PAGE_BITS },
	{ "the MSR bitmap: a page's address", checker_address, CPU, CPU_MSR_BITMAPS, ENCODING_MSR_BITMAP, PAGE_BITS },
	{ "the virtual APIC: a page's address", checker_address, CPU, CPU_TPR_SHADOW, ENCODING_VIRTUAL_APIC, PAGE_BITS },
	{ "the TPR threshold: 0 to 15", tpr_threshold, CPU, CPU_TPR_SHADOW, ENCODING_TPR_THRESHOLD, 0xfffffff0 },
	{ "virtual NMIs need NMI exiting", checker_set, PIN, PIN_VIRTUAL_NMI, PIN, PIN_NMI },
	{ "NMI-window exiting needs virtual NMIs", checker_set, CPU, CPU_NMI_WINDOW, PIN, PIN_VIRTUAL_NMI },
	{ "the APIC-access page: a page's address", checker_address, CPU2, CPU2_VIRTUAL_APIC_ACCESS, ENCODING_APIC_ACCESS,
	  PAGE_BITS },
	{ "x2APIC mode, APIC registers and virtual interrupts need the TPR shadow", checker_set, CPU2,
	  CPU2_X2APIC_MODE | CPU2_APIC_REGISTERS | CPU2_VIRTUAL_INTERRUPTS, CPU, CPU_TPR_SHADOW },
	{ "x2APIC mode and APIC accesses exclude each other", checker_clear, CPU2, CPU2_X2APIC_MODE, CPU2,
	  CPU2_VIRTUAL_APIC_ACCESS },
	{ "virtual-interrupt delivery needs external-interrupt exiting", checker_set, CPU2, CPU2_VIRTUAL_INTERRUPTS, PIN,
	  PIN_EXTERNAL_INTERRUPT },
	{ "posted interrupts need virtual-interrupt delivery", checker_set, PIN, PIN_POSTED_INTERRUPTS, CPU2,
	  CPU2_VIRTUAL_INTERRUPTS },
	{ "posted interrupts need acknowledgement on exit", checker_set, PIN, PIN_POSTED_INTERRUPTS, EXIT,
	  EXIT_ACKNOWLEDGE_INTERRUPT },
	{ "the posted-interrupt vector: up to 255", checker_clear, PIN, PIN_POSTED_INTERRUPTS, ENCODING_POSTED_VECTOR, 0xff00 },
	{ "the posted-interrupt descriptor: an address of 64 bytes", checker_address, PIN, PIN_POSTED_INTERRUPTS,
	  ENCODING_POSTED_DESCRIPTOR, 0x3f },
	{ "VPID must not be 0", checker_any, CPU2, CPU2_VPID, ENCODING_VPID, 0xffff },
	{ "the EPT pointer: write-back, walk length 4, reserved bits clear", ept_pointer, CPU2, CPU2_EPT, ENCODING_EPT_POINTER,
	  0 },
	{ "the page-modification log needs EPT", checker_set, CPU2, CPU2_PAGE_MODIFICATION_LOG, CPU2, CPU2_EPT },
	{ "the page-modification log: a page's address", checker_address, CPU2, CPU2_PAGE_MODIFICATION_LOG, ENCODING_PML_ADDRESS,
	  PAGE_BITS },
	{ "an unrestricted guest needs EPT", checker_set, CPU2, CPU2_UNRESTRICTED_GUEST, CPU2, CPU2_EPT },
	{ "VM functions: a reserved bit", checker_clear, CPU2, CPU2_VMFUNC, ENCODING_VM_FUNCTIONS, ~1ULL },
	{ "EPTP switching needs EPT and its list a page's address", eptp_switching, CPU2, CPU2_VMFUNC, ENCODING_VM_FUNCTIONS, 0 },
	{ "the VMREAD bitmap: a page's address", checker_address, CPU2, CPU2_VMCS_SHADOWING, ENCODING_VMREAD_BITMAP, PAGE_BITS },
	{ "the VMWRITE bitmap: a page's address", checker_address, CPU2, CPU2_VMCS_SHADOWING, ENCODING_VMWRITE_BITMAP,
	  PAGE_BITS },
	{ "the #VE information: a page's address", checker_address, CPU2, CPU2_EPT_VIOLATION_VE, ENCODING_VE_INFORMATION,
	  PAGE_BITS },

	{ "exit controls: a bit that this processor does not allow", allowed, 0, 0, EXIT, CONTROL_EXIT },
	{ "saving the preemption timer needs the timer", checker_set, EXIT, EXIT_SAVE_PREEMPTION_TIMER, PIN,
	  PIN_PREEMPTION_TIMER },
	{ "MSRs stored at exit: an address of 16 bytes", msr_area, ENCODING_EXIT_MSR_STORE_COUNT, ~0U,
	  ENCODING_EXIT_MSR_STORE_COUNT, ENCODING_EXIT_MSR_STORE_ADDRESS },
	{ "MSRs loaded at exit: an address of 16 bytes", msr_area, ENCODING_EXIT_MSR_LOAD_COUNT, ~0U,
	  ENCODING_EXIT_MSR_LOAD_COUNT, ENCODING_EXIT_MSR_LOAD_ADDRESS },

	{ "entry controls: a bit that this processor does not allow", allowed, 0, 0, ENTRY, CONTROL_ENTRY },
	{ "SMM can be entered and left only from SMM", checker_clear, 0, 0, ENTRY, ENTRY_TO_SMM | ENTRY_DUAL_MONITOR },
	{ "MSRs loaded at entry: an address of 16 bytes", msr_area, ENCODING_ENTRY_MSR_LOAD_COUNT, ~0U,
	  ENCODING_ENTRY_MSR_LOAD_COUNT, ENCODING_ENTRY_MSR_LOAD_ADDRESS },
	{ "the event: bits 30:12 are reserved", checker_clear, EVENT, EVENT_VALID, EVENT, 0x7ffff000 },
	{ "the event: type 1 is reserved, type 7 needs the monitor trap flag", event_kind, EVENT, EVENT_VALID, EVENT, 0 },
	{ "the event: an NMI has vector 2, an exception at most 31, another event 0", event_vector, EVENT, EVENT_VALID, EVENT,
	  0 },
	{ "the event: an error code exactly for exceptions that push one, in protected mode", event_has_error, EVENT, EVENT_VALID,
	  EVENT, 0 },
	{ "the event: error codes have 16 bits", event_error, EVENT, EVENT_VALID, EVENT, 0 },
	{ "the event: a software event has an instruction length of at most 15, and not 0", event_length, EVENT, EVENT_VALID,
	  EVENT, 0 },
};

const struct checker_rules checker_controls = { rows, ARRAY_SIZE(rows) };
