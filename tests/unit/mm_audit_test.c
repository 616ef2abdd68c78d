/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The audit finds what is broken and names it.  Each row breaks one invariant of a machine with two VMs in every state there is; the
 * audit must say so in its words, and must find nothing before and after.
 */
#include "mm/audit.h"
#include "mm/pmap.h"
#include "mm/share.h"
#include "mm/zone.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { A, B, PAGES_A = 1100, LOW_A = 1024, PAGES_B = 512 };
enum {
	OWN = 3,
	ZERO = 20,
	GIVEN_UP = 30,
	PINNED = 40,
	SAMPLED = 41,
	GUARDED = 42,
	BUSY = 50,
	OWED = 60,
	OWED_LATER = 61,
	LAST = PAGES_A - 1
};

/* ---- the machine before it breaks ---- */

static void touch(u32 slot, u32 page, enum mm_access access)
{
	bool stale;
	u8 byte = 1;

	assert_int_equal(fake_touch(slot, 0, gpa_of((ppn_t){ page }), &byte, 1, access, &stale), OK);
}

static int begin(void **state)
{
	mpn_t mpn;
	bool stale;
	u8 byte = 1;

	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	assert_int_equal(fake_vm_start(A, PAGES_A, LOW_A), OK);
	assert_int_equal(fake_vm_start(B, PAGES_B, PAGES_B), OK);
	for (u32 i = 0; i < PAGES_B; i++)
		touch(B, i, MM_WRITE);
	for (u32 i = 0; i < 10; i++)
		touch(A, i, MM_WRITE);
	touch(A, (1 << 20) + 5, MM_WRITE);
	touch(A, ZERO, MM_READ);
	touch(A, BUSY, MM_READ);
	for (u32 i = PINNED; i <= GUARDED; i++)
		touch(A, i, MM_WRITE);
	touch(A, OWED, MM_WRITE);
	touch(A, OWED_LATER, MM_WRITE);
	assert_int_equal(mm_pin(fake_vm(A), 0, (ppn_t){ PINNED }, MM_WRITE, &mpn), OK);
	assert_int_equal(mm_watch(fake_vm(A), (ppn_t){ SAMPLED }, MM_WATCH_SAMPLED), OK);
	assert_int_equal(mm_watch(fake_vm(A), (ppn_t){ GUARDED }, MM_WATCH_GUARDED), OK);
	assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ GIVEN_UP }), OK);
	fake_settle_everything();
	fake_cpu_set(1);
	touch(A, BUSY, MM_READ); /* CPU 1 stays in the guest, so debts stay debts */
	fake_cpu_set(0);
	assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ OWED }), OK);
	assert_int_equal(mm_give_up(fake_vm(A), 0, (ppn_t){ OWED_LATER }), OK);
	assert_int_equal(fake_touch(A, 0, gpa_of((ppn_t){ BUSY }), &byte, 1, MM_WRITE, &stale), E_SUSPEND);
	assert_int_equal(fake_vm(A)->debt_frames, 2);
	fake_audit_memory();
	return 0;
}

/* ---- ways to reach what is broken ---- */

static struct page place_of(u32 slot, u32 ppn)
{
	struct page page;

	lock_acquire(fake_vm(slot)->lock);
	CHECK(pmap_look(fake_vm(slot), (ppn_t){ ppn }, &page));
	lock_release(fake_vm(slot)->lock);
	return page;
}

static u64 *entry(u32 slot, u32 ppn)
{
	return place_of(slot, ppn).slot;
}

static struct block *block(u32 slot, u32 ppn)
{
	return place_of(slot, ppn).block;
}

static u32 mpn_behind(u32 slot, u32 ppn)
{
	return entry_frame(*entry(slot, ppn));
}

static struct frame *frame_behind(u32 slot, u32 ppn)
{
	return frame_of(mpn_behind(slot, ppn));
}

/* A free block of at least two frames. */
static u32 free_block(void)
{
	for (u32 order = 1; order < ZONE_ORDERS; order++)
		for (u32 zone = 0; zone < ZONES; zone++)
			if (zones[zone].heads[order])
				return zones[zone].heads[order];
	fail();
	return 0;
}

