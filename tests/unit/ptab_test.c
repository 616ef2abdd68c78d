/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page-table engine in both formats, looked at with walks that are written from the manual and know nothing of it: SDM vol. 3A, 4.5 and
 * 4.6 (host), vol. 3C, 29.3 (EPT).  Mapping is watched at every instant.
 */
#include "kernel/lib/ptab.h"
#include "tests/unit/support/journal.h"
#include "tests/unit/support/platform_fake.h"
#include "vmx/ept.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { TABLES = 600 };

static u64 pool[TABLES][PT_ENTRIES] __attribute__((aligned(4096)));
static u32 used;
static mpa_t root;

/* Table number n is at n pages; 0 is none. */
u64 *pt_entries(mpa_t table)
{
	CHECK(table.a % PAGE_SIZE == 0 && table.a > 0 && table.a >> PAGE_SHIFT < TABLES);
	return pool[table.a >> PAGE_SHIFT];
}

static mpa_t new_table(void)
{
	CHECK(used < TABLES);
	memset(pool[used], 0, sizeof(pool[used]));
	return (mpa_t){ (u64)used++ << PAGE_SHIFT };
}

static int begin(void **state)
{
	(void)state;
	used = 1;
	root = new_table();
	return 0;
}

/* ---- the processor, by the manual ---- */

enum { READ = 1, WRITE = 2, EXECUTE = 4 };

struct seen {
	enum { MISSING, MAPPED, RESERVED_BITS } what;
	u64 frame; /* of the 4 KiB that were asked for */
	u32 rights, level;
};

static u64 *entry_at(u64 table, u64 address, u32 level)
{
	return &pt_entries((mpa_t){ table })[address >> (12 + 9 * (level - 1)) & 511];
}

static u64 size_of_level(u32 level)
{
	return 4096ULL << (9 * (level - 1));
}

/* Rights combine on the way down: one level without W or with NX is enough to lose it. */
static struct seen host_walk(u64 address)
{
	u64 table = root.a;
	u32 rights = READ | WRITE | EXECUTE;

	for (u32 level = 4;; level--) {
		u64 entry = __atomic_load_n(entry_at(table, address, level), __ATOMIC_RELAXED);

		if (!(entry & 1))
			return (struct seen){ MISSING, 0, 0, level };
		rights &= READ | (entry & 2 ? WRITE : 0) | (entry >> 63 ? 0 : EXECUTE);
		u64 frame = entry & 0x000ffffffffff000ULL;

		if (level == 4 && (entry & 0x80))
			return (struct seen){ RESERVED_BITS, 0, 0, level };
		if (level == 1 || (entry & 0x80)) {
			u64 size = size_of_level(level);

			if (level > 1 && (frame & (size - 1) & ~0x1000ULL)) /* bit 12 is PAT there */
				return (struct seen){ RESERVED_BITS, 0, 0, level };
			return (struct seen){ MAPPED, (frame & ~(size - 1)) + (address & (size - 1) & ~4095ULL), rights, level };
		}
		table = frame;
	}
}

static struct seen ept_walk(u64 address)
{
	u64 table = root.a;
	u32 rights = READ | WRITE | EXECUTE;

	for (u32 level = 4;; level--) {
		u64 entry = __atomic_load_n(entry_at(table, address, level), __ATOMIC_RELAXED);
		bool leaf = level == 1 || (level < 4 && (entry & 0x80));

		if (!(entry & 7))
			return (struct seen){ MISSING, 0, 0, level };
		rights &= (u32)entry & 7;
		u64 frame = entry & 0x000ffffffffff000ULL, size = size_of_level(level);

		if ((entry & 3) == 2 || (!leaf && (entry & 0xf8)) || (leaf && (frame & (size - 1))))
			return (struct seen){ RESERVED_BITS, 0, 0, level };
		if (leaf)
			return (struct seen){ MAPPED, frame + (address & (size - 1) & ~4095ULL), rights, level };
		table = frame;
	}
}

/* ---- mapping, as users of the engine do it: what is missing is built, then linked ---- */

struct format {
	const char *name;
	const struct pt_format *engine;
	struct seen (*walk)(u64 address);
	u64 extra; /* of a leaf */
	u64 top;   /* highest page of its addresses */
};

