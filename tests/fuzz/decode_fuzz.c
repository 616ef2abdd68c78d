/* SPDX-License-Identifier: BSD-2-Clause */
/* The decoder at arbitrary bytes: it stays within what it is given, and all that it says is what Zydis says. */
#include "tests/fuzz/input.h"
#include "tests/unit/support/decode_oracle.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct code code = { .count = 0 };

	take_from(data, bytes);
	enum decode_mode mode = (enum decode_mode)(take_byte() % 3);
	const u8 *from = take_bytes(CODE_BYTES, &bytes);

	if (bytes)
		memcpy(code.bytes, from, bytes);
	code.count = (u32)bytes;
	(void)decode_as_zydis(&code, mode);
	return 0;
}
