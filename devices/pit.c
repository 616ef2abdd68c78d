/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/pit.h"
#include "devices/pc.h"

enum { CONTROL_PORT = 3, READ_BACK = 3, ACCESS_BOTH = 3, ACCESS_LOW = 1, ACCESS_HIGH = 2 };
enum { MODE_TERMINAL, MODE_ONE_SHOT, MODE_RATE, MODE_SQUARE, MODE_STROBE, MODE_HARD_STROBE };
enum { GATE2 = 1, PORT61_WRITABLE = 0xf, REFRESH_SHIFT = 4, OUT2_SHIFT = 5, REFRESH_TICKS = 18 };

/* A guest cannot make the host's timer fire more often than every 100 µs. */
enum { MIN_PERIOD_TICKS = 119 };

void pit_reset(struct pc *pc)
{
	pc->pit = (struct pit){ .next = PC_NEVER };
	for (u32 i = 0; i < PIT_CHANNELS; i++)
		pc->pit.channel[i] = (struct pit_channel){ .reload = 0x10000, .access = ACCESS_BOTH, .gate = i != 2 };
}

static u64 ticks_now(struct pc *pc)
{
	return clock_ticks(&pc->pit_clock, pc_now(pc));
}

/* ---- what a channel shows ---- */

static u64 elapsed(const struct pit_channel *channel, u64 now)
{
	return channel->counting ? now - channel->start : channel->held;
}

static bool output(const struct pit_channel *channel, u64 now)
{
	u64 passed = elapsed(channel, now);

	CHECK(channel->reload > 0);
	switch (channel->mode) {
	case MODE_TERMINAL:
		return channel->loaded && passed >= channel->reload;
	case MODE_ONE_SHOT:
		return !channel->counting || passed >= channel->reload;
	case MODE_RATE:
		return !channel->counting || passed % channel->reload != channel->reload - 1;
	case MODE_SQUARE:
		return !channel->counting || passed % channel->reload < (channel->reload + 1) / 2;
	default: /* strobes: low for one tick when the count is reached */
		return !channel->counting || passed != channel->reload;
	}
}

static u16 to_bcd(u32 value)
{
	return (u16)(value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10);
}

static u16 count(const struct pit_channel *channel, u64 now)
{
	u32 modulus = channel->bcd ? 10000 : 0x10000, left;
	u64 passed = elapsed(channel, now);

	CHECK(channel->reload > 0);
	if (channel->mode == MODE_RATE)
		left = channel->reload - (u32)(passed % channel->reload);
	else if (channel->mode == MODE_SQUARE) /* counts down by two, twice a period */
		left = channel->reload - (u32)(2 * (passed % channel->reload) % channel->reload);
	else
		left = channel->reload % modulus + modulus - (u32)(passed % modulus);
	return channel->bcd ? to_bcd(left) : (u16)left;
}

/* ---- channel 0 drives IRQ 0 ---- */

static void schedule(struct pc *pc, u64 now)
{
	const struct pit_channel *channel = &pc->pit.channel[0];
	u64 passed = elapsed(channel, now), due = channel->reload;

	pc->pit.next = PC_NEVER;
	if (!channel->counting)
		return;
	if (channel->mode == MODE_RATE || channel->mode == MODE_SQUARE)
		due = max_u64((passed / channel->reload + 1) * channel->reload, passed + MIN_PERIOD_TICKS);
	if (due > passed)
		pc->pit.next = clock_tsc(&pc->pit_clock, channel->start + due);
}

/* Missed edges merge into one: the next is computed from now. */
void pit_run(struct pc *pc, u64 now)
{
	if (now < pc->pit.next)
		return;
	if (pc->pit.channel[0].mode != MODE_TERMINAL)
		pc_line(pc, IRQ_PIT, false);
	pc_line(pc, IRQ_PIT, true);
	schedule(pc, clock_ticks(&pc->pit_clock, now));
}

/* ---- programming ---- */

