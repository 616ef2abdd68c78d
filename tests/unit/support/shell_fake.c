/* SPDX-License-Identifier: BSD-2-Clause */
/* The fake machine of the console: clock, scheduler of one task, wire, log, power. The VMs are in shell_fake_vms.c. */
#include "tests/unit/support/shell_fake.h"
#include "kernel/core/log.h"
#include "kernel/core/power.h"
#include "kernel/core/provoke.h"
#include "kernel/core/timer.h"
#include "kernel/core/trace.h"
#include "kernel/core/wire.h"
#include "kernel/lib/check.h"
#include "kernel/modules.h"
#include "kernel/sched.h"
#include "kernel/shell/shell.h"
#include "mm/mm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000ULL
enum { TICK_MS = 10 };

struct fake_shell fake_shell;
static struct task *task;
static bool woken;
static struct timer *timer;
static u64 deadline_ns;
static jmp_buf machine_ended;

/* ---- clock and scheduler ---- */

u64 tsc_khz = 1000000;

u64 time_tsc(void)
{
	return fake_shell.now_ns;
}

u64 time_ns(void)
{
	return fake_shell.now_ns;
}

u64 time_ns_to_tsc(u64 ns)
{
	return ns;
}

u64 time_tsc_to_ns(u64 ticks)
{
	return ticks;
}

void timer_arm(struct timer *armed, u64 deadline_tsc)
{
	timer = armed;
	deadline_ns = deadline_tsc;
}

void sched_add(struct task *added, u32 cpu)
{
	assert_int_equal(cpu, 0);
	task = added;
}

void sched_wake(struct task *wakened)
{
	assert_ptr_equal(wakened, task);
	woken = true;
}

const char *provoke(const char *what)
{
	fake_shell.provoked = what;
	return "not on the host";
}

/* ---- the wire ---- */

static u8 ring[WIRE_OUT_BYTES];
static u32 ring_count;
static char output[FAKE_WIRE + 1];
static u32 output_count;
static u8 input[WIRE_IN_BYTES];
static u32 input_count;
static u32 put_in_step;
static void (*input_wake)(void);

static void leave(u32 count)
{
	count = count < ring_count ? count : ring_count;
	assert_true(output_count + count <= FAKE_WIRE);
	memcpy(output + output_count, ring, count);
	output_count += count;
	ring_count -= count;
	memmove(ring, ring + count, ring_count);
}

u32 wire_put(const u8 *bytes, u32 count)
{
	u32 taken = (u32)min_u64(count, WIRE_OUT_BYTES - ring_count);

	memcpy(ring + ring_count, bytes, taken);
	ring_count += taken;
	put_in_step += taken;
	return taken;
}

u32 wire_room(void)
{
	return WIRE_OUT_BYTES - ring_count;
}

u32 wire_take(u8 *bytes, u32 count)
{
	u32 taken = (u32)min_u64(count, input_count);

	memcpy(bytes, input, taken);
	input_count -= taken;
	memmove(input, input + taken, input_count);
	return taken;
}

u64 wire_lost(void)
{
	return fake_shell.input_lost;
}

void wire_on_input(void (*wake)(void))
{
	input_wake = wake;
}

/* ---- the log ---- */

static char log_text[LOG_BYTES];
static u64 log_bytes;
static bool log_stopped;

u64 log_begin(void)
{
	return log_bytes > LOG_BYTES ? log_bytes - LOG_BYTES : 0;
}

u64 log_end(void)
{
	return log_bytes;
}

u32 log_read(u64 position, char *to, u32 bytes)
{
	u32 count = 0;

	if (position < log_begin())
		return 0;
	for (; position + count < log_bytes && count < bytes; count++)
		to[count] = log_text[(position + count) % LOG_BYTES];
	return count;
}

void log_wire_stop(void)
{
	assert_false(log_stopped);
	log_stopped = true;
}

void fake_log(const char *line)
{
	for (; *line; line++)
		log_text[log_bytes++ % LOG_BYTES] = *line;
	log_text[log_bytes++ % LOG_BYTES] = '\n';
}

/* ---- trace, memory, modules, power ---- */

