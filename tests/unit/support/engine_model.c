/* SPDX-License-Identifier: BSD-2-Clause */
/* What every guest's memory must hold, and the comparison with what it does hold. */
#include "tests/unit/support/engine_inside.h"
#include <string.h>

enum { BORDER = 1 << 20, LOOKS = 1024, READ_TRIES = 64 };
#define ELSEWHERE 0xffffffffu

struct model_vm engine_vms[ENGINE_VMS];
static struct {
	u32 slot, page;
} looks[LOOKS];
static u32 look_count;

ppn_t engine_ppn(u32 slot, u32 page)
{
	u32 low = engine_vms[slot].low;

	return (ppn_t){ page < low ? page : page - low + BORDER };
}

gpa_t engine_address(u32 slot, u32 page, u32 offset)
{
	return (gpa_t){ gpa_of(engine_ppn(slot, page)).a + offset };
}

static u64 look(u32 slot, u32 page)
{
	struct page place;

	return pmap_look(fake_vm(slot), engine_ppn(slot, page), &place) ? page_entry(&place) : 0;
}

u64 engine_entry(u32 slot, u32 page)
{
	lock_acquire(fake_vm(slot)->lock);
	u64 entry = look(slot, page);

	lock_release(fake_vm(slot)->lock);
	return entry;
}

/* ---- steps of the model ---- */

static struct model_page *model_of(u32 slot, u32 number)
{
	CHECK(engine_vms[slot].state != ABSENT && number < engine_vms[slot].pages);
	return &engine_vms[slot].page[number];
}

void model_begin(u32 slot)
{
	struct model_page *page = engine_vms[slot].page;

	for (u32 i = 0; i < engine_vms[slot].pages; i++) {
		if (page[i].nonzero)
			memset(page[i].bytes, 0, PAGE_SIZE);
		memset((u8 *)&page[i] + PAGE_SIZE, 0, sizeof(page[i]) - PAGE_SIZE);
	}
}

void model_look_later(u32 slot, u32 number)
{
	if (look_count == LOOKS)
		model_compare_looked_at();
	looks[look_count].slot = slot;
	looks[look_count++].page = number;
}

/* The page is there again: what was given up reads as zeros. */
static void come_back(struct model_page *page)
{
	if (page->given_up && page->nonzero)
		memset(page->bytes, 0, PAGE_SIZE);
	if (page->given_up)
		page->nonzero = false;
	page->given_up = page->dropping = false;
}

void model_access(u32 slot, u32 number, bool write)
{
	struct model_page *page = model_of(slot, number);

	come_back(page);
	page->touched = true;
	page->changed |= write;
	page->sampled = false;
	page->guarded &= !write;
	model_look_later(slot, number);
}

void model_write(u32 slot, u32 number, u32 offset, const u8 *bytes, u32 count)
{
	struct model_page *page = model_of(slot, number);

	memcpy(page->bytes + offset, bytes, count);
	page->nonzero = true;
	model_look_later(slot, number);
}

void model_expect(u32 slot, u32 number, u32 offset, const u8 *bytes, u32 count)
{
	CHECK(memcmp(bytes, model_of(slot, number)->bytes + offset, count) == 0);
}

void model_give_up(u32 slot, u32 number, bool complete)
{
	struct model_page *page = model_of(slot, number);

	CHECK(page->pins == 0 && (!page->given_up || page->dropping));
	page->given_up = true;
	page->dropping = !complete;
	page->guarded = false;
	page->life++;
	model_look_later(slot, number);
}

void model_take_back(u32 slot, u32 number)
{
	struct model_page *page = model_of(slot, number);

	CHECK(page->given_up && !page->dropping);
	come_back(page);
	model_look_later(slot, number);
}

static bool is_dropping(u64 entry)
{
	return entry_state(entry) == PAGE_BUSY && entry_part(entry) == BUSY_DROP;
}

