/* SPDX-License-Identifier: BSD-2-Clause */
/* Admission: what is promised can be kept, what cannot be kept is refused with how much is short, and what ends is given back. */
#include "mm/admit.h"
#include "mm/frame.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { GIB_PAGES = 1 << 18, BORDER = 1 << 20 };

static char why[200];

static int begin(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	return 0;
}

static struct mm_vm_config config_of(u32 slot, u64 max, u64 low)
{
	return (struct mm_vm_config){ .max_pages = max, .low_pages = low, .min_pages = max, .shares = 10, .id = slot + 1 };
}

static err_t start(u32 slot, u64 max)
{
	struct mm_vm_config config = config_of(slot, max, max);

	memset(why, 0, sizeof(why));
	return mm_vm_init(fake_vm(slot), &config, why, sizeof(why));
}

/* The largest VM that this machine takes now. */
static u64 largest(u32 slot)
{
	u64 fits = 0, refused = 4096;

	while (refused - fits > 1) {
		u64 middle = (fits + refused) / 2;

		if (start(slot, middle) == OK) {
			fake_vm_end(slot);
			fits = middle;
		} else {
			refused = middle;
		}
	}
	return fits;
}

static void overhead_is_fixed_plus_entries_plus_worst_case_tables(void **state)
{
	static const struct {
		u64 max, low, overhead;
	} rows[] = {
		/* 96 fixed, 2 top tables, and for each: directories, pages of entries, page tables, their directories */
		{ 1, 1, 98 + 1 + 1 + 1 + 1 },
		{ 512, 512, 98 + 1 + 1 + 1 + 1 },
		{ 513, 513, 98 + 1 + 2 + 2 + 1 },
		{ GIB_PAGES, GIB_PAGES, 98 + 4 + 512 + 512 + 1 },
		{ GIB_PAGES + 1, GIB_PAGES + 1, 98 + 5 + 513 + 513 + 2 },
		{ 4 * GIB_PAGES, 3 * GIB_PAGES, 98 + 16 + 2048 + 2048 + 4 },
		{ 4 * GIB_PAGES, 3 * GIB_PAGES + 512,
		  98 + 16 + 2048 + 2048 + 5 }, /* a table of its own on each side of the hole */
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mm_vm_config config = config_of(0, rows[i].max, rows[i].low);

		assert_int_equal(admit_overhead_pages(&config), rows[i].overhead);
	}
}

static void what_does_not_fit_is_refused_and_told_by_how_much(void **state)
{
	(void)state;
	assert_int_equal(start(0, 5000), E_NO_MEMORY);
	assert_int_equal(strncmp(why, "needs 20000 KiB and ", 20), 0);
	unsigned long long left, lacking, overhead;

	assert_int_equal(sscanf(why, "needs 20000 KiB and %llu KiB overhead; %llu KiB are unreserved: %llu KiB short", &overhead,
				&left, &lacking),
			 3);
	assert_int_equal(20000 + overhead, left + lacking);
	assert_true(overhead > 0 && left > 0 && lacking > 0);
	assert_int_equal(start(0, 1000), OK); /* and nothing was kept of the attempt */
	fake_audit_memory();
}

static void the_last_page_fits_and_one_more_does_not(void **state)
{
	u64 most;

	(void)state;
	most = largest(0);
	assert_true(most > 2000);
	assert_int_equal(start(0, most + 1), E_NO_MEMORY);
	assert_non_null(strstr(why, ": 4 KiB short"));
	assert_int_equal(start(0, most), OK);
	assert_int_equal(start(1, 1), E_NO_MEMORY);
	fake_vm_end(0);
	assert_int_equal(largest(0), most);
}

