/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole of mm/ at work on a hostile machine, beside a model that knows every byte of every guest.  One table of operations (engine.c): guests,
 * devices, balloons, samplers, scanners, VMs that come and go, memory that runs short, fills that fail.  What is done next is drawn from
 * a source: a generator or the bytes of a fuzzer.  So a test, a long run and a fuzzer are one mechanism.
 *
 * After each operation the pages that it touched are compared with the model; after every `check_every` of them, and at the end, all pages,
 * all translations, the poison of free frames and the whole audit.  What breaks aborts; in a run by seed the seed, the operation's number
 * and its name are printed then.
 *
 * A new operation is a function in one of engine_*.c and a row in the table.
 */
#pragma once
#include "tests/unit/support/platform_fake.h"

struct engine_plan {
	u64 seed;        /* of the machine's own dice, and of the source if there are no bytes */
	u64 operations;  /* at most */
	u64 check_every; /* operations between two looks at everything; 1: after each */
	const u8 *bytes; /* the source: the run ends where they do; NULL: a generator */
	size_t count;
};

/* A machine from nothing, operations, the end of all VMs: the machine is as at the start. */
void engine_run(const struct engine_plan *plan);

/* What all runs have met: whoever runs long enough sees none of them 0. */
#define ENGINE_MET(X)  \
	X(operations)  \
	X(checks)      \
	X(vms)         \
	X(done)        \
	X(suspended)   \
	X(no_memory)   \
	X(refused)     \
	X(large_fills) \
	X(popped) X(merged) X(zeros) X(copies) X(cancelled) X(compressed) X(swapped) X(shared_first) X(retired) X(short_frames)
struct engine_met {
	u64 lost_vms; /* rare: not asked for */
#define X(name) u64 name;
	ENGINE_MET(X)
#undef X
};
extern struct engine_met engine_met;
void engine_print_met(void);
