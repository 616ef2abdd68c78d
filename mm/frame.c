/* SPDX-License-Identifier: BSD-2-Clause */
/* Names, classes and counters of frames. */
#include "mm/frame.h"
#include "mm/state.h"
#include "mm/work.h"

struct frame *frame_table;
u32 frame_zero;
struct mm_range frame_ranges[FRAME_MAX_RANGES];
u32 frame_range_count;
struct frame_counts frame_counts;

static const struct {
	const char *name;
	enum frame_class kind;
} states[FRAME_STATES] = {
	[FRAME_ABSENT] = { "absent", CLASS_NONE },
	[FRAME_FREE] = { "free", CLASS_FREE },
	[FRAME_TAIL] = { "free tail", CLASS_FREE },
	[FRAME_CACHED] = { "cached", CLASS_FREE },
	[FRAME_RESERVED] = { "reserved", CLASS_FREE },
	[FRAME_OVERHEAD] = { "overhead", CLASS_OVERHEAD },
	[FRAME_PRIVATE] = { "private", CLASS_PRIVATE },
	[FRAME_HINT] = { "hint", CLASS_PRIVATE },
	[FRAME_WRITING] = { "being written", CLASS_PRIVATE },
	[FRAME_READING] = { "being read", CLASS_PRIVATE },
	[FRAME_COPYING] = { "copying", CLASS_PRIVATE },
	[FRAME_SHARED] = { "shared", CLASS_SHARED },
	[FRAME_DEBT] = { "debt", CLASS_DEBT },
	[FRAME_POOL] = { "pool", CLASS_OVERHEAD },
	[FRAME_STORE] = { "store", CLASS_OVERHEAD },
	[FRAME_RETIRED] = { "retired", CLASS_OVERHEAD },
};

enum frame_class frame_class(enum frame_state state)
{
	CHECK(state < FRAME_STATES);
	return states[state].kind;
}

const char *frame_state_name(enum frame_state state)
{
	return state < FRAME_STATES ? states[state].name : "unknown";
}

void frame_move(enum frame_class from, enum frame_class to, u32 frames)
{
	u64 left = __atomic_fetch_sub(&frame_counts.of[from], frames, __ATOMIC_RELAXED);

	CHECK(left >= frames);
	__atomic_fetch_add(&frame_counts.of[to], frames, __ATOMIC_RELAXED);
	__atomic_fetch_add(&frame_counts.moves, 1, __ATOMIC_RELAXED);
	state_note();
	if (to == CLASS_FREE)
		work_freed();
}

bool frame_is_ours(u32 mpn, u32 *hint)
{
	for (u32 i = 0; i < frame_range_count; i++) {
		u32 number = (*hint + i) % frame_range_count;
		const struct mm_range *range = &frame_ranges[number];

		if (mpn >= range->first.n && mpn - range->first.n < range->pages) {
			*hint = number;
			return true;
		}
	}
	return false;
}
