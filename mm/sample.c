/* SPDX-License-Identifier: BSD-2-Clause */
/* Periods of a VM: choosing pages, ending, and the sweep over accessed flags; a bounded piece a step. */
#include "mm/sample.h"
#include "mm/debt.h"
#include "mm/watch.h"

enum {
	STEP_PAGES = 16,
	LIST_PAGES = PAGE_SIZE / sizeof(u32),
	DEFAULT_PAGES = 100,
};
#define DEFAULT_PERIOD_NS 30000000000ULL

static u32 sample_pages = DEFAULT_PAGES;
static u64 sample_period_ns = DEFAULT_PERIOD_NS;

err_t mm_sample_set(u32 pages, u64 period_ns)
{
	if (pages < 1 || pages > LIST_PAGES || period_ns == 0)
		return E_RANGE;
	__atomic_store_n(&sample_pages, pages, __ATOMIC_RELAXED);
	__atomic_store_n(&sample_period_ns, period_ns, __ATOMIC_RELAXED);
	return OK;
}

static u32 *list_of(const struct mm_vm *vm)
{
	return platform_frame((mpn_t){ vm->sample.list });
}

/* ---- a period ---- */

static bool begin(struct mm_vm *vm, u64 vm_ns)
{
	struct sample *sample = &vm->sample;
	mpn_t list;

	if (!sample->list) {
		if (mm_overhead_alloc(0, &list))
			return false;
		sample->list = list.n;
	}
	sample->wanted = (u32)min_u64(__atomic_load_n(&sample_pages, __ATOMIC_RELAXED), vm->max_pages);
	sample->chosen = sample->touched = sample->undone = 0;
	sample->ending = false;
	sample->period_begin_ns = vm_ns;
	return true;
}

/* Every page counts that was drawn: one that is pinned or in transit is in use. */
static void choose(struct mm_vm *vm)
{
	struct sample *sample = &vm->sample;
	ppn_t ppn = pmap_nth_ppn(vm, platform_random() % vm->max_pages);
	struct page page;
	err_t error = pmap_find(vm, ppn, &page);

	if (error == OK && (page_entry(&page) & ENTRY_SAMPLED))
		return; /* drawn twice: the next step draws again */
	if (error == OK)
		error = watch_sample(vm, &page);
	if (error == E_STATE)
		sample->touched++;
	if (error == OK || error == E_STATE)
		list_of(vm)[sample->chosen++] = ppn.n;
	else
		sample->wanted = sample->chosen; /* no memory for entries: a smaller sample */
}

/* Take the marks of those that were not touched away; they are not touched by that. */
static void undo(struct mm_vm *vm)
{
	struct sample *sample = &vm->sample;
	u32 touched = sample->touched;
	struct page page;

	for (u32 i = 0; i < STEP_PAGES && sample->undone < sample->chosen; i++) {
		if (pmap_look(vm, (ppn_t){ list_of(vm)[sample->undone++] }, &page) && (page_entry(&page) & ENTRY_SAMPLED))
			pmap_unsample(vm, &page);
	}
	sample->touched = touched;
}

static void end(struct mm_vm *vm)
{
	struct sample *sample = &vm->sample;

	CHECK(sample->touched <= sample->chosen);
	sample_add(&sample->averages, sample->touched, sample->chosen);
	sample->last_touched = sample->touched;
	sample->last_chosen = sample->chosen;
}

/* ---- the sweep: when a period ends, a group a step ---- */

static void sweep_group(struct mm_vm *vm)
{
	struct sample *sample = &vm->sample;
	u32 pages;
	struct mm_harvest seen = { .known = sample->sweep_known };
	u64 *entries = watch_harvest_group(vm, sample->sweep_group++, &pages, &seen);

	sample->sweep_known = seen.known;
	for (u32 i = 0; entries && i < pages; i++) {
		sample->sweep_touched += (entries[i] & (ENTRY_TOUCHED | ENTRY_PINNED)) != 0;
		entries[i] &= ~ENTRY_TOUCHED;
	}
}

static bool sweep(struct mm_vm *vm)
{
	if (vm->sample.sweep_group == watch_group_count(vm))
		return false;
	sweep_group(vm);
	return true;
}

static void end_sweep(struct mm_vm *vm)
{
	struct sample *sample = &vm->sample;

	sample->sweep_active = (u32)(sample->sweep_touched * SAMPLE_ONE / vm->max_pages);
	sample->sweep_group = sample->sweep_touched = 0;
}

/* ---- steps ---- */

static bool step(struct mm_vm *vm, u64 vm_ns)
{
	struct sample *sample = &vm->sample;

	CHECK(sample->chosen <= LIST_PAGES && sample->undone <= sample->chosen);
	if (!sample->list)
		return begin(vm, vm_ns);
	if (sample->ending) {
		undo(vm);
		if (sample->undone < sample->chosen || sweep(vm))
			return true;
		end(vm);
		end_sweep(vm);
		return begin(vm, vm_ns);
	}
	for (u32 i = 0; i < STEP_PAGES && sample->chosen < sample->wanted; i++)
		choose(vm);
	sample->ending = vm_ns - sample->period_begin_ns >= __atomic_load_n(&sample_period_ns, __ATOMIC_RELAXED);
	return sample->ending || sample->chosen < sample->wanted;
}

bool mm_sample_step(struct mm_vm *vm, u64 vm_ns)
{
	lock_acquire(vm->lock);
	bool more = !vm->release_phase && step(vm, vm_ns);

	lock_release(vm->lock);
	return more;
}

void mm_active(struct mm_vm *vm, struct mm_active *active)
{
	lock_acquire(vm->lock);
	const struct sample *sample = &vm->sample;
	struct sample_interval interval = sample_interval(sample->last_touched, sample->last_chosen);

	*active = (struct mm_active){
		.estimate = sample_estimate(&sample->averages, sample->touched, sample->wanted),
		.raw = sample->last_chosen ? sample->last_touched * SAMPLE_ONE / sample->last_chosen : 0,
		.low = interval.low,
		.high = interval.high,
		.sampled = sample->last_chosen,
		.swept = sample->sweep_active,
		.sweep_known = sample->sweep_known,
	};
	lock_release(vm->lock);
}

void sample_release(struct mm_vm *vm)
{
	if (vm->sample.list)
		mm_overhead_free((mpn_t){ vm->sample.list }, 0);
	vm->sample.list = 0;
}