static const struct format formats[] = {
	{ "host", &pt_x86, host_walk, PT_X86_GLOBAL, 0xfffffffffffff000ULL },
	{ "EPT", &pt_ept, ept_walk, EPT_WRITE_BACK, 0x0000fffffffff000ULL },
};

static bool map(const struct format *format, u64 address, u64 frame, u32 target, u64 rights)
{
	const struct pt_format *engine = format->engine;
	u32 level;
	u64 *slot = pt_walk(engine, root, address, target, &level);
	u64 entry = pt_leaf(engine, (mpa_t){ frame }, target, rights, format->extra);

	if (pt_is_present(engine, *slot))
		return false;
	for (u32 at = target; at < level; at++) {
		mpa_t table = new_table();

		pt_entries(table)[pt_index(address, at)] = entry;
		entry = table.a | engine->table;
	}
	pt_store(slot, entry);
	return true;
}

/* ---- pieces ---- */

static void an_address_falls_into_one_slot_a_level(void **state)
{
	u64 address = 0x00007bcdef123456ULL;

	(void)state;
	for (u32 level = 1; level <= 4; level++)
		assert_int_equal(pt_index(address, level), address >> (12 + 9 * (level - 1)) & 511);
	assert_int_equal(pt_index(0xffffffffffffffffULL, 4), 511);
	assert_int_equal(pt_index(0xffff800000000000ULL, 4), 256);
	for (u32 level = 1; level <= 4; level++)
		assert_int_equal(pt_level_pages(level) * PAGE_SIZE, size_of_level(level));
}

/* Present is any bit of the mask: an EPT entry that may only be executed is there. */
static void present_is_any_bit_of_the_mask(void **state)
{
	(void)state;
	for (u64 rights = 0; rights < 8; rights++) {
		assert_int_equal(pt_is_present(&pt_ept, rights | 0x5000), rights != 0);
		assert_int_equal(pt_is_present(&pt_x86, rights | 0x5000), rights & 1);
	}
	assert_false(pt_is_present(&pt_ept, ~7ULL));
	assert_false(pt_is_present(&pt_x86, ~1ULL));
}

static void an_entry_is_a_leaf_or_a_table_or_nothing(void **state)
{
	(void)state;
	for (u32 f = 0; f < ARRAY_SIZE(formats); f++) {
		const struct pt_format *engine = formats[f].engine;
		u64 there = engine->table | 0x5000, large = there | engine->large;

		assert_true(pt_is_leaf(engine, there, 1) && !pt_is_table(engine, there, 1));
		assert_true(pt_is_leaf(engine, large, 1)); /* bit 7 is PAT there, or ignored */
		for (u32 level = 2; level <= 3; level++) {
			assert_true(pt_is_table(engine, there, level) && !pt_is_leaf(engine, there, level));
			assert_true(pt_is_leaf(engine, large, level) && !pt_is_table(engine, large, level));
		}
		for (u32 level = 1; level <= 4; level++) {
			assert_false(pt_is_leaf(engine, 0, level) || pt_is_table(engine, 0, level));
			assert_false(pt_is_leaf(engine, engine->large, level)); /* not present, whatever it says */
		}
	}
}

static void an_address_is_taken_out_of_an_entry_without_its_flags(void **state)
{
	(void)state;
	assert_int_equal(pt_address(&pt_x86, ~0ULL).a, 0x000ffffffffff000ULL);
	assert_int_equal(pt_address(&pt_ept, ~0ULL).a, 0x000ffffffffff000ULL);
	assert_int_equal(pt_address(&pt_x86, 0x8000000012345fffULL).a, 0x12345000ULL);
}

static void no_right_of_the_host_format_is_both_write_and_execute(void **state)
{
	(void)state;
	assert_int_equal(pt_x86.leaf[PT_NONE], 0);
	assert_true((pt_x86.leaf[PT_READ] & PT_X86_NX) && !(pt_x86.leaf[PT_READ] & PT_X86_WRITE));
	assert_true((pt_x86.leaf[PT_WRITE] & PT_X86_NX) && (pt_x86.leaf[PT_WRITE] & PT_X86_WRITE));
	assert_true(!(pt_x86.leaf[PT_EXECUTE] & PT_X86_NX) && !(pt_x86.leaf[PT_EXECUTE] & PT_X86_WRITE));
	for (u32 i = 0; i < 4; i++) /* write without read is a misconfiguration in EPT */
		assert_int_not_equal(pt_ept.leaf[i] & 3, 2);
}

