/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The management console: one worker on CPU 0.  Input becomes lines, lines become commands, commands give output, all in short steps;
 * it wakes for input, for a guest that it listens to, and by a timer while something is under way.
 */
#pragma once
#include "kernel/lib/types.h"

/* Start list: the task is added and runs when the scheduler does; the log leaves the wire with the first prompt.  `startup_path` names
 * the module with commands to run first, empty: none. */
void shell_start(const char *startup_path);

/* ---- for the shell's own files ---- */

struct vm;

void shell_listen(struct vm *vm); /* wake when it writes; NULL: no longer */
void shell_attach(struct vm *vm); /* after the running command: the terminal belongs to that guest, until Ctrl-] */
bool shell_follow_log(bool on);   /* returns what was */