/* A whole count was written. Modes 2 and 3 take it at once; the chip would finish the running period first. */
static void load(struct pc *pc, u32 index, u32 value)
{
	struct pit_channel *channel = &pc->pit.channel[index];
	u64 now = ticks_now(pc);

	if (channel->bcd)
		value = (value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + (value & 15);
	channel->reload = value ? value : channel->bcd ? 10000 : 0x10000;
	channel->loaded = true;
	if (channel->mode == MODE_ONE_SHOT || channel->mode == MODE_HARD_STROBE)
		return; /* waits for its gate to rise */
	channel->start = now;
	channel->held = 0;
	channel->counting = channel->gate;
	if (index != 0)
		return;
	if (channel->mode == MODE_TERMINAL)
		pc_line(pc, IRQ_PIT, false);
	schedule(pc, now);
}

static void set_gate(struct pc *pc, struct pit_channel *channel, bool gate)
{
	bool rising = gate && !channel->gate, hardware = channel->mode == MODE_ONE_SHOT || channel->mode == MODE_HARD_STROBE;
	bool restarts = channel->mode != MODE_TERMINAL && channel->mode != MODE_STROBE;
	u64 now = ticks_now(pc);

	if (gate == channel->gate)
		return;
	channel->gate = gate;
	if (rising && channel->loaded) {
		channel->start = restarts ? now : now - channel->held;
		channel->counting = true;
	} else if (!gate && !hardware) {
		channel->held = restarts ? 0 : elapsed(channel, now);
		channel->counting = false;
	}
}

static void set_mode(struct pc *pc, u32 index, u32 control)
{
	struct pit_channel *channel = &pc->pit.channel[index];
	u8 mode = control >> 1 & 7;

	*channel = (struct pit_channel){
		.reload = channel->reload,
		.gate = channel->gate,
		.access = control >> 4 & 3,
		.mode = mode > MODE_HARD_STROBE ? mode & 3 : mode,
		.bcd = control & 1,
	};
	if (index != 0)
		return;
	pc->pit.next = PC_NEVER;
	if (mode == MODE_TERMINAL)
		pc_line(pc, IRQ_PIT, false);
}

static void latch_count(struct pit_channel *channel, u64 now)
{
	if (channel->latched_bytes)
		return; /* the first latch stands until it is read */
	channel->latch = count(channel, now);
	channel->latched_bytes = channel->access == ACCESS_BOTH ? 2 : 1;
	if (channel->access == ACCESS_HIGH)
		channel->latch >>= 8;
}

static void latch_status(struct pit_channel *channel, u64 now)
{
	if (channel->status_latched)
		return;
	channel->status = (u8)(output(channel, now) << 7 | !channel->loaded << 6 | channel->access << 4 | channel->mode << 1 |
			       channel->bcd);
	channel->status_latched = true;
}

static void read_back(struct pc *pc, u32 command)
{
	u64 now = ticks_now(pc);

	for (u32 i = 0; i < PIT_CHANNELS; i++) {
		if (!(command >> (i + 1) & 1))
			continue;
		if (!(command & 0x20))
			latch_count(&pc->pit.channel[i], now);
		if (!(command & 0x10))
			latch_status(&pc->pit.channel[i], now);
	}
}

static void control(struct pc *pc, u32 value)
{
	u32 index = value >> 6;

	if (index == READ_BACK)
		read_back(pc, value);
	else if ((value >> 4 & 3) == 0)
		latch_count(&pc->pit.channel[index], ticks_now(pc));
	else
		set_mode(pc, index, value);
}

/* In mode 0 the first byte of two stops the count and lowers the output; the second starts it anew. */
static void halt(struct pc *pc, u32 index)
{
	struct pit_channel *channel = &pc->pit.channel[index];

	channel->held = elapsed(channel, ticks_now(pc));
	channel->counting = channel->loaded = false;
	if (index != 0)
		return;
	pc->pit.next = PC_NEVER;
	pc_line(pc, IRQ_PIT, false);
}

void pit_write(struct pc *pc, u16 port, u32 size, u32 value)
{
	u32 index = port & 3;

	CHECK(size == 1);
	if (index == CONTROL_PORT) {
		control(pc, value);
		return;
	}
	struct pit_channel *channel = &pc->pit.channel[index];

	if (channel->access == ACCESS_LOW) {
		load(pc, index, value);
	} else if (channel->access == ACCESS_HIGH) {
		load(pc, index, value << 8);
	} else if (!channel->write_high) {
		channel->low = (u8)value;
		channel->write_high = true;
		if (channel->mode == MODE_TERMINAL)
			halt(pc, index);
	} else {
		channel->write_high = false;
		load(pc, index, value << 8 | channel->low);
	}
}

u32 pit_read(struct pc *pc, u16 port, u32 size)
{
	u32 index = port & 3;

	CHECK(size == 1);
	if (index == CONTROL_PORT)
		return 0xff;
	struct pit_channel *channel = &pc->pit.channel[index];

	if (channel->status_latched) {
		channel->status_latched = false;
		return channel->status;
	}
	if (channel->latched_bytes) {
		u8 byte = (u8)channel->latch;

		channel->latch >>= 8;
		channel->latched_bytes--;
		return byte;
	}
	u32 value = count(channel, ticks_now(pc));
	bool high = channel->access == ACCESS_HIGH || (channel->access == ACCESS_BOTH && channel->read_high);

	channel->read_high = channel->access == ACCESS_BOTH && !channel->read_high;
	return high ? value >> 8 : value & 0xff;
}

u32 pit_read_61(struct pc *pc, u16 port, u32 size)
{
	u64 now = ticks_now(pc);

	(void)port, (void)size;
	return pc->pit.port61 | (u32)(now / REFRESH_TICKS & 1) << REFRESH_SHIFT |
	       (u32)output(&pc->pit.channel[2], now) << OUT2_SHIFT;
}

void pit_write_61(struct pc *pc, u16 port, u32 size, u32 value)
{
	(void)port, (void)size;
	pc->pit.port61 = value & PORT61_WRITABLE;
	set_gate(pc, &pc->pit.channel[2], value & GATE2);
}

const char *pit_audit(struct pc *pc)
{
	for (u32 i = 0; i < PIT_CHANNELS; i++) {
		const struct pit_channel *channel = &pc->pit.channel[i];

		if (channel->reload == 0 || channel->reload > 0x10000 || channel->mode > MODE_HARD_STROBE)
			return "pit: reload or mode out of range";
		if (channel->counting && !channel->loaded)
			return "pit: a channel counts without a count";
		if (channel->latched_bytes > 2 || channel->access == 0 || channel->access > ACCESS_BOTH)
			return "pit: access or latch out of range";
	}
	if (pc->pit.next != PC_NEVER && !pc->pit.channel[0].counting)
		return "pit: an event without a counting channel 0";
	return NULL;
}
