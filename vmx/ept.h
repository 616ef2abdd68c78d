/* SPDX-License-Identifier: BSD-2-Clause */
/* EPT as a format of the page-table engine, and its invalidation.  SDM vol. 3C, 29.3.  The five operations are in vmx.h. */
#pragma once
#include "kernel/lib/ptab.h"
#include "vmx/vmx.h"

#define EPT_READ BIT(0)
#define EPT_WRITE BIT(1)
#define EPT_EXECUTE BIT(2)
#define EPT_RIGHTS (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_WRITE_BACK (6ULL << 3)
#define EPT_ACCESSED BIT(8)
#define EPT_DIRTY BIT(9)
/* Ours, in an entry that names a table: split because a guest executes there; not to become a large leaf again. */
#define EPT_STAYS_SPLIT BIT(52)

static const struct pt_format pt_ept = {
	.levels = 4,
	.present = EPT_RIGHTS,
	.large = BIT(7),
	.address = 0x000ffffffffff000ULL,
	.table = EPT_RIGHTS,
	.leaf = { 0, EPT_READ, EPT_READ | EPT_WRITE, EPT_READ | EPT_EXECUTE },
	.all = EPT_RIGHTS,
	.accessed = EPT_ACCESSED,
	.dirty = EPT_DIRTY,
};

/* Forget this CPU's translations of the VM. */
void ept_invalidate(const struct ept *ept);
