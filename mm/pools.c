/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/pools.h"
#include "kernel/lib/format.h"
#include "mm/admit.h"
#include "mm/alloc.h"
#include "mm/rebalance.h"
#include <string.h>

enum { MACHINE, KIB_PER_PAGE = PAGE_SIZE / 1024 };

static struct pool pools[MM_POOLS];

void pools_init(void)
{
	memset(pools, 0, sizeof(pools));
	pools[MACHINE] = (struct pool){ .name = "machine", .max = UINT64_MAX };
}

const struct pool *pools_get(u32 id)
{
	return id < MM_POOLS && pools[id].name[0] ? &pools[id] : NULL;
}

/* ---- needs, from a member up to the machine ---- */

static u64 need_of(const struct pool *pool, u64 needed)
{
	return max_u64(pool->min, needed);
}

bool pools_fit(u32 id, u64 was, u64 will, u64 machine, struct pools_lack *lack)
{
	for (;;) {
		const struct pool *pool = &pools[id];
		u64 max = id == MACHINE ? machine : pool->max;
		u64 left = max > pool->needed ? max - pool->needed : 0;

		CHECK(pool->needed >= was);
		if (will > was && will - was > left) {
			*lack = (struct pools_lack){ id, will - was, left };
			return false;
		}
		if (id == MACHINE)
			return true;
		u64 others = pool->needed - was;

		was = need_of(pool, pool->needed);
		will = need_of(pool, others + will);
		id = pool->parent;
	}
}

void pools_change(u32 id, u64 was, u64 will)
{
	for (;;) {
		struct pool *pool = &pools[id];
		u64 before = need_of(pool, pool->needed);

		CHECK(pool->needed >= was);
		pool->needed = pool->needed - was + will;
		if (id == MACHINE)
			return;
		was = before;
		will = need_of(pool, pool->needed);
		id = pool->parent;
	}
}

void pools_count(u32 id, s32 members)
{
	CHECK(pools_get(id) && (members > 0 || pools[id].members > 0));
	pools[id].members += (u32)members;
}

u64 pools_needed(void)
{
	return pools[MACHINE].needed;
}

void pools_copy(struct pool copy[MM_POOLS])
{
	memcpy(copy, pools, sizeof(pools));
}

const char *pools_fault(const u64 vms[MM_POOLS])
{
	u64 needed[MM_POOLS];

	memcpy(needed, vms, sizeof(needed));
	for (u32 i = 1; i < MM_POOLS; i++) {
		if (pools[i].name[0])
			needed[pools[i].parent] += need_of(&pools[i], pools[i].needed);
	}
	for (u32 i = 0; i < MM_POOLS; i++) {
		if (needed[i] != pools[i].needed)
			return pools[i].name[0] ? pools[i].name : "a pool that is none";
	}
	return NULL;
}

/* ---- begin, set, end ---- */

/* Is `inner` the pool `outer`, or somewhere in it? */
static bool is_in(u32 inner, u32 outer)
{
	while (inner != outer && inner != MACHINE)
		inner = pools[inner].parent;
	return inner == outer;
}

static bool name_is_taken(u32 id, const char *name)
{
	for (u32 i = 0; i < MM_POOLS; i++) {
		if (i != id && strcmp(pools[i].name, name) == 0)
			return true;
	}
	return false;
}

/* What is wrong with these numbers for pool `id`; NULL: nothing. */
static const char *fault(u32 id, const struct mm_pool_config *config)
{
	if (!config->name[0] || !memchr(config->name, 0, sizeof(config->name)))
		return "a pool's name has 1 to 31 characters";
	if (name_is_taken(id, config->name))
		return "there is a pool of this name";
	if (config->min_pages > config->max_pages)
		return "min is at most max";
	if (config->shares > ALLOC_MAX_SHARES)
		return "shares are at most 1073741823";
	if (!pools_get(config->parent))
		return "its parent does not exist";
	return is_in(config->parent, id) ? "its parent lies in it" : NULL;
}

static void say_lack(const struct pools_lack *lack, const char *name, char *why, size_t why_bytes)
{
	format(why, why_bytes, "pool %s: needs %llu KiB more of %s %s, where %llu KiB are unreserved: %llu KiB short", name,
	       (unsigned long long)(lack->more * KIB_PER_PAGE), lack->pool ? "pool" : "the", pools[lack->pool].name,
	       (unsigned long long)(lack->left * KIB_PER_PAGE), (unsigned long long)((lack->more - lack->left) * KIB_PER_PAGE));
}