static void a_leaf_says_that_it_is_large_above_level_1_only(void **state)
{
	(void)state;
	for (u32 f = 0; f < ARRAY_SIZE(formats); f++) {
		const struct pt_format *engine = formats[f].engine;

		assert_int_equal(pt_leaf(engine, (mpa_t){ 0x5000 }, 1, engine->all, 0), 0x5000 | engine->all);
		assert_int_equal(pt_leaf(engine, (mpa_t){ 0x600000 }, 2, engine->all, 0), 0x600000 | engine->all | engine->large);
		assert_int_equal(pt_leaf(engine, (mpa_t){ 1ULL << 30 }, 3, engine->all, 0),
				 1ULL << 30 | engine->all | engine->large);
	}
}

static void large_leaf_of_a_small_frame(void)
{
	(void)pt_leaf(&pt_ept, (mpa_t){ 0x5000 }, 2, EPT_RIGHTS, 0);
}

static void leaf_beyond_all_addresses(void)
{
	(void)pt_leaf(&pt_x86, (mpa_t){ 1ULL << 52 }, 1, pt_x86.all, 0);
}

static void link_over_something(void)
{
	u64 slot = 0x5000 | pt_x86.table;

	pt_link(&pt_x86, &slot, (mpa_t){ 0x6000 });
}

static void mistakes_stop_the_machine(void **state)
{
	(void)state;
	assert_true(fake_dies(large_leaf_of_a_small_frame));
	assert_true(fake_dies(leaf_beyond_all_addresses));
	assert_true(fake_dies(link_over_something));
}

static void linking_fills_an_empty_slot_with_all_rights(void **state)
{
	u64 slot = 0;

	(void)state;
	pt_link(&pt_ept, &slot, (mpa_t){ 0x6000 });
	assert_int_equal(slot, 0x6000 | EPT_RIGHTS);
	slot = 0;
	pt_link(&pt_x86, &slot, (mpa_t){ 0x6000 });
	assert_int_equal(slot, 0x6003);
}

/* ---- walks ---- */

static void a_walk_ends_where_a_table_is_missing(void **state)
{
	u32 level;

	for (u32 f = 0; f < ARRAY_SIZE(formats); f++) {
		const struct pt_format *engine = formats[f].engine;

		begin(state);
		u64 *slot = pt_walk(engine, root, 0x40201000, 1, &level);

		assert_int_equal(level, 4);
		assert_ptr_equal(slot, &pool[1][0]);
		assert_true(map(&formats[f], 0x40201000, 0x5000, 1, engine->all));
		assert_ptr_equal(pt_walk(engine, root, 0x40201000, 1, &level),
				 entry_at(4 * PAGE_SIZE - 2 * PAGE_SIZE, 0x40201000, 1));
		assert_int_equal(level, 1);
		(void)pt_walk(engine, root, 0x40202000, 1, &level); /* a neighbour */
		assert_int_equal(level, 1);
		(void)pt_walk(engine, root, 0x40401000, 1, &level); /* another 2 MiB */
		assert_int_equal(level, 2);
		(void)pt_walk(engine, root, 0x80201000, 1, &level); /* another GiB */
		assert_int_equal(level, 3);
		(void)pt_walk(engine, root, 1ULL << 39, 1, &level);
		assert_int_equal(level, 4);
	}
}

static void a_walk_ends_at_its_target(void **state)
{
	u32 level;

	for (u32 f = 0; f < ARRAY_SIZE(formats); f++) {
		begin(state);
		assert_true(map(&formats[f], 0x40201000, 0x5000, 1, formats[f].engine->all));
		for (u32 target = 1; target <= 4; target++) {
			u64 *slot = pt_walk(formats[f].engine, root, 0x40201000, target, &level);

			assert_int_equal(level, target);
			assert_true(pt_is_present(formats[f].engine, *slot));
		}
	}
}

static void a_walk_ends_at_a_larger_leaf(void **state)
{
	u32 level;

	for (u32 f = 0; f < ARRAY_SIZE(formats); f++) {
		begin(state);
		assert_true(map(&formats[f], 0x40200000, 0x600000, 2, formats[f].engine->all));
		(void)pt_walk(formats[f].engine, root, 0x40234000, 1, &level);
		assert_int_equal(level, 2);
		assert_true(map(&formats[f], 0x80000000, 0x40000000, 3, formats[f].engine->all));
		(void)pt_walk(formats[f].engine, root, 0x80234000, 1, &level);
		assert_int_equal(level, 3);
	}
}

