/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/log.h"
#include "kernel/core/timer.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/lib/lock.h"

enum { PREFIX_BYTES = 32, LINE_BYTES = 320, NS_PER_US = 1000, US_PER_S = 1000000 };

static struct lock lock = LOCK_INIT(RANK_LOG, "log");
static char ring[LOG_BYTES];
static u64 end;
static bool off_wire;

static void keep(const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ring[(end + i) % LOG_BYTES] = bytes[i];
	__atomic_store_n(&end, end + count, __ATOMIC_RELEASE);
}

static u32 prefix(char *to)
{
	u64 us = time_ns() / NS_PER_US;

	return format(to, PREFIX_BYTES, "[%4llu.%06llu] ", us / US_PER_S, us % US_PER_S);
}

/* Ring and wire are two locks of one rank, taken one after the other: a line may be logged with any other lock held. */
void log_write(const char *line, size_t bytes)
{
	char text[PREFIX_BYTES + LINE_BYTES];
	u32 at = prefix(text);

	if (bytes > LINE_BYTES - 2)
		bytes = LINE_BYTES - 2;
	for (size_t i = 0; i < bytes; i++)
		text[at++] = line[i];
	text[at] = '\n';
	lock_acquire(&lock);
	keep(text, at + 1);
	lock_release(&lock);

	if (__atomic_load_n(&off_wire, __ATOMIC_ACQUIRE))
		return;
	text[at] = '\r';
	text[at + 1] = '\n';
	wire_put((const u8 *)text, at + 2);
}

u64 log_end(void)
{
	return __atomic_load_n(&end, __ATOMIC_ACQUIRE);
}

u64 log_begin(void)
{
	u64 now = log_end();

	return now > LOG_BYTES ? now - LOG_BYTES : 0;
}

/* Without the lock: what a writer overwrote meanwhile is cut off at the front by asking again where the ring begins. */
u32 log_read(u64 position, char *to, u32 bytes)
{
	u64 until = log_end();
	u32 count = 0;

	if (position > until)
		return 0;
	for (; position + count < until && count < bytes; count++)
		to[count] = ring[(position + count) % LOG_BYTES];
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return position >= log_begin() ? count : 0;
}

void log_wire_stop(void)
{
	CHECK(!off_wire);
	__atomic_store_n(&off_wire, true, __ATOMIC_RELEASE);
}
