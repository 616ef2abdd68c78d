/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/lib/lock.h"
#include <string.h>

/* A device that takes no byte for this many looks is not there, or its other end holds it up. */
enum { PATIENCE = 2000000 };

/* Of the log's rank: a line may go out while anything else is held. */
static struct lock lock = LOCK_INIT(RANK_LOG, "wire");
static u8 out[WIRE_OUT_BYTES], in[WIRE_IN_BYTES];
static u64 out_begin, out_end, in_begin, in_end;
static u64 in_lost;
static const struct wire_port *port;
static void (*input_wake)(void), (*output_wake)(void);
static const struct wire_screen *screen;
static u64 screen_at;
static bool interrupts_serve;

/* Hand over as much as the device takes now. False: it is busy, or there is nothing left. */
static bool send_some(void)
{
	u64 at = out_begin % WIRE_OUT_BYTES;
	u64 count = min_u64(out_end - out_begin, WIRE_OUT_BYTES - at);

	if (!port || count == 0)
		return false;
	u32 sent = port->send(&out[at], (u32)count);
	CHECK(sent <= count);
	out_begin += sent;
	return sent > 0;
}

static void send_and_ask(void)
{
	send_some();
	if (port)
		port->want(out_begin != out_end);
}

static void send_all(void)
{
	for (u32 idle = 0; port && out_begin != out_end && idle < PATIENCE; idle++)
		if (send_some())
			idle = 0;
}

/* Between a place in a ring and `bytes`, `count` of them, in the two pieces that the ring's end makes. */
static void copy_in(u8 *ring, u32 size, u64 at, const u8 *bytes, u32 count)
{
	u32 first = (u32)min_u64(count, size - at % size);

	CHECK(count <= size);
	memcpy(ring + at % size, bytes, first);
	memcpy(ring, bytes + first, count - first);
}

static void copy_out(const u8 *ring, u32 size, u64 at, u8 *bytes, u32 count)
{
	u32 first = (u32)min_u64(count, size - at % size);

	CHECK(count <= size);
	memcpy(bytes, ring + at % size, first);
	memcpy(bytes + first, ring, count - first);
}

static u64 oldest(void)
{
	return out_end > WIRE_OUT_BYTES ? out_end - WIRE_OUT_BYTES : 0;
}

void wire_attach(const struct wire_port *to)
{
	CHECK(to->send != NULL && to->want != NULL && to->idle != NULL);
	lock_acquire(&lock);
	CHECK(out_end - out_begin <= WIRE_OUT_BYTES);
	port = to;
	out_begin = oldest();
	if (interrupts_serve)
		send_and_ask();
	else
		send_all();
	lock_release(&lock);
}

static void wake_by(void (**slot)(void))
{
	void (*wake)(void) = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

	if (wake)
		wake();
}

u32 wire_put(const u8 *bytes, u32 count)
{
	lock_acquire(&lock);
	u32 taken = (u32)min_u64(count, WIRE_OUT_BYTES - (out_end - out_begin));

	copy_in(out, WIRE_OUT_BYTES, out_end, bytes, taken);
	out_end += taken;
	if (interrupts_serve)
		send_and_ask();
	else
		send_all();
	lock_release(&lock);
	wake_by(&output_wake);
	return taken;
}

u32 wire_room(void)
{
	lock_acquire(&lock);
	u32 room = (u32)(WIRE_OUT_BYTES - (out_end - out_begin));
	lock_release(&lock);
	return room;
}

void wire_can_send(void)
{
	lock_acquire(&lock);
	send_and_ask();
	lock_release(&lock);
}

void wire_serve(void)
{
	lock_acquire(&lock);
	interrupts_serve = true;
	send_and_ask();
	lock_release(&lock);
}

void wire_flush(void)
{
	lock_acquire(&lock);
	send_all();
	for (u32 looks = 0; port && !port->idle() && looks < PATIENCE; looks++)
		;
	lock_release(&lock);
	if (screen)
		screen->drain();
}

/* On the screen the panic alone: what was said before is on the device, and in the panic's tail of the log. */
void wire_panic(const u8 *bytes, u32 count)
{
	send_all();
	for (u32 idle = 0, sent = 0; port && sent < count && idle < PATIENCE; idle++) {
		u32 now = port->send(bytes + sent, count - sent);

		sent += now;
		idle = now > 0 ? 0 : idle;
	}
	if (screen)
		screen->panic(bytes, count);
}

/* ---- the screen ---- */

void wire_attach_screen(const struct wire_screen *to)
{
	CHECK(to->drain != NULL && to->panic != NULL && !screen);
	screen = to;
}

u32 wire_screen_take(u8 *bytes, u32 count)
{
	lock_acquire(&lock);
	screen_at = max_u64(screen_at, oldest());
	u32 taken = (u32)min_u64(count, out_end - screen_at);

	copy_out(out, WIRE_OUT_BYTES, screen_at, bytes, taken);
	screen_at += taken;
	if (!port)
		out_begin = max_u64(out_begin, screen_at);
	lock_release(&lock);
	return taken;
}

void wire_on_output(void (*wake)(void))
{
	__atomic_store_n(&output_wake, wake, __ATOMIC_RELEASE);
}

/* ---- input ---- */

u32 wire_take(u8 *bytes, u32 count)
{
	lock_acquire(&lock);
	u32 taken = (u32)min_u64(count, in_end - in_begin);

	copy_out(in, WIRE_IN_BYTES, in_begin, bytes, taken);
	in_begin += taken;
	lock_release(&lock);
	return taken;
}

void wire_on_input(void (*wake)(void))
{
	__atomic_store_n(&input_wake, wake, __ATOMIC_RELEASE);
}

u64 wire_lost(void)
{
	return __atomic_load_n(&in_lost, __ATOMIC_RELAXED);
}

void wire_received(const u8 *bytes, u32 count)
{
	lock_acquire(&lock);
	u32 room = (u32)min_u64(count, WIRE_IN_BYTES - (in_end - in_begin));

	copy_in(in, WIRE_IN_BYTES, in_end, bytes, room);
	in_end += room;
	in_lost += count - room;
	lock_release(&lock);
	wake_by(&input_wake);
}
