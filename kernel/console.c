/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/console.h"
#include "drivers/framebuffer.h"
#include "drivers/uart.h"
#include "kernel/core/boot.h"
#include "kernel/core/machine.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "kernel/sched.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/ioapic.h"
#include "kernel/x86/irq.h"

enum {
	COM1 = 0x3f8,
	COM1_IRQ = 4,
	PC_CLOCK_HZ = 1843200,
	BAUD = 115200,
	PCI_FLAGS = 0xf, /* active low, level: what is not on the ISA bus */
	SCREEN_WEIGHT = 200,
};

static struct boot_isa_irq interrupt; /* of the port in use */
static bool has_interrupt;

/* Nobody answers there: the wire keeps the output until there is a port. */
void console_begin(void)
{
	uart_init(&(struct uart_place){ .address = COM1, .clock_hz = PC_CLOCK_HZ, .baud = BAUD });
	interrupt = bootinfo.isa_irqs[COM1_IRQ];
	has_interrupt = true;
}

static bool overlaps_memory(u64 base, u64 bytes)
{
	for (u32 i = 0; i < bootinfo.range_count; i++) {
		const struct boot_range *range = &bootinfo.ranges[i];
		u64 end = range->base + (range->pages << PAGE_SHIFT);

		if (range->kind < BOOT_MEMORY_RUNTIME && base < end && range->base < base + bytes)
			return true;
	}
	return false;
}

/* A global system interrupt may be one of the ISA bus, with its own flags. */
static void find_interrupt(const struct acpi_serial *serial)
{
	has_interrupt = serial->has_gsi || serial->has_isa_irq;
	if (serial->has_isa_irq) {
		CHECK(serial->interrupt < BOOT_ISA_IRQS);
		interrupt = bootinfo.isa_irqs[serial->interrupt];
		return;
	}
	interrupt = (struct boot_isa_irq){ serial->interrupt, PCI_FLAGS };
	for (u32 i = 0; i < BOOT_ISA_IRQS; i++)
		if (bootinfo.isa_irqs[i].gsi == serial->interrupt)
			interrupt = bootinfo.isa_irqs[i];
}

static bool is_com1_as_it_is(const struct uart_place *place)
{
	return !place->in_memory && place->address == COM1 && (place->baud == 0 || place->baud == BAUD);
}

void console_find(void)
{
	const struct acpi_serial *serial = &machine_acpi.serial;
	struct uart_place place = {
		.in_memory = serial->base.space == ACPI_MEMORY,
		.address = serial->base.address,
		.access_bytes = serial->access_bytes,
		.stride = serial->stride,
		.clock_hz = serial->clock_hz,
		.baud = serial->baud,
	};
	CHECK(!serial->trouble || place.address == 0);
	const char *where = place.in_memory ? "memory" : "port";

	if (serial->trouble)
		log_line("console: SPCR: %s; COM1 stays", serial->trouble);
	if (place.address == 0)
		return;
	if (place.in_memory && overlaps_memory(place.address, PAGE_SIZE)) {
		log_line("console: SPCR: at 0x%llx is memory, not a serial port; COM1 stays", place.address);
		return;
	}
	if (!is_com1_as_it_is(&place) && !uart_init(&place)) {
		log_line("console: SPCR: no 16550 answers at %s 0x%llx; COM1 stays", where, place.address);
		return;
	}
	find_interrupt(serial);
	log_line("console: firmware's serial port, at %s 0x%llx", where, place.address);
}

/* ---- the screen ---- */

static enum task_result draw(struct task *task)
{
	(void)task;
	return framebuffer_step() ? TASK_AGAIN : TASK_WAIT;
}

static struct task drawer = { .name = "screen", .step = draw, .weight = SCREEN_WEIGHT };

static void wake_drawer(void)
{
	sched_wake(&drawer);
}

void console_show(void)
{
	framebuffer_drain();
}

/* ---- the last row ---- */

static void listen_to_port(void)
{
	irq_set_handler(IRQ_UART, uart_interrupt);
	if (has_interrupt && ioapic_route(interrupt.gsi, interrupt.flags, IRQ_UART, apic_id())) {
		uart_listen();
		return;
	}
	if (has_interrupt)
		log_line("console: no IOAPIC has input %u: the serial port is looked at again and again", interrupt.gsi);
	uart_look();
}

void console_listen(void)
{
	listen_to_port();
	if (!framebuffer_is_there())
		return;
	sched_add(&drawer, SCHED_ANY_CPU);
	wire_on_output(wake_drawer);
	wake_drawer();
}
