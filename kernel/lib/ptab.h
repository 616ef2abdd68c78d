/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one page-table engine.  Host, EPT and shadow tables are formats of it: constants (levels, masks, permission codes), no
 * function pointers.  It walks, classifies and builds entries; who allocates and who locks is the caller's.  Every store is
 * one 64-bit write of a finished entry: build, then publish.
 *
 * Levels: 1 is a 4 KiB leaf, 2 is 2 MiB, 3 is 1 GiB, 4 the root of four-level tables.  SDM vol. 3A, 4.5 and vol. 3C, 29.3.
 */
#pragma once
#include "kernel/lib/check.h"
#include "kernel/lib/types.h"

struct pt_format {
	u32 levels;
	u64 present; /* an entry is present if any bit of this mask is set */
	u64 large;   /* marks a leaf above level 1 */
	u64 address; /* bits that hold the frame's address */
	u64 table;   /* bits of an entry that names a table: rights are given at the leaf */
	u64 leaf[4]; /* permission codes: PT_NONE, PT_READ, PT_WRITE, PT_EXECUTE (read and execute) */
	u64 all;     /* permission code for read, write and execute */
	u64 accessed, dirty;
};

enum pt_rights { PT_NONE, PT_READ, PT_WRITE, PT_EXECUTE };
enum { PT_ENTRIES = 512, PT_LEVEL_BITS = 9 };

/* The table's entries in this program's address space: boot, kernel and host tests each link their own. */
u64 *pt_entries(mpa_t table);

/* 4-level long-mode tables. */
#define PT_X86_PRESENT BIT(0)
#define PT_X86_WRITE BIT(1)
#define PT_X86_USER BIT(2)
#define PT_X86_WRITE_THROUGH BIT(3)
#define PT_X86_UNCACHED BIT(4)
#define PT_X86_GLOBAL BIT(8)
#define PT_X86_NX BIT(63)

static const struct pt_format pt_x86 = {
	.levels = 4,
	.present = PT_X86_PRESENT,
	.large = BIT(7),
	.address = 0x000ffffffffff000ULL,
	.table = PT_X86_PRESENT | PT_X86_WRITE,
	.leaf = { 0, PT_X86_PRESENT | PT_X86_NX, PT_X86_PRESENT | PT_X86_WRITE | PT_X86_NX, PT_X86_PRESENT },
	.all = PT_X86_PRESENT | PT_X86_WRITE,
	.accessed = BIT(5),
	.dirty = BIT(6),
};

static inline u32 pt_index(u64 address, u32 level)
{
	return (u32)(address >> (PAGE_SHIFT + PT_LEVEL_BITS * (level - 1))) % PT_ENTRIES;
}

static inline u64 pt_level_pages(u32 level)
{
	return 1ULL << (PT_LEVEL_BITS * (level - 1));
}

static inline bool pt_is_present(const struct pt_format *format, u64 entry)
{
	return (entry & format->present) != 0;
}

static inline bool pt_is_leaf(const struct pt_format *format, u64 entry, u32 level)
{
	return pt_is_present(format, entry) && (level == 1 || (entry & format->large));
}

static inline bool pt_is_table(const struct pt_format *format, u64 entry, u32 level)
{
	return pt_is_present(format, entry) && !pt_is_leaf(format, entry, level);
}

static inline mpa_t pt_address(const struct pt_format *format, u64 entry)
{
	return (mpa_t){ entry & format->address };
}

static inline u64 pt_load(const u64 *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static inline void pt_store(u64 *slot, u64 entry)
{
	__atomic_store_n(slot, entry, __ATOMIC_RELEASE);
}

/*
 * Walk towards the slot that translates `address` at `target` level and return the deepest slot that exists; *level says which
 * level it is at.  It is above the target if a table is missing there (the slot is empty) or a larger leaf covers the address.
 */
static inline u64 *pt_walk(const struct pt_format *format, mpa_t root, u64 address, u32 target, u32 *level)
{
	mpa_t table = root;

	for (*level = format->levels;; --*level) {
		u64 *slot = &pt_entries(table)[pt_index(address, *level)];
		u64 entry = pt_load(slot);

		if (*level == target || !pt_is_table(format, entry, *level))
			return slot;
		table = pt_address(format, entry);
	}
}

/* A leaf entry for `frame` at `level`; `extra` are the format's other bits (memory type, global). */
static inline u64 pt_leaf(const struct pt_format *format, mpa_t frame, u32 level, u64 rights, u64 extra)
{
	ASSERT((frame.a & ~format->address) == 0 && frame.a % (pt_level_pages(level) << PAGE_SHIFT) == 0);
	return frame.a | rights | extra | (level > 1 ? format->large : 0);
}

/* Link a table that is already filled (or zeroed) below an empty slot. */
static inline void pt_link(const struct pt_format *format, u64 *slot, mpa_t table)
{
	CHECK(!pt_is_present(format, *slot));
	pt_store(slot, table.a | format->table);
}
