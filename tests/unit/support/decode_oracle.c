/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/decode_oracle.h"
#include "vmx/vcpu.h"
#include <Zydis/Zydis.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *text_of(const struct code *code)
{
	static char text[64];

	for (u32 i = 0; i < code->count; i++)
		snprintf(text + 3 * i, 4, "%02x ", code->bytes[i]);
	return text;
}

/* ---- Zydis in our words ---- */

static const struct {
	ZydisMnemonic mnemonic;
	u8 op;
} names[] = {
	{ ZYDIS_MNEMONIC_MOV, OP_MOV },      { ZYDIS_MNEMONIC_MOVZX, OP_MOVZX },     { ZYDIS_MNEMONIC_MOVSX, OP_MOVSX },
	{ ZYDIS_MNEMONIC_MOVSXD, OP_MOVSX }, { ZYDIS_MNEMONIC_ADD, OP_ADD },         { ZYDIS_MNEMONIC_OR, OP_OR },
	{ ZYDIS_MNEMONIC_ADC, OP_ADC },      { ZYDIS_MNEMONIC_SBB, OP_SBB },         { ZYDIS_MNEMONIC_AND, OP_AND },
	{ ZYDIS_MNEMONIC_SUB, OP_SUB },      { ZYDIS_MNEMONIC_XOR, OP_XOR },         { ZYDIS_MNEMONIC_CMP, OP_CMP },
	{ ZYDIS_MNEMONIC_TEST, OP_TEST },    { ZYDIS_MNEMONIC_INC, OP_INC },         { ZYDIS_MNEMONIC_DEC, OP_DEC },
	{ ZYDIS_MNEMONIC_NOT, OP_NOT },      { ZYDIS_MNEMONIC_NEG, OP_NEG },         { ZYDIS_MNEMONIC_XCHG, OP_XCHG },
	{ ZYDIS_MNEMONIC_XADD, OP_XADD },    { ZYDIS_MNEMONIC_CMPXCHG, OP_CMPXCHG }, { ZYDIS_MNEMONIC_BT, OP_BT },
	{ ZYDIS_MNEMONIC_BTS, OP_BTS },      { ZYDIS_MNEMONIC_BTR, OP_BTR },         { ZYDIS_MNEMONIC_BTC, OP_BTC },
	{ ZYDIS_MNEMONIC_PUSH, OP_PUSH },    { ZYDIS_MNEMONIC_POP, OP_POP },         { ZYDIS_MNEMONIC_MOVSB, OP_MOVS },
	{ ZYDIS_MNEMONIC_MOVSW, OP_MOVS },   { ZYDIS_MNEMONIC_MOVSD, OP_MOVS },      { ZYDIS_MNEMONIC_MOVSQ, OP_MOVS },
	{ ZYDIS_MNEMONIC_CMPSB, OP_CMPS },   { ZYDIS_MNEMONIC_CMPSW, OP_CMPS },      { ZYDIS_MNEMONIC_CMPSD, OP_CMPS },
	{ ZYDIS_MNEMONIC_CMPSQ, OP_CMPS },   { ZYDIS_MNEMONIC_STOSB, OP_STOS },      { ZYDIS_MNEMONIC_STOSW, OP_STOS },
	{ ZYDIS_MNEMONIC_STOSD, OP_STOS },   { ZYDIS_MNEMONIC_STOSQ, OP_STOS },      { ZYDIS_MNEMONIC_LODSB, OP_LODS },
	{ ZYDIS_MNEMONIC_LODSW, OP_LODS },   { ZYDIS_MNEMONIC_LODSD, OP_LODS },      { ZYDIS_MNEMONIC_LODSQ, OP_LODS },
	{ ZYDIS_MNEMONIC_SCASB, OP_SCAS },   { ZYDIS_MNEMONIC_SCASW, OP_SCAS },      { ZYDIS_MNEMONIC_SCASD, OP_SCAS },
	{ ZYDIS_MNEMONIC_SCASQ, OP_SCAS },
};

