/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/shell.h"
#include "kernel/core/log.h"
#include "kernel/core/timer.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/sched.h"
#include "kernel/shell/cmd.h"
#include "kernel/shell/complete.h"
#include "kernel/shell/console_mux.h"
#include "kernel/shell/follow.h"
#include "kernel/shell/input.h"
#include "kernel/shell/line.h"
#include "kernel/shell/startup.h"
#include <string.h>

enum { CTRL_C = 3, WEIGHT = 1000, TICK_MS = 10 };
/* Another key is taken in this step while the keys before it were cheap. */
enum { BYTES_A_STEP = 32, ECHO_A_STEP = 256 };
#define NS_PER_MS 1000000ULL

/* What the next step needs. */
enum progress { GO_ON, WAIT_FOR_TIME, WAIT_FOR_INPUT };

static const char prompt[] = "aerostat> ";

static struct {
	struct task task;
	struct timer timer;
	enum progress (*mode)(void);
	bool ready;          /* the log has left the wire */
	bool prompted;       /* prompt and unfinished line stand on the terminal */
	struct vm *listened; /* read by any CPU */
	struct vm *attach;   /* after the running command */
	struct input input;
	struct out out;
	struct line line;
	struct cmd cmd;
	struct startup startup;
	struct console_mux mux;
	struct follow follow;
} shell;

static enum progress at_prompt(void);

/* ---- waking ---- */

static void wake(void)
{
	sched_wake(&shell.task);
}

static void timer_expired(struct timer *timer)
{
	(void)timer;
	wake();
}

/* From any CPU, for each byte that a guest writes. */
static void heard(struct vm *vm)
{
	if (__atomic_load_n(&shell.listened, __ATOMIC_RELAXED) == vm)
		wake();
}

void shell_listen(struct vm *vm)
{
	__atomic_store_n(&shell.listened, vm, __ATOMIC_RELAXED);
}

/* ---- a guest's console ---- */

/* Keys that the guest has not taken yet are offered again; a full buffer hides what else was typed. */
static enum progress attached(void)
{
	bool full = input_count(&shell.input) == INPUT_BYTES;

	if (mux_type(&shell.mux, &shell.input, &shell.out)) {
		shell_listen(NULL);
		shell.mode = at_prompt;
		return GO_ON;
	}
	if (full)
		return GO_ON;
	return mux_show(&shell.mux, &shell.out) || input_count(&shell.input) ? WAIT_FOR_TIME : WAIT_FOR_INPUT;
}

void shell_attach(struct vm *vm)
{
	shell.attach = vm;
}

bool shell_follow_log(bool on)
{
	return follow_set(&shell.follow, on);
}

/* ---- a command runs ---- */

static void command_ended(void)
{
	out_end(&shell.out);
	shell_listen(NULL);
	shell.mode = at_prompt;
	if (!shell.attach)
		return;
	mux_attach(&shell.mux, shell.attach);
	shell_listen(shell.attach);
	shell.attach = NULL;
	shell.mode = attached;
	input_look_again(&shell.input);
}

/* Ctrl-C takes what was typed ahead of it away, as terminals do, and what the startup file still had. */
static void look_for_interrupt(void)
{
	u32 before;

	while (input_find(&shell.input, CTRL_C, &before)) {
		input_drop(&shell.input, before + 1);
		shell.cmd.interrupted = true;
		startup_end(&shell.startup);
	}
}

static enum progress in_command(void)
{
	u32 room = out_room(&shell.out);

	shell.cmd.key = 0;
	if (shell.cmd.command->flags & CMD_KEYS)
		input_take(&shell.input, &shell.cmd.key);
	enum cmd_result result = shell.cmd.command->run(&shell.cmd);

	CHECK(room - out_room(&shell.out) <= OUT_STEP_BYTES);
	if (result == CMD_WAIT)
		return WAIT_FOR_TIME;
	if (result == CMD_DONE)
		command_ended();
	return GO_ON;
}

static void run_line(char *text)
{
	shell.prompted = false;
	input_look_again(&shell.input);
	if (cmd_parse(&shell.cmd, text, &shell.out))
		shell.mode = in_command;
	else
		out_end(&shell.out);
}

