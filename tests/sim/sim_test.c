/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulator itself, small: what a guest must find is there, and the same seed makes the same run. */
#include "mm/share.h"
#include "tests/sim/os.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MB = 8, PAGES = MB * SIM_MIB_PAGES, MIN_PAGES = PAGES / 2, SECONDS = 40 };

/* A number that depends on everything that happened. */
static u64 mixed(u64 digest, u64 value)
{
	u64 state = digest ^ value;

	return sim_random(&state);
}

static u64 look(u64 digest, const struct guest *guest)
{
	struct mm_usage usage;
	struct mm_active active;

	mm_vm_usage(guest->mm, &usage);
	mm_active(guest->mm, &active);
	return mixed(mixed(mixed(mixed(digest, usage.private_), usage.shared), usage.ballooned), active.estimate);
}

static void audit(void *context, const char *line)
{
	(void)context;
	fail_msg("%s", line);
}

static void audit_all(void)
{
	struct mm_audit all;

	mm_audit_begin(&all);
	while (mm_audit_step(&all, audit, NULL))
		;
}

/* Two guests of one operating system, a balloon that comes and goes, sharing. */
static u64 run(u64 seed)
{
	struct mm_vm_config config = guest_config(1, MB);
	u64 digest = seed;

	config.min_pages = MIN_PAGES;
	sim_machine(seed, 2 * PAGES, 0);
	assert_int_equal(share_init(), OK);
	struct os *os = os_start(guest_start(&config, seed), PAGES);

	for (u32 second = 0; second < SECONDS; second++) {
		for (u32 i = 0; i < PAGES / 8; i++)
			os_use(os, sim_below(&os->guest->random, PAGES), i % 8 == 0);
		mm_balloon_set_target(os->guest->mm, second / 10 % 2 ? PAGES / 4 : 0);
		os_balloon(os, PAGES / 32);
		while (mm_sample_step(os->guest->mm, second * SIM_SECOND))
			;
		mm_share_begin_pass(os->guest->mm);
		while (mm_share_step(4))
			sim_step_end();
		sim_pass_ns(SIM_SECOND);
		digest = look(digest, os->guest);
	}
	audit_all();
	assert_int_equal(guest_lost(os->guest) + os->guest->lost, 0);
	os_end(os);
	return digest;
}

static void the_same_seed_makes_the_same_run(void **state)
{
	(void)state;
	u64 digest = run(1);

	assert_true(digest == run(1));
	assert_true(digest != run(2));
}

/* Pages of one content become one frame, and each guest still finds its own. */
static void sharing_finds_what_the_content_model_promises(void **state)
{
	const struct mm_vm_config config = guest_config(1, MB);
	struct mm_usage usage;

	(void)state;
	sim_machine(1, 2 * PAGES, 0);
	assert_int_equal(share_init(), OK);
	struct guest *guest = guest_start(&config, 1);

	for (u32 page = 0; page < PAGES; page++)
		guest_must_fill(guest, page, page % 4 == 0 ? 0 : page % 4 == 1 ? guest_common(1, 0) : guest_unique(guest, page));
	for (u32 pass = 0; pass < 3; pass++) {
		mm_share_begin_pass(guest->mm);
		while (mm_share_step(4))
			sim_step_end();
	}
	mm_vm_usage(guest->mm, &usage);
	assert_int_equal(usage.private_, PAGES / 2);
	assert_int_equal(usage.shared, PAGES / 4);
	assert_int_equal(usage.empty, PAGES / 4);
	assert_int_equal(guest_lost(guest), 0);
	guest_end(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_makes_the_same_run),
		cmocka_unit_test(sharing_finds_what_the_content_model_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
