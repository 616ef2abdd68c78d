/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest-physical access that the EPT does not allow (yet): memory, or a device. */
#include "kernel/core/trace.h"
#include "vmx/emulate.h"
#include "vmx/exit.h"
#include "vmx/inject.h"

/* Exit qualification, SDM vol. 3C, table 27-7. */
enum { VIOLATION_WRITE = 1 << 1, VIOLATION_FETCH = 1 << 2, VIOLATION_NMI_UNBLOCKED = 1 << 12 };

/* Page numbers are 32 bits wide; above, no VM has memory. */
#define ADDRESS_END (1ULL << (32 + PAGE_SHIFT))

static enum mm_access access_of(u64 qualification)
{
	if (qualification & VIOLATION_WRITE)
		return MM_WRITE;
	return qualification & VIOLATION_FETCH ? MM_EXECUTE : MM_READ;
}

/* IRET had ended NMI blocking before it faulted: it will run again, so the blocking goes on (27.2.3). */
static void block_nmi_again(const struct vcpu *v)
{
	if ((v->exit.qualification & VIOLATION_NMI_UNBLOCKED) && !(v->event.info & EVENT_VALID))
		vmcs_write(GUEST_INTERRUPTIBILITY, vmcs_read(GUEST_INTERRUPTIBILITY) | BLOCKED_NMI);
}

enum exit_action exit_ept_violation(struct vcpu *v)
{
	gpa_t address = vcpu_exit_gpa();
	err_t error = E_NOT_FOUND;

	block_nmi_again(v);
	if (address.a < ADDRESS_END)
		error = mm_resolve(v->config.mm, v->config.index, ppn_of(address), access_of(v->exit.qualification));
	if (!error) {
		trace(TRACE_RESOLVE, (u64)v->vm_id << 32 | ppn_of(address).n, access_of(v->exit.qualification));
		return EXIT_RESUME;
	}
	if (error == E_NOT_FOUND)
		return emulate_mmio(v, address);
	return vcpu_wait_for(v, error, "guest memory");
}

/* Our own tables are wrong. */
enum exit_action exit_ept_misconfiguration(struct vcpu *v)
{
	return vcpu_kill(v, "EPT misconfiguration at 0x%llx", (unsigned long long)vcpu_exit_gpa().a);
}
