/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/platform_fake.h"
#include "kernel/lib/check.h"
#include "mm/frame.h"
#include "mm/pmap.h"
#include "mm/share.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the machine ---- */

static u8 *memory, *table;
static u64 memory_bytes, table_bytes;
static u8 *poisoned; /* one byte a frame */
static u32 last_mpn;
static bool has_flags, large_executes;
static bool has_cipher = true;
static u32 fill_fails_one_in, settle_one_in;
static u64 random_state;
u64 fake_fills, fake_large_fills, fake_narrows, fake_zeroes, fake_copies, fake_looks;
u32 fake_work_wanted;

static void *map_or_die(u64 bytes, int rights)
{
	void *at = mmap(NULL, bytes, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

u64 platform_random(void)
{
	u64 x = __atomic_add_fetch(&random_state, 0x9e3779b97f4a7c15ULL, __ATOMIC_RELAXED);

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

u32 fake_random(u32 below)
{
	return (u32)(platform_random() % below);
}

/* ---- translations: one word a page, as the hardware would read and write it ---- */

#define LEAF_READ BIT(0)
#define LEAF_WRITE BIT(1)
#define LEAF_ACCESSED BIT(2)
#define LEAF_DIRTY BIT(3)
#define LEAF_EXECUTE BIT(4)
#define LEAF_RIGHTS (LEAF_READ | LEAF_WRITE | LEAF_EXECUTE)
#define LEAF_FRAME_SHIFT 32
enum { BLOCKS = 2 * FAKE_VM_PAGES / LARGE_PAGES, TLB_ENTRIES = 24, VCPUS = 8, BORDER = 1 << 20 };

struct fake_space {
	u64 leaf[2 * FAKE_VM_PAGES];
	u64 large[BLOCKS];        /* wins over the small ones */
	u32 table_mpn[BLOCKS];    /* small leaves need a table */
	bool stays_split[BLOCKS]; /* a guest executed there while large leaves could not */
	u64 tables;
	u64 epoch;   /* the VM's generation */
	u64 settled; /* noticed so far */
	u32 woken[VCPUS];
	void *mm;
};

struct tlb_entry {
	u32 slot, ppn, mpn;
	u64 epoch; /* the VM's when it was loaded */
	bool valid, write, execute, dirty;
};

struct fake_cpu {
	u32 guest;    /* slot + 1, 0: not in a guest */
	u64 entered;  /* the VM's epoch at entry */
	u64 boundary; /* machine's epoch when its step began; IDLE between steps */
	u64 flushed[FAKE_VMS];
	struct tlb_entry tlb[TLB_ENTRIES];
};

static const u64 IDLE = UINT64_MAX;

static struct fake_space spaces[FAKE_VMS];
static struct fake_cpu cpus[FAKE_CPUS];
static u64 machine_epoch;

static struct fake_cpu *self(void)
{
	CHECK(lock_cpu_id() < FAKE_CPUS);
	return &cpus[lock_cpu_id()];
}

static u64 load(const u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(u64 *word, u64 value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static struct fake_space *space_of(const struct mm_vm *vm)
{
	u32 slot = mm_vm_id(vm) - 1;

	CHECK(slot < FAKE_VMS && spaces[slot].mm == vm);
	return &spaces[slot];
}

static u32 number_of(u32 ppn)
{
	u32 number = ppn < BORDER ? ppn : ppn - BORDER + FAKE_VM_PAGES;

	CHECK(number < 2 * FAKE_VM_PAGES);
	return number;
}

static u32 ppn_of_number(u32 number)
{
	return number < FAKE_VM_PAGES ? number : number - FAKE_VM_PAGES + BORDER;
}

static u64 make_leaf(u32 mpn, enum mm_ceiling ceiling)
{
	return (u64)mpn << LEAF_FRAME_SHIFT | (ceiling >= CEILING_READ ? LEAF_READ | LEAF_EXECUTE : 0) |
	       (ceiling == CEILING_ALL ? LEAF_WRITE : 0);
}

static struct mm_debt publish(struct fake_space *space)
{
	u64 epoch = __atomic_add_fetch(&machine_epoch, 1, __ATOMIC_SEQ_CST);

	store(&space->epoch, epoch);
	return (struct mm_debt){ epoch };
}

static err_t need_table(struct fake_space *space, u32 block)
{
	mpn_t mpn;

	if (space->table_mpn[block])
		return OK;
	if (mm_overhead_alloc(0, &mpn))
		return E_NO_MEMORY;
	space->table_mpn[block] = mpn.n;
	space->tables++;
	return OK;
}

static void free_table(struct mm_vm *vm, u32 block, struct mm_debt debt)
{
	struct fake_space *space = space_of(vm);

	if (!space->table_mpn[block])
		return;
	mm_overhead_free_after(mm_vm_id(vm), (mpn_t){ space->table_mpn[block] }, debt);
	space->table_mpn[block] = 0;
	space->tables--;
}

static err_t fill_large(struct mm_vm *vm, u32 number, u32 mpn, enum mm_ceiling ceiling)
{
	struct fake_space *space = space_of(vm);
	u32 block = number / LARGE_PAGES;

	CHECK(number % LARGE_PAGES == 0 && mpn % LARGE_PAGES == 0);
	if (space->stays_split[block])
		return E_UNSUPPORTED;
	store(&space->large[block], make_leaf(mpn, ceiling) & (large_executes ? ~0ULL : ~LEAF_EXECUTE));
	for (u32 i = 0; i < LARGE_PAGES; i++) {
		u64 old = load(&space->leaf[number + i]);

		CHECK(!old || old >> LEAF_FRAME_SHIFT == mpn + i);
		store(&space->leaf[number + i], 0);
	}
	free_table(vm, block, publish(space));
	__atomic_fetch_add(&fake_large_fills, 1, __ATOMIC_RELAXED);
	return OK;
}

/* A large mapping that sticks out: split it, with its flags, or drop it, as an implementation may. */
static void split(struct fake_space *space, u32 block)
{
	u64 large = load(&space->large[block]);

	if (!large)
		return;
	if (fake_random(2) == 0 && need_table(space, block) == OK) {
		for (u32 i = 0; i < LARGE_PAGES; i++)
			store(&space->leaf[block * LARGE_PAGES + i], (large | LEAF_EXECUTE) + ((u64)i << LEAF_FRAME_SHIFT));
	}
	store(&space->large[block], 0);
}

err_t platform_fill(struct mm_vm *vm, ppn_t ppn, mpn_t mpn, u32 pages, enum mm_ceiling ceiling)
{
	struct fake_space *space = space_of(vm);
	u32 number = number_of(ppn.n);
	u64 old;

	CHECK(lock_is_mine(vm->lock) && ceiling > CEILING_NONE && mpn.n);
	__atomic_fetch_add(&fake_fills, 1, __ATOMIC_RELAXED);
	if (fill_fails_one_in && fake_random(fill_fails_one_in) == 0)
		return E_NO_MEMORY;
	if (pages == LARGE_PAGES)
		return fill_large(vm, number, mpn.n, ceiling);
	CHECK(pages == 1);
	if (need_table(space, number / LARGE_PAGES))
		return E_NO_MEMORY;
	if (load(&space->large[number / LARGE_PAGES])) {
		space->stays_split[number / LARGE_PAGES] = !large_executes;
		split(space, number / LARGE_PAGES);
	}
	old = load(&space->leaf[number]);
	/* A changed frame must have been taken away first. */
	CHECK(!(old & LEAF_READ) || old >> LEAF_FRAME_SHIFT == mpn.n);
	u64 history = old & (LEAF_ACCESSED | LEAF_DIRTY);

	while (!__atomic_compare_exchange_n(&space->leaf[number], &old, make_leaf(mpn.n, ceiling) | history, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		history = old & (LEAF_ACCESSED | LEAF_DIRTY);
	return OK;
}

struct mm_debt platform_narrow(struct mm_vm *vm, ppn_t ppn, u32 pages, enum mm_ceiling ceiling)
{
	struct fake_space *space = space_of(vm);
	u32 number = number_of(ppn.n);
	u64 kept = ceiling == CEILING_NONE ? 0 : ~LEAF_WRITE; /* accessed and dirty go with the last right */

	CHECK(lock_is_mine(vm->lock) && ceiling < CEILING_ALL && number % LARGE_PAGES + pages <= LARGE_PAGES);
	__atomic_fetch_add(&fake_narrows, 1, __ATOMIC_RELAXED);
	split(space, number / LARGE_PAGES);
	for (u32 i = 0; i < pages; i++)
		__atomic_and_fetch(&space->leaf[number + i], kept, __ATOMIC_SEQ_CST);
	return publish(space);
}

struct mm_debt platform_harvest(struct mm_vm *vm, ppn_t ppn, u32 pages, struct mm_harvest *seen)
{
	struct fake_space *space = space_of(vm);
	u32 number = number_of(ppn.n);
	const u64 flags = LEAF_ACCESSED | LEAF_DIRTY;

	CHECK(lock_is_mine(vm->lock) && pages <= HARVEST_PAGES && number % LARGE_PAGES + pages <= LARGE_PAGES);
	*seen = (struct mm_harvest){ .known = has_flags };
	u64 large = __atomic_fetch_and(&space->large[number / LARGE_PAGES], ~flags, __ATOMIC_SEQ_CST);

	for (u32 i = 0; has_flags && i < pages; i++) {
		u64 old = large ? large : __atomic_fetch_and(&space->leaf[number + i], ~flags, __ATOMIC_SEQ_CST);

		seen->touched |= old & LEAF_ACCESSED ? BIT(i) : 0;
		seen->changed |= old & LEAF_DIRTY ? BIT(i) : 0;
	}
	return seen->touched || seen->changed ? publish(space) : (struct mm_debt){ 0 };
}

struct mm_debt platform_drop(struct mm_vm *vm, bool *more)
{
	struct fake_space *space = space_of(vm);
	struct mm_debt debt = publish(space);

	CHECK(lock_is_mine(vm->lock));
	*more = false;
	for (u32 block = 0; block < BLOCKS; block++) {
		if (!space->table_mpn[block] && !load(&space->large[block]))
			continue;
		if (*more)
			return debt; /* one block a call */
		for (u32 i = 0; i < LARGE_PAGES; i++)
			store(&space->leaf[block * LARGE_PAGES + i], 0);
		store(&space->large[block], 0);
		space->stays_split[block] = false;
		debt = publish(space);
		free_table(vm, block, debt);
		*more = true;
	}
	return debt;
}

static bool has_passed(const struct fake_cpu *cpu, u32 slot, u64 epoch)
{
	u32 guest = __atomic_load_n(&cpu->guest, __ATOMIC_SEQ_CST);

	if (guest == slot + 1)
		return load(&cpu->entered) >= epoch;
	return guest != 0 || load(&cpu->boundary) >= epoch;
}

bool platform_settled(struct mm_vm *vm, struct mm_debt debt)
{
	struct fake_space *space = space_of(vm);
	u32 slot = mm_vm_id(vm) - 1;

	__atomic_fetch_add(&fake_looks, 1, __ATOMIC_RELAXED);
	if (debt.epoch <= load(&space->settled))
		return true;
	CHECK(debt.epoch <= load(&machine_epoch));
	for (u32 i = 0; i < FAKE_CPUS; i++) {
		if (!has_passed(&cpus[i], slot, debt.epoch))
			return false;
	}
	if (fake_random(settle_one_in) != 0)
		return false;
	store(&space->settled, debt.epoch);
	return true;
}

u64 platform_table_pages(struct mm_vm *vm)
{
	return space_of(vm)->tables;
}

/* ---- frames ---- */

void *platform_frame(mpn_t mpn)
{
	CHECK(mpn.n && mpn.n <= last_mpn);
	return memory + mpa_of(mpn).a;
}

static void expect_poison(u32 mpn)
{
	const u8 *bytes = platform_frame((mpn_t){ mpn });

	/* Each byte equals its successor and the first is right: all are. */
	CHECK(bytes[0] == FAKE_POISON && memcmp(bytes, bytes + 1, PAGE_SIZE - 1) == 0);
}

void platform_zero_frame(mpn_t mpn)
{
	u8 *mark = &poisoned[mpn.n];

	__atomic_fetch_add(&fake_zeroes, 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(mark, __ATOMIC_RELAXED))
		expect_poison(mpn.n);
	__atomic_store_n(mark, 0, __ATOMIC_RELAXED);
	memset(platform_frame(mpn), 0, PAGE_SIZE);
}

void platform_copy_frame(mpn_t to, mpn_t from)
{
	__atomic_fetch_add(&fake_copies, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&poisoned[to.n], 0, __ATOMIC_RELAXED);
	memmove(platform_frame(to), platform_frame(from), PAGE_SIZE);
}

void *platform_frame_table(mpn_t last, size_t entry_bytes)
{
	table_bytes = ((u64)last.n + 1 + LARGE_PAGES) * entry_bytes;
	table = map_or_die(table_bytes, PROT_NONE);
	return table;
}

err_t platform_back_table(u64 offset, u64 bytes, struct mm_range *take)
{
	u32 pages = (u32)(bytes / PAGE_SIZE) + 1; /* and a table to map them */

	CHECK(offset % PAGE_SIZE == 0 && bytes % PAGE_SIZE == 0 && offset + bytes <= table_bytes);
	for (u64 i = 0; i < bytes && i / PAGE_SIZE < take->pages; i += PAGE_SIZE)
		CHECK(mprotect(table + offset + i, PAGE_SIZE, PROT_READ | PROT_WRITE) == 0);
	if (take->pages < pages)
		return E_NO_MEMORY;
	take->first.n += pages;
	take->pages -= pages;
	return OK;
}

/* ---- the rest of the platform ---- */

static u64 now_ns;

u64 platform_time_ns(void)
{
	return __atomic_add_fetch(&now_ns, 1000, __ATOMIC_RELAXED);
}

void fake_pass_time(u64 ns)
{
	__atomic_add_fetch(&now_ns, ns, __ATOMIC_RELAXED);
}

void platform_wake(struct mm_vm *vm, u32 vcpu)
{
	CHECK(vcpu < VCPUS);
	__atomic_fetch_add(&space_of(vm)->woken[vcpu], 1, __ATOMIC_RELAXED);
}

void platform_work(void)
{
	__atomic_store_n(&fake_work_wanted, 1, __ATOMIC_RELAXED);
}

bool platform_has_simd(void)
{
	return __builtin_cpu_supports("avx2");
}

bool platform_has_cipher(void)
{
	return has_cipher && __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}

void simd_begin(void)
{
}

void simd_end(void)
{
}

/* ---- set-up ---- */

void fake_reset(u64 seed, bool accessed_dirty_flags)
{
	if (memory) {
		munmap(memory, memory_bytes);
		munmap(table, table_bytes);
		munmap(poisoned, (u64)last_mpn + 1);
	}
	memory = NULL;
	for (u32 slot = 0; slot < FAKE_VMS; slot++) {
		free(spaces[slot].mm);
		memset(&spaces[slot], 0, sizeof(spaces[slot]));
		spaces[slot].mm = calloc(1, mm_vm_bytes());
	}
	memset(cpus, 0, sizeof(cpus));
	for (u32 i = 0; i < FAKE_CPUS; i++)
		cpus[i].boundary = IDLE;
	random_state = seed;
	has_flags = accessed_dirty_flags;
	large_executes = true;
	machine_epoch = 1;
	fill_fails_one_in = 0;
	settle_one_in = 1;
	fake_fills = fake_large_fills = fake_narrows = fake_zeroes = fake_copies = fake_looks = fake_work_wanted = 0;
	fake_cpu_set(0);
	fake_cpu_held = 0;
	fake_swap(0);
	has_cipher = true;
}

void fake_small_machine(void)
{
	static const struct mm_range ranges[] = {
		{ { 0 }, 159 },              /* as below 640 KiB: does it pay for its own description? */
		{ { 256 }, 3 },              /* too few, but next to described ones */
		{ { 700 }, 1860 },           /* three whole 2 MiB blocks and edges */
		{ { (1 << 20) - 4 }, 1032 }, /* across 4 GiB */
	};

	fake_machine(ranges, ARRAY_SIZE(ranges), (1 << 20) + 1027);
}

static u32 groups[FAKE_VMS];

void fake_vm_group(u32 slot, u32 group)
{
	groups[slot] = group;
}

err_t fake_vm_start(u32 slot, u32 max_pages, u32 low_pages)
{
	const struct mm_vm_config config = {
		.max_pages = max_pages,
		.low_pages = low_pages,
		.min_pages = max_pages,
		.shares = 10,
		.group = groups[slot],
		.id = slot + 1,
	};
	char why[200];

	return mm_vm_init(fake_vm(slot), &config, why, sizeof(why));
}

void fake_vm_end(u32 slot)
{
	fake_end_steps();
	for (u32 steps = 0; !mm_vm_release_step(fake_vm(slot)); steps++) {
		CHECK(steps < 100000);
		fake_audit_memory();
	}
}

err_t fake_machine_try(const struct mm_range *ranges, u32 count, u32 last)
{
	last_mpn = last;
	memory_bytes = ((u64)last + 1) << PAGE_SHIFT;
	memory = map_or_die(memory_bytes, PROT_READ | PROT_WRITE);
	poisoned = map_or_die((u64)last + 1, PROT_READ | PROT_WRITE);
	return mm_init(ranges, count, (mpn_t){ last });
}

void fake_machine(const struct mm_range *ranges, u32 count, u32 last)
{
	err_t error = fake_machine_try(ranges, count, last);

	CHECK(error == OK);
}

bool fake_dies(void (*action)(void))
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		CHECK(freopen("/dev/null", "w", stderr) != NULL);
		action();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

struct mm_vm *fake_vm(u32 slot)
{
	CHECK(slot < FAKE_VMS);
	return spaces[slot].mm;
}

void fake_fail_fills(u32 one_in)
{
	fill_fails_one_in = one_in;
}

void fake_settle_late(u32 one_in)
{
	settle_one_in = one_in;
}

void fake_has_cipher(bool yes)
{
	has_cipher = yes;
}

void fake_large_executes(bool yes)
{
	large_executes = yes;
}

void fake_epoch(u64 epoch)
{
	CHECK(epoch >= machine_epoch);
	machine_epoch = epoch;
}

u32 fake_woken(u32 slot, u32 vcpu)
{
	return __atomic_exchange_n(&spaces[slot].woken[vcpu], 0, __ATOMIC_RELAXED);
}

/* ---- a CPU in a guest ---- */

static void flush(struct fake_cpu *cpu, u32 slot)
{
	for (u32 i = 0; i < TLB_ENTRIES; i++) {
		if (cpu->tlb[i].slot == slot)
			cpu->tlb[i].valid = false;
	}
}

static void enter_guest(u32 slot)
{
	struct fake_cpu *cpu = self();

	if (cpu->guest == slot + 1)
		return;
	fake_step_end();
	store(&cpu->entered, 0);
	__atomic_store_n(&cpu->guest, slot + 1, __ATOMIC_SEQ_CST);
	u64 epoch = load(&spaces[slot].epoch);

	if (cpu->flushed[slot] < epoch)
		flush(cpu, slot);
	cpu->flushed[slot] = epoch;
	store(&cpu->entered, epoch);
}

void fake_step_begin(void)
{
	store(&self()->boundary, load(&machine_epoch));
	__atomic_store_n(&self()->guest, 0, __ATOMIC_SEQ_CST);
}

void fake_step_end(void)
{
	__atomic_store_n(&self()->guest, 0, __ATOMIC_SEQ_CST);
	store(&self()->boundary, IDLE);
}

bool fake_is_in_guest(u32 slot)
{
	return self()->guest == slot + 1;
}

static const u64 right_for[] = { [MM_READ] = LEAF_READ, [MM_WRITE] = LEAF_WRITE, [MM_EXECUTE] = LEAF_EXECUTE };

/* Walk as the hardware does: set the flags in the word that is walked, atomically. */
static bool walk(struct fake_space *space, u32 number, enum mm_access access, struct tlb_entry *entry)
{
	u64 *large = &space->large[number / LARGE_PAGES];
	u64 *word = load(large) ? large : &space->leaf[number];
	u64 leaf = load(word);
	u64 flags = LEAF_ACCESSED | (access == MM_WRITE ? LEAF_DIRTY : 0);

	do {
		if (!(leaf & right_for[access]))
			return false;
	} while (!__atomic_compare_exchange_n(word, &leaf, leaf | flags, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	entry->mpn = (u32)(leaf >> LEAF_FRAME_SHIFT) + (word == large ? number % LARGE_PAGES : 0);
	entry->write = leaf & LEAF_WRITE;
	entry->execute = leaf & LEAF_EXECUTE;
	entry->dirty = (leaf | flags) & LEAF_DIRTY;
	return true;
}

/* The TLB entry that serves the access, loaded if need be; NULL: a fault. */
static struct tlb_entry *translate(struct fake_cpu *cpu, u32 slot, u32 ppn, enum mm_access access)
{
	struct tlb_entry *entry = NULL;

	for (u32 i = 0; i < TLB_ENTRIES && !entry; i++) {
		if (cpu->tlb[i].valid && cpu->tlb[i].slot == slot && cpu->tlb[i].ppn == ppn)
			entry = &cpu->tlb[i];
	}
	if (entry && (access == MM_READ || (access == MM_WRITE ? entry->write && entry->dirty : entry->execute)))
		return entry;
	if (!entry)
		entry = &cpu->tlb[fake_random(TLB_ENTRIES)];
	/* A fault, and a first write, drop what was cached and walk again. */
	entry->valid = false;
	struct tlb_entry fresh = { .slot = slot, .ppn = ppn, .valid = true, .epoch = load(&spaces[slot].epoch) };

	if (!walk(&spaces[slot], number_of(ppn), access, &fresh))
		return NULL;
	*entry = fresh;
	return entry;
}

struct fake_view fake_table_view(u32 slot, u32 ppn)
{
	u32 number = number_of(ppn);
	u64 large = load(&spaces[slot].large[number / LARGE_PAGES]);
	u64 leaf = large ? large + ((u64)(number % LARGE_PAGES) << LEAF_FRAME_SHIFT) : load(&spaces[slot].leaf[number]);

	return (struct fake_view){ leaf & LEAF_READ ? (u32)(leaf >> LEAF_FRAME_SHIFT) : 0, (leaf & LEAF_WRITE) != 0 };
}

struct fake_view fake_tlb_view(u32 cpu, u32 slot, u32 ppn)
{
	const struct tlb_entry *tlb = cpus[cpu].tlb;

	for (u32 i = 0; i < TLB_ENTRIES && cpus[cpu].guest == slot + 1; i++) {
		if (tlb[i].valid && tlb[i].slot == slot && tlb[i].ppn == ppn)
			return (struct fake_view){ tlb[i].mpn, tlb[i].write && tlb[i].dirty };
	}
	return (struct fake_view){ 0 };
}

enum fake_result fake_access(u32 slot, gpa_t address, void *data, u32 bytes, enum mm_access access, bool *stale)
{
	CHECK(address.a % PAGE_SIZE + bytes <= PAGE_SIZE);
	enter_guest(slot);
	struct tlb_entry *entry = translate(self(), slot, ppn_of(address).n, access);

	if (!entry)
		return FAKE_FAULT;
	u8 *at = memory + mpa_of((mpn_t){ entry->mpn }).a + address.a % PAGE_SIZE;

	*stale = entry->epoch < load(&spaces[slot].epoch);
	if (access == MM_WRITE)
		memcpy(at, data, bytes);
	else
		memcpy(data, at, bytes);
	return FAKE_DONE;
}

err_t fake_touch(u32 slot, u32 vcpu, gpa_t address, void *data, u32 bytes, enum mm_access access, bool *stale)
{
	for (u32 tries = 0;; tries++) {
		if (fake_access(slot, address, data, bytes, access, stale) == FAKE_DONE) {
			mm_progress(fake_vm(slot), vcpu);
			return OK;
		}
		CHECK(tries < 1000);
		fake_step_begin();
		err_t error = mm_resolve(fake_vm(slot), vcpu, ppn_of(address), access);

		fake_step_end();
		if (error)
			return error;
	}
}

void fake_drop_all(u32 slot)
{
	struct mm_vm *vm = fake_vm(slot);
	bool more = true;

	lock_acquire(vm->lock);
	while (more) {
		struct mm_debt debt = platform_drop(vm, &more);

		CHECK(debt.epoch);
	}
	lock_release(vm->lock);
}

void fake_end_steps(void)
{
	u32 was = lock_cpu_id();

	for (u32 cpu = 0; cpu < FAKE_CPUS; cpu++) {
		fake_cpu_set(cpu);
		fake_step_end();
	}
	fake_cpu_set(was);
}

void fake_settle_everything(void)
{
	fake_end_steps();
	for (u32 round = 0; round < 100000; round++) {
		__atomic_store_n(&fake_work_wanted, 0, __ATOMIC_RELAXED);
		if (!mm_work_step() && !fake_work_wanted)
			return;
	}
	CHECK(!"background work never ends");
}

/* ---- checks ---- */

static bool is_free(enum frame_state state)
{
	return state == FRAME_FREE || state == FRAME_TAIL || state == FRAME_CACHED || state == FRAME_RESERVED;
}

/* May a CPU of VM `id` still reach `mpn` as page `ppn`? By a table: its page's frame only; by a TLB: also while the debt waits. */
static void check_reach(u32 id, u32 ppn, u32 mpn, bool write, bool table_now)
{
	const struct frame *frame = frame_of(mpn);

	if (mpn == frame_zero) {
		CHECK(!write);
		return;
	}
	if (frame->state == FRAME_SHARED) {
		CHECK(!write && frame->references > 0 && frame->owner == vm_slots[id].vm->group);
		CHECK(!share_is_secure(frame->owner));
		return;
	}
	CHECK(frame_is_private(mpn) || (!table_now && frame->state == FRAME_DEBT));
	CHECK(frame->owner == id && frame->ppn == ppn);
}

static void check_leaf(u32 slot, u32 number, u64 leaf)
{
	struct mm_vm *vm = fake_vm(slot);
	u32 ppn = ppn_of_number(number);
	struct page page;

	check_reach(slot + 1, ppn, (u32)(leaf >> LEAF_FRAME_SHIFT), leaf & LEAF_WRITE, true);
	CHECK(pmap_look(vm, (ppn_t){ ppn }, &page));
	CHECK(entry_frame(page_entry(&page)) == leaf >> LEAF_FRAME_SHIFT);
	CHECK(entry_ceiling(page_entry(&page)) >= (leaf & LEAF_WRITE ? CEILING_ALL : CEILING_READ));
}

static void check_space(u32 slot)
{
	struct fake_space *space = &spaces[slot];

	if (vm_slots[slot + 1].vm != space->mm)
		return;
	lock_acquire(&vm_slots[slot + 1].lock);
	for (u32 number = 0; number < 2 * FAKE_VM_PAGES; number++) {
		u64 large = space->large[number / LARGE_PAGES];

		if (large & LEAF_READ)
			check_leaf(slot, number, large + ((u64)(number % LARGE_PAGES) << LEAF_FRAME_SHIFT));
		else if (space->leaf[number] & LEAF_READ)
			check_leaf(slot, number, space->leaf[number]);
	}
	lock_release(&vm_slots[slot + 1].lock);
}

static void check_tlbs(void)
{
	for (u32 cpu = 0; cpu < FAKE_CPUS; cpu++) {
		for (u32 i = 0; i < TLB_ENTRIES; i++) {
			const struct tlb_entry *entry = &cpus[cpu].tlb[i];

			/* Outside that guest stale entries are harmless: the next entry flushes them. */
			if (entry->valid && cpus[cpu].guest == entry->slot + 1)
				check_reach(entry->slot + 1, entry->ppn, entry->mpn, entry->write, false);
		}
	}
}

static void poison_free(void)
{
	for (u32 r = 0; r < frame_range_count; r++) {
		for (u32 i = 0; i < frame_ranges[r].pages; i++) {
			u32 mpn = frame_ranges[r].first.n + i;
			bool free_now = is_free(frame_state(mpn));

			if (free_now && !poisoned[mpn])
				memset(platform_frame((mpn_t){ mpn }), FAKE_POISON, PAGE_SIZE);
			poisoned[mpn] = free_now;
		}
	}
}

/* Frames in this state will be written by other ways than the platform's. */
void fake_unpoison(u32 state)
{
	for (u32 mpn = 1; mpn <= last_mpn; mpn++) {
		if (poisoned[mpn] && frame_state(mpn) == state)
			poisoned[mpn] = 0;
	}
}

void fake_check(void)
{
	for (u32 slot = 0; slot < FAKE_VMS; slot++)
		check_space(slot);
	check_tlbs();
	poison_free();
}

void fake_check_poison(void)
{
	for (u32 mpn = 1; mpn <= last_mpn; mpn++) {
		if (poisoned[mpn])
			expect_poison(mpn);
	}
}

struct collected {
	u32 count;
	char first[160];
};

static void collect(void *context, const char *line)
{
	struct collected *all = context;

	if (all->count++ == 0)
		snprintf(all->first, sizeof(all->first), "%s", line);
}

u32 fake_audit_findings(char *line, size_t bytes)
{
	struct collected all = { 0 };
	struct mm_audit audit;

	mm_audit_begin(&audit);
	while (mm_audit_step(&audit, collect, &all))
		;
	CHECK(all.count == audit.findings || audit.findings > 64);
	snprintf(line, bytes, "%s", all.first);
	return audit.findings;
}

void fake_audit_memory(void)
{
	char line[160];

	if (fake_audit_findings(line, sizeof(line))) {
		fprintf(stderr, "audit: %s\n", line);
		CHECK(!"audit found something");
	}
}
