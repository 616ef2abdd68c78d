/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/compress.h"
#include "mm/debt.h"
#include "mm/resolve.h"
#include <lz4.h>
#include <string.h>

/* What the store keeps of a page. */
struct packed {
	u16 bytes[COMPRESS_PIECES];
	u8 data[STORE_MAX_BYTES - COMPRESS_PIECES * sizeof(u16)];
};
_Static_assert(sizeof(struct packed) == STORE_MAX_BYTES, "half a frame");

/* In frames of its VM's own: nothing of one VM's pages helps to compress another's. */
struct work {
	LZ4_stream_t stream;
	struct packed packed;
};
_Static_assert(sizeof(struct work) <= PAGE_SIZE << COMPRESS_ORDER, "fits its frames");

enum { ACCELERATION = 1 }; /* LZ4's own */

static struct work *work_of(const struct mm_vm *vm)
{
	return platform_frame((mpn_t){ vm->compressor.work });
}

static bool get_work(struct mm_vm *vm)
{
	mpn_t first;

	if (vm->compressor.work)
		return true;
	if (mm_overhead_alloc(COMPRESS_ORDER, &first))
		return false;
	for (u32 i = 0; i < 1U << COMPRESS_ORDER; i++)
		platform_zero_frame((mpn_t){ first.n + i });
	vm->compressor.work = first.n;
	CHECK(LZ4_initStream(&work_of(vm)->stream, sizeof(LZ4_stream_t)) != NULL);
	return true;
}

void compress_release(struct mm_vm *vm)
{
	if (!vm->compressor.work)
		return;
	mm_overhead_free((mpn_t){ vm->compressor.work }, COMPRESS_ORDER);
	vm->compressor = (struct compressor){ 0 };
}

u64 compress_frames(const struct mm_vm *vm)
{
	return vm->store.frames + (vm->compressor.work ? 1U << COMPRESS_ORDER : 0);
}

/* ---- out ---- */

bool compress_is_under_way(const struct mm_vm *vm, u32 ppn)
{
	return vm->compressor.piece && vm->compressor.ppn == ppn;
}

void compress_strike(struct mm_vm *vm, u32 ppn)
{
	if (vm->compressor.ppn == ppn)
		vm->compressor.piece = 0;
}

static bool begin(struct mm_vm *vm, u32 ppn)
{
	if (!vm->store.limit || !get_work(vm))
		return false;
	vm->compressor.ppn = ppn;
	vm->compressor.bytes = 0;
	LZ4_resetStream_fast(&work_of(vm)->stream);
	return true;
}

/* Pieces follow one another in the page, so each is found in those before it.  False: it would be more than half a frame. */
static bool add_piece(struct mm_vm *vm, const u8 *bytes)
{
	struct compressor *compressor = &vm->compressor;
	struct work *work = work_of(vm);
	u32 left = sizeof(work->packed.data) - compressor->bytes;
	int made = LZ4_compress_fast_continue(&work->stream, (const char *)bytes + compressor->piece * COMPRESS_PIECE,
					      (char *)work->packed.data + compressor->bytes, COMPRESS_PIECE, (int)left,
					      ACCELERATION);

	if (made <= 0)
		return false;
	CHECK((u32)made <= left);
	work->packed.bytes[compressor->piece++] = (u16)made;
	compressor->bytes += (u32)made;
	return true;
}

static bool put_away(struct mm_vm *vm, struct page *page)
{
	u32 own = entry_frame(page_entry(page));
	u32 bytes = offsetof(struct packed, data) + vm->compressor.bytes;
	struct store_place place;
	bool donated;

	if (!store_put(vm, page->ppn.n, &work_of(vm)->packed, bytes, own, &place, &donated))
		return false;
	pmap_compress(vm, page, place.mpn, place.part);
	if (!donated)
		debt_free(vm, own, page->ppn.n, (struct mm_debt){ 0 });
	return true;
}

enum compress_result compress_page(struct mm_vm *vm, struct page *page)
{
	struct compressor *compressor = &vm->compressor;
	u64 entry = page_entry(page);
	bool right;

	CHECK(lock_is_mine(vm->lock) && entry_state(entry) == PAGE_PRIVATE);
	CHECK((entry & ENTRY_GUARDED) && entry_ceiling(entry) == CEILING_NONE);
	if (!compress_is_under_way(vm, page->ppn.n))
		compressor->piece = 0;
	right = (compressor->piece || begin(vm, page->ppn.n)) && add_piece(vm, platform_frame((mpn_t){ entry_frame(entry) }));
	if (right && compressor->piece < COMPRESS_PIECES)
		return COMPRESS_MORE;
	compressor->piece = 0;
	right = right && put_away(vm, page);
	compressor->done += right;
	compressor->refused += !right;
	return right ? COMPRESS_DONE : COMPRESS_REFUSED;
}

/* ---- back ---- */

/* Nobody but us ever wrote there: what does not expand means that our memory is broken, or our code. */
static void expand(const struct store_object *object, u8 *to)
{
	const struct packed *packed = (const struct packed *)object->data;
	u32 at = 0;

	for (u32 i = 0; i < COMPRESS_PIECES; i++) {
		CHECK(offsetof(struct packed, data) + at + packed->bytes[i] <= object->bytes);
		int made = LZ4_decompress_safe_usingDict((const char *)packed->data + at, (char *)to + i * COMPRESS_PIECE,
							 packed->bytes[i], COMPRESS_PIECE, (const char *)to,
							 (int)i * COMPRESS_PIECE);

		CHECK(made == COMPRESS_PIECE);
		at += packed->bytes[i];
	}
	CHECK(offsetof(struct packed, data) + at == object->bytes);
}

err_t compress_expand(struct mm_vm *vm, struct page *page)
{
	struct store_place place = compress_place(page_entry(page));
	const struct store_object *object = store_object(place);
	u32 mpn = resolve_take_frame(vm, page);

	if (!mpn)
		return E_NO_MEMORY;
	CHECK(object->ppn == page->ppn.n);
	platform_zero_frame((mpn_t){ mpn }); /* as every frame that leaves free memory: no other VM's bytes survive in it */
	simd_begin();
	expand(object, platform_frame((mpn_t){ mpn }));
	simd_end();
	pmap_make_private(vm, page, mpn);
	store_free(vm, place);
	vm->compressor.expanded++;
	return OK;
}

/* ---- what users see ---- */

void mm_compress_set_limit(struct mm_vm *vm, u64 frames)
{
	lock_acquire(vm->lock);
	vm->store.limit = frames;
	lock_release(vm->lock);
}

void mm_compress_look(struct mm_vm *vm, struct mm_compress *out)
{
	lock_acquire(vm->lock);
	*out = (struct mm_compress){
		.pages = vm->store.objects,
		.frames = vm->store.frames,
		.limit = vm->store.limit,
		.done = vm->compressor.done,
		.refused = vm->compressor.refused,
		.expanded = vm->compressor.expanded,
	};
	lock_release(vm->lock);
}
