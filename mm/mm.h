/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory resource management, as its users see it.  pmap is the truth: one 8-byte entry per PPN; EPT and shadow tables are
 * caches of it.  Nothing here blocks: what must wait returns E_SUSPEND, the caller leaves the instruction pointer where it is
 * and does it all again when the vCPU is woken (platform_wake).  All functions take their own locks (ranks VM → bucket → zone).
 */
#pragma once
#include "kernel/lib/error.h"
#include "kernel/lib/lock.h"
#include "kernel/lib/types.h"

enum mm_access { MM_READ, MM_WRITE, MM_EXECUTE };

/* ---- the machine's memory ---- */

struct mm_range {
	mpn_t first;
	u32 pages;
};

/*
 * Take the machine's free memory.  `ranges` are sorted and disjoint.  The frame table (16 bytes a frame) is carved out of them
 * and mapped by platform_map_frame_table where memory is.  Later ranges (boot-services memory) come by mm_add.
 */
err_t mm_init(const struct mm_range *ranges, u32 count, mpn_t last);
err_t mm_add(struct mm_range range);

/* Frames for the hypervisor itself (overhead): 2^order contiguous ones, contents undefined; E_NO_MEMORY leaves all as it was. */
err_t mm_overhead_alloc(u32 order, mpn_t *first);
void mm_overhead_free(mpn_t first, u32 order);
/* The same below 4 GiB, for buffers that a device with 32-bit DMA reaches: also what is kept for them (mm_iopage_set). */
err_t mm_low_alloc(u32 order, mpn_t *first);

enum mm_state { MM_HIGH, MM_SOFT, MM_HARD, MM_LOW };

struct mm_totals { /* pages; total = free + overhead + private_ + shared_frames + debt_frames */
	u64 total, free, overhead, private_, shared_frames, debt_frames;
	u64 reserved;            /* offered to mm but too scattered to use, and MPN 0: not in total */
	u64 promised;            /* to VMs and pools: min (or max, without swap) and overhead */
	u64 swap, swap_promised; /* the area; max − min of the VMs */
	u64 uncovered;           /* promised as swap though there is none: overcommit = unsafe */
	enum mm_state state;
};
void mm_totals(struct mm_totals *totals);

/* VMs are promised their min only, whether there is swap for the rest or not.  From the next promise on. */
void mm_set_overcommit(bool allow_unsafe);

/* The tax on idle memory, where a VM has none of its own; progressive: it rises to that by quarters that lie idle. */
enum { MM_MAX_TAX = 990, MM_TAX_OF_HOST = 0xffffffff };
err_t mm_set_tax(u32 permille, bool progressive); /* E_RANGE: nothing changed */

/* ---- resource pools: a tree; pool 0 is the machine ---- */

enum { MM_POOLS = 32, MM_NAME_BYTES = 32 };

struct mm_pool_config { /* as a VM's numbers, for all that is in it together */
	char name[MM_NAME_BYTES];
	u64 min_pages, max_pages; /* min is reserved from its parent; max UINT64_MAX: no limit */
	u32 shares, parent;
};

/* Errors: one line in `why`, and nothing has changed. E_STATE: something is in it. */
err_t mm_pool_begin(const struct mm_pool_config *config, u32 *pool, char *why, size_t why_bytes);
err_t mm_pool_set(u32 pool, const struct mm_pool_config *config, char *why, size_t why_bytes);
err_t mm_pool_end(u32 pool, char *why, size_t why_bytes);

struct mm_pool {
	struct mm_pool_config config;
	u64 reserved; /* by its VMs and pools, of its min or beyond it */
	u32 members;
};
bool mm_pool_look(u32 pool, struct mm_pool *out); /* false: there is none */

/* ---- one VM ---- */

struct mm_vm_config {
	u64 max_pages;
	u64 low_pages; /* how many of max_pages lie from 0 up; below max: 2 MiB-aligned, and the rest lies from 4 GiB up */
	u64 min_pages;
	u32 shares;
	u32 group; /* of sharing, one that has begun; 0: alone */
	u32 pool;  /* of resources; 0: none but the machine */
	u32 id;    /* 1 … STEP_MAX_VMS - 1, unique while the VM exists */
};

struct mm_vm; /* its storage is the caller's: mm_vm_bytes(); kernel/vm.h places it beside the VM's EPT */
size_t mm_vm_bytes(void);

/*
 * Admission (mm/admit.h) and an empty pmap.  Reserves, but allocates nothing: directory and entry pages come at first touch, out of what
 * was reserved here.  E_NO_MEMORY: `why` says what is short and by how much; E_INVALID: the numbers are wrong; E_EXISTS: the id is taken;
 * E_NOT_FOUND: there is no such pool.  Nothing has changed then.
 */
