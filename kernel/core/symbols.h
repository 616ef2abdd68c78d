/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of our own functions, from the kernel's ELF file as the loader left it in memory. */
#pragma once
#include "kernel/lib/types.h"

/* `file` stays where it is; NULL, or not an ELF file with a symbol table: every look-up finds nothing. */
void symbols_init(const u8 *file, u64 bytes);
/* The function that contains the address, and how far into it; NULL: unknown. Linear in the table: for panics. */
const char *symbols_find(u64 address, u64 *offset);