/* Every page of every promise is touched at once, and each is there. */
static void whoever_was_admitted_gets_all_that_was_promised(void **state)
{
	u32 pages[3] = { 600, 513, 700 };

	(void)state;
	for (u32 slot = 0; slot < 3; slot++)
		assert_int_equal(start(slot, pages[slot]), OK);
	assert_int_equal(start(3, largest(3)), OK);
	for (u32 round = 0; round < 1100; round++) {
		for (u32 slot = 0; slot < 4; slot++) {
			struct mm_usage usage;
			bool stale;
			u8 byte = 1;

			mm_vm_usage(fake_vm(slot), &usage);
			if (round >= usage.max)
				continue;
			err_t error = fake_touch(slot, 0, gpa_of((ppn_t){ round }), &byte, 1, MM_WRITE, &stale);

			for (u32 tries = 0; error && tries < 5; tries++) { /* it may have to wait for others' reservations */
				fake_settle_everything();
				error = fake_touch(slot, 0, gpa_of((ppn_t){ round }), &byte, 1, MM_WRITE, &stale);
			}
			assert_int_equal(error, OK);
		}
	}
	fake_audit_memory();
	fake_check();
}

static void tables_of_running_vms_do_not_count_twice(void **state)
{
	bool stale;
	u8 byte = 1;

	(void)state;
	assert_int_equal(start(0, 1000), OK);
	u64 before = largest(1);

	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(fake_touch(0, 0, gpa_of((ppn_t){ i }), &byte, 1, MM_WRITE, &stale), OK);
	assert_int_equal(largest(1), before);
}

static void the_hypervisors_own_frames_count(void **state)
{
	mpn_t mpn;

	(void)state;
	u64 before = largest(0);

	assert_int_equal(mm_overhead_alloc(6, &mpn), OK);
	u64 after = largest(0);

	assert_true(after < before && after >= before - 66);
	mm_overhead_free(mpn, 6);
	assert_int_equal(largest(0), before);
}

/* The hypervisor took of what was promised: nothing is left to promise, not less than nothing. */
static void nothing_is_promised_when_the_hypervisor_has_taken_it_all(void **state)
{
	static mpn_t taken[4096];
	u32 count = 0;

	(void)state;
	assert_int_equal(start(0, 1000), OK);
	while (mm_overhead_alloc(0, &taken[count]) == OK)
		count++;
	assert_int_equal(start(1, 1), E_NO_MEMORY);
	assert_non_null(strstr(why, "; 0 KiB are unreserved: "));
	while (count)
		mm_overhead_free(taken[--count], 0);
	assert_int_equal(start(1, 1), OK);
}

static void numbers_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		struct mm_vm_config config;
		const char *words;
	} rows[] = {
		{ { .max_pages = 0, .low_pages = 0, .id = 1 }, "out of range" },
		{ { .max_pages = 128ULL * GIB_PAGES + 1, .low_pages = 512, .id = 1 }, "out of range: 4 KiB to 134217728 KiB" },
		{ { .max_pages = UINT64_MAX, .low_pages = 512, .id = 1 }, "out of range" },
		{ { .max_pages = 100, .low_pages = 100, .min_pages = 101, .id = 1 }, "min at most max" },
		{ { .max_pages = 100, .low_pages = 101, .id = 1 }, "must end at a multiple of 2 MiB" },
		{ { .max_pages = 2000, .low_pages = 1000, .id = 1 }, "must end at a multiple of 2 MiB" },
		{ { .max_pages = 8ULL * GIB_PAGES, .low_pages = 5ULL * GIB_PAGES, .id = 1 }, "must end at a multiple of 2 MiB" },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(mm_vm_init(fake_vm(0), &rows[i].config, why, sizeof(why)), E_INVALID);
		assert_non_null(strstr(why, rows[i].words));
	}
	assert_int_equal(start(0, 100), OK);
}

static void a_vm_may_lie_above_4_gib_alone(void **state)
{
	struct mm_vm_config config = config_of(0, 700, 0);
	bool stale;
	u8 byte = 1;

	(void)state;
	assert_int_equal(mm_vm_init(fake_vm(0), &config, why, sizeof(why)), OK);
	assert_int_equal(mm_resolve(fake_vm(0), 0, (ppn_t){ 0 }, MM_READ), E_NOT_FOUND);
	assert_int_equal(fake_touch(0, 0, gpa_of((ppn_t){ BORDER + 699 }), &byte, 1, MM_WRITE, &stale), OK);
	fake_audit_memory();
}

