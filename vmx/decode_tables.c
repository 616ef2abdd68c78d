/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/decode_tables.h"
#include "vmx/vmcs.h"

/* clang-format off */ /* rows, as the manual's tables have them */
#define ROW(op_, form_, flags_) { .op = (op_), .form = (form_), .flags = (flags_) }
#define GROUP(group, flags_) { .op = (group), .flags = ROW_GROUP | (flags_) }

/* The six forms of an arithmetic opcode row that have an r/m; AL, imm8 and eAX, imm touch no memory. */
#define ARITHMETIC(first, op, lockable)                                                                                \
	[(first)] = ROW(op, FORM_MR, ROW_BYTE | (lockable)),                                                           \
	[(first) + 1] = ROW(op, FORM_MR, (lockable)),                                                                  \
	[(first) + 2] = ROW(op, FORM_RM, ROW_BYTE),                                                                    \
	[(first) + 3] = ROW(op, FORM_RM, 0)

#define BOTH_SIZES(first, op, form, flags)                                                                             \
	[(first)] = ROW(op, form, ROW_BYTE | (flags)),                                                                 \
	[(first) + 1] = ROW(op, form, (flags))

const struct decode_row decode_one[256] = {
	ARITHMETIC(0x00, OP_ADD, ROW_LOCKABLE),
	ARITHMETIC(0x08, OP_OR, ROW_LOCKABLE),
	ARITHMETIC(0x10, OP_ADC, ROW_LOCKABLE),
	ARITHMETIC(0x18, OP_SBB, ROW_LOCKABLE),
	ARITHMETIC(0x20, OP_AND, ROW_LOCKABLE),
	ARITHMETIC(0x28, OP_SUB, ROW_LOCKABLE),
	ARITHMETIC(0x30, OP_XOR, ROW_LOCKABLE),
	ARITHMETIC(0x38, OP_CMP, 0),
	[0x63] = ROW(OP_MOVSX, FORM_RM, ROW_FROM32 | ROW_ONLY_64),
	[0x80] = GROUP(GROUP_IMM_BYTE, 0),
	[0x81] = GROUP(GROUP_IMM, 0),
	[0x82] = GROUP(GROUP_IMM_BYTE, ROW_NOT_64),
	[0x83] = GROUP(GROUP_IMM8, 0),
	BOTH_SIZES(0x84, OP_TEST, FORM_MR, 0),
	BOTH_SIZES(0x86, OP_XCHG, FORM_MR, ROW_LOCKABLE),
	BOTH_SIZES(0x88, OP_MOV, FORM_MR, 0),
	BOTH_SIZES(0x8a, OP_MOV, FORM_RM, 0),
	[0x8f] = GROUP(GROUP_POP, 0),
	BOTH_SIZES(0xa0, OP_MOV, FORM_LOAD, 0),
	BOTH_SIZES(0xa2, OP_MOV, FORM_STORE, 0),
	BOTH_SIZES(0xa4, OP_MOVS, FORM_STRING, 0),
	BOTH_SIZES(0xa6, OP_CMPS, FORM_STRING, 0),
	BOTH_SIZES(0xaa, OP_STOS, FORM_STRING, 0),
	BOTH_SIZES(0xac, OP_LODS, FORM_STRING, 0),
	BOTH_SIZES(0xae, OP_SCAS, FORM_STRING, 0),
	[0xc6] = GROUP(GROUP_MOV_BYTE, 0),
	[0xc7] = GROUP(GROUP_MOV, 0),
	[0xf6] = GROUP(GROUP_3_BYTE, 0),
	[0xf7] = GROUP(GROUP_3, 0),
	[0xfe] = GROUP(GROUP_4, 0),
	[0xff] = GROUP(GROUP_5, 0),
};

const struct decode_row decode_two[256] = {
	[0xa3] = ROW(OP_BT, FORM_MR, 0),
	[0xab] = ROW(OP_BTS, FORM_MR, ROW_LOCKABLE),
	BOTH_SIZES(0xb0, OP_CMPXCHG, FORM_MR, ROW_LOCKABLE),
	[0xb3] = ROW(OP_BTR, FORM_MR, ROW_LOCKABLE),
	[0xb6] = ROW(OP_MOVZX, FORM_RM, ROW_FROM8),
	[0xb7] = ROW(OP_MOVZX, FORM_RM, ROW_FROM16),
	[0xba] = GROUP(GROUP_BIT, 0),
	[0xbb] = ROW(OP_BTC, FORM_MR, ROW_LOCKABLE),
	[0xbe] = ROW(OP_MOVSX, FORM_RM, ROW_FROM8),
	[0xbf] = ROW(OP_MOVSX, FORM_RM, ROW_FROM16),
	BOTH_SIZES(0xc0, OP_XADD, FORM_MR, ROW_LOCKABLE),
};

