/* SPDX-License-Identifier: BSD-2-Clause */
/* Candidates of sharing: guarded, settled, compared in full, committed.  All need the VM's lock. */
#pragma once
#include "mm/pmap.h"
#include "mm/share.h"

/* One step's work: whose, what it may still do, and what it has found about another VM. */
struct scan_work {
	struct mm_vm *vm;
	u32 group; /* its, for when it is no longer locked */
	u32 pages; /* to hash or to compare: what costs */
	u32 looks; /* at groups: what is cheap */
	bool simd;
	bool secure;                /* its group is */
	u32 hash;                   /* of the partner */
	struct share_match partner; /* a hint with the contents of a frame that is shared now */
};

enum candidate_kind {
	CANDIDATE_JOIN, /* its contents are known: it joins a shared frame, or becomes one for a hint's page to join */
	CANDIDATE_ZERO, /* becomes EMPTY */
	CANDIDATE_IDLE, /* of a secure group: becomes EMPTY if it is all zeros, else is put behind its first access (secure.h) */
};

bool commit_is_zero(u32 mpn);
/* Guard the page and queue it, or, if it cannot be, have it looked at in the next pass. */
void commit_add(struct mm_vm *vm, struct page *page, u32 hash, enum candidate_kind kind);
/* A reference to the shared frame that holds what `mpn` holds, or 0. */
u32 commit_find_equal(struct mm_vm *vm, u32 mpn, u32 hash);
/* Pages that were proposed while the batch took none become candidates. */
void commit_called(struct mm_vm *vm);
/* Commit what is settled, until the step's work is used up or a partner is found. */
void commit_some(struct scan_work *work);

/*
 * For who is to take a page's frame: guarded with CEILING_NONE, and settled.  Is the frame free without that?  `work` (vm, group, simd) is for
 * one page; then commit_tell_partner.
 */
enum commit_result {
	COMMIT_NOTHING, /* still guarded */
	COMMIT_FREED,   /* all zeros, or it has joined a shared frame */
	COMMIT_SHARED,  /* it has become a shared frame, for a page to join that looks the same */
};
enum commit_result commit_try_share(struct scan_work *work, struct page *page);
/* Without any lock: the page that was found, if one was, becomes a candidate of its VM. */
void commit_tell_partner(const struct scan_work *work);
