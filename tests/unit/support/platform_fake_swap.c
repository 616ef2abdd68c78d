/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile disk under the swap area: transfers end in any order, as late as the test likes, some never on their own; some fail; a buffer is
 * read only when its write ends, and scribbled on as soon as a read begins.
 */
#include "kernel/lib/check.h"
#include "mm/frame.h"
#include "tests/unit/support/platform_fake.h"
#include <stdlib.h>
#include <string.h>

enum { REQUESTS = 16 };

struct transfer {
	bool there, write;
	u32 slot, buffer, pages;
};

static u8 *area;
static u32 area_slots;
static struct transfer transfers[REQUESTS];
static u32 write_fails_one_in, read_fails_one_in;
static struct fake_swap_counts counts;

void fake_swap(u32 slots)
{
	free(area);
	area = calloc(slots + 1, PAGE_SIZE);
	area_slots = slots;
	memset(transfers, 0, sizeof(transfers));
	write_fails_one_in = read_fails_one_in = 0;
	counts = (struct fake_swap_counts){ 0 };
}

void fake_swap_fail(u32 writes_one_in, u32 reads_one_in)
{
	write_fails_one_in = writes_one_in;
	read_fails_one_in = reads_one_in;
}

void fake_swap_corrupt(u32 slot)
{
	CHECK(slot < area_slots);
	area[(u64)slot * PAGE_SIZE + fake_random(PAGE_SIZE)] ^= (u8)(1 + fake_random(255));
}

struct fake_swap_counts fake_swap_counts(void)
{
	return counts;
}

u32 fake_swap_pending(void)
{
	u32 pending = 0;

	for (u32 i = 0; i < REQUESTS; i++)
		pending += __atomic_load_n(&transfers[i].there, __ATOMIC_ACQUIRE);
	return pending;
}

/* ---- the platform's side ---- */

u64 platform_swap_slots(void)
{
	return area_slots;
}

static void begin(u32 slot, mpn_t buffer, u32 pages, u32 request, bool write)
{
	CHECK(request < REQUESTS && !transfers[request].there && pages > 0 && slot + pages <= area_slots);
	for (u32 i = 0; i < pages; i++)
		CHECK(frame_state(buffer.n + i) == FRAME_OVERHEAD); /* never a VM's frame */
	for (u32 i = 0; i < REQUESTS; i++) {
		const struct transfer *other = &transfers[i];

		CHECK(!other->there || slot >= other->slot + other->pages || other->slot >= slot + pages);
	}
	if (!write)
		memset(platform_frame(buffer), 0xa5, (u64)pages * PAGE_SIZE);
	transfers[request] = (struct transfer){ false, write, slot, buffer.n, pages };
	__atomic_store_n(&transfers[request].there, true, __ATOMIC_RELEASE);
}

void platform_swap_write(u32 slot, mpn_t buffer, u32 pages, u32 request)
{
	begin(slot, buffer, pages, request, true);
	counts.writes++;
	counts.pages_written += pages;
}

void platform_swap_read(u32 slot, mpn_t buffer, u32 pages, u32 request)
{
	begin(slot, buffer, pages, request, false);
	fake_unpoison(FRAME_READING);
	counts.reads++;
	counts.pages_read += pages;
}

static bool fails(u32 one_in)
{
	return one_in && fake_random(one_in) == 0;
}

/* A write that fails may have written some of it. */
static void end(u32 request)
{
	struct transfer *transfer = &transfers[request];
	bool failed = fails(transfer->write ? write_fails_one_in : read_fails_one_in);
	u64 bytes = (u64)(failed ? fake_random(transfer->pages) : transfer->pages) * PAGE_SIZE;
	u8 *disk = area + (u64)transfer->slot * PAGE_SIZE;
	u8 *buffer = platform_frame((mpn_t){ transfer->buffer });

	memcpy(transfer->write ? disk : buffer, transfer->write ? buffer : disk, bytes);
	transfer->there = false;
	counts.failed += failed;
	mm_swap_done(request, failed ? E_IO : OK);
}

bool fake_swap_end_one(void)
{
	u32 first = fake_random(REQUESTS);

	for (u32 i = 0; i < REQUESTS; i++) {
		if (transfers[(first + i) % REQUESTS].there) {
			end((first + i) % REQUESTS);
			return true;
		}
	}
	return false;
}
