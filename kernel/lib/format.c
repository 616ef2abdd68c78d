/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/lib/format.h"
#include "kernel/lib/check.h"
#include <limits.h>
#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#define STB_SPRINTF_STATIC
#define STB_SPRINTF_NOFLOAT
#define STB_SPRINTF_NOUNALIGNED
#define STB_SPRINTF_IMPLEMENTATION
#include <stb/stb_sprintf.h>
#pragma GCC diagnostic pop

u32 format_va(char *to, size_t bytes, const char *text, va_list arguments)
{
	CHECK(bytes > 0 && bytes <= INT_MAX);
	stbsp_vsnprintf(to, (int)bytes, text, arguments);
	return (u32)strlen(to);
}

u32 format(char *to, size_t bytes, const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	u32 length = format_va(to, bytes, text, arguments);
	va_end(arguments);
	return length;
}
