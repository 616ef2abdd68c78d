/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/machine.h"
#include "kernel/core/boot.h"
#include "kernel/lib/log.h"

struct acpi machine_acpi;

/* What the direct map holds (boot/bootinfo.h); firmware may keep tables in any kind of memory. */
const u8 *acpi_reach(u64 physical, u64 bytes)
{
	u64 end = physical + bytes;
	bool inside = end > physical && end <= BIT(32);

	for (u32 i = 0; i < bootinfo.range_count && end > physical && !inside; i++) {
		const struct boot_range *range = &bootinfo.ranges[i];

		inside = range->kind < BOOT_MEMORY_RUNTIME && physical >= range->base &&
			 end <= range->base + (range->pages << PAGE_SHIFT);
	}
	return inside ? (const u8 *)(DIRECT_MAP_BASE + physical) : NULL;
}

void machine_init(void)
{
	acpi_read(&machine_acpi, bootinfo.rsdp);
	if (!machine_acpi.found)
		log_line("acpi: no tables");
	else
		log_line("acpi: PM timer port 0x%x, power off %s, reset %s", machine_acpi.pm_timer_port,
			 machine_acpi.s5 ? "by S5" : "unknown", machine_acpi.reset.address ? "by register" : "without register");
	if (machine_acpi.damaged)
		log_line("acpi: %u damaged tables are passed over", machine_acpi.damaged);
}
