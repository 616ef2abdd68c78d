/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/lib/error.h"
#include "kernel/lib/check.h"

const char *err_text(err_t error)
{
	static const char *const text[] = {
		[OK] = "ok",
		[E_INVALID] = "invalid",
		[E_RANGE] = "out of range",
		[E_NO_MEMORY] = "out of memory",
		[E_NOT_FOUND] = "not found",
		[E_EXISTS] = "exists already",
		[E_STATE] = "not possible in this state",
		[E_UNSUPPORTED] = "not supported",
		[E_IO] = "input/output error",
		[E_SUSPEND] = "not ready yet",
		[E_CORRUPT] = "corrupt",
	};

	CHECK((u32)error < ARRAY_SIZE(text) && text[error]);
	return text[error];
}