err_t mm_vm_init(struct mm_vm *vm, const struct mm_vm_config *config, char *why, size_t why_bytes);
u32 mm_vm_id(const struct mm_vm *vm);

/* What may change while it runs, all at once: read, change, set.  Errors as mm_vm_init. */
struct mm_vm_params {
	u64 min_pages;
	u64 max_pages;        /* that it may hold; at most its size */
	u32 shares;           /* 0: exactly min */
	u32 tax_permille;     /* of its idle memory; MM_TAX_OF_HOST: as mm_set_tax says, else at most MM_MAX_TAX */
	bool progressive;     /* its own tax is */
	u32 balloon_permille; /* of its size that its balloon may be asked to hold: 650 */
	u32 pool;
};
void mm_vm_params(struct mm_vm *vm, struct mm_vm_params *params);
err_t mm_vm_set(struct mm_vm *vm, const struct mm_vm_params *params, char *why, size_t why_bytes);

/*
 * Give everything back, a bounded piece at a time: frames, entry tables.  True when nothing is left, including frames
 * that waited for a debt.  Afterwards the storage may be reused. The VM's vCPUs must have stopped for good and no device
 * may still transfer; pins that the guest left (pvclock, rings) go with the VM.
 */
bool mm_vm_release_step(struct mm_vm *vm);

/*
 * A translation is missing or too narrow for `access`: make the pmap allow it and fill the cache (platform_fill).
 * OK: run the instruction again.  E_SUSPEND: vCPU waits, platform_wake comes.  E_NOT_FOUND: not memory (device or hole): emulate.
 * E_NO_MEMORY: no frame to be had; the caller waits as for E_SUSPEND and mm wakes it when frames are free. `vcpu` is whom to wake.
 * E_IO: its contents cannot be read: the caller ends the VM.
 */
err_t mm_resolve(struct mm_vm *vm, u32 vcpu, ppn_t ppn, enum mm_access access);

/*
 * Reach guest memory from the kernel: a pointer to [address, address + bytes), which must lie in one page, valid until the end of
 * this step.  Sets the entry's TOUCHED (and CHANGED) bits. Errors as mm_resolve.
 */
err_t mm_reach(struct mm_vm *vm, u32 vcpu, gpa_t address, u32 bytes, enum mm_access access, void **pointer);

/* Copy across a page border, gather first: nothing is written unless both pages can be reached.  At most PAGE_SIZE bytes (CHECK). */
err_t mm_read(struct mm_vm *vm, u32 vcpu, gpa_t address, void *to, u32 bytes);
err_t mm_write(struct mm_vm *vm, u32 vcpu, gpa_t address, const void *from, u32 bytes);

/*
 * Keep a page's frame in place beyond this step (pvclock, rings, buffers in flight); counted, up to 255 a page (then E_RANGE).
 * The page gets a frame of its own whatever the access: a pin on the zero frame would break with the guest's first write.
 */
err_t mm_pin(struct mm_vm *vm, u32 vcpu, ppn_t ppn, enum mm_access access, mpn_t *mpn);
void mm_unpin(struct mm_vm *vm, ppn_t ppn);

/*
 * The guest gave the page up (balloon): its frame is free once the debt is settled, and the next touch gets a zeroed one.
 * E_NOT_FOUND: not memory; E_STATE: pinned, in transit, or given up already; E_NO_MEMORY: no page for the entries;
 * E_SUSPEND: a shared page, whose reference can go a little later.
 */
err_t mm_give_up(struct mm_vm *vm, u32 vcpu, ppn_t ppn);

/*
 * Watch a page: SAMPLED takes all rights away until it is touched, GUARDED (a sharing candidate) the right to write.  The first
 * access that the ceiling refuses clears the mark, then gives the rights back.  E_STATE: nothing to watch there, or pinned.
 */
enum mm_watch { MM_WATCH_SAMPLED, MM_WATCH_GUARDED };
err_t mm_watch(struct mm_vm *vm, ppn_t ppn, enum mm_watch watch);

/*
 * History since the last call, from the hardware's flags and from mm's own accesses; cleared by reading.  A CPU may still write by a
 * translation or a pointer that it has: what must not change unseen is GUARDED first, and its debt settled.  E_NOT_FOUND: not memory.
 */
struct mm_history {
	bool touched, changed;
	bool sampled, guarded; /* still watched: not accessed since mm_watch */
};
err_t mm_history(struct mm_vm *vm, ppn_t ppn, struct mm_history *history);

/* ---- the balloon ---- */

void mm_balloon_hello(struct mm_vm *vm); /* a driver is there */
void mm_balloon_bye(struct mm_vm *vm);   /* it is gone; pages that it gave up come back by touch */
/* What the driver should hold; never more than max − min, nor than its limit. */
void mm_balloon_set_target(struct mm_vm *vm, u64 pages);
u64 mm_balloon_target(struct mm_vm *vm);

