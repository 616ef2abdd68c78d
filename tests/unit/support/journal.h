/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A look at memory after every single instruction of an operation, as another processor might take it: the trap flag is set and the look
 * is the handler of SIGTRAP.  So "it is built, then published" can be tested at every instant, without a hook in what is tested.
 */
#pragma once
#include "kernel/lib/types.h"

/* Run `operation`, with a `look` after each of its instructions; returns how many there were. */
u64 journal(void (*operation)(void *context), void *context, void (*look)(void));
