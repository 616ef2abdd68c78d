/* SPDX-License-Identifier: BSD-2-Clause */
/* The files that the loader brought (bootinfo's modules): read-only, kept, shared by the VMs that name them. */
#pragma once
#include "boot/bootinfo.h"

/* The module of that path as the configuration spells it; NULL: not named. Its status may still say that it was not loaded. */
const struct boot_module *module_find(const char *path);
const u8 *module_bytes(const struct boot_module *module);
/* One line that says why the file cannot be used, NULL: it can. */
const char *module_trouble(const struct boot_module *module);
