/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EPT: a cache of the pmap.  Called with the VM's lock held, so tables have one writer; the processor itself sets accessed and dirty
 * flags at any moment, so what overwrites a present entry does so by one atomic operation.  Entries that are not present are
 * all zero: nothing for a speculative load to follow (L1TF).
 */
#include "vmx/ept.h"
#include "kernel/core/step.h"
#include "vmx/caps.h"
#include "vmx/insn.h"
#include "vmx/mitigations.h"

enum { LEVEL_LARGE = 2, DROP_BATCH = 16 };

static const u64 rights_of[] = {
	[CEILING_NONE] = 0,
	[CEILING_READ] = EPT_READ | EPT_EXECUTE,
	[CEILING_ALL] = EPT_RIGHTS,
};

/* Large leaves: see mitigations.def, ITLB_MULTIHIT. */
static u64 rights_at(u32 level, enum mm_ceiling ceiling)
{
	u64 rights = rights_of[ceiling];

	return level > 1 && mitigation_large_not_executable() ? rights & ~EPT_EXECUTE : rights;
}

/* ---- tables ---- */

static err_t new_table(struct ept *ept, mpn_t *table)
{
	err_t error = mm_overhead_alloc(0, table);

	if (error)
		return error;
	platform_zero_frame(*table);
	ept->table_pages++;
	return OK;
}

static void free_table(struct ept *ept, mpn_t table, struct mm_debt debt)
{
	CHECK(ept->table_pages > 1);
	ept->table_pages--;
	mm_overhead_free_after(ept->vm_id, table, debt);
}

static struct mm_debt publish(const struct ept *ept)
{
	return (struct mm_debt){ step_publish(ept->vm_id) };
}

err_t ept_init(struct ept *ept, u32 vm_id)
{
	*ept = (struct ept){ .vm_id = vm_id };
	err_t error = new_table(ept, &ept->root);

	if (error)
		return error;
	ept->eptp = mpa_of(ept->root).a | (pt_ept.levels - 1) << 3 | 6 | (vmx_caps.ept_dirty ? BIT(6) : 0);
	return OK;
}

void ept_destroy(struct ept *ept)
{
	if (ept->root.n == 0)
		return;
	CHECK(ept->table_pages == 1);
	mm_overhead_free(ept->root, 0);
	*ept = (struct ept){ 0 };
}

/* ---- fill ---- */

/*
 * A table of small leaves in place of a large one, all executable, with everything marked accessed and dirty: nobody knows.
 * `stays`: EPT_STAYS_SPLIT or 0.
 */
static err_t split(struct ept *ept, u64 *slot, u64 stays)
{
	mpa_t frame = pt_address(&pt_ept, *slot);
	u64 flags = vmx_caps.ept_dirty ? EPT_ACCESSED | EPT_DIRTY : 0;
	u64 rights = *slot & EPT_RIGHTS;
	mpn_t table;
	err_t error = new_table(ept, &table);

	if (error)
		return error;
	rights |= rights & EPT_READ ? EPT_EXECUTE : 0;
	u64 *entries = pt_entries(mpa_of(table));
	for (u32 i = 0; i < PT_ENTRIES; i++)
		entries[i] = pt_leaf(&pt_ept, (mpa_t){ frame.a + ((u64)i << PAGE_SHIFT) }, 1, rights, EPT_WRITE_BACK | flags);
	pt_store(slot, mpa_of(table).a | pt_ept.table | stays);
	return OK;
}

/* Build what is missing from `level` (an empty slot) down to the leaf, then publish it with one store. */
static err_t link_leaf(struct ept *ept, u64 *slot, u32 level, u32 target, u64 address, u64 leaf)
{
	mpn_t tables[4];
	u32 count = level - target;

	CHECK(count < ARRAY_SIZE(tables) && *slot == 0);
	for (u32 i = 0; i < count; i++) {
		err_t error = new_table(ept, &tables[i]);

		if (!error)
			continue;
		while (i--) {
			mm_overhead_free(tables[i], 0);
			ept->table_pages--;
		}
		return error;
	}
	u64 entry = leaf;
	for (u32 i = 0; i < count; i++) {
		pt_entries(mpa_of(tables[i]))[pt_index(address, target + i)] = entry;
		entry = mpa_of(tables[i]).a | pt_ept.table;
	}
	pt_store(slot, entry);
	return OK;
}

