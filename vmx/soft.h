/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a vCPU lives only in software: owned by msr_*.c and pvclock.c.  Zeroed by vcpu_init. */
#pragma once
#include "kernel/lib/types.h"

/* A structure in guest memory that the guest registered: its page is pinned. */
struct pv_page {
	u64 address; /* guest-physical, bit 0: registered; as the guest wrote it */
	mpn_t frame;
};

struct vcpu_soft {
	/* model-specific registers that the processor does not keep for us */
	u64 misc_enable;
	u64 mtrr_def_type, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];
	u64 tsc_adjust;
	/* paravirtual clock and steal time */
	struct pv_page clock, steal;
	u64 wall_address;
	bool stopped;     /* PVCLOCK_GUEST_STOPPED is owed */
	u64 stolen_ticks; /* of the host's TSC */
	u64 left_tsc;     /* when others took over, 0: they did not */
};
