/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction decoder against Zydis: on every opcode that it claims to know both say the same. */
#include "tests/unit/support/decode_oracle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 300 }; /* of random prefixes and operands, for each opcode and mode */

static u64 state;

static u32 draw(u32 below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)(state >> 32) % below;
}

static int show_latest(void **test)
{
	(void)test;
	printf("last compared: %s\n", decode_latest);
	return 0;
}

/* ---- bytes ---- */

static void random_code(struct code *code, bool two_bytes, u8 opcode)
{
	static const u8 prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66, 0x67, 0x67, 0xf0, 0xf2, 0xf3 };
	u32 at = 0;

	for (u32 i = draw(4); i > 0; i--)
		code->bytes[at++] = draw(6) ? prefixes[draw(ARRAY_SIZE(prefixes))] : (u8)(0x40 + draw(16));
	if (draw(2))
		code->bytes[at++] = (u8)(0x40 + draw(16));
	if (two_bytes)
		code->bytes[at++] = 0x0f;
	code->bytes[at++] = opcode;
	while (at < CODE_BYTES)
		code->bytes[at++] = (u8)draw(256);
	code->count = CODE_BYTES;
}

static void every_opcode(bool two_bytes, enum decode_mode mode, u32 expected)
{
	u32 known_opcodes = 0;

	for (u32 opcode = 0; opcode < 256; opcode++) {
		u32 known = 0;

		for (u32 round = 0; round < ROUNDS; round++) {
			struct code code = { .count = 0 };

			random_code(&code, two_bytes, (u8)opcode);
			known += decode_as_zydis(&code, mode);
		}
		known_opcodes += known > 0;
	}
	print_message("mode %u: %u opcodes known\n", mode, known_opcodes);
	assert_true(known_opcodes >= expected);
}

static void what_it_claims_to_know_of_one_byte_opcodes_is_what_zydis_says(void **test)
{
	(void)test;
	for (u32 mode = DECODE_16; mode <= DECODE_64; mode++)
		every_opcode(false, (enum decode_mode)mode, 60);
}

static void what_it_claims_to_know_of_two_byte_opcodes_is_what_zydis_says(void **test)
{
	(void)test;
	for (u32 mode = DECODE_16; mode <= DECODE_64; mode++)
		every_opcode(true, (enum decode_mode)mode, 13);
}

/* ---- every form ---- */

enum { MODRM_KINDS = 32, PREFIXES_MOST = 3 };

static const struct {
	u8 count, bytes[PREFIXES_MOST];
} maps[] = { { 0, { 0 } }, { 1, { 0x0f } }, { 2, { 0x0f, 0x38 } }, { 2, { 0x0f, 0x3a } } }, prefix_sets[] = {
	{ 1, { 0x66 } },       { 1, { 0x67 } },       { 1, { 0xf0 } },       { 1, { 0xf2 } },
	{ 1, { 0xf3 } },       { 1, { 0x2e } },       { 1, { 0x64 } },       { 2, { 0x66, 0x67 } },
	{ 2, { 0xf0, 0x66 } }, { 2, { 0xf3, 0x65 } }, { 1, { 0x40 } },       { 1, { 0x45 } },
	{ 1, { 0x48 } },       { 2, { 0x66, 0x4f } }, { 2, { 0x48, 0x66 } }, { 3, { 0xf0, 0x67, 0x4a } },
};

static u32 put(struct code *code, u32 at, const u8 *bytes, u32 count)
{
	memcpy(code->bytes + at, bytes, count);
	return at + count;
}

/* One form: what the instruction does not use of its 15 bytes is random. */
static void one_form(u32 map, u8 opcode, u32 set, u8 modrm)
{
	for (u32 mode = DECODE_16; mode <= DECODE_64; mode++) {
		struct code code = { .count = CODE_BYTES };
		u32 at = set ? put(&code, 0, prefix_sets[set - 1].bytes, prefix_sets[set - 1].count) : 0;

		at = put(&code, at, maps[map].bytes, maps[map].count);
		code.bytes[at++] = opcode;
		code.bytes[at++] = modrm;
		while (at < CODE_BYTES)
			code.bytes[at++] = (u8)draw(256);
		(void)decode_as_zydis(&code, (enum decode_mode)mode);
	}
}

static void every_opcode_of_every_map_is_ours_as_zydis_has_it_or_none_that_we_promise(void **test)
{
	(void)test;
	for (u32 opcode = 0; opcode < 256; opcode++) {
		for (u32 modrm = 0; modrm < 256; modrm++)
			for (u32 map = 0; map < 2; map++)
				one_form(map, (u8)opcode, 0, (u8)modrm);
		/* All of mod and reg, one rm each. */
		for (u32 kind = 0; kind < MODRM_KINDS; kind++)
			for (u32 set = 0; set <= ARRAY_SIZE(prefix_sets); set++)
				for (u32 map = 0; map < (set < 2 ? ARRAY_SIZE(maps) : 2U); map++)
					one_form(map, (u8)opcode, set, (u8)(kind << 3 | draw(8)));
	}
}

static void a_cut_instruction_needs_more_and_bytes_behind_it_change_nothing(void **test)
{
	(void)test;
	for (u32 i = 0; i < 100 * ROUNDS; i++) {
		enum decode_mode mode = (enum decode_mode)draw(3);
		struct code code = { .count = 0 };
		struct insn whole, part;

		random_code(&code, draw(2), (u8)draw(256));
		if (decode(&code, mode, &whole) != DECODE_OK)
			continue;
		for (code.count = CODE_BYTES; code.count >= whole.length; code.count--) {
			code.bytes[code.count] ^= 0xff;
			assert_int_equal(decode(&code, mode, &part), DECODE_OK);
			assert_memory_equal(&part, &whole, sizeof(part));
		}
		for (; code.count > 0; code.count--)
			assert_int_equal(decode(&code, mode, &part), DECODE_MORE);
	}
}

static void an_instruction_of_prefixes_only_is_too_long(void **test)
{
	struct code code = { .count = CODE_BYTES };
	struct insn insn;

	(void)test;
	memset(code.bytes, 0x66, sizeof(code.bytes));
	assert_int_equal(decode(&code, DECODE_64, &insn), DECODE_MORE);
	code.bytes[CODE_BYTES - 1] = 0x89; /* its ModRM would be the 16th */
	assert_int_equal(decode(&code, DECODE_64, &insn), DECODE_MORE);
}

int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(what_it_claims_to_know_of_one_byte_opcodes_is_what_zydis_says, show_latest),
		cmocka_unit_test_teardown(what_it_claims_to_know_of_two_byte_opcodes_is_what_zydis_says, show_latest),
		cmocka_unit_test_teardown(every_opcode_of_every_map_is_ours_as_zydis_has_it_or_none_that_we_promise, show_latest),
		cmocka_unit_test(a_cut_instruction_needs_more_and_bytes_behind_it_change_nothing),
		cmocka_unit_test(an_instruction_of_prefixes_only_is_too_long),
	};

	state = count > 1 ? strtoull(arguments[1], NULL, 0) : 0x9e3779b97f4a7c15ULL;
	printf("seed 0x%llx\n", state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
