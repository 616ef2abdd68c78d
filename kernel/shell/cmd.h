/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console commands: one row each in commands.def.  A command runs in steps: its function is called again with the same context until it
 * returns CMD_DONE, and adds at most OUT_STEP_BYTES of output and well under 20,000 instructions a step, so no command holds a CPU for
 * long.  There is one context: one command runs at a time.
 */
#pragma once
#include "kernel/shell/out.h"
#include "kernel/shell/words.h"
#include "kernel/vm.h"

enum cmd_result {
	CMD_DONE,
	CMD_AGAIN,
	CMD_WAIT, /* again in 10 ms, or when a listened-to guest writes */
};

struct command;

struct cmd {
	const struct command *command;
	struct words words;
	u32 argc; /* words behind the command's name (and subcommand) */
	char **argv;
	char *rest;    /* free text: the rest of the line verbatim */
	struct vm *vm; /* the first argument, where the command wants a VM */
	struct out *out;
	bool interrupted; /* Ctrl-C: a command that waits ends */
	u8 key;           /* with CMD_KEYS: a key that was typed while it runs, one a step; 0: none */
	/* The command's own, zero at first: */
	u32 phase;
	u64 cursor;
	u64 until_ns;
	u64 number[4];
	/* What shall happen after the last byte has left: NULL, nothing. */
	void (*afterwards)(void);
};

enum cmd_flags {
	CMD_VM = 1,        /* the first argument is a VM's name: looked up before the command runs */
	CMD_FREE_TEXT = 2, /* behind the most arguments stands free text, which must not be empty */
	CMD_COMMAND = 4,   /* the first argument is a command (for completion) */
	CMD_KEYS = 8,      /* while it runs it has the keyboard */
	CMD_SETTINGS = 16, /* behind the VM's name stand KEY=VALUE (for completion) */
};

struct command {
	const char *name, *sub; /* sub NULL: the command has no subcommands */
	const char *arguments;  /* for the usage line */
	const char *help;
	u32 least, most; /* words behind name and sub, free text not counted */
	u32 flags;
	enum cmd_result (*run)(struct cmd *cmd);
};

extern const struct command commands[];
extern const u32 command_count;

/*
 * Cut the line into words, find its command and check the arguments that the table knows.  False: there is nothing to run; an error, if
 * any, has been said.  Always begins the output (out_begin).
 */
bool cmd_parse(struct cmd *cmd, char *line, struct out *out);
void cmd_usage_text(const struct command *command, char *to, size_t bytes);
/* argv[index] as a number from `least` to `most`; false: an error has been said. */
bool cmd_number(struct cmd *cmd, u32 index, const char *what, u64 least, u64 most, u64 *number);
/* "web1: running", as JSON {"vm", "state"}. */
void cmd_say_state(struct cmd *cmd);

/* ---- time, for commands that wait ---- */

void cmd_set_deadline(struct cmd *cmd, u64 seconds);
bool cmd_is_late(const struct cmd *cmd);
