/* SPDX-License-Identifier: BSD-2-Clause */
/* Firmware's memory map, as good or bad as firmware is, becomes sorted, disjoint, merged ranges; the more careful kind wins. */
#include "boot/memmap.h"
#include "kernel/lib/check.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	RESERVED = 0,
	LOADER_CODE,
	LOADER_DATA,
	BOOT_CODE,
	BOOT_DATA,
	RUNTIME_CODE,
	RUNTIME_DATA,
	CONVENTIONAL,
	UNUSABLE,
	ACPI,
	ACPI_NVS,
	MMIO
};
enum { STRIDE = 48, MOST = 2100 };

static struct memmap map;
static struct boot_range ranges[BOOT_MAX_RANGES];
static u32 count;
static u8 *list;
static u32 listed;

static int begin(void **state)
{
	(void)state;
	map.claim_count = 0;
	if (!list)
		list = calloc(MOST, STRIDE);
	memset(list, 0, (size_t)listed * STRIDE);
	listed = 0;
	return 0;
}

static void entry(u32 type, u64 base, u64 pages)
{
	struct memmap_descriptor one = { .type = type, .base = base, .pages = pages };

	assert_true(listed < MOST);
	memcpy(list + listed++ * STRIDE, &one, sizeof(one));
}

static void entry_with(u32 type, u64 base, u64 pages, u64 attribute)
{
	entry(type, base, pages);
	memcpy(list + (listed - 1) * STRIDE + offsetof(struct memmap_descriptor, attribute), &attribute, 8);
}

/* From a copy that ends where the list ends. */
static err_t build(void)
{
	u64 bytes = (u64)listed * STRIDE;
	u8 *copy = malloc(bytes + 1);

	memcpy(copy, list, bytes);
	err_t error = memmap_build(&map, copy, bytes, STRIDE, ranges, &count);

	free(copy);
	for (u32 i = 0; error == OK && i < count; i++) {
		assert_true(ranges[i].pages > 0 && ranges[i].base % PAGE_SIZE == 0);
		assert_true(ranges[i].kind >= BOOT_MEMORY_FREE && ranges[i].kind <= BOOT_MEMORY_RESERVED);
		if (i == 0)
			continue;
		u64 end = ranges[i - 1].base + ranges[i - 1].pages * PAGE_SIZE;

		assert_true(ranges[i].base >= end);
		assert_true(ranges[i].base > end || ranges[i].kind != ranges[i - 1].kind);
	}
	return error;
}

static void expect_range(u32 i, u64 base, u64 pages, u32 kind)
{
	assert_true(i < count);
	assert_int_equal(ranges[i].base, base);
	assert_int_equal(ranges[i].pages, pages);
	assert_int_equal(ranges[i].kind, kind);
}

static void every_type_of_firmware_has_its_kind(void **state)
{
	static const u32 kinds[] = {
		BOOT_MEMORY_RESERVED,      BOOT_MEMORY_BOOT_SERVICES, BOOT_MEMORY_BOOT_SERVICES, BOOT_MEMORY_BOOT_SERVICES,
		BOOT_MEMORY_BOOT_SERVICES, BOOT_MEMORY_RUNTIME,       BOOT_MEMORY_RUNTIME,       BOOT_MEMORY_FREE,
		BOOT_MEMORY_RESERVED,      BOOT_MEMORY_ACPI,          BOOT_MEMORY_ACPI,          BOOT_MEMORY_RESERVED,
		BOOT_MEMORY_RESERVED,      BOOT_MEMORY_RESERVED,      BOOT_MEMORY_RESERVED,
	};

	for (u32 type = 0; type < ARRAY_SIZE(kinds); type++) {
		begin(state);
		entry(type, 0x100000, 16);
		assert_int_equal(build(), OK);
		assert_int_equal(count, 1);
		expect_range(0, 0x100000, 16, kinds[type]);
	}
	begin(state);
	entry(0x80000000, 0x100000, 16); /* an operating system loader's own */
	entry(UINT32_MAX, 0x200000, 16);
	assert_int_equal(build(), OK);
	expect_range(0, 0x100000, 16, BOOT_MEMORY_RESERVED);
	expect_range(1, 0x200000, 16, BOOT_MEMORY_RESERVED);
}

