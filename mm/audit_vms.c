/* SPDX-License-Identifier: BSD-2-Clause */
/* Audit of pmaps, of the counters that follow from them, and of the machine's equation. */
#include "mm/audit.h"
#include "mm/pmap.h"
#include "mm/reserve.h"
#include "mm/share.h"
#include <string.h>

enum { QUEUE_LOOK = 512 };

static const char *const tally_names[TALLIES] = {
	[TALLY_PRIVATE] = "private",     [TALLY_ZERO] = "zero",          [TALLY_SHARED] = "shared",
	[TALLY_BALLOONED] = "ballooned", [TALLY_SWAPPED] = "swapped",    [TALLY_COMPRESSED] = "compressed",
	[TALLY_BUSY] = "busy",           [TALLY_TRANSIT] = "in transit", [TALLY_IN_PLACE] = "in place",
	[TALLY_NARROWED] = "narrowed",   [TALLY_PINNED] = "pinned",
};

/* ---- one entry ---- */

/* Does it name a frame whose own entry says the same?  A broken entry may name anything: the frame table is not everywhere. */
static bool owns_frame(const struct mm_vm *vm, u32 mpn, u32 ppn, u32 *range)
{
	const struct frame *frame = frame_of(mpn);

	return mpn && frame_is_ours(mpn, range) && frame_is_private(mpn) && frame->owner == vm->id && frame->ppn == ppn;
}

static const char *private_fault(const struct mm_vm *vm, u64 entry, u32 ppn, u32 *range)
{
	if (!owns_frame(vm, entry_frame(entry), ppn, range))
		return "names a frame that is not its own";
	if (!(entry & ENTRY_PINNED) != !entry_pins(entry))
		return "PINNED and the pin count disagree";
	if (audit_low_fault(entry))
		return audit_low_fault(entry);
	if ((entry & ENTRY_WATCHED) && (entry & ENTRY_PINNED))
		return "watched and pinned";
	if ((entry & ENTRY_GUARDED) && entry_ceiling(entry) > CEILING_READ)
		return "guarded but writable";
	if ((entry & ENTRY_SAMPLED) && entry_ceiling(entry) != CEILING_NONE)
		return "sampled but accessible";
	return NULL;
}

/* What is wrong with an entry that says it has no frame of its own; NULL: nothing. */
static const char *frameless_fault(u64 entry)
{
	enum page_state state = entry_state(entry);
	u32 frame = entry_frame(entry);

	if (entry_pins(entry) || (entry & ENTRY_PINNED))
		return "pinned without a frame";
	if (state == PAGE_EMPTY && frame && frame != frame_zero)
		return "EMPTY but names a frame";
	if (entry_ceiling(entry) > (state == PAGE_EMPTY && frame ? CEILING_READ : CEILING_NONE))
		return "more rights than it may have";
	return NULL;
}

static bool names_shared(u64 entry, u32 *range)
{
	u32 mpn = entry_frame(entry);

	return mpn && mpn != frame_zero && frame_is_ours(mpn, range) && frame_state(mpn) == FRAME_SHARED;
}

static const char *shared_fault(const struct mm_vm *vm, u64 entry, u32 ppn, u32 *range)
{
	(void)ppn;
	if (!names_shared(entry, range) || frame_of(entry_frame(entry))->owner != vm->group)
		return "shared, but names no shared frame of its group";
	if (entry_ceiling(entry) > CEILING_READ || (entry & (ENTRY_PINNED | ENTRY_GUARDED)))
		return "shared, but writable, pinned or guarded";
	if (share_is_secure(vm->group) && entry_ceiling(entry) != CEILING_NONE)
		return "shared in a secure group, but accessible";
	return NULL;
}