static void what_is_mapped_the_processor_finds(void **state)
{
	static const struct {
		u64 address, frame;
		u32 level;
	} rows[] = {
		{ 0, 0x1000, 1 },
		{ 0x1000, 0x7fffffff000, 1 },
		{ 0x200000, 0x400000, 2 },
		{ 0x3ff000, 0, 0 },
		{ 0x40000000, 1ULL << 40, 3 },
		{ 0x7ffffffff000, 0x5000, 1 },
		{ 0xffff800000000000ULL, 0x6000, 1 },
		{ UINT64_MAX << 12, 0x7000, 1 },
	};

	for (u32 f = 0; f < ARRAY_SIZE(formats); f++) {
		begin(state);
		for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
			if (rows[i].level)
				assert_true(map(&formats[f], rows[i].address & formats[f].top, rows[i].frame, rows[i].level,
						formats[f].engine->all));
		for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
			struct seen seen = formats[f].walk(rows[i].address & formats[f].top);

			assert_int_equal(seen.what, MAPPED); /* row 3 lies in row 2 */
			assert_int_equal(seen.frame, rows[i].level ? rows[i].frame : 0x400000 + 0x1ff000);
		}
	}
}

static void rights_are_given_at_the_leaf(void **state)
{
	static const u32 expected[] = { 0, READ, READ | WRITE, READ | EXECUTE };

	for (u32 f = 0; f < ARRAY_SIZE(formats); f++) {
		begin(state);
		for (u32 right = PT_READ; right <= PT_EXECUTE; right++) {
			u64 address = 0x40000000ULL + right * 0x1000;

			assert_true(map(&formats[f], address, 0x5000, 1, formats[f].engine->leaf[right]));
			assert_int_equal(formats[f].walk(address).rights, expected[right]);
		}
		assert_true(map(&formats[f], 0x50000000, 0x5000, 1, formats[f].engine->all));
		assert_int_equal(formats[f].walk(0x50000000).rights, READ | WRITE | EXECUTE);
	}
}

/* ---- beside a model ---- */

enum { SPOTS = 64 };

static struct spot {
	u64 address, frame;
	u32 level;
} spots[SPOTS];

static u64 some_address(u32 level)
{
	u64 address =
		((u64)(rand() % 3) << 39) + ((u64)(rand() % 3) << 30) + ((u64)(rand() % 4) << 21) + ((u64)(rand() % 6) << 12);

	return address & ~(size_of_level(level) - 1);
}

static const struct spot *find_spot(u64 address)
{
	for (u32 i = 0; i < SPOTS; i++)
		if (spots[i].level && address >= spots[i].address && address - spots[i].address < size_of_level(spots[i].level))
			return &spots[i];
	return NULL;
}

static bool overlaps(u64 address, u32 level)
{
	for (u32 i = 0; i < SPOTS; i++)
		if (spots[i].level && spots[i].address < address + size_of_level(level) &&
		    address < spots[i].address + size_of_level(spots[i].level))
			return true;
	return false;
}

static void check_addresses(const struct format *format)
{
	for (u32 i = 0; i < 40; i++) {
		u64 address = some_address(1);
		const struct spot *spot = find_spot(address);
		struct seen seen = format->walk(address);

		assert_int_equal(seen.what, spot ? MAPPED : MISSING);
		if (spot)
			assert_int_equal(seen.frame, spot->frame + (address - spot->address));
	}
}

static void random_mapping(const struct format *format)
{
	memset(spots, 0, sizeof(spots));
	for (u32 round = 0; round < 2000; round++) {
		struct spot *spot = &spots[rand() % SPOTS];
		u32 level;

		if (spot->level) {
			u64 *slot = pt_walk(format->engine, root, spot->address, spot->level, &level);

			assert_int_equal(level, spot->level);
			pt_store(slot, 0);
			spot->level = 0;
		} else {
			u32 wanted = 1 + (u32)rand() % 8 / 6 + (rand() % 50 == 0);
			u64 address = some_address(wanted), frame = (u64)(1 + rand() % 1000) * size_of_level(wanted);
			bool free_before = !overlaps(address, wanted);
			bool done = map(format, address, frame, wanted, format->engine->all);

			assert_true(!done || free_before); /* it may refuse over empty tables */
			assert_true(done || !free_before || wanted > 1);
			if (done)
				*spot = (struct spot){ address, frame, wanted };
		}
		check_addresses(format);
	}
}

