/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/store.h"
#include "mm/pmap.h"
#include "mm/retire.h"
#include "mm/share.h"
#include "mm/zone.h"
#include <string.h>

enum { ALL = (1 << STORE_QUARTERS) - 1, NO_LIST = ARRAY_SIZE(((struct store *)0)->first), LOOK = 256 };

/* ---- quarters ---- */

static u32 quarters_of(u32 bytes)
{
	return sizeof(struct store_object) + bytes > STORE_QUARTER_BYTES ? 2 : 1;
}

static u32 mask_of(u32 quarters, u32 part)
{
	return ((1U << quarters) - 1) << part;
}

/* By what is free beside the quarters that are taken: its list, or NO_LIST. */
static u32 list_of(u32 taken)
{
	u32 free = ALL & ~taken;

	if (!free)
		return NO_LIST;
	return free & free << 1 ? 1 : 0;
}

static void link(struct store *store, u32 mpn)
{
	struct frame *frame = frame_of(mpn);
	u32 list = list_of(frame->quarters);

	frame->next = frame->previous = 0;
	if (list == NO_LIST)
		return;
	frame->next = store->first[list];
	if (frame->next)
		frame_of(frame->next)->previous = mpn;
	store->first[list] = mpn;
}

static void unlink(struct store *store, u32 mpn)
{
	struct frame *frame = frame_of(mpn);
	u32 list = list_of(frame->quarters);

	if (list == NO_LIST)
		return;
	if (frame->next)
		frame_of(frame->next)->previous = frame->previous;
	if (frame->previous) {
		frame_of(frame->previous)->next = frame->next;
	} else {
		CHECK(store->first[list] == mpn);
		store->first[list] = frame->next;
	}
}

static void set_quarters(struct store *store, u32 mpn, u32 taken)
{
	unlink(store, mpn);
	frame_of(mpn)->quarters = taken;
	link(store, mpn);
}

/* ---- objects ---- */

/* A frame with room for so many quarters; 0: there is none. */
static u32 find(const struct store *store, u32 quarters)
{
	for (u32 list = quarters - 1; list < NO_LIST; list++)
		if (store->first[list])
			return store->first[list];
	return 0;
}

static u32 free_part(u32 mpn, u32 quarters)
{
	u32 part = 0;

	while (frame_of(mpn)->quarters & mask_of(quarters, part))
		part++;
	CHECK(part + quarters <= STORE_QUARTERS);
	return part;
}

/* The page's own frame changes its role: it was the page's by its entry, which the caller changes next. */
static void adopt(struct mm_vm *vm, u32 mpn)
{
	CHECK(frame_is_private(mpn) && frame_of(mpn)->owner == vm->id);
	share_forget(mpn);
	frame_assign(mpn, FRAME_STORE, vm->id, 0);
	frame_move(CLASS_PRIVATE, CLASS_OVERHEAD, 1);
	vm->store.frames++;
	link(&vm->store, mpn);
}

static struct store_object *object_at(struct store_place place)
{
	CHECK(place.part < STORE_QUARTERS);
	return (struct store_object *)((u8 *)platform_frame((mpn_t){ place.mpn }) + place.part * STORE_QUARTER_BYTES);
}

bool store_put(struct mm_vm *vm, u32 ppn, const void *data, u32 bytes, u32 own, struct store_place *place, bool *donated)
{
	struct store *store = &vm->store;
	u32 quarters = quarters_of(bytes);
	u32 mpn = find(store, quarters);

	CHECK(lock_is_mine(vm->lock) && bytes > 0 && bytes <= STORE_MAX_BYTES);
	*donated = !mpn;
	if (!mpn && store->frames >= store->limit)
		return false;
	if (!mpn) {
		adopt(vm, own);
		mpn = own;
	}
	*place = (struct store_place){ mpn, free_part(mpn, quarters) };
	set_quarters(store, mpn, frame_of(mpn)->quarters | mask_of(quarters, place->part));
	store->objects++;
	struct store_object *object = object_at(*place);

	object->ppn = ppn;
	object->bytes = bytes;
	memcpy(object->data, data, bytes);
	return true;
}

