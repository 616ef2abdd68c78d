/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/walk.h"
#include "vmx/cpuid.h"
#include "vmx/machine.h"
#include <string.h>

enum { FAULT_PRESENT = 1, FAULT_WRITE = 2, FAULT_USER = 4, FAULT_RESERVED = 8, FAULT_FETCH = 16 };

#define ENTRY_PRESENT BIT(0)
#define ENTRY_WRITE BIT(1)
#define ENTRY_USER BIT(2)
#define ENTRY_ACCESSED BIT(5)
#define ENTRY_DIRTY BIT(6)
#define ENTRY_LARGE BIT(7)
#define ENTRY_NX BIT(63)
#define ENTRY_ADDRESS 0x000ffffffffff000ULL

#define RFLAGS_AC BIT(18)

enum { MARK_TRIES = 4 }; /* against a CPU that never stops changing the entry */

/* One level of tables: which address bits choose in it, whether an entry may be a leaf, which bits fault beside those of too large an address. */
struct paging_level {
	u32 shift; /* an entry maps 1 << shift bytes */
	u64 large; /* ENTRY_LARGE, where it marks a leaf */
	u64 reserved, reserved_large;
};

struct paging {
	u32 levels;
	u32 entry_shift; /* log2 of an entry's bytes */
	struct paging_level level[WALK_LEVELS + 1];
};

#define PAE_RESERVED 0x7ff0000000000000ULL

static const struct paging paging_32 = {
	.levels = 2,
	.entry_shift = 2,
	.level = { [1] = { .shift = 12 }, [2] = { .shift = 22 } },
};
static const struct paging paging_32_pse = {
	.levels = 2,
	.entry_shift = 2,
	/* Bits 20:13 of a large page's entry are bits 39:32 of its address. */
	.level = { [1] = { .shift = 12 }, [2] = { .shift = 22, .large = ENTRY_LARGE, .reserved_large = BIT(21) } },
};
/* Its third level is four registers in the VMCS, checked when they were loaded. */
static const struct paging paging_pae = {
	.levels = 2,
	.entry_shift = 3,
	.level = { [1] = { .shift = 12, .reserved = PAE_RESERVED },
		   [2] = { .shift = 21, .large = ENTRY_LARGE, .reserved = PAE_RESERVED, .reserved_large = 0x1fe000 } },
};
static const struct paging paging_4 = {
	.levels = 4,
	.entry_shift = 3,
	.level = { [1] = { .shift = 12 },
		   [2] = { .shift = 21, .large = ENTRY_LARGE, .reserved_large = 0x1fe000 },
		   [3] = { .shift = 30, .large = ENTRY_LARGE, .reserved_large = 0x3fffe000 },
		   [4] = { .shift = 39, .reserved = ENTRY_LARGE } },
};

/* One walk under way. */
struct way {
	struct vcpu *v;
	const struct paging *paging;
	u64 cr0, cr4;
	bool nx; /* EFER.NXE, where entries have the bit */
	u32 access;
	u64 rights; /* AND of all entries */
	u64 denied; /* OR of all entries: NX */
	u32 level;  /* of the leaf */
	gpa_t slot[WALK_LEVELS + 1];
	u64 seen[WALK_LEVELS + 1];
};

/* The error code without its "present" and "reserved" bits. */
static u32 fault_code(const struct way *way)
{
	bool tells_fetch = way->nx || (way->cr4 & CR4_SMEP);

	return (way->access & WALK_WRITE ? FAULT_WRITE : 0) | (way->access & WALK_USER ? FAULT_USER : 0) |
	       ((way->access & WALK_FETCH) && tells_fetch ? FAULT_FETCH : 0);
}

/* ---- down the tables ---- */

static err_t read_entry(const struct way *way, gpa_t slot, u64 *entry)
{
	const struct vcpu_config *config = &way->v->config;
	u32 shift = way->paging->entry_shift;
	void *pointer;
	err_t error = mm_reach(config->mm, config->index, slot, 1U << shift, MM_READ, &pointer);

	if (error)
		return error;
	*entry = shift == 3 ? __atomic_load_n((u64 *)pointer, __ATOMIC_ACQUIRE)
			    : __atomic_load_n((u32 *)pointer, __ATOMIC_ACQUIRE);
	return OK;
}

static gpa_t slot_of(const struct paging *paging, gpa_t table, const struct paging_level *row, u64 linear)
{
	u32 scale = paging->entry_shift;

	return (gpa_t){ table.a + (linear >> (row->shift - scale) & (PAGE_SIZE - 1ULL) >> scale << scale) };
}

static err_t go_down(struct way *way, u64 linear, gpa_t table, u32 *fault)
{
	const struct paging *paging = way->paging;
	/* Too large an address (no 32-bit entry has one), and NX where it does not exist. */
	u64 reserved = (ENTRY_ADDRESS & ~0ULL << cpuid_address_bits(way->v)) | (way->nx ? 0 : ENTRY_NX);

	for (u32 level = paging->levels;; level--) {
		CHECK(level >= 1 && level <= WALK_LEVELS);
		const struct paging_level *row = &paging->level[level];
		gpa_t slot = slot_of(paging, table, row, linear);
		u64 entry;
		err_t error = read_entry(way, slot, &entry);

		if (error)
			return error;
		u64 large = entry & row->large;

		*fault = 0;
		if (!(entry & ENTRY_PRESENT))
			return E_INVALID;
		*fault = FAULT_PRESENT | FAULT_RESERVED;
		if (entry & (row->reserved | reserved | (large ? row->reserved_large : 0)))
			return E_INVALID;
		way->rights &= entry;
		way->denied |= entry;
		way->slot[level] = slot;
		way->seen[level] = entry;
		way->level = level;
		if (large || level == 1)
			return OK;
		table.a = entry & ENTRY_ADDRESS;
	}
}

