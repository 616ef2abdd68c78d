/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random work on a hostile machine, beside a model: guests on several CPUs with stale TLBs, devices with pointers and pins, a balloon, a
 * sampler, pages that are alike and are shared, VMs that start and end, memory that runs short, fills that fail.  After every step: the audit finds nothing, no
 * translation reaches a foreign frame, what was read is what was written.  MM_SEED=n repeats one run, MM_STEPS=n its length.
 */
#include "mm/frame.h"
#include "mm/pmap.h"
#include "mm/pool.h"
#include "mm/share.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SLOTS = 3, MOST_PAGES = 1300, VCPUS = 4, BALLAST = 96, PINS = 8, BORDER = 1 << 20, MOST_COPY = 200, GROUP = 3 };

/* ---- the model ---- */

struct model_page {
	u8 bytes[PAGE_SIZE];
	bool nonzero;          /* bytes may not be all zero */
	bool given_up;         /* and not touched since: contents undefined until then */
	bool dropping;         /* it was shared: giving it up is not complete */
	bool changed, touched; /* history must say so (it may say more) */
	bool sampled, guarded; /* watched and not accessed since */
	u32 pins;
	u32 life; /* counts give_ups: which incarnation a pointer belongs to */
};

struct model_vm {
	enum { ABSENT, ALIVE, ENDING } state;
	u32 pages, low;
	struct model_page *page;
	bool waiting[VCPUS];
};

struct held {
	bool held, write;
	u32 slot, page, offset, life;
	mpn_t mpn;
	u8 *pointer;
};

struct pin {
	bool pinned;
	u32 slot, page;
	mpn_t mpn;
};

static struct model_vm vms[SLOTS];
static struct held holds[FAKE_CPUS];
static struct pin pins[PINS];
static mpn_t ballast[BALLAST];
static u32 ballast_order[BALLAST], ballast_count, ballast_limit;
static u64 outcomes[16]; /* by error */
static u64 large_fills, merged, emptied, copies;
static bool sharing, secure; /* in this run */
static bool calm;    /* for a while nobody takes pages away, and guests use memory in order */
static u64 seed, step_number;

static ppn_t ppn_at(const struct model_vm *vm, u32 page)
{
	return (ppn_t){ page < vm->low ? page : page - vm->low + BORDER };
}

static gpa_t address_at(const struct model_vm *vm, u32 page, u32 offset)
{
	return (gpa_t){ gpa_of(ppn_at(vm, page)).a + offset };
}

/* The page is there again: what was given up reads as zeros. */
static void model_comes_back(struct model_page *page)
{
	if (page->given_up)
		memset(page->bytes, 0, PAGE_SIZE);
	if (page->given_up)
		page->nonzero = false;
	page->given_up = page->dropping = false;
}

/* An access through today's translation or mm. */
static void model_access(struct model_page *page, bool write)
{
	model_comes_back(page);
	page->touched = true;
	page->changed |= write;
	page->sampled = false;
	page->guarded &= !write;
}

static void model_write(struct model_page *page, u32 offset, const u8 *bytes, u32 count)
{
	memcpy(page->bytes + offset, bytes, count);
	page->nonzero = true;
}

static void random_bytes(u8 *to, u32 count)
{
	for (u32 i = 0; i < count; i++)
		to[i] = (u8)fake_random(256);
}

static bool is_dropping(u64 entry)
{
	return entry_state(entry) == PAGE_BUSY && entry_part(entry) == BUSY_DROP;
}

/*
 * An access that was refused may have got as far as the pmap: a frame without its translation, the first of two pages.  Contents
 * must be as before all the same; what is watched and given up is taken from the pmap.
 */
static void model_resync(u32 slot, u32 number)
{
	struct model_page *model = &vms[slot].page[number];
	struct mm_vm *vm = fake_vm(slot);
	struct page place;

	if (number >= vms[slot].pages)
		return;
	lock_acquire(vm->lock);
	if (pmap_look(vm, ppn_at(&vms[slot], number), &place)) {
		u64 entry = page_entry(&place);

		if (entry_state(entry) != PAGE_BALLOONED && !is_dropping(entry))
			model_comes_back(model);
		model->sampled &= (entry & ENTRY_SAMPLED) != 0;
		model->guarded &= (entry & ENTRY_GUARDED) != 0;
	}
	lock_release(vm->lock);
}

