/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/state.h"
#include "mm/frame.h"
#include "mm/platform.h"
#include "mm/rebalance.h"

enum { GIB_PAGES = 1 << (30 - PAGE_SHIFT) };

static const struct {
	u64 upto_pages;
	u32 percent;
} scale[] = {
	{ 4ULL * GIB_PAGES, 6 },
	{ 12ULL * GIB_PAGES, 4 },
	{ 28ULL * GIB_PAGES, 2 },
	{ UINT64_MAX, 1 },
};

static const u32 sixths[FREE_STATES] = { [MM_HIGH] = 6, [MM_SOFT] = 4, [MM_HARD] = 2, [MM_LOW] = 1 };

static u64 thresholds[FREE_STATES];
static u32 current; /* enum mm_state */

void state_thresholds(u64 total, u64 at[FREE_STATES])
{
	u64 hundredths = 0;
	u64 from = 0;

	for (u32 i = 0; i < ARRAY_SIZE(scale) && from < total; i++) {
		u64 to = min_u64(total, scale[i].upto_pages);

		hundredths += (to - from) * scale[i].percent;
		from = to;
	}
	for (u32 state = 0; state < FREE_STATES; state++)
		at[state] = hundredths * sixths[state] / 600;
}

enum mm_state state_now(void)
{
	return (enum mm_state)__atomic_load_n(&current, __ATOMIC_RELAXED);
}

static u64 usable_frames(void)
{
	u64 free = frame_count(CLASS_FREE);
	u64 set_aside = __atomic_load_n(&frame_counts.set_aside, __ATOMIC_RELAXED);

	return free > set_aside ? free - set_aside : 0;
}

bool state_allows_reservations(void)
{
	return state_now() == MM_HIGH && usable_frames() >= thresholds[MM_HIGH] + LARGE_PAGES;
}

bool state_wants_reservations_back(void)
{
	return state_now() != MM_HIGH || usable_frames() < thresholds[MM_SOFT];
}

/*
 * Falling is immediate; rising takes the next higher threshold, so a VM that allocates and frees around one does not make the
 * machine swing.
 */
static u32 state_after(u32 state, u64 free)
{
	while (state < MM_LOW && free < thresholds[state + 1])
		state++;
	while (state > MM_HIGH && free >= thresholds[state - 1])
		state--;
	return state;
}

/* Several CPUs may get here at once: each goes on until the state agrees with the counter as it is then. */
static void recompute(void)
{
	u32 state = __atomic_load_n(&current, __ATOMIC_RELAXED);
	u32 next;

	while ((next = state_after(state, frame_count(CLASS_FREE))) != state) {
		if (!__atomic_compare_exchange_n(&current, &state, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		rebalance_want(REBALANCE_STATE);
		state = next;
	}
}

void state_note(void)
{
	u32 state = __atomic_load_n(&current, __ATOMIC_RELAXED);
	u64 free = frame_count(CLASS_FREE);

	bool worse = state < MM_LOW && free < thresholds[state + 1];
	bool better = state > MM_HIGH && free >= thresholds[state - 1];

	if (worse || better)
		recompute();
	if (__atomic_load_n(&frame_counts.set_aside, __ATOMIC_RELAXED) && usable_frames() < thresholds[MM_SOFT])
		platform_work();
}

u64 state_threshold(enum mm_state state)
{
	return __atomic_load_n(&thresholds[state], __ATOMIC_RELAXED);
}

void state_set_total(u64 total)
{
	state_thresholds(total, thresholds);
	recompute();
}
