/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests do, on CPUs with stale TLBs, and devices, with pointers and pins. */
#include "tests/unit/support/engine_inside.h"
#include <string.h>

enum { MOST_COPY = 200, PIECE = 8, FEW_BYTES = 16, SWEEP = 20 };

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

static struct held holds[FAKE_CPUS];
static struct pin pins[ENGINE_PINS];

void engine_begin_devices(void)
{
	memset(holds, 0, sizeof(holds));
	memset(pins, 0, sizeof(pins));
}

void engine_leave(u32 cpu)
{
	fake_cpu_set(cpu);
	holds[cpu].held = false;
	fake_step_end();
}

void op_leave(void)
{
	engine_leave(lock_cpu_id());
}

void engine_quiet(u32 slot)
{
	u32 was = lock_cpu_id();

	for (u32 cpu = 0; cpu < FAKE_CPUS; cpu++) {
		fake_cpu_set(cpu);
		if (fake_is_in_guest(slot) || (holds[cpu].held && holds[cpu].slot == slot))
			engine_leave(cpu);
	}
	fake_cpu_set(was);
	for (u32 i = 0; i < ENGINE_PINS; i++)
		pins[i].pinned &= pins[i].slot != slot; /* those of the guest's own stay */
}

/* ---- guests ---- */

static err_t touch(u32 slot, u32 number, u32 offset, u8 *bytes, u32 count, enum mm_access access)
{
	const struct model_page *page = &engine_vms[slot].page[number];
	u32 vcpu = engine_pick(ENGINE_VCPUS);
	bool stale = false;

	holds[lock_cpu_id()].held = false;
	err_t error = fake_touch(slot, vcpu, engine_address(slot, number, offset), bytes, count, access, &stale);

	model_outcome(slot, vcpu, error);
	if (error)
		model_resync(slot, number);
	if (error || (stale && page->given_up))
		return error;
	if (!stale)
		model_access(slot, number, access == MM_WRITE);
	if (access == MM_WRITE)
		model_write(slot, number, offset, bytes, count);
	else
		model_expect(slot, number, offset, bytes, count);
	return OK;
}

static err_t touch_some(u32 slot, u32 number, enum mm_access access)
{
	u32 offset = fake_random(PAGE_SIZE - PIECE);
	u8 bytes[PIECE];

	engine_fill(bytes, PIECE);
	return touch(slot, number, offset, bytes, PIECE, access);
}

void op_access(void)
{
	static const enum mm_access accesses[] = { MM_READ, MM_READ, MM_WRITE, MM_WRITE, MM_WRITE, MM_WRITE, MM_EXECUTE };
	s32 slot = engine_some_vm();

	if (slot < 0)
		return;
	u32 number = engine_some_page((u32)slot);

	(void)!touch_some((u32)slot, number, accesses[engine_pick(ARRAY_SIZE(accesses))]);
}

/* A guest clears its memory in order: so blocks become whole.  In calm weather most often the first one: so that all of it comes together. */
void op_sweep(void)
{
	s32 slot = engine_some_vm();

	if (slot < 0)
		return;
	u32 pages = engine_vms[slot].pages, *next = &engine_vms[slot].next_swept;
	bool whole = engine_weather.calm && engine_pick(2);

	if (whole)
		*next = engine_pick(2) ? 0 : engine_pick(pages) / LARGE_PAGES * LARGE_PAGES;
	for (u32 i = 0; i < (whole ? LARGE_PAGES : SWEEP); i++) {
		if (touch_some((u32)slot, (*next)++ % pages, MM_WRITE) == E_NO_MEMORY)
			return;
	}
}

/* A shared one, if there are many. */
static u32 some_shared_page(u32 slot)
{
	u32 number = 0;

	for (u32 tries = 0; tries < 8; tries++) {
		number = engine_some_page(slot);
		if (entry_state(engine_entry(slot, number)) == PAGE_SHARED)
			break;
	}
	return number;
}

