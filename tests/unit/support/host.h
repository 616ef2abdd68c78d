/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once
#include "kernel/lib/types.h"

/* The latest line that was logged. */
extern char host_last_log[256];

/* A number that the environment may set, to repeat a run or to lengthen it. */
u64 host_number(const char *name, u64 otherwise);
