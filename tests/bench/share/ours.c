/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What sharing costs here: mm/ as the kernel is built, over the machine of machine.c.  All times are CPU time.
 *   ours dumps avx2|plain ENOUGH FILE…   passes over memory of guests, a VM for each file; when are so many pages free?
 *   ours unique avx2|plain MIB           a pass over pages that are all different
 *   ours break avx2|plain                writes to shared pages
 * Prints lines "name value".
 */
#include "kernel/lib/check.h"
#include "mm/share.h"
#include "tests/bench/share/machine.h"
#include "tests/bench/share/unique.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	SPARE_PERCENT = 12,   /* of the machine's memory: what mm needs for itself, and frames that wait */
	PLAIN_STEP_PAGES = 4, /* hashed or compared in one step: of 4,931 instructions each, 20,000 make a step */
	AVX2_STEP_PAGES = 12, /* 1,365 */
	LOOK_STEPS = 64,      /* between two looks at what has been reclaimed */
	VM_PAGES = 65536,
	BREAK_PAGES = 20000,
	CHANGED_PERCENT = 1,
};

static bool simd;
static struct mm_vm *vms[VM_IDS];
static u32 vm_pages[VM_IDS], vm_count;
static u64 pages_in_all;

static u64 cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static void say(const char *name, double value)
{
	printf("%s %.6g\n", name, value);
}

static void start(u64 pages)
{
	machine_start((u32)(pages + pages * SPARE_PERCENT / 100), simd);
}

static struct mm_vm *new_vm(u32 pages)
{
	vm_pages[vm_count] = pages;
	pages_in_all += pages;
	return vms[vm_count++] = machine_vm(pages);
}

/* Frames that hold pages, or held them until now. */
static u64 used(void)
{
	struct mm_totals totals;

	mm_totals(&totals);
	return totals.private_ + totals.shared_frames + totals.debt_frames;
}

/* A pass over all; CPU time in ns.  *when, if it is 0: until `enough` frames of `before` are free. */
static u64 pass(u64 before, u64 enough, u64 *when)
{
	u64 begin = cpu_ns();

	for (u32 i = 0; i < vm_count; i++)
		mm_share_begin_pass(vms[i]);
	for (u64 steps = 0, idle = 0; idle < 2; steps++) {
		machine_pass();
		idle = mm_share_step(simd ? AVX2_STEP_PAGES : PLAIN_STEP_PAGES) ? 0 : idle + 1;
		if (when && !*when && steps % LOOK_STEPS == 0 && before - used() >= enough)
			*when = cpu_ns() - begin;
	}
	return cpu_ns() - begin;
}

/* ---- memory of guests ---- */

static void load(const char *path)
{
	struct stat about;
	int file = open(path, O_RDONLY);

	CHECK(file >= 0 && fstat(file, &about) == 0);
	u8 *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	struct mm_vm *vm = new_vm((u32)(about.st_size / PAGE_SIZE));

	CHECK(bytes != MAP_FAILED);
	for (u32 i = 0; i < about.st_size / PAGE_SIZE; i++)
		memcpy(machine_write(vm, i), bytes + (u64)i * PAGE_SIZE, PAGE_SIZE);
	munmap(bytes, (size_t)about.st_size);
	close(file);
}

/* One page in a hundred is written by its guest, each with something else. */
static void change_some(void)
{
	for (u32 i = 0; i < vm_count; i++) {
		for (u32 ppn = i; ppn < vm_pages[i]; ppn += 100 / CHANGED_PERCENT)
			*(u64 *)machine_write(vms[i], ppn) = (u64)i << 32 | ppn;
	}
	machine_pass();
}

static void say_metadata(void)
{
	struct mm_totals totals;
	struct share_totals share;
	u64 entries = 0;

	mm_totals(&totals);
	share_totals(&share);
	for (u32 i = 0; i < vm_count; i++) {
		struct mm_usage usage;

		mm_vm_usage(vms[i], &usage);
		entries += usage.overhead;
	}
	double sharing = (double)(totals.overhead - entries) * PAGE_SIZE / (double)totals.total;

	say("sharing_bytes_a_frame", sharing);
	say("bytes_a_page", sharing + (double)entries * PAGE_SIZE / (double)pages_in_all);
	say("hints", (double)share.hints);
	say("shared_frames", (double)share.frames);
}

static void dumps(char **files, u64 enough)
{
	struct stat about;
	u64 bytes = 0, when = 0;

	for (char **file = files; *file; file++) {
		CHECK(stat(*file, &about) == 0);
		bytes += (u64)about.st_size;
	}
	start(bytes / PAGE_SIZE);
	for (; *files; files++)
		load(*files);
	u64 before = used(), ns = pass(before, enough, &when), second = 0;

	say("pages", (double)pages_in_all);
	say("first_pass_ns", (double)ns);
	say("reclaimed", (double)(before - used()));
	pass(before, enough, &second);
	say("to_99_percent_ns", (double)(when ? when : ns + second));
	say("reclaimed_by_second_pass", (double)(before - used()));
	say("unchanged_ns_a_page", (double)pass(0, 0, NULL) / (double)pages_in_all);
	say_metadata();
	change_some();
	say("changed_pass_ns", (double)pass(0, 0, NULL));
}

/* ---- pages that are all different ---- */

static void unique(u64 mib)
{
	u64 pages = mib * ((1 << 20) / PAGE_SIZE);

	start(pages);
	for (u64 done = 0; done < pages; done += VM_PAGES) {
		struct mm_vm *vm = new_vm(VM_PAGES);

		for (u32 i = 0; i < VM_PAGES; i++)
			fill_unique(machine_write(vm, i), done + i);
	}
	say("unique_ns_a_page", (double)pass(0, 0, NULL) / (double)pages);
}

/* ---- copy-on-write ---- */

static void break_all(void)
{
	start(2 * BREAK_PAGES);
	for (u32 i = 0; i < 2; i++) {
		struct mm_vm *vm = new_vm(BREAK_PAGES);

		for (u32 ppn = 0; ppn < BREAK_PAGES; ppn++)
			fill_unique(machine_write(vm, ppn), ppn);
	}
	for (u32 i = 0; i < 3; i++)
		pass(0, 0, NULL);
	struct share_totals share;

	share_totals(&share);
	CHECK(share.frames == BREAK_PAGES);
	u64 begin = cpu_ns();

	for (u32 ppn = 0; ppn < BREAK_PAGES; ppn++)
		machine_fault(vms[1], ppn);
	say("break_ns", (double)(cpu_ns() - begin) / BREAK_PAGES);
}

int main(int argc, char **argv)
{
	CHECK(argc >= 3);
	simd = strcmp(argv[2], "avx2") == 0;
	if (strcmp(argv[1], "dumps") == 0 && argc > 4)
		dumps(argv + 4, strtoull(argv[3], NULL, 0));
	else if (strcmp(argv[1], "unique") == 0 && argc == 4)
		unique(strtoull(argv[3], NULL, 0));
	else if (strcmp(argv[1], "break") == 0)
		break_all();
	else
		return 1;
	return 0;
}