static const char *busy_fault(const struct mm_vm *vm, u64 entry, u32 ppn, u32 *range)
{
	const struct frame *frame = frame_of(entry_frame(entry));

	if (entry_ceiling(entry) != CEILING_NONE || (entry & (ENTRY_PINNED | ENTRY_GUARDED)))
		return "busy, but accessible, pinned or guarded";
	if (entry_part(entry) == BUSY_DROP && !names_shared(entry, range))
		return "drops what is no shared frame";
	if (entry_part(entry) == BUSY_IO)
		return frame_is_ours(entry_frame(entry), range) ? audit_io_fault(vm, entry, ppn) : "in transit without a frame";
	if (entry_part(entry) != BUSY_COPY)
		return NULL;
	if (!frame_is_ours(entry_frame(entry), range) || frame->state != FRAME_COPYING || frame->owner != vm->id ||
	    frame->ppn != ppn)
		return "in transit, but not to a frame of its own";
	return frame_state(frame->next) == FRAME_SHARED ? NULL : "copies what is no shared frame";
}

static const char *empty_fault(const struct mm_vm *vm, u64 entry, u32 ppn, u32 *range)
{
	(void)ppn, (void)range;
	if (entry_frame(entry) == frame_zero && entry_state(entry) == PAGE_EMPTY && share_is_secure(vm->group))
		return "names the zero frame in a secure group";
	return frameless_fault(entry);
}

static const char *compressed_fault(const struct mm_vm *vm, u64 entry, u32 ppn, u32 *range)
{
	(void)range;
	if (entry_ceiling(entry) != CEILING_NONE || entry_pins(entry) || (entry & (ENTRY_PINNED | ENTRY_GUARDED)))
		return "compressed, but accessible, pinned or guarded";
	return store_entry_fault(vm, ppn, compress_place(entry));
}

static const char *swapped_fault(const struct mm_vm *vm, u64 entry, u32 ppn, u32 *range)
{
	(void)range;
	return audit_swapped_fault(vm, entry, ppn);
}

static const char *strange_fault(const struct mm_vm *vm, u64 entry, u32 ppn, u32 *range)
{
	(void)vm, (void)entry, (void)ppn, (void)range;
	return "in a state that nothing enters";
}

static const char *(*const entry_faults[PAGE_STATES])(const struct mm_vm *vm, u64 entry, u32 ppn, u32 *range) = {
	[PAGE_EMPTY] = empty_fault,     [PAGE_PRIVATE] = private_fault, [PAGE_SHARED] = shared_fault,
	[PAGE_BALLOONED] = empty_fault, [PAGE_SWAPPED] = swapped_fault, [PAGE_COMPRESSED] = compressed_fault,
	[PAGE_BUSY] = busy_fault,       [PAGE_DEVICE] = strange_fault,
};

/* What is wrong with it; NULL: nothing. */
static const char *entry_fault(const struct mm_vm *vm, u64 entry, u32 ppn, u32 *range)
{
	enum page_state state = entry_state(entry);

	if (state != PAGE_PRIVATE && (entry & (ENTRY_HOT_IO | ENTRY_LOW)))
		return "marked for I/O without a frame of its own";
	return state < PAGE_STATES ? entry_faults[state](vm, entry, ppn, range) : "in no state";
}

/* ---- one block ---- */

static void recount(const struct block *block, u64 entry, u32 index, u32 found[TALLIES])
{
	enum page_state state = entry_state(entry);
	bool transit = entry_has_transit(entry);

	found[TALLY_ZERO] += state == PAGE_EMPTY && entry_frame(entry);
	found[TALLY_SHARED] += state == PAGE_SHARED;
	found[TALLY_BALLOONED] += state == PAGE_BALLOONED;
	found[TALLY_SWAPPED] += state == PAGE_SWAPPED;
	found[TALLY_COMPRESSED] += state == PAGE_COMPRESSED;
	found[TALLY_BUSY] += state == PAGE_BUSY && !transit;
	found[TALLY_TRANSIT] += transit;
	if (state != PAGE_PRIVATE)
		return;
	found[TALLY_PRIVATE]++;
	found[TALLY_IN_PLACE] += block->reserve && entry_frame(entry) == block->reserve + index;
	found[TALLY_NARROWED] += entry_ceiling(entry) != CEILING_ALL;
	found[TALLY_PINNED] += (entry & ENTRY_PINNED) != 0;
}

