/* SPDX-License-Identifier: BSD-2-Clause */
/* Free memory: what is taken in, blocks of every order below and above 4 GiB, the CPUs' caches, and the last frame. */
#include "mm/zone.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BORDER = 1 << 20, MANY = 4096 };

static mpn_t taken[MANY];

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	return 0;
}

static void machine(struct mm_range one)
{
	fake_machine(&one, 1, one.first.n + one.pages - 1);
}

static struct mm_totals totals(void)
{
	struct mm_totals all;

	fake_audit_memory();
	mm_totals(&all);
	assert_int_equal(all.total, all.free + all.overhead + all.private_ + all.shared_frames + all.debt_frames);
	return all;
}

static u32 take_everything(u32 order)
{
	u32 count = 0;

	while (mm_overhead_alloc(order, &taken[count]) == OK) {
		assert_int_equal(taken[count].n % (1U << order), 0);
		count++;
		assert_true(count < MANY);
	}
	return count;
}

static void give_back(u32 count, u32 order)
{
	while (count)
		mm_overhead_free(taken[--count], order);
}

/* ---- taking the machine's memory ---- */

static void the_table_pays_for_itself_and_all_else_is_free(void **state)
{
	(void)state;
	machine((struct mm_range){ { 512 }, 4 * LARGE_PAGES });
	struct mm_totals all = totals();

	/* 512 frames × 16 bytes are two pages a block; the fake takes one more to map them. */
	assert_int_equal(all.total, 4 * LARGE_PAGES);
	assert_int_equal(all.overhead, 4 * 2 + 1);
	assert_int_equal(all.shared_frames, 1); /* the zero frame */
	assert_int_equal(all.free, all.total - all.overhead - 1);
	assert_int_equal(all.reserved, 0);
}

static void page_0_is_never_given_out(void **state)
{
	(void)state;
	machine((struct mm_range){ { 0 }, LARGE_PAGES });
	assert_int_equal(totals().reserved, 1);
	u32 count = take_everything(0);

	for (u32 i = 0; i < count; i++)
		assert_int_not_equal(taken[i].n, 0);
	assert_int_equal(totals().free, 0);
	give_back(count, 0);
}

static void a_range_too_small_for_its_description_is_left_out_and_said_so(void **state)
{
	const struct mm_range ranges[] = { { { 512 }, LARGE_PAGES }, { { 4096 }, 2 } };

	(void)state;
	fake_machine(ranges, 2, 4097);
	assert_int_equal(totals().reserved, 2);
	assert_non_null(strstr(host_last_log, "2 pages at 0x1000000 are too few"));
}

static void a_small_range_counts_where_a_neighbour_has_paid(void **state)
{
	const struct mm_range ranges[] = { { { 512 }, 256 }, { { 800 }, 1 }, { { 900 }, 100 } };

	(void)state;
	fake_machine(ranges, 3, 999);
	assert_int_equal(totals().total, 357);
}

/* The small one gets as far as a part of its block's table and gives up; the larger one after it asks again. */
static void a_range_may_follow_one_that_failed_in_the_same_block(void **state)
{
	const struct mm_range ranges[] = { { { 513 }, 1 }, { { 600 }, 300 } };

	(void)state;
	fake_machine(ranges, 2, 899);
	assert_int_equal(totals().total, 300);
	assert_int_equal(totals().reserved, 1);
}

static void a_machine_without_memory_is_refused(void **state)
{
	const struct mm_range nothing[] = { { { 0 }, 1 }, { { 100 }, 0 }, { { 2000 }, 2 } };

	(void)state;
	assert_int_equal(fake_machine_try(nothing, 3, 2001), E_NO_MEMORY);
}

static void memory_across_4_gib_is_two_zones(void **state)
{
	(void)state;
	machine((struct mm_range){ { BORDER - 1024 }, 2048 });
	totals();
	assert_true(zones[ZONE_LOW].free > 900 && zones[ZONE_HIGH].free > 900);
	/* No block lies on both sides: with all of it taken singly and given back there are whole blocks on each. */
	give_back(take_everything(0), 0);
	for (u32 i = 0; i < frame_range_count; i++)
		assert_int_equal(zone_of(frame_ranges[i].first.n), zone_of(frame_ranges[i].first.n + frame_ranges[i].pages - 1));
	totals();
}