/* A block with a neighbour in its list. */
static u32 free_block_with_next(void)
{
	for (u32 order = 0; order < ZONE_ORDERS; order++)
		for (u32 zone = 0; zone < ZONES; zone++)
			if (zones[zone].heads[order] && frame_of(zones[zone].heads[order])->next)
				return zones[zone].heads[order];
	fail();
	return 0;
}

/* ---- the ways to break it ---- */
/* clang-format off */ /* one a line */

/* Frames. */
static void frame_state_unknown(void) { frame_behind(A, OWN)->state = 200; }
static void frame_absent(void) { frame_behind(A, OWN)->state = FRAME_ABSENT; }
static void frame_zone_wrong(void) { frame_behind(A, OWN)->zone ^= 1; }
static void frame_owner_missing(void) { frame_behind(A, OWN)->owner = 77; }
static void frame_owner_other(void) { frame_behind(A, OWN)->owner = B + 1; }
static void frame_owner_beyond(void) { frame_behind(A, OWN)->owner = 1000; }
static void frame_ppn_wrong(void) { frame_behind(A, OWN)->ppn = OWN + 1; }
static void frame_ppn_no_memory(void) { frame_behind(A, OWN)->ppn = LOW_A + 7; }
static void frame_shared_by_nobody(void) { frame_behind(A, OWN)->state = FRAME_SHARED; }
static void frame_retired_but_owned(void) { frame_behind(A, OWN)->state = FRAME_RETIRED; }
static void frame_free_though_named(void) { frame_behind(A, OWN)->state = FRAME_CACHED; }
static void frame_tail_of_nothing(void) { frame_of(frame_zero)->state = FRAME_TAIL; }
static void frame_reserved_elsewhere(void) { frame_of(block(A, 0)->reserve + 100)->ppn = 101; }
static void frame_debt_of_debtless_vm(void)
{
	frame_behind(B, 7)->state = FRAME_DEBT;
}

/* Free lists. */
static void list_head_in_use(void) { frame_of(free_block() + 1)->state = FRAME_CACHED; }
static void list_order_impossible(void) { frame_of(free_block())->order = ZONE_ORDERS; }
static void list_order_unaligned(void)
{
	for (u32 order = 0; order < ZONE_MAX_ORDER; order++) {
		u32 head = zones[ZONE_LOW].heads[order];

		if (head && head % (2U << order)) {
			frame_of(head)->order = order + 1;
			return;
		}
	}
	fail();
}
static void list_broken_back(void) { frame_of(frame_of(free_block_with_next())->next)->previous = 1; }
static void list_broken_front(void) { frame_of(free_block_with_next())->previous = free_block_with_next(); }
static void list_length_wrong(void) { zones[ZONE_LOW].blocks[0]++; }
static void list_head_lost(void)
{
	for (u32 order = 0; order < ZONE_ORDERS; order++)
		zones[ZONE_LOW].heads[order] = 0;
}
static void zone_free_wrong(void) { zones[ZONE_HIGH].free--; }

/* Counters of the machine. */
static void count_free_wrong(void) { frame_counts.of[CLASS_FREE]--; }
static void count_private_wrong(void) { frame_counts.of[CLASS_PRIVATE]++; }
static void count_debt_wrong(void) { frame_counts.of[CLASS_DEBT]++; }
static void count_overhead_wrong(void) { frame_counts.of[CLASS_OVERHEAD] += 3; }
static void count_total_wrong(void) { frame_counts.total++; }
static void count_set_aside_wrong(void) { frame_counts.set_aside++; }
static void zero_references_wrong(void) { frame_of(frame_zero)->references++; }

