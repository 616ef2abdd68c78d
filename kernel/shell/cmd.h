/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console commands: one table row each (commands.def: name, usage, help line, function).  A command runs in steps: its function is called
 * again with the same context until it returns CMD_DONE, so no command holds a CPU for long.  All output goes through out.h, which
 * renders the same rows as an aligned table or as one JSON object on one line.
 */
#pragma once
#include "kernel/lib/types.h"
#include "kernel/shell/out.h"

enum cmd_result { CMD_DONE, CMD_AGAIN, CMD_WAIT }; /* CMD_WAIT: again in 10 ms or at an event */

struct cmd {
	u32 argc;           /* words after the command's name (and subcommand) */
	char *argv[16];
	char *rest;         /* free text (vm send): the rest of the line verbatim */
	struct out out;     /* where it prints */
	u64 cursor;         /* the command's own, 0 at first */
	u64 state[8];       /* the command's own, zero at first */
};
