/* SPDX-License-Identifier: BSD-2-Clause */
/* The page where other CPUs wake up (SDM vol. 3A, 9.4): prepared once, aimed at one CPU after the other. */
#pragma once
#include "kernel/lib/types.h"

/* Copy the start-up code into `page` (below 1 MiB); `startup_root` as paging_startup_root made it. */
void ap_prepare(mpa_t page, mpa_t startup_root, mpa_t kernel_root);
/* The next CPU that wakes up there runs entry(argument) on that stack; entry does not return. */
void ap_aim(u64 stack_top, void *argument, void (*entry)(void *argument));
