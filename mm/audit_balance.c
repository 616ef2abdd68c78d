/* SPDX-License-Identifier: BSD-2-Clause */
/* Audit of what VMs are promised and of what they should hold. */
#include "mm/admit.h"
#include "mm/audit.h"

static const char *vm_fault(const struct mm_vm *vm)
{
	if (vm->min_pages > vm->limit_pages || vm->limit_pages > vm->max_pages)
		return "its min, its max and its size are out of order";
	if (vm->balance.target < vm->min_pages || vm->balance.target > vm->limit_pages)
		return "its target is below its min or above its max";
	if (vm->balloon.target > vm->max_pages - vm->min_pages)
		return "its balloon is asked for what is guaranteed";
	if (vm->promise.memory < vm->min_pages || vm->promise.memory + vm->promise.swap > vm->max_pages)
		return "it is promised less than its min, or more than it has";
	if (vm->balance.throttled > 1 || (vm->balance.throttled && !vm->balance.decisions))
		return "it is slowed down, and nobody decided that";
	return NULL;
}

static void check_vm(struct audit *audit, u32 id)
{
	struct mm_vm *vm = vm_lock_id(id);

	if (!vm)
		return;
	const char *fault = vm_fault(vm);

	if (fault)
		audit_report(audit, "VM %u: %s", id, fault);
	vm_unlock(vm);
}

/* VMs come and go between two looks: only what is wrong each of AUDIT_RESTARTS times is a finding. */
bool audit_balance(struct audit *audit)
{
	const char *fault = admit_fault();

	if (fault && ++audit->state.restarts < AUDIT_RESTARTS)
		return false;
	if (fault)
		audit_report(audit, "promises do not add up: %s", fault);
	for (u32 id = 1; id <= vm_highest_id(); id++)
		check_vm(audit, id);
	return true;
}
