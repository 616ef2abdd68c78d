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

/* By state: are pages taken down to the target, must they go out at once, is the VM slowed down? */
static const struct {
	bool to_target, at_once, throttle;
	enum reclaim_reason idle, reason;
} states[] = {
	[MM_HIGH] = { false, false, false, RECLAIM_PLENTY, RECLAIM_LIMIT },
	[MM_SOFT] = { true, false, false, RECLAIM_NOTHING, RECLAIM_BALLOON },
	[MM_HARD] = { true, true, false, RECLAIM_NOTHING, RECLAIM_HARD },
	[MM_LOW] = { true, true, true, RECLAIM_NOTHING, RECLAIM_LOW },
};

/* What its balloon has room for, of `excess`. */
static u64 balloon_room(const struct reclaim_row *row, u64 excess)
{
	u64 room = row->balloon_limit > row->balloon ? row->balloon_limit - row->balloon : 0;

	return row->has_balloon ? min_u64(room, excess) : 0;
}

static enum reclaim_reason why_not_balloon(const struct reclaim_row *row)
{
	if (!row->has_balloon)
		return RECLAIM_NO_BALLOON;
	return row->answers ? RECLAIM_BALLOON_FULL : RECLAIM_BALLOON_DEAD;
}

/* A balloon goes down as far as the target allows, whatever the state: then the guest may use what it is entitled to. */
static u64 deflated(const struct reclaim_row *row)
{
	u64 allowed = row->target > row->held ? row->target - row->held : 0;

	return row->balloon > allowed ? row->balloon - allowed : 0;
}

static enum reclaim_reason reason_for(const struct reclaim_row *row, enum mm_state state, bool balloon_suffices)
{
	if (balloon_suffices && !row->page_out)
		return states[state].at_once ? RECLAIM_BALLOON : states[state].reason;
	if (!row->pages_out)
		return RECLAIM_NOWHERE;
	return states[state].at_once ? states[state].reason : why_not_balloon(row);
}

static void take(struct reclaim_row *row, enum mm_state state, u64 excess)
{
	u64 asked = balloon_room(row, excess);
	u64 ballooned =
		row->answers ? asked : 0; /* whoever does not answer is asked all the same: so it can show that it is back */

	row->balloon_target = row->balloon + asked;
	if (row->pages_out)
		row->page_out = states[state].at_once ? excess : excess - ballooned;
	row->throttled = states[state].throttle;
	row->reason = reason_for(row, state, ballooned == excess);
}

void reclaim_decide(struct reclaim_row *row, enum mm_state state)
{
	CHECK(row->min <= row->target && row->target <= row->max && (u32)state < ARRAY_SIZE(states));
	u64 keeps = states[state].to_target ? row->target : row->max;

	row->balloon_target = deflated(row);
	row->page_out = 0;
	row->throttled = false;
	row->reason = row->held > row->target ? states[state].idle : RECLAIM_NOTHING;
	if (row->held > keeps)
		take(row, state, row->held - keeps);
}