static void check_block(struct audit *audit, const struct mm_vm *vm, const struct block *block, u32 number)
{
	const u64 *entries = pmap_entries(block);
	u32 base = pmap_block_ppn(vm, number).n;
	u32 found[TALLIES] = { 0 };
	u32 range = 0, hot = 0;

	for (u32 i = 0; i < LARGE_PAGES; i++) {
		if (!entries[i])
			continue;
		const char *fault =
			i < pmap_block_pages(vm, number) ? entry_fault(vm, entries[i], base + i, &range) : "beyond memory";

		if (fault)
			audit_report(audit, "VM %u page 0x%x: %s (entry 0x%llx)", vm->id, base + i, fault,
				     (unsigned long long)entries[i]);
		recount(block, entries[i], i, found);
		audit->state.references += entry_has_reference(entries[i]);
		audit->state.copying += entry_state(entries[i]) == PAGE_BUSY && entry_part(entries[i]) == BUSY_COPY;
		hot += (entries[i] & ENTRY_HOT_IO) != 0;
	}
	if (hot != block->hot)
		audit_report(audit, "VM %u block 0x%x: %u pages hot, but the counter says %u", vm->id, base, hot, block->hot);
	for (u32 i = 0; i < TALLIES; i++) {
		if (found[i] != block->tally[i])
			audit_report(audit, "VM %u block 0x%x: %u pages %s, but the counter says %u", vm->id, base, found[i],
				     tally_names[i], block->tally[i]);
	}
	if (block->large && !reserve_is_whole(block))
		audit_report(audit, "VM %u block 0x%x: a large mapping of pages that are not alike", vm->id, base);
}

/* The VM under audit, locked, or NULL when vm_cursor is at the end. Skips numbers that are free. */
static struct mm_vm *lock_current(struct audit *audit)
{
	for (u64 *id = &audit->public_->vm_cursor; *id < VM_IDS; ++*id) {
		struct mm_vm *vm = vm_lock_id((u32)*id);

		if (vm)
			return vm;
		audit->public_->cursor = 0;
	}
	return NULL;
}

static void next_vm(struct audit *audit)
{
	audit->public_->vm_cursor++;
	audit->public_->cursor = 0;
	audit->state.restarts = 0;
}

/* They are summed over many steps: compared only if nothing moved. */
static void compare_references(struct audit *audit, const struct mm_vm *vm)
{
	const struct audit_state *state = &audit->state;

	if (state->generation != vm->generation)
		return;
	if (state->references != vm->references)
		audit_report(audit, "VM %u: %llu pages name shared frames, but its counter says %llu", vm->id,
			     (unsigned long long)state->references, (unsigned long long)vm->references);
	if (!vm->release_phase && state->copying != vm->copying_count)
		audit_report(audit, "VM %u: %llu pages wait for a copy, but its counter says %u", vm->id,
			     (unsigned long long)state->copying, vm->copying_count);
}

/* vm_cursor: VM; cursor: block. */
bool audit_blocks(struct audit *audit)
{
	struct mm_vm *vm = lock_current(audit);
	u64 *number = &audit->public_->cursor;

	if (!vm)
		return true;
	u32 blocks = pmap_block_count(vm);
	const struct block *block = NULL;

	if (*number == 0) {
		audit->state.references = audit->state.copying = 0;
		audit->state.generation = vm->generation;
	}

	while (*number < blocks) {
		/* A directory that does not exist is one look, not 128. */
		u64 step = vm->directories[*number / DIRECTORY_BLOCKS] ? 1 : DIRECTORY_BLOCKS - *number % DIRECTORY_BLOCKS;

		block = pmap_block(vm, (u32)*number);
		if (block && block->entries)
			break;
		*number += step;
	}
	if (*number < blocks) {
		check_block(audit, vm, block, (u32)*number);
		++*number;
	} else {
		compare_references(audit, vm);
		next_vm(audit);
	}
	vm_unlock(vm);
	return false;
}