/* Entries. */
static void entry_takes_anothers_frame(void) { *entry(A, OWN) = *entry(A, OWN + 1); }
static void entry_names_nothing(void) { *entry(A, OWN) &= ~(~0ULL << ENTRY_FRAME_SHIFT); }
static void entry_names_no_memory(void) { *entry(A, OWN) |= 0xf0000000ULL << ENTRY_FRAME_SHIFT; }
static void entry_of_other_vm(void) { *entry(A, OWN) = *entry(B, OWN); }
static void entry_pinned_without_count(void) { *entry(A, OWN) |= ENTRY_PINNED; }
static void entry_count_without_pinned(void) { *entry(A, OWN) += ENTRY_PIN_ONE; }
static void entry_pinned_and_watched(void) { *entry(A, PINNED) |= ENTRY_GUARDED; }
static void entry_guarded_but_writable(void) { *entry(A, GUARDED) = entry_with_ceiling(*entry(A, GUARDED), CEILING_ALL); }
static void entry_sampled_but_readable(void) { *entry(A, SAMPLED) = entry_with_ceiling(*entry(A, SAMPLED), CEILING_READ); }
static void entry_zero_but_pinned(void) { *entry(A, ZERO) += ENTRY_PIN_ONE; }
static void entry_empty_but_named(void) { *entry(A, 100) |= (u64)mpn_behind(A, OWN) << ENTRY_FRAME_SHIFT; }
static void entry_zero_but_writable(void) { *entry(A, ZERO) = entry_with_ceiling(*entry(A, ZERO), CEILING_ALL); }
static void entry_empty_but_readable(void) { *entry(A, 100) = entry_with_ceiling(*entry(A, 100), CEILING_READ); }
static void entry_given_up_but_readable(void) { *entry(A, GIVEN_UP) = entry_with_ceiling(*entry(A, GIVEN_UP), CEILING_READ); }
static void entry_state_unused(void) { *entry(A, OWN) = (*entry(A, OWN) & ~0xfULL) | PAGE_SWAPPED; }
static void entry_state_unknown(void) { *entry(A, OWN) |= 0xf; }
static void entry_beyond_memory(void) { pmap_entries(block(A, (1 << 20) + 5))[PAGES_A - LOW_A] = *entry(A, OWN); }

/* Counters of blocks and VMs. */
static void block_private_wrong(void) { block(A, OWN)->tally[TALLY_PRIVATE]++; }
static void block_zero_wrong(void) { block(A, OWN)->tally[TALLY_ZERO]--; }
static void block_in_place_wrong(void) { block(A, OWN)->tally[TALLY_IN_PLACE]--; }
static void block_pinned_wrong(void) { block(A, OWN)->tally[TALLY_PINNED]++; }
static void block_narrowed_wrong(void) { block(A, OWN)->tally[TALLY_NARROWED] = 0; }
static void block_large_but_narrowed(void)
{
	*entry(B, 9) = entry_with_ceiling(*entry(B, 9), CEILING_READ);
	block(B, 9)->tally[TALLY_NARROWED]++;
	fake_vm(B)->tally[TALLY_NARROWED]++;
}
static void block_not_large_any_more(void) { block(B, 0)->large = false; }
static void block_reserve_lost(void) { block(A, OWN)->reserve = 0; }
static void vm_private_wrong(void) { fake_vm(A)->tally[TALLY_PRIVATE]++; }
static void vm_ballooned_wrong(void) { fake_vm(A)->tally[TALLY_BALLOONED]--; }
static void vm_busy_wrong(void) { fake_vm(A)->tally[TALLY_BUSY]++; }
static void vm_references_wrong(void) { fake_vm(A)->references++; }
static void vm_copying_wrong(void) { fake_vm(A)->copying_count++; }
static void vm_large_wrong(void) { fake_vm(B)->large_blocks++; }
static void vm_tables_wrong(void) { fake_vm(B)->pmap_pages--; }
static void vm_set_aside_wrong(void) { fake_vm(A)->set_aside--; }
static void vm_smaller_than_its_pages(void) { fake_vm(B)->max_pages = PAGES_B - 1; }

