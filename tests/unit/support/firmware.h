/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical memory in which a test writes the tables that firmware leaves, and the acpi_reach that reads them: what it gives lies on the heap,
 * exactly as long as it was asked for, so that ASan sees every byte beyond.
 */
#pragma once
#include "kernel/lib/types.h"

#define FIRMWARE_BASE 0xe0000ULL
enum { FIRMWARE_BYTES = 0x8000, FIRMWARE_REACHES = 2 + 2 * (2 + 2 * 256), TABLE_HEADER = 36 };

extern u8 firmware[FIRMWARE_BYTES]; /* from FIRMWARE_BASE on */

/* Zeros again; what was reached is freed. */
void firmware_reset(void);
/* The same memory, but what was reached is freed: at most FIRMWARE_REACHES between two of these. */
void firmware_forget(void);
void firmware_put(u32 at, u32 bytes, u64 value);
/* The byte `field` of [at, at + bytes) makes their sum 0. */
void firmware_sum_up(u32 at, u32 bytes, u32 field);
/* The header of a table: signature, length, sum. */
void firmware_table(u32 at, const char *signature, u32 bytes);
