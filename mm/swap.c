/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/swap.h"
#include "kernel/lib/log.h"
#include "mm/admit.h"
#include "mm/cipher.h"
#include "mm/debt.h"
#include "mm/frame.h"
#include "mm/pageout.h"
#include "mm/resolve.h"
#include "mm/share.h"
#include "mm/slot.h"
#include "mm/state.h"
#include "mm/work.h"

enum { FINISH_WRITES = 16, FINISH_READS = 1, BUFFER_ORDER = 4 }; /* pages a step */
_Static_assert(1 << BUFFER_ORDER == SLOT_RUN, "a buffer holds a request's pages");

enum request_state {
	REQUEST_IDLE,
	REQUEST_FILLING, /* of a VM, under its lock */
	REQUEST_FLYING,  /* the platform's */
	REQUEST_ARRIVED, /* whoever takes a step next */
	REQUEST_FINISHING,
};

struct request {
	u8 state; /* enum request_state; under `lock` */
	bool write;
	u32 owner; /* VM id: another VM may have it by the end */
	u32 first, pages, room;
	u32 wanted; /* of a read: finished first */
	u32 done;
	u32 buffer; /* first MPN */
	err_t error;
};

static struct request requests[SWAP_REQUESTS];
static u32 busy[2]; /* requests that read, that write */
static struct lock lock;
static bool on;
static struct mm_swap_totals totals;

/* ---- set-up ---- */

static err_t refuse(err_t error, const char *why)
{
	log_line("swap: off: %s", why);
	return error;
}

static bool take_buffers(void)
{
	for (u32 i = 0; i < SWAP_REQUESTS; i++) {
		mpn_t first;

		if (mm_overhead_alloc(BUFFER_ORDER, &first))
			return false;
		for (u32 page = 0; page < SLOT_RUN; page++)
			platform_zero_frame((mpn_t){ first.n + page });
		requests[i] = (struct request){ .buffer = first.n };
	}
	return true;
}

void swap_reset(void)
{
	on = false;
	totals = (struct mm_swap_totals){ 0 };
	busy[false] = busy[true] = 0;
	lock_init(&lock, RANK_SWAP, "swap requests");
	slot_reset();
}

err_t mm_swap_init(void)
{
	u64 slots = platform_swap_slots();

	CHECK(!on);
	if (!slots)
		return refuse(E_NOT_FOUND, "there is no area for it");
	if (!platform_has_cipher())
		return refuse(E_UNSUPPORTED, "this processor has no AES-NI and PCLMULQDQ to seal pages with");
	if (!take_buffers() || slot_init(slots))
		return refuse(E_NO_MEMORY, "no memory for its tables");
	if (slot_count() < slots)
		log_line("swap: %llu pages of %llu are used: more would not pay for their table",
			 (unsigned long long)slot_count(), (unsigned long long)slots);
	admit_set_swap(slot_count());
	on = true;
	return OK;
}

bool swap_is_on(void)
{
	return on;
}