/* All CPUs meet at one page: they read it and remember, one writes, and the others look again. */
void op_meet(void)
{
	u32 writer = lock_cpu_id();
	s32 slot = engine_some_vm();

	if (slot < 0)
		return;
	u32 number = some_shared_page((u32)slot);

	for (u32 i = 0; i <= 2 * FAKE_CPUS; i++) {
		fake_cpu_set(i == FAKE_CPUS ? writer : i % FAKE_CPUS);
		(void)!touch_some((u32)slot, number, i == FAKE_CPUS ? MM_WRITE : MM_READ);
	}
	fake_cpu_set(writer);
}

/* Another page's contents, zeros, or one of a few that all guests like. */
static void choose_contents(u8 *bytes)
{
	s32 slot = engine_some_vm();
	u32 kind = engine_pick(4);

	memset(bytes, kind == 0 ? 0 : (int)engine_pick(5), PAGE_SIZE);
	if (kind < 2 || slot < 0)
		return;
	memcpy(bytes, engine_vms[slot].page[engine_some_page((u32)slot)].bytes, PAGE_SIZE);
	if (engine_pick(4) == 0) /* all but alike */
		bytes[fake_random(PAGE_SIZE)] ^= 1;
}

/* Read or write whole pages. */
void op_whole_page(void)
{
	u8 bytes[PAGE_SIZE];

	for (u32 i = 0; i < 4; i++) {
		s32 slot = engine_some_vm();

		if (slot < 0)
			return;
		u32 number = engine_some_page((u32)slot);
		bool write = engine_pick(4) != 0;

		if (write)
			choose_contents(bytes);
		(void)!touch((u32)slot, number, 0, bytes, PAGE_SIZE, write ? MM_WRITE : MM_READ);
	}
}

/* ---- devices ---- */

static void copied(u32 slot, u32 number, u32 offset, u8 *bytes, u32 count, bool write)
{
	model_access(slot, number, write);
	if (write)
		model_write(slot, number, offset, bytes, count);
	else
		model_expect(slot, number, offset, bytes, count);
}

/* Across a page border: both pages are reached, or nothing is copied. */
void op_copy(void)
{
	s32 slot = engine_some_vm();
	u8 bytes[MOST_COPY];

	if (slot < 0)
		return;
	const struct model_vm *vm = &engine_vms[slot];
	u32 number = engine_some_page((u32)slot), offset = engine_pick(2) ? fake_random(PAGE_SIZE) : PAGE_SIZE - 1;
	u32 count = 1 + fake_random(MOST_COPY), vcpu = engine_pick(ENGINE_VCPUS);
	u32 first = count < PAGE_SIZE - offset ? count : PAGE_SIZE - offset;
	bool fits = first == count || (number + 1 < vm->pages && number + 1 != vm->low);
	bool write = engine_pick(2);
	gpa_t address = engine_address((u32)slot, number, offset);

	engine_fill(bytes, count);
	err_t error = write ? mm_write(fake_vm((u32)slot), vcpu, address, bytes, count)
			    : mm_read(fake_vm((u32)slot), vcpu, address, bytes, count);

	CHECK(fits ? error != E_NOT_FOUND : error != OK);
	if (error != E_NOT_FOUND)
		model_outcome((u32)slot, vcpu, error);
	if (error) { /* perhaps reached, nothing moved */
		model_resync((u32)slot, number);
		model_resync((u32)slot, number + 1);
		return;
	}
	copied((u32)slot, number, offset, bytes, first, write);
	if (first < count)
		copied((u32)slot, number + 1, 0, bytes + first, count - first, write);
}