#define IMMEDIATES(flags)                                                                                              \
	{                                                                                                              \
		ROW(OP_ADD, FORM_MI, (flags) | ROW_LOCKABLE), ROW(OP_OR, FORM_MI, (flags) | ROW_LOCKABLE),             \
		ROW(OP_ADC, FORM_MI, (flags) | ROW_LOCKABLE), ROW(OP_SBB, FORM_MI, (flags) | ROW_LOCKABLE),            \
		ROW(OP_AND, FORM_MI, (flags) | ROW_LOCKABLE), ROW(OP_SUB, FORM_MI, (flags) | ROW_LOCKABLE),            \
		ROW(OP_XOR, FORM_MI, (flags) | ROW_LOCKABLE), ROW(OP_CMP, FORM_MI, (flags)),                           \
	}

/* TEST has two encodings; multiplications and divisions are not ours. */
#define GROUP_3_ROWS(flags)                                                                                            \
	{                                                                                                              \
		ROW(OP_TEST, FORM_MI, (flags) | ROW_IMM), ROW(OP_TEST, FORM_MI, (flags) | ROW_IMM),                    \
		ROW(OP_NOT, FORM_M, (flags) | ROW_LOCKABLE), ROW(OP_NEG, FORM_M, (flags) | ROW_LOCKABLE),              \
	}

const struct decode_row decode_groups[GROUPS][8] = {
	[GROUP_IMM_BYTE] = IMMEDIATES(ROW_BYTE | ROW_IMM8),
	[GROUP_IMM] = IMMEDIATES(ROW_IMM),
	[GROUP_IMM8] = IMMEDIATES(ROW_IMM8),
	[GROUP_POP] = { ROW(OP_POP, FORM_M, ROW_STACK) },
	[GROUP_MOV_BYTE] = { ROW(OP_MOV, FORM_MI, ROW_BYTE | ROW_IMM) },
	[GROUP_MOV] = { ROW(OP_MOV, FORM_MI, ROW_IMM) },
	[GROUP_3_BYTE] = GROUP_3_ROWS(ROW_BYTE),
	[GROUP_3] = GROUP_3_ROWS(0),
	[GROUP_4] = { ROW(OP_INC, FORM_M, ROW_BYTE | ROW_LOCKABLE), ROW(OP_DEC, FORM_M, ROW_BYTE | ROW_LOCKABLE) },
	[GROUP_5] = { ROW(OP_INC, FORM_M, ROW_LOCKABLE), ROW(OP_DEC, FORM_M, ROW_LOCKABLE), [6] = ROW(OP_PUSH, FORM_M, ROW_STACK) },
	[GROUP_BIT] = { [4] = ROW(OP_BT, FORM_MI, ROW_IMM8), ROW(OP_BTS, FORM_MI, ROW_IMM8 | ROW_LOCKABLE),
			ROW(OP_BTR, FORM_MI, ROW_IMM8 | ROW_LOCKABLE), ROW(OP_BTC, FORM_MI, ROW_IMM8 | ROW_LOCKABLE) },
};

const u8 decode_prefixes[256] = {
	[0x26] = PREFIX_SEGMENT | SEGMENT_ES,
	[0x2e] = PREFIX_SEGMENT | SEGMENT_CS,
	[0x36] = PREFIX_SEGMENT | SEGMENT_SS,
	[0x3e] = PREFIX_SEGMENT | SEGMENT_DS,
	[0x64] = PREFIX_SEGMENT | SEGMENT_FS,
	[0x65] = PREFIX_SEGMENT | SEGMENT_GS,
	[0x66] = PREFIX_OPERAND,
	[0x67] = PREFIX_ADDRESS,
	[0xf0] = PREFIX_LOCK,
	[0xf2] = PREFIX_REPEAT | REPEAT_NOT_EQUAL,
	[0xf3] = PREFIX_REPEAT | REPEAT_EQUAL,
};
