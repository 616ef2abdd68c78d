/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What we read from ACPI's tables: power, reset, clocks, console.  Nothing is executed and nothing is trusted: every table is bounded and
 * its checksum checked, every field beyond a table's end reads as 0.  CPUs and IOAPICs come from the loader.  ACPI 6.5, 5.2.
 */
#pragma once
#include "kernel/lib/types.h"

enum acpi_space { ACPI_MEMORY = 0, ACPI_PORT = 1, ACPI_PCI_CONFIG = 2 };

struct acpi_register {
	u8 space;    /* enum acpi_space */
	u64 address; /* 0: there is none */
};

/* The 16550 that firmware speaks on (SPCR). */
struct acpi_serial {
	const char *trouble;       /* why what firmware names is no use to us; NULL: nothing is wrong */
	struct acpi_register base; /* a port or memory; address 0: firmware names none */
	u8 access_bytes, stride;   /* of its registers in memory: how wide, how far apart */
	bool has_isa_irq, has_gsi; /* how its interrupt is named; neither: it has none */
	u32 interrupt;
	u32 baud; /* 0: it stays as firmware has set it */
	u32 clock_hz;
};

struct acpi {
	bool found;
	u32 damaged;       /* tables that were passed over: their length or checksum is wrong */
	u16 pm_timer_port; /* 0: none */
	bool pm_timer_wide;
	u64 hpet_base; /* 0: none */

	u16 smi_port; /* ACPI mode is entered by writing enable_value there; 0: always on */
	u8 enable_value;
	u16 pm1a_control, pm1b_control;     /* 0: none */
	struct acpi_register sleep_control; /* where there are no PM1 registers (hardware-reduced) */
	bool s5;                            /* \_S5 was found */
	u8 s5_a, s5_b;

	struct acpi_register reset;
	u8 reset_value;
	struct acpi_serial serial;
};

/* Read all tables that hang on the root at physical address `rsdp` (0: none). */
void acpi_read(struct acpi *acpi, u64 rsdp);

/* What this file asks: [physical, physical + bytes) as memory that may be read, NULL if it may not. */
const u8 *acpi_reach(u64 physical, u64 bytes);