static void a_number_in_use_is_refused_and_its_promise_given_back(void **state)
{
	struct mm_vm_config config = config_of(0, 200, 200);

	(void)state;
	assert_int_equal(start(0, 200), OK);
	u64 before = largest(2);

	assert_int_equal(mm_vm_init(fake_vm(1), &config, why, sizeof(why)), E_EXISTS);
	assert_non_null(strstr(why, "VM number 1 is in use"));
	assert_int_equal(largest(2), before);
	assert_int_equal(mm_vm_id(fake_vm(0)), 1);
}

/* ---- with swap, or without a care ---- */

static err_t start_min(u32 slot, u64 min, u64 max)
{
	struct mm_vm_config config = config_of(slot, max, max);

	config.min_pages = min;
	return mm_vm_init(fake_vm(slot), &config, why, sizeof(why));
}

static struct mm_totals totals(void)
{
	struct mm_totals now;

	mm_totals(&now);
	return now;
}

static void with_swap_min_is_promised_in_memory_and_the_rest_in_swap(void **state)
{
	(void)state;
	admit_set_swap(3000);
	assert_int_equal(start_min(0, 100, 1500), OK);
	assert_int_equal(start_min(1, 200, 1500), OK);
	assert_int_equal(totals().swap_promised, 2700);
	assert_int_equal(totals().promised, 300 + 2 * fake_vm(0)->promise.overhead);
	assert_int_equal(start_min(2, 500, 1000), E_NO_MEMORY);
	assert_string_equal(why, "needs 2000 KiB of swap (max less min); 1200 KiB are unreserved: 800 KiB short");
	assert_int_equal(start_min(2, 2900, 3500), E_NO_MEMORY); /* that much memory is not there: it is said first */
	assert_non_null(strstr(why, "KiB overhead; "));
	assert_int_equal(start_min(2, 700, 1000), OK);
	assert_int_equal(totals().swap_promised, 3000);
	for (u32 slot = 0; slot < 3; slot++)
		fake_vm_end(slot);
	assert_int_equal(totals().promised, 0);
	assert_int_equal(totals().swap_promised, 0);
	assert_int_equal(totals().swap, 3000);
}

static void unsafe_overcommit_promises_what_nothing_covers_and_shows_it(void **state)
{
	(void)state;
	assert_int_equal(start_min(0, 100, 2000), OK); /* safe: all of its max */
	assert_int_equal(start_min(1, 100, 2000), E_NO_MEMORY);
	mm_set_overcommit(true);
	assert_int_equal(totals().uncovered, 0);
	assert_int_equal(start_min(1, 100, 2000), OK);
	assert_int_equal(totals().uncovered, 1900);
	admit_set_swap(500);
	assert_int_equal(totals().uncovered, 1400);
	fake_vm_end(1);
	assert_int_equal(totals().uncovered, 0);
	mm_set_overcommit(false);
	assert_int_equal(start_min(1, 100, 2000), E_NO_MEMORY);
	fake_vm_end(0);
	assert_int_equal(totals().promised, 0);
}

static err_t set_min(u32 slot, u64 min)
{
	struct mm_vm_params params;

	mm_vm_params(fake_vm(slot), &params);
	params.min_pages = min;
	return mm_vm_set(fake_vm(slot), &params, why, sizeof(why));
}

static void every_change_of_min_is_admitted_again(void **state)
{
	mpn_t taken;

	(void)state;
	admit_set_swap(3000);
	assert_int_equal(start_min(0, 1000, 1900), OK);
	assert_int_equal(start_min(1, 1000, 1900), OK);
	assert_int_equal(set_min(0, 1900), E_NO_MEMORY);
	assert_non_null(strstr(why, "needs 7600 KiB and "));
	assert_int_equal(fake_vm(0)->min_pages, 1000);
	assert_int_equal(set_min(1, 100), OK);
	assert_int_equal(set_min(0, 1900), OK);
	assert_int_equal(totals().swap_promised, 1800);
	assert_int_equal(set_min(0, 1000), OK);
	assert_int_equal(set_min(0, 600), E_NO_MEMORY);
	assert_non_null(strstr(why, "of swap (max less min)"));
	assert_int_equal(mm_overhead_alloc(9, &taken),
			 OK); /* the hypervisor grows into the promise: who asks for less than it has gets it */
	admit_set_swap(4000);
	assert_int_equal(set_min(0, 600), OK);
	assert_null(admit_fault());
	mm_overhead_free(taken, 9);
}

