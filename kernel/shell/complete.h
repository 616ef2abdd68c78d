/* SPDX-License-Identifier: BSD-2-Clause */
/* Tab: completes commands, subcommands and VMs' names from the table. */
#pragma once
#include "kernel/shell/line.h"
#include "kernel/shell/out.h"

/* True: several candidates were listed, and the prompt must be shown again. */
bool complete_line(struct line *line, struct out *out);
