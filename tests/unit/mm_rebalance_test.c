/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rebalances of a machine with several VMs, over simulated time: balloon drivers that follow, lag, die, or touch what they gave.  After
 * each: no target below min or above max, reasons that agree with numbers, and a free state that goes back to high if anything can give.
 */
#include "mm/rebalance.h"
#include "mm/admit.h"
#include "mm/frame.h"
#include "mm/state.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define SECOND 1000000000ULL
enum { A, B, C, SIZE = 1200, MIN = 200, VMS = 6, MOST = 2048, MACHINES = 12, TICKS = 60 };

/* ---- drivers in the guests, asked once a second ---- */

enum driver_kind { NO_DRIVER, FOLLOWS, LAGS, DEAD, TOUCHES, DRIVER_KINDS };

static struct guest {
	bool runs;
	enum driver_kind driver;
	u32 size;
	bool given[MOST];
} guests[VMS];

static char why[200];

static err_t touch(u32 slot, u32 page)
{
	err_t error;
	bool stale;
	u8 byte = 1;

	for (u32 tries = 0; tries < 100; tries++) {
		error = fake_touch(slot, 0, gpa_of((ppn_t){ page }), &byte, 1, MM_WRITE, &stale);
		if (error != E_SUSPEND) {
			guests[slot].given[page] &= error != OK;
			return error;
		}
		fake_settle_everything();
	}
	return error;
}

static void start(u32 slot, u64 min, u64 max, u32 shares, enum driver_kind driver)
{
	struct mm_vm_config config = { .max_pages = max, .low_pages = max, .min_pages = min, .shares = shares, .id = slot + 1 };

	assert_int_equal(mm_vm_init(fake_vm(slot), &config, why, sizeof(why)), OK);
	guests[slot] = (struct guest){ .runs = true, .driver = driver, .size = (u32)max };
	mm_compress_set_limit(fake_vm(slot), 0);
	if (driver != NO_DRIVER)
		mm_balloon_hello(fake_vm(slot));
}

static void stop(u32 slot)
{
	fake_vm_end(slot);
	guests[slot].runs = false;
}

static struct mm_balloon look(u32 slot)
{
	struct mm_balloon balloon;

	mm_balloon_look(fake_vm(slot), &balloon);
	return balloon;
}

/* One page, from the top down, or back again. */
static bool move_page(u32 slot, bool give)
{
	struct guest *guest = &guests[slot];
	err_t (*move)(struct mm_vm *, u32, ppn_t, u32, u32 *) = give ? mm_balloon_give : mm_balloon_take;

	for (u32 page = guest->size; page-- > 0;) {
		if (guest->given[page] == give)
			continue;
		u32 done = 0;
		err_t error = move(fake_vm(slot), 0, (ppn_t){ page }, 1, &done);

		while (error == E_SUSPEND) {
			fake_settle_everything();
			error = move(fake_vm(slot), 0, (ppn_t){ page }, 1, &done);
		}
		if (error == E_NO_MEMORY) /* there is no frame for its entry: it holds none either */
			continue;
		guest->given[page] = give; /* if it is refused because the page has popped, it is the guest's again */
		return !error;
	}
	return false;
}

static void drive(u32 slot)
{
	u32 pace = guests[slot].driver == LAGS ? 30 : 1000;

	if (guests[slot].driver == NO_DRIVER || guests[slot].driver == DEAD)
		return;
	for (u32 i = 0; i < pace && look(slot).size < look(slot).target; i++) {
		if (!move_page(slot, true))
			break;
	}
	for (u32 i = 0; i < pace && look(slot).size > look(slot).target; i++)
		(void)move_page(slot, false);
	for (u32 page = 0; guests[slot].driver == TOUCHES && page < guests[slot].size; page++) {
		if (guests[slot].given[page])
			(void)!touch(slot, page);
	}
}

/* ---- what must be true after each rebalance ---- */

static struct mm_decision last_of(u32 slot)
{
	struct mm_decision decision;

