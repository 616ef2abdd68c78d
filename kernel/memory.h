/* SPDX-License-Identifier: BSD-2-Clause */
/* Start list: the machine's memory, as the loader listed it, goes to mm/. */
#pragma once

/* Conventional memory, at once.  From now on the kernel's tables and stacks come from mm/, counted as overhead. */
void memory_init(void);
/* What boot services used: only when no CPU runs firmware's code any more. */
void memory_add_boot_services(void);
