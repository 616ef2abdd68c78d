/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/rebalance.h"
#include "mm/admit.h"
#include "mm/frame.h"
#include "mm/plan.h"
#include "mm/share.h"
#include "mm/state.h"

enum { STEP_VMS = 8, STEP_IDS = 64, WHOLE_PERMILLE = 1000 };
enum rebalance_phase { REBALANCE_IDLE, REBALANCE_GATHER, REBALANCE_PLAN, REBALANCE_APPLY, REBALANCE_PHASES };

static u32 wanted; /* set of rebalance_cause */
static u32 busy;   /* a step runs: all below is its own */
static u64 last_ns;
static u32 tax_permille = 750;
static bool tax_progressive;

static struct rebalance {
	enum rebalance_phase phase;
	enum mm_state state; /* when it began */
	u32 cursor;          /* next id to gather, next row to apply */
	u32 pools, vms;      /* nodes of the machine and the pools; rows */
	u64 held, coming;    /* by all; by VMs that are ending, soon free */
	u32 pool_nodes[MM_POOLS];
	struct alloc_node nodes[MM_POOLS + VM_IDS];
	struct reclaim_row rows[VM_IDS];
	struct {
		u32 id;
		u64 serial;
	} who[VM_IDS]; /* the row is about */
	struct plan plan;
} job;

void rebalance_init(void)
{
	wanted = 0;
	busy = 0;
	last_ns = platform_time_ns();
	tax_permille = 750;
	tax_progressive = false;
	job.phase = REBALANCE_IDLE;
}

void rebalance_want(enum rebalance_cause cause)
{
	__atomic_fetch_or(&wanted, cause, __ATOMIC_RELAXED);
	platform_work();
}

err_t mm_set_tax(u32 permille, bool progressive)
{
	if (permille > MM_MAX_TAX)
		return E_RANGE;
	__atomic_store_n(&tax_permille, permille, __ATOMIC_RELAXED);
	__atomic_store_n(&tax_progressive, progressive, __ATOMIC_RELAXED);
	rebalance_want(REBALANCE_PARAMETERS);
	return OK;
}

/* ---- the pools, parents first ---- */

static void set_tax(struct alloc_node *node, u32 permille, bool progressive)
{
	bool of_host = permille == MM_TAX_OF_HOST;

	node->tax_permille = of_host ? __atomic_load_n(&tax_permille, __ATOMIC_RELAXED) : permille;
	node->progressive = of_host ? __atomic_load_n(&tax_progressive, __ATOMIC_RELAXED) : progressive;
}

static void enter_pool(u32 id, const struct pool *pool)
{
	struct alloc_node *node = &job.nodes[job.pools];

	*node = (struct alloc_node){
		.min = pool->min,
		.max = pool->max,
		.shares = pool->shares,
		.parent = job.pool_nodes[pool->parent],
	};
	set_tax(node, MM_TAX_OF_HOST, false);
	job.pool_nodes[id] = job.pools++;
}

/* Pools without members get nothing, so they do not take part. */
static void gather_pools(void)
{
	struct pool pools[MM_POOLS];
	u32 before;

	(void)admit_lock();
	pools_copy(pools);
	admit_unlock();
	job.nodes[0] = (struct alloc_node){ .max = UINT64_MAX };
	for (u32 id = 0; id < MM_POOLS; id++)
		job.pool_nodes[id] = 0;
	job.pools = 1;
	do {
		before = job.pools;
		for (u32 id = 1; id < MM_POOLS; id++) {
			u32 parent = pools[id].parent;

			if (pools[id].members && !job.pool_nodes[id] && (!parent || job.pool_nodes[parent]))
				enter_pool(id, &pools[id]);
		}
	} while (job.pools > before);
}

/* ---- a VM's row and node ---- */

/* A shared page costs its part of the frame, on the average: all together cost what they are. */
static u64 held_pages(const struct mm_vm *vm)
{
	struct share_totals shared;

	share_totals(&shared);
	u64 references = max_u64(shared.references, 1);
	u64 cost = (vm->references * min_u64(shared.frames, references) + references - 1) / references;

	return vm->tally[TALLY_PRIVATE] + vm->tally[TALLY_TRANSIT] + vm->store.frames + cost;
}

