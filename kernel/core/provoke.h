/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults on purpose, so that what the kernel does about its own faults can be seen: `debug` of the console, in debug builds.  Each ends in
 * a panic, but for those that return.
 */
#pragma once
#include "kernel/lib/types.h"

/* `what` is one of the rows of provoke.c.  Comes back only with one line that says why it is impossible here. */
const char *provoke(const char *what);
