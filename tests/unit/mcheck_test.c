/* SPDX-License-Identifier: BSD-2-Clause */
/* What a machine check's banks mean, after the tables of SDM vol. 3B, 16.6.3 and 16.9; and what the exception as a whole means. */
#include "kernel/x86/mcheck.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define VAL BIT(63)
#define OVER BIT(62)
#define UC BIT(61)
#define EN BIT(60)
#define MISCV BIT(59)
#define ADDRV BIT(58)
#define PCC BIT(57)
#define S BIT(56)
#define AR BIT(55)

#define RECOVERY BIT(24)
enum { RIPV = 1, EIPV = 2, MCIP = 4, HERE = RIPV | EIPV | MCIP, HEARD = RIPV | MCIP };
enum { PAGE_OF_MEMORY = 2 << 6 | 12, LINE = 2 << 6 | 6, LINEAR_ADDRESS = 1 << 6 | 12, MEGABYTES = 2 << 6 | 21 };
enum { DATA_LOAD = 0x134, FETCH = 0x150, SCRUB = 0xc1, WRITE_BACK = 0x17a };

#define REQUIRED (VAL | UC | EN | S | AR)
#define LOCATED (MISCV | ADDRV)

static const struct {
	const char *what;
	u64 status, misc, capabilities, global;
	enum mc_class expected;
} rows[] = {
	{ "nothing valid", ~VAL, PAGE_OF_MEMORY, RECOVERY, HERE, MC_SILENT },
	{ "corrected", VAL | EN | SCRUB, 0, RECOVERY, HERE, MC_NOTED },
	{ "corrected, more than once", VAL | OVER | EN | SCRUB, 0, 0, HERE, MC_NOTED },
	{ "not enabled: another bank has signalled", VAL | UC | SCRUB, 0, RECOVERY, HERE, MC_NOTED },
	{ "uncorrected, no action (UCNA)", VAL | UC | EN | LOCATED | SCRUB, PAGE_OF_MEMORY, RECOVERY, HERE, MC_NOTED },
	{ "action optional: memory scrubbing", VAL | UC | EN | LOCATED | S | SCRUB, PAGE_OF_MEMORY, RECOVERY, HEARD,
	  MC_OPTIONAL },
	{ "action optional: write-back of the last cache", VAL | UC | EN | LOCATED | S | WRITE_BACK, LINE, RECOVERY, HEARD,
	  MC_OPTIONAL },
	{ "action required: data load", REQUIRED | LOCATED | DATA_LOAD, LINE, RECOVERY, HERE, MC_FRAME },
	{ "action required: instruction fetch", REQUIRED | LOCATED | FETCH, PAGE_OF_MEMORY, RECOVERY, HERE, MC_FRAME },
	{ "data load of the core's other half", REQUIRED | LOCATED | DATA_LOAD, LINE, RECOVERY, HEARD, MC_ELSEWHERE },
	{ "data load, cannot return", REQUIRED | LOCATED | DATA_LOAD, LINE, RECOVERY, EIPV | MCIP, MC_FATAL },
	{ "data load, overflow", OVER | REQUIRED | LOCATED | DATA_LOAD, LINE, RECOVERY, HERE, MC_FATAL },
	{ "data load, context corrupt", PCC | REQUIRED | LOCATED | DATA_LOAD, LINE, RECOVERY, HERE, MC_FATAL },
	{ "data load, no address", REQUIRED | MISCV | DATA_LOAD, LINE, RECOVERY, HERE, MC_FATAL },
	{ "data load, no kind of address", REQUIRED | ADDRV | DATA_LOAD, LINE, RECOVERY, HERE, MC_FATAL },
	{ "data load, a linear address", REQUIRED | LOCATED | DATA_LOAD, LINEAR_ADDRESS, RECOVERY, HERE, MC_FATAL },
	{ "data load, more than a page", REQUIRED | LOCATED | DATA_LOAD, MEGABYTES, RECOVERY, HERE, MC_FATAL },
	{ "an action, but not signalled: reserved", VAL | UC | EN | AR | LOCATED | DATA_LOAD, LINE, RECOVERY, HERE, MC_FATAL },
	{ "uncorrected, context corrupt", VAL | UC | EN | PCC | 0x400, 0, RECOVERY, HEARD, MC_FATAL },
	{ "a processor without recovery", REQUIRED | LOCATED | DATA_LOAD, LINE, 0, HERE, MC_FATAL },
};

static void each_bank_is_what_the_manual_says(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct mc_global global = { rows[i].capabilities, rows[i].global };
		struct mc_bank bank = { rows[i].status, 0x12345678, rows[i].misc };
		enum mc_class kind = mc_classify(&global, &bank);

		if (kind != rows[i].expected)
			fail_msg("%s: %u, not %u", rows[i].what, kind, rows[i].expected);
	}
}

static const struct mc_bank corrected = { VAL | EN | SCRUB, 0, 0 };
static const struct mc_bank optional = { VAL | UC | EN | LOCATED | S | SCRUB, 0x1000, PAGE_OF_MEMORY };
static const struct mc_bank page = { REQUIRED | LOCATED | DATA_LOAD, 0x2000, LINE };
static const struct mc_bank other_page = { REQUIRED | LOCATED | DATA_LOAD, 0x7000, LINE };

static struct mc_verdict judged(u64 status, const struct mc_bank *first, const struct mc_bank *second)
{
	struct mc_verdict verdict = { .global = { RECOVERY | 2, status } };

	if (first)
		mc_weigh(&verdict, 0, first);
	if (second)
		mc_weigh(&verdict, 1, second);
	return verdict;
}

static void the_worst_bank_counts(void **state)
{
	struct mc_verdict verdict = judged(HERE, &corrected, &page);

	(void)state;
	assert_int_equal(verdict.kind, MC_FRAME);
	assert_int_equal(verdict.number, 1);
	assert_int_equal(verdict.bank.address, 0x2000);
	verdict = judged(HERE, &page, &corrected);
	assert_int_equal(verdict.kind, MC_FRAME);
	assert_int_equal(verdict.number, 0);
}

static void two_failed_pages_are_fatal(void **state)
{
	struct mc_verdict verdict = judged(HERE, &page, &other_page);

	(void)state;
	assert_int_equal(verdict.kind, MC_FATAL);
	assert_false(mc_goes_on(&verdict, true));
}

static void who_only_heard_of_it_goes_on(void **state)
{
	struct mc_verdict silent = judged(HEARD, NULL, NULL);
	struct mc_verdict scrubbed = judged(HEARD, &optional, NULL);
	struct mc_verdict elsewhere = judged(HEARD, &page, NULL);

	(void)state;
	assert_true(mc_goes_on(&silent, true));
	assert_true(mc_goes_on(&elsewhere, true));
	assert_true(mc_goes_on(&scrubbed, false));
	assert_false(mc_goes_on(&silent, false));
	assert_false(mc_goes_on(&elsewhere, false));
}

static void nobody_goes_on_without_a_reason(void **state)
{
	static const u64 states[] = { 0, MCIP, EIPV | MCIP, HERE, RIPV };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(states); i++) {
		struct mc_verdict verdict = judged(states[i], &corrected, NULL);

		assert_false(mc_goes_on(&verdict, true));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bank_is_what_the_manual_says), cmocka_unit_test(the_worst_bank_counts),
		cmocka_unit_test(two_failed_pages_are_fatal),        cmocka_unit_test(who_only_heard_of_it_goes_on),
		cmocka_unit_test(nobody_goes_on_without_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
