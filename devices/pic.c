/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/pic.h"
#include "devices/pc.h"

enum { MASTER, SLAVE, SPURIOUS = 7 };

enum {
	ICW1 = 0x10,
	ICW1_ICW4 = 0x01,
	ICW1_SINGLE = 0x02,
	ICW4_AUTO_EOI = 0x02,
	ICW4_NESTED = 0x10,
	OCW3 = 0x08,
	OCW3_READ_ISR = 0x01,
	OCW3_READ = 0x02,
	OCW3_POLL = 0x04,
	OCW3_SPECIAL = 0x20,
	OCW3_SET_SPECIAL = 0x40,
	OCW2_ROTATE = 0x80,
	OCW2_SPECIFIC = 0x40,
	OCW2_EOI = 0x20,
};

/* Inputs whose ELCR bits are wired to edge: timer, keyboard, cascade; RTC and coprocessor. */
static const u8 elcr_writable[] = { 0xf8, 0xde };

static const struct pic power_on = { .lowest = 7, .imr = 0xff };

void pic_reset(struct pc *pc)
{
	pc->pic[MASTER] = pc->pic[SLAVE] = power_on;
	pc->pic[SLAVE].elcr = 1 << (IRQ_SCI - 8); /* as firmware leaves it: the SCI is level-triggered */
	__atomic_store_n(&pc->pic_output, 0, __ATOMIC_SEQ_CST);
}

/* The set input of highest priority, or -1. */
static int best(const struct pic *pic, u8 set)
{
	for (u32 i = 1; i <= 8; i++) {
		u32 input = (pic->lowest + i) & 7;

		if (set & (1 << input))
			return (int)input;
	}
	return -1;
}

static u32 rank(const struct pic *pic, int input)
{
	return input < 0 ? 8 : (u32)(input - pic->lowest - 1) & 7;
}

/*
 * The input that this controller would put through now, or -1: nothing of the same or higher priority is in service.  In special
 * fully nested mode the slave may interrupt its own service, but what ranks below the slave still waits.
 */
static int request(const struct pic *pic, bool master)
{
	int input = best(pic, pic->irr & (u8)~pic->imr);
	int serving = best(pic, pic->special_mask ? pic->isr & (u8)~pic->imr : pic->isr);
	bool again = pic->nested && master && input == IRQ_CASCADE && serving == IRQ_CASCADE;

	return again || rank(pic, input) < rank(pic, serving) ? input : -1;
}

static void input_level(struct pic *pic, u32 input, bool high)
{
	u8 bit = (u8)(1 << input);
	bool rising = high && !(pic->lines & bit);

	pic->lines = high ? pic->lines | bit : pic->lines & (u8)~bit;
	if (pic->elcr & bit)
		pic->irr = (pic->irr & (u8)~bit) | (pic->lines & bit);
	else if (rising)
		pic->irr |= bit; /* an edge stays latched until it is acknowledged */
}

/* The CPU's INTR pin follows the master, the master's input 2 follows the slave. */
static void update(struct pc *pc)
{
	input_level(&pc->pic[MASTER], IRQ_CASCADE, request(&pc->pic[SLAVE], false) >= 0);
	u32 output = request(&pc->pic[MASTER], true) >= 0;

	if (output == pc->pic_output)
		return;
	__atomic_store_n(&pc->pic_output, output, __ATOMIC_SEQ_CST);
	for (u32 i = 0; output && i < pc->vcpus; i++)
		if (lapic_takes_extint(&pc->lapic[i]))
			pc->host->interrupt(pc->vm, i);
}

void pic_line(struct pc *pc, u32 irq, bool high)
{
	CHECK(irq < PIC_LINES && irq != IRQ_CASCADE);
	input_level(&pc->pic[irq / 8], irq % 8, high);
	update(pc);
}

/* ---- acknowledge and end of interrupt ---- */

static void take(struct pic *pic, u32 input)
{
	u8 bit = (u8)(1 << input);

	if (!pic->auto_eoi)
		pic->isr |= bit;
	else if (pic->rotate_auto)
		pic->lowest = (u8)input;
	if (!(pic->elcr & bit))
		pic->irr &= (u8)~bit;
}

/* The slave's pin drops in the cycle that serves it: its next request is a new edge for the master. */
static void slave_drops(struct pc *pc)
{
	input_level(&pc->pic[MASTER], IRQ_CASCADE, false);
}

u8 pic_acknowledge(struct pc *pc)
{
	struct pic *master = &pc->pic[MASTER], *pic = master;
	int input = request(master, true);

	CHECK(lock_is_mine(&pc->lock));
	if (input >= 0)
		take(master, (u32)input);
	if (input == IRQ_CASCADE) {
		pic = &pc->pic[SLAVE];
		input = request(pic, false);
		if (input >= 0)
			take(pic, (u32)input);
		slave_drops(pc);
	}
	update(pc);
	return (u8)(pic->base + (input < 0 ? SPURIOUS : input));
}