	assert_int_equal(mm_why(fake_vm(slot), &decision, 1), 1);
	return decision;
}

static void check_reason(const struct mm_decision *d)
{
	bool asks = d->balloon_target > d->balloon, takes = asks || d->page_out;
	const char *reason = d->reason;

	assert_true(!d->throttled || d->state == MM_LOW);
	if (reason == reclaim_text(RECLAIM_NOTHING))
		assert_true(!takes && d->held <= d->target && !d->throttled);
	else if (reason == reclaim_text(RECLAIM_PLENTY))
		assert_true(!takes && d->state == MM_HIGH);
	else
		assert_true(d->held > d->target);
	if (reason == reclaim_text(RECLAIM_BALLOON))
		assert_true(asks && !d->page_out && d->balloon_target - d->balloon == d->held - d->target);
	if (reason == reclaim_text(RECLAIM_NOWHERE))
		assert_true(!d->page_out);
	assert_true(d->first_ns <= d->last_ns && d->times > 0);
}

static void check_machine(void)
{
	for (u32 slot = 0; slot < VMS; slot++) {
		struct mm_vm_params params;
		struct mm_usage usage;

		if (!guests[slot].runs)
			continue;
		mm_vm_params(fake_vm(slot), &params);
		mm_vm_usage(fake_vm(slot), &usage);
		assert_true(usage.target >= params.min_pages && usage.target <= params.max_pages);
		assert_true(look(slot).target <= usage.max - params.min_pages);
		struct mm_decision decision = last_of(slot);

		check_reason(&decision);
		assert_int_equal(decision.throttled, mm_is_throttled(fake_vm(slot)));
	}
}

static void tick(void)
{
	for (u32 slot = 0; slot < VMS; slot++) {
		if (guests[slot].runs)
			drive(slot);
	}
	fake_pass_time(SECOND);
	do
		fake_settle_everything();
	while (fake_swap_end_one());
	check_machine();
}

static void run(u32 seconds)
{
	for (u32 i = 0; i < seconds; i++)
		tick();
	fake_audit_memory();
}

/* Write to pages from 0 up until there are no more, or no frame is left. */
static u32 fill(u32 slot, u32 pages)
{
	u32 page = 0;

	while (page < pages && touch(slot, page) == OK)
		page++;
	return page;
}

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	memset(guests, 0, sizeof(guests));
	admit_set_swap(100000);
	return 0;
}

static int end(void **state)
{
	(void)state;
	for (u32 slot = 0; slot < VMS; slot++) {
		if (guests[slot].runs)
			stop(slot);
	}
	fake_settle_everything();
	fake_check();
	fake_audit_memory();
	return 0;
}

static u64 target_of(u32 slot)
{
	struct mm_usage usage;

	mm_vm_usage(fake_vm(slot), &usage);
	return usage.target;
}

static u64 resident_of(u32 slot)
{
	struct mm_usage usage;

	mm_vm_usage(fake_vm(slot), &usage);
	return usage.resident;
}

/* ---- tests ---- */

static void who_follows_brings_the_state_back_to_high(void **state)
{
	(void)state;
	for (u32 slot = A; slot <= C; slot++)
		start(slot, MIN, SIZE, 10, FOLLOWS);
	fill(A, SIZE);
	fill(B, SIZE);
	fill(C, 500);
	assert_int_not_equal(state_now(), MM_HIGH);
	run(3);
	assert_int_equal(state_now(), MM_HIGH);
	assert_true(look(A).size > 0 && look(B).size > 0);
	assert_int_equal(look(C).size, 0); /* below its target */
	assert_true(resident_of(A) <= target_of(A) && resident_of(B) <= target_of(B));
	assert_string_equal(reclaim_text(RECLAIM_NOTHING), last_of(C).reason);
	/* When who was short of memory has gone, the balloons go down. */
	stop(C);
	run(3);
	assert_int_equal(look(A).size, 0);
	assert_int_equal(target_of(A), SIZE);
}

