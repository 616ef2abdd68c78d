/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A friendly machine under mm/: real memory, one word a page for a translation, accessed and dirty flags, no stale translations, no
 * failures, a clock that moves when it is told to.  One CPU, no threads.  The hostile one is tests/unit/support/platform_fake.h.
 * Everything that happens here follows from the seed.
 */
#pragma once
#include "kernel/lib/check.h"
#include "mm/platform.h"

enum { SIM_IDS = 256, SIM_MIB_PAGES = 1 << (20 - PAGE_SHIFT) };
#define SIM_MS 1000000ULL
#define SIM_SECOND (1000 * SIM_MS)

/* A leaf: as the hardware would read and write it.  Frame number in the high half. */
#define SIM_READ BIT(0)
#define SIM_WRITE BIT(1)
#define SIM_ACCESSED BIT(2)
#define SIM_DIRTY BIT(3)
#define SIM_FRAME_SHIFT 32

struct sim_space {
	struct mm_vm *mm;
	u64 *leaf;  /* [pages] */
	u32 *table; /* MPN of the table for each 2 MiB, 0: none */
	u32 pages;
	u64 tables;
	u64 woken; /* vCPUs */
};
extern struct sim_space sim_spaces[SIM_IDS];

/* A machine begins: `low_pages` below 4 GiB and `high_pages` above.  Whatever was before is forgotten. */
void sim_machine(u64 seed, u32 low_pages, u32 high_pages);
/* Its swap area: a disk that needs `seek` and then `page` for each page, nanoseconds; before mm_swap_init. */
void sim_disk(u32 slots, u64 seek, u64 page);
/* All memory of these VMs lies below 4 GiB. */
struct mm_vm *sim_vm_start(const struct mm_vm_config *config);
void sim_vm_end(u32 id);

/* The step of the only CPU ends: every debt up to now is settled. */
void sim_step_end(void);
/* mm's background work, as long as there is any. */
void sim_work(void);
void sim_pass_ns(u64 ns);
/* The only guest waits: time passes until the disk has done something (or a millisecond, if it has nothing to do). */
void sim_wait_disk(void);

/* Random numbers of the experiment, apart from the machine's. */
static inline u64 sim_random(u64 *state)
{
	u64 x = *state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline u32 sim_below(u64 *state, u32 below)
{
	return (u32)((sim_random(state) >> 32) * below >> 32);
}

extern u8 *sim_memory;

/* The page's bytes as the guest reaches them, its flags set as the hardware does; NULL: a fault. */
static inline void *sim_reach(struct sim_space *space, u32 page, bool write)
{
	u64 *leaf = &space->leaf[page];

	if (!(*leaf & (write ? SIM_WRITE : SIM_READ)))
		return NULL;
	*leaf |= SIM_ACCESSED | (write ? SIM_DIRTY : 0);
	return sim_memory + ((*leaf >> SIM_FRAME_SHIFT) << PAGE_SHIFT);
}
