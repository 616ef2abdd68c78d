/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/decode.h"
#include "kernel/lib/check.h"
#include "vmx/decode_tables.h"
#include "vmx/vcpu.h"
#include <string.h>

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8, REX = 0x40 };

/* What is known while an instruction is read. */
struct reader {
	const struct code *code;
	struct insn *insn;
	enum decode_mode mode;
	u32 at;
	u8 rex;
	bool operand_prefix, address_prefix;
	u8 override; /* segment, REGISTER_NONE */
	u8 mod, rm;
};

/* Eight bytes are always there to load: no copy of a variable size. */
static u64 take_shifted(struct reader *r, u32 bytes, u32 shift)
{
	u64 value;

	memcpy(&value, r->code->bytes + r->at, sizeof(value));
	r->at += bytes;
	return value << shift;
}

static u64 take(struct reader *r, u32 bytes)
{
	u32 shift = 64 - 8 * bytes;

	return take_shifted(r, bytes, shift) >> shift;
}

static u64 take_signed(struct reader *r, u32 bytes)
{
	u32 shift = 64 - 8 * bytes;

	return (u64)((s64)take_shifted(r, bytes, shift) >> shift);
}

/* ---- prefixes ---- */

static void note_prefix(struct reader *r, u8 prefix)
{
	u8 segment = prefix & PREFIX_SEGMENT_MASK;

	if (prefix & PREFIX_OPERAND)
		r->operand_prefix = true;
	else if (prefix & PREFIX_ADDRESS)
		r->address_prefix = true;
	else if (prefix & PREFIX_LOCK)
		r->insn->lock = true;
	else if (prefix & PREFIX_REPEAT)
		r->insn->repeat = segment;
	else if (r->mode != DECODE_64 || segment >= SEGMENT_FS)
		r->override = segment;
}

/* A REX prefix counts only right before the opcode. */
static void take_prefixes(struct reader *r)
{
	for (; r->at < r->code->count; r->at++) {
		u8 byte = r->code->bytes[r->at];
		u8 prefix = decode_prefixes[byte];

		if (!prefix) {
			if (r->mode != DECODE_64 || (byte & 0xf0) != REX)
				return;
			r->rex = byte;
			continue;
		}
		r->rex = 0;
		note_prefix(r, prefix);
	}
}

static u8 address_bytes(const struct reader *r)
{
	static const u8 bytes[3][2] = { [DECODE_16] = { 2, 4 }, [DECODE_32] = { 4, 2 }, [DECODE_64] = { 8, 4 } };

	return bytes[r->mode][r->address_prefix];
}

static u8 operand_bytes(const struct reader *r, u32 flags)
{
	static const u8 bytes[3][2] = { [DECODE_16] = { 2, 4 }, [DECODE_32] = { 4, 2 }, [DECODE_64] = { 4, 2 } };

	if (flags & ROW_BYTE)
		return 1;
	if (r->rex & REX_W)
		return 8;
	if ((flags & ROW_STACK) && r->mode == DECODE_64 && !r->operand_prefix)
		return 8;
	return bytes[r->mode][r->operand_prefix];
}

/* ---- operands ---- */

/* Without REX, byte registers 4 to 7 are AH, CH, DH, BH. */
static u8 register_of(const struct reader *r, u32 number, u32 bytes)
{
	return (u8)(bytes == 1 && !r->rex && number >= 4 ? (number - 4) | REGISTER_HIGH : number);
}

/* ModRM with 16-bit addresses: SDM vol. 2A, table 2-1. */
static void take_address16(struct reader *r)
{
	static const struct {
		u8 base, index;
	} parts[] = {
		{ GPR_RBX, GPR_RSI },       { GPR_RBX, GPR_RDI },       { GPR_RBP, GPR_RSI },       { GPR_RBP, GPR_RDI },
		{ GPR_RSI, REGISTER_NONE }, { GPR_RDI, REGISTER_NONE }, { GPR_RBP, REGISTER_NONE }, { GPR_RBX, REGISTER_NONE },
	};
	bool absolute = r->mod == 0 && r->rm == 6;

	r->insn->base = absolute ? REGISTER_NONE : parts[r->rm].base;
	r->insn->index = parts[r->rm].index;
	r->insn->displacement = absolute ? take_signed(r, 2) : r->mod ? take_signed(r, r->mod) : 0;
}

/* SDM vol. 2A, table 2-3: no base with mod 0 and base 5 (whatever REX.B says), no index with index 4. */
static void take_sib(struct reader *r)
{
	u8 sib = (u8)take(r, 1);
	u8 index = (u8)((sib >> 3 & 7) | (r->rex & REX_X ? 8 : 0));
	bool no_base = r->mod == 0 && (sib & 7) == 5;

	r->insn->scale = sib >> 6;
	r->insn->index = index == 4 ? REGISTER_NONE : index;
	r->insn->base = no_base ? REGISTER_NONE : (u8)((sib & 7) | (r->rex & REX_B ? 8 : 0));
	if (no_base)
		r->insn->displacement = take_signed(r, 4);
}

