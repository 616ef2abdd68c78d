/* SPDX-License-Identifier: BSD-2-Clause */
/* What mm knows of one VM, and the table that finds it.  Private to mm/. */
#pragma once
#include "mm/balance.h"
#include "mm/balloon.h"
#include "mm/batch.h"
#include "mm/compress.h"
#include "mm/hold.h"
#include "mm/pageout.h"
#include "mm/iopage.h"
#include "mm/sample.h"
#include "mm/saved.h"
#include "mm/scan.h"
#include "mm/swap.h"

/*
 * Counters of a guest block and of the whole VM: pages whose entry is so.  ZERO are the EMPTY ones that name the zero frame, TRANSIT the
 * BUSY ones that have a frame.  IN_PLACE, NARROWED and PINNED are parts of PRIVATE: the frame lies where the block's reservation has it;
 * the ceiling is below all.
 */
enum tally {
	TALLY_PRIVATE,
	TALLY_ZERO,
	TALLY_SHARED,
	TALLY_BALLOONED,
	TALLY_SWAPPED,
	TALLY_COMPRESSED,
	TALLY_BUSY,
	TALLY_TRANSIT,
	TALLY_PAGES, /* a page is in one of the above at most */
	TALLY_IN_PLACE = TALLY_PAGES,
	TALLY_NARROWED,
	TALLY_PINNED,
	TALLIES,
};

/* 2 MiB of guest memory. */
struct block {
	u32 entries; /* MPN of its page of entries, 0: never touched */
	u32 reserve; /* first MPN of the machine block reserved for it, 0: none */
	u16 tally[TALLIES];
	u16 large : 1; /* the pmap says: one 2 MiB mapping (the cache may have lost it) */
	u16 hot : 15;  /* PRIVATE pages that are HOT_IO */
};
_Static_assert(sizeof(struct block) == 32, "a page of them covers 256 MiB");

enum {
	DIRECTORY_BLOCKS = PAGE_SIZE / sizeof(struct block),
	VM_DIRECTORIES = 512, /* 128 GiB of guest memory */
	VM_MAX_VCPUS = 64,    /* bits of the waiting masks */
	VM_IDS = 256,
	VM_FAILED_FRAMES = 4,
	VM_COPYING = 32, /* shared pages that get a copy at once */
};

/* What admission has promised, pages. */
struct promise {
	u64 memory, overhead, swap;
	u32 pool;
};

/* Its pages get frames of their own, and it another group. */
struct unshare {
	bool active, no_memory; /* it waits for a frame */
	bool off;               /* nothing of it may be shared */
	u32 to;                 /* the group that it is in then */
	u64 cursor;             /* page of its memory */
	u64 wait_epoch;         /* nothing to do until it is settled */
};

/* What a suspended vCPU waits for. */
enum wait { WAIT_SETTLED, WAIT_ARRIVAL, WAIT_REQUEST };

struct mm_vm {
	struct lock *lock; /* of its slot */
	u32 id;
	u32 low_pages;
	u64 max_pages, min_pages; /* its size; what it is guaranteed */
	u64 limit_pages;          /* what it may hold at most */
	u32 shares;
	u32 group; /* of sharing */
	u32 tax_permille, balloon_permille;
	bool progressive;
	struct promise promise; /* under admission's lock, and its own */
	struct balance balance;
	u64 serial; /* of all VMs that ever were, this one */
	u64 tally[TALLIES];
	u64 large_blocks;
	u64 pmap_pages; /* directory and entry pages */
	u64 set_aside;  /* its RESERVED frames */
	/* Debts: frames that wait, oldest first; epochs only grow. */
	u32 debt_first, debt_last; /* MPN, 0: none */
	u64 debt_frames;
	u64 last_epoch;
	/* vCPUs to wake: when what they met is settled, when there is a frame. */
	u64 wait_settled, wait_frame;
	u64 wait_epoch;
	enum wait wait_for;           /* what the E_SUSPEND that is on its way is about */
	u32 break_cursor;             /* next block to look at when reservations are broken */
	u32 failed[VM_FAILED_FRAMES]; /* MPNs to be retired when they come back */
	u32 failed_count;
	/* Release. */
	u32 release_phase;
	u32 release_cursor;
	u64 references; /* to shared frames */
	struct balloon balloon;
	struct batch batches[BATCH_USERS];
	struct scan scan;
	struct pageout pageout;
	struct swap swap;
	struct hold hold;
	struct sample sample;
	struct store store;
	struct compressor compressor;
	struct iopage iopage;
	struct saved saved;
	struct unshare unshare;
	u32 copying[VM_COPYING], copying_count; /* pages */
	u64 copies;                             /* of shared pages, for a write */
	u64 generation;                         /* entries changed: the audit restarts what it was summing */
	u32 directories[VM_DIRECTORIES];        /* MPN of a page of struct block, 0: never touched */
};

/* ---- the table of VMs: the lock lives here, so it may be taken while the VM's storage goes away ---- */

struct vm_slot {
	struct lock lock;
	struct mm_vm *vm; /* changes under the lock; NULL: free */
};
extern struct vm_slot vm_slots[VM_IDS];

void vm_table_init(void);

/* The highest id that was ever in use: who looks at all VMs looks no further. */
u32 vm_highest_id(void);

/* Lock the VM with this id and return it, or NULL (nothing locked) if there is none. */
struct mm_vm *vm_lock_id(u32 id);
void vm_unlock(struct mm_vm *vm);
/* Round and round, from the one behind *cursor: lock the next VM that has work, and return it.  NULL: none has. */
struct mm_vm *vm_lock_next(u32 *cursor, bool (*has_work)(struct mm_vm *vm));

/* E_SUSPEND, about something else than debts; the next is vm_wait. */
err_t vm_suspend(struct mm_vm *vm, enum wait wait_for);

/* Ask to be woken: E_SUSPEND when the VM's debts up to now are settled (or what vm_suspend said has come), E_NO_MEMORY when a frame is free. Returns `error`. */
err_t vm_wait(struct mm_vm *vm, u32 vcpu, err_t error);
