/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/hold.h"
#include "mm/vm.h"

static void remove_at(struct hold *hold, u32 at)
{
	CHECK(at < hold->count);
	for (u32 i = at; i + 1 < hold->count; i++)
		hold->pages[i] = hold->pages[i + 1];
	__atomic_store_n(&hold->count, hold->count - 1, __ATOMIC_RELAXED);
}

/*
 * For the vCPU that has waited longest, the youngest page of another one, else its own oldest, of an instruction that it has retired; false:
 * this one is not it.
 */
static bool make_room(struct hold *hold, u32 vcpu)
{
	if (hold->pages[0].vcpu != vcpu)
		return false;
	for (u32 i = hold->count; i-- > 0;) {
		if (hold->pages[i].vcpu != vcpu) {
			remove_at(hold, i);
			return true;
		}
	}
	remove_at(hold, 0);
	return true;
}

void hold_add(struct hold *hold, u32 vcpu, ppn_t ppn)
{
	CHECK(hold->count <= HOLD_PAGES && vcpu < VM_MAX_VCPUS);
	for (u32 i = 0; i < hold->count; i++) {
		if (hold->pages[i].ppn == ppn.n && hold->pages[i].vcpu == vcpu)
			return;
	}
	if (hold->count == HOLD_PAGES && !make_room(hold, vcpu))
		return;
	hold->pages[hold->count].ppn = ppn.n;
	hold->pages[hold->count].vcpu = vcpu;
	__atomic_store_n(&hold->count, hold->count + 1, __ATOMIC_RELAXED);
}

bool hold_has(const struct hold *hold, ppn_t ppn)
{
	CHECK(hold->count <= HOLD_PAGES);
	for (u32 i = 0; i < hold->count; i++) {
		if (hold->pages[i].ppn == ppn.n)
			return true;
	}
	return false;
}

bool hold_is_waiting(const struct hold *hold, u32 vcpu)
{
	for (u32 i = 0; i < hold->count; i++) {
		if (hold->pages[i].vcpu == vcpu)
			return true;
	}
	return false;
}

void mm_progress(struct mm_vm *vm, u32 vcpu)
{
	if (!__atomic_load_n(&vm->hold.count, __ATOMIC_RELAXED))
		return;
	lock_acquire(vm->lock);
	for (u32 i = vm->hold.count; i-- > 0;) {
		if (vm->hold.pages[i].vcpu == vcpu)
			remove_at(&vm->hold, i);
	}
	lock_release(vm->lock);
}