/* Promises and targets. */
static void limit_beyond_its_size(void) { fake_vm(B)->limit_pages = PAGES_B + 1; }
static void min_beyond_its_max(void) { fake_vm(B)->limit_pages = PAGES_B - 1; }
static void target_beyond_its_max(void) { fake_vm(B)->balance.target = PAGES_B + 1; }
static void target_below_its_min(void) { fake_vm(B)->balance.target = PAGES_B - 1; }
static void balloon_asked_for_its_min(void) { fake_vm(B)->balloon.target = 1; }
static void promised_less_than_its_min(void) { fake_vm(B)->promise.memory--; }
static void promised_more_than_it_has(void) { fake_vm(B)->promise.swap++; }
static void promised_other_overhead(void) { fake_vm(B)->promise.overhead++; }
static void promised_of_another_pool(void) { fake_vm(B)->promise.pool = 3; }
static void throttled_by_nobody(void)
{
	fake_vm(A)->balance.decisions = 0;
	fake_vm(A)->balance.throttled = 1;
}

/* Debts. */
static void queue_length_wrong(void) { fake_vm(A)->debt_frames++; }
static void queue_cut(void) { frame_of(fake_vm(A)->debt_first)->next = 0; }
static void queue_end_wrong(void) { fake_vm(A)->debt_last = fake_vm(A)->debt_first; }
static void queue_holds_a_private_frame(void) { frame_of(fake_vm(A)->debt_first)->next = mpn_behind(A, OWN); }
static void queue_leads_nowhere(void) { frame_of(fake_vm(A)->debt_first)->next = 0xf0000000; }
static void queue_in_circles(void) { frame_of(fake_vm(A)->debt_last)->next = fake_vm(A)->debt_first; }
static void queue_out_of_order(void) { frame_of(fake_vm(A)->debt_first)->epoch = (u32)fake_vm(A)->last_epoch; }

/* Candidates, and pages that devices cannot reach. */
static void put_candidate(u32 user, u32 at, u32 ppn) { fake_vm(A)->batches[user].candidates[at].ppn = ppn; fake_vm(A)->batches[user].count = at + 1; }
static void batch_too_long(void) { fake_vm(A)->batches[BATCH_MOVE].count = BATCH_PAGES + 1; }
static void batch_closed_but_empty(void) { fake_vm(A)->batches[BATCH_MOVE].closed = true; }
static void candidate_beyond_memory(void) { put_candidate(BATCH_MOVE, 0, LOW_A + 7); }
static void candidate_accessible(void)
{
	put_candidate(BATCH_MOVE, 0, OWN);
	*entry(A, OWN) |= ENTRY_GUARDED;
}
static void candidate_twice(void)
{
	put_candidate(BATCH_MOVE, 0, OWN);
	put_candidate(BATCH_SHARE, 0, OWN);
}
static void hot_uncounted(void) { *entry(A, OWN) |= ENTRY_HOT_IO; }
static void hot_without_frame(void) { *entry(A, ZERO) |= ENTRY_HOT_IO; }
static void low_and_hot_disagree(void) { *entry(A, OWN) |= zone_of(mpn_behind(A, OWN)) == ZONE_LOW ? ENTRY_HOT_IO : ENTRY_LOW; }
static void block_hot_wrong(void) { block(A, OWN)->hot++; }
static void vm_hot_wrong(void) { fake_vm(A)->iopage.hot++; }
static void waiting_wrong(void) { fake_vm(A)->iopage.waiting++; }
static void waiting_too_many(void) { fake_vm(A)->iopage.waiting = IOPAGE_QUEUE + 1; }
static void waits_beyond_memory(void)
{
	fake_vm(A)->iopage.queue[0] = LOW_A + 7;
	fake_vm(A)->iopage.waiting = 1;
}
/* clang-format on */

