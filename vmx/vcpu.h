/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual CPU as vmx/ sees it.  An exit handler gets the vCPU, whose VMCS is current, and returns what is to happen; only
 * exit.c moves the guest's instruction pointer.  Gather, then act: a handler that returns EXIT_SUSPEND has changed nothing.
 */
#pragma once
#include "devices/bus.h"
#include "kernel/lib/types.h"
#include "mm/mm.h"
#include "vmx/cpuid.h"
#include "vmx/soft.h"
#include "vmx/vmcs.h"
#include "vmx/vmx.h"

enum exit_action {
	EXIT_RESUME =
		0, /* entry.asm knows this one: go on at the same instruction (or wherever the handler's register changes lead) */
	EXIT_ADVANCE,         /* the instruction is done: skip it, by the length that the VMCS gives */
	EXIT_ADVANCE_DECODED, /* the same by exit.length, which the handler set (exits without a length: EPT violations) */
	EXIT_INJECT,          /* an event was queued by vcpu_inject_*; the instruction is not done */
	EXIT_SUSPEND,         /* mm_* returned E_SUSPEND or E_NO_MEMORY: wait, then run the instruction again */
	EXIT_KILL,            /* the VM cannot go on: vcpu_kill said why */
	EXIT_YIELD,           /* back to the scheduler, still runnable */
	EXIT_HALT,            /* HLT: advance, then wait for work */
	EXIT_WAIT_SIPI,       /* INIT took effect */
};

enum gpr { GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_R8, GPR_R15 = 15, GPRS };

/* In the processor's numbering. RSP is in the VMCS: go through vcpu_gpr where the number is not a constant. */
union vcpu_regs {
	u64 gpr[GPRS];
	struct {
		u64 rax, rcx, rdx, rbx, in_vmcs, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
	};
};

struct exit_info {
	u64 rip;           /* where the guest stood */
	u64 qualification; /* only where exit_reasons.def says QUAL */
	u32 reason;        /* basic exit reason */
	u32 length;        /* set by the handler for EXIT_ADVANCE_DECODED */
};

/* An event to deliver, in the format of VM-entry interruption information (SDM vol. 3C, 25.8.3); info 0: none. */
struct vcpu_event {
	u32 info;
	u32 error;
	u32 length; /* of the instruction, for software interrupts and exceptions */
};

enum {
	VECTOR_DE = 0,
	VECTOR_DB = 1,
	VECTOR_NMI = 2,
	VECTOR_BP = 3,
	VECTOR_OF = 4,
	VECTOR_UD = 6,
	VECTOR_NM = 7,
	VECTOR_DF = 8,
	VECTOR_TS = 10,
	VECTOR_NP = 11,
	VECTOR_SS = 12,
	VECTOR_GP = 13,
	VECTOR_PF = 14,
	VECTOR_MF = 16,
	VECTOR_AC = 17,
	VECTOR_MC = 18,
	VECTOR_XM = 19,
};

/* Noted by any CPU, looked at before each entry: bits of vcpu.notices. */
enum {
	NOTICE_INTERRUPT = 1,
	NOTICE_NMI = 2,
	NOTICE_INIT = 4,
	NOTICE_SIPI = 8,
	NOTICE_CLOCK = 16,  /* pvclock_update */
	NOTICE_EVENT = 32,  /* vcpu.event holds one */
	NOTICE_STATE = 64,  /* the extended state must be loaded again */
	NOTICE_TSC = 128,   /* the TSC offset changed */
	NOTICE_BREAK = 256, /* vcpu.broken */
};

enum { EXIT_RING = 32, CYCLE_BUCKETS = 64 };
struct exit_past { /* the latest exits, a ring */
	u64 rip[EXIT_RING];
	u32 reason[EXIT_RING], tsc[EXIT_RING];
	u32 next;
};
struct exit_cycles { /* by reason: how many exits took how long (counters.c) */
	u64 bucket[CYCLE_BUCKETS];
};

struct switched { /* switch.c: what stays in the processor until another vCPU runs there */
	u64 debug[4], dr6, cr2;
	u64 msr[8];
	u8 *extended; /* XSAVE area */
};

