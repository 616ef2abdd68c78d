/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/platform_sim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BORDER = 1 << (32 - PAGE_SHIFT) };

struct sim_space sim_spaces[SIM_IDS];
u8 *sim_memory;
static u8 *table;
static u64 memory_bytes, table_bytes;
static u64 random_state, machine_epoch, settled_epoch, now_ns;
static bool work_wanted;

static void *map_or_die(u64 bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

/* ---- translations ---- */

static struct sim_space *space_of(const struct mm_vm *vm)
{
	struct sim_space *space = &sim_spaces[mm_vm_id(vm)];

	CHECK(space->mm == vm);
	return space;
}

static struct mm_debt publish(void)
{
	return (struct mm_debt){ ++machine_epoch };
}

static err_t need_table(struct sim_space *space, u32 block)
{
	mpn_t mpn;

	if (space->table[block])
		return OK;
	if (mm_overhead_alloc(0, &mpn))
		return E_NO_MEMORY;
	space->table[block] = mpn.n;
	space->tables++;
	return OK;
}

/* Guests here are sampled and scanned page by page, so they keep 4 KiB leaves. */
err_t platform_fill(struct mm_vm *vm, ppn_t ppn, mpn_t mpn, u32 pages, enum mm_ceiling ceiling)
{
	struct sim_space *space = space_of(vm);

	CHECK(ppn.n < space->pages && ceiling > CEILING_NONE && mpn.n);
	if (pages > 1)
		return E_UNSUPPORTED;
	if (need_table(space, ppn.n / LARGE_PAGES))
		return E_NO_MEMORY;
	u64 *leaf = &space->leaf[ppn.n];

	CHECK(!(*leaf & SIM_READ) || *leaf >> SIM_FRAME_SHIFT == mpn.n);
	*leaf = (u64)mpn.n << SIM_FRAME_SHIFT | (*leaf & (SIM_ACCESSED | SIM_DIRTY)) | SIM_READ |
		(ceiling == CEILING_ALL ? SIM_WRITE : 0);
	return OK;
}

struct mm_debt platform_narrow(struct mm_vm *vm, ppn_t ppn, u32 pages, enum mm_ceiling ceiling)
{
	struct sim_space *space = space_of(vm);

	CHECK(ppn.n + pages <= space->pages);
	for (u32 i = 0; i < pages; i++)
		space->leaf[ppn.n + i] &= ceiling == CEILING_NONE ? 0 : ~SIM_WRITE;
	return publish();
}

struct mm_debt platform_harvest(struct mm_vm *vm, ppn_t ppn, u32 pages, struct mm_harvest *seen)
{
	u64 *leaf = &space_of(vm)->leaf[ppn.n];

	*seen = (struct mm_harvest){ .known = true };
	for (u32 i = 0; i < pages; i++) {
		seen->touched |= leaf[i] & SIM_ACCESSED ? BIT(i) : 0;
		seen->changed |= leaf[i] & SIM_DIRTY ? BIT(i) : 0;
		leaf[i] &= ~(SIM_ACCESSED | SIM_DIRTY);
	}
	return seen->touched || seen->changed ? publish() : (struct mm_debt){ 0 };
}

struct mm_debt platform_drop(struct mm_vm *vm, bool *more)
{
	struct sim_space *space = space_of(vm);
	struct mm_debt debt = publish();

	*more = false;
	memset(space->leaf, 0, space->pages * sizeof(u64));
	for (u32 block = 0; block <= space->pages / LARGE_PAGES; block++) {
		if (!space->table[block])
			continue;
		mm_overhead_free_after(mm_vm_id(vm), (mpn_t){ space->table[block] }, debt);
		space->table[block] = 0;
		space->tables--;
	}
	return debt;
}

bool platform_settled(struct mm_vm *vm, struct mm_debt debt)
{
	(void)vm;
	CHECK(debt.epoch <= machine_epoch);
	return debt.epoch <= settled_epoch;
}

u64 platform_table_pages(struct mm_vm *vm)
{
	return space_of(vm)->tables;
}

/* ---- frames ---- */

void *platform_frame(mpn_t mpn)
{
	return sim_memory + mpa_of(mpn).a;
}

void platform_zero_frame(mpn_t mpn)
{
	memset(platform_frame(mpn), 0, PAGE_SIZE);
}

void platform_copy_frame(mpn_t to, mpn_t from)
{
	memcpy(platform_frame(to), platform_frame(from), PAGE_SIZE);
}

void *platform_frame_table(mpn_t last, size_t entry_bytes)
{
	table_bytes = ((u64)last.n + 1) * entry_bytes;
	table = map_or_die(table_bytes);
	return table;
}

err_t platform_back_table(u64 offset, u64 bytes, struct mm_range *take)
{
	u32 pages = (u32)(bytes / PAGE_SIZE);

	CHECK(offset + bytes <= table_bytes);
	if (take->pages < pages)
		return E_NO_MEMORY;
	take->first.n += pages;
	take->pages -= pages;
	return OK;
}

/* ---- a disk: one transfer after the other ---- */

enum { TRANSFERS = 16 };

static struct transfer {
	bool there, write;
	u32 slot, pages;
	mpn_t buffer;
	u64 due_ns;
} transfers[TRANSFERS];
static u8 *area;
static u64 area_slots, seek_ns, page_ns, disk_free_ns;

void sim_disk(u32 slots, u64 seek, u64 page)
{
	area = map_or_die((u64)slots << PAGE_SHIFT);
	area_slots = slots;
	seek_ns = seek;
	page_ns = page;
}

u64 platform_swap_slots(void)
{
	return area_slots;
}

static void transfer(u32 slot, mpn_t buffer, u32 pages, u32 request, bool write)
{
	CHECK(request < TRANSFERS && !transfers[request].there && slot + pages <= area_slots);
	disk_free_ns = max_u64(disk_free_ns, now_ns) + seek_ns + pages * page_ns;
	transfers[request] = (struct transfer){ true, write, slot, pages, buffer, disk_free_ns };
}

void platform_swap_write(u32 slot, mpn_t buffer, u32 pages, u32 request)
{
	transfer(slot, buffer, pages, request, true);
}

void platform_swap_read(u32 slot, mpn_t buffer, u32 pages, u32 request)
{
	transfer(slot, buffer, pages, request, false);
}

static void complete(u32 request)
{
	struct transfer *done = &transfers[request];
	void *slot = area + ((u64)done->slot << PAGE_SHIFT), *buffer = platform_frame(done->buffer);

	memcpy(done->write ? slot : buffer, done->write ? buffer : slot, (size_t)done->pages << PAGE_SHIFT);
	done->there = false;
	mm_swap_done(request, OK);
}

/* ---- the rest of the platform ---- */

u64 platform_time_ns(void)
{
	return now_ns;
}

void sim_pass_ns(u64 ns)
{
	now_ns += ns;
	for (u32 request = 0; request < TRANSFERS; request++) {
		if (transfers[request].there && transfers[request].due_ns <= now_ns)
			complete(request);
	}
}

void sim_wait_disk(void)
{
	u64 next_ns = UINT64_MAX;

	for (u32 request = 0; request < TRANSFERS; request++) {
		if (transfers[request].there)
			next_ns = min_u64(next_ns, transfers[request].due_ns);
	}
	if (next_ns == UINT64_MAX)
		next_ns = now_ns + SIM_MS;
	sim_pass_ns(next_ns > now_ns ? next_ns - now_ns : 0);
	sim_work();
}

u64 platform_random(void)
{
	return sim_random(&random_state);
}

void platform_wake(struct mm_vm *vm, u32 vcpu)
{
	space_of(vm)->woken |= BIT(vcpu);
}

void platform_work(void)
{
	work_wanted = true;
}

bool platform_has_simd(void)
{
	return __builtin_cpu_supports("avx2");
}

bool platform_has_cipher(void)
{
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}

void simd_begin(void)
{
}

void simd_end(void)
{
}

/* ---- set-up ---- */

void sim_step_end(void)
{
	settled_epoch = machine_epoch;
}

void sim_work(void)
{
	do {
		work_wanted = false;
		sim_step_end();
		while (mm_work_step())
			sim_step_end();
	} while (work_wanted);
}

static void forget(void)
{
	for (u32 id = 0; id < SIM_IDS; id++) {
		free(sim_spaces[id].mm);
		free(sim_spaces[id].leaf);
		free(sim_spaces[id].table);
		sim_spaces[id] = (struct sim_space){ 0 };
	}
	if (sim_memory) {
		munmap(sim_memory, memory_bytes);
		munmap(table, table_bytes);
	}
	if (area)
		munmap(area, area_slots << PAGE_SHIFT);
	area = NULL;
	area_slots = disk_free_ns = 0;
	memset(transfers, 0, sizeof(transfers));
}

void sim_machine(u64 seed, u32 low_pages, u32 high_pages)
{
	const struct mm_range ranges[] = { { { 0 }, low_pages }, { { BORDER }, high_pages } };
	u32 last = high_pages ? BORDER + high_pages - 1 : low_pages - 1;

	CHECK(low_pages > 0 && low_pages <= BORDER);
	forget();
	memory_bytes = ((u64)last + 1) << PAGE_SHIFT;
	sim_memory = map_or_die(memory_bytes);
	random_state = seed;
	machine_epoch = settled_epoch = 1;
	now_ns = 0;
	err_t error = mm_init(ranges, high_pages ? 2 : 1, (mpn_t){ last });

	CHECK(error == OK);
}

struct mm_vm *sim_vm_start(const struct mm_vm_config *config)
{
	u32 blocks = (u32)(config->max_pages / LARGE_PAGES) + 1;
	char why[200];

	CHECK(config->id < SIM_IDS && config->low_pages == config->max_pages);
	struct sim_space *space = &sim_spaces[config->id];

	CHECK(!space->mm);
	*space = (struct sim_space){
		.mm = calloc(1, mm_vm_bytes()),
		.leaf = calloc(config->max_pages, sizeof(u64)),
		.table = calloc(blocks, sizeof(u32)),
		.pages = (u32)config->max_pages,
	};
	CHECK(space->mm && space->leaf && space->table);
	err_t error = mm_vm_init(space->mm, config, why, sizeof(why));

	if (error) {
		fprintf(stderr, "VM %u: %s\n", config->id, why);
		CHECK(!"a VM was not admitted");
	}
	return space->mm;
}

void sim_vm_end(u32 id)
{
	struct sim_space *space = &sim_spaces[id];

	sim_step_end();
	while (!mm_vm_release_step(space->mm))
		sim_step_end();
	free(space->mm);
	free(space->leaf);
	free(space->table);
	*space = (struct sim_space){ 0 };
}