static const struct {
	const char *name;
	void (*action)(void);
	const char *words; /* somewhere in what is found */
} rows[] = {
#define ROW(action, words)             \
	{                              \
#action, action, words \
	}
	ROW(frame_state_unknown, "impossible state 200"),
	ROW(frame_absent, "impossible state 0"),
	ROW(frame_zone_wrong, "in the wrong zone"),
	ROW(frame_owner_missing, "private of VM 77, which does not exist"),
	ROW(frame_owner_other, "private of VM 2 page 0x3, which does not name it"),
	ROW(frame_owner_beyond, "private of VM 1000, which does not exist"),
	ROW(frame_ppn_wrong, "page 0x4, which does not name it"),
	ROW(frame_ppn_no_memory, "page 0x407, which does not name it"),
	ROW(frame_shared_by_nobody, "not in its bucket"),
	ROW(frame_retired_but_owned, "retired, but VM 1's"),
	ROW(frame_free_though_named, "VM 1 page 0x3: names a frame that is not its own"),
	ROW(frame_tail_of_nothing, "free but in no block"),
	ROW(frame_reserved_elsewhere, "reserved of VM 1 page 0x65, which does not name it"),
	ROW(frame_debt_of_debtless_vm, "debt of VM 2 page 0x7, which does not name it"),
	ROW(list_head_in_use, "cached inside a free block"),
	ROW(list_order_impossible, "free block of impossible order 10"),
	ROW(list_order_unaligned, "free block of impossible order"),
	ROW(list_broken_back, "free but not in its list"),
	ROW(list_broken_front, "free but not in its list"),
	ROW(list_length_wrong, "zone below 4 GiB"),
	ROW(list_head_lost, "list of order"),
	ROW(zone_free_wrong, "zone above 4 GiB"),
	ROW(count_free_wrong, "free: "),
	ROW(count_private_wrong, "private: "),
	ROW(count_debt_wrong, "debt: 2 frames, but the counter says 3"),
	ROW(count_overhead_wrong, "overhead: "),
	ROW(count_total_wrong, "classes of frames against the total"),
	ROW(count_set_aside_wrong, "frames set aside"),
	ROW(zero_references_wrong, "pages that name the zero frame against its references: 1, but 2"),
	ROW(entry_takes_anothers_frame, "VM 1 page 0x3: names a frame that is not its own"),
	ROW(entry_names_nothing, "names a frame that is not its own"),
	ROW(entry_names_no_memory, "names a frame that is not its own"),
	ROW(entry_of_other_vm, "names a frame that is not its own"),
	ROW(entry_pinned_without_count, "VM 1 page 0x3: PINNED and the pin count disagree"),
	ROW(entry_count_without_pinned, "PINNED and the pin count disagree"),
	ROW(entry_pinned_and_watched, "VM 1 page 0x28: watched and pinned"),
	ROW(entry_guarded_but_writable, "guarded but writable"),
	ROW(entry_sampled_but_readable, "sampled but accessible"),
	ROW(entry_zero_but_pinned, "pinned without a frame"),
	ROW(entry_empty_but_named, "VM 1 page 0x64: EMPTY but names a frame"),
	ROW(entry_zero_but_writable, "more rights than it may have"),
	ROW(entry_empty_but_readable, "more rights than it may have"),
	ROW(entry_given_up_but_readable, "more rights than it may have"),
	ROW(entry_state_unused, "swapped, but its slot is not its own"),
	ROW(entry_state_unknown, "in no state"),
	ROW(entry_beyond_memory, "beyond memory"),
	ROW(block_private_wrong, "VM 1 block 0x0: 13 pages private, but the counter says 14"),
	ROW(block_zero_wrong, "pages zero, but the counter says"),
	ROW(block_in_place_wrong, "pages in place, but the counter says"),
	ROW(block_pinned_wrong, "1 pages pinned, but the counter says 2"),
	ROW(block_narrowed_wrong, "2 pages narrowed, but the counter says 0"),
	ROW(block_large_but_narrowed, "VM 2 block 0x0: a large mapping of pages that are not alike"),
	ROW(block_not_large_any_more, "VM 2: 0 large mappings, but its counter says 1"),
	ROW(block_reserve_lost, "reserved of VM 1 page"),
	ROW(vm_private_wrong, "VM 1: 14 pages private, but its counter says 15"),
	ROW(vm_ballooned_wrong, "VM 1: 3 pages ballooned, but its counter says 2"),
	ROW(vm_busy_wrong, "VM 1: 1 pages busy, but its counter says 2"),
	ROW(vm_references_wrong, "VM 1: 0 pages name shared frames, but its counter says 1"),
	ROW(vm_copying_wrong, "VM 1: 0 pages wait for a copy, but its counter says 1"),
	ROW(vm_large_wrong, "VM 2: 1 large mappings, but its counter says 2"),
	ROW(vm_tables_wrong, "VM 2: 2 pages of entries and directories, but its counter says 1"),
	ROW(vm_set_aside_wrong, "frames set aside"),
	ROW(vm_smaller_than_its_pages, "VM 2: more pages than it has"),
	ROW(limit_beyond_its_size, "VM 2: its min, its max and its size are out of order"),
	ROW(min_beyond_its_max, "VM 2: its min, its max and its size are out of order"),
	ROW(target_beyond_its_max, "VM 2: its target is below its min or above its max"),
	ROW(target_below_its_min, "VM 2: its target is below its min or above its max"),
	ROW(balloon_asked_for_its_min, "VM 2: its balloon is asked for what is guaranteed"),
	ROW(promised_less_than_its_min, "VM 2: it is promised less than its min"),
	ROW(promised_more_than_it_has, "promises do not add up: swap"),
	ROW(promised_other_overhead, "promises do not add up: overhead"),
	ROW(promised_of_another_pool, "promises do not add up: machine"),
	ROW(throttled_by_nobody, "VM 1: it is slowed down, and nobody decided that"),
	ROW(queue_length_wrong, "VM 1: 2 frames wait in its queue, but its counter says 3"),
	ROW(queue_cut, "VM 1: 1 frames wait in its queue, but its counter says 2"),
	ROW(queue_end_wrong, "frames wait in its queue"),
	ROW(queue_holds_a_private_frame, "waits in its queue, but is no debt of it"),
	ROW(queue_leads_nowhere, "waits in its queue, but is no debt of it"),
	ROW(queue_in_circles, "waits behind a younger one"),
	ROW(queue_out_of_order, "waits behind a younger one"),
	ROW(batch_too_long, "is out of order"),
	ROW(batch_closed_but_empty, "is out of order"),
	ROW(candidate_beyond_memory, "VM 1: page 0x407 is a candidate, but no memory"),
	ROW(candidate_accessible, "VM 1: page 0x3 is a candidate, but accessible"),
	ROW(candidate_twice, "VM 1: page 0x3 is a candidate twice"),
	ROW(hot_uncounted, "1 pages hot, but the counter says 0"),
	ROW(hot_without_frame, "marked for I/O without a frame of its own"),
	ROW(low_and_hot_disagree, "but its frame is"),
	ROW(block_hot_wrong, "VM 1 block 0x0: 0 pages hot, but the counter says 1"),
	ROW(vm_hot_wrong, "VM 1: 0 pages hot, but its counter says 1"),
	ROW(waiting_wrong, "pages that wait to move down: 1, but 0"),
	ROW(waiting_too_many, "VM 1: 65 pages wait to move down"),
	ROW(waits_beyond_memory, "VM 1: page 0x407 waits to move down, but is no memory"),
};

