/* SPDX-License-Identifier: BSD-2-Clause */
/* The balloon: a target, pages that the guest gives up and takes back, and whether its driver follows. */
#include "mm/balloon.h"
#include "mm/debt.h"
#include "mm/pmap.h"

enum { STEP_PAGES = 16, STRIDE_PAGES = 256 };
#define ANSWER_NS 10000000000ULL /* drivers ask once a second; a guest that is short itself needs a while */

static u64 size_of(const struct mm_vm *vm)
{
	return vm->tally[TALLY_BALLOONED];
}

/* ---- does its driver follow?  It has ANSWER_NS for each STRIDE_PAGES, or for what is left ---- */

/* There is something to do for it, from now on.  A target that is raised gives it no more time. */
static void watch(struct mm_vm *vm)
{
	struct balloon *balloon = &vm->balloon;

	ASSERT(lock_is_mine(vm->lock));
	if (!balloon->here || size_of(vm) >= balloon->target) {
		balloon->behind_since_ns = 0;
	} else if (!balloon->behind_since_ns) {
		balloon->behind_since_ns = platform_time_ns();
		balloon->milestone = min_u64(balloon->target, size_of(vm) + STRIDE_PAGES);
	} else {
		balloon->milestone = min_u64(balloon->milestone, balloon->target);
	}
}

static bool follows(const struct mm_vm *vm)
{
	const struct balloon *balloon = &vm->balloon;

	if (balloon->behind_since_ns && size_of(vm) >= balloon->milestone)
		return true;
	return !balloon->dead && !(balloon->behind_since_ns && platform_time_ns() - balloon->behind_since_ns > ANSWER_NS);
}

/* Only now and then: what a guest gives and touches again at once is nothing. */
bool balloon_judge(struct mm_vm *vm)
{
	struct balloon *balloon = &vm->balloon;

	balloon->dead = !follows(vm);
	if (size_of(vm) >= balloon->milestone)
		balloon->behind_since_ns = 0;
	watch(vm);
	return balloon->here && !balloon->dead;
}

static void set_here(struct mm_vm *vm, bool here)
{
	lock_acquire(vm->lock);
	vm->balloon.here = here;
	vm->balloon.dead = false;
	watch(vm);
	lock_release(vm->lock);
}

void mm_balloon_hello(struct mm_vm *vm)
{
	set_here(vm, true);
}

void mm_balloon_bye(struct mm_vm *vm)
{
	set_here(vm, false);
}

/* ---- what it should hold ---- */

void balloon_ask(struct mm_vm *vm, u64 pages)
{
	(void)balloon_judge(vm);
	vm->balloon.target = min_u64(pages, min_u64(vm->balloon.limit, vm->max_pages - vm->min_pages));
	watch(vm);
}

void balloon_set_limit(struct mm_vm *vm, u64 pages)
{
	vm->balloon.limit = pages;
	balloon_ask(vm, vm->balloon.target);
}

void mm_balloon_set_target(struct mm_vm *vm, u64 pages)
{
	lock_acquire(vm->lock);
	balloon_ask(vm, pages);
	lock_release(vm->lock);
}

u64 mm_balloon_target(struct mm_vm *vm)
{
	lock_acquire(vm->lock);
	u64 target = vm->balloon.target;

	lock_release(vm->lock);
	return target;
}

void mm_balloon_look(struct mm_vm *vm, struct mm_balloon *out)
{
	lock_acquire(vm->lock);
	const struct balloon *balloon = &vm->balloon;

	*out = (struct mm_balloon){ balloon->here, balloon->here && follows(vm), size_of(vm), balloon->target, balloon->popped };
	lock_release(vm->lock);
}

/* ---- pages ---- */

/* No more than max − min: what a VM is guaranteed stays its own, whatever its driver says. */
static err_t give(struct mm_vm *vm, u32 vcpu, ppn_t ppn)
{
	lock_acquire(vm->lock);
	bool allowed = size_of(vm) < vm->max_pages - vm->min_pages;

	lock_release(vm->lock);
	return allowed ? mm_give_up(vm, vcpu, ppn) : E_RANGE;
}

/* EMPTY from now on: the guest's next touch is no pop. */
static err_t take(struct mm_vm *vm, u32 vcpu, ppn_t ppn)
{
	struct page page;
	err_t error = E_STATE;

	if (!pmap_is_memory(vm, ppn))
		return E_NOT_FOUND;
	lock_acquire(vm->lock);
	if (pmap_look(vm, ppn, &page) && entry_state(page_entry(&page)) == PAGE_BALLOONED)
		error = debt_is_passed(vm, entry_frame(page_entry(&page))) ? OK : vm_wait(vm, vcpu, E_SUSPEND);
	if (!error)
		pmap_take_away(vm, &page, PAGE_EMPTY, 0);
	lock_release(vm->lock);
	return error;
}

static err_t move(struct mm_vm *vm, u32 vcpu, ppn_t ppn, u32 pages, u32 *done, err_t (*one)(struct mm_vm *, u32, ppn_t))
{
	err_t error = OK;

	CHECK(*done <= pages);
	for (u32 i = 0; i < STEP_PAGES && *done < pages && !error; i++) {
		error = ppn.n + (u64)*done > UINT32_MAX ? E_NOT_FOUND : one(vm, vcpu, (ppn_t){ ppn.n + *done });
		*done += !error;
	}
	return error;
}

err_t mm_balloon_give(struct mm_vm *vm, u32 vcpu, ppn_t ppn, u32 pages, u32 *done)
{
	return move(vm, vcpu, ppn, pages, done, give);
}

err_t mm_balloon_take(struct mm_vm *vm, u32 vcpu, ppn_t ppn, u32 pages, u32 *done)
{
	return move(vm, vcpu, ppn, pages, done, take);
}
