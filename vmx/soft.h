/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a vCPU lives only in software: owned by msr.c, pvclock.c, emulate.c and strio.c.  Zeroed by vcpu_init. */
#pragma once
#include "kernel/lib/types.h"

struct vcpu_soft {
	/* model-specific registers that the processor does not keep for us */
	u64 misc_enable;
	u64 mtrr_def_type, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];
	u64 tsc_adjust;
	/* paravirtual clock: guest-physical address with its enable bit, as the guest wrote it */
	u64 clock_address, wall_address, steal_address, eoi_address;
	u32 clock_version;
	bool clock_pinned, steal_pinned, eoi_pinned;
	bool stopped_flag; /* PVCLOCK_GUEST_STOPPED is owed */
	u64 stolen_ticks, steal_from_tsc;
};