/* ---- choices ---- */

static s32 some_vm(void)
{
	u32 slot = fake_random(SLOTS);

	return vms[slot].state == ALIVE ? (s32)slot : -1;
}

/* Most work in a few places, so that things meet; some anywhere; sometimes in order, so that blocks become whole. */
static u32 some_page(u32 slot)
{
	static u32 next[SLOTS];
	u32 pages = vms[slot].pages;

	switch (fake_random(4)) {
	case 0:
		return fake_random(pages);
	case 1:
		return fake_random(8) * 37 % pages;
	default:
		return next[slot]++ % pages;
	}
}

static void end_step(u32 cpu)
{
	fake_cpu_set(cpu);
	holds[cpu].held = false;
	fake_step_end();
}

static void count_outcome(u32 slot, u32 vcpu, err_t error)
{
	outcomes[error]++;
	assert_true(error == OK || error == E_SUSPEND || error == E_NO_MEMORY);
	if (error)
		vms[slot].waiting[vcpu] = true;
}

/* ---- guests ---- */

static err_t guest(u32 slot, u32 number, enum mm_access access)
{
	bool write = access == MM_WRITE;
	struct model_vm *vm = &vms[slot];
	struct model_page *page = &vm->page[number];
	u32 offset = fake_random(PAGE_SIZE - 8), vcpu = fake_random(VCPUS);
	bool stale = false;
	u8 bytes[8];

	random_bytes(bytes, sizeof(bytes));
	err_t error = fake_touch(slot, vcpu, address_at(vm, number, offset), bytes, sizeof(bytes), access, &stale);

	count_outcome(slot, vcpu, error);
	if (error)
		model_resync(slot, number);
	if (error || (stale && page->given_up))
		return error;
	if (!stale)
		model_access(page, write);
	if (write)
		model_write(page, offset, bytes, sizeof(bytes));
	else
		assert_memory_equal(bytes, page->bytes + offset, sizeof(bytes));
	return OK;
}

static void op_guest(u32 cpu)
{
	static const enum mm_access accesses[] = { MM_READ, MM_READ, MM_WRITE, MM_WRITE, MM_WRITE, MM_WRITE, MM_EXECUTE };
	s32 slot = some_vm();

	holds[cpu].held = false;
	if (slot >= 0)
		(void)!guest((u32)slot, some_page((u32)slot), accesses[fake_random(ARRAY_SIZE(accesses))]);
}

/* A guest clears its memory in order: so blocks become whole. */
static void op_sweep(u32 cpu)
{
	static u32 next[SLOTS];
	s32 slot = some_vm();

	holds[cpu].held = false;
	if (slot < 0)
		return;
	if (calm) /* most of the time the first block: the more often, the more likely it is that all of it comes together */
		next[slot] = fake_random(2) ? 0 : fake_random(vms[slot].pages) / LARGE_PAGES * LARGE_PAGES;
	for (u32 i = 0; i < (calm ? LARGE_PAGES : 20); i++) {
		err_t error = guest((u32)slot, next[slot]++ % vms[slot].pages, MM_WRITE);

		if (error == E_NO_MEMORY)
			return;
	}
}

static void op_leave(u32 cpu)
{
	end_step(cpu);
}

/* ---- devices ---- */