static u8 op_of(ZydisMnemonic mnemonic)
{
	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].mnemonic == mnemonic)
			return names[i].op;
	return OP_UNKNOWN;
}

static u8 register_number(ZydisRegister reg)
{
	if (reg == ZYDIS_REGISTER_NONE)
		return REGISTER_NONE;
	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
		return REGISTER_RIP;
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		return (u8)(REGISTER_HIGH | (reg - ZYDIS_REGISTER_AH));
	if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_DIL)
		return (u8)(4 + reg - ZYDIS_REGISTER_SPL);
	if (reg >= ZYDIS_REGISTER_R8B && reg <= ZYDIS_REGISTER_R15B)
		return (u8)(8 + reg - ZYDIS_REGISTER_R8B);
	return (u8)ZydisRegisterGetId(reg);
}

static u8 segment_number(ZydisRegister reg)
{
	return (u8)(reg - ZYDIS_REGISTER_ES);
}

struct oracle {
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
};

static bool ask(const struct code *code, enum decode_mode mode, struct oracle *oracle)
{
	static const ZydisMachineMode machine[] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
						    ZYDIS_MACHINE_MODE_LONG_64 };
	static const ZydisStackWidth stack[] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64 };
	static ZydisDecoder decoders[DECODE_64 + 1];
	static bool made[DECODE_64 + 1];

	if (!made[mode])
		assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&decoders[mode], machine[mode], stack[mode])));
	made[mode] = true;
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoders[mode], code->bytes, code->count, &oracle->insn, oracle->operands));
}

/* ---- comparison ---- */

static void same_address(const struct insn *insn, const ZydisDecodedOperand *operand)
{
	u8 base = register_number(operand->mem.base);

	/* Zydis 4.0 takes R13 for a base where SIB has none; the processor does not (SDM vol. 2A, table 2-5; tried on one). */
	if (insn->base == REGISTER_NONE && base == 13)
		return;
	assert_int_equal(insn->base, base);
	assert_int_equal(insn->index, register_number(operand->mem.index));
	if (operand->mem.index != ZYDIS_REGISTER_NONE)
		assert_int_equal(1 << insn->scale, operand->mem.scale);
	u64 mask = UINT64_MAX >> (64 - 8 * insn->address_bytes);

	assert_int_equal(insn->displacement & mask, (u64)operand->mem.disp.value & mask);
	/* Without FS and GS all segments are the same in 64-bit mode, but a fault names them. */
	assert_int_equal(insn->segment, segment_number(operand->mem.segment));
}

