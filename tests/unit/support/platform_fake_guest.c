/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/pmap.h"
#include "tests/unit/support/platform_fake.h"

enum { TRIES = 10, STRIDE = 512 };

err_t fake_try(u32 slot, u32 ppn, u32 offset, u64 *value, enum mm_access access)
{
	gpa_t address = { (u64)ppn * PAGE_SIZE + offset };
	err_t error = E_SUSPEND;
	bool stale;

	for (u32 tries = 0; tries < TRIES && error == E_SUSPEND; tries++) {
		if (tries)
			fake_settle_everything();
		error = fake_touch(slot, 0, address, value, sizeof(*value), access, &stale);
	}
	return error;
}

u64 fake_get(u32 slot, u32 ppn, u32 offset)
{
	u64 value = 0;

	CHECK(fake_try(slot, ppn, offset, &value, MM_READ) == OK);
	return value;
}

void fake_put(u32 slot, u32 ppn, u32 offset, u64 value)
{
	CHECK(fake_try(slot, ppn, offset, &value, MM_WRITE) == OK);
}

static u64 word_of(u64 content, u32 offset)
{
	return content * 1000 + offset;
}

void fake_put_page(u32 slot, u32 ppn, u64 content)
{
	for (u32 offset = 0; offset < PAGE_SIZE; offset += STRIDE)
		fake_put(slot, ppn, offset, word_of(content, offset));
}

bool fake_page_is(u32 slot, u32 ppn, u64 content)
{
	bool same = true;

	for (u32 offset = 0; offset < PAGE_SIZE; offset += STRIDE)
		same &= fake_get(slot, ppn, offset) == word_of(content, offset);
	return same;
}

enum page_state fake_state_of(u32 slot, u32 ppn)
{
	enum page_state state = PAGE_EMPTY;
	struct page page;

	lock_acquire(fake_vm(slot)->lock);
	if (pmap_look(fake_vm(slot), (ppn_t){ ppn }, &page))
		state = entry_state(page_entry(&page));
	lock_release(fake_vm(slot)->lock);
	return state;
}

void fake_vm_end_clean(u32 slot)
{
	fake_vm_end(slot);
	fake_settle_everything();
	fake_check();
	fake_audit_memory();
}