const struct store_object *store_object(struct store_place place)
{
	const struct store_object *object = object_at(place);

	CHECK(object->bytes > 0 && object->bytes <= STORE_MAX_BYTES);
	return object;
}

static void give_back(struct mm_vm *vm, u32 mpn)
{
	vm->store.frames--;
	frame_move(CLASS_OVERHEAD, CLASS_FREE, 1);
	if (!retire_failed(vm, mpn))
		cache_give(mpn);
}

void store_free(struct mm_vm *vm, struct store_place place)
{
	struct frame *frame = frame_of(place.mpn);
	u32 mask = mask_of(quarters_of(store_object(place)->bytes), place.part);

	CHECK(lock_is_mine(vm->lock) && frame->state == FRAME_STORE && frame->owner == vm->id);
	CHECK((frame->quarters & mask) == mask && vm->store.objects > 0 && vm->store.frames > 0);
	vm->store.objects--;
	set_quarters(&vm->store, place.mpn, frame->quarters & ~mask);
	if (frame->quarters)
		return;
	unlink(&vm->store, place.mpn);
	give_back(vm, place.mpn);
}

/* ---- audit: each entry has its object, each object its entry ---- */

const char *store_entry_fault(const struct mm_vm *vm, u32 ppn, struct store_place place)
{
	const struct frame *frame = frame_of(place.mpn);
	u32 range = 0;

	if (!frame_is_ours(place.mpn, &range) || frame_state(place.mpn) != FRAME_STORE || frame->owner != vm->id)
		return "compressed, but names no frame of its VM's store";
	const struct store_object *object = object_at(place);
	u32 mask = object->bytes <= STORE_MAX_BYTES ? mask_of(quarters_of(object->bytes), place.part) : 0;

	if (!mask || (frame->quarters & mask) != mask || object->ppn != ppn)
		return "compressed, but its place holds something else";
	return NULL;
}

static bool is_named(struct mm_vm *vm, u32 ppn, struct store_place place)
{
	struct page page;

	if (!pmap_is_memory(vm, (ppn_t){ ppn }) || !pmap_look(vm, (ppn_t){ ppn }, &page))
		return false;
	u64 entry = page_entry(&page);

	return entry_state(entry) == PAGE_COMPRESSED && entry_frame(entry) == place.mpn && entry_part(entry) == place.part;
}

const char *store_frame_fault(struct mm_vm *vm, u32 mpn)
{
	const struct frame *frame = frame_of(mpn);
	u32 list = list_of(frame->quarters);

	if (!frame->quarters || frame->quarters > ALL)
		return "a frame of the store with impossible quarters";
	for (u32 part = 0; part < STORE_QUARTERS; part++) {
		if (!(frame->quarters & 1U << part))
			continue;
		const struct store_object *object = object_at((struct store_place){ mpn, part });

		if (!is_named(vm, object->ppn, (struct store_place){ mpn, part }))
			return "keeps what no page names";
		part += quarters_of(object->bytes) - 1;
	}
	if (list != NO_LIST && (frame->previous ? frame_of(frame->previous)->next : vm->store.first[list]) != mpn)
		return "has free quarters, but is not in its list";
	return NULL;
}

const char *store_fault(const struct mm_vm *vm)
{
	const struct store *store = &vm->store;
	u32 range = 0;

	if (store->objects != vm->tally[TALLY_COMPRESSED])
		return "as many compressed pages as objects";
	if (store->frames > store->objects || store->frames * STORE_QUARTERS < store->objects)
		return "frames of the store for its objects";
	for (u32 list = 0; list < NO_LIST; list++) {
		u32 looked = 0;

		for (u32 mpn = store->first[list]; mpn && looked < LOOK; mpn = frame_of(mpn)->next, looked++) {
			if (!frame_is_ours(mpn, &range) || frame_state(mpn) != FRAME_STORE || frame_of(mpn)->owner != vm->id ||
			    list_of(frame_of(mpn)->quarters) != list)
				return "only its own frames in the store's lists";
		}
	}
	return NULL;
}
