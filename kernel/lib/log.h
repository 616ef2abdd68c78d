/* SPDX-License-Identifier: BSD-2-Clause */
/* The log's front end: formats one line and hands it to the back end (kernel/core/log.c, or a test's). Never blocks. */
#pragma once
#include "kernel/lib/types.h"

/* Log one line, without a line end: "vmx: CPU 3 ready".  At most 240 bytes; longer lines are cut. Any context but NMI. */
void log_line(const char *format, ...) PRINTF(1, 2);

/* Back end, owned here and implemented above: takes one formatted line without its line end. */
void log_write(const char *line, size_t bytes);
