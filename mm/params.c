/* SPDX-License-Identifier: BSD-2-Clause */
/* What may change of a VM while it runs. */
#include "kernel/lib/format.h"
#include "mm/admit.h"
#include "mm/alloc.h"
#include "mm/rebalance.h"

_Static_assert((u32)MM_MAX_TAX == (u32)ALLOC_MAX_TAX, "what may be set can be divided by");

enum { WHOLE_PERMILLE = 1000 };

void mm_vm_params(struct mm_vm *vm, struct mm_vm_params *params)
{
	lock_acquire(vm->lock);
	*params = (struct mm_vm_params){
		.min_pages = vm->min_pages,
		.max_pages = vm->limit_pages,
		.shares = vm->shares,
		.tax_permille = vm->tax_permille,
		.progressive = vm->progressive,
		.balloon_permille = vm->balloon_permille,
		.pool = vm->promise.pool,
	};
	lock_release(vm->lock);
}

static err_t check(const struct mm_vm *vm, const struct mm_vm_params *params, char *why, size_t why_bytes)
{
	const u64 kib = PAGE_SIZE / 1024;
	const struct {
		bool wrong;
		const char *text;
		u64 number;
	} rows[] = {
		{ params->max_pages > vm->max_pages, "max is at most its size, %llu KiB", vm->max_pages * kib },
		{ params->min_pages > params->max_pages, "min is at most max, %llu KiB", params->max_pages * kib },
		{ params->max_pages == 0, "max is at least %llu KiB", kib },
		{ params->shares > ALLOC_MAX_SHARES, "shares are at most %llu", ALLOC_MAX_SHARES },
		{ params->tax_permille > MM_MAX_TAX && params->tax_permille != MM_TAX_OF_HOST,
		  "the tax is at most %llu per mille, or the machine's", MM_MAX_TAX },
		{ params->balloon_permille > WHOLE_PERMILLE, "the balloon's limit is at most %llu per mille", WHOLE_PERMILLE },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!rows[i].wrong)
			continue;
		format(why, why_bytes, rows[i].text, (unsigned long long)rows[i].number);
		return E_INVALID;
	}
	return OK;
}

static void set(struct mm_vm *vm, const struct mm_vm_params *params)
{
	vm->min_pages = params->min_pages;
	vm->limit_pages = params->max_pages;
	vm->shares = params->shares;
	vm->tax_permille = params->tax_permille;
	vm->progressive = params->progressive;
	vm->balloon_permille = params->balloon_permille;
	balloon_set_limit(vm, vm->max_pages * params->balloon_permille / WHOLE_PERMILLE);
	/* Until the rebalance that follows. */
	vm->balance.target = max_u64(params->min_pages, min_u64(params->max_pages, vm->balance.target));
}

err_t mm_vm_set(struct mm_vm *vm, const struct mm_vm_params *params, char *why, size_t why_bytes)
{
	u64 host = admit_host_pages();

	lock_acquire(vm->lock);
	err_t error = check(vm, params, why, why_bytes);

	if (!error)
		error = admit_change(vm, host, params->min_pages, params->pool, why, why_bytes);
	if (!error)
		set(vm, params);
	lock_release(vm->lock);
	if (!error)
		rebalance_want(REBALANCE_PARAMETERS);
	return error;
}