static void attributes_make_memory_runtime_or_special(void **state)
{
	(void)state;
	entry_with(CONVENTIONAL, 0x100000, 1, BIT(63));
	entry_with(BOOT_DATA, 0x200000, 1, BIT(63) | BIT(18));
	entry_with(CONVENTIONAL, 0x300000, 1, BIT(18));
	entry_with(CONVENTIONAL, 0x400000, 1, 0xf);
	assert_int_equal(build(), OK);
	expect_range(0, 0x100000, 1, BOOT_MEMORY_RUNTIME);
	expect_range(1, 0x200000, 1, BOOT_MEMORY_RUNTIME);
	expect_range(2, 0x300000, 1, BOOT_MEMORY_RESERVED);
	expect_range(3, 0x400000, 1, BOOT_MEMORY_FREE);
}

static void an_empty_map_has_no_range(void **state)
{
	(void)state;
	assert_int_equal(build(), OK);
	assert_int_equal(count, 0);
}

static void entries_in_any_order_come_out_sorted(void **state)
{
	(void)state;
	entry(CONVENTIONAL, 0x900000, 2);
	entry(ACPI, 0x100000, 1);
	entry(CONVENTIONAL, 0x500000, 3);
	assert_int_equal(build(), OK);
	assert_int_equal(count, 3);
	expect_range(0, 0x100000, 1, BOOT_MEMORY_ACPI);
	expect_range(1, 0x500000, 3, BOOT_MEMORY_FREE);
	expect_range(2, 0x900000, 2, BOOT_MEMORY_FREE);
}

static void neighbours_of_one_kind_are_one_and_holes_stay(void **state)
{
	(void)state;
	entry(BOOT_CODE, 0x100000, 1);
	entry(LOADER_DATA, 0x101000, 1); /* another type of the same kind */
	entry(BOOT_DATA, 0x103000, 1);   /* behind a hole */
	entry(CONVENTIONAL, 0x104000, 1);
	assert_int_equal(build(), OK);
	assert_int_equal(count, 3);
	expect_range(0, 0x100000, 2, BOOT_MEMORY_BOOT_SERVICES);
	expect_range(1, 0x103000, 1, BOOT_MEMORY_BOOT_SERVICES);
	expect_range(2, 0x104000, 1, BOOT_MEMORY_FREE);
}

static void where_entries_overlap_the_more_careful_wins(void **state)
{
	(void)state;
	entry(CONVENTIONAL, 0x100000, 16);
	entry(RUNTIME_DATA, 0x104000, 4);
	entry(RESERVED, 0x106000, 4);
	assert_int_equal(build(), OK);
	assert_int_equal(count, 4);
	expect_range(0, 0x100000, 4, BOOT_MEMORY_FREE);
	expect_range(1, 0x104000, 2, BOOT_MEMORY_RUNTIME);
	expect_range(2, 0x106000, 4, BOOT_MEMORY_RESERVED);
	expect_range(3, 0x10a000, 6, BOOT_MEMORY_FREE);
}

static void the_same_entry_twice_is_one(void **state)
{
	(void)state;
	for (u32 i = 0; i < 5; i++)
		entry(CONVENTIONAL, 0x100000, 16);
	assert_int_equal(build(), OK);
	assert_int_equal(count, 1);
	expect_range(0, 0x100000, 16, BOOT_MEMORY_FREE);
}

