/* SPDX-License-Identifier: BSD-2-Clause */
/* Buckets, hints, references. */
#include "mm/share.h"
#include "mm/frame.h"
#include "mm/pool.h"
#include "mm/secure.h"
#include "mm/zone.h"
#include <string.h>

enum {
	LOCKS = 256,
	FRAMES_PER_HEAD = 2, /* 2 bytes a frame */
	HEADS_PER_PAGE = PAGE_SIZE / sizeof(u32),
	CHUNK_HEADS = LARGE_PAGES * HEADS_PER_PAGE,
	CHUNKS = 4096, /* 16 TiB */
};

static struct lock locks[LOCKS];
static u32 chunks[CHUNKS]; /* MPN of the first page of CHUNK_HEADS heads */
static u64 head_count;
static struct share_totals totals;

static struct group {
	u8 secrets[2][SHARE_SECRET_BYTES]; /* so that who hashes with the old one may finish */
	u32 current;
	enum share_mode mode;
	bool begun;
} groups[SHARE_GROUPS];
static u16 group_of_vm[VM_IDS];

/* ---- set-up ---- */

static u32 order_for(u64 heads)
{
	u32 order = 0;

	while (order < ZONE_MAX_ORDER && (u64)HEADS_PER_PAGE << order < heads)
		order++;
	return order;
}

err_t share_init(void)
{
	u64 wanted = frame_counts.total / FRAMES_PER_HEAD;

	for (u32 i = 0; i < LOCKS; i++)
		lock_init(&locks[i], RANK_BUCKET, "sharing table");
	totals = (struct share_totals){ 0 };
	for (head_count = 0; head_count < wanted;) {
		u32 order = order_for(wanted - head_count);
		mpn_t first;

		if (mm_overhead_alloc(order, &first))
			return head_count ? OK : E_NO_MEMORY;
		for (u32 i = 0; i < 1U << order; i++)
			platform_zero_frame((mpn_t){ first.n + i });
		chunks[head_count / CHUNK_HEADS] = first.n;
		head_count += min_u64((u64)HEADS_PER_PAGE << order, wanted - head_count);
	}
	return OK;
}

void share_group_rotate(u32 number)
{
	_Static_assert(SHARE_SECRET_BYTES % sizeof(u64) == 0, "whole words");
	CHECK(number > 0 && number < SHARE_GROUPS);
	struct group *group = &groups[number];
	u32 next = !__atomic_load_n(&group->current, __ATOMIC_RELAXED);

	for (u32 i = 0; i < SHARE_SECRET_BYTES; i += sizeof(u64)) {
		u64 random = platform_random();

		memcpy(group->secrets[next] + i, &random, sizeof(random));
	}
	__atomic_store_n(&group->current, next, __ATOMIC_RELEASE);
}

void share_group_begin(u32 group, enum share_mode mode)
{
	CHECK(mode == SHARE_FAST || pool_size());
	share_group_rotate(group);
	groups[group].mode = mode;
	groups[group].begun = true;
}

bool share_group_is_begun(u32 group)
{
	return groups[group].begun;
}

bool share_is_secure(u32 group)
{
	return groups[group].mode == SHARE_SECURE;
}

void share_set_group(u32 id, u32 group)
{
	CHECK(id < VM_IDS && group < SHARE_GROUPS);
	__atomic_store_n(&group_of_vm[id], (u16)group, __ATOMIC_RELAXED);
}

u32 share_hash(u32 group, const void *bytes, bool simd)
{
	u32 current = __atomic_load_n(&groups[group].current, __ATOMIC_ACQUIRE);

	return share_key(groups[group].secrets[current], bytes, simd);
}

/* ---- buckets ---- */

static u64 bucket_of(u32 hash)
{
	return (u64)hash * head_count >> 32;
}

static u32 *head_of(u64 bucket)
{
	ASSERT(bucket < head_count);
	return (u32 *)platform_frame((mpn_t){ chunks[bucket / CHUNK_HEADS] }) + bucket % CHUNK_HEADS;
}

static struct lock *lock_bucket(u32 hash)
{
	struct lock *lock = &locks[bucket_of(hash) % LOCKS];

