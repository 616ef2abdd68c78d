/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames of secure share groups: zeroed, and always as many.  What is given up takes the place of what is drawn at random, so nobody can
 * foresee which frame comes back where.  No lock: a slot is emptied by exchange, and filled again within the same step.
 */
#pragma once
#include "mm/frame.h"

enum { POOL_MIN = 1024, POOL_MAX = 1 << 15, POOL_PERCENT = 1 };

void pool_init(void); /* there is none */
/* Before the first secure group begins.  E_NO_MEMORY: nothing changed. */
err_t pool_make(void);
u32 pool_wanted(u64 total); /* of a machine of `total` frames */
u32 pool_size(void);        /* frames; 0: there is none */

struct drawn {
	u32 slot, mpn;
};

/* Its class stays OVERHEAD; pool_fill must follow in this step. */
struct drawn pool_draw(void);
/* Nobody can reach the frame; its class is the caller's to move. */
void pool_fill(u32 slot, u32 mpn);
u32 pool_exchange(u32 mpn);
/* The work of an exchange, when there is nothing to exchange. */
void pool_pretend(void);

/* NULL, or what is wrong.  A slot may be empty for a moment. */
const char *pool_frame_fault(u32 mpn);
const char *pool_slot_fault(u32 slot);
