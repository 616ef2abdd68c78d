/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory as the hypervisor and its devices reach it: pointers for one step, copies, pins. */
#include "mm/resolve.h"
#include <string.h>

enum { COPY_PAGES = 2 };

/* A guest names addresses of 64 bits; page numbers have 32: what lies above must not wrap around into memory. */
static bool find_ppn(const struct mm_vm *vm, gpa_t address, ppn_t *ppn)
{
	if (address.a >> (32 + PAGE_SHIFT))
		return false;
	*ppn = ppn_of(address);
	return pmap_is_memory(vm, *ppn);
}

err_t mm_reach(struct mm_vm *vm, u32 vcpu, gpa_t address, u32 bytes, enum mm_access access, void **pointer)
{
	u64 offset = address.a % PAGE_SIZE;
	struct page page;
	ppn_t ppn;

	CHECK(bytes > 0 && offset + bytes <= PAGE_SIZE);
	if (!find_ppn(vm, address, &ppn))
		return E_NOT_FOUND;
	lock_acquire(vm->lock);
	err_t error = pmap_find(vm, ppn, &page);

	if (!error)
		error = resolve_page(vm, vcpu, &page, access);
	if (error)
		error = vm_wait(vm, vcpu, error);
	else
		*pointer = (u8 *)platform_frame((mpn_t){ entry_frame(page_entry(&page)) }) + offset;
	lock_release(vm->lock);
	return error;
}

struct pieces {
	u32 bytes[COPY_PAGES];
	u8 *at[COPY_PAGES];
};

/* Gather: reach every page before a byte moves. */
static err_t gather(struct mm_vm *vm, u32 vcpu, gpa_t address, u32 bytes, enum mm_access access, struct pieces *pieces)
{
	u32 first = (u32)min_u64(bytes, PAGE_SIZE - address.a % PAGE_SIZE);

	CHECK(bytes <= PAGE_SIZE);
	*pieces = (struct pieces){ .bytes = { first, bytes - first } };
	for (u32 i = 0; i < COPY_PAGES; i++) {
		void *pointer = NULL;

		if (!pieces->bytes[i])
			continue;
		err_t error = mm_reach(vm, vcpu, (gpa_t){ address.a + (i ? first : 0) }, pieces->bytes[i], access, &pointer);

		if (error)
			return error;
		CHECK(pointer != NULL);
		pieces->at[i] = pointer;
	}
	return OK;
}

err_t mm_read(struct mm_vm *vm, u32 vcpu, gpa_t address, void *to, u32 bytes)
{
	struct pieces pieces;
	err_t error = gather(vm, vcpu, address, bytes, MM_READ, &pieces);
	u8 *next = to;

	for (u32 i = 0; !error && i < COPY_PAGES; i++) {
		if (pieces.bytes[i])
			memcpy(next, pieces.at[i], pieces.bytes[i]);
		next += pieces.bytes[i];
	}
	return error;
}

err_t mm_write(struct mm_vm *vm, u32 vcpu, gpa_t address, const void *from, u32 bytes)
{
	struct pieces pieces;
	err_t error = gather(vm, vcpu, address, bytes, MM_WRITE, &pieces);
	const u8 *next = from;

	for (u32 i = 0; !error && i < COPY_PAGES; i++) {
		if (pieces.bytes[i])
			memcpy(pieces.at[i], next, pieces.bytes[i]);
		next += pieces.bytes[i];
	}
	return error;
}

/* ---- pins ---- */

/* To read as well: the page must have a frame of its own, and what is watched there ends.  A write brings both about. */
static err_t pin(struct mm_vm *vm, u32 vcpu, struct page *page, enum mm_access access, mpn_t *mpn)
{
	u64 entry = page_entry(page);
	bool plain = entry_state(entry) == PAGE_PRIVATE && !(entry & ENTRY_WATCHED);
	err_t error = resolve_page(vm, vcpu, page, plain ? access : MM_WRITE);

	if (error)
		return error;
	if (entry_pins(page_entry(page)) == ENTRY_MAX_PINS)
		return E_RANGE;
	pmap_pin(vm, page);
	*mpn = (mpn_t){ entry_frame(page_entry(page)) };
	return OK;
}

err_t mm_pin(struct mm_vm *vm, u32 vcpu, ppn_t ppn, enum mm_access access, mpn_t *mpn)
{
	struct page page;

	if (!pmap_is_memory(vm, ppn))
		return E_NOT_FOUND;
	lock_acquire(vm->lock);
	err_t error = pmap_find(vm, ppn, &page);

	if (!error)
		error = pin(vm, vcpu, &page, access, mpn);
	if (error)
		error = vm_wait(vm, vcpu, error);
	lock_release(vm->lock);
	return error;
}

void mm_unpin(struct mm_vm *vm, ppn_t ppn)
{
	struct page page;

	CHECK(pmap_is_memory(vm, ppn));
	lock_acquire(vm->lock);
	CHECK(pmap_look(vm, ppn, &page));
	pmap_unpin(vm, &page);
	if ((page_entry(&page) & (ENTRY_HOT_IO | ENTRY_PINNED)) == ENTRY_HOT_IO)
		iopage_ask(vm, &page);
	lock_release(vm->lock);
}