static void op_copy(u32 cpu)
{
	s32 slot = some_vm();
	u8 bytes[MOST_COPY], seen[MOST_COPY];
	bool write = fake_random(2);

	(void)cpu;
	if (slot < 0)
		return;
	struct model_vm *vm = &vms[slot];
	u32 number = some_page((u32)slot), offset = fake_random(PAGE_SIZE), count = 1 + fake_random(MOST_COPY);
	u32 first = count < PAGE_SIZE - offset ? count : PAGE_SIZE - offset;
	bool fits = first == count || (number + 1 < vm->pages && number + 1 != vm->low);

	random_bytes(bytes, count);
	memset(seen, 0xee, count);
	err_t error = write ? mm_write(fake_vm((u32)slot), 0, address_at(vm, number, offset), bytes, count)
			    : mm_read(fake_vm((u32)slot), 0, address_at(vm, number, offset), seen, count);

	if (!fits) {
		assert_int_not_equal(error, OK);
		model_resync((u32)slot, number); /* reached, nothing moved */
		if (error != E_NOT_FOUND)
			count_outcome((u32)slot, 0, error);
		return;
	}
	count_outcome((u32)slot, 0, error);
	if (error) {
		model_resync((u32)slot, number);
		model_resync((u32)slot, number + 1);
		return;
	}
	for (u32 i = 0, done = 0; done < count; i++) {
		u32 piece = i ? count - first : first, at = i ? 0 : offset;

		model_access(&vm->page[number + i], write);
		if (write)
			model_write(&vm->page[number + i], at, bytes + done, piece);
		else
			assert_memory_equal(seen + done, vm->page[number + i].bytes + at, piece);
		done += piece;
	}
}

/* A pointer taken now, used by later steps of the test until this CPU's step ends. */
static void op_hold(u32 cpu)
{
	s32 slot = some_vm();
	bool write = fake_random(2);
	void *pointer;

	if (slot < 0)
		return;
	struct model_vm *vm = &vms[slot];
	u32 number = some_page((u32)slot), offset = fake_random(PAGE_SIZE - 8);

	end_step(cpu);
	fake_step_begin();
	err_t error = mm_reach(fake_vm((u32)slot), 0, address_at(vm, number, offset), 8, write ? MM_WRITE : MM_READ, &pointer);

	count_outcome((u32)slot, 0, error);
	if (error) {
		model_resync((u32)slot, number);
		return;
	}
	model_access(&vm->page[number], write);
	struct page place;

	lock_acquire(fake_vm((u32)slot)->lock);
	assert_true(pmap_look(fake_vm((u32)slot), ppn_at(vm, number), &place));
	holds[cpu] = (struct held){
		true, write, (u32)slot, number, offset, vm->page[number].life, { entry_frame(page_entry(&place)) }, pointer
	};
	lock_release(fake_vm((u32)slot)->lock);
	assert_ptr_equal(pointer, (u8 *)platform_frame(holds[cpu].mpn) + offset);
}

/* The frame behind a held pointer is the page's, or waits for this CPU; contents agree as long as the page lives. */
static void check_hold(const struct held *hold)
{
	const struct frame *frame = frame_of(hold->mpn.n);
	struct model_page *page = &vms[hold->slot].page[hold->page];
	bool same = page->life == hold->life && !page->given_up;

	if (hold->mpn.n != frame_zero) {
		assert_true(frame_is_private(hold->mpn.n) || frame->state == FRAME_DEBT ||
			    (frame->state == FRAME_SHARED && !hold->write));
		if (frame->state != FRAME_SHARED) {
			assert_int_equal(frame->owner, hold->slot + 1);
			assert_int_equal(frame->ppn, ppn_at(&vms[hold->slot], hold->page).n);
		}
	}
	if (same)
		assert_memory_equal(hold->pointer, page->bytes + hold->offset, 8);
	if (hold->write && fake_random(4) == 0) {
		random_bytes(hold->pointer, 8);
		if (same)
			model_write(page, hold->offset, hold->pointer, 8);
	}
}

static void op_pin(u32 cpu)
{
	struct pin *pin = &pins[fake_random(PINS)];

	(void)cpu;
	if (pin->pinned) {
		mm_unpin(fake_vm(pin->slot), ppn_at(&vms[pin->slot], pin->page));
		vms[pin->slot].page[pin->page].pins--;
		pin->pinned = false;
		return;
	}
	s32 slot = some_vm();

	if (slot < 0)
		return;
	u32 number = some_page((u32)slot);
	err_t error = mm_pin(fake_vm((u32)slot), 1, ppn_at(&vms[slot], number), fake_random(2) ? MM_WRITE : MM_READ, &pin->mpn);

	count_outcome((u32)slot, 1, error);
	model_resync((u32)slot, number);
	if (error)
		return;
	*pin = (struct pin){ true, (u32)slot, number, pin->mpn };
	model_access(&vms[slot].page[number], false);
	vms[slot].page[number].pins++;
}

