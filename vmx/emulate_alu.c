/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/emulate_alu.h"

static u64 top_bit(u32 bytes)
{
	return 1ULL << (8 * bytes - 1);
}

u64 alu_sign_extend(u64 value, u32 bytes)
{
	u32 shift = 64 - 8 * bytes;

	return (u64)((s64)(value << shift) >> shift);
}

/* ZF, SF and PF speak of the result alone. */
static u64 result_flags(u64 result, u32 bytes)
{
	u64 masked = result & alu_mask(bytes);

	return (masked ? 0 : FLAG_ZF) | (masked & top_bit(bytes) ? FLAG_SF : 0) |
	       (__builtin_parity((u32)masked & 0xff) ? 0 : FLAG_PF);
}

/*
 * `carry` has a one wherever a bit position carried into (or borrowed from) the next: the topmost is CF, that of bit 3 is AF, and
 * OF says that the two topmost differ.
 */
static u64 carry_flags(u64 carry, u32 bytes)
{
	u64 top = top_bit(bytes);

	return (carry & top ? FLAG_CF : 0) | (carry & 8 ? FLAG_AF : 0) | (!(carry & top) != !(carry & top >> 1) ? FLAG_OF : 0);
}

static void set(u64 *flags, u64 which, u64 value)
{
	*flags = (*flags & ~which) | (value & which);
}

static u64 add(u64 a, u64 b, u64 carry_in, u32 bytes, u64 *flags, u64 which)
{
	u64 sum = a + b + carry_in;
	u64 carry = (a & b) | ((a | b) & ~sum);

	set(flags, which, result_flags(sum, bytes) | carry_flags(carry, bytes));
	return sum;
}

static u64 subtract(u64 a, u64 b, u64 borrow_in, u32 bytes, u64 *flags, u64 which)
{
	u64 difference = a - b - borrow_in;
	u64 borrow = (~a & b) | ((~a | b) & difference);

	set(flags, which, result_flags(difference, bytes) | carry_flags(borrow, bytes));
	return difference;
}

static u64 logic(u64 result, u32 bytes, u64 *flags)
{
	set(flags, FLAGS_STATUS, result_flags(result, bytes));
	return result;
}

/* ---- one function an operation ---- */

static u64 alu_mov(u64 a, u64 b, u32 bytes, u64 *flags)
{
	(void)a, (void)bytes, (void)flags;
	return b;
}

static u64 alu_add(u64 a, u64 b, u32 bytes, u64 *flags)
{
	return add(a, b, 0, bytes, flags, FLAGS_STATUS);
}

static u64 alu_adc(u64 a, u64 b, u32 bytes, u64 *flags)
{
	return add(a, b, *flags & FLAG_CF, bytes, flags, FLAGS_STATUS);
}

static u64 alu_sub(u64 a, u64 b, u32 bytes, u64 *flags)
{
	return subtract(a, b, 0, bytes, flags, FLAGS_STATUS);
}

static u64 alu_sbb(u64 a, u64 b, u32 bytes, u64 *flags)
{
	return subtract(a, b, *flags & FLAG_CF, bytes, flags, FLAGS_STATUS);
}

u64 alu_compare(u64 a, u64 b, u32 bytes, u64 *flags)
{
	(void)alu_sub(a, b, bytes, flags);
	return a;
}

static u64 alu_or(u64 a, u64 b, u32 bytes, u64 *flags)
{
	return logic(a | b, bytes, flags);
}

static u64 alu_and(u64 a, u64 b, u32 bytes, u64 *flags)
{
	return logic(a & b, bytes, flags);
}

static u64 alu_xor(u64 a, u64 b, u32 bytes, u64 *flags)
{
	return logic(a ^ b, bytes, flags);
}

static u64 alu_inc(u64 a, u64 b, u32 bytes, u64 *flags)
{
	(void)b;
	return add(a, 1, 0, bytes, flags, FLAGS_STATUS & ~FLAG_CF);
}

static u64 alu_dec(u64 a, u64 b, u32 bytes, u64 *flags)
{
	(void)b;
	return subtract(a, 1, 0, bytes, flags, FLAGS_STATUS & ~FLAG_CF);
}

static u64 alu_not(u64 a, u64 b, u32 bytes, u64 *flags)
{
	(void)b, (void)bytes, (void)flags;
	return ~a;
}

static u64 alu_neg(u64 a, u64 b, u32 bytes, u64 *flags)
{
	(void)b;
	return subtract(0, a, 0, bytes, flags, FLAGS_STATUS);
}

static u64 alu_bt(u64 a, u64 bit, u32 bytes, u64 *flags)
{
	(void)bytes;
	set(flags, FLAG_CF, a >> bit & 1);
	return a;
}

static u64 alu_bts(u64 a, u64 bit, u32 bytes, u64 *flags)
{
	return alu_bt(a, bit, bytes, flags) | 1ULL << bit;
}

static u64 alu_btr(u64 a, u64 bit, u32 bytes, u64 *flags)
{
	return alu_bt(a, bit, bytes, flags) & ~(1ULL << bit);
}

static u64 alu_btc(u64 a, u64 bit, u32 bytes, u64 *flags)
{
	return alu_bt(a, bit, bytes, flags) ^ 1ULL << bit;
}

/* clang-format off */ /* rows */
#define CHANGES(function) { .compute = function, .reads = true, .writes = true }
#define LOOKS(function) { .compute = function, .reads = true }
#define SETS { .compute = alu_mov, .writes = true }
#define SWAPS(function) { .compute = function, .reads = true, .writes = true, .swaps = true }
/* clang-format on */

const struct alu_row alu_rows[OPERATIONS] = {
	[OP_MOV] = SETS,
	[OP_MOVZX] = SETS,
	[OP_MOVSX] = SETS,
	[OP_ADD] = CHANGES(alu_add),
	[OP_OR] = CHANGES(alu_or),
	[OP_ADC] = CHANGES(alu_adc),
	[OP_SBB] = CHANGES(alu_sbb),
	[OP_AND] = CHANGES(alu_and),
	[OP_SUB] = CHANGES(alu_sub),
	[OP_XOR] = CHANGES(alu_xor),
	[OP_CMP] = LOOKS(alu_compare),
	[OP_TEST] = LOOKS(alu_and),
	[OP_INC] = CHANGES(alu_inc),
	[OP_DEC] = CHANGES(alu_dec),
	[OP_NOT] = CHANGES(alu_not),
	[OP_NEG] = CHANGES(alu_neg),
	[OP_XCHG] = SWAPS(alu_mov),
	[OP_XADD] = SWAPS(alu_add),
	[OP_BT] = LOOKS(alu_bt),
	[OP_BTS] = CHANGES(alu_bts),
	[OP_BTR] = CHANGES(alu_btr),
	[OP_BTC] = CHANGES(alu_btc),
};
