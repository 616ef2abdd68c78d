/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All state that a vCPU keeps in the processor's registers, filled with a pattern of its own ("seed=N"), watched while others run on the
 * same CPU: vector and mask registers, x87, MXCSR, debug registers, CR2 and the MSRs that need no exit.  Two of these at a time.
 */
#include "tests/guests/lib/guest.h"
#include <string.h>

enum { VECTORS = 32, VECTOR_BYTES = 64, MASKS = 8, SPIN = 60000, REPORT = 200, FEATURE_AVX512F = 1 << 16 };
#define XCR0_ALL 0xe7ULL
#define XCR0_SSE 3ULL

struct registers {
	u8 vector[VECTORS][VECTOR_BYTES];
	u64 mask[MASKS];
	u64 msr[8], debug[4], cr2;
	u32 mxcsr;
	u16 x87;
};

static const u32 msrs[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE, MSR_FS_BASE, MSR_GS_BASE, MSR_TSC_AUX
};
static struct registers set __attribute__((aligned(64))), seen __attribute__((aligned(64)));
static bool wide; /* AVX-512: 32 registers of 64 bytes and masks; else 16 of 16 */

#define EACH_8(X, base) X(base, 0) X(base, 1) X(base, 2) X(base, 3) X(base, 4) X(base, 5) X(base, 6) X(base, 7)
#define TEXT(x) #x

#define LOAD_ZMM(base, n) "vmovups 64*(" TEXT(base) "+" TEXT(n) ")(%0), %%zmm" ZMM_##base##_##n "\n\t"
#define STORE_ZMM(base, n) "vmovups %%zmm" ZMM_##base##_##n ", 64*(" TEXT(base) "+" TEXT(n) ")(%0)\n\t"
#define ZMM_0_0 "0"
#define ZMM_0_1 "1"
#define ZMM_0_2 "2"
#define ZMM_0_3 "3"
#define ZMM_0_4 "4"
#define ZMM_0_5 "5"
#define ZMM_0_6 "6"
#define ZMM_0_7 "7"
#define ZMM_8_0 "8"
#define ZMM_8_1 "9"
#define ZMM_8_2 "10"
#define ZMM_8_3 "11"
#define ZMM_8_4 "12"
#define ZMM_8_5 "13"
#define ZMM_8_6 "14"
#define ZMM_8_7 "15"
#define ZMM_16_0 "16"
#define ZMM_16_1 "17"
#define ZMM_16_2 "18"
#define ZMM_16_3 "19"
#define ZMM_16_4 "20"
#define ZMM_16_5 "21"
#define ZMM_16_6 "22"
#define ZMM_16_7 "23"
#define ZMM_24_0 "24"
#define ZMM_24_1 "25"
#define ZMM_24_2 "26"
#define ZMM_24_3 "27"
#define ZMM_24_4 "28"
#define ZMM_24_5 "29"
#define ZMM_24_6 "30"
#define ZMM_24_7 "31"
#define LOAD_MASK(base, n) "kmovw 8*" TEXT(n) "(%1), %%k" TEXT(n) "\n\t"
#define STORE_MASK(base, n) "kmovw %%k" TEXT(n) ", 8*" TEXT(n) "(%1)\n\t"
#define LOAD_XMM(base, n) "movups 64*(" TEXT(base) "+" TEXT(n) ")(%0), %%xmm" ZMM_##base##_##n "\n\t"
#define STORE_XMM(base, n) "movups %%xmm" ZMM_##base##_##n ", 64*(" TEXT(base) "+" TEXT(n) ")(%0)\n\t"

static void load_vectors(const struct registers *r)
{
	if (wide)
		__asm__ volatile(EACH_8(LOAD_ZMM, 0) EACH_8(LOAD_ZMM, 8) EACH_8(LOAD_ZMM, 16) EACH_8(LOAD_ZMM, 24)
					 EACH_8(LOAD_MASK, 0)
				 :
				 : "r"(r->vector), "r"(r->mask)
				 : "memory");
	else
		__asm__ volatile(EACH_8(LOAD_XMM, 0) EACH_8(LOAD_XMM, 8) : : "r"(r->vector) : "memory");
	__asm__ volatile("fldcw %0\n\tldmxcsr %1" : : "m"(r->x87), "m"(r->mxcsr));
}