static void why_remembers_the_latest_decisions_newest_first(void **state)
{
	struct mm_decision decisions[BALANCE_DECISIONS + 4];

	(void)state;
	start(A, MIN, SIZE, 10, FOLLOWS);
	start(B, MIN, SIZE, 10, FOLLOWS);
	fake_settle_everything();
	assert_int_equal(mm_why(fake_vm(A), decisions, 9), 1);
	assert_string_equal(decisions[0].reason, "at or below its target: nothing is taken");
	run(40);
	assert_int_equal(mm_why(fake_vm(A), decisions, 9), 1);
	assert_true(decisions[0].times >= 3 && decisions[0].last_ns - decisions[0].first_ns >= 30 * SECOND);
	start(C, MIN, SIZE, 10, FOLLOWS);
	fill(C, 600);
	for (u32 round = 0; round < BALANCE_DECISIONS + 4; round++) {
		fill(A, SIZE);
		fill(B, SIZE);
		fake_settle_everything(); /* before the drivers do anything */
		run(2);
	}
	u32 count = mm_why(fake_vm(A), decisions, ARRAY_SIZE(decisions));

	assert_int_equal(count, BALANCE_DECISIONS);
	for (u32 i = 0; i + 1 < count; i++)
		assert_true(decisions[i].first_ns > decisions[i + 1].last_ns);
	assert_int_equal(mm_why(fake_vm(A), decisions, 3), 3);
}

static void a_rebalance_comes_every_15_seconds_and_when_something_changes(void **state)
{
	struct mm_vm_params params;

	(void)state;
	start(A, MIN, SIZE, 10, FOLLOWS);
	start(B, MIN, SIZE, 10, FOLLOWS);
	fake_settle_everything();
	u32 times = last_of(A).times;

	run(14);
	assert_int_equal(last_of(A).times, times);
	run(2);
	assert_int_equal(last_of(A).times, times + 1);
	for (u32 i = 0; i < 100; i++) /* together they ask for one */
		rebalance_want(REBALANCE_PARAMETERS);
	fake_settle_everything();
	assert_int_equal(last_of(A).times, times + 2);
	mm_vm_params(fake_vm(B), &params);
	params.max_pages = 300;
	assert_int_equal(mm_vm_set(fake_vm(B), &params, why, sizeof(why)), OK);
	assert_int_equal(target_of(B), 300); /* at once */
	fake_settle_everything();
	assert_int_equal(last_of(A).times, times + 3);
	assert_int_equal(mm_set_tax(500, false), OK);
	fake_settle_everything();
	assert_int_equal(last_of(A).times, times + 4);
}

static void who_is_above_a_max_that_was_lowered_gives_in_plenty(void **state)
{
	struct mm_vm_params params;

	(void)state;
	start(A, MIN, SIZE, 10, FOLLOWS);
	fill(A, SIZE);
	mm_vm_params(fake_vm(A), &params);
	params.max_pages = 700;
	assert_int_equal(mm_vm_set(fake_vm(A), &params, why, sizeof(why)), OK);
	run(2);
	assert_int_equal(state_now(), MM_HIGH);
	assert_int_equal(look(A).size, 500);
	params.max_pages = SIZE;
	assert_int_equal(mm_vm_set(fake_vm(A), &params, why, sizeof(why)), OK);
	run(2);
	assert_int_equal(look(A).size, 0);
}

static void shares_and_idle_memory_decide_who_gives(void **state)
{
	struct mm_active active;
	u64 ns = 0;

	(void)state;
	start(A, MIN, SIZE, 10, FOLLOWS);
	start(B, MIN, SIZE, 10, FOLLOWS);
	start(C, MIN, SIZE, 30, FOLLOWS);
	fill(A, SIZE);
	fill(B, SIZE);
	fill(C, 600);
	run(2);
	u64 before = target_of(A);

	assert_in_range(target_of(B), before - 1, before + 1);
	assert_int_equal(target_of(C), SIZE);                          /* three times, or its max */
	for (u32 period = 0; period < 12; period++, ns += 31 * SECOND) /* A does nothing */
		while (mm_sample_step(fake_vm(A), ns))
			;
	mm_active(fake_vm(A), &active);
	assert_true(active.estimate < 3000);
	run(16);
	assert_true(target_of(A) < before * 2 / 3 && target_of(B) > before);
	assert_int_equal(mm_set_tax(0, false), OK);
	run(2);
	assert_in_range(target_of(A), before - 2, before + 2);
}

