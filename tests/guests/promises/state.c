/* SPDX-License-Identifier: BSD-2-Clause */
/* General, vector and debug registers across every way out of the guest; XCR0 and the sizes of its components; CR0.TS and EM. */
#include "tests/guests/promises/promises.h"
#include <string.h>

enum {
	AREA_BYTES = 4096,
	LEGACY_BYTES = 576,
	XSTATE_BV = 512,
	MXCSR = 24,
	ST0 = 32,
	ST_BYTES = 16,
	ST_USED = 10,
	XMM0 = 160,
	XMM_BYTES = 256
};
enum { LEAF_XSAVE = 0xd, COMPONENTS = 19, POISON = 0xa5 };
#define XCR0_MPX 0x18ULL

static u8 pattern[AREA_BYTES] __attribute__((aligned(64)));
static u8 before[AREA_BYTES] __attribute__((aligned(64)));
static u8 after[AREA_BYTES] __attribute__((aligned(64)));

/* ---- general registers: registers.asm ---- */

struct registers_way {
	u64 (*wrong)(u64 device); /* bit n: register n came back changed */
	const char *name;
};
extern const struct registers_way registers_ways[];

static const char *general_registers_are_kept(void)
{
	for (u32 i = 0; registers_ways[i].wrong; i++) {
		u64 wrong = registers_ways[i].wrong(IOAPIC_AT);

		EXPECT(wrong == 0, "%s changed registers 0x%llx", registers_ways[i].name, wrong);
	}
	return NULL;
}

/* ---- extended state ---- */

static u64 xcr0_promised(void)
{
	if (!cpu_has(FEATURE_XSAVE))
		return 0;
	struct cpuid id = cpuid(LEAF_XSAVE, 0);

	return ((u64)id.d << 32 | id.a) & ~XCR0_MPX;
}

static void save(u8 *area)
{
	if (xcr0_promised())
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0U), "d"(~0U) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static void load(const u8 *area)
{
	if (xcr0_promised())
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0U), "d"(~0U) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

static void turn_on_all(void)
{
	if (!xcr0_promised())
		return;
	cr4_write(cr4_read() | CR4_OSXSAVE);
	xsetbv(0, xcr0_promised());
}

static void make_pattern(void)
{
	static u64 random = 1;
	u64 xcr0 = xcr0_promised();
	u16 control = 0x27f;
	u32 mxcsr = 0x5f80;

	for (u32 i = 0; i < AREA_BYTES; i++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		pattern[i] = (u8)(random >> 33);
	}
	memset(pattern, 0, ST0);
	memset(pattern + XSTATE_BV - 96, 0, 160);
	memcpy(pattern, &control, sizeof(control));
	pattern[4] = 0xff; /* all eight x87 registers are in use */
	memcpy(pattern + MXCSR, &mxcsr, sizeof(mxcsr));
	memcpy(pattern + XSTATE_BV, &xcr0, sizeof(xcr0));
}

static bool took_pattern(void)
{
	for (u32 i = 0; i < 8; i++)
		if (memcmp(before + ST0 + i * ST_BYTES, pattern + ST0 + i * ST_BYTES, ST_USED) != 0)
			return false;
	return memcmp(before + XMM0, pattern + XMM0, XMM_BYTES) == 0;
}

static const char *extended_state_is_kept(void)
{
	turn_on_all();
	for (u32 i = 0; i < exit_way_count; i++) {
		make_pattern();
		memset(before, 0, sizeof(before));
		memset(after, 0, sizeof(after));
		load(pattern);
		save(before);
		EXPECT(took_pattern(), "x87 and SSE do not hold what was loaded");
		exit_ways[i].leave();
		save(after);
		for (u32 byte = 0; byte < AREA_BYTES; byte++)
			EXPECT(before[byte] == after[byte], "%s changed byte %u of the state from 0x%x to 0x%x",
			       exit_ways[i].name, byte, before[byte], after[byte]);
	}
	return NULL;
}

/* Where the furthest of these components ends, as their subleaves say. */
static u32 size_of(u64 components)
{
	u32 size = LEGACY_BYTES;

	for (u32 i = 2; i < COMPONENTS; i++) {
		struct cpuid id = cpuid(LEAF_XSAVE, i);

		if ((components >> i & 1) && id.b + id.a > size)
			size = id.b + id.a;
	}
	return size;
}

static const char *xsave_stays_inside(u64 components)
{
	u32 size = cpuid(LEAF_XSAVE, 0).b;

	EXPECT(size == size_of(components), "XCR0 0x%llx: EBX is %u, the components end at %u", components, size,
	       size_of(components));
	EXPECT(size <= AREA_BYTES, "XCR0 0x%llx: %u bytes", components, size);
	memset(after, POISON, sizeof(after));
	memset(after + XSTATE_BV, 0, 64);
	save(after);
	for (u32 byte = size; byte < AREA_BYTES; byte++)
		EXPECT(after[byte] == POISON, "XCR0 0x%llx: XSAVE wrote byte %u of %u", components, byte, size);
	return NULL;
}

/* SDM vol. 1, 13.3: x87 always, AVX with SSE, AVX-512 whole and with AVX. */
static bool is_consistent(u64 xcr0)
{
	return (xcr0 & 1) && (!(xcr0 & 4) || (xcr0 & 2)) && (!(xcr0 & 0xe0) || (xcr0 & 0xe4) == 0xe4);
}

