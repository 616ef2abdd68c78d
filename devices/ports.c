/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The port map: one row per range.  An access finds its row by two table look-ups.  Devices with 8-bit registers are asked byte by
 * byte, as the ISA bus does with wider accesses; each byte finds its own row.
 */
#include "devices/pc.h"

enum port_flags {
	PORT_BYTES = 1,    /* 8-bit registers: split wider accesses */
	PORT_UNLOCKED = 2, /* the handler needs no lock */
	PORT_TIMED = 4,    /* an access may move the device's next event */
};

struct port_row {
	u16 first, last;
	u32 flags;
	u32 (*read)(struct pc *pc, u16 port, u32 size);
	void (*write)(struct pc *pc, u16 port, u32 size, u32 value);
};

static u32 nothing_read(struct pc *pc, u16 port, u32 size)
{
	(void)pc, (void)port, (void)size;
	return UINT32_MAX;
}

static void nothing_write(struct pc *pc, u16 port, u32 size, u32 value)
{
	(void)pc, (void)port, (void)size, (void)value;
}

static const struct port_row rows[] = {
	{ 0, 0, PORT_UNLOCKED, nothing_read, nothing_write }, /* row 0: ports without a device; 0x80 is among them */
	{ 0x020, 0x021, PORT_BYTES, pic_read, pic_write },
	{ 0x040, 0x043, PORT_BYTES | PORT_TIMED, pit_read, pit_write },
	{ 0x061, 0x061, PORT_BYTES | PORT_TIMED, pit_read_61, pit_write_61 },
	{ 0x064, 0x064, PORT_BYTES, reset_read_8042, reset_write_8042 },
	{ 0x070, 0x071, PORT_BYTES | PORT_TIMED, rtc_read, rtc_write },
	{ 0x092, 0x092, PORT_BYTES, reset_read_92, reset_write_92 },
	{ 0x0a0, 0x0a1, PORT_BYTES, pic_read, pic_write },
	{ PC_COM1, PC_COM1 + 7, PORT_BYTES, pc_uart_read, pc_uart_write },
	{ 0x4d0, 0x4d1, PORT_BYTES, pic_read_elcr, pic_write_elcr },
	{ PM_EVENT, PM_CONTROL + 3, PORT_TIMED, pm_read, pm_write },
	{ PM_TIMER, PM_TIMER + 3, PORT_UNLOCKED, pm_read_timer, nothing_write },
	{ 0xcf8, 0xcf8, 0, pc_pci_read_address, pc_pci_write_address },
	{ 0xcf9, 0xcf9, PORT_BYTES, reset_read_cf9, reset_write_cf9 },
	{ 0xcfc, 0xcff, 0, pc_pci_read_data, pc_pci_write_data },
};

void ports_init(struct pc *pc)
{
	u8 blocks = 1;

	for (u32 row = 1; row < ARRAY_SIZE(rows); row++) {
		u8 *block = &pc->port_block[rows[row].first >> 8];

		CHECK(rows[row].first >> 8 == rows[row].last >> 8);
		if (*block == 0)
			*block = blocks++;
		CHECK(blocks <= PORT_BLOCKS);
		for (u32 port = rows[row].first; port <= rows[row].last; port++) {
			CHECK(pc->port_row[*block][port & 0xff] == 0);
			pc->port_row[*block][port & 0xff] = (u8)row;
		}
	}
}

static inline const struct port_row *row_of(const struct pc *pc, u16 port)
{
	return &rows[pc->port_row[pc->port_block[port >> 8]][port & 0xff]];
}

static inline u32 mask_of(u32 size)
{
	return UINT32_MAX >> (32 - 8 * size);
}

static u32 read_bytes(struct pc *pc, u32 vcpu, u16 port, u32 size)
{
	u32 value = 0;

	for (u32 i = 0; i < size; i++)
		value |= pc_port_read(pc, vcpu, (u16)(port + i), 1) << (8 * i);
	return value;
}

u32 pc_port_read(struct pc *pc, u32 vcpu, u16 port, u32 size)
{
	const struct port_row *row = row_of(pc, port);

	CHECK(size == 1 || size == 2 || size == 4);
	if (row->flags & PORT_UNLOCKED)
		return row->read(pc, port, size) & mask_of(size);
	if (size > 1 && row->flags & PORT_BYTES)
		return read_bytes(pc, vcpu, port, size);
	lock_acquire(&pc->lock);
	u32 value = row->read(pc, port, size) & mask_of(size);
	if (row->flags & PORT_TIMED)
		pc_chipset_timers_moved(pc);
	lock_release(&pc->lock);
	return value;
}

void pc_port_write(struct pc *pc, u32 vcpu, u16 port, u32 size, u32 value)
{
	const struct port_row *row = row_of(pc, port);

	CHECK(size == 1 || size == 2 || size == 4);
	if (row->flags & PORT_UNLOCKED) {
		row->write(pc, port, size, value & mask_of(size));
		return;
	}
	if (size > 1 && row->flags & PORT_BYTES) {
		for (u32 i = 0; i < size; i++)
			pc_port_write(pc, vcpu, (u16)(port + i), 1, value >> (8 * i) & 0xff);
		return;
	}
	lock_acquire(&pc->lock);
	row->write(pc, port, size, value & mask_of(size));
	if (row->flags & PORT_TIMED)
		pc_chipset_timers_moved(pc);
	lock_release(&pc->lock);
}