static void store_vectors(struct registers *r)
{
	if (wide)
		__asm__ volatile(EACH_8(STORE_ZMM, 0) EACH_8(STORE_ZMM, 8) EACH_8(STORE_ZMM, 16) EACH_8(STORE_ZMM, 24)
					 EACH_8(STORE_MASK, 0)
				 :
				 : "r"(r->vector), "r"(r->mask)
				 : "memory");
	else
		__asm__ volatile(EACH_8(STORE_XMM, 0) EACH_8(STORE_XMM, 8) : : "r"(r->vector) : "memory");
	__asm__ volatile("fnstcw %0\n\tstmxcsr %1" : "=m"(r->x87), "=m"(r->mxcsr));
}

static void load_rest(const struct registers *r)
{
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		msr_write(msrs[i], r->msr[i]);
	dr0_write(r->debug[0]);
	dr1_write(r->debug[1]);
	dr2_write(r->debug[2]);
	dr3_write(r->debug[3]);
	cr2_write(r->cr2);
}

static void store_rest(struct registers *r)
{
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		r->msr[i] = msr_read(msrs[i]);
	r->debug[0] = dr0_read();
	r->debug[1] = dr1_read();
	r->debug[2] = dr2_read();
	r->debug[3] = dr3_read();
	r->cr2 = cr2_read();
}

static u64 next(u64 *random)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return *random >> 20;
}

static void make_pattern(struct registers *r, u64 *random)
{
	memset(r, 0, sizeof(*r));
	for (u32 i = 0; i < (wide ? VECTORS : VECTORS / 2); i++)
		for (u32 byte = 0; byte < (wide ? VECTOR_BYTES : 16); byte++)
			r->vector[i][byte] = (u8)next(random);
	for (u32 i = 0; wide && i < MASKS; i++)
		r->mask[i] = next(random) & 0xffff;
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		r->msr[i] = next(random) & 0x7fffffff;
	r->msr[0] &= ~3ULL << 32; /* STAR takes anything; GS and the rest canonical addresses */
	for (u32 i = 0; i < 4; i++)
		r->debug[i] = next(random) & 0x7fffffff;
	r->cr2 = next(random) & 0x7fffffff;
	r->mxcsr = 0x1f80 | (u32)(next(random) & 3) << 13;
	r->x87 = (u16)(0x37f & ~0xc00) | (u16)((next(random) & 3) << 10);
}

/* The first byte that differs, for whoever has to find out what was lost. */
static bool is_kept(u64 round)
{
	for (u32 i = 0; i < sizeof(set); i++) {
		if (((const u8 *)&set)[i] == ((const u8 *)&seen)[i])
			continue;
		say("state: not ok in round %llu: byte %u of the state is 0x%x, was 0x%x\n", round, i, ((const u8 *)&seen)[i],
		    ((const u8 *)&set)[i]);
		return false;
	}
	return true;
}

static void turn_on(void)
{
	wide = cpu_has(FEATURE_XSAVE) && (cpuid(7, 0).b & FEATURE_AVX512F);
	if (!cpu_has(FEATURE_XSAVE))
		return;
	cr4_write(cr4_read() | CR4_OSXSAVE);
	xsetbv(0, wide ? XCR0_ALL : XCR0_SSE);
}

void guest_main(void)
{
	u64 random = guest_number("seed", 1), rounds = guest_number("rounds", 1000);

	turn_on();
	say("state: %s\n", wide ? "AVX-512" : "SSE");
	for (u64 round = 1; round <= rounds; round++) {
		make_pattern(&set, &random);
		memset(&seen, 0, sizeof(seen));
		load_rest(&set);
		load_vectors(&set);
		for (volatile u32 i = 0; i < SPIN / 4; i++)
			;
		store_vectors(&seen);
		store_rest(&seen);
		if (!is_kept(round))
			break;
		if (round % REPORT == 0)
			say("state: %llu rounds\n", round);
	}
	say("state: done\n");
}
