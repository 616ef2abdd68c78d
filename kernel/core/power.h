/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of the machine.  Guests must have been stopped; what the wire still holds is written out first. */
#pragma once
#include "kernel/lib/types.h"

/* ACPI S5; without ACPI and on an i440FX port 0x8900; else a line and a halt. */
NORETURN void power_off(void);
/* ACPI reset register, 0xCF9, keyboard controller, triple fault. */
NORETURN void power_reboot(void);
