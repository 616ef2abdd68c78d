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
	msr_reader *read;
	msr_writer *write;
	const char *name, *why;
} rows[] = {
#define MSR(first_, last_, name_, direct_, read_, write_, why_)                                                        \
	{ .first = first_, .last = last_, .direct = direct_, .read = read_, .write = write_, .name = #name_, .why = why_ },
#include "vmx/msr.def"
#undef MSR
};

/* Rows are sorted: halve until one is left. */
static const struct msr_row *search(u32 msr)
{
	u32 low = 0;

	for (u32 count = ARRAY_SIZE(rows); count > 1;) {
		u32 half = count / 2;

		low += msr >= rows[low + half].first ? half : 0;
		count -= half;
	}
	return msr >= rows[low].first && msr <= rows[low].last ? &rows[low] : NULL;
}

/* A busy guest's registers are low ones: for these the row's number + 1, made with the bitmap; 0: search. */
enum { INDEXED = 0x840 };
static u8 row_index[INDEXED];
_Static_assert(ARRAY_SIZE(rows) < UINT8_MAX, "a row's number in a byte");

static void fill_index(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		for (u32 msr = rows[i].first; msr <= rows[i].last && msr < INDEXED; msr++)
			row_index[msr] = (u8)(i + 1);
}

/* All ones if msr < INDEXED, else 0: in a register, so that no mispredicted branch reads behind the index (Spectre v1). */
static inline u64 index_mask(u64 msr)
{
	u64 mask;

	__asm__("cmp %2, %1; sbb %0, %0" : "=r"(mask) : "r"(msr), "i"(INDEXED) : "cc");
	return mask;
}

static inline const struct msr_row *find(u32 msr)
{
	u32 number = msr < INDEXED ? row_index[msr & index_mask(msr)] : 0;

	return __builtin_expect(number != 0, 1) ? &rows[number - 1] : search(msr);
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
	const struct msr_row *row = find(msr);
	u64 value = 0;
	err_t error = row ? row->read(v, msr, &value) : E_INVALID;

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

	/* One for every interrupt. */
	if (msr == MSR_X2APIC_EOI && pc_msr_write(v->config.pc, v->config.index, msr, value) == OK)
		return EXIT_ADVANCE;
	const struct msr_row *row = find(msr);
	err_t error = row ? row->write(v, msr, value) : E_INVALID;

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
	fill_index();
	msr_make_bitmap(bitmap, there);
}