static void refuse_line(char *text)
{
	out_begin(&shell.out, words_want_json(text));
	out_error(&shell.out, "line too long: at most %u bytes", (u32)LINE_BYTES);
	out_end(&shell.out);
	shell.prompted = false;
}

/* ---- at the prompt ---- */

static void show_prompt(void)
{
	if (!shell.ready)
		log_wire_stop();
	shell.ready = true;
	out_start_line(&shell.out);
	out_raw(&shell.out, prompt, sizeof(prompt) - 1);
	line_show(&shell.line);
	shell.prompted = true;
}

/* A step of its own: up to here a step has edited, from here on one understands. */
static enum progress entered(void)
{
	shell.mode = at_prompt;
	if (shell.line.overlong)
		refuse_line(shell.line.text);
	else
		run_line(shell.line.text);
	line_clear(&shell.line);
	return GO_ON;
}

static void feed(u8 byte)
{
	enum line_event event = line_feed(&shell.line, byte);

	if (event == LINE_COMPLETE && complete_line(&shell.line, &shell.out))
		shell.prompted = false;
	if (event == LINE_CANCELLED)
		shell.prompted = false;
	if (event == LINE_READY || event == LINE_TOO_LONG)
		shell.mode = entered;
}

/* Everything that the command said has left. */
static void run_afterwards(void)
{
	void (*action)(void) = shell.cmd.afterwards;

	shell.cmd.afterwards = NULL;
	if (action)
		action();
}

static enum progress at_prompt(void)
{
	char *text;
	u8 byte;

	run_afterwards();
	if (follow_show(&shell.follow, &shell.out))
		shell.prompted = false;
	if (!shell.prompted) {
		show_prompt();
		return GO_ON;
	}
	if ((text = startup_next(&shell.startup))) {
		out_raw(&shell.out, text, (u32)strlen(text));
		out_raw(&shell.out, "\r\n", 2);
		run_line(text);
		return GO_ON;
	}
	for (u32 i = 0; i < BYTES_A_STEP && out_room(&shell.out) >= OUT_BUFFER_BYTES - ECHO_A_STEP; i++) {
		if (!input_take(&shell.input, &byte))
			return shell.follow.on ? WAIT_FOR_TIME : WAIT_FOR_INPUT;
		feed(byte);
		if (!shell.prompted || shell.mode != at_prompt)
			break;
	}
	return GO_ON;
}

/* ---- the task ---- */

static enum task_result wait_a_moment(void)
{
	timer_arm(&shell.timer, time_tsc() + time_ns_to_tsc(TICK_MS * NS_PER_MS));
	return TASK_WAIT;
}

/* The buffer is empty when a mode's step begins: so it may add what a step may add. */
static enum task_result step(struct task *task)
{
	CHECK(task == &shell.task);
	input_fill(&shell.input);
	if (shell.mode == in_command)
		look_for_interrupt();
	if (!out_drain(&shell.out))
		return wait_a_moment();
	enum progress progress = shell.mode();

	if (!out_drain(&shell.out) || progress == WAIT_FOR_TIME)
		return wait_a_moment();
	return progress == GO_ON ? TASK_AGAIN : TASK_WAIT;
}

static void out_echo(void *context, const char *bytes, u32 count)
{
	out_raw(context, bytes, count);
}

void shell_start(const char *startup_path)
{
	memset(&shell, 0, sizeof(shell));
	shell.task = (struct task){ .name = "shell", .step = step, .weight = WEIGHT };
	shell.timer.expired = timer_expired;
	shell.mode = at_prompt;
	shell.out.at_line_start = true;
	shell.out.name_width = sizeof("NAME") - 1;
	for (u32 i = 0; i < vm_count; i++)
		shell.out.name_width = (u32)max_u64(shell.out.name_width, strlen(vm_config(vm_get(i))->name));
	line_init(&shell.line, out_echo, &shell.out);
	startup_begin(&shell.startup, startup_path);
	vm_console_listener = heard;
	sched_add(&shell.task, 0);
	wire_on_input(wake);
	wake();
}
