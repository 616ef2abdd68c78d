/* SPDX-License-Identifier: BSD-2-Clause */
/* Is this text exactly one JSON value (RFC 8259), in printable ASCII, with nothing around it? */
#pragma once
#include "kernel/lib/types.h"

bool json_is_valid(const char *text, u32 bytes);