/* Its need leaves the old parent, and comes to the new one if that has it. */
static err_t move_need(u32 id, const struct mm_pool_config *config, u64 machine, char *why, size_t why_bytes)
{
	struct pool *pool = &pools[id];
	struct pools_lack lack;
	u64 was = need_of(pool, pool->needed);
	u64 will = max_u64(config->min_pages, pool->needed);

	pools_change(pool->parent, was, 0);
	if (pools_fit(config->parent, 0, will, machine, &lack)) {
		pools_count(pool->parent, -1);
		pools_count(config->parent, 1);
		pools_change(config->parent, 0, will);
		return OK;
	}
	pools_change(pool->parent, 0, was);
	say_lack(&lack, config->name, why, why_bytes);
	return E_NO_MEMORY;
}

/* `id` is a pool; its numbers become these. */
static err_t set(u32 id, const struct mm_pool_config *config, u64 machine, char *why, size_t why_bytes)
{
	struct pool *pool = &pools[id];
	const char *wrong = fault(id, config);

	if (!wrong && config->max_pages < pool->needed)
		wrong = "max is less than what is reserved in it";
	if (wrong) {
		format(why, why_bytes, "pool %s: %s", pool->name[0] ? pool->name : "(new)", wrong);
		return E_INVALID;
	}
	err_t error = move_need(id, config, machine, why, why_bytes);

	if (error)
		return error;
	memcpy(pool->name, config->name, sizeof(pool->name));
	pool->min = config->min_pages;
	pool->max = config->max_pages;
	pool->shares = config->shares;
	pool->parent = config->parent;
	return OK;
}

static err_t begin(const struct mm_pool_config *config, u64 machine, u32 *id, char *why, size_t why_bytes)
{
	for (u32 i = 1; i < MM_POOLS; i++) {
		if (pools[i].name[0])
			continue;
		pools_count(MACHINE, 1); /* an empty pool beside the others, which then becomes what it is to be */
		err_t error = set(i, config, machine, why, why_bytes);

		if (error)
			pools_count(MACHINE, -1);
		*id = i;
		return error;
	}
	format(why, why_bytes, "there are %u pools: no more can begin", MM_POOLS - 1);
	return E_NO_MEMORY;
}

err_t mm_pool_begin(const struct mm_pool_config *config, u32 *pool, char *why, size_t why_bytes)
{
	u64 machine = admit_lock();
	err_t error = begin(config, machine, pool, why, why_bytes);

	admit_unlock();
	return error;
}

static err_t no_such_pool(u32 id, char *why, size_t why_bytes)
{
	format(why, why_bytes, "there is no pool %u", id);
	return E_NOT_FOUND;
}

err_t mm_pool_set(u32 id, const struct mm_pool_config *config, char *why, size_t why_bytes)
{
	if (id == MACHINE)
		return no_such_pool(id, why, why_bytes);
	u64 machine = admit_lock();
	err_t error = pools_get(id) ? set(id, config, machine, why, why_bytes) : no_such_pool(id, why, why_bytes);

	admit_unlock();
	if (!error)
		rebalance_want(REBALANCE_POOLS);
	return error;
}

static err_t end(u32 id, char *why, size_t why_bytes)
{
	struct pool *pool = &pools[id];

	if (pool->members) {
		format(why, why_bytes, "pool %s: %u VMs or pools are in it", pool->name, pool->members);
		return E_STATE;
	}
	CHECK(pool->needed == 0);
	pools_change(pool->parent, pool->min, 0);
	pools_count(pool->parent, -1);
	*pool = (struct pool){ 0 };
	return OK;
}

err_t mm_pool_end(u32 id, char *why, size_t why_bytes)
{
	if (id == MACHINE)
		return no_such_pool(id, why, why_bytes);
	(void)admit_lock();
	err_t error = pools_get(id) ? end(id, why, why_bytes) : no_such_pool(id, why, why_bytes);

	admit_unlock();
	return error;
}

bool mm_pool_look(u32 id, struct mm_pool *out)
{
	(void)admit_lock();
	const struct pool *pool = pools_get(id);

	if (pool) {
		*out = (struct mm_pool){
			.config = { .min_pages = pool->min,
				    .max_pages = pool->max,
				    .shares = pool->shares,
				    .parent = pool->parent },
			.reserved = pool->needed,
			.members = pool->members,
		};
		memcpy(out->config.name, pool->name, sizeof(pool->name));
	}
	admit_unlock();
	return pool != NULL;
}
