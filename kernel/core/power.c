/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/power.h"
#include "kernel/core/boot.h"
#include "kernel/core/machine.h"
#include "kernel/core/timer.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "kernel/x86/cpu.h"

enum {
	PM1_SCI_ENABLE = 1, /* ACPI 4.8.3.2.1 */
	PM1_SLEEP_TYPE_SHIFT = 10,
	PM1_SLEEP_TYPE_MASK = 7 << 10,
	PM1_SLEEP_ENABLE = 1 << 13,
	SLEEP_TYPE_SHIFT = 2, /* of the hardware-reduced register, 4.8.3.7 */
	SLEEP_ENABLE = 1 << 5,
	ENABLE_WAIT_MS = 3000,
	EFFECT_WAIT_US = 500000,
	PCI_ADDRESS = 0xcf8,
	PCI_DATA = 0xcfc,
	BOCHS_PORT = 0x8900,
	RESET_PORT = 0xcf9,
	RESET_HARD = 0x02,
	RESET_NOW = 0x0e, /* full reset with power cycle, hard, go */
	KEYBOARD_COMMAND = 0x64,
	KEYBOARD_RESET = 0xfe,
	I440FX = 0x12378086,
};
#define PCI_ENABLE 0x80000000U

static void write_register(const struct acpi_register *to, u8 value)
{
	if (to->space == ACPI_PORT && to->address <= UINT16_MAX)
		port_out8((u16)to->address, value);
	else if (to->space == ACPI_MEMORY && acpi_reach(to->address, 1))
		*(volatile u8 *)(DIRECT_MAP_BASE + to->address) = value;
	else if (to->space == ACPI_PCI_CONFIG) {
		/* ACPI 5.2.3.1: device, function and offset on bus 0 */
		u32 offset = (u32)to->address & 0xff;

		port_out32(PCI_ADDRESS, PCI_ENABLE | ((u32)(to->address >> 32) & 31) << 11 | ((u32)(to->address >> 16) & 7) << 8 |
						(offset & ~3U));
		port_out8((u16)(PCI_DATA + (offset & 3)), value);
	}
}

/* Firmware keeps the machine in legacy mode until it is asked (ACPI 4.8.2.5). */
static void enable_acpi(const struct acpi *acpi)
{
	if (!acpi->smi_port || !acpi->enable_value || (port_in16(acpi->pm1a_control) & PM1_SCI_ENABLE))
		return;
	port_out8(acpi->smi_port, acpi->enable_value);
	for (u32 ms = 0; ms < ENABLE_WAIT_MS && !(port_in16(acpi->pm1a_control) & PM1_SCI_ENABLE); ms++)
		time_wait_us(1000);
}

static void sleep(u16 port, u8 type)
{
	u16 value = (u16)(port_in16(port) & ~(PM1_SLEEP_TYPE_MASK | PM1_SLEEP_ENABLE));

	value = (u16)(value | type << PM1_SLEEP_TYPE_SHIFT);
	port_out16(port, value);
	port_out16(port, value | PM1_SLEEP_ENABLE);
}

static void acpi_off(const struct acpi *acpi)
{
	CHECK(acpi->s5);
	if (acpi->pm1a_control) {
		enable_acpi(acpi);
		sleep(acpi->pm1a_control, acpi->s5_a);
		if (acpi->pm1b_control)
			sleep(acpi->pm1b_control, acpi->s5_b);
	} else if (acpi->sleep_control.address) {
		write_register(&acpi->sleep_control, (u8)(acpi->s5_a << SLEEP_TYPE_SHIFT | SLEEP_ENABLE));
	}
	time_wait_us(EFFECT_WAIT_US);
}

static bool is_bochs_machine(void)
{
	port_out32(PCI_ADDRESS, PCI_ENABLE);
	return !machine_acpi.found && port_in32(PCI_DATA) == I440FX;
}

void power_off(void)
{
	interrupts_off();
	wire_flush();
	if (machine_acpi.s5)
		acpi_off(&machine_acpi);
	if (is_bochs_machine())
		for (const char *byte = "Shutdown"; *byte; byte++)
			port_out8(BOCHS_PORT, (u8)*byte);
	static const char halted[] = "This machine cannot switch itself off: it has halted.\r\n";
	wire_put((const u8 *)halted, sizeof(halted) - 1);
	wire_flush();
	cpu_halt_forever();
}

void power_reboot(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) no_table = { 0, 0 };

	interrupts_off();
	wire_flush();
	if (machine_acpi.reset.address) {
		write_register(&machine_acpi.reset, machine_acpi.reset_value);
		time_wait_us(EFFECT_WAIT_US);
	}
	port_out8(RESET_PORT, RESET_HARD);
	port_out8(RESET_PORT, RESET_NOW);
	time_wait_us(EFFECT_WAIT_US);
	port_out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
	time_wait_us(EFFECT_WAIT_US);
	__asm__ volatile("lidt %0; int3" : : "m"(no_table));
	cpu_halt_forever();
}
