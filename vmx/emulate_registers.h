/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers as operands: parts of them, and addresses made of them. */
#pragma once
#include "vmx/decode.h"
#include "vmx/emulate_alu.h"
#include "vmx/vcpu.h"

/* The register operand's value; upper bits may hold anything. */
static inline u64 register_read(const struct vcpu *v, u32 number)
{
	return number & REGISTER_HIGH ? v->regs.gpr[number & 3] >> 8 : vcpu_gpr(v, number);
}

/* By the rules of its size: 4 bytes clear the upper half, fewer leave the rest alone. */
static inline void register_write(struct vcpu *v, u32 number, u32 bytes, u64 value)
{
	ASSERT(number < GPRS || ((number & REGISTER_HIGH) && bytes == 1));
	if (bytes == 4)
		value = (u32)value;
	else if (number & REGISTER_HIGH)
		value = (v->regs.gpr[number &= 3] & ~0xff00ULL) | (value & 0xff) << 8;
	else if (bytes < 4)
		value = (vcpu_gpr(v, number) & ~alu_mask(bytes)) | (value & alu_mask(bytes));
	vcpu_set_gpr(v, number, value);
}

/* The memory operand's offset in its segment. */
static inline u64 insn_offset(const struct vcpu *v, const struct insn *insn)
{
	u64 offset = insn->displacement;

	ASSERT(insn->memory && insn->form != FORM_STRING);
	if (insn->base == REGISTER_RIP)
		offset += v->exit.rip + insn->length;
	else if (insn->base != REGISTER_NONE)
		offset += vcpu_gpr(v, insn->base);
	if (insn->index != REGISTER_NONE)
		offset += vcpu_gpr(v, insn->index) << insn->scale;
	return offset & alu_mask(insn->address_bytes);
}