/*
 * The guest gives `pages` pages from ppn on up (mm_give_up), or takes them back; a bounded number a call, *done says how many in all: call
 * again while it is less.  An error is about page *done, those before it are done: as mm_give_up; E_RANGE: the VM would have less than its
 * min; taking: E_STATE: not given up; E_SUSPEND: a little later.
 */
err_t mm_balloon_give(struct mm_vm *vm, u32 vcpu, ppn_t ppn, u32 pages, u32 *done);
err_t mm_balloon_take(struct mm_vm *vm, u32 vcpu, ppn_t ppn, u32 pages, u32 *done);

struct mm_balloon {
	bool here,
		answers; /* it holds what it should, or comes nearer by a MiB at least in each 10 s; once too late, until it moves */
	u64 size, target; /* pages given up and not touched since */
	u64 popped;       /* pages touched though they were given up */
};
void mm_balloon_look(struct mm_vm *vm, struct mm_balloon *balloon);

/* ---- who gets how much ---- */

/* It holds too much of what is very short: it gets a small slice of a CPU only.  Takes no lock. */
bool mm_is_throttled(const struct mm_vm *vm);

struct mm_decision {           /* pages */
	u64 first_ns, last_ns; /* decided `times` times */
	u32 times;
	enum mm_state state;
	u64 held, target;
	u64 balloon, balloon_target; /* what it gave; what it is asked for */
	u64 page_out;                /* to compress or swap */
	bool throttled;
	const char *reason;
};
/* The VM's latest decisions, newest first, `most` at most; returns how many. */
u32 mm_why(struct mm_vm *vm, struct mm_decision *decisions, u32 most);

/* ---- compressed pages ---- */

/* How many frames of its own the VM may fill with them; a quarter of its memory unless this says otherwise.  What is compressed stays so. */
void mm_compress_set_limit(struct mm_vm *vm, u64 frames);

struct mm_compress {
	u64 pages, frames, limit;    /* compressed now, in so many frames */
	u64 done, refused, expanded; /* pages in all; refused: not half as small, or no room */
};
void mm_compress_look(struct mm_vm *vm, struct mm_compress *compress);

/* ---- active memory ---- */

/* How many pages are sampled in a period of the VM's time: 1 to 1,024 (100), 30 s.  E_RANGE: nothing changed. */
err_t mm_sample_set(u32 pages, u64 period_ns);
/* One bounded step; `vm_ns` is how long the VM has run in all.  False: nothing to do until it has run on. */
bool mm_sample_step(struct mm_vm *vm, u64 vm_ns);

struct mm_active {          /* fractions of its memory, in 65,536ths */
	u32 estimate;       /* the largest of three averages */
	u32 raw, low, high; /* of the last period, and where the truth lies with 95 % probability */
	u32 sampled;        /* pages in that period */
	u32 swept;          /* by the accessed flags */
	bool sweep_known;
};
void mm_active(struct mm_vm *vm, struct mm_active *active);

/* ---- pages that devices cannot reach ---- */

/*
 * A driver has copied this page, for a device that cannot reach its frame.  A page that is copied often moves below 4 GiB, once it is not
 * pinned any more, and need not be copied again.
 */
void mm_copied(struct mm_vm *vm, ppn_t ppn);
/*
 * How many copies make a page hot: 1 to 255 (16); 0: none ever is.  How many low frames are kept for who can use no others (0): below
 * that, pages that devices do not use move up.  E_RANGE: nothing changed.
 */
err_t mm_iopage_set(u32 threshold, u64 low_reserve);

struct mm_iopage {
	u64 copies, moved_down, moved_up; /* pages */
	u64 failed, cancelled;            /* moves: there was no frame; the page was accessed */
	u64 overflow;                     /* hot pages that found the queue full; they ask again */
	u64 hot;                          /* pages now that should lie low */
};
void mm_iopage_look(struct mm_vm *vm, struct mm_iopage *iopage);

/* ---- sharing ---- */

struct mm_scan_counts {
	u64 hashed, merged, zeros; /* pages looked at; merged with a shared frame; found to be all zeros */
	u64 stale, collisions;     /* hints that were wrong; frames of equal hash and other contents */
};

/* Look at all pages of the VM that have changed since the last pass, in mm_share_step. */
void mm_share_begin_pass(struct mm_vm *vm);
/* One bounded step of some VM's pass: `pages` hashed or compared at most.  False: there is nothing to do now. */
bool mm_share_step(u32 pages);