struct vcpu {
	union vcpu_regs regs;
	u64 host_rsp; /* as the VMCS has it */
	u32 launched; /* since VMCLEAR: VMRESUME from now on */
	u32 guards;   /* mitigations at entry and exit: enum guard of mitigations.h */
	u32 notices;  /* atomic */
	u32 vm_id;
	u64 exit_tsc;  /* of the last exit */
	u64 slice_end; /* vcpu_run's, as long as it lasts */
	const volatile u32 *yield;
	struct step_cpu *step; /* of the CPU that runs it */
	struct exit_info exit;
	struct vcpu_event event;    /* to deliver at the next entry */
	struct exit_cycles *cycles; /* one for each reason */

	struct vcpu_config config; /* .mm, .pc, .index, .tsc_khz, .identity … */
	struct cpuid_table cpuid;
	struct vcpu_soft soft;
	u64 tsc_offset; /* guest TSC = host TSC + this */
	u64 xcr0;

	/* the rest is the business of vcpu.c, run.c, inject.c and switch.c */
	s32 cpu;          /* where the VMCS is loaded, -1: nowhere */
	u32 cpu_controls; /* primary processor-based controls as written */
	mpn_t vmcs;
	bool waits_for_sipi, halted, halted_deaf; /* deaf: HLT with interrupts disabled */
	bool nmi_pending;
	u8 sipi_vector;
	struct switched switched;
	struct exit_past past;
	struct {
		u32 encoding;
		u64 value;
	} broken; /* vcpu_break_entry */
	char why[160];
};

/* Control registers as the guest sees them (VMCS: with what we add). */
static inline u64 vcpu_cr0(void)
{
	u64 ours = vmcs_read(CR0_MASK);

	return (vmcs_read(GUEST_CR0) & ~ours) | (vmcs_read(CR0_SHADOW) & ours);
}

static inline u64 vcpu_cr4(void)
{
	u64 ours = vmcs_read(CR4_MASK);

	return (vmcs_read(GUEST_CR4) & ~ours) | (vmcs_read(CR4_SHADOW) & ours);
}

static inline void vcpu_note(struct vcpu *v, u32 notice)
{
	__atomic_or_fetch(&v->notices, notice, __ATOMIC_SEQ_CST);
}

/* ---- registers ---- */

static inline u64 vcpu_gpr(const struct vcpu *v, u32 number)
{
	return number == GPR_RSP ? vmcs_read(GUEST_RSP) : v->regs.gpr[number];
}

static inline void vcpu_set_gpr(struct vcpu *v, u32 number, u64 value)
{
	if (number == GPR_RSP)
		vmcs_write(GUEST_RSP, value);
	else
		v->regs.gpr[number] = value;
}

static inline u32 vcpu_cpl(void)
{
	return segment_rights(SEGMENT_SS) >> RIGHTS_DPL_SHIFT & 3;
}

/* 64-bit code, as opposed to compatibility or legacy mode. */
static inline bool vcpu_long_code(void)
{
	return (vmcs_read(GUEST_EFER) & BIT(10)) && (segment_rights(SEGMENT_CS) & RIGHTS_LONG);
}

static inline gpa_t vcpu_exit_gpa(void)
{
	return (gpa_t){ vmcs_read(EXIT_GPA) };
}

/* ---- what handlers return through ---- */

/*
 * Queue an exception by the processor's rules (SDM vol. 3A, 6.15: with another one under delivery it becomes #DF, and then a
 * triple fault).  `error` is ignored for vectors without one.  Returns EXIT_INJECT or EXIT_KILL: `return vcpu_inject_exception(…)`.
 */
enum exit_action vcpu_inject_exception(struct vcpu *v, u32 vector, u32 error);
enum exit_action vcpu_inject_page_fault(struct vcpu *v, gva_t address, u32 error); /* sets CR2 */
/* One line for vcpu_why, the guest's RIP is added; returns EXIT_KILL. */
enum exit_action vcpu_kill(struct vcpu *v, const char *text, ...) PRINTF(2, 3);
/* A result of mm_*: E_SUSPEND and E_NO_MEMORY → EXIT_SUSPEND, anything else → EXIT_KILL naming `what`. */
enum exit_action vcpu_wait_for(struct vcpu *v, err_t error, const char *what);
