/* SPDX-License-Identifier: BSD-2-Clause */
/* RDMSR and WRMSR that exit.  An answer is #GP, a wait (nothing has changed then), or done. */
#include "vmx/msr.h"
#include "vmx/caps.h"
#include "vmx/exit.h"
#include "vmx/machine.h"
#include "vmx/msr_rows.h"
#include <string.h>

/* ---- the table ---- */

static err_t no_read(struct vcpu *v, u32 msr, u64 *value)
{
	(void)v, (void)msr, (void)value;
	return E_INVALID;
}

static err_t no_write(struct vcpu *v, u32 msr, u64 value)
{
	(void)v, (void)msr, (void)value;
	return E_INVALID;
}

static const struct msr_row {
	u32 first, last;
	enum msr_direct direct;
	const char *name, *why;
} rows[] = {
#define MSR(first_, last_, name_, direct_, read_, write_, why_) \
	{ .first = first_, .last = last_, .direct = direct_, .name = #name_, .why = why_ },
#include "vmx/msr.def"
#undef MSR
};

/* The answers by number; 0 is for what has no row. */
enum row_number {
	ROW_NONE,
#define MSR(first, last, name, direct, read, write, why) ROW_##name,
#include "vmx/msr.def"
#undef MSR
};

static msr_reader *const readers[] = {
	no_read,
#define MSR(first, last, name, direct, read, write, why) read,
#include "vmx/msr.def"
#undef MSR
};

static msr_writer *const writers[] = {
	no_write,
#define MSR(first, last, name, direct, read, write, why) write,
#include "vmx/msr.def"
#undef MSR
};

/* Rows are sorted: halve until one is left. */
static __attribute__((noinline)) u32 search(u32 msr)
{
	u32 low = 0;

	for (u32 count = ARRAY_SIZE(rows); count > 1;) {
		u32 half = count / 2;

		low += msr >= rows[low + half].first ? half : 0;
		count -= half;
	}
	return msr >= rows[low].first && msr <= rows[low].last ? low + 1 : ROW_NONE;
}

/* A busy guest's registers are low ones: their numbers by index.  The others are searched; each has an unused place behind. */
enum { INDEXED = 0x840 };
#define PLACE(msr, name) ((msr) < INDEXED ? (msr) : INDEXED + ROW_##name)
static const u8 row_index[INDEXED + ARRAY_SIZE(readers)] = {
#define MSR(first, last, name, direct, read, write, why) [PLACE(first, name)... PLACE(last, name)] = ROW_##name,
#include "vmx/msr.def"
#undef MSR
};
_Static_assert(ARRAY_SIZE(readers) <= UINT8_MAX, "a row's number in a byte");

/* All ones if msr < INDEXED, else 0: in a register, so that no mispredicted branch reads behind the index (Spectre v1). */
static inline u64 index_mask(u64 msr)
{
	u64 mask;

	__asm__("cmp %2, %1; sbb %0, %0" : "=r"(mask) : "r"(msr), "i"(INDEXED) : "cc");
	return mask;
}

static inline u32 find(u64 msr)
{
	return __builtin_expect(msr < INDEXED, 1) ? row_index[msr & index_mask(msr)] : search((u32)msr);
}

/* ---- exits ---- */

static enum exit_action outcome(struct vcpu *v, err_t error)
{
	if (error == E_INVALID)
		return vcpu_inject_exception(v, VECTOR_GP, 0);
	return vcpu_wait_for(v, error, "a page that an MSR names");
}

enum exit_action msr_read_exit(struct vcpu *v)
{
	u32 msr = (u32)v->regs.rcx;
	u64 value = 0;
	err_t error = readers[find(msr)](v, msr, &value);

	if (__builtin_expect(error != OK, 0))
		return outcome(v, error);
	v->regs.rax = (u32)value;
	v->regs.rdx = value >> 32;
	return EXIT_ADVANCE;
}

enum exit_action msr_write_exit(struct vcpu *v)
{
	u32 msr = (u32)v->regs.rcx;
	u64 value = v->regs.rdx << 32 | (u32)v->regs.rax;
	/* The end of each interrupt is told here: its row says the same, two calls later. */
	err_t error = msr == MSR_X2APIC_EOI ? pc_msr_write(v->config.pc, v->config.index, msr, value)
					    : writers[find(msr)](v, msr, value);

	if (__builtin_expect(error != OK, 0))
		return outcome(v, error);
	return EXIT_ADVANCE;
}

/* ---- the bitmap: reads of low MSRs, reads of high ones, writes of low ones, writes of high ones ---- */

enum { LOW_END = 0x2000, BITMAP_BYTES = 1024, WRITES = 2 * BITMAP_BYTES };
#define HIGH_BASE 0xc0000000U

static void let_through(u8 bitmap[PAGE_SIZE], u32 msr)
{
	u32 bit = msr < LOW_END ? msr : msr - HIGH_BASE;
	u32 base = msr < LOW_END ? 0 : BITMAP_BYTES;

	CHECK(bit < LOW_END);
	bitmap[base + bit / 8] &= (u8) ~(1U << bit % 8);
	bitmap[base + WRITES + bit / 8] &= (u8) ~(1U << bit % 8);
}

void msr_make_bitmap(u8 bitmap[PAGE_SIZE], u32 there)
{
	CHECK(!(there & BIT(EXITS)));
	memset(bitmap, 0xff, PAGE_SIZE);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		if (there >> rows[i].direct & 1)
			for (u32 msr = rows[i].first; msr <= rows[i].last; msr++)
				let_through(bitmap, msr);
}

void msr_fill_bitmap(u8 bitmap[PAGE_SIZE])
{
	u32 there = BIT(DIRECT);

	CHECK(rows[0].why[0] && rows[0].name[0]);
	if (vmx_has(CONTROL_CPU2, CPU2_RDTSCP))
		there |= BIT(DIRECT_RDTSCP);
	if (vmx_caps.spec_ctrl)
		there |= BIT(DIRECT_SPEC_CTRL);
	msr_make_bitmap(bitmap, there);
}
