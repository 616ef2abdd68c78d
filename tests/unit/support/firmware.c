/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/firmware.h"
#include "kernel/lib/check.h"
#include "kernel/x86/acpi.h"
#include <stdlib.h>
#include <string.h>

u8 firmware[FIRMWARE_BYTES];
static u8 *reached[FIRMWARE_REACHES];
static u32 reaches;

void firmware_forget(void)
{
	while (reaches)
		free(reached[--reaches]);
}

void firmware_reset(void)
{
	firmware_forget();
	memset(firmware, 0, sizeof(firmware));
}

const u8 *acpi_reach(u64 physical, u64 bytes)
{
	CHECK(reaches < FIRMWARE_REACHES);
	if (physical < FIRMWARE_BASE || physical - FIRMWARE_BASE > FIRMWARE_BYTES ||
	    bytes > FIRMWARE_BYTES - (physical - FIRMWARE_BASE))
		return NULL;
	u8 *copy = malloc(bytes ? bytes : 1);

	CHECK(copy);
	memcpy(copy, firmware + (physical - FIRMWARE_BASE), bytes);
	return reached[reaches++] = copy;
}

void firmware_put(u32 at, u32 bytes, u64 value)
{
	memcpy(firmware + at, &value, bytes);
}

void firmware_sum_up(u32 at, u32 bytes, u32 field)
{
	u8 sum = 0;

	firmware[at + field] = 0;
	for (u32 i = 0; i < bytes; i++)
		sum = (u8)(sum + firmware[at + i]);
	firmware[at + field] = (u8)-sum;
}

void firmware_table(u32 at, const char *signature, u32 bytes)
{
	memcpy(firmware + at, signature, 4);
	firmware_put(at + 4, 4, bytes);
	firmware_sum_up(at, bytes, 9);
}