static void take_address(struct reader *r)
{
	struct insn *insn = r->insn;

	if (r->rm == 4) {
		take_sib(r);
	} else if (r->mod == 0 && r->rm == 5) {
		insn->base = r->mode == DECODE_64 ? REGISTER_RIP : REGISTER_NONE;
		insn->displacement = take_signed(r, 4);
	} else {
		insn->base = (u8)(r->rm | (r->rex & REX_B ? 8 : 0));
	}
	if (r->mod)
		insn->displacement = take_signed(r, r->mod == 1 ? 1 : 4);
}

static void take_modrm(struct reader *r, u8 modrm)
{
	struct insn *insn = r->insn;

	r->mod = modrm >> 6;
	r->rm = modrm & 7;
	insn->memory = r->mod != 3;
	insn->reg = register_of(r, (modrm >> 3 & 7u) | (r->rex & REX_R ? 8u : 0), insn->bytes);
	if (!insn->memory)
		insn->rm = register_of(r, r->rm | (r->rex & REX_B ? 8u : 0), insn->source_bytes);
	else if (insn->address_bytes == 2)
		take_address16(r);
	else
		take_address(r);
}

static void choose_segment(struct reader *r)
{
	struct insn *insn = r->insn;
	bool stack = insn->base == GPR_RSP || insn->base == GPR_RBP;

	insn->segment = r->override != REGISTER_NONE ? r->override : stack ? SEGMENT_SS : SEGMENT_DS;
}

static void take_immediate(struct reader *r, u32 flags)
{
	if (flags & ROW_IMM8)
		r->insn->immediate = take_signed(r, 1);
	else if (flags & ROW_IMM)
		r->insn->immediate = take_signed(r, r->insn->bytes == 8 ? 4 : r->insn->bytes);
}

static u8 source_bytes(const struct insn *insn, u32 flags)
{
	u8 from = flags & ROW_FROM8 ? 1 : flags & ROW_FROM16 ? 2 : flags & ROW_FROM32 ? 4 : insn->bytes;

	return from < insn->bytes ? from : insn->bytes;
}

/* ---- the instruction ---- */

static const struct decode_row *take_opcode(struct reader *r)
{
	u8 opcode = (u8)take(r, 1);
	const struct decode_row *row = &decode_one[opcode];

	if (opcode == 0x0f)
		row = &decode_two[(u8)take(r, 1)];
	if (row->flags & ROW_GROUP) {
		static const struct decode_row unknown;

		if ((row->flags & ROW_NOT_64) && r->mode == DECODE_64)
			return &unknown;
		/* Its ModRM byte is only looked at here: it may be the first one missing. */
		row = &decode_groups[row->op][r->code->bytes[r->at] >> 3 & 7];
		if (row->op == OP_UNKNOWN && r->at == r->code->count)
			r->at++;
	}
	return row;
}

static enum decode_result read_instruction(struct reader *r)
{
	struct insn *insn = r->insn;

	take_prefixes(r);
	const struct decode_row *row = take_opcode(r);

	if (row->op == OP_UNKNOWN || ((row->flags & ROW_ONLY_64) && r->mode != DECODE_64))
		return DECODE_UNKNOWN;
	insn->op = row->op;
	insn->form = row->form;
	insn->bytes = operand_bytes(r, row->flags);
	insn->source_bytes = source_bytes(insn, row->flags);
	insn->address_bytes = address_bytes(r);
	if (row->form <= FORM_M)
		take_modrm(r, (u8)take(r, 1));
	else if (row->form != FORM_STRING)
		insn->displacement = take(r, insn->address_bytes);
	choose_segment(r);
	take_immediate(r, row->flags);
	insn->length = (u8)r->at;
	return insn->lock && !((row->flags & ROW_LOCKABLE) && insn->memory) ? DECODE_UNDEFINED : DECODE_OK;
}

enum decode_result decode(const struct code *code, enum decode_mode mode, struct insn *insn)
{
	struct reader r = { .code = code, .insn = insn, .mode = mode, .override = REGISTER_NONE };

	CHECK(code->count <= CODE_BYTES);
	*insn = (struct insn){ .base = REGISTER_NONE, .index = REGISTER_NONE, .memory = true };
	enum decode_result result = read_instruction(&r);

	CHECK(r.at + sizeof(u64) <= sizeof(code->bytes));
	/* Whatever was made of bytes that were not there means nothing. */
	return r.at > code->count ? DECODE_MORE : result;
}