static void memory_that_comes_later_joins_its_neighbours(void **state)
{
	(void)state;
	const struct mm_range first = { { 512 }, 704 };

	fake_machine(&first, 1, 4095);
	assert_int_equal(mm_add((struct mm_range){ { 1216 }, 320 }), OK); /* up to 1536: described already */
	struct mm_totals all = totals(); /* audits a block that reaches from one range into the next */

	assert_int_equal(all.total, 1024);
	assert_int_equal(frame_state(1024), FRAME_FREE);
	assert_int_equal(frame_of(1024)->order, ZONE_MAX_ORDER);
}

static void no_block_is_described_twice(void **state)
{
	const struct mm_range first = { { 512 }, 704 };

	(void)state;
	fake_machine(&first, 1, 4095);
	u64 before = totals().overhead;

	assert_int_equal(mm_add((struct mm_range){ { 1216 }, 832 }), OK); /* into one more block */
	assert_int_equal(totals().overhead, before + 2 + 1);
	assert_int_equal(mm_add((struct mm_range){ { 2048 + 600 }, 10 }), OK);
	assert_int_equal(mm_add((struct mm_range){ { 2048 }, 560 }), OK); /* from a new one into one that is described */
	assert_int_equal(totals().overhead, before + 3 * (2 + 1));
}

static void memory_may_come_in_many_pieces_but_not_without_end(void **state)
{
	struct mm_range first = { { 1024 }, LARGE_PAGES };
	u32 lost = 0;

	(void)state;
	fake_machine(&first, 1, 1 << 16);
	for (u32 i = 0; i < FRAME_MAX_RANGES + 10; i++) {
		if (mm_add((struct mm_range){ { 2048 + i * 20 }, 18 }) != OK)
			lost++;
	}
	assert_int_equal(frame_range_count, FRAME_MAX_RANGES);
	assert_int_equal(lost, 11);
	assert_int_equal(totals().reserved, 11 * 18);
}

/* ---- blocks ---- */

static void every_order_is_aligned_and_can_be_had_until_the_end(void **state)
{
	(void)state;
	for (u32 order = 0; order < ZONE_ORDERS; order++) {
		begin(state);
		machine((struct mm_range){ { 3 * LARGE_PAGES }, 4 * LARGE_PAGES });
		struct mm_totals before = totals();
		u32 count = take_everything(order);
		struct mm_totals all = totals();

		assert_int_equal(all.overhead, before.overhead + ((u64)count << order));
		assert_true(count >= 3U << (ZONE_MAX_ORDER - order)); /* three blocks are whole at least */
		for (u32 i = 0; i < count; i++)
			for (u32 k = 0; k < i; k++)
				assert_int_not_equal(taken[i].n, taken[k].n);
		give_back(count, order);
		all = totals();
		assert_int_equal(all.free, before.free);
	}
}

static void orders_beyond_2_mib_are_refused(void **state)
{
	mpn_t mpn = { 77 };

	(void)state;
	machine((struct mm_range){ { 512 }, 8 * LARGE_PAGES });
	assert_int_equal(mm_overhead_alloc(ZONE_ORDERS, &mpn), E_NO_MEMORY);
	assert_int_equal(mm_overhead_alloc(UINT32_MAX, &mpn), E_NO_MEMORY);
	assert_int_equal(mpn.n, 77);
}

static void what_is_given_back_in_any_order_becomes_whole_again(void **state)
{
	(void)state;
	machine((struct mm_range){ { 512 }, 4 * LARGE_PAGES });
	u64 whole = zones[ZONE_LOW].blocks[ZONE_MAX_ORDER];
	u32 count = take_everything(3);

	for (u32 i = 0; i < count; i++) { /* odd ones first, then even ones backwards */
		u32 which = i < count / 2 ? 2 * i + 1 : 2 * (count - 1 - i);

		mm_overhead_free(taken[which], 3);
	}
	totals();
	assert_true(zones[ZONE_LOW].blocks[ZONE_MAX_ORDER] >= whole);
}

