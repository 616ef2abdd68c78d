/* SPDX-License-Identifier: BSD-2-Clause */
/* Resource pools: what is reserved along the path, who is refused where and in which words, and what comes back. */
#include "mm/admit.h"
#include "mm/alloc.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define NO_LIMIT UINT64_MAX
enum { STEPS = 20000, VMS = FAKE_VMS, SMALL = 40 };

static char why[200];

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	admit_set_swap(100000);
	return 0;
}

static int end(void **state)
{
	(void)state;
	fake_audit_memory();
	return 0;
}

static struct mm_pool_config config_of(const char *name, u64 min, u64 max, u32 parent)
{
	struct mm_pool_config config = { .min_pages = min, .max_pages = max, .shares = 100, .parent = parent };

	strcpy(config.name, name);
	return config;
}

static u32 pool(const char *name, u64 min, u64 max, u32 parent)
{
	struct mm_pool_config config = config_of(name, min, max, parent);
	u32 id;

	assert_int_equal(mm_pool_begin(&config, &id, why, sizeof(why)), OK);
	return id;
}

static err_t pool_error(const char *name, u64 min, u64 max, u32 parent)
{
	struct mm_pool_config config = config_of(name, min, max, parent);
	u32 id;

	return mm_pool_begin(&config, &id, why, sizeof(why));
}

static err_t start(u32 slot, u64 min, u64 max, u32 in)
{
	struct mm_vm_config config = {
		.max_pages = max, .low_pages = max, .min_pages = min, .shares = 10, .id = slot + 1, .pool = in
	};

	return mm_vm_init(fake_vm(slot), &config, why, sizeof(why));
}

static u64 reserved(u32 id)
{
	struct mm_pool look;

	assert_true(mm_pool_look(id, &look));
	return look.reserved;
}

static u64 promised(void)
{
	struct mm_totals totals;

	mm_totals(&totals);
	return totals.promised;
}

static void a_pools_min_is_reserved_and_its_vms_reserve_out_of_it_first(void **state)
{
	(void)state;
	u32 web = pool("web", 500, NO_LIMIT, 0);

	assert_int_equal(promised(), 500);
	assert_int_equal(start(0, 200, 600, web), OK);
	u64 overhead = fake_vm(0)->promise.overhead;

	assert_int_equal(promised(), 500 + overhead);
	assert_int_equal(reserved(web), 200);
	assert_int_equal(start(1, 400, 600, web), OK); /* 100 beyond its min */
	assert_int_equal(promised(), 600 + overhead + fake_vm(1)->promise.overhead);
	fake_vm_end(0);
	fake_vm_end(1);
	assert_int_equal(promised(), 500);
	assert_int_equal(mm_pool_end(web, why, sizeof(why)), OK);
	assert_int_equal(promised(), 0);
	assert_false(mm_pool_look(web, &(struct mm_pool){ 0 }));
}

static void each_pool_on_the_path_has_room_or_says_what_it_lacks(void **state)
{
	(void)state;
	u32 shop = pool("shop", 0, 300, 0);
	u32 web = pool("web", 100, NO_LIMIT, shop);

	assert_int_equal(start(0, 250, 400, web), OK);
	assert_int_equal(start(1, 60, 100, web), E_NO_MEMORY);
	assert_string_equal(why, "needs 240 KiB of pool shop, where 200 KiB are unreserved: 40 KiB short");
	assert_int_equal(start(1, 60, 100, 0), OK); /* beside it */
	assert_int_equal(pool_error("db", 51, NO_LIMIT, shop), E_NO_MEMORY);
	assert_string_equal(why, "pool db: needs 204 KiB more of pool shop, where 200 KiB are unreserved: 4 KiB short");
	assert_int_equal(pool_error("big", 1000000, NO_LIMIT, 0), E_NO_MEMORY);
	assert_non_null(strstr(why, "pool big: needs 4000000 KiB more of the machine, where "));
	assert_int_equal(reserved(shop), 250);
	fake_vm_end(0);
	assert_int_equal(reserved(shop), 100);
	fake_vm_end(1);
}

