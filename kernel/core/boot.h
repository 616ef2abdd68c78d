/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loader told us, copied at entry; and the few frames that are taken before mm/ has the memory. */
#pragma once
#include "boot/bootinfo.h"
#include "kernel/lib/error.h"

extern struct bootinfo bootinfo;

/* Copy and check the hand-over; CHECKs magic, version, size and counts. */
void boot_adopt(const struct bootinfo *from);
/* Take a frame out of the free memory below 4 GiB: bootinfo's range gets smaller, so mm/ never sees it. E_NO_MEMORY. */
err_t boot_take_frame(void *context, mpa_t *frame);
u64 boot_frames_taken(void);
