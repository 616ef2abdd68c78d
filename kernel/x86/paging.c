/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/paging.h"
#include "boot/bootinfo.h"
#include "kernel/x86/cpu.h"
#include <string.h>

#define AREA_BASE 0xffffc00000000000ULL
#define AREA_END 0xffffd00000000000ULL
#define CANONICAL_LOW_END 0x0000800000000000ULL
#define CANONICAL_HIGH 0xffff800000000000ULL

enum { KERNEL_HALF = PT_ENTRIES / 2 };

static mpa_t root;
static struct paging_source source;
static u64 area_next = AREA_BASE;

u64 *pt_entries(mpa_t table)
{
	return (u64 *)(DIRECT_MAP_BASE + table.a);
}

/* Global entries too: only a change of CR4.PGE drops those (SDM vol. 3A, 4.10.4.1). */
static void flush_all(void)
{
	u64 cr4 = cr4_read();

	CHECK(cr4 & CR4_PGE);
	cr4_write(cr4 & ~CR4_PGE);
	cr4_write(cr4);
}

void paging_init(mpa_t loader_root, struct paging_source frames)
{
	CHECK(root.a == 0 && loader_root.a == (cr3_read() & pt_x86.address));
	root = loader_root;
	source = frames;
	memset(pt_entries(root), 0, KERNEL_HALF * sizeof(u64));
	flush_all();
}

void paging_set_source(struct paging_source frames)
{
	CHECK(frames.take != NULL);
	source = frames;
}

mpa_t paging_root(void)
{
	CHECK(root.a != 0);
	return root;
}

void *paging_reserve(u64 bytes)
{
	u64 start = area_next + PAGE_SIZE;
	u64 pages = (bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;

	CHECK(bytes > 0 && bytes < AREA_END - AREA_BASE);
	area_next = start + (pages << PAGE_SHIFT);
	CHECK(area_next + PAGE_SIZE <= AREA_END);
	return (void *)start;
}

/* By PAT_VALUE of features.c. */
static u64 type_bits(enum paging_type type)
{
	static const u64 bits[] = {
		[PAGING_CACHED] = 0,
		[PAGING_COMBINING] = PT_X86_WRITE_THROUGH,
		[PAGING_UNCACHED] = PT_X86_UNCACHED | PT_X86_WRITE_THROUGH,
	};

	CHECK((u32)type < ARRAY_SIZE(bits));
	return bits[type];
}

static err_t take_table(struct paging_source frames, mpa_t *table)
{
	err_t error = frames.take(frames.context, table);

	if (error)
		return error;
	CHECK(table->a != 0 && table->a % PAGE_SIZE == 0);
	memset(pt_entries(*table), 0, PAGE_SIZE);
	return OK;
}

err_t paging_map(u64 address, mpa_t frame, enum pt_rights rights, enum paging_type type, struct paging_source tables)
{
	CHECK(address % PAGE_SIZE == 0 && address >= AREA_BASE && address < area_next);
	CHECK(rights == PT_READ || rights == PT_WRITE);
	for (;;) {
		u32 level;
		u64 *slot = pt_walk(&pt_x86, root, address, 1, &level);
		mpa_t table;

		if (pt_is_present(&pt_x86, *slot))
			return E_EXISTS;
		if (level == 1) {
			pt_store(slot, pt_leaf(&pt_x86, frame, 1, pt_x86.leaf[rights], PT_X86_GLOBAL | type_bits(type)));
			return OK;
		}
		err_t error = take_table(tables, &table);
		if (error)
			return error;
		pt_link(&pt_x86, slot, table);
	}
}

void paging_unmap(u64 address)
{
	u32 level;
	u64 *slot = pt_walk(&pt_x86, root, address, 1, &level);

	CHECK(level == 1 && pt_is_present(&pt_x86, *slot));
	pt_store(slot, 0);
	invlpg(address);
}

bool paging_is_mapped(u64 address)
{
	u32 level;

	if (address < CANONICAL_HIGH || root.a == 0)
		return false;
	return pt_is_present(&pt_x86, *pt_walk(&pt_x86, root, address, 1, &level));
}

void *paging_map_device(u64 physical, u64 bytes, enum paging_type type)
{
	u64 offset = physical % PAGE_SIZE;
	u8 *start = paging_reserve(offset + bytes);

	for (u64 at = 0; at < offset + bytes; at += PAGE_SIZE) {
		err_t error = paging_map((u64)start + at, (mpa_t){ physical - offset + at }, PT_WRITE, type, source);

		CHECK(error == OK);
	}
	return start + offset;
}

u64 paging_stack(u64 bytes)
{
	u64 start = (u64)paging_reserve(bytes);

	CHECK(bytes % PAGE_SIZE == 0);
	for (u64 at = 0; at < bytes; at += PAGE_SIZE) {
		mpa_t frame;
		err_t error = take_table(source, &frame);

		CHECK(error == OK);
		error = paging_map(start + at, frame, PT_WRITE, PAGING_CACHED, source);
		CHECK(error == OK);
	}
	return start + bytes;
}

/* The page's translation lies in tables of its own: the live ones never map anything low. */
mpa_t paging_startup_root(mpa_t page, struct paging_source below_4g)
{
	mpa_t top;
	err_t error = take_table(below_4g, &top);
	mpa_t table = top;

	CHECK(error == OK && top.a < BIT(32) && page.a < BIT(20));
	memcpy(&pt_entries(top)[KERNEL_HALF], &pt_entries(root)[KERNEL_HALF], KERNEL_HALF * sizeof(u64));
	for (u32 level = pt_x86.levels; level > 1; level--) {
		mpa_t next;

		error = take_table(below_4g, &next);
		CHECK(error == OK);
		pt_link(&pt_x86, &pt_entries(table)[pt_index(page.a, level)], next);
		table = next;
	}
	pt_store(&pt_entries(table)[pt_index(page.a, 1)], pt_leaf(&pt_x86, page, 1, pt_x86.leaf[PT_EXECUTE], 0));
	return top;
}

/* ---- audit: as the processor combines rights on its way down (SDM vol. 3A, 4.6) ---- */

/* Returns the level of the leaf or hole at `address`; *entry is 0 for a hole. */
static u32 audit_walk(u64 address, u64 *entry, bool *writable, bool *executable)
{
	mpa_t table = root;

	*writable = *executable = true;
	for (u32 level = pt_x86.levels;; level--) {
		*entry = pt_load(&pt_entries(table)[pt_index(address, level)]);
		*writable = *writable && (*entry & PT_X86_WRITE);
		*executable = *executable && !(*entry & PT_X86_NX);
		if (!pt_is_table(&pt_x86, *entry, level))
			return level;
		table = pt_address(&pt_x86, *entry);
	}
}

bool paging_audit_step(u64 *address, u32 entries, paging_finding *bad, void *context)
{
	while (entries-- > 0) {
		u64 entry;
		bool writable, executable;
		u32 level = audit_walk(*address, &entry, &writable, &executable);
		u64 bytes = pt_level_pages(level) << PAGE_SHIFT;

		*address &= ~(bytes - 1);
		if (pt_is_present(&pt_x86, entry) && writable && executable)
			bad(context, *address, bytes, entry);
		*address += bytes;
		if (*address == CANONICAL_LOW_END)
			*address = CANONICAL_HIGH;
		if (*address == 0)
			return false;
	}
	return true;
}

void paging_audit(paging_finding *bad, void *context)
{
	u64 address = 0;

	while (paging_audit_step(&address, PT_ENTRIES, bad, context))
		;
}