/* Only A can give, and must: B has its min, C is below its target.  There is nowhere to page out to. */
static void only_a_can_give(enum driver_kind driver)
{
	start(A, MIN, SIZE, 10, driver);
	start(B, SIZE, SIZE, 10, FOLLOWS);
	start(C, MIN, SIZE, 20, FOLLOWS);
	fill(A, SIZE);
	fill(B, SIZE);
	fill(C, 500);
	fake_settle_everything();
	assert_int_not_equal(state_now(), MM_HIGH);
}

static void a_dead_balloon_is_found_out_and_nobody_else_moves_because_of_it(void **state)
{
	(void)state;
	only_a_can_give(DEAD);
	u64 targets[] = { target_of(A), target_of(B), target_of(C) };

	for (u32 second = 0; second < 90; second++) {
		tick();
		assert_true(look(A).answers ? second < 11 : second > 8);
		for (u32 slot = A; slot <= C; slot++)
			assert_in_range(target_of(slot), targets[slot] - 4, targets[slot] + 4);
		assert_int_equal(look(B).target + look(C).target, 0);
	}
	assert_string_equal(last_of(A).reason, reclaim_text(RECLAIM_NOWHERE));
	guests[A].driver = FOLLOWS; /* it comes to life: at once it is believed */
	run(2);
	assert_true(look(A).answers);
	assert_int_equal(state_now(), MM_HIGH);
}

static u64 unreserved(void)
{
	u64 pages = admit_lock();

	admit_unlock();
	return pages;
}

static void a_dead_balloons_vm_is_paged_out_instead(void **state)
{
	struct mm_decision decisions[BALANCE_DECISIONS];
	struct mm_compress compressed;
	bool said = false;

	(void)state;
	only_a_can_give(DEAD);
	mm_compress_set_limit(fake_vm(A), SIZE / 4);
	u64 target = target_of(C), before = unreserved();

	for (u32 second = 0; second < 60; second++) {
		tick();
		assert_in_range(target_of(C), target - 16, target + 16); /* compressing needs a few frames of its own */
	}
	mm_compress_look(fake_vm(A), &compressed);
	assert_true(compressed.pages > 60);
	assert_int_equal(unreserved(), before); /* its compressed pages are its own */
	assert_int_equal(state_now(), MM_HIGH);
	u32 count = mm_why(fake_vm(A), decisions, BALANCE_DECISIONS);

	for (u32 i = 0; i < count; i++)
		said |= decisions[i].page_out && strstr(decisions[i].reason, "its balloon does not answer: paged out");
	assert_true(said);
}

/* Nobody has a balloon: what does not fit goes to the swap area, which admission has counted on, and comes back. */
static void without_balloons_a_machine_that_is_too_full_swaps(void **state)
{
	struct mm_totals totals;

	(void)state;
	fake_swap(6000);
	assert_int_equal(mm_swap_init(), OK);
	mm_totals(&totals);
	assert_int_equal(totals.swap, 6000);
	for (u32 slot = A; slot <= C; slot++)
		start(slot, MIN, SIZE, 10, NO_DRIVER);
	for (u32 round = 0; round < 3; round++) {
		for (u32 slot = A; slot <= C; slot++)
			fill(slot, SIZE); /* as far as there are frames at once */
		run(3);
	}
	struct mm_pageout lost;

	assert_int_equal(state_now(), MM_HIGH);
	mm_pageout_look(fake_vm(A), &lost);
	assert_true(lost.swapped > 0);
}