static void claims_win_over_what_they_lie_in(void **state)
{
	(void)state;
	entry(LOADER_DATA, 0x100000, 32);
	assert_int_equal(memmap_claim(&map, 0x104000, 4, BOOT_MEMORY_KERNEL), OK);
	assert_int_equal(memmap_claim(&map, 0x108000, 2, BOOT_MEMORY_MODULE), OK);
	assert_int_equal(memmap_claim(&map, 0x1000000, 1, BOOT_MEMORY_TRAMPOLINE), OK); /* where firmware lists nothing */
	assert_int_equal(build(), OK);
	assert_int_equal(count, 5);
	expect_range(0, 0x100000, 4, BOOT_MEMORY_BOOT_SERVICES);
	expect_range(1, 0x104000, 4, BOOT_MEMORY_KERNEL);
	expect_range(2, 0x108000, 2, BOOT_MEMORY_MODULE);
	expect_range(3, 0x10a000, 22, BOOT_MEMORY_BOOT_SERVICES);
	expect_range(4, 0x1000000, 1, BOOT_MEMORY_TRAMPOLINE);
	assert_int_equal(build(), OK); /* firmware asks for the map twice: the claims stay */
	assert_int_equal(count, 5);
}

static void broken_alignment_gives_less_and_withholds_more(void **state)
{
	(void)state;
	entry(CONVENTIONAL, 0x100800, 4);
	entry(RESERVED, 0x200800, 4);
	entry(CONVENTIONAL, 0x300800, 1); /* nothing whole is left */
	assert_int_equal(build(), OK);
	assert_int_equal(count, 2);
	expect_range(0, 0x101000, 3, BOOT_MEMORY_FREE);
	expect_range(1, 0x200000, 5, BOOT_MEMORY_RESERVED);
}

static void sizes_beyond_all_addresses_are_cut(void **state)
{
	u64 end = BIT(52);

	(void)state;
	entry(CONVENTIONAL, 0x100000, UINT64_MAX);
	entry(RESERVED, UINT64_MAX - 0xfff, UINT64_MAX);
	entry(RESERVED, end, 1);
	entry(RUNTIME_DATA, end - 0x1000, 0x1000);
	entry(ACPI, 0x5000, 0);
	assert_int_equal(build(), OK);
	assert_int_equal(count, 2);
	expect_range(0, 0x100000, (end - 0x101000) >> PAGE_SHIFT, BOOT_MEMORY_FREE);
	expect_range(1, end - 0x1000, 1, BOOT_MEMORY_RUNTIME);
}

static void the_stride_is_firmwares(void **state)
{
	u8 bytes[3 * 64] = { 0 };
	struct memmap_descriptor one = { .type = CONVENTIONAL, .base = 0x100000, .pages = 1 };

	(void)state;
	memcpy(bytes, &one, sizeof(one));
	one.base = 0x300000;
	memcpy(bytes + 64, &one, sizeof(one));
	assert_int_equal(memmap_build(&map, bytes, 64 + 63, 64, ranges, &count), OK); /* the second is cut off */
	assert_int_equal(count, 1);
	assert_int_equal(memmap_build(&map, bytes, 128, 64, ranges, &count), OK);
	assert_int_equal(count, 2);
	assert_int_equal(memmap_build(&map, bytes, 128, sizeof(one) - 1, ranges, &count), E_INVALID);
	assert_int_equal(memmap_build(&map, bytes, 128, 0, ranges, &count), E_INVALID);
	assert_int_equal(count, 0);
}

static void too_many_entries_claims_or_ranges_are_refused(void **state)
{
	(void)state;
	for (u32 i = 0; i < BOOT_MAX_RANGES; i++)
		entry(CONVENTIONAL, 0x100000 + i * 0x2000ULL, 1);
	assert_int_equal(build(), OK);
	assert_int_equal(count, BOOT_MAX_RANGES);
	entry(CONVENTIONAL, 0, 1);
	assert_int_equal(build(), E_NO_MEMORY);
	begin(state);
	for (u32 i = 0; i < MEMMAP_MAX_INPUTS; i++)
		entry(CONVENTIONAL, 0x100000 + i * 0x1000ULL, 1);
	assert_int_equal(build(), OK);
	assert_int_equal(count, 1);
	entry(CONVENTIONAL, 0, 1);
	assert_int_equal(build(), E_NO_MEMORY);
	begin(state);
	for (u32 i = 0; i < MEMMAP_MAX_CLAIMS; i++)
		assert_int_equal(memmap_claim(&map, 0x1000 * (i + 1), 1, BOOT_MEMORY_MODULE), OK);
	assert_int_equal(memmap_claim(&map, 0x1000, 1, BOOT_MEMORY_MODULE), E_NO_MEMORY);
}