/* A device writes to what it has pinned, without asking. */
static void op_dma(u32 cpu)
{
	struct pin *pin = &pins[fake_random(PINS)];
	u32 offset = fake_random(PAGE_SIZE - 16);
	u8 bytes[16];

	(void)cpu;
	if (!pin->pinned)
		return;
	random_bytes(bytes, sizeof(bytes));
	memcpy((u8 *)platform_frame(pin->mpn) + offset, bytes, sizeof(bytes));
	model_write(&vms[pin->slot].page[pin->page], offset, bytes, sizeof(bytes));
	vms[pin->slot].page[pin->page].changed = true;
}

/* ---- balloon, sampler, sharing candidates ---- */

static void op_give_up(u32 cpu)
{
	s32 slot = some_vm();

	(void)cpu;
	if (slot < 0 || calm)
		return;
	u32 number = some_page((u32)slot);
	struct model_page *page = &vms[slot].page[number];
	err_t error = mm_give_up(fake_vm((u32)slot), 0, ppn_at(&vms[slot], number));

	if (error == OK || error == E_SUSPEND) {
		assert_true(page->pins == 0 && (!page->given_up || page->dropping));
		page->given_up = true;
		page->dropping = error == E_SUSPEND;
		page->guarded = false;
		page->life++;
	} else if (error == E_STATE) {
		outcomes[E_STATE]++; /* pinned, given up, or in transit */
	} else {
		assert_int_equal(error, E_NO_MEMORY);
	}
}

static void op_watch(u32 cpu)
{
	s32 slot = some_vm();
	bool guard = fake_random(2);

	(void)cpu;
	if (slot < 0 || calm)
		return;
	u32 number = some_page((u32)slot);
	struct model_page *page = &vms[slot].page[number];
	err_t error = mm_watch(fake_vm((u32)slot), ppn_at(&vms[slot], number), guard ? MM_WATCH_GUARDED : MM_WATCH_SAMPLED);

	assert_true(error == OK || error == E_STATE || error == E_NO_MEMORY);
	if (error)
		return;
	assert_int_equal(page->pins, 0);
	page->sampled |= !guard;
	page->guarded |= guard;
}

static void read_history(u32 slot, u32 number, bool forget)
{
	struct model_page *page = &vms[slot].page[number];
	struct mm_history seen;
	err_t error = mm_history(fake_vm(slot), ppn_at(&vms[slot], number), &seen);

	if (error == E_NO_MEMORY)
		return;
	assert_int_equal(error, OK);
	assert_true(seen.changed || sharing || !(page->changed || page->pins)); /* the scanner reads it, too */
	assert_true(seen.touched || !page->touched);
	assert_int_equal(seen.sampled, page->sampled);
	assert_true(seen.guarded || !page->guarded); /* the scanner guards as well */
	if (forget)
		page->changed = page->touched = false;
}

static void op_history(u32 cpu)
{
	s32 slot = some_vm();

	(void)cpu;
	if (slot >= 0)
		read_history((u32)slot, some_page((u32)slot), true);
}

/* Harvest everything, then lose every table. */
static void op_drop(u32 cpu)
{
	s32 slot = some_vm();

	(void)cpu;
	if (slot < 0 || fake_random(30))
		return;
	for (u32 number = 0; number < vms[slot].pages; number++)
		read_history((u32)slot, number, true);
	fake_drop_all((u32)slot);
}

/* ---- sharing ---- */