static void one_that_touches_what_it_gave_is_not_believed(void **state)
{
	(void)state;
	only_a_can_give(TOUCHES);
	run(40);
	assert_false(look(A).answers);
	assert_true(look(A).popped > 0);
	assert_int_not_equal(state_now(), MM_HIGH);
}

static void a_slow_driver_is_given_time(void **state)
{
	(void)state;
	only_a_can_give(LAGS);
	for (u32 second = 0; second < 15; second++) {
		tick();
		assert_true(look(A).answers);
	}
	assert_int_equal(state_now(), MM_HIGH);
}

static void who_is_above_target_is_throttled_only_while_memory_is_very_short(void **state)
{
	(void)state;
	start(A, MIN, SIZE, 10, DEAD);
	start(B, MIN, SIZE, 10, DEAD);
	fill(A, SIZE);
	fill(B, SIZE);
	start(C, MIN, SIZE, 10, FOLLOWS);
	fill(C, SIZE);
	fake_settle_everything();
	assert_int_equal(state_now(), MM_LOW);
	assert_true(mm_is_throttled(fake_vm(A)) && mm_is_throttled(fake_vm(B)));
	guests[A].driver = guests[B].driver = FOLLOWS;
	run(4);
	assert_int_equal(state_now(), MM_HIGH);
	assert_false(mm_is_throttled(fake_vm(A)) || mm_is_throttled(fake_vm(B)));
}

/* What was planned for a VM that has ended is not done to the next one of its number. */
static void a_new_vm_of_the_same_number_is_not_who_was_planned_for(void **state)
{
	struct mm_decision decision;

	(void)state;
	start(A, MIN, SIZE, 10, NO_DRIVER);
	start(B, MIN, SIZE, 10, NO_DRIVER);
	fake_settle_everything();
	rebalance_want(REBALANCE_PARAMETERS);
	for (u32 i = 0; i < 5; i++) /* gathered, and begun to plan */
		assert_true(rebalance_step());
	stop(A);
	start(A, 300, 400, 10, NO_DRIVER);
	while (last_of(B).times < 2)
		(void)rebalance_step();
	assert_int_equal(mm_why(fake_vm(A), &decision, 1), 0);
	fake_settle_everything();
	assert_int_equal(mm_why(fake_vm(A), &decision, 1), 1);
	assert_int_equal(decision.target, 400);
}

static void what_changes_during_a_rebalance_is_for_the_next(void **state)
{
	struct mm_vm_params params;
	struct mm_usage usage;

	(void)state;
	start(A, MIN, SIZE, 10, NO_DRIVER);
	start(B, MIN, SIZE, 10, NO_DRIVER);
	fake_settle_everything();
	rebalance_want(REBALANCE_PARAMETERS);
	for (u32 i = 0; i < 5; i++)
		assert_true(rebalance_step());
	mm_vm_params(fake_vm(A), &params);
	params.max_pages = 500;
	assert_int_equal(mm_vm_set(fake_vm(A), &params, why, sizeof(why)), OK);
	while (last_of(B).times < 2)
		(void)rebalance_step();
	mm_vm_usage(fake_vm(A), &usage);
	assert_in_range(usage.target, MIN, 500);
	fake_audit_memory();
}

static void a_pool_shares_what_it_gets_among_its_vms(void **state)
{
	struct mm_pool_config config = { .name = "outer", .max_pages = UINT64_MAX, .shares = 10 };
	struct mm_vm_params params;
	u32 outer, inner, empty;

	(void)state;
	assert_int_equal(mm_pool_begin(&config, &outer, why, sizeof(why)), OK);
	strcpy(config.name, "inner");
	config.parent = outer;
	assert_int_equal(mm_pool_begin(&config, &inner, why, sizeof(why)), OK);
	strcpy(config.name, "empty");
	config.parent = 0;
	config.shares = 1000000;
	assert_int_equal(mm_pool_begin(&config, &empty, why, sizeof(why)), OK);
	for (u32 slot = A; slot <= C; slot++) {
		start(slot, 0, 2000, 10, FOLLOWS);
		mm_vm_params(fake_vm(slot), &params);
		params.pool = slot == C ? 0 : inner;
		assert_int_equal(mm_vm_set(fake_vm(slot), &params, why, sizeof(why)), OK);
	}
	fake_settle_everything();
	u64 alone = target_of(C);

	assert_in_range(target_of(A) + target_of(B), alone - 1, alone + 1);
	assert_in_range(target_of(A), alone / 2 - 1, alone / 2 + 1);
	strcpy(config.name, "outer");
	config.shares = 10;
	config.max_pages = 500;
	assert_int_equal(mm_pool_set(outer, &config, why, sizeof(why)), OK);
	fake_settle_everything();
	assert_int_equal(target_of(A) + target_of(B), 500);
	assert_true(target_of(C) > alone);
}