/* A large leaf takes a table's place: the same frames, so a CPU may use either until the debt is settled. */
static err_t replace_table(struct ept *ept, u64 *slot, u64 leaf)
{
	mpn_t table = mpn_of(pt_address(&pt_ept, *slot));

	if (*slot & EPT_STAYS_SPLIT)
		return E_UNSUPPORTED;
	pt_store(slot, leaf);
	free_table(ept, table, publish(ept));
	return OK;
}

/* More rights for a leaf that is there; its flags may change under us. */
static void widen(u64 *slot, u64 leaf)
{
	CHECK(pt_address(&pt_ept, *slot).a == pt_address(&pt_ept, leaf).a);
	__atomic_or_fetch(slot, leaf & EPT_RIGHTS, __ATOMIC_ACQ_REL);
}

err_t ept_fill(struct ept *ept, ppn_t ppn, mpn_t mpn, u32 pages, enum mm_ceiling ceiling)
{
	u32 target = pages == 1 ? 1 : LEVEL_LARGE;
	u64 address = gpa_of(ppn).a;
	u32 level;

	CHECK(ept->root.n && (u32)ceiling < ARRAY_SIZE(rights_of));
	CHECK((pages == 1 || pages == LARGE_PAGES) && ppn.n % pages == 0 && mpn.n % pages == 0);
	if (ceiling == CEILING_NONE)
		return OK;
	if (target == LEVEL_LARGE && !vmx_caps.ept_large)
		return E_UNSUPPORTED;
	u64 leaf = pt_leaf(&pt_ept, mpa_of(mpn), target, rights_at(target, ceiling), EPT_WRITE_BACK);
	u64 *slot = pt_walk(&pt_ept, mpa_of(ept->root), address, target, &level);

	if (!pt_is_present(&pt_ept, *slot))
		return link_leaf(ept, slot, level, target, address, leaf);
	if (level > target) {
		/* A large leaf covers the page: if it lacks a right, that is to execute, and it would lack it again. */
		CHECK(pt_address(&pt_ept, *slot).a + (address % (1ULL << LARGE_SHIFT)) == mpa_of(mpn).a);
		return split(ept, slot, (*slot & rights_of[ceiling]) == rights_of[ceiling] ? 0 : EPT_STAYS_SPLIT);
	}
	if (pt_is_table(&pt_ept, *slot, level))
		return replace_table(ept, slot, leaf);
	widen(slot, leaf);
	return OK;
}

/* ---- over a range of leaves ---- */

struct leaves {
	struct ept *ept;
	u64 next, end; /* page numbers */
	u64 *slot;     /* of `next`, where it is known: neighbours in a table need no walk */
	u32 level;
	u64 first; /* of the leaf returned last */
};

static struct leaves leaves_of(struct ept *ept, ppn_t ppn, u32 pages)
{
	return (struct leaves){ .ept = ept, .next = ppn.n, .end = (u64)ppn.n + pages };
}

/* The next present leaf's slot, or NULL. */
static u64 *next_leaf(struct leaves *at)
{
	while (at->next < at->end) {
		if (!at->slot || at->level > 1 || at->next % PT_ENTRIES == 0)
			at->slot = pt_walk(&pt_ept, mpa_of(at->ept->root), at->next << PAGE_SHIFT, 1, &at->level);
		else
			at->slot++;
		u64 covers = pt_level_pages(at->level);

		at->first = at->next & ~(covers - 1);
		at->next = at->first + covers;
		if (pt_is_present(&pt_ept, *at->slot))
			return at->slot;
	}
	return NULL;
}

/* Does the leaf returned last reach beyond the range that began at `begin`? */
static bool sticks_out(const struct leaves *at, u64 begin)
{
	return at->first < begin || at->next > at->end;
}

static void narrow_leaf(u64 *slot, enum mm_ceiling ceiling)
{
	u64 entry = pt_load(slot);

	if (((entry & EPT_RIGHTS) & ~rights_of[ceiling]) == 0)
		return;
	if (ceiling == CEILING_NONE)
		__atomic_store_n(slot, 0, __ATOMIC_RELEASE);
	else
		__atomic_and_fetch(slot, ~EPT_RIGHTS | rights_of[ceiling], __ATOMIC_ACQ_REL);
}

struct mm_debt ept_narrow(struct ept *ept, ppn_t ppn, u32 pages, enum mm_ceiling ceiling)
{
	struct leaves at = leaves_of(ept, ppn, pages);
	u64 *slot;