static void random_mappings_agree_with_a_model(void **state)
{
	print_message("seed 5\n");
	srand(5);
	for (u32 f = 0; f < ARRAY_SIZE(formats); f++) {
		begin(state);
		random_mapping(&formats[f]);
	}
}

/* ---- every instant ---- */

static const struct format *watched_format;
static u64 watched_address, watched_frame, wrong;

static void map_watched(void *context)
{
	(void)context;
	CHECK(map(watched_format, watched_address, watched_frame, 1, watched_format->engine->all));
}

/* Link first, fill later: what map must not do. */
static void map_badly(void *context)
{
	u32 level;
	u64 *slot;

	(void)context;
	while (slot = pt_walk(watched_format->engine, root, watched_address, 1, &level), level > 1) {
		mpa_t table = { (u64)used++ << PAGE_SHIFT };

		pt_link(watched_format->engine, slot, table);
		memset(pt_entries(table), 0, PAGE_SIZE);
	}
	pt_store(slot, pt_leaf(watched_format->engine, (mpa_t){ watched_frame }, 1, watched_format->engine->all, 0));
}

static void look(void)
{
	struct seen seen = watched_format->walk(watched_address);
	struct seen neighbour = watched_format->walk(watched_address ^ 0x1000);

	wrong += seen.what != MISSING && (seen.what != MAPPED || seen.frame != watched_frame);
	wrong += neighbour.what != MISSING;
}

static void at_every_instant_a_page_is_missing_or_mapped_right(void **state)
{
	for (u32 f = 0; f < ARRAY_SIZE(formats); f++) {
		begin(state);
		watched_format = &formats[f];
		watched_address = 0x7f1234567000ULL;
		watched_frame = 0x89000;
		/* What used to be in the memory of new tables: entries that a walk would believe. */
		for (u32 table = 2; table < 8; table++)
			for (u32 i = 0; i < PT_ENTRIES; i++)
				pool[table][i] = ((u64)table << PAGE_SHIFT) | formats[f].engine->table;
		wrong = 0;
		u64 instants = journal(map_watched, NULL, look);

		print_message("%s: %llu instants\n", formats[f].name, (unsigned long long)instants);
		assert_true(instants > 100);
		assert_int_equal(wrong, 0);
		assert_int_equal(formats[f].walk(watched_address).frame, watched_frame);
	}
}

static void a_table_that_is_linked_before_it_is_cleared_is_noticed(void **state)
{
	for (u32 f = 0; f < ARRAY_SIZE(formats); f++) {
		begin(state);
		watched_format = &formats[f];
		for (u32 table = 2; table < 8; table++)
			for (u32 i = 0; i < PT_ENTRIES; i++)
				pool[table][i] = ((u64)table << PAGE_SHIFT) | formats[f].engine->table;
		wrong = 0;
		(void)journal(map_badly, NULL, look);
		assert_true(wrong > 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(an_address_falls_into_one_slot_a_level),
		TEST(present_is_any_bit_of_the_mask),
		TEST(an_entry_is_a_leaf_or_a_table_or_nothing),
		TEST(an_address_is_taken_out_of_an_entry_without_its_flags),
		TEST(no_right_of_the_host_format_is_both_write_and_execute),
		TEST(a_leaf_says_that_it_is_large_above_level_1_only),
		TEST(mistakes_stop_the_machine),
		TEST(linking_fills_an_empty_slot_with_all_rights),
		TEST(a_walk_ends_where_a_table_is_missing),
		TEST(a_walk_ends_at_its_target),
		TEST(a_walk_ends_at_a_larger_leaf),
		TEST(what_is_mapped_the_processor_finds),
		TEST(rights_are_given_at_the_leaf),
		TEST(random_mappings_agree_with_a_model),
		TEST(at_every_instant_a_page_is_missing_or_mapped_right),
		TEST(a_table_that_is_linked_before_it_is_cleared_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
