/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A few free frames for each CPU, so that most allocations take no zone lock.  A slot is filled by its CPU only and emptied by
 * exchange, so a CPU that finds both zones empty may take from the others': no frame is out of reach because of where it was freed.
 */
#include "mm/zone.h"

struct cache {
	u32 slots[CACHE_SLOTS];
	u32 fill; /* slots in use as its CPU knows: others may have emptied some */
} __attribute__((aligned(64)));

static struct cache caches[CACHE_CPUS];
static u32 users; /* one more than the highest CPU that was ever here: who finds nothing looks no further */

void cache_init(void)
{
	for (u32 cpu = 0; cpu < CACHE_CPUS; cpu++)
		caches[cpu] = (struct cache){ 0 };
	users = 0;
}

static struct cache *cache_self(void)
{
	u32 cpu = lock_cpu_id();
	u32 seen = __atomic_load_n(&users, __ATOMIC_RELAXED);

	CHECK(cpu < CACHE_CPUS);
	while (seen <= cpu && !__atomic_compare_exchange_n(&users, &seen, cpu + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return &caches[cpu];
}

static u32 empty_slot(struct cache *cache, u32 slot)
{
	return __atomic_exchange_n(&cache->slots[slot], 0, __ATOMIC_ACQ_REL);
}

static void fill_slot(struct cache *cache, u32 mpn)
{
	CHECK(cache->fill < CACHE_SLOTS && frame_state(mpn) == FRAME_CACHED);
	__atomic_store_n(&cache->slots[cache->fill++], mpn, __ATOMIC_RELEASE);
}

static u32 pop(struct cache *cache)
{
	while (cache->fill) {
		u32 mpn = empty_slot(cache, --cache->fill);

		if (mpn)
			return mpn;
	}
	return 0;
}

static u32 steal(void)
{
	u32 count = __atomic_load_n(&users, __ATOMIC_RELAXED);

	for (u32 cpu = 0; cpu < count; cpu++) {
		for (u32 slot = 0; slot < CACHE_SLOTS; slot++) {
			u32 seen = __atomic_load_n(&caches[cpu].slots[slot], __ATOMIC_RELAXED);

			if (seen && (seen = empty_slot(&caches[cpu], slot)) != 0)
				return seen;
		}
	}
	return 0;
}

/* Half of it, so that a CPU that only frees and one that only takes both go to the zone once in a batch. */
static void spill(struct cache *cache)
{
	for (u32 i = 0; i < CACHE_BATCH; i++) {
		u32 mpn = pop(cache);

		if (mpn)
			zone_give(mpn, 1);
	}
}

u32 cache_take(void)
{
	struct cache *cache = cache_self();
	u32 mpn = pop(cache);
	u32 batch[CACHE_BATCH];

	if (mpn)
		return mpn;
	u32 count = zone_take_singles(batch, CACHE_BATCH);
	if (!count)
		return steal();
	while (count > 1)
		fill_slot(cache, batch[--count]);
	return batch[0];
}

void cache_give(u32 mpn)
{
	struct cache *cache = cache_self();

	CHECK(mpn && frame_state(mpn) != FRAME_FREE && frame_state(mpn) != FRAME_TAIL);
	if (cache->fill == CACHE_SLOTS)
		spill(cache);
	frame_assign(mpn, FRAME_CACHED, 0, 0);
	fill_slot(cache, mpn);
}
