/* SPDX-License-Identifier: BSD-2-Clause */
/* The decoder at arbitrary bytes: it stays within what it is given, and its lengths are those of Zydis. */
#include "kernel/lib/check.h"
#include "tests/fuzz/input.h"
#include "vmx/decode.h"
#include <Zydis/Zydis.h>

static bool zydis(const struct code *code, enum decode_mode mode, u32 *length)
{
	static const ZydisMachineMode machine[] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
						    ZYDIS_MACHINE_MODE_LONG_64 };
	static const ZydisStackWidth stack[] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64 };
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	CHECK(ZYAN_SUCCESS(ZydisDecoderInit(&decoder, machine[mode], stack[mode])));
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, code->bytes, code->count, &insn)))
		return false;
	*length = insn.length;
	return true;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct code code = { .count = 0 };
	struct insn insn;
	u32 length = 0;

	if (bytes < 2)
		return 0;
	enum decode_mode mode = (enum decode_mode)(data[0] % 3);

	code.count = (u32)min_u64(bytes - 1, CODE_BYTES);
	memcpy(code.bytes, data + 1, code.count);
	enum decode_result result = decode(&code, mode, &insn);

	if (result == DECODE_UNKNOWN)
		return 0;
	bool known = zydis(&code, mode, &length);

	CHECK(known == (result == DECODE_OK));
	CHECK(!known || length == insn.length);
	return 0;
}