static void without_swap_a_vm_may_have_any_min_up_to_its_promise(void **state)
{
	(void)state;
	u64 most = largest(0);

	assert_int_equal(start_min(0, 10, most), OK);
	assert_int_equal(set_min(0, most), OK);
	assert_int_equal(set_min(0, 0), OK);
	assert_int_equal(set_min(0, most + 1), E_INVALID);
}

static void what_can_be_set_is_checked_and_one_line_says_what_is_valid(void **state)
{
	static const struct {
		struct mm_vm_params params;
		const char *why;
	} rows[] = {
		{ { .min_pages = 10, .max_pages = 101 }, "max is at most its size, 400 KiB" },
		{ { .min_pages = 51, .max_pages = 50 }, "min is at most max, 200 KiB" },
		{ { .min_pages = 0, .max_pages = 0 }, "max is at least 4 KiB" },
		{ { .max_pages = 50, .shares = 1U << 30 }, "shares are at most 1073741823" },
		{ { .max_pages = 50, .tax_permille = 991 }, "the tax is at most 990 per mille, or the machine's" },
		{ { .max_pages = 50, .balloon_permille = 1001 }, "the balloon's limit is at most 1000 per mille" },
		{ { .max_pages = 50, .pool = 4 }, "there is no pool 4" },
	};
	const struct mm_vm_params good = {
		.min_pages = 5, .max_pages = 50, .shares = 7, .tax_permille = MM_TAX_OF_HOST, .balloon_permille = 500
	};
	struct mm_vm_params now;

	(void)state;
	assert_int_equal(start_min(0, 20, 100), OK);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_not_equal(mm_vm_set(fake_vm(0), &rows[i].params, why, sizeof(why)), OK);
		assert_string_equal(why, rows[i].why);
		mm_vm_params(fake_vm(0), &now);
		assert_int_equal(now.min_pages, 20);
	}
	assert_int_equal(mm_vm_set(fake_vm(0), &good, why, sizeof(why)), OK);
	mm_vm_params(fake_vm(0), &now);
	assert_true(now.min_pages == 5 && now.max_pages == 50 && now.shares == 7 && now.tax_permille == MM_TAX_OF_HOST);
	assert_true(!now.progressive && now.balloon_permille == 500 && now.pool == 0);
	mm_balloon_hello(fake_vm(0));
	mm_balloon_set_target(fake_vm(0), 90);
	assert_int_equal(mm_balloon_target(fake_vm(0)), 50);
	assert_int_equal(mm_set_tax(991, false), E_RANGE);
	assert_int_equal(mm_set_tax(990, true), OK);
}

static void bad_id(void)
{
	struct mm_vm_config config = config_of(0, 200, 200);

	config.id = 0;
	(void)!mm_vm_init(fake_vm(0), &config, why, sizeof(why));
}

static void return_too_much(void)
{
	admit_return(&(struct promise){ .overhead = 1 });
}

static void mistakes_of_the_hypervisor_stop_it(void **state)
{
	(void)state;
	assert_true(fake_dies(bad_id));
	assert_true(fake_dies(return_too_much));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(overhead_is_fixed_plus_entries_plus_worst_case_tables),
		TEST(what_does_not_fit_is_refused_and_told_by_how_much),
		TEST(the_last_page_fits_and_one_more_does_not),
		TEST(whoever_was_admitted_gets_all_that_was_promised),
		TEST(tables_of_running_vms_do_not_count_twice),
		TEST(the_hypervisors_own_frames_count),
		TEST(nothing_is_promised_when_the_hypervisor_has_taken_it_all),
		TEST(numbers_that_make_no_sense_are_refused),
		TEST(a_vm_may_lie_above_4_gib_alone),
		TEST(a_number_in_use_is_refused_and_its_promise_given_back),
		TEST(with_swap_min_is_promised_in_memory_and_the_rest_in_swap),
		TEST(unsafe_overcommit_promises_what_nothing_covers_and_shows_it),
		TEST(every_change_of_min_is_admitted_again),
		TEST(without_swap_a_vm_may_have_any_min_up_to_its_promise),
		TEST(what_can_be_set_is_checked_and_one_line_says_what_is_valid),
		TEST(mistakes_of_the_hypervisor_stop_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