static void numbers_that_make_no_sense_are_refused_in_one_line(void **state)
{
	(void)state;
	u32 a = pool("a", 0, NO_LIMIT, 0), b = pool("b", 0, NO_LIMIT, a);
	struct mm_pool_config config = config_of("a", 0, NO_LIMIT, b);

	assert_int_equal(mm_pool_set(a, &config, why, sizeof(why)), E_INVALID);
	assert_string_equal(why, "pool a: its parent lies in it");
	config.parent = a;
	assert_int_equal(mm_pool_set(a, &config, why, sizeof(why)), E_INVALID);
	config = config_of("b", 0, NO_LIMIT, 0);
	assert_int_equal(mm_pool_set(a, &config, why, sizeof(why)), E_INVALID);
	assert_string_equal(why, "pool a: there is a pool of this name");
	config = config_of("a", 0, NO_LIMIT, 0);
	config.shares = ALLOC_MAX_SHARES + 1;
	assert_int_equal(mm_pool_set(a, &config, why, sizeof(why)), E_INVALID);
	assert_int_equal(pool_error("", 0, NO_LIMIT, 0), E_INVALID);
	assert_string_equal(why, "pool (new): a pool's name has 1 to 31 characters");
	assert_int_equal(pool_error("c", 5, 4, 0), E_INVALID);
	assert_int_equal(pool_error("c", 0, 4, 17), E_INVALID);
	assert_string_equal(why, "pool (new): its parent does not exist");
	assert_int_equal(pool_error("c", 0, 4, 3333), E_INVALID);
	assert_int_equal(mm_pool_set(0, &config, why, sizeof(why)), E_NOT_FOUND);
	assert_int_equal(mm_pool_set(9, &config, why, sizeof(why)), E_NOT_FOUND);
	assert_string_equal(why, "there is no pool 9");
	assert_int_equal(mm_pool_end(0, why, sizeof(why)), E_NOT_FOUND);
	assert_int_equal(mm_pool_end(99, why, sizeof(why)), E_NOT_FOUND);
	assert_int_equal(start(0, 10, 20, 9), E_NOT_FOUND);
	assert_string_equal(why, "there is no pool 9");
}

static void a_pool_with_something_in_it_does_not_end(void **state)
{
	(void)state;
	u32 a = pool("a", 0, NO_LIMIT, 0), b = pool("b", 10, NO_LIMIT, a);

	assert_int_equal(start(0, 10, 20, b), OK);
	assert_int_equal(mm_pool_end(a, why, sizeof(why)), E_STATE);
	assert_string_equal(why, "pool a: 1 VMs or pools are in it");
	assert_int_equal(mm_pool_end(b, why, sizeof(why)), E_STATE);
	fake_vm_end(0);
	assert_int_equal(mm_pool_end(b, why, sizeof(why)), OK);
	assert_int_equal(mm_pool_end(a, why, sizeof(why)), OK);
}

static void there_is_an_end_to_pools(void **state)
{
	char name[8];

	(void)state;
	for (u32 i = 1; i < MM_POOLS; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		(void)pool(name, 0, NO_LIMIT, i - 1); /* as deep as it goes */
	}
	assert_int_equal(pool_error("more", 0, NO_LIMIT, 0), E_NO_MEMORY);
	assert_string_equal(why, "there are 31 pools: no more can begin");
	assert_int_equal(start(0, 10, 20, MM_POOLS - 1), OK);
	assert_int_equal(reserved(1), 10);
	fake_vm_end(0);
}