struct mm_share_limits {         /* 0: none */
	u32 pages_vm, pages_all; /* hashed or compared in a second, of one VM and of all */
	u32 cpu_permille;        /* of one CPU */
	u64 interval_ns; /* from one pass of a VM to its next, which begins by itself; 0: only mm_share_begin_pass begins one */
};
#define MM_SHARE_LIMITS ((struct mm_share_limits){ 2000, 8000, 50, 60000000000ULL })
#define MM_SHARE_LONGEST_NS (1ULL << 62)
/* There are none until this is called.  E_RANGE: nothing changed. */
err_t mm_share_set(const struct mm_share_limits *limits);
/* When mm_share_step has said false: from when on there may be something to do by the mere passing of time.  UINT64_MAX: never. */
u64 mm_share_later(void);

/*
 * In steps of mm_share_step all pages get frames of their own, whatever waits for memory, and nothing is known of them any more:
 * of one VM, which shares nothing until it may again; of one that then belongs to another group (0: alone; E_STATE: it is changing already;
 * E_NOT_FOUND: the group has not begun); of all VMs of a group, whose secret is drawn anew at once.
 */
void mm_share_allow(struct mm_vm *vm, bool yes);
err_t mm_share_move(struct mm_vm *vm, u32 group);
void mm_unshare_group(u32 group);

struct mm_sharing {
	u32 group; /* 0: alone */
	bool secure, allowed, coming_apart;
	struct mm_scan_counts counts;
	u64 copies; /* of shared pages, because they were accessed */
};
void mm_share_look(struct mm_vm *vm, struct mm_sharing *sharing);

/*
 * The memory of a frame has failed while the VM used it.  True: it is a page of this VM, or one that it shares, so the VM can end alone
 * (and must); its own frame is never given out again.  False: it is the hypervisor's, or nobody knows.
 */
bool mm_frame_failed(struct mm_vm *vm, mpn_t mpn);

/* ---- paging out ---- */

/* Which pages go first. */
enum mm_victims { MM_VICTIMS_RANDOM, MM_VICTIMS_COLDEST };
void mm_pageout_choose(struct mm_vm *vm, enum mm_victims victims);

/*
 * The VM has to lose this many pages, in place of what was said before; fewer when no more can go.  E_RANGE: more than it has; E_STATE: it
 * ends.
 */
err_t mm_pageout(struct mm_vm *vm, u64 pages);
/* One bounded step for some VM; mm_work_step does it, too.  False: there is nothing to do now. */
bool mm_pageout_step(u32 pages);

struct mm_pageout { /* pages */
	u64 wanted;
	u64 zeros, shared, compressed, swapped; /* lost, by way */
	u64 cancelled, refused;                 /* needed meanwhile; no room in the area */
	u64 unmet;                              /* nothing was left that could go */
};
void mm_pageout_look(struct mm_vm *vm, struct mm_pageout *pageout);

/* The vCPU has retired an instruction: nothing is held for it any longer. */
void mm_progress(struct mm_vm *vm, u32 vcpu);

/* Use the platform's swap area; once.  If not (E_NOT_FOUND, E_UNSUPPORTED, E_NO_MEMORY) the log says why, and all else works. */
err_t mm_swap_init(void);

struct mm_swap_totals {               /* slots */
	u64 slots, used, moving, bad; /* moving: in requests */
	u64 written, read;            /* pages, in all */
	u64 ahead;                    /* read before anybody asked */
	u64 errors, forged;           /* failed to move; not authentic */
	u32 in_flight;                /* requests */
};
void mm_swap_totals(struct mm_swap_totals *totals);

struct mm_usage { /* pages; max = resident + ballooned + swapped + compressed + empty */
	u64 max, min, shares, target, resident, private_, shared, ballooned, swapped, compressed, empty, pinned;
	u64 saved_bytes;
	u32 active_permille;
	u64 overhead; /* entry tables, translation tables, compressed pages */
	u64 large;    /* 2 MiB mappings in force */
};
void mm_vm_usage(struct mm_vm *vm, struct mm_usage *usage);

/* ---- invariants ---- */

/*
 * Check every invariant, a bounded piece a call: false when done.  `finding` receives one line per broken invariant.
 * Between calls memory may change: the audit restarts a piece whose generation moved, at most 8 times, then says so.
 */
struct mm_audit {
	u64 cursor, vm_cursor;
	u32 findings;
	u64 private_state[10];
};
void mm_audit_begin(struct mm_audit *audit);
bool mm_audit_step(struct mm_audit *audit, void (*finding)(void *context, const char *line), void *context);
/*
 * Background work of mm (debts, rebalances): one bounded step; true if there is more to do now.  Wanted when platform_work says so, and
 * every MM_BALANCE_NS.
 */
#define MM_BALANCE_NS 15000000000ULL
bool mm_work_step(void);
