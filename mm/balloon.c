/* SPDX-License-Identifier: BSD-2-Clause */
/* The balloon: a target, pages that the guest gives up and takes back, and whether its driver follows. */
#include "mm/balloon.h"
#include "mm/debt.h"
#include "mm/pmap.h"
#include "mm/watch.h"

enum { STEP_PAGES = 32, STRIDE_PAGES = 256 };
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

/* How many pages from `page` on, in its block, have frames of their own and may go; `most` at most. */
static u32 run_length(const struct page *page, u32 most)
{
	u32 end = (u32)min_u64(LARGE_PAGES, page->index + (u64)most);
	u32 count = 0;

	while (page->index + count < end && entry_state(page->slot[count]) == PAGE_PRIVATE && !(page->slot[count] & ENTRY_PINNED))
		count++;
	return count;
}

/* One removal of rights and one epoch for all of them. */
static u32 give_run(struct mm_vm *vm, ppn_t ppn, u32 most)
{
	struct page page;
	u32 count = pmap_look(vm, ppn, &page) ? run_length(&page, most) : 0;

	if (!count)
		return 0;
	watch_take_rights(vm, &page, count);
	for (u32 i = 0; i < count; i++) {
		u32 mpn = entry_frame(page_entry(&page));

		pmap_take_away(vm, &page, PAGE_BALLOONED, vm->last_epoch);
		debt_free(vm, mpn, page.ppn.n, (struct mm_debt){ vm->last_epoch });
		page.slot++;
		page.index++;
		page.ppn.n++;
	}
	return count;
}

/*
 * No more than max − min: what a VM is guaranteed stays its own, whatever its driver says.  *given: how many went; 0: this page is none of
 * a run.
 */
static err_t give_some(struct mm_vm *vm, ppn_t ppn, u32 most, u32 *given)
{
	lock_acquire(vm->lock);
	u64 allowed = vm->max_pages - vm->min_pages;
	u64 room = allowed > size_of(vm) ? allowed - size_of(vm) : 0;

	*given = pmap_is_memory(vm, ppn) ? give_run(vm, ppn, (u32)min_u64(most, room)) : 0;
	lock_release(vm->lock);
	return room ? OK : E_RANGE;
}

/* A page alone costs as much as two of a run. */
static err_t give(struct mm_vm *vm, u32 vcpu, ppn_t ppn, u32 pages, u32 *budget, u32 *done)
{
	u32 given;
	err_t error = give_some(vm, ppn, (u32)min_u64(pages, *budget), &given);

	*budget -= given;
	*done += given;
	if (error || given)
		return error;
	error = mm_give_up(vm, vcpu, ppn);
	*budget -= (u32)min_u64(*budget, 2);
	*done += !error;
	return error;
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

/* Page `done` from ppn on; E_NOT_FOUND: there is none. */
static err_t page_at(ppn_t ppn, u32 done, ppn_t *at)
{
	*at = (ppn_t){ ppn.n + done };
	return at->n < ppn.n ? E_NOT_FOUND : OK;
}

err_t mm_balloon_give(struct mm_vm *vm, u32 vcpu, ppn_t ppn, u32 pages, u32 *done)
{
	u32 budget = STEP_PAGES;
	err_t error = OK;
	ppn_t at;

	CHECK(*done <= pages);
	while (budget && *done < pages && !error) {
		error = page_at(ppn, *done, &at);
		if (!error)
			error = give(vm, vcpu, at, pages - *done, &budget, done);
	}
	return error;
}

err_t mm_balloon_take(struct mm_vm *vm, u32 vcpu, ppn_t ppn, u32 pages, u32 *done)
{
	err_t error = OK;
	ppn_t at;

	CHECK(*done <= pages);
	for (u32 i = 0; i < STEP_PAGES && *done < pages && !error; i++) {
		error = page_at(ppn, *done, &at);
		if (!error)
			error = take(vm, vcpu, at);
		*done += !error;
	}
	return error;
}