static void what_is_reserved_moves_with_a_pool_and_with_a_vm(void **state)
{
	struct mm_vm_params params;

	(void)state;
	u32 a = pool("a", 0, 100, 0), b = pool("b", 0, 50, 0), inner = pool("inner", 30, NO_LIMIT, a);
	struct mm_pool_config config = config_of("inner", 30, NO_LIMIT, b);

	assert_int_equal(start(0, 60, 80, inner), OK);
	assert_int_equal(mm_pool_set(inner, &config, why, sizeof(why)), E_NO_MEMORY);
	assert_string_equal(why, "pool inner: needs 240 KiB more of pool b, where 200 KiB are unreserved: 40 KiB short");
	assert_int_equal(reserved(a), 60);
	mm_vm_params(fake_vm(0), &params);
	params.min_pages = 45;
	assert_int_equal(mm_vm_set(fake_vm(0), &params, why, sizeof(why)), OK);
	assert_int_equal(mm_pool_set(inner, &config, why, sizeof(why)), OK);
	assert_int_equal(reserved(a), 0);
	assert_int_equal(reserved(b), 45);
	params.pool = a;
	assert_int_equal(mm_vm_set(fake_vm(0), &params, why, sizeof(why)), OK);
	assert_int_equal(reserved(a), 45);
	assert_int_equal(reserved(b), 30); /* inner's min */
	config.max_pages = 29;
	assert_int_equal(mm_pool_set(inner, &config, why, sizeof(why)), E_INVALID);
	config = config_of("a", 0, 44, 0);
	assert_int_equal(mm_pool_set(a, &config, why, sizeof(why)), E_INVALID);
	assert_string_equal(why, "pool a: max is less than what is reserved in it");
	fake_vm_end(0);
}

/* ---- random trees ---- */

static bool alive[VMS];

static void random_pool_step(void)
{
	struct mm_pool_config config = { .min_pages = fake_random(SMALL), .shares = fake_random(100) };
	u32 id = fake_random(MM_POOLS);

	config.max_pages = fake_random(4) ? NO_LIMIT : config.min_pages + fake_random(2 * SMALL);
	config.parent = fake_random(2) ? fake_random(MM_POOLS) : 0;
	snprintf(config.name, sizeof(config.name), "p%u", fake_random(40));
	err_t error = fake_random(2) ? mm_pool_set(id, &config, why, sizeof(why)) : mm_pool_begin(&config, &id, why, sizeof(why));

	if (!error && fake_random(3) == 0)
		error = mm_pool_end(id, why, sizeof(why));
	assert_true(!error || strlen(why) > 10);
}

static void random_vm_step(void)
{
	u32 slot = fake_random(VMS);
	u64 max = 1 + fake_random(2 * SMALL);
	struct mm_vm_params params;

	if (!alive[slot]) {
		alive[slot] = start(slot, fake_random((u32)max + 1), max, fake_random(2) ? fake_random(MM_POOLS) : 0) == OK;
	} else if (fake_random(4) == 0) {
		fake_vm_end(slot);
		alive[slot] = false;
	} else {
		mm_vm_params(fake_vm(slot), &params);
		params.min_pages = fake_random((u32)params.max_pages + 2);
		params.pool = fake_random(MM_POOLS);
		(void)!mm_vm_set(fake_vm(slot), &params, why, sizeof(why));
	}
}

static void reservations_add_up_on_random_trees(void **state)
{
	u64 seed = host_number("POOLS_SEED", 1), steps = host_number("POOLS_STEPS", STEPS);

	(void)state;
	printf("POOLS_SEED=%llu POOLS_STEPS=%llu\n", seed, steps);
	fake_reset(seed, true);
	fake_small_machine();
	admit_set_swap(VMS * SMALL);
	memset(alive, 0, sizeof(alive));
	for (u64 step = 0; step < steps; step++) {
		if (fake_random(3))
			random_pool_step();
		else
			random_vm_step();
		assert_null(admit_fault());
	}
	for (u32 slot = 0; slot < VMS; slot++) {
		if (alive[slot])
			fake_vm_end(slot);
	}
	for (u32 round = 0; round < MM_POOLS; round++) /* the innermost go first */
		for (u32 id = 1; id < MM_POOLS; id++)
			(void)!mm_pool_end(id, why, sizeof(why));
	assert_int_equal(promised(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_pools_min_is_reserved_and_its_vms_reserve_out_of_it_first),
		TEST(each_pool_on_the_path_has_room_or_says_what_it_lacks),
		TEST(numbers_that_make_no_sense_are_refused_in_one_line),
		TEST(a_pool_with_something_in_it_does_not_end),
		TEST(there_is_an_end_to_pools),
		TEST(what_is_reserved_moves_with_a_pool_and_with_a_vm),
		TEST(reservations_add_up_on_random_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
