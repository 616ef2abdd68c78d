/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rebalances of the running machine: gather what VMs have, hold and use; plan (plan.h); apply.  One at a time, a bounded piece a step;
 * all who ask for one meanwhile are served by the next.
 */
#pragma once
#include "kernel/lib/types.h"

enum rebalance_cause {
	REBALANCE_STATE = 1 << 0,      /* the free state has changed */
	REBALANCE_VMS = 1 << 1,        /* a VM has come or gone */
	REBALANCE_PARAMETERS = 1 << 2, /* of a VM, or of all */
	REBALANCE_POOLS = 1 << 3,
};

struct mm_vm;

void rebalance_init(void);
/* From anywhere, whatever lock is held. */
void rebalance_want(enum rebalance_cause cause);
/* A piece of the one under way, or of a new one if it was asked for or MM_BALANCE_NS have passed.  False: there is none. */
bool rebalance_step(void);

/* How much of the VM's memory is in use, per mille; until it has been sampled all of it.  Under its lock. */
u32 rebalance_active(const struct mm_vm *vm);
