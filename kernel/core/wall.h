/* SPDX-License-Identifier: BSD-2-Clause */
/* The wall clock: read from the CMOS clock (UTC) once at start, carried on by the TSC. */
#pragma once
#include "kernel/lib/types.h"

void wall_init(void);
u64 wall_seconds(void); /* Unix time; 0 before wall_init, or counting from 0 where there is no clock */
