/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames whose memory has failed.  Such a frame stays its page's until its VM, which must end, gives it back; then it is nobody's for ever.
 * A shared frame stays as it is: nobody can tell whose access will be the next.
 */
#include "mm/retire.h"
#include "mm/frame.h"
#include "mm/share.h"

static bool is_noted(const struct mm_vm *vm, u32 mpn)
{
	for (u32 i = 0; i < vm->failed_count; i++)
		if (vm->failed[i] == mpn)
			return true;
	return false;
}

/* False: there are more than can be kept. */
static bool note(struct mm_vm *vm, u32 mpn)
{
	if (is_noted(vm, mpn))
		return true;
	if (vm->failed_count == VM_FAILED_FRAMES)
		return false;
	vm->failed[vm->failed_count++] = mpn;
	return true;
}

bool mm_frame_failed(struct mm_vm *vm, mpn_t mpn)
{
	u32 hint = 0;
	bool ends_alone = false;

	if (!frame_is_ours(mpn.n, &hint))
		return false;
	lock_acquire(vm->lock);
	enum frame_state state = frame_state(mpn.n);

	if (state == FRAME_SHARED) {
		ends_alone = true;
	} else if ((frame_class(state) == CLASS_PRIVATE || state == FRAME_STORE) && frame_of(mpn.n)->owner == vm->id) {
		share_forget(mpn.n); /* nobody is to share it from now on */
		ends_alone = note(vm, mpn.n);
	}
	lock_release(vm->lock);
	return ends_alone;
}

bool retire_failed(const struct mm_vm *vm, u32 mpn)
{
	CHECK(lock_is_mine(vm->lock) && vm->failed_count <= VM_FAILED_FRAMES);
	if (__builtin_expect(!is_noted(vm, mpn), 1))
		return false;
	CHECK(frame_of(mpn)->owner == vm->id);
	frame_assign(mpn, FRAME_RETIRED, 0, FRAME_NO_PPN);
	frame_move(CLASS_FREE, CLASS_OVERHEAD, 1);
	return true;
}