u32 rebalance_active(const struct mm_vm *vm)
{
	const struct sample *sample = &vm->sample;

	if (!sample->averages.begun)
		return WHOLE_PERMILLE;
	return (u32)((u64)sample_estimate(&sample->averages, sample->touched, sample->wanted) * WHOLE_PERMILLE / SAMPLE_ONE);
}

static void enter_vm(struct mm_vm *vm)
{
	struct alloc_node *node = &job.nodes[job.pools + job.vms];

	*node = (struct alloc_node){
		.min = vm->min_pages,
		.max = vm->limit_pages,
		.shares = vm->shares,
		.active_permille = rebalance_active(vm),
		.parent = job.pool_nodes[vm->promise.pool],
	};
	set_tax(node, vm->tax_permille, vm->progressive);
	job.rows[job.vms] = (struct reclaim_row){
		.held = held_pages(vm),
		.balloon = vm->tally[TALLY_BALLOONED],
		.balloon_limit = vm->balloon.limit,
		.has_balloon = vm->balloon.here,
		.answers = balloon_judge(vm),
		.pages_out = swap_is_on() || vm->store.frames < vm->store.limit,
	};
	job.held += job.rows[job.vms].held;
	job.who[job.vms].id = vm->id;
	job.who[job.vms].serial = vm->serial;
	job.vms++;
}

/* ---- a job ---- */

static bool is_due(void)
{
	return __atomic_load_n(&wanted, __ATOMIC_RELAXED) || platform_time_ns() - last_ns >= MM_BALANCE_NS;
}

/* What asks from here on is served by the next one. */
static void begin(void)
{
	if (!is_due())
		return;
	__atomic_store_n(&wanted, 0, __ATOMIC_RELAXED);
	last_ns = platform_time_ns();
	job.phase = REBALANCE_GATHER;
	job.cursor = 1;
	job.vms = 0;
	job.held = job.coming = 0;
	gather_pools();
}

static void begin_plan(void)
{
	u64 free = frame_count(CLASS_FREE) + frame_count(CLASS_DEBT) + job.coming;

	job.state = state_now();
	job.phase = REBALANCE_PLAN;
	plan_begin(&job.plan, job.nodes, job.pools, job.rows, job.vms, plan_pages(job.held, free, state_threshold(MM_HIGH)),
		   job.state);
}

static void gather(void)
{
	u32 end = (u32)min_u64(VM_IDS, job.cursor + STEP_IDS);
	u32 most = job.vms + STEP_VMS;

	for (; job.cursor < end && job.vms < most; job.cursor++) {
		struct mm_vm *vm = vm_lock_id(job.cursor);

		if (!vm)
			continue;
		if (vm->release_phase)
			job.coming += held_pages(vm);
		else
			enter_vm(vm);
		vm_unlock(vm);
	}
	if (job.cursor == VM_IDS)
		begin_plan();
}

static void plan(void)
{
	if (plan_step(&job.plan))
		return;
	job.phase = REBALANCE_APPLY;
	job.cursor = 0;
}

/* What has changed meanwhile is for the rebalance that follows. */
static bool is_as_planned(const struct mm_vm *vm, u32 i)
{
	const struct reclaim_row *row = &job.rows[i];

	return vm->serial == job.who[i].serial && !vm->release_phase && row->min == vm->min_pages && row->max == vm->limit_pages;
}

static void apply(void)
{
	u32 end = (u32)min_u64(job.vms, job.cursor + STEP_VMS);

	for (; job.cursor < end; job.cursor++) {
		struct mm_vm *vm = vm_lock_id(job.who[job.cursor].id);

		if (!vm)
			continue;
		if (is_as_planned(vm, job.cursor))
			balance_apply(vm, &job.rows[job.cursor], job.state);
		vm_unlock(vm);
	}
	if (job.cursor == job.vms)
		job.phase = REBALANCE_IDLE;
}

static void (*const phases[])(void) = {
	[REBALANCE_IDLE] = begin,
	[REBALANCE_GATHER] = gather,
	[REBALANCE_PLAN] = plan,
	[REBALANCE_APPLY] = apply,
};
_Static_assert(ARRAY_SIZE(phases) == REBALANCE_PHASES, "every phase has its step");

bool rebalance_step(void)
{
	if (__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE))
		return false; /* another CPU is at it */
	CHECK(job.phase < REBALANCE_PHASES);
	phases[job.phase]();
	bool more = job.phase != REBALANCE_IDLE || is_due();

	__atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
	return more;
}
