/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile guest on the whole PC: any access to any port, register and page, any passing of time, by choices that somebody else draws.  After
 * each step every invariant of the PC holds and the host has been called a bounded number of times.
 */
#pragma once
#include "tests/unit/support/pc_fake.h"

/* Where choices come from: a number of so many bytes. */
extern u32 (*pc_hostile_draw)(u32 bytes);

void pc_hostile_begin(u32 vcpus, u64 tsc_khz);
void pc_hostile_step(void);
/* After all that a reset gives back a machine that works. */
void pc_hostile_reset_works(void);
