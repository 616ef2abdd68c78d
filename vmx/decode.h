/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instruction decoder: bytes in, one instruction out.  It knows the instructions that can reasonably touch device memory, and
 * of those gives the length always; anything else is DECODE_UNKNOWN.  Pure: no VMCS, no guest memory, no allocation, never fails
 * in another way than by its result.  SDM vol. 2A, 2.1 and 2.2; vol. 2D, appendix A.
 */
#pragma once
#include "kernel/lib/types.h"

enum decode_mode { DECODE_16, DECODE_32, DECODE_64 }; /* by CS.D and CS.L: what the sizes are without prefixes */

enum decode_result {
	DECODE_OK,
	DECODE_MORE,      /* it goes on behind the last byte given; with CODE_BYTES given: #GP, too long */
	DECODE_UNKNOWN,   /* none of ours */
	DECODE_UNDEFINED, /* #UD: LOCK where there must be none */
};

enum operation {
	OP_UNKNOWN,
	/* clang-format off */ /* a family a line */
	OP_MOV, OP_MOVZX, OP_MOVSX,
	OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_CMP, OP_TEST, /* ADD … CMP in the order of their opcodes */
	OP_INC, OP_DEC, OP_NOT, OP_NEG,
	OP_XCHG, OP_XADD, OP_CMPXCHG,
	OP_BT, OP_BTS, OP_BTR, OP_BTC,
	OP_PUSH, OP_POP,
	OP_MOVS, OP_CMPS, OP_STOS, OP_LODS, OP_SCAS,
	/* clang-format on */
	OPERATIONS
};

/* Where the operands are; the destination first. */
enum form {
	FORM_MR,     /* r/m, register */
	FORM_RM,     /* register, r/m */
	FORM_MI,     /* r/m, immediate */
	FORM_M,      /* r/m alone */
	FORM_LOAD,   /* accumulator, absolute address */
	FORM_STORE,  /* absolute address, accumulator */
	FORM_STRING, /* [segment:rSI], [ES:rDI] */
};

enum repeat { REPEAT_NONE, REPEAT_NOT_EQUAL, REPEAT_EQUAL }; /* F2, F3; for MOVS, STOS and LODS both mean REP */

enum {
	CODE_BYTES = 15,
	REGISTER_NONE = 0xff,
	REGISTER_RIP = 0xfe,  /* as base: the address of the next instruction */
	REGISTER_HIGH = 0x10, /* flag: bits 15:8 of this register (AH, CH, DH, BH) */
};

/* The buffer is longer than any instruction, so that the decoder can read on without looking where `count` ends. */
struct code {
	u8 bytes[CODE_BYTES + 25];
	u32 count; /* bytes that are there, at most CODE_BYTES */
};

struct insn {
	u8 op, form; /* enum operation, enum form */
	u8 length;
	u8 bytes;         /* of the operand: 1, 2, 4, 8 */
	u8 source_bytes;  /* of the narrower source of MOVZX and MOVSX; else as bytes */
	u8 address_bytes; /* 2, 4, 8 */
	u8 segment;       /* enum segment, of the memory operand (of rSI in the string forms) */
	u8 repeat;        /* enum repeat */
	bool lock;
	bool memory;           /* the operand that may be memory is memory */
	u8 reg;                /* the register operand, REGISTER_HIGH included */
	u8 rm;                 /* the other one, if memory is false */
	u8 base, index, scale; /* address: base + (index << scale) + displacement */
	u64 displacement;
	u64 immediate; /* sign-extended */
};

enum decode_result decode(const struct code *code, enum decode_mode mode, struct insn *insn);
