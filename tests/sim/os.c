/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/os.h"
#include <stdlib.h>

static void *zeroed(size_t count, size_t bytes)
{
	void *at = calloc(count, bytes);

	CHECK(at);
	return at;
}

struct os *os_start(struct guest *guest, u32 data)
{
	struct os *os = zeroed(1, sizeof(*os));

	*os = (struct os){
		.guest = guest,
		.data = data,
		.page_of = zeroed(data, sizeof(u32)),
		.data_of = zeroed(guest->pages, sizeof(u32)),
		.used = zeroed(guest->pages, sizeof(bool)),
		.free = zeroed(guest->pages, sizeof(u32)),
		.given = zeroed(guest->pages, sizeof(u32)),
	};
	for (u32 page = guest->pages; page-- > 0;)
		os->free[os->free_count++] = page;
	return os;
}

void os_end(struct os *os)
{
	free(os->page_of);
	free(os->data_of);
	free(os->used);
	free(os->free);
	free(os->given);
	guest_end(os->guest);
	free(os);
}

/* A free page: the next that holds data which was not used since the hand came by last. */
static u32 take_page(struct os *os)
{
	if (os->free_count)
		return os->free[--os->free_count];
	CHECK(os->given_count < os->guest->pages);
	for (;;) {
		u32 page = os->hand;
		u32 data = os->data_of[page];

		os->hand = (os->hand + 1) % os->guest->pages;
		if (data && !os->used[page]) {
			os->page_of[data - 1] = os->data_of[page] = 0;
			guest_forget(os->guest, page);
			return page;
		}
		os->used[page] = false;
	}
}

enum os_use os_boot(struct os *os)
{
	if (os->zeroed == os->guest->pages)
		return OS_HIT;
	if (!guest_fill(os->guest, os->zeroed, 0))
		return OS_WAITS;
	os->zeroed++;
	return OS_MISS;
}

static u64 content_of(const struct os *os, u32 data)
{
	return data < os->common ? guest_common(os->system, data) : guest_unique(os->guest, data);
}

/* The page that has this data, or will have it when it has been filled. */
static u32 page_for(struct os *os, u32 data)
{
	if (!os->page_of[data]) {
		u32 page = take_page(os);

		os->page_of[data] = page + 1;
		os->data_of[page] = data + 1;
	}
	return os->page_of[data] - 1;
}

enum os_use os_use(struct os *os, u32 data, bool write)
{
	u32 page = page_for(os, data);
	bool hit = guest_knows(os->guest, page);
	u64 content = content_of(os, data);

	os->used[page] = true;
	if (!hit && !guest_fill(os->guest, page, content))
		return OS_WAITS;
	os->misses += !hit;
	if (!(write ? guest_mark(os->guest, page, content ^ BIT(62)) : guest_read(os->guest, page)))
		return OS_WAITS;
	os->hits += hit;
	return hit ? OS_HIT : OS_MISS;
}

void os_balloon(struct os *os, u32 pages)
{
	if (!os->has_driver)
		mm_balloon_hello(os->guest->mm);
	os->has_driver = true;
	u64 target = mm_balloon_target(os->guest->mm);

	for (; pages > 0 && os->given_count < target; pages--) {
		u32 page = take_page(os);

		if (!guest_give(os->guest, page)) {
			os->free[os->free_count++] = page;
			return;
		}
		os->given[os->given_count++] = page;
	}
	for (; pages > 0 && os->given_count > target; pages--) {
		u32 page = os->given[--os->given_count];

		if (!guest_take(os->guest, page)) {
			os->given_count++;
			return;
		}
		os->free[os->free_count++] = page;
	}
}
