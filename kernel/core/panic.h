/* SPDX-License-Identifier: BSD-2-Clause */
/* When we broke our own rules: say everything that helps on the wire, stop every CPU, stay there. */
#pragma once
#include "kernel/lib/check.h"

NORETURN void panic(const char *format, ...) PRINTF(1, 2);
/* One line of a panic's text: polls, takes no lock. For dumps that panic_set_dump adds. */
void panic_line(const char *format, ...) PRINTF(1, 2);
/* What else to print: vmx_panic_dump. */
void panic_set_dump(void (*dump)(void (*line)(const char *format, ...)));
bool panic_under_way(void);
