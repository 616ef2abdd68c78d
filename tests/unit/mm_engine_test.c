/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random work of the whole memory engine beside a model that knows every byte (tests/unit/support/engine.h).  ENGINE_SEED=n repeats one run,
 * ENGINE_RUNS=n so many from there, ENGINE_OPERATIONS=n is their length, ENGINE_CHECK=n how often everything is looked at, ENGINE_TRACE=1
 * prints each operation.
 */
#include "tests/unit/support/engine.h"
#include "tests/unit/support/host.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { RUNS = 5, OPERATIONS = 20000, CHECK_EVERY = 1000, FEW = 1500 };

/* In a process of its own: what mm remembers from one machine to the next (where a search goes on) must not decide whether a seed repeats. */
static void run(u64 seed, u64 operations, u64 check_every)
{
	struct engine_met *met = mmap(NULL, sizeof(*met), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct engine_plan plan = { .seed = seed, .operations = operations, .check_every = check_every };

	printf("ENGINE_SEED=%llu ENGINE_OPERATIONS=%llu\n", (unsigned long long)seed, (unsigned long long)operations);
	fflush(stdout);
	assert_ptr_not_equal(met, MAP_FAILED);
	pid_t child = fork();

	if (child == 0) {
		engine_run(&plan);
		*met = engine_met;
		exit(0);
	}
	int status;

	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	assert_int_equal(status, 0);
	engine_met = *met;
	munmap(met, sizeof(*met));
}

static void every_page_holds_what_was_written(void **state)
{
	u64 operations = host_number("ENGINE_OPERATIONS", OPERATIONS), check = host_number("ENGINE_CHECK", CHECK_EVERY);
	u64 seed = host_number("ENGINE_SEED", 1), runs = host_number("ENGINE_RUNS", getenv("ENGINE_SEED") ? 1 : RUNS);

	(void)state;
	memset(&engine_met, 0, sizeof(engine_met));
	for (u64 end = seed + runs; seed < end; seed++)
		run(seed, operations, check);
	engine_print_met();
	if (runs < RUNS)
		return;
		/* The runs must have met what they are for. */
#define X(name) assert_true(engine_met.name > 0);
	ENGINE_MET(X)
#undef X
}

static void every_invariant_holds_after_every_operation(void **state)
{
	(void)state;
	for (u64 seed = 101; seed < 103 && !getenv("ENGINE_SEED"); seed++)
		run(seed, FEW, 1);
}

/* The same bytes, the same run: a fuzzer's input can be repeated. */
static void bytes_are_a_source_as_well(void **state)
{
	u8 bytes[3000];

	(void)state;
	for (u32 i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i * 167 + i / 7);
	const struct engine_plan plan = {
		.seed = 9, .operations = UINT64_MAX, .check_every = 64, .bytes = bytes, .count = sizeof(bytes)
	};
	u64 before = engine_met.operations;

	engine_run(&plan);
	u64 once = engine_met.operations - before;

	engine_run(&plan);
	assert_true(once > 100 && engine_met.operations - before == 2 * once);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_page_holds_what_was_written),
		cmocka_unit_test(every_invariant_holds_after_every_operation),
		cmocka_unit_test(bytes_are_a_source_as_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
