/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/features.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/mcheck.h"

/* What CR4 must, or may if the processor has it, contain. No feature: every 64-bit processor has it. */
static const struct {
	u64 bit;
	u64 feature;
	const char *name;
} cr4_bits[] = {
	{ CR4_PAE, 0, NULL },
	{ CR4_PGE, 0, NULL },
	{ CR4_OSFXSR, 0, NULL }, /* guests' vector state is saved and restored */
	{ CR4_OSXMMEXCPT, 0, NULL },
	{ CR4_MCE, FEATURE_MCE, "MCE" }, /* without it a machine check shuts the machine down silently */
	{ CR4_OSXSAVE, FEATURE_XSAVE, "XSAVE" },
	{ CR4_SMEP, FEATURE_SMEP, "SMEP" },
	{ CR4_SMAP, FEATURE_SMAP, "SMAP" },
	{ CR4_UMIP, FEATURE_UMIP, "UMIP" },
};

/*
 * Types by PWT and PCD of an entry (SDM vol. 3A, 11.12): write-back, write-combining, uncached unless an MTRR combines, uncached.  The
 * upper four repeat them.  Only the second differs from what firmware leaves, and the loader's tables do not use it.
 */
#define PAT_VALUE 0x0007010600070106ULL

u64 __stack_chk_guard = 0x595e9fbd94fda766ULL; /* until it is seeded */

void features_enable(void)
{
	u64 cr4 = 0;

	CHECK(cpu_has(FEATURE_NX) && cpu_has(FEATURE_PAT));
	msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_NXE);
	cr0_write((cr0_read() | CR0_WP | CR0_NE | CR0_MP) & ~(CR0_EM | CR0_TS | CR0_CD | CR0_NW));
	for (u32 i = 0; i < ARRAY_SIZE(cr4_bits); i++)
		if (cr4_bits[i].feature == 0 || cpu_has(cr4_bits[i].feature))
			cr4 |= cr4_bits[i].bit;
	cr4_write(cr4);
	if (cr4 & CR4_SMAP)
		__asm__ volatile("clac" : : : "memory");
	msr_write(MSR_PAT, PAT_VALUE);
	mcheck_enable();
}

void features_text(char *text, size_t bytes)
{
	u64 cr4 = cr4_read();
	u32 at = format(text, bytes, "WP NX");

	for (u32 i = 0; i < ARRAY_SIZE(cr4_bits) && at < bytes; i++)
		if (cr4_bits[i].name && (cr4 & cr4_bits[i].bit))
			at += format(text + at, bytes - at, " %s", cr4_bits[i].name);
}

/* FNV-1a over what the loader gathered, and the clock; a zero byte first, so that text functions cannot copy it. */
__attribute__((no_stack_protector, noinline)) void features_seed_guard(const u8 *entropy, u32 bytes)
{
	u64 hash = 0xcbf29ce484222325ULL ^ rdtsc();

	for (u32 i = 0; i < bytes; i++)
		hash = (hash ^ entropy[i]) * 0x100000001b3ULL;
	__stack_chk_guard = (hash ^ hash >> 29) << 8;
}