/* A page full of one of a few contents, zeros among them. */
static void write_alike(u32 slot, u32 number)
{
	u8 bytes[PAGE_SIZE];
	bool stale = false;
	struct model_page *page = &vms[slot].page[number];

	memset(bytes, (int)fake_random(5), sizeof(bytes));
	err_t error = fake_touch(slot, 0, address_at(&vms[slot], number, 0), bytes, sizeof(bytes), MM_WRITE, &stale);

	count_outcome(slot, 0, error);
	if (error)
		model_resync(slot, number);
	if (error || (stale && page->given_up))
		return;
	if (!stale)
		model_access(page, true);
	model_write(page, 0, bytes, sizeof(bytes));
}

static void op_alike(u32 cpu)
{
	holds[cpu].held = false;
	for (u32 i = 0; sharing && i < 8; i++) {
		s32 slot = some_vm();

		if (slot >= 0)
			write_alike((u32)slot, some_page((u32)slot));
	}
}

static void op_scan(u32 cpu)
{
	s32 slot = some_vm();

	(void)cpu;
	if (!sharing)
		return;
	if (slot >= 0 && fake_random(8) == 0)
		mm_share_begin_pass(fake_vm((u32)slot));
	for (u32 i = 0; i < 16; i++)
		(void)mm_share_step(1 + fake_random(8));
}

/* ---- the machine ---- */

static void op_work(u32 cpu)
{
	(void)cpu;
	fake_work_wanted = 0;
	if (mm_work_step())
		fake_work_wanted = 1;
}

static void op_ballast(u32 cpu)
{
	(void)cpu;
	if (ballast_count >= ballast_limit || (ballast_count && fake_random(2))) {
		if (!ballast_count)
			return;

		u32 i = fake_random(ballast_count);

		mm_overhead_free(ballast[i], ballast_order[i]);
		ballast[i] = ballast[--ballast_count];
		ballast_order[i] = ballast_order[ballast_count];
		return;
	}
	for (u32 i = 0; i < 8 && ballast_count < ballast_limit; i++) {
		u32 order = fake_random(7);

		if (mm_overhead_alloc(order, &ballast[ballast_count]))
			return;
		ballast_order[ballast_count++] = order;
	}
}

static void op_weather(u32 cpu)
{
	static const u32 fills[] = { 0, 0, 50, 3 };
	static const u32 limits[] = { 0, 0, 16, BALLAST };

	(void)cpu;
	fake_fail_fills(fills[fake_random(ARRAY_SIZE(fills))]);
	fake_settle_late(1 + fake_random(4));
	calm = fake_random(2);
	ballast_limit = calm ? 0 : limits[fake_random(ARRAY_SIZE(limits))];
}

static void start_vm(u32 slot)
{
	struct model_vm *vm = &vms[slot];
	u32 pages = 1 + fake_random(MOST_PAGES);
	u32 low = pages > LARGE_PAGES && fake_random(2) ? LARGE_PAGES : pages;
	err_t error = fake_vm_start(slot, pages, low);

	outcomes[error]++;
	assert_true(error == OK || error == E_NO_MEMORY);
	if (error)
		return;
	struct model_page *page = vm->page;

	for (u32 i = 0; i < pages; i++) {
		if (page[i].nonzero)
			memset(page[i].bytes, 0, PAGE_SIZE);
		memset((u8 *)&page[i] + PAGE_SIZE, 0, sizeof(page[i]) - PAGE_SIZE);
	}
	*vm = (struct model_vm){ .state = ALIVE, .pages = pages, .low = low, .page = page };
}

/* Its vCPUs stop for good, its devices are quiet; pins of the guest's own stay. */
static void kill_vm(u32 slot)
{
	for (u32 cpu = 0; cpu < FAKE_CPUS; cpu++) {
		fake_cpu_set(cpu);
		if (fake_is_in_guest(slot) || (holds[cpu].held && holds[cpu].slot == slot))
			end_step(cpu);
	}
	for (u32 i = 0; i < PINS; i++)
		pins[i].pinned &= pins[i].slot != slot;
	vms[slot].state = ENDING;
}

