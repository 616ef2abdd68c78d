/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What mm/ asks of the machine.  Implemented twice: kernel/mm_platform.c (hardware) and tests/unit/platform_fake.c (hostile:
 * stale TLBs, failing allocations, poisoned free frames, shuffled completions, fake time).
 */
#pragma once
#include "mm/mm.h"

/* Rights that a translation may carry at most. */
enum mm_ceiling { CEILING_NONE, CEILING_READ, CEILING_ALL };

/* A removal of rights that is not yet seen by every CPU: must be queued until settled. epoch 0: nothing is owed. */
struct MUST_CHECK mm_debt {
	u64 epoch;
};

enum { HARVEST_PAGES = 64 }; /* at most in one harvest */

struct mm_harvest {
	bool known;           /* false: this machine has no accessed and dirty flags */
	u64 touched, changed; /* bit i: page i of the range */
};

/* ---- translations: the five operations, called with the VM's lock held ---- */

/*
 * Install ppn → mpn for 1 or LARGE_PAGES pages (both aligned then), over a narrower or smaller translation of the same frames; one page
 * over a large mapping splits it.
 * A table that a large leaf replaces goes to mm_overhead_free_after. E_NO_MEMORY: no frame for a table; nothing changed.
 */
err_t platform_fill(struct mm_vm *vm, ppn_t ppn, mpn_t mpn, u32 pages, enum mm_ceiling ceiling);
/*
 * Narrow [ppn, ppn + pages) to the ceiling; splits a large mapping that sticks out (needs no memory: it may drop it instead).
 * It always publishes a new epoch, whether or not there was a translation: the frame may change or be compared next, and a CPU may
 * hold a pointer to it until its step ends.
 */
struct mm_debt platform_narrow(struct mm_vm *vm, ppn_t ppn, u32 pages, enum mm_ceiling ceiling);
/* Read and clear accessed and dirty flags of up to HARVEST_PAGES pages; a large mapping's hold for all of its pages. */
struct mm_debt platform_harvest(struct mm_vm *vm, ppn_t ppn, u32 pages, struct mm_harvest *seen);
/*
 * Forget up to a bounded number of tables; *more says whether to call again. Their frames go to mm_overhead_free_after.  The last call
 * publishes, too, whether or not there was a table: pointers may be left.
 */
struct mm_debt platform_drop(struct mm_vm *vm, bool *more);
bool platform_settled(struct mm_vm *vm, struct mm_debt debt);
/* Frames that translation tables of this VM hold now. */
u64 platform_table_pages(struct mm_vm *vm);

/*
 * What mm offers to the implementer of the above: free an overhead frame (a table, from mm_overhead_alloc) when `debt` is settled.
 * Called within the five operations, that is with the VM's lock held.
 */
void mm_overhead_free_after(u32 vm_id, mpn_t table, struct mm_debt debt);

/* ---- frames ---- */

void *platform_frame(mpn_t mpn); /* its bytes; valid in this step */
void platform_zero_frame(mpn_t mpn);
void platform_copy_frame(mpn_t to, mpn_t from);
void *platform_frame_table(mpn_t last, size_t entry_bytes); /* a virtual array for [0, last], nothing behind it yet */
/*
 * Back the bytes [offset, offset + bytes) of the frame table with zeroed frames taken from the front of `take` (first and pages
 * move on).  mm asks once for each byte, unless it failed.  E_NO_MEMORY: `take` was too small.
 */
err_t platform_back_table(u64 offset, u64 bytes, struct mm_range *take);

/* ---- the swap area: slots of a page each ---- */

u64 platform_swap_slots(void); /* 0: there is none */
/*
 * Begin to move `pages` slots from `slot` on; mm_swap_done(request, error) comes once, later, from any step.  What takes too long is E_IO,
 * and over: the buffer is used again.  With the VM's lock held.
 */
void platform_swap_write(u32 slot, mpn_t buffer, u32 pages, u32 request);
void platform_swap_read(u32 slot, mpn_t buffer, u32 pages, u32 request);
void mm_swap_done(u32 request, err_t error);

/* ---- the rest ---- */

u64 platform_time_ns(void);
u64 platform_random(void);
void platform_wake(struct mm_vm *vm, u32 vcpu); /* a suspended vCPU may try again */
void platform_work(void);                       /* mm_work_step has something to do */
bool platform_has_simd(void);                   /* AVX2, inside the bracket below */
bool platform_has_cipher(void);                 /* AES-NI and PCLMULQDQ, likewise: mm/cipher.h works */
void simd_begin(void);                          /* bracket around vector code: saves the guest's extended state once a step */
void simd_end(void);
