/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which CPUs there are: ACPI's MADT, else firmware's MP Services (PI 1.7, vol. 2, 13.4; not in gnu-efi's headers), else this one.
 * The boot CPU is always first in the list.
 */
#include "boot/boot.h"
#include "kernel/lib/check.h"

#define IOAPIC_USUAL_BASE 0xfec00000ULL

enum { MP_ENABLED = 2, MP_HEALTHY = 4, IOAPIC_SELECT = 0, IOAPIC_WINDOW = 0x10, IOAPIC_VERSION = 1 };

struct mp_processor {
	u64 apic_id;
	u32 status;
	u32 package, core, thread;
	u32 extended[6]; /* newer firmware writes its second location here when asked; room costs nothing */
};

struct mp_services {
	EFI_STATUS(EFIAPI *count)(struct mp_services *mp, UINTN *processors, UINTN *enabled);
	EFI_STATUS(EFIAPI *info)(struct mp_services *mp, UINTN number, struct mp_processor *processor);
};

static u32 own_apic_id(void)
{
	if (cpuid(0, 0).eax >= 0xb && cpuid(0xb, 0).ebx)
		return cpuid(0xb, 0).edx;
	return cpuid(1, 0).ebx >> 24;
}

void cpu_add(u32 apic_id)
{
	struct bootinfo *info = boot.info;

	for (u32 i = 0; i < info->cpu_count; i++)
		if (info->cpus[i].apic_id == apic_id)
			return;
	if (info->cpu_count < BOOT_MAX_CPUS)
		info->cpus[info->cpu_count++] = (struct boot_cpu){ .apic_id = apic_id };
}

static void ask_firmware(void)
{
	EFI_GUID guid = { 0x3fdda605, 0xa76e, 0x4f46, { 0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08 } };
	struct mp_services *mp;
	UINTN processors, enabled;

	if (boot.services->LocateProtocol(&guid, NULL, (void **)&mp) != EFI_SUCCESS ||
	    mp->count(mp, &processors, &enabled) != EFI_SUCCESS)
		return;
	for (UINTN i = 0; i < processors && i < BOOT_MAX_CPUS; i++) {
		struct mp_processor processor;

		if (mp->info(mp, i, &processor) == EFI_SUCCESS && (processor.status & MP_ENABLED) &&
		    (processor.status & MP_HEALTHY))
			cpu_add((u32)processor.apic_id);
	}
}

/* Without ACPI nobody lists the IOAPIC: look where PC chipsets have it. An absent one reads as all ones. */
static void probe_ioapic(void)
{
	volatile u32 *registers = (volatile u32 *)IOAPIC_USUAL_BASE;
	u32 version;

	registers[IOAPIC_SELECT / 4] = IOAPIC_VERSION;
	version = registers[IOAPIC_WINDOW / 4];
	if (version != 0 && version != UINT32_MAX)
		boot.info->ioapics[boot.info->ioapic_count++] = (struct boot_ioapic){ .base = IOAPIC_USUAL_BASE };
}

void cpus_find(void)
{
	struct bootinfo *info = boot.info;
	const struct acpi_header *madt = NULL;

	for (u32 i = 0; i < BOOT_ISA_IRQS; i++)
		info->isa_irqs[i] = (struct boot_isa_irq){ .gsi = i };
	info->boot_has_8259 = 1;
	cpu_add(own_apic_id());
	info->cpus[0].flags = 1;
	info->rsdp = acpi_root();
	if (info->rsdp)
		madt = acpi_table(info->rsdp, "APIC");
	if (madt)
		madt_read(madt);
	else
		probe_ioapic();
	if (info->cpu_count == 1)
		ask_firmware();
	CHECK(info->cpu_count >= 1 && info->ioapic_count <= BOOT_MAX_IOAPICS);
}