	lock_acquire(lock);
	return lock;
}

void share_expect(u32 hash)
{
	if (head_count)
		__builtin_prefetch(head_of(bucket_of(hash)));
}

void share_expect_node(u32 hash)
{
	if (head_count)
		__builtin_prefetch(frame_of(__atomic_load_n(head_of(bucket_of(hash)), __ATOMIC_RELAXED)));
}

static u32 group_of(u32 mpn)
{
	const struct frame *frame = frame_of(mpn);

	if (frame->state == FRAME_SHARED)
		return frame->owner;
	return __atomic_load_n(&group_of_vm[frame->owner], __ATOMIC_RELAXED);
}

static void count(u64 *counter, u64 by)
{
	__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

/* Who expects a bucket looks at its head without the lock. */
static void set_link(u32 *at, u32 mpn)
{
	__atomic_store_n(at, mpn, __ATOMIC_RELAXED);
}

static void link(u32 mpn, u32 hash)
{
	CHECK(frame_state(mpn) == FRAME_PRIVATE);
	u32 *head = head_of(bucket_of(hash));

	frame_of(mpn)->hash = hash;
	frame_of(mpn)->next = *head;
	set_link(head, mpn);
}

static void unlink(u32 mpn)
{
	u32 *at = head_of(bucket_of(frame_of(mpn)->hash));

	for (u32 i = 0; *at != mpn; i++) {
		CHECK(*at && i < SHARE_CHAIN);
		at = &frame_of(*at)->next;
	}
	set_link(at, frame_of(mpn)->next);
}

/* ---- hints ---- */

/* If there is room in its bucket. */
static void enter(u32 mpn, u32 hash)
{
	u32 length = 0;

	for (u32 at = *head_of(bucket_of(hash)); at; at = frame_of(at)->next)
		length++;
	if (length >= SHARE_CHAIN)
		return;
	link(mpn, hash);
	frame_set_state(mpn, FRAME_HINT);
	count(&totals.hints, 1);
}

/* Another frame with this hash: a shared one before a hint, or hints only. */
static struct share_match find(u32 mpn, u32 group, u32 hash, bool hints_only)
{
	struct share_match match = { 0 };

	for (u32 at = *head_of(bucket_of(hash)); at && !match.shared; at = frame_of(at)->next) {
		const struct frame *frame = frame_of(at);
		bool shared = frame->state == FRAME_SHARED;

		if (frame->hash == hash && at != mpn && group_of(at) == group && !(shared && hints_only))
			match = (struct share_match){ at, shared, frame->owner, frame->ppn };
	}
	return match;
}

struct share_match share_look(u32 mpn, u32 group, u32 hash)
{
	CHECK(frame_is_private(mpn));
	if (!head_count)
		return (struct share_match){ 0 };
	if (frame_of(mpn)->hash != hash)
		share_forget(mpn);
	struct lock *lock = lock_bucket(hash);
	struct share_match match = find(mpn, group, hash, false);

	if (!match.mpn && frame_state(mpn) != FRAME_HINT)
		enter(mpn, hash);
	lock_release(lock);
	return match;
}

struct share_match share_find_hint(u32 mpn, u32 group, u32 hash)
{
	if (!head_count)
		return (struct share_match){ 0 };
	struct lock *lock = lock_bucket(hash);
	struct share_match match = find(mpn, group, hash, true);

	lock_release(lock);
	return match;
}

void share_note(u32 mpn, u32 hash)
{
	CHECK(frame_is_private(mpn));
	share_forget(mpn);
	struct lock *lock = lock_bucket(hash);

	enter(mpn, hash);
	lock_release(lock);
}

void share_forget(u32 mpn)
{
	if (frame_state(mpn) != FRAME_HINT)
		return;
	struct lock *lock = lock_bucket(frame_of(mpn)->hash);

	unlink(mpn);
	frame_set_state(mpn, FRAME_PRIVATE);
	count(&totals.hints, (u64)-1);
	lock_release(lock);
}

/* ---- shared frames ---- */

/* Whoever holds a reference reads how many there are without the bucket's lock. */
static void set_references(struct frame *frame, u32 references)
{
	__atomic_store_n(&frame->references, references, __ATOMIC_RELAXED);
}

bool share_promote(u32 mpn, u32 group, u32 hash)
{
	struct frame *frame = frame_of(mpn);

	share_note(mpn, hash);
	if (frame_state(mpn) != FRAME_HINT)
		return false;
	struct lock *lock = lock_bucket(hash);

	frame->owner = (u16)group;
	set_references(frame, 1);
	frame_set_state(mpn, FRAME_SHARED);
	lock_release(lock);
	count(&totals.hints, (u64)-1);
	count(&totals.frames, 1);
	count(&totals.references, 1);
	frame_move(CLASS_PRIVATE, CLASS_SHARED, 1);
	return true;
}

u32 share_take(u32 group, u32 hash, u32 skip)
{
	if (!head_count)
		return 0;
	struct lock *lock = lock_bucket(hash);
	u32 mpn = *head_of(bucket_of(hash));

	for (; mpn; mpn = frame_of(mpn)->next) {
		struct frame *frame = frame_of(mpn);

		if (frame->state != FRAME_SHARED || frame->hash != hash || frame->owner != group ||
		    frame->references == FRAME_FULL)
			continue;
		if (skip-- > 0)
			continue;
		set_references(frame, frame->references + 1);
		count(&totals.references, 1);
		break;
	}
	lock_release(lock);
	return mpn;
}

void share_release(u32 mpn)
{
	struct frame *frame = frame_of(mpn);
	struct lock *lock = lock_bucket(frame->hash);

	CHECK(frame->state == FRAME_SHARED && frame->references > 0);
	set_references(frame, frame->references - 1);
	bool last = frame->references == 0;
	bool secure = share_is_secure(frame->owner);

	if (last)
		unlink(mpn);
	lock_release(lock);
	count(&totals.references, (u64)-1);
	if (last)
		count(&totals.frames, (u64)-1);
	if (secure) {
		secure_released(mpn, last);
	} else if (last) {
		cache_give(mpn);
		frame_move(CLASS_SHARED, CLASS_FREE, 1);
	}
}

bool share_take_back(u32 mpn, u32 owner, u32 ppn)
{
	struct frame *frame = frame_of(mpn);
	struct lock *lock = lock_bucket(frame->hash);

	CHECK(frame->state == FRAME_SHARED && frame->references > 0);
	bool only = frame->references == 1;

	if (only) {
		unlink(mpn);
		frame_assign(mpn, FRAME_PRIVATE, owner, ppn);
	}
	lock_release(lock);
	if (!only)
		return false;
	count(&totals.references, (u64)-1);
	count(&totals.frames, (u64)-1);
	frame_move(CLASS_SHARED, CLASS_PRIVATE, 1);
	return true;
}

/* ---- for readers ---- */

void share_totals(struct share_totals *out)
{
	*out = (struct share_totals){
		.frames = __atomic_load_n(&totals.frames, __ATOMIC_RELAXED),
		.references = __atomic_load_n(&totals.references, __ATOMIC_RELAXED),
		.hints = __atomic_load_n(&totals.hints, __ATOMIC_RELAXED),
		.heads = head_count,
	};
}

const char *share_fault(u32 mpn)
{
	const struct frame *frame = frame_of(mpn);
	u32 hash = frame->hash;

	if (!head_count)
		return "in a sharing table that does not exist";
	struct lock *lock = lock_bucket(hash);
	u32 length = 0;
	bool found = false;

	for (u32 at = *head_of(bucket_of(hash)); at && length <= SHARE_CHAIN; at = frame_of(at)->next, length++)
		found |= at == mpn;
	bool moved = (frame->state != FRAME_HINT && frame->state != FRAME_SHARED) || frame->hash != hash;
	bool unnamed = frame->state == FRAME_SHARED && !frame->references;

	lock_release(lock);
	if (moved)
		return NULL;
	if (length > SHARE_CHAIN)
		return "in a chain that is too long";
	if (unnamed)
		return "shared by nobody";
	return found ? NULL : "not in its bucket";
}
