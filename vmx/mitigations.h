/* SPDX-License-Identifier: BSD-2-Clause */
/* Which guards are up: mitigations.def's rows whose condition holds on this processor. */
#pragma once
#include "kernel/lib/types.h"

enum guard {
	GUARD_CLEAR_REGISTERS = 1, /* entry.asm, after an exit */
	GUARD_FILL_RETURNS = 2,    /* entry.asm, after an exit */
	GUARD_CLEAR_BUFFERS = 4,   /* entry.asm, before an entry */
	GUARD_FLUSH_L1D = 8,       /* another VM enters */
	GUARD_BARRIER = 16,        /* another VM enters */
	GUARD_LARGE_DATA = 32,     /* large EPT leaves are not executable */
};

/* What the conditions ask of the processor. */
struct mitigation_facts {
	u32 family, model;
	u32 leaf7_edx;
	u64 capabilities; /* IA32_ARCH_CAPABILITIES, 0: none */
};
struct mitigation_facts mitigation_facts(void);
u32 mitigation_guards(const struct mitigation_facts *facts); /* pure */

/* Guards of this machine; none if vmx_set_mitigations(false) was called. */
u32 mitigations_in_force(void);
bool mitigation_large_not_executable(void);
