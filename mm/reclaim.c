/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/reclaim.h"
#include "kernel/lib/check.h"

const char *reclaim_text(enum reclaim_reason reason)
{
	static const char *const texts[] = {
#define X(name, text) [RECLAIM_##name] = text,
		RECLAIM_REASONS(X)
#undef X
	};

	CHECK(reason < RECLAIM_REASON_COUNT);
	return texts[reason];
}

/* By state: may pages be taken, must they go out at once, is the VM slowed down? */
static const struct {
	bool take, at_once, throttle;
	enum reclaim_reason reason;
} states[] = {
	[MM_HIGH] = { false, false, false, RECLAIM_PLENTY },
	[MM_SOFT] = { true, false, false, RECLAIM_BALLOON },
	[MM_HARD] = { true, true, false, RECLAIM_HARD },
	[MM_LOW] = { true, true, true, RECLAIM_LOW },
};

/* What its balloon can still take of `excess`, and why not more. */
static u64 balloon_part(const struct reclaim_row *row, u64 excess, enum reclaim_reason *reason)
{
	u64 room = row->balloon_limit > row->balloon ? row->balloon_limit - row->balloon : 0;

	if (row->has_balloon && row->answers && room >= excess)
		return excess;
	*reason = !row->has_balloon ? RECLAIM_NO_BALLOON : !row->answers ? RECLAIM_BALLOON_DEAD : RECLAIM_BALLOON_FULL;
	return row->has_balloon && row->answers ? room : 0;
}

/* A balloon goes down as far as the target allows, whatever the state: then the guest may use what it is entitled to. */
static u64 deflated(const struct reclaim_row *row)
{
	u64 allowed = row->target > row->resident ? row->target - row->resident : 0;

	return row->balloon > allowed ? row->balloon - allowed : 0;
}

void reclaim_decide(struct reclaim_row *row, enum mm_state state)
{
	CHECK(row->min <= row->target && row->target <= row->max && (u32)state < ARRAY_SIZE(states));
	u64 excess = row->resident > row->target ? row->resident - row->target : 0;

	row->balloon_target = deflated(row);
	row->page_out = 0;
	row->throttled = states[state].throttle && excess > 0;
	row->reason = excess ? states[state].reason : RECLAIM_NOTHING;
	if (!excess || !states[state].take)
		return;
	enum reclaim_reason why_not = row->reason;
	u64 ballooned = balloon_part(row, excess, &why_not);

	row->balloon_target = row->balloon + ballooned;
	row->page_out = states[state].at_once ? excess : excess - ballooned;
	if (!states[state].at_once)
		row->reason = why_not;
}