static const ZydisDecodedOperand *memory_operand(const struct oracle *oracle)
{
	for (u32 i = 0; i < oracle->insn.operand_count_visible; i++)
		if (oracle->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			return &oracle->operands[i];
	return NULL;
}

static void same_operands(const struct insn *insn, const struct oracle *oracle)
{
	const ZydisDecodedOperand *memory = memory_operand(oracle);
	bool to_register = insn->form == FORM_RM || insn->form == FORM_LOAD;
	const ZydisDecodedOperand *rm = &oracle->operands[to_register ? 1 : 0], *other = &oracle->operands[to_register ? 0 : 1];

	assert_int_equal(insn->memory, memory != NULL);
	/* For XCHG and TEST Zydis gives the register first. */
	if (insn->op == OP_XCHG && memory && memory != rm) {
		other = rm;
		rm = memory;
	}
	/* MOVSXD r16 reads a word on Intel's processors (SDM vol. 2B, MOVSXD), 4 bytes in Zydis's tables. */
	if (!(insn->op == OP_MOVSX && insn->bytes == 2))
		assert_int_equal(rm->size, 8 * insn->source_bytes);
	if (memory)
		same_address(insn, memory);
	else if (insn->op != OP_XCHG)
		assert_int_equal(insn->rm, register_number(rm->reg.value));
	if ((insn->form == FORM_MR || insn->form == FORM_RM) && !(insn->op == OP_XCHG && !memory)) {
		assert_int_equal(insn->reg, register_number(other->reg.value));
		assert_int_equal(other->size, 8 * insn->bytes);
	}
	if (insn->form == FORM_MI) {
		u64 mask = insn->op >= OP_BT && insn->op <= OP_BTC ? 0xff : UINT64_MAX >> (64 - 8 * insn->bytes);

		assert_int_equal(insn->immediate & mask,
				 (other->imm.is_signed ? (u64)other->imm.value.s : other->imm.value.u) & mask);
	}
}

static void same_string(const struct insn *insn, const struct oracle *oracle)
{
	ZydisInstructionAttributes repeats = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;
	bool reads_si = insn->op == OP_MOVS || insn->op == OP_CMPS || insn->op == OP_LODS;

	assert_int_equal(insn->repeat != REPEAT_NONE, (oracle->insn.attributes & repeats) != 0);
	if (insn->op == OP_CMPS || insn->op == OP_SCAS)
		assert_int_equal(insn->repeat == REPEAT_NOT_EQUAL, (oracle->insn.attributes & ZYDIS_ATTRIB_HAS_REPNE) != 0);
	for (u32 i = 0; reads_si && i < oracle->insn.operand_count; i++) {
		const ZydisDecodedOperand *operand = &oracle->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY && register_number(operand->mem.base) == GPR_RSI)
			assert_int_equal(insn->segment, segment_number(operand->mem.segment));
	}
	for (u32 i = 0; i < oracle->insn.operand_count; i++)
		if (oracle->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			assert_int_equal(oracle->operands[i].size, 8 * insn->bytes);
}

/* What a device's driver may use: these operations on memory that is named.  Moves of segment and vector registers are not ours. */
static bool is_promised(const struct oracle *oracle)
{
	u8 op = op_of(oracle->insn.mnemonic);

	if (op == OP_UNKNOWN || !memory_operand(oracle))
		return false;
	if (op >= OP_MOVS)
		return oracle->insn.meta.category == ZYDIS_CATEGORY_STRINGOP;
	for (u32 i = 0; i < oracle->insn.operand_count_visible; i++)
		if (oracle->operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ZydisRegisterGetClass(oracle->operands[i].reg.value) == ZYDIS_REGCLASS_SEGMENT)
			return false;
	return true;
}

char decode_latest[80];

bool decode_as_zydis(const struct code *code, enum decode_mode mode)
{
	struct oracle oracle;
	struct insn insn;
	enum decode_result result = decode(code, mode, &insn);
	bool valid = ask(code, mode, &oracle);

	snprintf(decode_latest, sizeof(decode_latest), "mode %u: %s", mode, text_of(code));
	/* Random prefixes can make it longer than 15 bytes; Zydis then refuses it as well. */
	if (result == DECODE_UNKNOWN) {
		if (valid && is_promised(&oracle))
			fail_msg("%s: unknown, Zydis %s", decode_latest, ZydisMnemonicGetString(oracle.insn.mnemonic));
		return false;
	}
	if (valid != (result == DECODE_OK))
		fail_msg("%s: we say %u, Zydis %s", decode_latest, result, valid ? "decodes it" : "does not");
	if (!valid)
		return false;
	if (insn.length != oracle.insn.length || insn.op != op_of(oracle.insn.mnemonic))
		fail_msg("%s: length %u, Zydis %u %s", decode_latest, insn.length, oracle.insn.length,
			 ZydisMnemonicGetString(oracle.insn.mnemonic));
	assert_in_range(insn.length, 1, CODE_BYTES);
	assert_int_equal(insn.address_bytes, oracle.insn.address_width / 8);
	assert_int_equal(insn.lock, (oracle.insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0);
	if (insn.form == FORM_STRING)
		same_string(&insn, &oracle);
	else
		same_operands(&insn, &oracle);
	return true;
}
