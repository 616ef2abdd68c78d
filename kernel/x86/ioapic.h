/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt controllers of the machine: the 8259s are silenced, IOAPIC inputs are masked until routed. */
#pragma once
#include "kernel/lib/types.h"

/* Map this IOAPIC and mask all its inputs; once for each, before ioapic_route. */
void ioapic_add(u64 base, u32 first_gsi);
/*
 * Send a global system interrupt to the CPU with that APIC ID as `vector`.  `flags` are the MPS INTI flags of its MADT override (ACPI
 * 5.2.12.5): polarity and trigger, 0 as an ISA interrupt has them.  False: no IOAPIC has that input.
 */
bool ioapic_route(u32 gsi, u32 flags, u32 vector, u32 apic_id);
void pic_disable(void);
