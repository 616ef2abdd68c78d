/* SPDX-License-Identifier: BSD-2-Clause */
/* printf into a buffer, by stb_sprintf (no floating point). Always ends the text; cuts what does not fit. */
#pragma once
#include "kernel/lib/types.h"
#include <stdarg.h>

/* Returns how many bytes stand in `to`, without the end; `bytes` > 0. */
u32 format(char *to, size_t bytes, const char *text, ...) PRINTF(3, 4);
u32 format_va(char *to, size_t bytes, const char *text, va_list arguments);
