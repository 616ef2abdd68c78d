/* SPDX-License-Identifier: BSD-2-Clause */
/* Who gets how much: the paper's equilibrium, min and max, and sums that are exact, on random trees as well. */
#include "mm/alloc.h"
#include "tests/unit/support/host.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MIB_PAGES = 256, NODES = 64, MACHINES = 20000, SMALLEST = 16 };

static struct alloc_node nodes[NODES];
static u64 random_state;

static u64 draw(u64 below)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (random_state >> 33) % below;
}

static u64 divide(u32 count, u64 pages)
{
	struct alloc_job job;

	alloc_begin(&job, nodes, count, pages);
	while (alloc_step(&job))
		;
	return job.missing;
}

static void machine(void)
{
	memset(nodes, 0, sizeof(nodes));
	nodes[0].max = UINT64_MAX;
}

static struct alloc_node *vm(u32 index, u64 min, u64 max, u32 shares, u32 active_permille, u32 tax_permille)
{
	nodes[index] = (struct alloc_node){
		.min = min,
		.max = max,
		.shares = shares,
		.active_permille = active_permille,
		.tax_permille = tax_permille,
	};
	return &nodes[index];
}

static void two_equal_vms_get_what_the_paper_says(void **state)
{
	static const struct {
		u32 active[2];
		u32 mib[2]; /* of 360 */
	} rows[] = {
		{ { 0, 1000 }, { 72, 288 } },
		{ { 100, 900 }, { 94, 266 } },
		{ { 200, 900 }, { 100, 260 } },
		{ { 500, 500 }, { 180, 180 } },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		machine();
		for (u32 which = 0; which < 2; which++)
			vm(1 + which, 0, 1024 * MIB_PAGES, 1000, rows[i].active[which], 750);
		assert_int_equal(divide(3, 360 * MIB_PAGES), 0);
		for (u32 which = 0; which < 2; which++)
			assert_int_equal((nodes[1 + which].target + MIB_PAGES / 2) / MIB_PAGES, rows[i].mib[which]);
		assert_int_equal(nodes[1].target + nodes[2].target, 360 * MIB_PAGES);
	}
}

static void without_tax_idle_memory_costs_what_used_memory_costs(void **state)
{
	(void)state;
	machine();
	vm(1, 0, 100000, 10, 0, 0);
	vm(2, 0, 100000, 10, 1000, 0);
	divide(3, 92160);
	assert_int_equal(nodes[1].target, 46080);
	assert_int_equal(nodes[2].target, 46080);
}

static void shares_divide_as_they_are_to_each_other(void **state)
{
	(void)state;
	machine();
	for (u32 i = 0; i < 3; i++)
		vm(1 + i, 0, 100000, 5U << i, 1000, 750);
	divide(4, 7001);
	assert_true(nodes[1].target >= 1000 && nodes[2].target >= 2000 && nodes[3].target >= 4000);
	assert_int_equal(nodes[1].target + nodes[2].target + nodes[3].target, 7001);
}

static void no_shares_mean_exactly_min(void **state)
{
	(void)state;
	machine();
	vm(1, 300, 1000, 0, 1000, 750);
	vm(2, 0, 1000, 1, 0, 750);
	divide(3, 5000);
	assert_int_equal(nodes[1].target, 300);
	assert_int_equal(nodes[2].target, 1000);
}

static void who_is_at_min_or_max_leaves_the_rest_to_the_others(void **state)
{
	(void)state;
	machine();
	vm(1, 900, 2000, 1, 0, 750);    /* would get far less than min */
	vm(2, 0, 500, 1000, 1000, 750); /* far more than max */
	vm(3, 0, 100000, 10, 1000, 750);
	vm(4, 0, 100000, 30, 1000, 750);
	divide(5, 5400);
	assert_int_equal(nodes[1].target, 900);
	assert_int_equal(nodes[2].target, 500);
	assert_int_equal(nodes[3].target, 1000);
	assert_int_equal(nodes[4].target, 3000);
}

static void mins_beyond_the_machine_are_kept_and_counted(void **state)
{
	(void)state;
	machine();
	vm(1, 700, 2000, 1, 0, 750);
	vm(2, 600, 2000, 1, 0, 750);
	assert_int_equal(divide(3, 1000), 300);
	assert_int_equal(nodes[1].target, 700);
	assert_int_equal(nodes[2].target, 600);
}

static void a_progressive_tax_spares_who_has_little_idle(void **state)
{
	(void)state;
	assert_int_equal(alloc_cost(1000, 750, true), 1 << 20);
	assert_int_equal(alloc_cost(0, 0, true), 1 << 20);
	assert_true(alloc_cost(750, 750, true) < alloc_cost(750, 750, false));
	u64 last = alloc_cost(0, 750, true) * 2;
	for (u32 active = 0; active <= 1000; active += 50) {
		u64 cost = alloc_cost(active, 750, true);

		assert_true(cost < last && cost <= alloc_cost(active, 750, false));
		last = cost;
	}
}

