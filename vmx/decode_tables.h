/* SPDX-License-Identifier: BSD-2-Clause */
/* The opcode maps as data: what decode.c looks up. */
#pragma once
#include "vmx/decode.h"

enum {
	ROW_BYTE = 1,     /* operands of one byte; else by prefixes */
	ROW_IMM8 = 2,     /* an immediate of one byte, sign-extended */
	ROW_IMM = 4,      /* an immediate as wide as the operand, at most 4 bytes */
	ROW_LOCKABLE = 8, /* LOCK is allowed where the destination is memory */
	ROW_STACK = 16,   /* operands of 8 bytes in 64-bit mode without REX.W */
	ROW_FROM8 = 32,
	ROW_FROM16 = 64,
	ROW_FROM32 = 128, /* the source is that wide, or as the destination if that is narrower */
	ROW_NOT_64 = 256,
	ROW_ONLY_64 = 512,
	ROW_GROUP = 1024, /* `op` is the group; ModRM.reg chooses in it */
};

struct decode_row {
	u8 op, form;
	u16 flags;
};

enum {
	GROUP_IMM_BYTE,
	GROUP_IMM,
	GROUP_IMM8,
	GROUP_POP,
	GROUP_MOV_BYTE,
	GROUP_MOV,
	GROUP_3_BYTE,
	GROUP_3,
	GROUP_4,
	GROUP_5,
	GROUP_BIT,
	GROUPS
};

extern const struct decode_row decode_one[256], decode_two[256]; /* opcodes XX and 0F XX */
extern const struct decode_row decode_groups[GROUPS][8];

/* Prefixes: the low bits are the segment of an override. */
enum {
	PREFIX_SEGMENT_MASK = 7,
	PREFIX_SEGMENT = 8,
	PREFIX_OPERAND = 16,
	PREFIX_ADDRESS = 32,
	PREFIX_LOCK = 64,
	PREFIX_REPEAT = 128,
};
extern const u8 decode_prefixes[256];
