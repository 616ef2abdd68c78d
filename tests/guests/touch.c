/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Touches memory and stays.  Command line: mib=N, fill=unique (each page differs, the default), same (all pages alike, not
 * zero), zero (written with zeros) or read (read only); sparse: one word of each page.
 * Lines typed: `again` touches once more, `check` compares, `quit`.
 */
#include "tests/guests/lib/guest.h"
#include <string.h>

enum { WORDS = PAGE_SIZE / 8, SAME = 0x5a5a };

static u64 *first;
static u64 pages;
static u32 words = WORDS; /* written in each page */
static bool read_only, zero, same;

static u64 pattern(u64 page, u32 word)
{
	if (zero || read_only)
		return 0;
	return same ? SAME + word : (page + 1) * 0x9e3779b97f4a7c15ULL + word;
}

static void touch(void)
{
	u64 begin = rdtsc();

	for (u64 page = 0; page < pages; page++)
		for (u32 word = 0; word < words; word++) {
			volatile u64 *at = first + page * WORDS + word;

			if (read_only)
				(void)*at;
			else
				*at = pattern(page, word);
		}
	say("touch: %llu pages in %llu ticks\n", pages, rdtsc() - begin);
}

static void compare(void)
{
	u64 wrong = 0;

	for (u64 page = 0; page < pages; page++)
		for (u32 word = 0; word < words; word++)
			wrong += first[page * WORDS + word] != pattern(page, word);
	say("touch: %llu words differ\n", wrong);
}

void guest_main(void)
{
	struct guest_region room = guest_free_memory();
	char line[64];

	read_only = guest_option("fill=read");
	zero = guest_option("fill=zero");
	same = guest_option("fill=same");
	if (guest_option("sparse"))
		words = 1;
	first = (u64 *)room.base;
	pages = guest_number("mib", 1) << (20 - PAGE_SHIFT);
	if (pages > room.bytes >> PAGE_SHIFT)
		die("mib=%llu: there are %llu MiB", pages >> (20 - PAGE_SHIFT), room.bytes >> 20);
	touch();
	interrupts_enable();
	for (;;) {
		console_line(line, sizeof(line));
		if (strcmp(line, "again") == 0)
			touch();
		else if (strcmp(line, "check") == 0)
			compare();
		else if (strcmp(line, "quit") == 0)
			power_off();
		else
			say("touch: again, check or quit, not \"%s\"\n", line);
	}
}
