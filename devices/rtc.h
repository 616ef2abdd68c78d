/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MC146818 clock and its CMOS memory.  Time is a number of 32,768 Hz ticks; the time registers are filled in when somebody
 * looks.  While SET or the divider's reset freezes the clock they hold what was written.  Called with the PC's lock.
 */
#pragma once
#include "kernel/lib/types.h"

struct pc;

enum { RTC_CMOS_BYTES = 128, RTC_CENTURY = 0x32 };

struct rtc {
	u8 index;
	u8 cmos[RTC_CMOS_BYTES]; /* the time registers are stale unless frozen */
	s64 base_seconds;        /* Unix time at base_ticks */
	u64 base_ticks;
	u64 last;  /* tick up to which flags have been set */
	s64 alarm; /* Unix time of the next match */
	u64 next;  /* VM TSC of the next interrupt, or PC_NEVER */
};

void rtc_power_on(struct pc *pc, u64 unix_seconds);
void rtc_reset(struct pc *pc);
u32 rtc_read(struct pc *pc, u16 port, u32 size);
void rtc_write(struct pc *pc, u16 port, u32 size, u32 value);
void rtc_run(struct pc *pc, u64 now);
const char *rtc_audit(struct pc *pc);

/* ---- calendar (rtc_date.c) ---- */

enum {
	RTC_SECONDS = 0,
	RTC_SECONDS_ALARM,
	RTC_MINUTES,
	RTC_MINUTES_ALARM,
	RTC_HOURS,
	RTC_HOURS_ALARM,
	RTC_WEEKDAY,
	RTC_DAY,
	RTC_MONTH,
	RTC_YEAR,
	RTC_A,
	RTC_B,
	RTC_C,
	RTC_D,
	RTC_B_24_HOURS = 0x02,
	RTC_B_BINARY = 0x04,
};

/* The time registers as Unix time and back, in the format that register B asks for. Any bytes give some time. */
s64 rtc_decode(const u8 *cmos);
void rtc_encode(u8 *cmos, s64 seconds);
/* The first Unix time after `seconds` that the alarm registers match; INT64_MAX: they match none. */
s64 rtc_next_alarm(const u8 *cmos, s64 seconds);
