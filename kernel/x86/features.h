/* SPDX-License-Identifier: BSD-2-Clause */
/* Protections of this CPU switched on: write protection, NX, SMEP, SMAP, UMIP; the page attribute table; the stack protector's guard. */
#pragma once
#include "kernel/lib/types.h"

/* On each CPU, before anything else. Panics where one is missing that we cannot do without (NX, PAT). */
void features_enable(void);
extern u64 __stack_chk_guard;
/* Write the names of what is on ("WP NX SMEP …") to `text`. */
void features_text(char *text, size_t bytes);

/* Before any protected function whose frame is still open returns: kernel_entry's first call. */
void features_seed_guard(const u8 *entropy, u32 bytes);
