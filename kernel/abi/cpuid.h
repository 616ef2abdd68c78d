/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a guest finds Aerostat: from 0x40000000 up in steps of 0x100, the first leaf whose EBX, ECX, EDX spell the signature is our
 * base.  Another hypervisor's identity may stand before it.
 */
#pragma once

#define CPUID_HYPERVISOR_BASE 0x40000000U
#define CPUID_HYPERVISOR_STEP 0x100U
#define AEROSTAT_SIGNATURE "AerostatAero"

enum {
	AEROSTAT_LEAF_VERSION = 1, /* base + 1: EAX is the version of this interface */
	AEROSTAT_ABI_VERSION = 1,
};
