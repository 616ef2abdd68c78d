/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/admit.h"
#include "kernel/lib/format.h"
#include "mm/frame.h"

enum {
	/* A VM's control blocks, devices and console ring, and the 32 frames that are held for a vCPU until it has made progress. */
	FIXED_PAGES = 64,
	GIB_BLOCKS = 512,
	TOP_TABLES = 2, /* PML4 and PDPT: one each up to 512 GiB */
	KIB_PER_PAGE = PAGE_SIZE / 1024,
};

/* Ranks with the zones: nothing is taken under it. */
static struct lock lock;
static u64 promised_pages;

void admit_init(void)
{
	lock_init(&lock, RANK_ZONE, "admission");
	promised_pages = 0;
}

static u64 round_up(u64 count, u64 unit)
{
	return (count + unit - 1) / unit;
}

u64 admit_overhead_pages(const struct mm_vm_config *config)
{
	u64 low_blocks = round_up(config->low_pages, LARGE_PAGES);
	u64 high_blocks = round_up(config->max_pages - config->low_pages, LARGE_PAGES);
	u64 blocks = low_blocks + high_blocks;
	u64 directories = round_up(blocks, DIRECTORY_BLOCKS);
	/* Worst case of four-level tables: each 2 MiB in 4 KiB leaves. */
	u64 tables = blocks + round_up(low_blocks, GIB_BLOCKS) + round_up(high_blocks, GIB_BLOCKS) + TOP_TABLES;

	return FIXED_PAGES + directories + blocks + tables;
}

/* What VMs hold of the machine's overhead is part of their promise and must not count twice. */
static u64 host_overhead_pages(void)
{
	u64 pages = frame_count(CLASS_OVERHEAD) + frame_count(CLASS_SHARED);

	for (u32 id = 1; id < VM_IDS; id++) {
		struct mm_vm *vm = vm_lock_id(id);

		if (!vm)
			continue;
		u64 held = vm->pmap_pages + platform_table_pages(vm);

		vm_unlock(vm);
		pages -= min_u64(pages, held);
	}
	return pages;
}

err_t admit_promise(const struct mm_vm_config *config, u64 *promised, char *why, size_t why_bytes)
{
	u64 overhead = admit_overhead_pages(config);
	u64 need = config->max_pages + overhead;
	u64 host = host_overhead_pages();

	lock_acquire(&lock);
	u64 taken = promised_pages + host;
	u64 left = frame_counts.total > taken ? frame_counts.total - taken : 0;
	bool fits = need <= left;

	if (fits)
		promised_pages += need;
	lock_release(&lock);
	if (fits) {
		*promised = need;
		return OK;
	}
	format(why, why_bytes, "needs %llu KiB and %llu KiB overhead; %llu KiB are unreserved: %llu KiB short",
	       (unsigned long long)(config->max_pages * KIB_PER_PAGE), (unsigned long long)(overhead * KIB_PER_PAGE),
	       (unsigned long long)(left * KIB_PER_PAGE), (unsigned long long)((need - left) * KIB_PER_PAGE));
	return E_NO_MEMORY;
}

void admit_return(u64 promised)
{
	lock_acquire(&lock);
	CHECK(promised_pages >= promised);
	promised_pages -= promised;
	lock_release(&lock);
}