/* A claim that only gives memory away would be lost below what it lies in. */
static bool claim_dies(u64 base, u64 pages, u32 kind)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		CHECK(freopen("/dev/null", "w", stderr) != NULL);
		(void)!memmap_claim(&map, base, pages, kind);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void claims_that_make_no_sense_stop_the_loader(void **state)
{
	(void)state;
	assert_false(claim_dies(0x1000, 1, BOOT_MEMORY_KERNEL));
	assert_true(claim_dies(0x1001, 1, BOOT_MEMORY_KERNEL));
	assert_true(claim_dies(0x1000, 0, BOOT_MEMORY_KERNEL));
	assert_true(claim_dies(BIT(52), 1, BOOT_MEMORY_KERNEL));
	assert_true(claim_dies(0x1000, 1, BOOT_MEMORY_FREE));
	assert_true(claim_dies(0x1000, 1, BOOT_MEMORY_RUNTIME));
}

/* ---- beside a model: a kind for each page ---- */

enum { MODEL_PAGES = 256 };

static u32 kind_of_type(u32 type)
{
	static const u32 kinds[] = { 8, 2, 2, 2, 2, 7, 7, 1, 8, 6, 6, 8 };

	return kinds[type];
}

static void random_maps_agree_with_a_page_by_page_model(void **state)
{
	print_message("seed 11\n");
	srand(11);
	for (u32 round = 0; round < 600; round++) {
		u8 model[MODEL_PAGES] = { 0 }, found[MODEL_PAGES] = { 0 };

		begin(state);
		for (u32 i = (u32)rand() % 40; i; i--) {
			u32 type = (u32)rand() % 12, first = (u32)rand() % MODEL_PAGES, pages = (u32)rand() % 20;

			entry(type, first * 0x1000ULL, pages);
			for (u32 k = first; k < first + pages && k < MODEL_PAGES; k++)
				if (kind_of_type(type) > model[k])
					model[k] = (u8)kind_of_type(type);
		}
		for (u32 i = (u32)rand() % 5; i; i--) {
			u32 kind = BOOT_MEMORY_KERNEL + (u32)rand() % 3, first = (u32)rand() % MODEL_PAGES,
			    pages = 1 + (u32)rand() % 9;

			assert_int_equal(memmap_claim(&map, first * 0x1000ULL, pages, kind), OK);
			for (u32 k = first; k < first + pages && k < MODEL_PAGES; k++)
				if (kind > model[k])
					model[k] = (u8)kind;
		}
		assert_int_equal(build(), OK);
		for (u32 i = 0; i < count; i++)
			for (u64 k = 0; k < ranges[i].pages; k++)
				if ((ranges[i].base >> PAGE_SHIFT) + k < MODEL_PAGES)
					found[(ranges[i].base >> PAGE_SHIFT) + k] = (u8)ranges[i].kind;
		assert_memory_equal(model, found, MODEL_PAGES);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(every_type_of_firmware_has_its_kind),
		TEST(attributes_make_memory_runtime_or_special),
		TEST(an_empty_map_has_no_range),
		TEST(entries_in_any_order_come_out_sorted),
		TEST(neighbours_of_one_kind_are_one_and_holes_stay),
		TEST(where_entries_overlap_the_more_careful_wins),
		TEST(the_same_entry_twice_is_one),
		TEST(claims_win_over_what_they_lie_in),
		TEST(broken_alignment_gives_less_and_withholds_more),
		TEST(sizes_beyond_all_addresses_are_cut),
		TEST(the_stride_is_firmwares),
		TEST(too_many_entries_claims_or_ranges_are_refused),
		TEST(claims_that_make_no_sense_stop_the_loader),
		TEST(random_maps_agree_with_a_page_by_page_model),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(list);
	return failed;
}