/* ---- random machines over time ---- */

static bool can_give(u32 slot)
{
	const struct mm_balloon balloon = look(slot);

	return guests[slot].runs && guests[slot].driver == FOLLOWS && resident_of(slot) > target_of(slot) &&
	       balloon.size < fake_vm(slot)->balloon.limit;
}

static void random_event(void)
{
	u32 slot = fake_random(VMS);
	struct mm_vm_params params;

	if (!guests[slot].runs) {
		u64 max = 200 + fake_random(1000);

		start(slot, fake_random(300) % max, max, fake_random(50), (enum driver_kind)fake_random(DRIVER_KINDS));
		return;
	}
	switch (fake_random(5)) {
	case 0:
		stop(slot);
		return;
	case 1:
		mm_vm_params(fake_vm(slot), &params);
		params.max_pages = params.min_pages + 1 + fake_random(guests[slot].size);
		params.shares = fake_random(100);
		params.tax_permille = fake_random(2) ? MM_TAX_OF_HOST : fake_random(MM_MAX_TAX);
		params.progressive = fake_random(2);
		(void)!mm_vm_set(fake_vm(slot), &params, why, sizeof(why));
		return;
	case 2:
		guests[slot].driver = guests[slot].driver == DEAD ? FOLLOWS : guests[slot].driver;
		return;
	default:
		fill(slot, fake_random(guests[slot].size));
	}
}

static void invariants_hold_on_random_machines_over_time(void **state)
{
	u64 seed = host_number("REBALANCE_SEED", 1), machines = host_number("REBALANCE_MACHINES", MACHINES);

	(void)state;
	printf("REBALANCE_SEED=%llu REBALANCE_MACHINES=%llu\n", seed, machines);
	for (u64 machine = 0; machine < machines; machine++) {
		begin(state);
		fake_reset(seed + machine, machine % 2);
		fake_small_machine();
		admit_set_swap(100000);
		for (u32 i = 0; i < TICKS; i++) {
			random_event();
			tick();
		}
		run(20); /* nothing new happens: who can give has given, or memory is plentiful */
		for (u32 slot = 0; slot < VMS; slot++)
			assert_true(state_now() == MM_HIGH || !can_give(slot));
		end(state);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(who_follows_brings_the_state_back_to_high),
		TEST(why_remembers_the_latest_decisions_newest_first),
		TEST(a_rebalance_comes_every_15_seconds_and_when_something_changes),
		TEST(who_is_above_a_max_that_was_lowered_gives_in_plenty),
		TEST(shares_and_idle_memory_decide_who_gives),
		TEST(a_dead_balloon_is_found_out_and_nobody_else_moves_because_of_it),
		TEST(a_dead_balloons_vm_is_paged_out_instead),
		TEST(without_balloons_a_machine_that_is_too_full_swaps),
		TEST(one_that_touches_what_it_gave_is_not_believed),
		TEST(a_slow_driver_is_given_time),
		TEST(who_is_above_target_is_throttled_only_while_memory_is_very_short),
		TEST(a_new_vm_of_the_same_number_is_not_who_was_planned_for),
		TEST(what_changes_during_a_rebalance_is_for_the_next),
		TEST(a_pool_shares_what_it_gets_among_its_vms),
		TEST(invariants_hold_on_random_machines_over_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