static void op_life(u32 cpu)
{
	u32 slot = fake_random(SLOTS);

	(void)cpu;
	if (vms[slot].state == ABSENT)
		start_vm(slot);
	for (u32 i = 0; i < 4 && vms[slot].state == ENDING; i++) {
		if (mm_vm_release_step(fake_vm(slot)))
			vms[slot].state = ABSENT;
		fake_audit_memory();
	}
	if (vms[slot].state == ALIVE && fake_random(60) == 0)
		kill_vm(slot);
}

/* ---- checks ---- */

/* The frame that holds the page's contents, or 0: zeros. */
static u32 contents_of(u64 entry)
{
	bool copying = entry_state(entry) == PAGE_BUSY && entry_part(entry) == BUSY_COPY;

	if (copying)
		return frame_of(entry_frame(entry))->next;
	return entry_state(entry) == PAGE_PRIVATE || entry_state(entry) == PAGE_SHARED ? entry_frame(entry) : 0;
}

/* Without disturbing: what the pmap and the frames say against the model. */
static void compare_page(u32 slot, u32 number)
{
	static const u8 zeros[PAGE_SIZE];
	const struct model_page *page = &vms[slot].page[number];
	struct page place;

	if (!pmap_look(fake_vm(slot), ppn_at(&vms[slot], number), &place)) {
		assert_false(page->nonzero);
		return;
	}
	u64 entry = page_entry(&place);
	bool dropping = entry_state(entry) == PAGE_BUSY && entry_part(entry) == BUSY_DROP; /* an epoch stands where pins would */

	assert_int_equal(dropping ? 0 : entry_pins(entry), page->pins);
	if (entry_state(entry) == PAGE_BALLOONED)
		assert_true(page->given_up);
	else if (contents_of(entry) && !page->given_up)
		assert_memory_equal(platform_frame((mpn_t){ contents_of(entry) }), page->bytes, PAGE_SIZE);
	else if (!page->given_up)
		assert_memory_equal(page->bytes, zeros, PAGE_SIZE);
}

static void compare_all(void)
{
	for (u32 slot = 0; slot < SLOTS; slot++) {
		if (vms[slot].state != ALIVE)
			continue;
		lock_acquire(fake_vm(slot)->lock);
		for (u32 number = 0; number < vms[slot].pages; number++)
			compare_page(slot, number);
		lock_release(fake_vm(slot)->lock);
	}
}

/* Once everything has passed and memory is there, whoever waited was woken and nothing waits any more. */
static void settle_and_check_wakes(void)
{
	struct mm_totals totals;

	for (u32 cpu = 0; cpu < FAKE_CPUS; cpu++)
		end_step(cpu);
	while (ballast_count) {
		ballast_count--;
		mm_overhead_free(ballast[ballast_count], ballast_order[ballast_count]);
	}
	fake_settle_late(1);
	fake_settle_everything();
	mm_totals(&totals);
	assert_int_equal(totals.debt_frames, 0);
	for (u32 slot = 0; slot < SLOTS; slot++) {
		for (u32 vcpu = 0; vcpu < VCPUS && vms[slot].state == ALIVE; vcpu++) {
			u32 woken = fake_woken(slot, vcpu);

			assert_true(woken > 0 || !vms[slot].waiting[vcpu]);
			vms[slot].waiting[vcpu] = false;
		}
	}
}

static void check_step(void)
{
	for (u32 cpu = 0; cpu < FAKE_CPUS; cpu++) {
		if (holds[cpu].held)
			check_hold(&holds[cpu]);
	}
	fake_check();
	fake_audit_memory();
	if (step_number % 256 == 0)
		compare_all();
	if (step_number % 2048 == 0)
		settle_and_check_wakes();
}

/* ---- the run ---- */

static const struct {
	void (*run)(u32 cpu);
	u32 weight;
} operations[] = {
	{ op_guest, 60 }, { op_sweep, 8 },   { op_leave, 6 },   { op_copy, 8 },    { op_hold, 5 },   { op_pin, 3 },
	{ op_dma, 2 },    { op_give_up, 4 }, { op_watch, 4 },   { op_history, 3 }, { op_alike, 10 }, { op_scan, 10 },
	{ op_drop, 1 },   { op_work, 8 },    { op_ballast, 2 }, { op_weather, 1 }, { op_life, 6 },
};

