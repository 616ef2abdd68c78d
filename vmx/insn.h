/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMX instructions (SDM vol. 3C, 30).  Each fails only by a bug of ours, so each CHECKs. */
#pragma once
#include "kernel/lib/check.h"
#include "kernel/lib/types.h"

struct invalidate {
	u64 context; /* EPT pointer, or VPID */
	u64 address;
};
enum { INVALIDATE_SINGLE = 1, INVALIDATE_ALL = 2 };

static inline void vmx_on(mpa_t region)
{
	bool failed;

	__asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region.a) : "memory");
	CHECK(!failed);
}

static inline void vmx_clear(mpa_t vmcs)
{
	bool failed;

	__asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(vmcs.a) : "memory");
	CHECK(!failed);
}

static inline void vmx_load(mpa_t vmcs)
{
	bool failed;

	__asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(vmcs.a) : "memory");
	CHECK(!failed);
}

static inline void vmx_invept(u64 kind, u64 eptp)
{
	struct invalidate what = { eptp, 0 };
	bool failed;

	__asm__ volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(what), "r"(kind) : "memory");
	CHECK(!failed);
}

static inline void vmx_invvpid(u64 kind, u16 vpid)
{
	struct invalidate what = { vpid, 0 };
	bool failed;

	__asm__ volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(what), "r"(kind) : "memory");
	CHECK(!failed);
}