void trace(enum trace_kind kind, u64 a, u64 b)
{
	(void)kind, (void)a, (void)b;
}

u64 trace_end(u32 cpu)
{
	(void)cpu;
	return 2000;
}

bool trace_read(u32 cpu, u64 position, struct trace_event *event)
{
	*event = (struct trace_event){ 1000 + position, position, cpu, TRACE_KICK };
	return position + TRACE_EVENTS > trace_end(cpu);
}

const char *trace_kind_text(u32 kind)
{
	assert_int_equal(kind, TRACE_KICK);
	return "kick";
}

void mm_totals(struct mm_totals *totals)
{
	*totals = (struct mm_totals){
		.total = 65536, .free = 60000, .overhead = 1500, .private_ = 4036, .reserved = 3, .state = MM_HIGH
	};
}

void mm_audit_begin(struct mm_audit *audit)
{
	*audit = (struct mm_audit){ 0 };
}

bool mm_audit_step(struct mm_audit *audit, void (*finding)(void *context, const char *line), void *context)
{
	if (fake_shell.finding)
		finding(context, fake_shell.finding);
	return ++audit->cursor < fake_shell.audit_pieces;
}

static const char *startup_text;

const struct boot_module *module_find(const char *path)
{
	static struct boot_module module;

	if (strcmp(path, "\\startup.txt") != 0)
		return NULL;
	module.bytes = strlen(startup_text);
	return &module;
}

const u8 *module_bytes(const struct boot_module *module)
{
	(void)module;
	return (const u8 *)startup_text;
}

const char *module_trouble(const struct boot_module *module)
{
	return module ? NULL : "was not loaded";
}

void power_off(void)
{
	fake_shell.powered_off = true;
	longjmp(machine_ended, 1);
}

void power_reboot(void)
{
	fake_shell.rebooted = true;
	longjmp(machine_ended, 1);
}

/* ---- running it ---- */

void fake_vms_reset(void);
void fake_vms_tick(void);

void fake_shell_start(const char *startup)
{
	fake_shell = (struct fake_shell){ .wire_speed = FAKE_WIRE, .audit_pieces = 3 };
	ring_count = output_count = input_count = put_in_step = 0;
	log_bytes = 0;
	log_stopped = woken = false;
	timer = NULL;
	startup_text = startup;
	fake_vms_reset();
	shell_start(startup ? "\\startup.txt" : "");
}

void fake_send_bytes(const void *bytes, u32 count)
{
	assert_true(input_count + count <= WIRE_IN_BYTES);
	memcpy(input + input_count, bytes, count);
	input_count += count;
	input_wake();
}

void fake_send(const char *text)
{
	fake_send_bytes(text, (u32)strlen(text));
}

static void tick(u64 until_ns)
{
	fake_shell.now_ns = until_ns;
	leave(fake_shell.wire_speed);
	fake_vms_tick();
	if (timer && deadline_ns <= fake_shell.now_ns) {
		struct timer *due = timer;

		timer = NULL;
		due->expired(due);
	}
}

static void one_step(void)
{
	woken = false;
	put_in_step = 0;
	fake_shell.steps++;
	if (task->step(task) == TASK_AGAIN)
		woken = true;
	if (put_in_step > fake_shell.most_in_a_step)
		fake_shell.most_in_a_step = put_in_step;
}

void fake_shell_run(u32 ms)
{
	u64 until_ns = fake_shell.now_ns + ms * MS;

	if (setjmp(machine_ended)) {
		leave(WIRE_OUT_BYTES);
		return;
	}
	for (;;) {
		while (woken) {
			one_step();
			if (fake_shell.wire_speed == FAKE_WIRE)
				leave(FAKE_WIRE);
		}
		if ((!timer && ring_count == 0) || fake_shell.now_ns >= until_ns)
			return;
		tick(min_u64(fake_shell.now_ns + TICK_MS * MS, until_ns));
	}
}

const char *fake_output(void)
{
	static char text[FAKE_WIRE + 1];

	memcpy(text, output, output_count);
	text[output_count] = 0;
	output_count = 0;
	return text;
}

const char *fake_command(const char *line)
{
	fake_send(line);
	fake_send("\r");
	fake_shell_run(60000);
	return fake_output();
}