/* ---- rights: SDM vol. 3A, 4.6.1 ---- */

static bool is_allowed(const struct way *way)
{
	bool user_page = (way->rights & ENTRY_USER) != 0;
	bool write = (way->access & WALK_WRITE) && !(way->rights & ENTRY_WRITE);

	if (way->access & WALK_FETCH && way->nx && (way->denied & ENTRY_NX))
		return false;
	if (way->access & WALK_USER)
		return user_page && !write;
	if ((way->access & WALK_FETCH) && user_page && (way->cr4 & CR4_SMEP))
		return false;
	if (!(way->access & WALK_FETCH) && user_page && (way->cr4 & CR4_SMAP) && !(vmcs_read(GUEST_RFLAGS) & RFLAGS_AC))
		return false;
	return !write || !(way->cr0 & CR0_WP);
}

static u64 leaf_address(const struct way *way, u64 linear)
{
	u64 leaf = way->seen[way->level];
	u64 within = BIT(way->paging->level[way->level].shift) - 1;
	u64 frame = leaf & ENTRY_ADDRESS & ~within;

	if (way->paging == &paging_32_pse && way->level == 2)
		frame |= (leaf >> 13 & 0xff) << 32;
	return frame | (linear & within);
}

/* ---- accessed and dirty flags ---- */

static u64 missing_flags(const struct way *way, u32 level)
{
	bool dirties = level == way->level && (way->access & WALK_WRITE);

	return (ENTRY_ACCESSED | (dirties ? ENTRY_DIRTY : 0)) & ~way->seen[level];
}

static err_t gather_marks(const struct way *way, struct walk *walk)
{
	const struct vcpu_config *config = &way->v->config;

	walk->entry_bytes = 1U << way->paging->entry_shift;
	for (u32 level = way->paging->levels; level >= way->level; level--) {
		CHECK(walk->marks < WALK_LEVELS);
		struct walk_entry *mark = &walk->mark[walk->marks];

		mark->missing = missing_flags(way, level);
		mark->seen = way->seen[level];
		if (!mark->missing)
			continue;
		err_t error = mm_reach(config->mm, config->index, way->slot[level], walk->entry_bytes, MM_WRITE, &mark->slot);

		if (error)
			return error;
		walk->marks++;
	}
	return OK;
}

/* If the entry is still `*seen`: with `set`.  Else what it is now. */
static bool exchange(const struct walk *walk, void *slot, u64 *seen, u64 set)
{
	u32 seen32 = (u32)*seen;

	if (walk->entry_bytes == 8)
		return __atomic_compare_exchange_n((u64 *)slot, seen, *seen | set, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	bool same =
		__atomic_compare_exchange_n((u32 *)slot, &seen32, seen32 | (u32)set, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

	*seen = seen32;
	return same;
}

/* Flags that another operand of the same instruction, or another CPU, has set meanwhile are no change. */
static bool mark_entry(const struct walk *walk, const struct walk_entry *mark)
{
	u64 seen = mark->seen;

	for (u32 i = 0; i < MARK_TRIES; i++) {
		if (exchange(walk, mark->slot, &seen, mark->missing))
			return true;
		if ((seen ^ mark->seen) & ~(ENTRY_ACCESSED | ENTRY_DIRTY))
			return false;
	}
	return false;
}

bool walk_mark(const struct walk *walk)
{
	for (u32 i = 0; i < walk->marks; i++)
		if (!mark_entry(walk, &walk->mark[i]))
			return false;
	return true;
}

/* ---- which paging ---- */

static err_t start(struct way *way, u64 linear, gpa_t *table)
{
	u64 efer = vmcs_read(GUEST_EFER);

	*table = (gpa_t){ vmcs_read(GUEST_CR3) & ENTRY_ADDRESS };
	way->nx = (efer & EFER_NXE) && (way->cr4 & CR4_PAE);
	way->paging = efer & EFER_LMA      ? &paging_4
		      : way->cr4 & CR4_PAE ? &paging_pae
		      : way->cr4 & CR4_PSE ? &paging_32_pse
					   : &paging_32;
	if (way->paging != &paging_pae)
		return OK;
	u64 pdpte = vmcs_read(((struct vmcs_64){ GUEST_PDPTE0.encoding + 2 * (u32)(linear >> 30 & 3) }));

	*table = (gpa_t){ pdpte & ENTRY_ADDRESS };
	return pdpte & ENTRY_PRESENT ? OK : E_INVALID;
}

err_t walk_find(struct vcpu *v, gva_t linear, u32 access, struct walk *walk)
{
	struct way way; /* its arrays are filled on the way down */
	gpa_t table;
	u32 fault = 0;

	walk->marks = 0;
	walk->address = (gpa_t){ linear.a };
	way.cr0 = vcpu_cr0();
	if (!(way.cr0 & CR0_PG))
		return OK;
	way.v = v;
	way.cr4 = vcpu_cr4();
	way.access = access;
	way.rights = ~0ULL;
	way.denied = 0;
	err_t error = start(&way, linear.a, &table);

	if (!error)
		error = go_down(&way, linear.a, table, &fault);
	if (!error && !is_allowed(&way)) {
		fault = FAULT_PRESENT;
		error = E_INVALID;
	}
	if (error == E_INVALID)
		walk->fault = fault | fault_code(&way);
	if (error)
		return error;
	walk->address.a = leaf_address(&way, linear.a);
	return access & WALK_FETCH ? OK : gather_marks(&way, walk);
}