/* ---- a VM's counters ---- */

static void add_directory(struct audit *audit, const struct mm_vm *vm, u32 directory)
{
	const struct block *blocks = platform_frame((mpn_t){ vm->directories[directory] });

	for (u32 i = 0; i < DIRECTORY_BLOCKS; i++) {
		for (u32 tally = 0; tally < TALLIES; tally++)
			audit->state.tallies[tally] += blocks[i].tally[tally];
		audit->state.tallies[AUDIT_LARGE] += blocks[i].large;
		audit->state.tallies[AUDIT_TABLES] += blocks[i].entries != 0;
		audit->state.tallies[AUDIT_HOT] += blocks[i].hot;
	}
	audit->state.tallies[AUDIT_TABLES]++;
}

/* The frames that wait, as far as QUEUE_LOOK: each a debt of this VM, oldest first, as many as it counts. */
static void check_queue(struct audit *audit, const struct mm_vm *vm)
{
	u32 last = 0, epoch = 0, range = 0;
	u64 length = 0;

	for (u32 mpn = vm->debt_first; mpn && length < QUEUE_LOOK; mpn = frame_of(mpn)->next, length++) {
		if (!frame_is_ours(mpn, &range) || frame_state(mpn) != FRAME_DEBT || frame_of(mpn)->owner != vm->id) {
			audit_report(audit, "VM %u: frame 0x%x waits in its queue, but is no debt of it", vm->id, mpn);
			return;
		}
		u32 age = (u32)vm->last_epoch - frame_of(mpn)->epoch;

		if (length && age > (u32)vm->last_epoch - epoch)
			audit_report(audit, "VM %u: frame 0x%x waits behind a younger one", vm->id, mpn);
		epoch = frame_of(mpn)->epoch;
		last = mpn;
	}
	if (length < QUEUE_LOOK && (length != vm->debt_frames || last != vm->debt_last))
		audit_report(audit, "VM %u: %llu frames wait in its queue, but its counter says %llu", vm->id,
			     (unsigned long long)length, (unsigned long long)vm->debt_frames);
}

static void compare_sums(struct audit *audit, const struct mm_vm *vm)
{
	const u32 *found = audit->state.tallies;

	for (u32 i = 0; i < TALLIES; i++) {
		if (found[i] != vm->tally[i])
			audit_report(audit, "VM %u: %u pages %s, but its counter says %llu", vm->id, found[i], tally_names[i],
				     (unsigned long long)vm->tally[i]);
	}
	if (found[AUDIT_LARGE] != vm->large_blocks)
		audit_report(audit, "VM %u: %u large mappings, but its counter says %llu", vm->id, found[AUDIT_LARGE],
			     (unsigned long long)vm->large_blocks);
	if (found[AUDIT_TABLES] != vm->pmap_pages)
		audit_report(audit, "VM %u: %u pages of entries and directories, but its counter says %llu", vm->id,
			     found[AUDIT_TABLES], (unsigned long long)vm->pmap_pages);
	if (found[AUDIT_HOT] != vm->iopage.hot)
		audit_report(audit, "VM %u: %u pages hot, but its counter says %llu", vm->id, found[AUDIT_HOT],
			     (unsigned long long)vm->iopage.hot);
	u64 pages = 0;

	for (u32 i = 0; i < TALLY_PAGES; i++)
		pages += vm->tally[i];
	if (pages > vm->max_pages)
		audit_report(audit, "VM %u: more pages than it has", vm->id);
}

