/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VT-x as kernel/ sees it: is it there, turn it on, run a vCPU.  (vmx/ may include lib, abi, x86, core, mm and devices/bus.h only:
 * what it needs of the VM it gets in struct vcpu_config.)
 */
#pragma once
#include "devices/bus.h"
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"
#include "mm/mm.h"
#include "mm/platform.h"

/*
 * Look at this CPU's capabilities.  OK, or E_UNSUPPORTED with one line in `why`: what is missing and what to do
 * ("VT-x is disabled by firmware (IA32_FEATURE_CONTROL = 0x1): enable Intel Virtualization Technology in the firmware setup").
 * Takes IA32_FEATURE_CONTROL from unlocked to locked and enabled where firmware left it open.
 */
err_t vmx_probe(char *why, size_t why_bytes);
/*
 * A VMCS wanders between CPUs.  After vmx_probe was OK each other CPU compares itself with what it found; once they have,
 * vmx_all_alike says OK, or E_UNSUPPORTED with one line in `why`: then nobody turns VT-x on.
 */
void vmx_compare_cpu(void);
err_t vmx_all_alike(char *why, size_t why_bytes);
/* [host] mitigations = on|off; before any VM is made. On by default. */
void vmx_set_mitigations(bool on);
/* VMXON on this CPU (each CPU calls it at start; CHECKs that probe was OK). */
void vmx_cpu_on(void);

/* ---- EPT: one per VM, the five operations for kernel/mm_platform.c ---- */
struct ept {
	mpn_t root;
	u32 vm_id;
	u64 table_pages;
	u64 eptp;
};
err_t ept_init(struct ept *ept, u32 vm_id);
void ept_destroy(struct ept *ept); /* its root; ept_drop has said that nothing is left, no vCPU exists */
err_t ept_fill(struct ept *ept, ppn_t ppn, mpn_t mpn, u32 pages, enum mm_ceiling ceiling);
struct mm_debt ept_narrow(struct ept *ept, ppn_t ppn, u32 pages, enum mm_ceiling ceiling);
struct mm_debt ept_harvest(struct ept *ept, ppn_t ppn, u32 pages, struct mm_harvest *seen);
struct mm_debt ept_drop(struct ept *ept, bool *more); /* bounded; tables are freed once their debt is settled */
bool ept_audit(const struct ept *ept, ppn_t ppn, mpn_t mpn,
	       enum mm_ceiling ceiling); /* does the cache grant no more than this? */

/* ---- vCPU ---- */
struct vcpu; /* one per virtual CPU; its storage is the caller's: vcpu_pages() contiguous zeroed frames */

struct vcpu_config {
	u32 index;
	u32 vcpus; /* of the VM */
	u32 vm_id;
	struct mm_vm *mm;
	struct ept *ept;
	struct pc *pc;
	u64 tsc_khz; /* given to the guest */
	u64 host_tsc_khz;
	u32 identity;  /* enum config_identity */
	void *context; /* the owner's (struct vm_vcpu of kernel/vm.c) */
	u64 wall_s;    /* wall clock (Unix seconds) at VM time 0, for the guest's paravirtual clock */
};

/* How a vCPU's registers stand when it first runs. */
enum vcpu_mode { VCPU_REAL, VCPU_PROTECTED32, VCPU_LONG64 };
struct vcpu_start {
	enum vcpu_mode mode; /* flat segments; PROTECTED32: paging off; LONG64: paging on with cr3 */
	u64 rip, rsp, cr3;
	u64 rax, rbx, rsi, rdi;
	u16 cs; /* REAL: segment */
};

enum vcpu_outcome {
	VCPU_YIELD,     /* slice over, or sched_yield_flag said so: still runnable */
	VCPU_HALTED,    /* HLT: wait until vcpu_has_work */
	VCPU_SUSPENDED, /* an access waits: wait for platform_wake */
	VCPU_WAIT_SIPI, /* after INIT */
	VCPU_ENDED,     /* the guest cannot go on; why is vcpu_why */
};

u32 vcpu_pages(void);
err_t vcpu_init(struct vcpu *vcpu, const struct vcpu_config *config); /* allocates its VMCS and pages; undone by vcpu_destroy */
void vcpu_destroy(struct vcpu *vcpu);                                 /* VMCLEARed and not running; on any CPU */
void vcpu_start(struct vcpu *vcpu, const struct vcpu_start *start);   /* set the initial state (also after reset) */
void vcpu_wait_for_sipi(struct vcpu *vcpu);
/* Run until something for the scheduler happens; slice_end is a host TSC value; *yield is polled after exits (non-zero: return). */
enum vcpu_outcome vcpu_run(struct vcpu *vcpu, u64 slice_end, const volatile u32 *yield);
/* VMCLEAR it on the CPU where it is loaded, so that another CPU may run it. */
void vcpu_unload(struct vcpu *vcpu);
bool vcpu_has_work(const struct vcpu *vcpu);   /* interrupt deliverable, NMI, INIT or SIPI pending: leave HLT */
const char *vcpu_why(const struct vcpu *vcpu); /* one line after VCPU_ENDED: "triple fault at rip 0x…" */
void *vcpu_context(const struct vcpu *vcpu);

/* pc_interrupt_pending may have become true. Any CPU; the caller wakes the vCPU's task. */
void vcpu_notice(struct vcpu *vcpu);
/* Events from other CPUs: they note; the caller then wakes the vCPU's task. */
void vcpu_nmi(struct vcpu *vcpu);
void vcpu_init_signal(struct vcpu *vcpu);
void vcpu_sipi(struct vcpu *vcpu, u8 vector);

/*
 * For tests of the entry checker: at the next entry a field of the VMCS, by its name in vmcs.def, is `value`.  False: there is no such
 * field, or it is one that only exits write.  Any CPU; the caller then wakes the vCPU's task.
 */
bool vcpu_break_entry(struct vcpu *vcpu, const char *field, u64 value);

/* The VM's clock: guest TSC = host TSC + offset (all vCPUs of a VM alike; the VM must not be running when it changes). */
void vcpu_set_tsc_offset(struct vcpu *vcpu, u64 offset);
void vcpu_mark_paused(struct vcpu *vcpu); /* pvclock: PVCLOCK_GUEST_STOPPED once, at the next entry */

/* Statistics: by exit reason, for `stats`. */
struct exit_stat {
	const char *reason; /* NULL: no such exit reason */
	u64 count, min_cycles, median_cycles, p99_cycles;
};
enum { EXIT_REASONS = 80 };
void vcpu_exit_stat(const struct vcpu *vcpu, u32 reason, struct exit_stat *stat);
/* Print the VMCS by name and the last exits of the vCPU loaded on this CPU (panic; polls, takes no lock). */
void vmx_panic_dump(void (*line)(const char *format, ...));