/* ---- finding it ---- */

struct found {
	const char *words;
	bool said;
	u32 lines;
	char first[200];
};

static void look(void *context, const char *line)
{
	struct found *found = context;

	found->said |= strstr(line, found->words) != NULL;
	if (found->lines++ == 0)
		snprintf(found->first, sizeof(found->first), "%s", line);
}

static u32 audit_for(struct found *found)
{
	struct mm_audit audit;

	mm_audit_begin(&audit);
	for (u32 steps = 0; mm_audit_step(&audit, look, found); steps++)
		CHECK(steps < 100000);
	return audit.findings;
}

static void every_broken_invariant_is_found_and_named(void **state)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct found found = { .words = rows[i].words };

		begin(state);
		rows[i].action();
		u32 findings = audit_for(&found);

		if (!found.said)
			fail_msg("%s: %u findings, none says '%s'; the first: %s", rows[i].name, findings, rows[i].words,
				 found.first);
	}
}

static void a_sound_machine_has_no_finding_however_often_it_is_asked(void **state)
{
	struct found found = { .words = "" };

	(void)state;
	for (u32 i = 0; i < 5; i++)
		assert_int_equal(audit_for(&found), 0);
	fake_settle_everything();
	assert_int_equal(audit_for(&found), 0);
}

