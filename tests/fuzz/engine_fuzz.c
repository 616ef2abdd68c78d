/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any sequence of operations on the whole memory engine, with everything else that the engine (tests/unit/support/engine.h) decides: each
 * guest's memory holds what the model says, and the audit finds nothing.  The first byte is the seed of the machine's own dice.
 */
#include "tests/fuzz/input.h"
#include "tests/unit/support/engine.h"

enum { CHECK_EVERY = 100, MOST_OPERATIONS = 1000 };

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	take_from(data, bytes);
	u8 seed = take_byte();
	struct engine_plan plan = { .seed = seed, .operations = MOST_OPERATIONS, .check_every = CHECK_EVERY };

	plan.bytes = take_bytes(bytes, &plan.count);
	engine_run(&plan);
	return 0;
}
