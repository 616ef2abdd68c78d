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
/* mm/ is about to have the free memory: from now on only the frames put aside here are given out, at most BOOT_KEPT_FRAMES. */
enum { BOOT_KEPT_FRAMES = 4 }; /* tables of CPUs that wake up in real mode */
void boot_keep_frames(void);
u64 boot_frames_taken(void);