static void a_pool_is_one_party_to_those_outside_it(void **state)
{
	(void)state;
	machine();
	nodes[1] = (struct alloc_node){ .max = UINT64_MAX, .shares = 100, .tax_permille = 0 };
	vm(2, 0, 100000, 100, 1000, 0);
	for (u32 i = 3; i < 6; i++)
		vm(i, 0, 100000, 77, 1000, 0)->parent = 1;
	divide(6, 6000);
	assert_int_equal(nodes[2].target, 3000);
	assert_int_equal(nodes[1].target, 3000);
	for (u32 i = 3; i < 6; i++)
		assert_int_equal(nodes[i].target, 1000);
}

static void a_pool_takes_no_more_than_its_max_and_its_childrens(void **state)
{
	(void)state;
	machine();
	nodes[1] = (struct alloc_node){ .max = 2500, .shares = 1000 };
	vm(2, 0, 1000, 1, 1000, 0)->parent = 1;
	vm(3, 0, 4000, 1, 1000, 0)->parent = 1;
	vm(4, 0, 100000, 1, 1000, 0);
	divide(5, 10000);
	assert_int_equal(nodes[1].target, 2500);
	assert_int_equal(nodes[2].target + nodes[3].target, 2500);
	assert_int_equal(nodes[4].target, 7500);
}

/* ---- random machines ---- */

static u32 random_machine(void)
{
	u32 count = 2 + (u32)draw(NODES - 2);
	u32 pools = 1 + (u32)draw(count / 4 + 1);

	machine();
	for (u32 i = 1; i < count; i++) {
		u64 max = SMALLEST + draw(1ULL << (4 + draw(24)));

		vm(i, draw(max + 1), max, (u32)draw(draw(2) ? 3 : ALLOC_MAX_SHARES), (u32)draw(1001),
		   (u32)draw(ALLOC_MAX_TAX + 1));
		nodes[i].parent = (u32)draw(pools < i ? pools : i);
		nodes[i].progressive = draw(2);
	}
	return count;
}

static u64 children_sum(u32 pool, u32 count, u64 (*of)(const struct alloc_node *node))
{
	u64 sum = 0;

	for (u32 i = 1; i < count; i++)
		sum += nodes[i].parent == pool ? of(&nodes[i]) : 0;
	return sum;
}

static u64 target_of(const struct alloc_node *node)
{
	return node->target;
}

static u64 min_of(const struct alloc_node *node)
{
	return node->min;
}

/* Could a child take more: it has shares and is below its max? */
static u64 is_hungry(const struct alloc_node *node)
{
	return node->weight && node->target < node->max;
}

/* Nobody who is above min has, a page aside, a smaller ratio of shares to cost than somebody who is below max. */
static void nobody_is_envied(u32 pool, u32 count)
{
	for (u32 rich = 1; rich < count; rich++) {
		for (u32 poor = 1; poor < count; poor++) {
			const struct alloc_node *a = &nodes[rich], *b = &nodes[poor];

			if (a->parent != pool || b->parent != pool || a->target <= a->min || b->target >= b->max || !b->weight)
				continue;
			assert_true((unsigned __int128)(a->target - 1) * b->weight <=
				    (unsigned __int128)(b->target + 1) * a->weight);
		}
	}
}

static void check_pool(u32 pool, u32 count)
{
	if (!children_sum(pool, count, min_of) && nodes[pool].first == ALLOC_NO_NODE)
		return;
	u64 sum = children_sum(pool, count, target_of);
	u64 least = children_sum(pool, count, min_of);

	if (children_sum(pool, count, is_hungry))
		assert_int_equal(sum, max_u64(least, nodes[pool].target));
	else
		assert_true(sum <= max_u64(least, nodes[pool].target));
	nobody_is_envied(pool, count);
}

static void targets_add_up_and_keep_min_and_max_on_random_machines(void **state)
{
	u64 seed = host_number("ALLOC_SEED", 1);
	u64 machines = host_number("ALLOC_MACHINES", MACHINES);

	(void)state;
	printf("ALLOC_SEED=%llu ALLOC_MACHINES=%llu\n", seed, machines);
	random_state = seed;
	for (u64 i = 0; i < machines; i++) {
		u32 count = random_machine();
		u64 pages = draw(1ULL << (4 + draw(30)));
		u64 missing = divide(count, pages);

		assert_int_equal(missing, nodes[0].children_min > pages ? nodes[0].children_min - pages : 0);
		for (u32 node = 1; node < count; node++)
			assert_true(nodes[node].target >= nodes[node].min && nodes[node].target <= nodes[node].max);
		for (u32 pool = 0; pool < count; pool++)
			check_pool(pool, count);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_equal_vms_get_what_the_paper_says),
		cmocka_unit_test(without_tax_idle_memory_costs_what_used_memory_costs),
		cmocka_unit_test(shares_divide_as_they_are_to_each_other),
		cmocka_unit_test(no_shares_mean_exactly_min),
		cmocka_unit_test(who_is_at_min_or_max_leaves_the_rest_to_the_others),
		cmocka_unit_test(mins_beyond_the_machine_are_kept_and_counted),
		cmocka_unit_test(a_progressive_tax_spares_who_has_little_idle),
		cmocka_unit_test(a_pool_is_one_party_to_those_outside_it),
		cmocka_unit_test(a_pool_takes_no_more_than_its_max_and_its_childrens),
		cmocka_unit_test(targets_add_up_and_keep_min_and_max_on_random_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