static void one_operation(void)
{
	u32 all = 0, cpu = fake_random(FAKE_CPUS);

	for (u32 i = 0; i < ARRAY_SIZE(operations); i++)
		all += operations[i].weight;
	u32 choice = fake_random(all);

	fake_cpu_set(cpu);
	for (u32 i = 0; i < ARRAY_SIZE(operations); i++) {
		if (choice < operations[i].weight) {
			operations[i].run(cpu);
			return;
		}
		choice -= operations[i].weight;
	}
}

static void end_all(void)
{
	struct mm_totals before, totals;

	settle_and_check_wakes();
	mm_totals(&before);
	for (u32 slot = 0; slot < SLOTS; slot++) {
		if (vms[slot].state == ALIVE)
			kill_vm(slot);
		if (vms[slot].state != ABSENT)
			fake_vm_end(slot);
		copies += fake_vm(slot)->copies;
		merged += fake_vm(slot)->scan.counts.merged;
		emptied += fake_vm(slot)->scan.counts.zeros;
		vms[slot].state = ABSENT;
	}
	mm_totals(&totals);
	assert_int_equal(totals.private_ + totals.debt_frames, 0);
	assert_int_equal(totals.shared_frames, 1);
	assert_int_equal(totals.free + totals.overhead + 1, totals.total);
	fake_check();
	fake_check_poison();
}

static void run(u64 with_seed, u32 steps, bool flags)
{
	struct mm_totals at_start, at_end;

	seed = with_seed;
	printf("seed %llu, %u steps\n", (unsigned long long)seed, steps);
	fake_reset(seed, flags);
	fake_large_executes(seed % 2);
	sharing = seed / 2 % 2;
	if (seed % 3 == 0)
		fake_epoch((1ULL << 32) - 100); /* entries keep half of it */
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	secure = seed % 4 == 3;
	if (secure)
		assert_int_equal(pool_make(), OK);
	share_group_begin(GROUP, secure ? SHARE_SECURE : SHARE_FAST);
	for (u32 slot = 0; slot < SLOTS; slot++)
		fake_vm_group(slot, slot < 2 ? GROUP : 0);
	memset(holds, 0, sizeof(holds));
	memset(pins, 0, sizeof(pins));
	ballast_count = ballast_limit = 0;
	mm_totals(&at_start);
	for (step_number = 1; step_number <= steps; step_number++) {
		one_operation();
		check_step();
	}
	end_all();
	large_fills += fake_large_fills;
	mm_totals(&at_end);
	assert_int_equal(at_end.free, at_start.free);
	assert_int_equal(at_end.overhead, at_start.overhead);
}

static void random_work_keeps_every_invariant(void **state)
{
	u32 steps = (u32)host_number("MM_STEPS", 5000);
	u64 first = host_number("MM_SEED", 1);
	u64 last = getenv("MM_SEED") ? first : 4;

	(void)state;
	for (u32 slot = 0; slot < SLOTS; slot++)
		vms[slot].page = calloc(MOST_PAGES, sizeof(struct model_page));
	for (u64 i = first; i <= last; i++)
		run(i, steps, i % 4 != 0);
	for (u32 slot = 0; slot < SLOTS; slot++)
		free(vms[slot].page);
	printf("%llu done, %llu waited, %llu found no frame; %llu large fills; %llu merged, %llu zeros, %llu copied\n",
	       outcomes[OK], outcomes[E_SUSPEND], outcomes[E_NO_MEMORY], large_fills, merged, emptied, copies);
	/* The run must have met what it is for. */
	assert_true(first == last || (outcomes[OK] > 1000 && outcomes[E_SUSPEND] > 10 && outcomes[E_NO_MEMORY] > 10 &&
				      large_fills > 5 && merged > 10 && emptied > 10 && copies > 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_work_keeps_every_invariant) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
