/* SPDX-License-Identifier: BSD-2-Clause */
/* The table in chunks of 65,536 slots, 2 MiB each and two pages of bit map. */
#include "mm/slot.h"
#include "mm/frame.h"
#include "mm/platform.h"
#include "mm/zone.h"

enum {
	CHUNK_SLOTS = LARGE_PAGES * PAGE_SIZE / sizeof(struct slot),
	WORD_SLOTS = 64,
	CHUNK_WORDS = CHUNK_SLOTS / WORD_SLOTS,
	MAP_ORDER = 1,
	CHUNKS = 1024,    /* 256 GiB */
	LOOK_WORDS = 128, /* of the bit map, in one call */
	MEMORY_SHARE = 4, /* an area up to so many times the memory: its table takes a 32nd of that at most */
};
_Static_assert(CHUNK_WORDS * sizeof(u64) == PAGE_SIZE << MAP_ORDER, "two pages of bit map");

static struct {
	u32 slots, map; /* first MPN of each */
} chunks[CHUNKS];
static struct lock lock;
static u64 total;
static u64 cursor; /* word of the bit map */
static struct slot_counts counts;

/* ---- set-up ---- */

static u64 *map_of(u64 chunk)
{
	return platform_frame((mpn_t){ chunks[chunk].map });
}

static u64 *word_at(u64 word)
{
	return map_of(word / CHUNK_WORDS) + word % CHUNK_WORDS;
}

static u32 order_for(u64 slots)
{
	u32 order = 0;

	while ((u64)(PAGE_SIZE / sizeof(struct slot)) << order < slots)
		order++;
	return order;
}

static bool take_zeroed(u32 order, u32 *first)
{
	mpn_t mpn;

	if (mm_overhead_alloc(order, &mpn))
		return false;
	for (u32 i = 0; i < 1U << order; i++)
		platform_zero_frame((mpn_t){ mpn.n + i });
	*first = mpn.n;
	return true;
}

static bool add_chunk(u64 chunk, u64 slots)
{
	u32 order = order_for(slots);

	if (!take_zeroed(order, &chunks[chunk].slots))
		return false;
	if (!take_zeroed(MAP_ORDER, &chunks[chunk].map)) {
		mm_overhead_free((mpn_t){ chunks[chunk].slots }, order);
		return false;
	}
	for (u64 i = 0; i < slots; i++)
		map_of(chunk)[i / WORD_SLOTS] |= BIT(i % WORD_SLOTS);
	return true;
}

void slot_reset(void)
{
	lock_init(&lock, RANK_SWAP, "swap slots");
	counts = (struct slot_counts){ 0 };
	total = cursor = 0;
}

err_t slot_init(u64 slots)
{
	u64 wanted = min_u64(min_u64(slots, frame_counts.total * MEMORY_SHARE), (u64)CHUNKS * CHUNK_SLOTS);

	CHECK(!total);
	while (total < wanted) {
		u64 next = min_u64(CHUNK_SLOTS, wanted - total);

		if (!add_chunk(total / CHUNK_SLOTS, next))
			break;
		total += next;
	}
	counts.of[SLOT_FREE] = total;
	return total ? OK : E_NO_MEMORY;
}

u64 slot_count(void)
{
	return total;
}

struct slot *slot_at(u32 number)
{
	CHECK(number < total);
	return (struct slot *)platform_frame((mpn_t){ chunks[number / CHUNK_SLOTS].slots }) + number % CHUNK_SLOTS;
}

/* ---- free slots ---- */

/* The longest run of ones, `most` at most; *at is where the first such run begins. */
static u32 longest_run(u64 word, u32 most, u32 *at)
{
	u64 starts = word;
	u32 length = 0;

	while (starts && length < most) {
		*at = (u32)__builtin_ctzll(starts);
		length++;
		starts &= word >> length;
	}
	return length;
}

/* Under the lock. */
static u32 find(u32 most, u64 *first)
{
	u64 words = (total + WORD_SLOTS - 1) / WORD_SLOTS;
	u32 best = 0;

	for (u64 looked = 0; looked < LOOK_WORDS && looked < words && best < most; looked++) {
		u32 at = 0;
		u32 length = longest_run(*word_at(cursor), most, &at);

		if (length > best) {
			best = length;
			*first = cursor * WORD_SLOTS + at;
		}
		if (best < most)
			cursor = cursor + 1 < words ? cursor + 1 : 0;
	}
	return best;
}

static void move(enum slot_state from, enum slot_state to, u64 slots)
{
	u64 left = __atomic_fetch_sub(&counts.of[from], slots, __ATOMIC_RELAXED);

	CHECK(left >= slots);
	__atomic_fetch_add(&counts.of[to], slots, __ATOMIC_RELAXED);
}

u32 slot_take(u32 most, u32 *count)
{
	u64 first = 0;

	CHECK(most > 0 && most <= SLOT_RUN);
	lock_acquire(&lock);
	*count = total ? find(most, &first) : 0;
	for (u32 i = 0; i < *count; i++) {
		CHECK(slot_state((u32)first + i) == SLOT_FREE);
		slot_set_state((u32)first + i, SLOT_MOVING);
	}
	if (*count)
		*word_at(first / WORD_SLOTS) &= ~((BIT(*count) - 1) << first % WORD_SLOTS);
	lock_release(&lock);
	move(SLOT_FREE, SLOT_MOVING, *count);
	return *count ? (u32)first : SLOT_NONE;
}

void slot_give(u32 first, u32 count)
{
	for (u32 number = first; number < first + count; number++) {
		enum slot_state was = slot_state(number);
		u64 *word = word_at(number / WORD_SLOTS);

		CHECK(was == SLOT_MOVING || was == SLOT_USED);
		lock_acquire(&lock);
		CHECK(!(*word & BIT(number % WORD_SLOTS)));
		slot_set_state(number, SLOT_FREE);
		*word |= BIT(number % WORD_SLOTS);
		lock_release(&lock);
		move(was, SLOT_FREE, 1);
	}
}

static void become(u32 number, enum slot_state from, enum slot_state to)
{
	CHECK(slot_state(number) == from);
	slot_set_state(number, to);
	move(from, to, 1);
}

void slot_spoil(u32 number)
{
	become(number, SLOT_MOVING, SLOT_BAD);
}

void slot_settle(u32 number)
{
	become(number, SLOT_MOVING, SLOT_USED);
}

void slot_unsettle(u32 number)
{
	become(number, SLOT_USED, SLOT_MOVING);
}

void slot_counts(struct slot_counts *out)
{
	for (u32 i = 0; i < SLOT_STATES; i++)
		out->of[i] = __atomic_load_n(&counts.of[i], __ATOMIC_RELAXED);
}

bool slot_map_agrees(u32 number)
{
	lock_acquire(&lock);
	bool marked = *word_at(number / WORD_SLOTS) & BIT(number % WORD_SLOTS);
	bool free_now = slot_state(number) == SLOT_FREE;

	lock_release(&lock);
	return marked == free_now;
}