void model_resync(u32 slot, u32 number)
{
	if (number >= engine_vms[slot].pages)
		return;
	struct model_page *page = model_of(slot, number);
	u64 entry = engine_entry(slot, number);

	if (entry && entry_state(entry) != PAGE_BALLOONED && !is_dropping(entry))
		come_back(page);
	page->sampled &= (entry & ENTRY_SAMPLED) != 0;
	page->guarded &= (entry & ENTRY_GUARDED) != 0;
	model_look_later(slot, number);
}

void model_outcome(u32 slot, u32 vcpu, err_t error)
{
	CHECK(error == OK || error == E_SUSPEND || error == E_NO_MEMORY || (error == E_IO && engine_weather.swap));
	engine_vms[slot].lost |= error == E_IO;
	engine_met.done += error == OK;
	engine_met.suspended += error == E_SUSPEND;
	engine_met.no_memory += error == E_NO_MEMORY;
	engine_vms[slot].waiting[vcpu] |= error == E_SUSPEND || error == E_NO_MEMORY;
}

/* ---- comparison ---- */

static u32 no_frame(u64 entry)
{
	(void)entry;
	return 0;
}

static u32 own_frame(u64 entry)
{
	return entry_frame(entry);
}

static u32 busy_frame(u64 entry)
{
	if (entry_is_io(entry))
		return frame_state(entry_frame(entry)) == FRAME_WRITING ? entry_frame(entry) : ELSEWHERE;
	return entry_part(entry) == BUSY_COPY ? frame_of(entry_frame(entry))->next : 0;
}

/* Which frame holds a page's contents, by its state; 0: it reads as zeros.  No row: the contents are elsewhere. */
static u32 (*const contents_of[PAGE_STATES])(u64 entry) = {
	[PAGE_EMPTY] = no_frame,     [PAGE_PRIVATE] = own_frame, [PAGE_SHARED] = own_frame,
	[PAGE_BALLOONED] = no_frame, [PAGE_BUSY] = busy_frame,
};

static void compare(u32 slot, u32 number)
{
	static const u8 zeros[PAGE_SIZE];
	const struct model_page *page = model_of(slot, number);
	u64 entry = look(slot, number);

	CHECK(entry_state(entry) != PAGE_BALLOONED || page->given_up);
	CHECK(is_dropping(entry) || entry_pins(entry) == page->pins);
	if (page->given_up || !contents_of[entry_state(entry)])
		return;
	u32 mpn = contents_of[entry_state(entry)](entry);

	if (mpn == ELSEWHERE)
		return;
	const u8 *bytes = mpn ? platform_frame((mpn_t){ mpn }) : zeros;

	CHECK(memcmp(bytes, page->bytes, PAGE_SIZE) == 0);
}

void model_compare_looked_at(void)
{
	while (look_count) {
		look_count--;
		u32 slot = looks[look_count].slot;

		if (engine_vms[slot].state != ALIVE)
			continue;
		lock_acquire(fake_vm(slot)->lock);
		compare(slot, looks[look_count].page);
		lock_release(fake_vm(slot)->lock);
	}
}

void model_compare_all(void)
{
	for (u32 slot = 0; slot < ENGINE_VMS; slot++) {
		if (engine_vms[slot].state != ALIVE)
			continue;
		lock_acquire(fake_vm(slot)->lock);
		for (u32 number = 0; number < engine_vms[slot].pages; number++)
			compare(slot, number);
		lock_release(fake_vm(slot)->lock);
	}
}

void model_read_all(u32 slot)
{
	u8 bytes[PAGE_SIZE];

	for (u32 number = 0; number < engine_vms[slot].pages; number++) {
		err_t error = E_SUSPEND;

		for (u32 tries = 0; error && tries < READ_TRIES; tries++) {
			if (tries)
				engine_settle_disk();
			error = mm_read(fake_vm(slot), 0, engine_address(slot, number, 0), bytes, PAGE_SIZE);
			model_outcome(slot, 0, error);
		}
		if (engine_vms[slot].lost)
			return;
		CHECK(error == OK);
		mm_progress(fake_vm(slot), 0);
		model_access(slot, number, false);
		model_expect(slot, number, 0, bytes, PAGE_SIZE);
	}
	model_compare_looked_at();
}