static void end_of_interrupt(struct pic *pic, u32 command)
{
	u32 input = command & 7;
	int served = best(pic, pic->special_mask ? pic->isr & (u8)~pic->imr : pic->isr);

	if (!(command & OCW2_SPECIFIC)) {
		if (served < 0)
			return;
		input = (u32)served;
	}
	pic->isr &= (u8) ~(1 << input);
	if (command & OCW2_ROTATE)
		pic->lowest = (u8)input;
}

/* OCW2: what the three top bits ask for; without EOI they only set how priorities rotate. */
static void ocw2(struct pic *pic, u32 command)
{
	if (command & OCW2_EOI)
		end_of_interrupt(pic, command);
	else if (!(command & OCW2_SPECIFIC))
		pic->rotate_auto = command & OCW2_ROTATE;
	else if (command & OCW2_ROTATE)
		pic->lowest = command & 7;
}

static void ocw3(struct pic *pic, u32 command)
{
	pic->poll = command & OCW3_POLL;
	if (command & OCW3_READ)
		pic->read_isr = command & OCW3_READ_ISR;
	if (command & OCW3_SET_SPECIAL)
		pic->special_mask = command & OCW3_SPECIAL;
}

/* ---- ports ---- */

static void icw1(struct pic *pic, u32 command)
{
	struct pic fresh = power_on;

	fresh.lines = pic->lines;
	fresh.elcr = pic->elcr;
	fresh.irr = pic->lines & pic->elcr;
	fresh.base = pic->base;
	fresh.imr = 0;
	fresh.init = PIC_ICW2;
	fresh.single = command & ICW1_SINGLE;
	fresh.needs_icw4 = command & ICW1_ICW4;
	*pic = fresh;
}

static void icw(struct pic *pic, u32 value)
{
	bool icw3_done = pic->init == PIC_ICW3 || pic->single;

	switch (pic->init) {
	case PIC_ICW2:
		pic->base = value & 0xf8;
		break;
	case PIC_ICW4:
		pic->auto_eoi = value & ICW4_AUTO_EOI;
		pic->nested = value & ICW4_NESTED;
		pic->init = PIC_READY;
		return;
	default: /* ICW3: the cascade is wired, nothing to choose */
		break;
	}
	pic->init = !icw3_done ? PIC_ICW3 : pic->needs_icw4 ? PIC_ICW4 : PIC_READY;
}

void pic_write(struct pc *pc, u16 port, u32 size, u32 value)
{
	struct pic *pic = &pc->pic[port >= 0xa0];

	CHECK(size == 1);
	if (port & 1 && pic->init != PIC_READY)
		icw(pic, value);
	else if (port & 1)
		pic->imr = (u8)value;
	else if (value & ICW1)
		icw1(pic, value);
	else if (value & OCW3)
		ocw3(pic, value);
	else
		ocw2(pic, value);
	update(pc);
}

/* The poll command makes the next read an INTA cycle of this controller alone. */
static u32 poll(struct pc *pc, struct pic *pic)
{
	int input = request(pic, pic == &pc->pic[MASTER]);

	pic->poll = false;
	if (input < 0)
		return 0;
	take(pic, (u32)input);
	if (pic == &pc->pic[SLAVE])
		slave_drops(pc);
	update(pc);
	return 0x80 | (u32)input;
}

u32 pic_read(struct pc *pc, u16 port, u32 size)
{
	struct pic *pic = &pc->pic[port >= 0xa0];

	CHECK(size == 1);
	if (pic->poll)
		return poll(pc, pic);
	if (port & 1)
		return pic->imr;
	return pic->read_isr ? pic->isr : pic->irr;
}

u32 pic_read_elcr(struct pc *pc, u16 port, u32 size)
{
	(void)size;
	return pc->pic[port & 1].elcr;
}

void pic_write_elcr(struct pc *pc, u16 port, u32 size, u32 value)
{
	struct pic *pic = &pc->pic[port & 1];

	CHECK(size == 1);
	pic->elcr = (u8)value & elcr_writable[port & 1];
	pic->irr = (pic->irr & (u8)~pic->elcr) | (pic->lines & pic->elcr);
	update(pc);
}

const char *pic_audit(struct pc *pc)
{
	struct pic *master = &pc->pic[MASTER], *slave = &pc->pic[SLAVE];

	if ((request(master, true) >= 0) != pc->pic_output)
		return "pic: INTR differs from what the registers say";
	if (((master->lines >> IRQ_CASCADE) & 1) != (request(slave, false) >= 0))
		return "pic: the master's input 2 differs from the slave's output";
	for (u32 i = 0; i < 2; i++) {
		const struct pic *pic = &pc->pic[i];

		if ((pic->irr & pic->elcr) != (pic->lines & pic->elcr))
			return "pic: a level-triggered request differs from its line";
		if (pic->lowest > 7 || pic->base & 7 || pic->elcr & ~elcr_writable[i])
			return "pic: a register holds what cannot be written";
	}
	return NULL;
}
