/* SPDX-License-Identifier: BSD-2-Clause */
/* The MC146818's registers, as every PC has them. */
#include "kernel/core/wall.h"
#include "kernel/core/timer.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "kernel/x86/cpu.h"
#include <string.h>

enum {
	CMOS_INDEX = 0x70,
	CMOS_DATA = 0x71,
	STATUS_A = 0x0a,
	STATUS_A_UPDATING = 0x80,
	STATUS_B = 0x0b,
	STATUS_B_24H = 0x02,
	STATUS_B_BINARY = 0x04,
	HOUR_PM = 0x80,
	HOUR_BITS = 0x7f,
	UPDATE_LOOKS = 3000, /* an update takes 2 ms at most */
	READS = 5,
	SECONDS_A_DAY = 86400,
	DAYS_BEFORE_2000 = 10957,
};
#define NS_PER_S 1000000000ULL

enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, FIELDS };

static u64 seconds_at_start;

static u8 cmos_read(u8 index)
{
	port_out8(CMOS_INDEX, index);
	return port_in8(CMOS_DATA);
}

static void read_fields(u8 fields[FIELDS])
{
	static const u8 at[FIELDS] = { 0x00, 0x02, 0x04, 0x07, 0x08, 0x09 };

	for (u32 looks = 0; looks < UPDATE_LOOKS && (cmos_read(STATUS_A) & STATUS_A_UPDATING); looks++)
		time_wait_us(1);
	for (u32 i = 0; i < FIELDS; i++)
		fields[i] = cmos_read(at[i]);
}

static u32 decode(u8 value, u8 status)
{
	return status & STATUS_B_BINARY ? value : (value >> 4) * 10U + (value & 15);
}

static u32 decode_hour(u8 value, u8 status)
{
	u32 hour = decode(value & HOUR_BITS, status);

	if (status & STATUS_B_24H)
		return decode(value, status);
	return hour % 12 + (value & HOUR_PM ? 12 : 0);
}

/* Days since 1970; years 2000 to 2099, where every fourth is a leap year. */
static u64 days_of(u32 year, u32 month, u32 day)
{
	static const u16 before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	u32 leap_days = (year + 3) / 4 + (year % 4 == 0 && month > 2);

	CHECK(month >= 1 && month <= ARRAY_SIZE(before));
	return DAYS_BEFORE_2000 + year * 365ULL + leap_days + before[month - 1] + day - 1;
}

void wall_init(void)
{
	u8 fields[FIELDS], again[FIELDS];
	u8 status = cmos_read(STATUS_B);
	bool steady = false;

	for (u32 i = 0; i < READS && !steady; i++) {
		read_fields(fields);
		read_fields(again);
		steady = memcmp(fields, again, sizeof(fields)) == 0;
	}
	u32 month = decode(fields[MONTH], status);
	if (!steady || month < 1 || month > 12) {
		log_line("wall: no clock; time counts from 1970");
		return;
	}
	u64 now = days_of(decode(fields[YEAR], status), month, decode(fields[DAY], status)) * SECONDS_A_DAY;

	now += decode_hour(fields[HOUR], status) * 3600ULL + decode(fields[MINUTE], status) * 60ULL +
	       decode(fields[SECOND], status);
	seconds_at_start = now - time_ns() / NS_PER_S;
	log_line("wall: 20%02u-%02u-%02u, Unix time %llu", decode(fields[YEAR], status), month, decode(fields[DAY], status), now);
}

u64 wall_seconds(void)
{
	return seconds_at_start + time_ns() / NS_PER_S;
}
