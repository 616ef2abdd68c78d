/* SPDX-License-Identifier: BSD-2-Clause */
/* The management wire: one ring, read by a device that must not miss a byte and by a screen that may. */
#include "kernel/core/wire.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static u8 sent[4 * WIRE_OUT_BYTES], seen[4 * WIRE_OUT_BYTES];
static u32 sent_count, seen_count, device_takes, wakes;

static u32 send(const u8 *bytes, u32 count)
{
	u32 taken = count < device_takes ? count : device_takes;

	memcpy(sent + sent_count, bytes, taken);
	sent_count += taken;
	device_takes -= taken;
	return taken;
}

static void want(bool more)
{
	(void)more;
}

static bool idle(void)
{
	return true;
}

static const struct wire_port device = { .send = send, .want = want, .idle = idle };

static void look(void)
{
	u32 count;

	while ((count = wire_screen_take(seen + seen_count, 100)) > 0)
		seen_count += count;
}

static u32 panics, drains;

static void drain(void)
{
	drains++;
}

static void show_panic(const u8 *bytes, u32 count)
{
	(void)bytes;
	panics += count;
}

static const struct wire_screen screen = { .drain = drain, .panic = show_panic };

static void wake(void)
{
	wakes++;
}

static u8 pattern(u64 at)
{
	return (u8)(at * 7 + at / 251);
}

static u64 put_count;

static u32 put(u32 count)
{
	u32 done = 0;

	for (; done < count; done++) {
		u8 byte = pattern(put_count);

		if (wire_put(&byte, 1) == 0)
			break;
		put_count++;
	}
	return done;
}

/* The tests are one story: the wire begins without a device, as on a machine that has none. */
static void without_a_device_the_screen_makes_room(void **state)
{
	(void)state;
	assert_int_equal(put(WIRE_OUT_BYTES + 10), WIRE_OUT_BYTES);
	assert_int_equal(wire_room(), 0);
	wire_attach_screen(&screen);
	look();
	assert_int_equal(seen_count, WIRE_OUT_BYTES);
	assert_int_equal(wire_room(), WIRE_OUT_BYTES);
	assert_int_equal(put(10), 10);
	look();
	for (u32 i = 0; i < seen_count; i++)
		assert_int_equal(seen[i], pattern(i));
}

static void a_device_that_comes_late_gets_what_the_ring_still_has(void **state)
{
	(void)state;
	wire_serve();
	wire_attach(&device);
	assert_int_equal(wire_room(), 0);
	device_takes = 2 * WIRE_OUT_BYTES;
	wire_can_send();
	wire_can_send();
	assert_int_equal(sent_count, WIRE_OUT_BYTES);
	for (u32 i = 0; i < sent_count; i++)
		assert_int_equal(sent[i], pattern(put_count - WIRE_OUT_BYTES + i));
}

static void the_screen_passes_over_what_it_was_too_slow_for(void **state)
{
	(void)state;
	device_takes = 2 * WIRE_OUT_BYTES;
	u64 start = put_count;

	assert_int_equal(put(WIRE_OUT_BYTES + 500), WIRE_OUT_BYTES + 500);
	seen_count = 0;
	look();
	assert_int_equal(seen_count, WIRE_OUT_BYTES);
	for (u32 i = 0; i < seen_count; i++)
		assert_int_equal(seen[i], pattern(start + 500 + i));
}

static void the_screen_never_holds_the_device_up(void **state)
{
	(void)state;
	device_takes = 0;
	assert_int_equal(put(WIRE_OUT_BYTES + 1), WIRE_OUT_BYTES);
	look();
	assert_int_equal(wire_room(), 0);
	device_takes = WIRE_OUT_BYTES;
	wire_can_send();
	wire_can_send();
	assert_int_equal(wire_room(), WIRE_OUT_BYTES);
}

static void output_wakes_who_draws(void **state)
{
	(void)state;
	wire_on_output(wake);
	device_takes = 1;
	put(1);
	assert_int_equal(wakes, 1);
}

static void a_flush_and_a_panic_reach_the_screen(void **state)
{
	(void)state;
	device_takes = 100;
	wire_flush();
	assert_int_equal(drains, 1);
	wire_panic((const u8 *)"panic", 5);
	assert_int_equal(panics, 5);
	assert_memory_equal(sent + sent_count - 5, "panic", 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_device_the_screen_makes_room),
		cmocka_unit_test(a_device_that_comes_late_gets_what_the_ring_still_has),
		cmocka_unit_test(the_screen_passes_over_what_it_was_too_slow_for),
		cmocka_unit_test(the_screen_never_holds_the_device_up),
		cmocka_unit_test(output_wakes_who_draws),
		cmocka_unit_test(a_flush_and_a_panic_reach_the_screen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
