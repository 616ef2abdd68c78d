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
	mm_balloon_hello(guest->mm);
	return os;
}

void os_end(struct os *os)
{
	free(os->page_of);
	free(os->data_of);
	free(os->used);
	free(os->free);
	free(os->given);
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
			return page;
		}
		os->used[page] = false;
	}
}

bool os_use(struct os *os, u32 data, bool write)
{
	bool hit = os->page_of[data] != 0;

	if (!hit) {
		u32 page = take_page(os);

		os->page_of[data] = page + 1;
		os->data_of[page] = data + 1;
		guest_must_fill(os->guest, page, guest_unique(os->guest, data));
	}
	u32 page = os->page_of[data] - 1;

	os->used[page] = true;
	os->hits += hit;
	os->misses += !hit;
	if (write)
		guest_must_mark(os->guest, page, guest_unique(os->guest, data) ^ BIT(62));
	else
		guest_must_read(os->guest, page);
	return hit;
}

void os_balloon(struct os *os, u32 pages)
{
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
