/* SPDX-License-Identifier: BSD-2-Clause */
/* What the arithmetic instructions compute: a result of 1, 2, 4 or 8 bytes and the status flags, as the processor.  Pure. */
#pragma once
#include "kernel/lib/check.h"
#include "vmx/decode.h"

#define FLAG_CF BIT(0)
#define FLAG_PF BIT(2)
#define FLAG_AF BIT(4)
#define FLAG_ZF BIT(6)
#define FLAG_SF BIT(7)
#define FLAG_OF BIT(11)
#define FLAGS_STATUS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

static inline u64 alu_mask(u32 bytes)
{
	ASSERT(bytes >= 1 && bytes <= 8);
	return UINT64_MAX >> (64 - 8 * bytes);
}

/*
 * destination OP source; `flags` is RFLAGS: read (ADC, SBB; INC and DEC keep CF) and updated.  For BT and its kin `source` is the
 * bit's number within the operand.  Flags that the architecture leaves undefined are as Intel's processors leave them.
 */
typedef u64 alu_function(u64 destination, u64 source, u32 bytes, u64 *flags);

/* What an operation does, and to what. */
struct alu_row {
	alu_function *compute;
	bool reads, writes; /* its destination */
	bool swaps;         /* the destination's old value goes into the register operand (XCHG, XADD) */
};
extern const struct alu_row alu_rows[OPERATIONS]; /* compute NULL: not for these (CMPXCHG, PUSH, POP, strings) */

u64 alu_compare(u64 destination, u64 source, u32 bytes, u64 *flags); /* CMP: returns the destination unchanged */
u64 alu_sign_extend(u64 value, u32 bytes);