/* vm_cursor: VM; cursor: directory (256 MiB; a VM of one directory is summed in one step, under its lock). */
bool audit_sums(struct audit *audit)
{
	struct mm_vm *vm = lock_current(audit);
	u64 *directory = &audit->public_->cursor;

	if (!vm)
		return true;
	if (*directory == 0) {
		const char *fault = store_fault(vm);

		if (fault)
			audit_report(audit, "VM %u: broken: %s", vm->id, fault);
		check_queue(audit, vm);
		audit_moves(audit, vm);
		memset(audit->state.tallies, 0, sizeof(audit->state.tallies));
		audit->state.generation = vm->generation;
	}
	while (*directory < VM_DIRECTORIES && !vm->directories[*directory])
		++*directory;
	if (*directory < VM_DIRECTORIES)
		add_directory(audit, vm, (u32)(*directory)++);
	while (*directory < VM_DIRECTORIES && !vm->directories[*directory])
		++*directory;
	if (audit->state.generation != vm->generation) {
		if (audit_again(audit, "a VM"))
			*directory = 0;
		else
			next_vm(audit);
	} else if (*directory == VM_DIRECTORIES) {
		compare_sums(audit, vm);
		next_vm(audit);
	}
	vm_unlock(vm);
	return false;
}

/* ---- the machine ---- */

struct machine_sums {
	u64 private_, zero, references, debt, set_aside, swapped, waiting;
};

static void sum_vms(struct machine_sums *sums)
{
	*sums = (struct machine_sums){ 0 };
	for (u32 id = 1; id <= vm_highest_id(); id++) {
		struct mm_vm *vm = vm_lock_id(id);

		if (!vm)
			continue;
		sums->private_ += vm->tally[TALLY_PRIVATE] + vm->tally[TALLY_TRANSIT];
		sums->references += vm->references;
		sums->swapped += vm->tally[TALLY_SWAPPED];
		sums->zero += vm->tally[TALLY_ZERO];
		sums->debt += vm->debt_frames;
		sums->set_aside += vm->set_aside;
		sums->waiting += vm->iopage.waiting;
		vm_unlock(vm);
	}
}

/* Other CPUs go on between two looks: only what is wrong each of AUDIT_RESTARTS times is a finding. */
bool audit_machine(struct audit *audit)
{
	struct machine_sums sums;
	struct share_totals shared;
	struct mm_swap_totals swap;
	u64 all = 0;

	sum_vms(&sums);
	share_totals(&shared);
	mm_swap_totals(&swap);
	for (u32 kind = 0; kind < FRAME_CLASSES; kind++)
		all += frame_count((enum frame_class)kind);
	const struct {
		const char *what;
		u64 found, counted;
	} rows[] = {
		{ "classes of frames against the total", all, frame_counts.total },
		{ "private pages against private frames", sums.private_, frame_count(CLASS_PRIVATE) },
		{ "pages that name the zero frame against its references", sums.zero,
		  __atomic_load_n(&frame_of(frame_zero)->references, __ATOMIC_RELAXED) },
		{ "pages that name shared frames against their references", sums.references, shared.references },
		{ "shared frames and the zero frame", shared.frames + 1, frame_count(CLASS_SHARED) },
		{ "frames that wait for a debt", sums.debt, frame_count(CLASS_DEBT) },
		{ "pages in the swap area against its slots", sums.swapped, swap.used },
		{ "slots in requests against their counter", swap_moving(), swap.moving },
		{ "pages that wait to move down", sums.waiting, iopage_waiting() },
		{ "frames set aside", sums.set_aside, __atomic_load_n(&frame_counts.set_aside, __ATOMIC_RELAXED) },
	};
	bool right = true;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		right &= rows[i].found == rows[i].counted;
	if (!right && ++audit->state.restarts < AUDIT_RESTARTS)
		return false;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].found != rows[i].counted)
			audit_report(audit, "%s: %llu, but %llu", rows[i].what, (unsigned long long)rows[i].found,
				     (unsigned long long)rows[i].counted);
	}
	return true;
}