static void count(u64 *counter, u64 by)
{
	__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

void mm_swap_totals(struct mm_swap_totals *out)
{
	struct slot_counts slots;

	slot_counts(&slots);
	*out = (struct mm_swap_totals){
		.slots = on ? slot_count() : 0,
		.used = slots.of[SLOT_USED],
		.moving = slots.of[SLOT_MOVING],
		.bad = slots.of[SLOT_BAD],
		.written = __atomic_load_n(&totals.written, __ATOMIC_RELAXED),
		.read = __atomic_load_n(&totals.read, __ATOMIC_RELAXED),
		.ahead = __atomic_load_n(&totals.ahead, __ATOMIC_RELAXED),
		.errors = __atomic_load_n(&totals.errors, __ATOMIC_RELAXED),
		.forged = __atomic_load_n(&totals.forged, __ATOMIC_RELAXED),
		.in_flight = __atomic_load_n(&busy[false], __ATOMIC_RELAXED) + __atomic_load_n(&busy[true], __ATOMIC_RELAXED),
	};
}

/* ---- requests ---- */

/* Neither kind gets all of them: reads need what writes free. */
static bool has_request(bool write)
{
	u32 mine = __atomic_load_n(&busy[write], __ATOMIC_RELAXED);

	return on && mine < SWAP_OF_A_KIND && mine + __atomic_load_n(&busy[!write], __ATOMIC_RELAXED) < SWAP_REQUESTS;
}

static struct request *begin_request(bool write, u32 owner)
{
	struct request *request = NULL;

	lock_acquire(&lock);
	for (u32 i = 0; i < SWAP_REQUESTS && !request && has_request(write); i++) {
		if (requests[i].state == REQUEST_IDLE)
			request = &requests[i];
	}
	if (request) {
		*request =
			(struct request){ .state = REQUEST_FILLING, .write = write, .owner = owner, .buffer = request->buffer };
		__atomic_fetch_add(&busy[write], 1, __ATOMIC_RELAXED);
	}
	lock_release(&lock);
	return request;
}

static void set_state(struct request *request, enum request_state state)
{
	lock_acquire(&lock);
	CHECK(request->state != REQUEST_IDLE && request->state != state);
	if (state == REQUEST_IDLE)
		__atomic_fetch_sub(&busy[request->write], 1, __ATOMIC_RELAXED);
	request->state = (u8)state;
	lock_release(&lock);
}

static void end_request(struct request *request)
{
	set_state(request, REQUEST_IDLE);
	platform_work();
}

static u32 number_of(const struct request *request)
{
	return (u32)(request - requests);
}

bool swap_can_read(void)
{
	return has_request(false);
}

bool swap_can_write(const struct mm_vm *vm)
{
	return vm->swap.filling || has_request(true);
}

void mm_swap_done(u32 number, err_t error)
{
	CHECK(number < SWAP_REQUESTS);
	struct request *request = &requests[number];

	lock_acquire(&lock);
	CHECK(request->state == REQUEST_FLYING);
	request->error = error;
	request->state = REQUEST_ARRIVED;
	lock_release(&lock);
	platform_work();
}

/* ---- frames on their way ---- */

static void *buffer_at(const struct request *request, u32 index)
{
	return platform_frame((mpn_t){ request->buffer + index });
}

/* The slot's page, if it still waits: who needed it meanwhile, or gave it up, has left the slot behind. */
static bool find_page(struct mm_vm *vm, u32 number, struct page *page)
{
	ppn_t ppn = { slot_at(number)->ppn };

	if (!vm || !pmap_is_memory(vm, ppn) || !pmap_look(vm, ppn, page) || !entry_is_io(page_entry(page)))
		return false;
	return frame_of(entry_frame(page_entry(page)))->next == number;
}

static void keep_frame(struct mm_vm *vm, struct page *page)
{
	u32 mpn = entry_frame(page_entry(page));

	vm->swap.writing -= frame_state(mpn) == FRAME_WRITING;
	frame_set_state(mpn, FRAME_PRIVATE);
	pmap_end_io(vm, page);
}

/* Nobody could reach the frame: nothing is owed. */
static void leave_frame(struct mm_vm *vm, struct page *page, u32 number)
{
	u32 mpn = entry_frame(page_entry(page));

	vm->swap.writing -= frame_state(mpn) == FRAME_WRITING;
	frame_set_state(mpn, FRAME_PRIVATE);
	slot_settle(number);
	pmap_swap(vm, page, number);
	debt_free(vm, mpn, page->ppn.n, (struct mm_debt){ 0 });
}

err_t swap_meet(struct mm_vm *vm, struct page *page)
{
	u32 mpn = entry_frame(page_entry(page));

	CHECK(entry_is_io(page_entry(page)));
	if (frame_state(mpn) == FRAME_READING)
		return vm_suspend(vm, WAIT_ARRIVAL);
	CHECK(frame_state(mpn) == FRAME_WRITING);
	keep_frame(vm, page);
	return OK;
}

void swap_forget(struct mm_vm *vm, u64 entry, ppn_t ppn)
{
	u32 handle = entry_frame(entry);

	if (entry_state(entry) == PAGE_SWAPPED) {
		CHECK(slot_at(handle - 1)->owner == vm->id && slot_at(handle - 1)->ppn == ppn.n);
		slot_give(handle - 1, 1);
		return;
	}
	CHECK(entry_is_io(entry));
	vm->swap.writing -= frame_state(handle) == FRAME_WRITING;
	frame_set_state(handle, FRAME_PRIVATE);
}

/* ---- out ---- */

static struct request *begin_write(struct mm_vm *vm)
{
	struct request *request = begin_request(true, vm->id);

	if (!request)
		return NULL;
	request->first = slot_take(SLOT_RUN, &request->room);
	if (request->first == SLOT_NONE) {
		end_request(request);
		return NULL;
	}
	vm->swap.filling = number_of(request) + 1;
	return request;
}

static void seal(const struct request *request, u32 mpn, u32 owner, u32 ppn)
{
	u32 number = request->first + request->pages;
	struct slot *slot = slot_at(number);

	CHECK(slot_state(number) == SLOT_MOVING && request->pages < request->room);
	__atomic_store_n(&slot->owner, (u16)owner, __ATOMIC_RELAXED); /* the audit looks, then locks */
	slot->ppn = ppn;
	slot->failures = 0;
	slot->writes++;
	cipher_seal(buffer_at(request, request->pages), platform_frame((mpn_t){ mpn }), number, slot->writes, slot->tag);
}

bool swap_write(struct mm_vm *vm, struct page *page)
{
	u32 mpn = entry_frame(page_entry(page));
	struct request *request = vm->swap.filling ? &requests[vm->swap.filling - 1] : NULL;

	CHECK(entry_state(page_entry(page)) == PAGE_PRIVATE && entry_ceiling(page_entry(page)) == CEILING_NONE);
	if (!request)
		request = begin_write(vm);
	if (!request)
		return false;
	seal(request, mpn, vm->id, page->ppn.n);
	share_forget(mpn);
	frame_set_state(mpn, FRAME_WRITING);
	frame_of(mpn)->next = request->first + request->pages++;
	pmap_begin_io(vm, page, mpn);
	vm->swap.writing++;
	if (request->pages == request->room)
		swap_submit(vm);
	return true;
}

static void submit(struct request *request)
{
	set_state(request, REQUEST_FLYING);
	(request->write ? platform_swap_write : platform_swap_read)(request->first, (mpn_t){ request->buffer }, request->pages,
								    number_of(request));
}

void swap_submit(struct mm_vm *vm)
{
	if (!vm->swap.filling)
		return;
	struct request *request = &requests[vm->swap.filling - 1];

	CHECK(request->state == REQUEST_FILLING && request->owner == vm->id && request->pages > 0);
	vm->swap.filling = 0;
	if (request->pages < request->room)
		slot_give(request->first + request->pages, request->room - request->pages);
	submit(request);
}

/* What was queued is written all the same: so its slots come back as all do. */
void swap_release(struct mm_vm *vm)
{
	swap_submit(vm);
	vm->swap.wait_arrival = vm->swap.wait_request = 0;
}

/* ---- in ---- */

static bool is_neighbour(struct mm_vm *vm, u64 number, struct page *page)
{
	if (number >= slot_count() || slot_state((u32)number) != SLOT_USED || slot_at((u32)number)->owner != vm->id)
		return false;
	CHECK(pmap_look(vm, (ppn_t){ slot_at((u32)number)->ppn }, page));
	CHECK(entry_state(page_entry(page)) == PAGE_SWAPPED && entry_frame(page_entry(page)) == number + 1);
	return !slot_at((u32)number)->failures;
}

static void bring(struct mm_vm *vm, struct page *page, u32 number, u32 mpn)
{
	frame_assign(mpn, FRAME_READING, vm->id, page->ppn.n);
	frame_of(mpn)->next = number;
	frame_move(CLASS_FREE, CLASS_PRIVATE, 1);
	slot_unsettle(number);
	pmap_begin_io(vm, page, mpn);
}

/* Of the wanted one's aligned group, while memory is plentiful. */
static void bring_neighbours(struct mm_vm *vm, struct request *request, u32 number)
{
	static const s32 ways[] = { 1, -1 };
	struct page page;

	for (u32 way = 0; way < ARRAY_SIZE(ways); way++) {
		for (u32 next = number + (u32)ways[way]; next / SLOT_RUN == number / SLOT_RUN; next += (u32)ways[way]) {
			if (state_now() != MM_HIGH || !is_neighbour(vm, next, &page))
				break;
			u32 mpn = resolve_take_frame(vm, &page);

			if (!mpn)
				return;
			bring(vm, &page, next, mpn);
			request->pages++;
			request->first -= ways[way] < 0;
		}
	}
}

err_t swap_read(struct mm_vm *vm, struct page *page)
{
	u32 number = entry_frame(page_entry(page)) - 1;

	CHECK(entry_state(page_entry(page)) == PAGE_SWAPPED && slot_state(number) == SLOT_USED);
	if (slot_at(number)->failures >= SWAP_TRIES)
		return E_IO;
	struct request *request = begin_request(false, vm->id);

	if (!request)
		return vm_suspend(vm, WAIT_REQUEST);
	u32 mpn = resolve_take_frame(vm, page);

	if (!mpn) {
		end_request(request);
		return E_NO_MEMORY;
	}
	request->first = number;
	request->pages = 1;
	bring(vm, page, number, mpn);
	if (!slot_at(number)->failures)
		bring_neighbours(vm, request, number);
	request->wanted = number - request->first;
	submit(request);
	return vm_suspend(vm, WAIT_ARRIVAL);
}

/* ---- what follows a completion ---- */

static void finish_write(struct mm_vm *vm, const struct request *request, u32 index)
{
	u32 number = request->first + index;
	struct page page;
	bool waits = find_page(vm, number, &page);

	if (waits && request->error)
		keep_frame(vm, &page);
	else if (waits) {
		leave_frame(vm, &page, number);
		pageout_lost(vm, PAGEOUT_SWAPPED);
	}
	if (request->error) {
		slot_spoil(number);
		admit_lose_swap();
	} else if (!waits) {
		slot_give(number, 1);
	}
	count(request->error ? &totals.errors : &totals.written, 1);
}

static bool open(const struct request *request, u32 index, u32 mpn)
{
	u32 number = request->first + index;
	const struct slot *slot = slot_at(number);

	if (request->error) {
		count(&totals.errors, 1);
		return false;
	}
	bool genuine = cipher_open(platform_frame((mpn_t){ mpn }), buffer_at(request, index), number, slot->writes, slot->tag);

	count(genuine ? &totals.read : &totals.forged, 1);
	count(&totals.ahead, genuine && index != request->wanted);
	return genuine;
}

/* A device's error is the wanted page's. */
static void finish_read(struct mm_vm *vm, const struct request *request, u32 index)
{
	u32 number = request->first + index;
	struct page page;

	if (!find_page(vm, number, &page)) {
		slot_give(number, 1);
	} else if (open(request, index, entry_frame(page_entry(&page)))) {
		keep_frame(vm, &page);
		slot_give(number, 1);
	} else {
		if (!request->error || index == request->wanted)
			slot_at(number)->failures++;
		leave_frame(vm, &page, number);
	}
}

static void finish_some(struct mm_vm *vm, struct request *request)
{
	u32 most = request->done + (request->write ? FINISH_WRITES : FINISH_READS);

	for (; request->done < request->pages && request->done < most; request->done++) {
		u32 index = (request->wanted + request->done) % request->pages;

		(request->write ? finish_write : finish_read)(vm, request, index);
	}
	if (vm)
		work_wake(vm, &vm->swap.wait_arrival);
}

static struct request *claim_arrived(void)
{
	static u32 cursor;
	struct request *request = NULL;

	lock_acquire(&lock);
	for (u32 i = 0; i < SWAP_REQUESTS && !request; i++, cursor++) {
		if (requests[cursor % SWAP_REQUESTS].state == REQUEST_ARRIVED)
			request = &requests[cursor % SWAP_REQUESTS];
	}
	if (request)
		request->state = REQUEST_FINISHING;
	lock_release(&lock);
	return request;
}

bool swap_step(void)
{
	struct request *request = on ? claim_arrived() : NULL;

	if (!request)
		return false;
	struct mm_vm *vm = vm_lock_id(request->owner);

	simd_begin();
	finish_some(vm, request);
	simd_end();
	if (vm)
		vm_unlock(vm);
	if (request->done == request->pages)
		end_request(request);
	else
		set_state(request, REQUEST_ARRIVED);
	return true;
}

/* ---- for the audit ---- */

u64 swap_moving(void)
{
	u64 slots = 0;

	lock_acquire(&lock);
	for (u32 i = 0; i < SWAP_REQUESTS && on; i++) {
		const struct request *request = &requests[i];
		bool filling = request->state == REQUEST_FILLING && request->write;

		slots += request->state == REQUEST_IDLE ? 0 : (filling ? request->room : request->pages) - request->done;
	}
	lock_release(&lock);
	return slots;
}
