/* SPDX-License-Identifier: BSD-2-Clause */
#include "mm/alloc.h"
#include "kernel/lib/check.h"

enum { PHASE_CLEAR, PHASE_GATHER, PHASE_SWEEP, PHASE_SET, PHASE_DONE };
enum { COST_SHIFT = 20, WEIGHT_SHIFT = 34, X_SHIFT = WEIGHT_SHIFT + 10, WHOLE = 1000, QUARTERS = 4 };
/* With it the largest x reaches 2^32 pages, all that a machine can have; one share at a tax of 75 % has it. */
#define LEAST_WEIGHT BIT(12)
_Static_assert((u64)ALLOC_MAX_SHARES < BIT(64 - WEIGHT_SHIFT), "a weight is below 2^X_SHIFT, before the division below 2^64");

/* ---- the tax ---- */

static u64 idle_cost(u32 idle_permille, u32 tax_permille)
{
	return (u64)idle_permille * ((u64)WHOLE << COST_SHIFT) / (WHOLE - tax_permille);
}

/* As income is taxed: each further quarter of the memory that lies idle at a higher rate. */
static u64 progressive_cost(u32 idle_permille, u32 tax_permille)
{
	const u32 quarter = WHOLE / QUARTERS;
	u64 cost = 0;

	for (u32 i = 1; i <= QUARTERS && idle_permille; i++) {
		u32 part = idle_permille < quarter ? idle_permille : quarter;

		cost += idle_cost(part, tax_permille * i / QUARTERS);
		idle_permille -= part;
	}
	return cost;
}

u64 alloc_cost(u32 active_permille, u32 tax_permille, bool progressive)
{
	u32 idle = WHOLE - active_permille;
	u64 active_cost = (u64)active_permille << COST_SHIFT;

	CHECK(active_permille <= WHOLE && tax_permille <= ALLOC_MAX_TAX);
	return (active_cost + (progressive ? progressive_cost(idle, tax_permille) : idle_cost(idle, tax_permille))) / WHOLE;
}

/* ---- from the leaves up: what a pool's children need and may have ---- */

static u64 weight_of(const struct alloc_node *node)
{
	u64 cost = alloc_cost(node->active_permille, node->tax_permille, node->progressive);

	return node->shares ? max_u64(((u64)node->shares << WEIGHT_SHIFT) / cost, LEAST_WEIGHT) : 0;
}

static void gather(struct alloc_node *nodes, u32 index)
{
	struct alloc_node *node = &nodes[index];
	struct alloc_node *parent = &nodes[node->parent];

	CHECK(node->parent < index && node->min <= node->max && node->shares <= ALLOC_MAX_SHARES);
	if (node->first != ALLOC_NO_NODE) {
		node->min = max_u64(min_u64(node->min, node->children_max), node->children_min);
		node->max = max_u64(min_u64(node->max, node->children_max), node->min);
		node->active_permille = node->children_max ? (u32)(node->children_active / node->children_max) : WHOLE;
	}
	node->weight = weight_of(node);
	node->next = parent->first;
	parent->first = index;
	parent->children_min += node->min;
	parent->children_max += node->max;
	parent->children_active += node->max * node->active_permille;
}

/* ---- from the machine down ---- */

/* Pages for this node at x.  One more in x is at most one page more: weights are below 2^X_SHIFT. */
static u64 share(const struct alloc_node *node, u64 x)
{
	unsigned __int128 pages = (unsigned __int128)node->weight * x >> X_SHIFT;

	return max_u64(node->min, pages < node->max ? (u64)pages : node->max);
}

/* The next pool that has children, from `index` on. */
static void begin_pool(struct alloc_job *job, u32 index)
{
	while (index < job->count && job->nodes[index].first == ALLOC_NO_NODE)
		index++;
	job->pool = index;
	job->phase = index < job->count ? PHASE_SWEEP : PHASE_DONE;
	if (job->phase == PHASE_DONE)
		return;
	const struct alloc_node *pool = &job->nodes[index];

	if (pool->children_min > pool->target)
		job->missing += pool->children_min - pool->target;
	job->left = pool->target - min_u64(pool->target, pool->children_min);
	job->low = 0;
	job->high = UINT64_MAX;
	job->cursor = pool->first;
	job->sum = 0;
}

static u64 middle(const struct alloc_job *job)
{
	return job->low + (job->high - job->low) / 2;
}

/* What all get at the middle is summed: x lies above it or below.  In the end `low` is the last x that does not give too much. */
static void choose_half(struct alloc_job *job)
{
	const struct alloc_node *pool = &job->nodes[job->pool];

	CHECK(job->low < job->high);
	if (job->sum <= pool->target) {
		job->left = pool->target - job->sum;
		job->low = middle(job);
	} else {
		job->high = middle(job);
	}
	job->cursor = pool->first;
	job->sum = 0;
	if (job->high - job->low == 1)
		job->phase = PHASE_SET;
}

/* ---- a job: one node a visit ---- */

static void visit_clear(struct alloc_job *job)
{
	struct alloc_node *node = &job->nodes[job->cursor++];

	node->first = ALLOC_NO_NODE;
	node->children_min = node->children_max = node->children_active = 0;
	if (job->cursor < job->count)
		return;
	job->phase = PHASE_GATHER;
}

static void visit_gather(struct alloc_job *job)
{
	if (--job->cursor)
		gather(job->nodes, job->cursor);
	else
		begin_pool(job, 0);
}

static void visit_sweep(struct alloc_job *job)
{
	const struct alloc_node *node = &job->nodes[job->cursor];

	job->sum += share(node, middle(job));
	job->cursor = node->next;
	if (job->cursor == ALLOC_NO_NODE)
		choose_half(job);
}

/* What `low` leaves over goes to those who are the next to grow, a page each. */
static void visit_set(struct alloc_job *job)
{
	struct alloc_node *node = &job->nodes[job->cursor];

	CHECK(node->parent == job->pool);
	node->target = share(node, job->low);
	if (job->left && share(node, job->high) > node->target) {
		node->target++;
		job->left--;
	}
	job->cursor = node->next;
	if (job->cursor == ALLOC_NO_NODE)
		begin_pool(job, job->pool + 1);
}

static void (*const visits[])(struct alloc_job *job) = {
	[PHASE_CLEAR] = visit_clear,
	[PHASE_GATHER] = visit_gather,
	[PHASE_SWEEP] = visit_sweep,
	[PHASE_SET] = visit_set,
};

void alloc_begin(struct alloc_job *job, struct alloc_node *nodes, u32 count, u64 pages)
{
	CHECK(count > 0);
	nodes[0].target = pages;
	*job = (struct alloc_job){ .nodes = nodes, .count = count, .phase = PHASE_CLEAR };
}

bool alloc_step(struct alloc_job *job)
{
	for (u32 i = 0; i < ALLOC_STEP_NODES && job->phase != PHASE_DONE; i++)
		visits[job->phase](job);
	return job->phase != PHASE_DONE;
}
