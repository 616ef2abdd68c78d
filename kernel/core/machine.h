/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine as ACPI describes it, read once at start. */
#pragma once
#include "kernel/x86/acpi.h"

extern struct acpi machine_acpi;
void machine_init(void);