/* A pointer taken now, used by later operations until this CPU's step ends. */
void op_hold(void)
{
	u32 cpu = lock_cpu_id();
	s32 slot = engine_some_vm();
	void *pointer;

	if (slot < 0)
		return;
	u32 number = engine_some_page((u32)slot), offset = fake_random(PAGE_SIZE - PIECE);
	bool write = engine_pick(2);

	engine_leave(cpu);
	fake_step_begin();
	err_t error = mm_reach(fake_vm((u32)slot), 0, engine_address((u32)slot, number, offset), PIECE,
			       write ? MM_WRITE : MM_READ, &pointer);

	model_outcome((u32)slot, 0, error);
	if (error) {
		model_resync((u32)slot, number);
		return;
	}
	model_access((u32)slot, number, write);
	mpn_t mpn = { entry_frame(engine_entry((u32)slot, number)) };

	CHECK(pointer == (u8 *)platform_frame(mpn) + offset);
	holds[cpu] = (struct held){ true, write, (u32)slot, number, offset, engine_vms[slot].page[number].life, mpn, pointer };
}

static void check_owner(const struct held *hold)
{
	const struct frame *frame = frame_of(hold->mpn.n);

	if (hold->mpn.n == frame_zero || (frame->state == FRAME_SHARED && !hold->write))
		return;
	CHECK(frame_is_private(hold->mpn.n) || frame->state == FRAME_DEBT);
	CHECK(frame->owner == hold->slot + 1);
	CHECK(frame->ppn == engine_ppn(hold->slot, hold->page).n);
}

static void check_hold(const struct held *hold)
{
	const struct model_page *page = &engine_vms[hold->slot].page[hold->page];
	bool same = page->life == hold->life && !page->given_up;

	check_owner(hold);
	if (same)
		model_expect(hold->slot, hold->page, hold->offset, hold->pointer, PIECE);
	if (!hold->write || fake_random(4))
		return;
	engine_fill(hold->pointer, PIECE);
	if (same)
		model_write(hold->slot, hold->page, hold->offset, hold->pointer, PIECE);
}

void engine_check_holds(void)
{
	for (u32 cpu = 0; cpu < FAKE_CPUS; cpu++) {
		if (holds[cpu].held)
			check_hold(&holds[cpu]);
	}
}

static void unpin(struct pin *pin)
{
	mm_unpin(fake_vm(pin->slot), engine_ppn(pin->slot, pin->page));
	engine_vms[pin->slot].page[pin->page].pins--;
	model_look_later(pin->slot, pin->page);
	pin->pinned = false;
}

void op_pin(void)
{
	struct pin *pin = &pins[engine_pick(ENGINE_PINS)];

	if (pin->pinned) {
		unpin(pin);
		return;
	}
	s32 slot = engine_some_vm();
	mpn_t mpn;

	if (slot < 0)
		return;
	u32 number = engine_some_page((u32)slot);
	enum mm_access access = engine_pick(2) ? MM_WRITE : MM_READ;
	err_t error = mm_pin(fake_vm((u32)slot), 1, engine_ppn((u32)slot, number), access, &mpn);

	model_outcome((u32)slot, 1, error);
	model_resync((u32)slot, number);
	if (error)
		return;
	*pin = (struct pin){ true, (u32)slot, number, mpn };
	model_access((u32)slot, number, false);
	engine_vms[slot].page[number].pins++;
}

/* A device writes to what it has pinned, without asking: a few bytes, or all. */
void op_dma(void)
{
	const struct pin *pin = &pins[engine_pick(ENGINE_PINS)];
	bool all = engine_pick(4) == 0;
	u32 count = all ? PAGE_SIZE : FEW_BYTES, offset = all ? 0 : fake_random(PAGE_SIZE - FEW_BYTES);
	u8 bytes[PAGE_SIZE];

	if (!pin->pinned)
		return;
	if (all)
		choose_contents(bytes);
	else
		engine_fill(bytes, FEW_BYTES);
	memcpy((u8 *)platform_frame(pin->mpn) + offset, bytes, count);
	model_write(pin->slot, pin->page, offset, bytes, count);
	engine_vms[pin->slot].page[pin->page].changed = true;
}