static void frames_above_4_gib_go_first(void **state)
{
	u32 high = 0;

	(void)state;
	machine((struct mm_range){ { BORDER - 1024 }, 2048 });
	u32 expected = (u32)zones[ZONE_HIGH].free;
	u32 count = take_everything(0);

	/* What was in this CPU's cache already (the zero frame came with a batch) is high, too. */
	for (u32 i = 0; i < count; i++)
		high += taken[i].n >= BORDER;
	for (u32 i = 0; i < expected; i++)
		assert_true(taken[i].n >= BORDER);
	assert_true(high >= expected && high < count);
	give_back(count, 0);
	mpn_t block;

	assert_int_equal(mm_overhead_alloc(5, &block), OK);
	assert_true(block.n >= BORDER);
	mm_overhead_free(block, 5);
}

static void a_block_is_found_below_when_there_is_none_above(void **state)
{
	const struct mm_range ranges[] = { { { 1024 }, 4 * LARGE_PAGES }, { { BORDER }, 64 } };
	mpn_t block;

	(void)state;
	fake_machine(ranges, 2, BORDER + 63);
	assert_int_equal(mm_overhead_alloc(ZONE_MAX_ORDER, &block), OK);
	assert_true(block.n < BORDER);
	mm_overhead_free(block, ZONE_MAX_ORDER);
	totals();
}

/* Past the cache: it holds frames of both. */
static void who_needs_a_low_frame_gets_one_while_high_ones_are_free(void **state)
{
	mpn_t single, block, none = { 77 };

	(void)state;
	machine((struct mm_range){ { BORDER - 1024 }, 2048 });
	u64 high = zones[ZONE_HIGH].free;

	assert_int_equal(mm_low_alloc(0, &single), OK);
	assert_int_equal(mm_low_alloc(4, &block), OK);
	assert_int_equal(mm_low_alloc(ZONE_ORDERS, &none), E_NO_MEMORY);
	assert_true(single.n < BORDER && block.n < BORDER && none.n == 77);
	assert_int_equal(zones[ZONE_HIGH].free, high);
	assert_int_equal(totals().overhead, zones[ZONE_LOW].all + zones[ZONE_HIGH].all - totals().free - 1);
	mm_overhead_free(single, 0);
	mm_overhead_free(block, 4);
}

static void a_zone_keeps_what_it_should_from_who_takes_only_what_is_to_spare(void **state)
{
	(void)state;
	machine((struct mm_range){ { BORDER - 1024 }, 1024 });
	u64 free = zones[ZONE_LOW].free;

	zones[ZONE_LOW].kept = free - 20;
	assert_int_equal(zone_take(5, ZONES_LOW | ZONES_SPARE), 0);
	u32 block = zone_take(4, ZONES_LOW | ZONES_SPARE);

	assert_int_not_equal(block, 0);
	fake_work_wanted = 0;
	for (u32 i = 0; i < 4; i++)
		assert_int_not_equal(taken[i].n = zone_take(0, ZONES_ANY | ZONES_SPARE), 0);
	assert_int_equal(zone_take(0, ZONES_ANY | ZONES_SPARE), 0);
	assert_false(zone_is_short(ZONE_LOW, 0));
	assert_true(zone_is_short(ZONE_LOW, 1));
	assert_int_equal(fake_work_wanted, 0);
	assert_int_not_equal(taken[4].n = zone_take(0, ZONES_ANY), 0); /* for whom it keeps them */
	assert_true(zone_is_short(ZONE_LOW, 0));
	assert_int_equal(fake_work_wanted, 1);
	assert_int_equal(zone_take(0, ZONES_ANY & ~ZONES_LOW), 0); /* there is none above */
	for (u32 i = 0; i < 5; i++)
		zone_give(taken[i].n, 1);
	zone_give(block, 16);
	assert_int_equal(zones[ZONE_LOW].free, free);
}

static void every_frame_number_lies_in_one_zone(void **state)
{
	(void)state;
	assert_int_equal(zone_of(0), ZONE_LOW);
	assert_int_equal(zone_of(BORDER - 1), ZONE_LOW);
	assert_int_equal(zone_of(BORDER), ZONE_HIGH);
	assert_int_equal(zone_of(UINT32_MAX), ZONE_HIGH);
	assert_int_equal(zone_run(BORDER - 3, 2), 2);
	assert_int_equal(zone_run(BORDER - 3, 7), 3);
	assert_int_equal(zone_run(BORDER, UINT32_MAX), UINT32_MAX - BORDER + 1);
}

