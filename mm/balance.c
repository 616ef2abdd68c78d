/* SPDX-License-Identifier: BSD-2-Clause */
/* A decision takes effect, and is remembered for `why`. */
#include "mm/balance.h"
#include "mm/vm.h"

static bool takes_nothing(const struct mm_decision *decision)
{
	return decision->balloon_target <= decision->balloon && !decision->page_out && !decision->throttled;
}

/* One line of the record, if they follow each other: the same for the same reason, or nothing for the same reason. */
static bool is_the_same(const struct mm_decision *a, const struct mm_decision *b)
{
	if (a->state != b->state || a->reason != b->reason)
		return false;
	if (takes_nothing(a) && takes_nothing(b))
		return true;
	return a->held == b->held && a->target == b->target && a->balloon == b->balloon &&
	       a->balloon_target == b->balloon_target && a->page_out == b->page_out && a->throttled == b->throttled;
}

static void record(struct balance *balance, const struct mm_decision *decision)
{
	struct mm_decision *last = &balance->ring[(balance->decisions - 1) % BALANCE_DECISIONS];
	struct mm_decision next = *decision;

	if (balance->decisions && is_the_same(last, decision)) {
		next.first_ns = last->first_ns;
		next.times += last->times;
		*last = next;
		return;
	}
	balance->ring[balance->decisions++ % BALANCE_DECISIONS] = next;
}

void balance_apply(struct mm_vm *vm, const struct reclaim_row *row, enum mm_state state)
{
	u64 now = platform_time_ns();

	CHECK(lock_is_mine(vm->lock));
	vm->balance.target = row->target;
	__atomic_store_n(&vm->balance.throttled, row->throttled, __ATOMIC_RELAXED);
	balloon_ask(vm, row->balloon_target);
	if (row->page_out || vm->balance.paging) /* what somebody else has asked for goes on */
		pageout_want(vm, row->page_out);
	vm->balance.paging = row->page_out > 0;
	record(&vm->balance, &(struct mm_decision){
				     .first_ns = now,
				     .last_ns = now,
				     .times = 1,
				     .state = state,
				     .held = row->held,
				     .target = row->target,
				     .balloon = row->balloon,
				     .balloon_target = row->balloon_target,
				     .page_out = row->page_out,
				     .throttled = row->throttled,
				     .reason = reclaim_text(row->reason),
			     });
}

bool mm_is_throttled(const struct mm_vm *vm)
{
	return __atomic_load_n(&vm->balance.throttled, __ATOMIC_RELAXED);
}

u32 mm_why(struct mm_vm *vm, struct mm_decision *decisions, u32 most)
{
	lock_acquire(vm->lock);
	const struct balance *balance = &vm->balance;
	u32 count = (u32)min_u64(most, min_u64(balance->decisions, BALANCE_DECISIONS));

	for (u32 i = 0; i < count; i++)
		decisions[i] = balance->ring[(balance->decisions - 1 - i) % BALANCE_DECISIONS];
	lock_release(vm->lock);
	return count;
}
