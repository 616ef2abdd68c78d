/* SPDX-License-Identifier: BSD-2-Clause */
/* What mm knows of a VM's balloon; under its lock. */
#pragma once
#include "kernel/lib/types.h"

struct balloon {
	bool here;           /* a driver speaks */
	u64 target;          /* pages that it should hold */
	u64 behind_since_ns; /* it holds less than it should since then, and has not moved; 0: it follows */
	u64 popped;          /* pages that the guest touched though it had given them up */
};