static void a_failed_allocation_changes_nothing(void **state)
{
	mpn_t mpn;

	(void)state;
	machine((struct mm_range){ { 512 }, LARGE_PAGES });
	u32 count = take_everything(0);
	struct mm_totals before = totals();

	for (u32 order = 0; order < ZONE_ORDERS; order++)
		assert_int_equal(mm_overhead_alloc(order, &mpn), E_NO_MEMORY);
	struct mm_totals after = totals();

	assert_memory_equal(&before, &after, offsetof(struct mm_totals, state)); /* behind it is padding */
	assert_int_equal(before.state, after.state);
	give_back(count, 0);
}

/* ---- mistakes of the hypervisor's own ---- */

static mpn_t victim;

static void free_it(void)
{
	mm_overhead_free(victim, 0);
}

static void free_it_as_a_block(void)
{
	mm_overhead_free(victim, 1);
}

static void free_it_as_too_much(void)
{
	mm_overhead_free(victim, ZONE_ORDERS);
}

static void give_it_to_the_zone(void)
{
	zone_give(victim.n, 1);
}

static void give_across_the_border(void)
{
	zone_give(BORDER - 1, 2);
}

static void giving_back_what_is_not_taken_stops_the_machine(void **state)
{
	(void)state;
	machine((struct mm_range){ { 512 }, LARGE_PAGES });
	assert_int_equal(mm_overhead_alloc(0, &victim), OK);
	assert_false(fake_dies(free_it));
	assert_true(fake_dies(free_it_as_too_much));
	assert_true(fake_dies(free_it_as_a_block)); /* its neighbour is not taken, or it is not aligned */
	mm_overhead_free(victim, 0);
	assert_true(fake_dies(free_it)); /* twice */
	victim.n = frame_zero;
	assert_true(fake_dies(free_it));
	victim.n = zones[ZONE_LOW].heads[0] ? zones[ZONE_LOW].heads[0] : zones[ZONE_LOW].heads[1];
	assert_true(fake_dies(give_it_to_the_zone)); /* free already */
	assert_true(fake_dies(give_across_the_border));
}

/* ---- caches ---- */

static void a_cpu_takes_again_what_it_gave_last(void **state)
{
	mpn_t first, second;

	(void)state;
	machine((struct mm_range){ { 512 }, LARGE_PAGES });
	assert_int_equal(mm_overhead_alloc(0, &first), OK);
	mm_overhead_free(first, 0);
	assert_int_equal(frame_state(first.n), FRAME_CACHED);
	assert_int_equal(mm_overhead_alloc(0, &second), OK);
	assert_int_equal(first.n, second.n);
	mm_overhead_free(second, 0);
}

static void a_cpu_goes_to_the_zone_once_in_a_batch(void **state)
{
	u32 visits = 0;

	(void)state;
	machine((struct mm_range){ { 512 }, LARGE_PAGES });
	for (u32 i = 0; i < 64; i++) {
		u64 before = zones[ZONE_LOW].free;

		assert_int_equal(mm_overhead_alloc(0, &taken[i]), OK);
		visits += zones[ZONE_LOW].free != before;
	}
	assert_int_equal(visits, 64 / CACHE_BATCH);
	visits = 0;
	for (u32 i = 0; i < 64; i++) {
		u64 before = zones[ZONE_LOW].free;

		mm_overhead_free(taken[i], 0);
		visits += zones[ZONE_LOW].free != before;
	}
	assert_true(visits <= 64 / CACHE_BATCH);
	totals();
}

static void no_frame_is_out_of_reach_because_another_cpu_freed_it(void **state)
{
	(void)state;
	machine((struct mm_range){ { 512 }, LARGE_PAGES });
	u32 count = take_everything(0);

	for (u32 i = 0; i < 12; i++) {
		fake_cpu_set(i % FAKE_CPUS);
		mm_overhead_free(taken[--count], 0);
	}
	assert_int_equal(zones[ZONE_LOW].free, 0);
	fake_cpu_set(3);
	for (u32 i = 0; i < 12; i++)
		assert_int_equal(mm_overhead_alloc(0, &taken[count++]), OK);
	assert_int_equal(totals().free, 0);
	give_back(count, 0);
	totals();
}