	CHECK((u32)ceiling < ARRAY_SIZE(rights_of));
	while (ceiling != CEILING_ALL && (slot = next_leaf(&at)) != NULL) {
		if (at.level > 1 && sticks_out(&at, ppn.n)) {
			/* Split and look again; without memory for that, the whole leaf goes: its pages fault and come back. */
			if (split(ept, slot, 0)) {
				pt_store(slot, 0);
				continue;
			}
			at.next = max_u64(at.first, ppn.n);
			at.slot = NULL;
			continue;
		}
		narrow_leaf(slot, ceiling);
	}
	return publish(ept); /* whatever there was: a pointer of the kernel's leaves no trace here */
}

/* The pages of the range that begins at `begin`, a bit each, that the leaf returned last maps. */
static u64 covered_pages(const struct leaves *at, u64 begin)
{
	u64 first = max_u64(at->first, begin) - begin;
	u64 end = min_u64(at->next, at->end) - begin;

	return (end < 64 ? BIT(end) : 0) - BIT(first);
}

struct mm_debt ept_harvest(struct ept *ept, ppn_t ppn, u32 pages, struct mm_harvest *seen)
{
	const u64 flags = EPT_ACCESSED | EPT_DIRTY;
	struct leaves at = leaves_of(ept, ppn, pages);
	u64 *slot;

	CHECK(pages <= HARVEST_PAGES);
	*seen = (struct mm_harvest){ .known = vmx_caps.ept_dirty };
	while (seen->known && (slot = next_leaf(&at)) != NULL) {
		if (!(pt_load(slot) & flags))
			continue;
		u64 old = __atomic_fetch_and(slot, ~flags, __ATOMIC_ACQ_REL);

		u64 covered = covered_pages(&at, ppn.n);

		seen->touched |= old & EPT_ACCESSED ? covered : 0;
		seen->changed |= old & EPT_DIRTY ? covered : 0;
	}
	return seen->touched || seen->changed ? publish(ept) : (struct mm_debt){ 0 };
}

/* ---- drop ---- */

struct drop {
	mpn_t tables[DROP_BATCH];
	u32 count;
	bool full;
};

static void cut(struct drop *drop, u64 *slot)
{
	drop->tables[drop->count++] = mpn_of(pt_address(&pt_ept, *slot));
	pt_store(slot, 0);
}

/*
 * Cut off the tables below `slot`, deepest first, until the batch is full: a table goes only when nothing hangs below it, so all
 * that is left can still be found.  The depth is that of the format.
 */
static void drop_below(struct drop *drop, u64 *slot, u32 level)
{
	u64 *entries = pt_entries(pt_address(&pt_ept, *slot));

	for (u32 i = 0; level > LEVEL_LARGE && i < PT_ENTRIES && !drop->full; i++)
		if (pt_is_table(&pt_ept, entries[i], level - 1))
			drop_below(drop, &entries[i], level - 1);
	if (!drop->full)
		cut(drop, slot);
	drop->full = drop->count == DROP_BATCH;
}

struct mm_debt ept_drop(struct ept *ept, bool *more)
{
	struct drop drop = { .count = 0 };

	*more = false;
	if (ept->root.n == 0)
		return (struct mm_debt){ 0 };
	u64 *root = pt_entries(mpa_of(ept->root));
	for (u32 i = 0; i < PT_ENTRIES && !drop.full; i++)
		if (pt_is_present(&pt_ept, root[i]))
			drop_below(&drop, &root[i], pt_ept.levels);
	struct mm_debt debt = publish(ept);

	for (u32 i = 0; i < drop.count; i++)
		free_table(ept, drop.tables[i], debt);
	*more = drop.full;
	return debt;
}

void ept_invalidate(const struct ept *ept)
{
	vmx_invept(INVALIDATE_SINGLE, ept->eptp);
}

/* ---- audit ---- */

bool ept_audit(const struct ept *ept, ppn_t ppn, mpn_t mpn, enum mm_ceiling ceiling)
{
	u32 level;

	if (ept->root.n == 0)
		return true;
	u64 entry = *pt_walk(&pt_ept, mpa_of(ept->root), gpa_of(ppn).a, 1, &level);

	if (!pt_is_present(&pt_ept, entry))
		return entry == 0;
	u64 offset = gpa_of(ppn).a & ((pt_level_pages(level) << PAGE_SHIFT) - 1);

	return pt_address(&pt_ept, entry).a + offset == mpa_of(mpn).a && !((entry & EPT_RIGHTS) & ~rights_of[ceiling]);
}
