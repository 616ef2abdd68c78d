/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What sharing costs in Linux: KSM over the same pages.  `compare` has set it up, and stops it.  Times are CPU time: of ksmd, of whom
 * /proc/PID/schedstat tells, and of this process where it writes.
 *   ksm PID dumps ENOUGH FILE…   until so many pages are free, or nothing more is
 *   ksm PID unique MIB           until pages that are all different have been in its trees
 *   ksm PID break                writes to merged pages, and first writes to pages
 * Prints lines "name value".
 */
#include "kernel/lib/types.h"
#include "tests/bench/share/unique.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { POLL_US = 5000, PATIENCE_S = 300, TREE_SCANS = 2, IDLE_SCANS = 6, BREAK_PAGES = 20000 };

static char *ksmd;

static void need(bool is_so, const char *what)
{
	if (!is_so) {
		perror(what);
		exit(1);
	}
}

static u64 number_in(const char *path)
{
	FILE *file = fopen(path, "r");
	unsigned long long value;

	need(file && fscanf(file, "%llu", &value) == 1, path);
	fclose(file);
	return value;
}

static u64 setting(const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/%s", name);
	return number_in(path);
}

static void set_run(int run)
{
	FILE *file = fopen("/sys/kernel/mm/ksm/run", "w");

	need(file && fprintf(file, "%d", run) == 1 && fclose(file) == 0, "ksm/run");
}

static u64 ksmd_ns(void)
{
	char path[100];

	snprintf(path, sizeof(path), "/proc/%s/schedstat", ksmd);
	return number_in(path);
}

static u64 own_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static u64 reclaimed(void)
{
	return setting("pages_sharing") + setting("ksm_zero_pages");
}

static void say(const char *name, double value)
{
	printf("%s %.6g\n", name, value);
}

/* Small pages, which KSM can merge as they are. */
static u8 *map(u64 bytes)
{
	u8 *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(at != MAP_FAILED && madvise(at, bytes, MADV_NOHUGEPAGE) == 0, "mmap");
	return at;
}

static void offer(u8 *at, u64 bytes)
{
	need(madvise(at, bytes, MADV_MERGEABLE) == 0, "MADV_MERGEABLE");
}

/* Let ksmd run until `enough` pages are free or it has been round so often; its time. */
static u64 merge(u64 enough, u64 scans)
{
	u64 begin = ksmd_ns(), first = setting("full_scans");

	set_run(1);
	for (u32 polls = 0; polls < PATIENCE_S * (1000000 / POLL_US); polls++) {
		if (reclaimed() >= enough || setting("full_scans") - first >= scans)
			return ksmd_ns() - begin;
		usleep(POLL_US);
	}
	fprintf(stderr, "ksmd has not come to an end\n");
	exit(1);
}

static void dumps(u64 enough, char **files)
{
	u64 pages = 0;

	for (; *files; files++) {
		struct stat about;
		int file = open(*files, O_RDONLY);

		need(file >= 0 && fstat(file, &about) == 0, *files);
		u8 *at = map((u64)about.st_size);

		for (u64 done = 0; done < (u64)about.st_size;) {
			ssize_t bytes = read(file, at + done, (size_t)about.st_size - done);

			need(bytes > 0, *files);
			done += (u64)bytes;
		}
		close(file);
		offer(at, (u64)about.st_size);
		pages += (u64)about.st_size / PAGE_SIZE;
	}
	say("pages", (double)pages);
	say("to_99_percent_ns", (double)merge(enough, IDLE_SCANS));
	say("reclaimed", (double)reclaimed());
}

static void unique(u64 mib)
{
	u64 pages = mib * ((1 << 20) / PAGE_SIZE);
	u8 *at = map(pages * PAGE_SIZE);

	for (u64 i = 0; i < pages; i++)
		fill_unique((u64 *)(at + i * PAGE_SIZE), i);
	offer(at, pages * PAGE_SIZE);
	say("unique_ns_a_page", (double)merge(UINT64_MAX, TREE_SCANS) / (double)pages);
}

/* The CPU time of a write to each page. */
static double write_each(u8 *at)
{
	u64 begin = own_ns();

	for (u64 i = 0; i < BREAK_PAGES; i++)
		at[i * PAGE_SIZE] = (u8)(at[i * PAGE_SIZE] + 1);
	return (double)(own_ns() - begin) / BREAK_PAGES;
}

static double first_write_each(u8 *at)
{
	u64 begin = own_ns();

	for (u64 i = 0; i < BREAK_PAGES; i++)
		*(volatile u8 *)(at + i * PAGE_SIZE) = 1;
	return (double)(own_ns() - begin) / BREAK_PAGES;
}

/* The machine's host backs memory when it is used first: not while something is measured. */
static void warm(u64 bytes)
{
	u8 *at = map(bytes);

	memset(at, 1, bytes);
	munmap(at, bytes);
}

static void break_all(void)
{
	u64 bytes = (u64)BREAK_PAGES * PAGE_SIZE;

	warm(8 * bytes);
	u8 *at = map(2 * bytes);

	for (u64 i = 0; i < 2 * BREAK_PAGES; i++)
		fill_unique((u64 *)(at + i * PAGE_SIZE), i % BREAK_PAGES);
	offer(at, 2 * bytes);
	merge(BREAK_PAGES, IDLE_SCANS);
	set_run(0);
	need(reclaimed() == BREAK_PAGES, "merging pairs");
	say("break_ns", write_each(at));
	say("first_write_ns", first_write_each(map(bytes)));
}

int main(int argc, char **argv)
{
	need(argc >= 3, "arguments");
	ksmd = argv[1];
	if (strcmp(argv[2], "dumps") == 0 && argc > 4)
		dumps(strtoull(argv[3], NULL, 0), argv + 4);
	else if (strcmp(argv[2], "unique") == 0 && argc == 4)
		unique(strtoull(argv[3], NULL, 0));
	else if (strcmp(argv[2], "break") == 0)
		break_all();
	else
		return 1;
	return 0;
}