static void a_cache_that_others_emptied_still_works(void **state)
{
	(void)state;
	machine((struct mm_range){ { 512 }, LARGE_PAGES });
	u32 count = take_everything(0);

	fake_cpu_set(1);
	for (u32 i = 0; i < 10; i++)
		mm_overhead_free(taken[--count], 0);
	fake_cpu_set(2);
	for (u32 i = 0; i < 10; i++)
		assert_int_equal(mm_overhead_alloc(0, &taken[count++]), OK);
	fake_cpu_set(1); /* thinks that it has ten */
	for (u32 i = 0; i < 40; i++)
		mm_overhead_free(taken[--count], 0);
	totals();
	for (u32 i = 0; i < 40; i++)
		assert_int_equal(mm_overhead_alloc(0, &taken[count++]), OK);
	assert_int_equal(totals().free, 0);
	give_back(count, 0);
}

/* ---- random work beside a model: who owns which frame ---- */

enum { RANGE_FIRST = BORDER - 3 * LARGE_PAGES - 100, RANGE_PAGES = 6 * LARGE_PAGES };

struct held {
	mpn_t first;
	u32 order;
};

static struct held held[MANY];
static u8 owned[RANGE_PAGES];

static void mark(struct held *block, u8 as)
{
	for (u32 i = 0; i < 1U << block->order; i++) {
		u8 *at = &owned[block->first.n + i - RANGE_FIRST];

		assert_int_not_equal(*at, as);
		*at = as;
	}
}

static void random_work(u64 seed)
{
	u32 count = 0, refused = 0;

	fake_reset(seed, true);
	machine((struct mm_range){ { RANGE_FIRST }, RANGE_PAGES });
	u64 free = totals().free;

	memset(owned, 0, sizeof(owned));
	for (u32 step = 0; step < 6000; step++) {
		bool fill = step / 1000 % 2 == 0; /* tides */

		fake_cpu_set(fake_random(FAKE_CPUS));
		if (count < MANY && (fake_random(4) == 0) != fill) {
			held[count].order = fake_random(3) ? 0 : fake_random(ZONE_ORDERS);
			if (mm_overhead_alloc(held[count].order, &held[count].first)) {
				refused++;
				continue;
			}
			mark(&held[count++], 1);
		} else if (count) {
			u32 which = fake_random(count);

			mark(&held[which], 0);
			mm_overhead_free(held[which].first, held[which].order);
			held[which] = held[--count];
		}
		if (step % 50 == 0)
			totals();
	}
	assert_true(refused > 10);
	while (count) {
		count--;
		mark(&held[count], 0);
		mm_overhead_free(held[count].first, held[count].order);
	}
	assert_int_equal(totals().free, free);
}

static void no_frame_has_two_owners(void **state)
{
	(void)state;
	for (u64 seed = 1; seed <= 4; seed++) {
		print_message("seed %llu\n", (unsigned long long)seed);
		random_work(seed);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(the_table_pays_for_itself_and_all_else_is_free),
		TEST(page_0_is_never_given_out),
		TEST(a_range_too_small_for_its_description_is_left_out_and_said_so),
		TEST(a_small_range_counts_where_a_neighbour_has_paid),
		TEST(a_range_may_follow_one_that_failed_in_the_same_block),
		TEST(a_machine_without_memory_is_refused),
		TEST(memory_across_4_gib_is_two_zones),
		TEST(memory_that_comes_later_joins_its_neighbours),
		TEST(no_block_is_described_twice),
		TEST(memory_may_come_in_many_pieces_but_not_without_end),
		TEST(every_order_is_aligned_and_can_be_had_until_the_end),
		TEST(orders_beyond_2_mib_are_refused),
		TEST(what_is_given_back_in_any_order_becomes_whole_again),
		TEST(frames_above_4_gib_go_first),
		TEST(a_block_is_found_below_when_there_is_none_above),
		TEST(who_needs_a_low_frame_gets_one_while_high_ones_are_free),
		TEST(a_zone_keeps_what_it_should_from_who_takes_only_what_is_to_spare),
		TEST(every_frame_number_lies_in_one_zone),
		TEST(a_failed_allocation_changes_nothing),
		TEST(giving_back_what_is_not_taken_stops_the_machine),
		TEST(a_cpu_takes_again_what_it_gave_last),
		TEST(a_cpu_goes_to_the_zone_once_in_a_batch),
		TEST(no_frame_is_out_of_reach_because_another_cpu_freed_it),
		TEST(a_cache_that_others_emptied_still_works),
		TEST(no_frame_has_two_owners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