static const char *xcr0_takes_what_cpuid_promises_and_nothing_else(void)
{
	u64 promised = xcr0_promised();

	if (!promised)
		return SKIP("no XSAVE");
	turn_on_all();
	EXPECT(cpuid(LEAF_XSAVE, 0).c >= size_of(promised), "ECX of leaf 0xd is %u", cpuid(LEAF_XSAVE, 0).c);
	for (u64 value = 0; value < 0x400; value++) {
		bool fine = is_consistent(value) && !(value & ~promised);
		u64 vector = value & XCR0_MPX ? VECTOR_GP : xsetbv_raises(0, value);

		EXPECT(vector == (fine ? TRY_NOTHING : VECTOR_GP), "XSETBV of 0x%llx raised %lld", value, vector);
		if (!fine)
			continue;
		EXPECT(xgetbv(0) == value, "XCR0 is 0x%llx after writing 0x%llx", xgetbv(0), value);
		const char *trouble = xsave_stays_inside(value);
		if (trouble)
			return trouble;
	}
	xsetbv(0, promised);
	EXPECT(xsetbv_raises(1, promised) == VECTOR_GP, "XCR1 was taken");
	EXPECT(xsetbv_raises(0, BIT(63) | promised) == VECTOR_GP, "bit 63 was taken");
	return NULL;
}

static void read_xcr0(void)
{
	(void)xgetbv(0);
}

static const char *without_osxsave_there_is_no_xcr0(void)
{
	if (!xcr0_promised())
		return SKIP("no XSAVE");
	cr4_write(cr4_read() & ~CR4_OSXSAVE);
	EXPECT(!(cpuid(1, 0).c & BIT(27)), "CPUID says OSXSAVE");
	EXPECT(code_raises(read_xcr0) == VECTOR_UD, "XGETBV works");
	EXPECT(xsetbv_raises(0, 1) == VECTOR_UD, "XSETBV works");
	cr4_write(cr4_read() | CR4_OSXSAVE);
	EXPECT(cpuid(1, 0).c & BIT(27), "CPUID does not say OSXSAVE");
	return NULL;
}

/* ---- CR0.TS and EM ---- */

static void use_sse(void)
{
	__asm__ volatile("xorps %xmm0, %xmm0");
}

static void use_x87(void)
{
	__asm__ volatile("fnop");
}

static void wait_x87(void)
{
	__asm__ volatile("fwait");
}

static const char *ts_raises_nm_until_clts(void)
{
	u64 cr0 = cr0_read();

	for (u32 i = 0; i < exit_way_count; i++) {
		cr0_write(cr0 | CR0_TS);
		exit_ways[i].leave();
		bool kept = cr0_read() & CR0_TS;
		u64 vectors[] = { code_raises(use_sse), code_raises(use_x87), code_raises(wait_x87) };
		__asm__ volatile("clts");
		EXPECT(kept, "%s cleared TS", exit_ways[i].name);
		for (u32 n = 0; n < ARRAY_SIZE(vectors); n++)
			EXPECT(vectors[n] == VECTOR_NM, "after %s use %u raised %lld", exit_ways[i].name, n, vectors[n]);
		EXPECT(code_raises(use_sse) == TRY_NOTHING && code_raises(use_x87) == TRY_NOTHING, "CLTS did not end it");
	}
	return NULL;
}

static const char *em_makes_sse_undefined_and_x87_unavailable(void)
{
	u64 cr0 = cr0_read();

	cr0_write((cr0 | CR0_EM) & ~CR0_MP);
	u64 sse = code_raises(use_sse), x87 = code_raises(use_x87);
	cr0_write(cr0);
	EXPECT(sse == VECTOR_UD, "SSE raised %lld", sse);
	EXPECT(x87 == VECTOR_NM, "x87 raised %lld", x87);
	return NULL;
}

/* ---- debug registers ---- */

static const char *debug_registers_are_kept(void)
{
	static u8 nobody_writes[64];
	u64 at = (u64)nobody_writes;

	for (u32 i = 0; i < exit_way_count; i++) {
		dr0_write(at), dr1_write(at + 8), dr2_write(at + 16), dr3_write(at + 24 + i);
		dr7_write(0x11110755 & ~0x700); /* all four, on writes */
		dr6_write(0x600f);
		exit_ways[i].leave();
		u64 seen[] = { dr0_read(), dr1_read(), dr2_read(), dr3_read(), dr6_read() & 0xe00f, dr7_read() & 0xffff00ff };
		dr7_write(0);
		dr6_write(0);
		const u64 expected[] = { at, at + 8, at + 16, at + 24 + i, 0x600f, 0x11110055 };
		for (u32 n = 0; n < ARRAY_SIZE(seen); n++)
			EXPECT(seen[n] == expected[n], "%s: register %u was 0x%llx, is 0x%llx", exit_ways[i].name, n, expected[n],
			       seen[n]);
	}
	EXPECT(dr6_read() == 0xffff0ff0, "DR6 after writing 0 is 0x%llx", dr6_read());
	EXPECT(dr7_read() == 0x400, "DR7 after writing 0 is 0x%llx", dr7_read());
	return NULL;
}

static const struct promise list[] = {
	{ "general_registers_are_kept", general_registers_are_kept },
	{ "extended_state_is_kept", extended_state_is_kept },
	{ "xcr0_takes_what_cpuid_promises_and_nothing_else", xcr0_takes_what_cpuid_promises_and_nothing_else },
	{ "without_osxsave_there_is_no_xcr0", without_osxsave_there_is_no_xcr0 },
	{ "ts_raises_nm_until_clts", ts_raises_nm_until_clts },
	{ "em_makes_sse_undefined_and_x87_unavailable", em_makes_sse_undefined_and_x87_unavailable },
	{ "debug_registers_are_kept", debug_registers_are_kept },
};
PROMISES(state, list);
