/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bench/share/machine.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "mm/platform.h"
#include "mm/share.h"
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum {
	LEAF_READ = 1,
	LEAF_WRITE = 2,
	LEAF_ACCESSED = 4,
	LEAF_DIRTY = 8,
	LEAF_FRAME_SHIFT = 32,
	LARGE_BYTES = LARGE_PAGES * PAGE_SIZE
};

struct space {
	struct mm_vm *vm;
	u64 *leaves;
};

static u8 *memory;
static struct space spaces[VM_IDS];
static u32 vms;
static u64 epoch, passed;
static bool has_avx2, work_wanted;

_Thread_local u32 fake_cpu_owner = 1, fake_cpu_held;

static void *map(u64 bytes)
{
	u8 *at = mmap(NULL, bytes + LARGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED);
	at += -(u64)at % LARGE_BYTES;
	madvise(at, bytes, MADV_HUGEPAGE);
	return at;
}

void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: CHECK(%s) failed\n", file, line, what);
	abort();
}

void log_write(const char *line, size_t bytes)
{
	fprintf(stderr, "%.*s\n", (int)bytes, line);
}

/* ---- for the benchmark ---- */

void machine_start(u32 frames, bool simd)
{
	struct mm_range range = { { 1 }, frames };

	has_avx2 = simd;
	memory = map(((u64)frames + 1) * PAGE_SIZE);
	CHECK(mm_init(&range, 1, (mpn_t){ frames }) == OK && share_init() == OK);
	share_group_begin(1, SHARE_FAST);
}

void machine_pass(void)
{
	passed = epoch;
	if (work_wanted)
		work_wanted = mm_work_step();
}

struct mm_vm *machine_vm(u32 pages)
{
	struct mm_vm_config config = { .max_pages = pages, .low_pages = pages, .shares = 1, .group = 1, .id = ++vms };
	char why[200];

	CHECK(vms < VM_IDS);
	spaces[vms].vm = malloc(mm_vm_bytes());
	spaces[vms].leaves = map(pages * sizeof(u64));
	if (mm_vm_init(spaces[vms].vm, &config, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	return spaces[vms].vm;
}

static u64 *leaf_of(struct mm_vm *vm, ppn_t ppn)
{
	return &spaces[mm_vm_id(vm)].leaves[ppn.n];
}

void machine_fault(struct mm_vm *vm, u32 ppn)
{
	while (mm_resolve(vm, 0, (ppn_t){ ppn }, MM_WRITE) == E_SUSPEND)
		machine_pass();
}

void *machine_write(struct mm_vm *vm, u32 ppn)
{
	u64 *leaf = leaf_of(vm, (ppn_t){ ppn });

	if (!(*leaf & LEAF_WRITE))
		machine_fault(vm, ppn);
	CHECK(*leaf & LEAF_WRITE);
	*leaf |= LEAF_ACCESSED | LEAF_DIRTY;
	return platform_frame((mpn_t){ (u32)(*leaf >> LEAF_FRAME_SHIFT) });
}

/* ---- translations ---- */

static struct mm_debt publish(void)
{
	return (struct mm_debt){ ++epoch };
}

err_t platform_fill(struct mm_vm *vm, ppn_t ppn, mpn_t mpn, u32 pages, enum mm_ceiling ceiling)
{
	u64 *leaf = leaf_of(vm, ppn);

	if (pages != 1)
		return E_UNSUPPORTED; /* what is scanned keeps small leaves */
	*leaf = (*leaf & (LEAF_ACCESSED | LEAF_DIRTY)) | (u64)mpn.n << LEAF_FRAME_SHIFT | LEAF_READ |
		(ceiling == CEILING_ALL ? LEAF_WRITE : 0);
	return OK;
}

struct mm_debt platform_narrow(struct mm_vm *vm, ppn_t ppn, u32 pages, enum mm_ceiling ceiling)
{
	for (u64 *leaf = leaf_of(vm, ppn), *end = leaf + pages; leaf < end; leaf++)
		*leaf = ceiling == CEILING_NONE ? 0 : *leaf & ~(u64)LEAF_WRITE;
	return publish();
}

struct mm_debt platform_harvest(struct mm_vm *vm, ppn_t ppn, u32 pages, struct mm_harvest *seen)
{
	u64 *leaves = leaf_of(vm, ppn);

	*seen = (struct mm_harvest){ .known = true };
	for (u32 i = 0; i < pages; i++) {
		u64 leaf = leaves[i];

		if (!(leaf & (LEAF_ACCESSED | LEAF_DIRTY)))
			continue;
		seen->touched |= BIT(i);
		seen->changed |= leaf & LEAF_DIRTY ? BIT(i) : 0;
		leaves[i] = leaf & ~(u64)(LEAF_ACCESSED | LEAF_DIRTY);
	}
	return publish();
}

struct mm_debt platform_drop(struct mm_vm *vm, bool *more)
{
	(void)vm;
	*more = false;
	return publish();
}

bool platform_settled(struct mm_vm *vm, struct mm_debt debt)
{
	(void)vm;
	return debt.epoch <= passed;
}

u64 platform_table_pages(struct mm_vm *vm)
{
	(void)vm;
	return 0;
}

/* ---- frames ---- */

void *platform_frame(mpn_t mpn)
{
	return memory + (u64)mpn.n * PAGE_SIZE;
}

/* As the kernel does it. */
void platform_zero_frame(mpn_t mpn)
{
	void *to = platform_frame(mpn);
	u64 words = PAGE_SIZE / 8;

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0ULL) : "memory");
}

void platform_copy_frame(mpn_t to_mpn, mpn_t from_mpn)
{
	void *to = platform_frame(to_mpn);
	const void *from = platform_frame(from_mpn);
	u64 words = PAGE_SIZE / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

void *platform_frame_table(mpn_t last, size_t entry_bytes)
{
	return map(((u64)last.n + 1) * entry_bytes);
}

err_t platform_back_table(u64 offset, u64 bytes, struct mm_range *take)
{
	u32 pages = (u32)((offset + bytes - 1) / PAGE_SIZE - offset / PAGE_SIZE + 1);

	/* The array has pages of its own here; those that the kernel would use for it are out of use. */
	take->first.n += pages;
	take->pages -= pages;
	return OK;
}

/* ---- the rest ---- */

u64 platform_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

u64 platform_random(void)
{
	static u64 state = 1;
	u64 x = state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

void platform_wake(struct mm_vm *vm, u32 vcpu)
{
	(void)vm, (void)vcpu;
}

void platform_work(void)
{
	work_wanted = true;
}

bool platform_has_simd(void)
{
	return has_avx2;
}

/* Nothing leaves memory here. */
bool platform_has_cipher(void)
{
	return false;
}

u64 platform_swap_slots(void)
{
	return 0;
}

void platform_swap_write(u32 slot, mpn_t buffer, u32 pages, u32 request)
{
	(void)slot, (void)buffer, (void)pages, (void)request;
	CHECK(!"there is no swap area");
}

void platform_swap_read(u32 slot, mpn_t buffer, u32 pages, u32 request)
{
	(void)slot, (void)buffer, (void)pages, (void)request;
	CHECK(!"there is no swap area");
}

/* What the kernel does once a step: the guest's x87, SSE and AVX state goes to memory, and comes back. */
static u8 guest_state[4096] __attribute__((aligned(64)));
enum { STATE_MASK = 7 };

__attribute__((target("xsave"))) void simd_begin(void)
{
	_xsave64(guest_state, STATE_MASK);
}

__attribute__((target("xsave"))) void simd_end(void)
{
	_xrstor64(guest_state, STATE_MASK);
}
