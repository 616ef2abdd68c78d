/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CHECK guards an invariant of our own and is always on: a false one stops the machine (kernel) or the test (host).
 * ASSERT is for debug builds; in release builds it is still type-checked.
 */
#pragma once
#include "kernel/lib/types.h"

/* Implemented by kernel/core/panic.c and by tests/unit/host.c. */
NORETURN void check_failed(const char *file, int line, const char *what);

#define CHECK(condition)                                              \
	do {                                                          \
		if (__builtin_expect(!(condition), 0))                \
			check_failed(__FILE__, __LINE__, #condition); \
	} while (0)

#ifdef AEROSTAT_RELEASE
#define DEBUG_BUILD 0
#else
#define DEBUG_BUILD 1
#endif

#define ASSERT(condition)                 \
	do {                              \
		if (DEBUG_BUILD)          \
			CHECK(condition); \
	} while (0)