/* What is summed is compared only if it stood still; single frames and entries are checked all the same. */
static void memory_that_moves_while_it_is_summed_is_no_finding(void **state)
{
	struct found found = { .words = "" };
	struct mm_audit audit;
	mpn_t mpn;

	(void)state;
	mm_audit_begin(&audit);
	for (u32 steps = 0; mm_audit_step(&audit, look, &found); steps++) {
		if (steps % 3 == 0)
			touch(B, steps % PAGES_B, MM_WRITE);
		if (steps % 2 == 0) {
			assert_int_equal(mm_overhead_alloc(0, &mpn), OK);
			mm_overhead_free(mpn, 0);
		}
		CHECK(steps < 100000);
	}
	assert_int_equal(audit.findings, 0);
	assert_non_null(strstr(host_last_log, "memory changed 8 times while it was summed; not compared"));
}

static void a_counter_that_is_wrong_is_said_once(void **state)
{
	struct found found = { .words = "free: " };

	(void)state;
	frame_counts.of[CLASS_FREE]--;
	frame_counts.total--;
	assert_int_equal(audit_for(&found), 1);
	assert_true(found.said);
}

/* One frame that is wrong is said once, though the sums are taken again and again because of it. */
static void a_frame_that_is_wrong_is_said_once(void **state)
{
	struct found found = { .words = "impossible state" };

	(void)state;
	frame_absent();
	u32 findings = audit_for(&found);

	assert_true(findings >= 3 && findings <= 6);
	assert_int_equal(found.lines, findings);
}

static void at_most_64_lines_are_printed_and_all_are_counted(void **state)
{
	struct found found = { .words = "" };

	(void)state;
	for (u32 i = 0; i < PAGES_B; i++)
		*entry(B, i) |= ENTRY_PINNED;
	assert_true(audit_for(&found) >= PAGES_B);
	assert_int_equal(found.lines, 64);
}

static void a_machine_without_vms_is_audited(void **state)
{
	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	fake_audit_memory();
}

static void an_audit_that_is_done_stays_done(void **state)
{
	struct found found = { .words = "" };
	struct mm_audit audit;

	(void)state;
	mm_audit_begin(&audit);
	while (mm_audit_step(&audit, look, &found))
		;
	assert_false(mm_audit_step(&audit, look, &found));
	assert_int_equal(found.lines, 0);
}

/* A VM that ends, or begins, between two steps. */
static void vms_may_come_and_go_meanwhile(void **state)
{
	(void)state;
	for (u32 at = 0; at < 40; at++) {
		struct found found = { .words = "" };
		struct mm_audit audit;

		begin(state);
		mm_audit_begin(&audit);
		for (u32 steps = 0; mm_audit_step(&audit, look, &found); steps++) {
			if (steps != at)
				continue;
			fake_end_steps();
			while (!mm_vm_release_step(fake_vm(B)))
				;
			assert_int_equal(fake_vm_start(B + 1, 700, 700), OK);
			touch(B + 1, 0, MM_WRITE);
		}
		assert_int_equal(audit.findings, 0);
	}
}

static void no_step_looks_at_more_than_a_bounded_piece(void **state)
{
	struct found found = { .words = "" };
	struct mm_audit audit;
	u32 steps = 0;

	(void)state;
	mm_audit_begin(&audit);
	while (mm_audit_step(&audit, look, &found))
		steps++;
	assert_true(steps >= frame_counts.total / 512 + 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
	const struct CMUnitTest tests[] = {
		TEST(every_broken_invariant_is_found_and_named),
		TEST(a_sound_machine_has_no_finding_however_often_it_is_asked),
		TEST(memory_that_moves_while_it_is_summed_is_no_finding),
		TEST(a_counter_that_is_wrong_is_said_once),
		TEST(a_frame_that_is_wrong_is_said_once),
		TEST(at_most_64_lines_are_printed_and_all_are_counted),
		TEST(a_machine_without_vms_is_audited),
		TEST(an_audit_that_is_done_stays_done),
		TEST(vms_may_come_and_go_meanwhile),
		TEST(no_step_looks_at_more_than_a_bounded_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
