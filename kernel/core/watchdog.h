/* SPDX-License-Identifier: BSD-2-Clause */
/* Each CPU looks after the next one: five seconds in the kernel without a step's boundary, and it is told by NMI to panic with its stack. */
#pragma once
#include "kernel/lib/types.h"

void watchdog_start(void); /* on each CPU, once it schedules; with one CPU nobody can watch */
bool watchdog_asks(void);  /* in the NMI: was this CPU found stuck? */
