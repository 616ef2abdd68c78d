/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the PC: what its devices share.  A device is a struct in struct pc and a file of functions; it is reached only with
 * the PC's lock held, except LAPICs (their own vCPU's and atomic words) and the ports marked PORT_UNLOCKED.
 */
#pragma once
#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/ioapic.h"
#include "devices/lapic.h"
#include "devices/pci.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "devices/pm.h"
#include "devices/reset.h"
#include "devices/rtc.h"
#include "devices/uart.h"
#include "kernel/lib/check.h"
#include "kernel/lib/lock.h"

#define PC_NEVER UINT64_MAX /* a device's next event: none */

/* ISA interrupt lines; those above 15 exist at the IOAPIC only. */
enum {
	IRQ_PIT = 0,
	IRQ_CASCADE = 2,
	IRQ_COM1 = 4,
	IRQ_RTC = 8,
	IRQ_SCI = 9,
	IRQ_PCI_FIRST = 16, /* INTA-INTD of PCI go to pins 16-19 */
};

enum { PORT_BLOCKS = 6, PORT_BLOCK_PORTS = 256 };

struct pc {
	struct lapic lapic[PC_MAX_VCPUS];
	const struct bus_host *host;
	void *vm;
	u32 vcpus;
	u64 tsc_khz;
	u64 memory_bytes;
	u64 chipset_deadline; /* earliest event of PIT, RTC and PM; vCPU 0's host timer serves it; atomic */
	struct clock apic_clock, pit_clock, rtc_clock, pm_clock;

	struct lock lock;
	struct ioapic ioapic;
	struct pic pic[2]; /* master, slave */
	u32 pic_output;    /* atomic: read without the lock */
	struct pit pit;
	struct rtc rtc;
	struct uart uart;
	struct pm pm;
	struct reset reset;
	struct pci pci;

	u8 port_block[256];                         /* port / 256 → block; 0 has no devices */
	u8 port_row[PORT_BLOCKS][PORT_BLOCK_PORTS]; /* block, port % 256 → row of ports.c; 0 is "nothing" */
};

static inline u64 pc_now(const struct pc *pc)
{
	return pc->host->tsc(pc->vm);
}

/* Drive an interrupt line: to the 8259 pair and to the IOAPIC pin that the MADT names for it. */
void pc_line(struct pc *pc, u32 irq, bool high);
/* A device's next event has moved: tell the host if vCPU 0's earliest deadline did. */
void pc_chipset_timers_moved(struct pc *pc);
/* The same for one vCPU's LAPIC timer. Takes no lock. */
void pc_announce(struct pc *pc, u32 vcpu);

void ports_init(struct pc *pc);
