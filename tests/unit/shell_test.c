/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole console over a fake wire: transcripts, byte for byte. */
#include "tests/unit/support/shell_fake.h"
#include "tests/unit/support/shell_json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PROMPT "aerostat> "
#define SECOND 1000000000ULL

static void begin(void)
{
	fake_shell_start(NULL);
	fake_shell_run(100);
	assert_string_equal(fake_output(), PROMPT);
}

/* `vm start` both, as the tests that need running guests begin. */
static void begin_running(void)
{
	begin();
	fake_vms[0].state = fake_vms[1].state = VM_RUNNING;
}

static void expect(const char *line, const char *answer)
{
	char wanted[8192];

	snprintf(wanted, sizeof(wanted), "%s\r\n%s" PROMPT, line, answer);
	assert_string_equal(fake_command(line), wanted);
}

/* The answer is one line of JSON and this text stands in it. */
static void expect_json(const char *line, const char *part)
{
	const char *text = fake_command(line);
	const char *answer = strstr(text, "\r\n");

	assert_non_null(answer);
	answer += 2;
	const char *end = strstr(answer, "\r\n" PROMPT);

	assert_non_null(end);
	assert_string_equal(end, "\r\n" PROMPT);
	if (!json_is_valid(answer, (u32)(end - answer)) || !strstr(answer, part))
		fail_msg("%s gave %s", line, answer);
}

/* ---- commands and answers ---- */

static void an_empty_line_gives_the_prompt_again(void **state)
{
	(void)state;
	begin();
	assert_string_equal(fake_command(""), "\r\n" PROMPT);
	assert_string_equal(fake_command("   "), "   \r\n" PROMPT);
}

static void version_and_its_json(void **state)
{
	(void)state;
	begin();
	expect("version", "aerostat " AEROSTAT_VERSION ", debug build\r\n");
	expect("version --json", "{\"version\": \"" AEROSTAT_VERSION "\", \"build\": \"debug\"}\r\n");
}

static void vm_list_is_a_table_and_one_object(void **state)
{
	(void)state;
	begin();
	fake_vms[0].state = VM_RUNNING;
	expect("vm list",
	       "NAME  STATE     VCPUS       MAX       MIN  RESIDENT    SHARED     SAVED   BALLOON   SWAPPED     COMPR\r\n"
	       "web1  running       1      128M       64M      7.8M         0         0         0         0         0\r\n"
	       "web2  stopped       2        1G        1G         0         0         0         0         0         0\r\n");
	expect("vm list --json",
	       "{\"vms\": [{\"name\": \"web1\", \"state\": \"running\", \"vcpus\": 1, \"memory\": {\"max\": 134217728, "
	       "\"min\": 67108864, \"resident\": 8265728, \"shared\": 0, \"saved\": 0, \"ballooned\": 0, \"swapped\": 0, "
	       "\"compressed\": 0}}, {\"name\": \"web2\", \"state\": \"stopped\", \"vcpus\": 2, \"memory\": "
	       "{\"max\": 1073741824, \"min\": 1073741824, \"resident\": 0, \"shared\": 0, \"saved\": 0, \"ballooned\": 0, "
	       "\"swapped\": 0, \"compressed\": 0}}]}\r\n");
}

static void mem_has_the_machine_and_each_vm(void **state)
{
	(void)state;
	begin();
	expect_json("mem --json", "{\"machine\": {\"total\": 268435456, \"free\": 245760000, \"overhead\": 6144000, ");
	expect_json("mem --json", "\"state\": \"high\"}, \"vms\": [{\"name\": \"web1\", \"max\": 134217728, \"min\": 67108864, "
				  "\"shares\": 1280, \"target\": 134217728, \"resident\": 0, \"shared\": 0, \"saved\": 0, "
				  "\"ballooned\": 0, \"swapped\": 0, \"compressed\": 0, ");
	expect_json("mem --json", "\"active\": 0.125}");
	assert_non_null(
		strstr(fake_command("mem"),
		       "total:                  256M\r\nfree:                   234M\r\noverhead:               5.8M\r\n"));
}

static void audit_says_ok_or_what_is_broken(void **state)
{
	(void)state;
	begin();
	expect("audit", "audit: ok\r\n");
	expect("audit --json", "{\"audit\": \"ok\"}\r\n");
	fake_shell.finding = "MPN 7 has two owners";
	fake_shell.audit_pieces = 1;
	fake_vms[1].broken = "IRR without a request";
	expect("audit", "audit: broken\r\n  mm: MPN 7 has two owners\r\n  devices of web2: IRR without a request\r\n");
	expect("audit --json", "{\"audit\": \"broken\", \"count\": 2, \"findings\": [\"mm: MPN 7 has two owners\", "
			       "\"devices of web2: IRR without a request\"]}\r\n");
	fake_shell.audit_pieces = 70;
	expect_json("audit --json", "\"count\": 71, ");
}

static void debug_asks_for_a_fault_or_breaks_an_entry(void **state)
{
	(void)state;
	begin();
	expect("debug stack", "debug stack: not on the host\r\n");
	assert_string_equal(fake_shell.provoked, "stack");
	expect("debug entry web1 GUEST_RFLAGS 0x10000000000000ff", "web1: stopped\r\n");
	assert_int_equal(fake_vms[0].broken_entry, 0x10000000000000ff);
	expect("debug entry web1 NONE 0", "no field 'NONE'\r\n");
	expect("debug entry web1 GUEST_RFLAGS 0x", "'0x': up to 16 hexadecimal digits, in small letters\r\n");
	expect("debug entry web1 GUEST_RFLAGS 10000000000000000",
	       "'10000000000000000': up to 16 hexadecimal digits, in small letters\r\n");
	expect("debug entry web1 GUEST_RFLAGS xyz", "'xyz': up to 16 hexadecimal digits, in small letters\r\n");
}

static void stats_of_one_vm_and_summed(void **state)
{
	(void)state;
	begin();
	fake_vms[0].exits[10] = (struct exit_stat){ "cpuid", 5, 100, 150, 900 };
	fake_vms[1].exits[10] = (struct exit_stat){ "cpuid", 7, 90, 160, 800 };
	fake_vms[1].exits[12] = (struct exit_stat){ "hlt", 1, 50, 50, 50 };
	expect("stats web1 --json", "{\"vm\": \"web1\", \"exits\": [{\"reason\": \"cpuid\", \"count\": 5, \"min_cycles\": 100, "
				    "\"median_cycles\": 150, \"p99_cycles\": 900}]}\r\n");
	expect("stats --json", "{\"exits\": [{\"reason\": \"cpuid\", \"count\": 12, \"min_cycles\": 90, \"median_cycles\": 160, "
			       "\"p99_cycles\": 800}, {\"reason\": \"hlt\", \"count\": 1, \"min_cycles\": 50, "
			       "\"median_cycles\": 50, \"p99_cycles\": 50}]}\r\n");
}

static void trace_and_cpu_are_tables(void **state)
{
	(void)state;
	begin();
	expect("trace 2", "CPU      NUMBER               TSC  EVENT      A                   B                   TASK\r\n"
			  "  0        1998              2998  kick       0x7ce               0x0\r\n"
			  "  0        1999              2999  kick       0x7cf               0x0\r\n");
	expect("trace 1 --json", "{\"events\": [{\"cpu\": 0, \"number\": 1999, \"tsc\": 2999, \"event\": \"kick\", "
				 "\"a\": \"0x7cf\", \"b\": \"0x0\", \"task\": \"\"}]}\r\n");
	expect("cpu --json", "{\"tsc_khz\": 1000000, \"uptime_ns\": 0, \"cpus\": [{\"cpu\": 0, \"apic_id\": 0, \"steps\": 0, "
			     "\"idle_ns\": 0, \"longest_step_ns\": 0, \"longest_step_place\": \"\"}], \"input_lost\": 0}\r\n");
}

static void every_command_with_json_gives_one_object_on_one_line(void **state)
{
	static const char *const lines[] = {
		"vm list --json",
		"vm info web1 --json",
		"vm info --json web2",
		"mem --json",
		"stats --json",
		"stats web2 --json",
		"cpu --json",
		"log --json",
		"log 2 --json",
		"log follow off --json",
		"trace --json",
		"trace 3 --json",
		"audit --json",
		"version --json",
		"help --json",
		"help vm --json",
		"help vm stop --json",
		"vm start web1 --json",
		"vm pause web1 --json",
		"vm resume web1 --json",
		"vm log web1 --json",
		"vm send --json web1 ls",
		"vm set web1 memory.min=32M --json",
		"vm console web1 --json",
		"vm stop web1 1 --json",
		"vm reset web1 --json",
		"vm kill web1 --json",
		"vm kill web1 --json",
		"sleep 0 --json",
		"wait web1 --json x",
		"nonsense --json",
		"vm --json",
		"vm nonsense --json",
		"vm info nobody --json",
		"vm info --json",
		"trace x --json",
		"vm list extra --json",
		"vm set web1 a=b --json",
		"vm set web1 x --json",
		"vm list --json \"open",
		"vm set web1 cmdline=\"a \\ b\" --json",
	};

	(void)state;
	begin();
	fake_log("a \"line\" with \\ and \x1b");
	for (u32 i = 0; i < ARRAY_SIZE(lines); i++)
		expect_json(lines[i], "{\"");
}

static void errors_say_what_is_wrong_and_what_is_valid(void **state)
{
	(void)state;
	begin();
	expect("vmm",
	       "unknown command 'vmm': use one of vm, mem, stats, top, cpu, log, trace, audit, version, debug, sleep, wait, help, reboot, "
	       "poweroff\r\n");
	expect("vm", "vm: use one of list, info, start, stop, kill, reset, pause, resume, console, log, send, set\r\n");
	expect("vm lsit",
	       "vm: unknown 'lsit': use one of list, info, start, stop, kill, reset, pause, resume, console, log, send, "
	       "set\r\n");
	expect("vm info", "usage: vm info NAME\r\n");
	expect("vm info web3", "no VM 'web3': there are web1, web2\r\n");
	expect("vm info web3 --json", "{\"error\": \"no VM 'web3': there are web1, web2\"}\r\n");
	expect("trace 0", "events '0': a number from 1 to 1024\r\n");
	expect("trace 99999999999999999999", "events '99999999999999999999': a number from 1 to 1024\r\n");
	expect("vm send web1", "usage: vm send NAME TEXT\r\n");
	expect("vm set web1 memory.min", "'memory.min': settings are KEY=VALUE, as memory.min=64M\r\n");
	expect("say \"what", "a quote is not closed\r\n");
	expect("log follow maybe", "log follow: on or off\r\n");
}

static void help_is_complete_and_shows_usage(void **state)
{
	(void)state;
	begin();
	expect("help vm kill", "COMMAND\r\nvm kill NAME                    end it at once\r\n"
			       "--json behind a command's name: exactly one JSON object on one line.\r\n");
	const char *all = fake_command("help");
	static const char *const names[] = { "vm list",  "vm info",   "vm start",   "vm stop", "vm kill", "vm reset",
					     "vm pause", "vm resume", "vm console", "vm log",  "vm send", "vm set",
					     "mem",      "top",       "stats",      "cpu",     "log",     "trace",
					     "audit",    "version",   "help",       "reboot",  "poweroff" };

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		char line[64];

		snprintf(line, sizeof(line), "\r\n%s ", names[i]);
		assert_non_null(strstr(all, line));
	}
	expect("help lsit", "no command 'lsit': help lists all\r\n");
}

/* ---- the life of a VM ---- */

static void start_waits_until_it_runs_and_a_second_start_changes_nothing(void **state)
{
	(void)state;
	begin();
	expect("vm start web1", "web1: running\r\n");
	expect("vm start web1", "web1 is running already\r\n");
	assert_int_equal(fake_vms[0].state, VM_RUNNING);
	expect("vm start web1 --json", "{\"error\": \"web1 is running already\"}\r\n");
}

static void a_start_that_fails_says_why(void **state)
{
	(void)state;
	begin();
	fake_vms[0].why = "its kernel is not a kernel";
	expect("vm start web1", "web1 failed: its kernel is not a kernel\r\n");
	fake_vms[0].refuse = "web1: memory is short by 3M";
	expect("vm start web1 --json", "{\"error\": \"web1: memory is short by 3M\"}\r\n");
}

static void stop_asks_and_reports(void **state)
{
	(void)state;
	begin_running();
	fake_vms[0].stops_after_ns = 3 * SECOND;
	expect("vm stop web1", "web1: stopped\r\n");
	assert_int_equal(fake_vms[0].asked_to_stop, 1);
	assert_in_range(fake_shell.now_ns, 3 * SECOND, 4 * SECOND);
}

static void a_guest_that_does_not_stop_runs_on_after_30_seconds(void **state)
{
	(void)state;
	begin_running();
	expect("vm stop web1", "web1: did not stop in 30 s; still running (vm kill web1)\r\n");
	assert_int_equal(fake_vms[0].state, VM_RUNNING);
	assert_in_range(fake_shell.now_ns, 30 * SECOND, 31 * SECOND);
	expect("vm stop web1 2 --json", "{\"error\": \"web1: did not stop in 2 s; still running (vm kill web1)\"}\r\n");
}

static void ctrl_c_ends_the_waiting_and_drops_what_was_typed_ahead(void **state)
{
	(void)state;
	begin_running();
	fake_send("vm stop web1\rversion\r");
	fake_shell_run(1000);
	assert_string_equal(fake_output(), "vm stop web1\r\n");
	fake_send("\x03");
	fake_shell_run(1000);
	assert_string_equal(fake_output(), "web1: interrupted; still running (vm kill web1)\r\n" PROMPT);
	assert_int_equal(fake_vms[0].state, VM_RUNNING);
}

static void settings_apply_all_or_none(void **state)
{
	(void)state;
	begin_running();
	expect("vm set web1 memory.min=32M memory.shares=oops",
	       "memory.shares = oops: valid is low, normal, high, or a number up to 1000000000\r\n");
	assert_int_equal(fake_vms[0].config.memory_min_bytes, 64 << 20);
	expect("vm set web1 memory.min=32M cmdline=\"a  b\"", "web1: memory.min = 32M\r\nweb1: cmdline = a  b\r\n");
	assert_int_equal(fake_vms[0].config.memory_min_bytes, 32 << 20);
	assert_string_equal(fake_vms[0].config.cmdline, "a  b");
	expect("vm set web1 memory.min=4097",
	       "memory.min = 4097: valid is a size in whole 4 KiB pages: bytes, or a number with K, M or G\r\n");
}

static void poweroff_stops_all_in_parallel_and_kills_who_is_late(void **state)
{
	(void)state;
	begin_running();
	fake_vms[0].stops_after_ns = 5 * SECOND;
	assert_string_equal(fake_command("poweroff"), "poweroff\r\nweb2: did not stop in 10 s; killed\r\npoweroff\r\n");
	assert_true(fake_shell.powered_off);
	assert_int_equal(fake_vms[0].killed, 0);
	assert_int_equal(fake_vms[1].killed, 1);
	assert_in_range(fake_shell.now_ns, 10 * SECOND, 11 * SECOND);
}

static void reboot_without_guests_is_immediate(void **state)
{
	(void)state;
	begin();
	assert_string_equal(fake_command("reboot --json"), "reboot --json\r\n{\"killed\": [], \"then\": \"reboot\"}\r\n");
	assert_true(fake_shell.rebooted);
	assert_in_range(fake_shell.now_ns, 0, SECOND);
}

/* ---- input ---- */

static void input_may_be_sent_ahead_and_cr_lf_and_crlf_end_lines(void **state)
{
	(void)state;
	fake_shell_start(NULL);
	fake_send("version --json\rsleep 1\r\naudit\nversion --json\r\n");
	fake_shell_run(5000);
	assert_string_equal(fake_output(),
			    PROMPT "version --json\r\n{\"version\": \"" AEROSTAT_VERSION "\", \"build\": \"debug\"}\r\n" PROMPT
				   "sleep 1\r\n" PROMPT "audit\r\naudit: ok\r\n" PROMPT
				   "version --json\r\n{\"version\": \"" AEROSTAT_VERSION "\", \"build\": \"debug\"}\r\n" PROMPT);
}

static void a_line_of_1024_bytes_is_taken_and_a_longer_one_refused_whole(void **state)
{
	char line[1100] = "vm send web1 ";

	(void)state;
	begin_running();
	memset(line + strlen(line), 'x', 1024 - 13);
	line[1024] = 0;
	expect(line, "");
	assert_int_equal(fake_vms[0].input_count, 1024 - 13 + 1);
	strcat(line, "y");
	assert_non_null(strstr(fake_command(line), "x\r\nline too long: at most 1024 bytes\r\n" PROMPT));
	assert_int_equal(fake_vms[0].input_count, 1024 - 13 + 1);
	expect("audit", "audit: ok\r\n");
	memcpy(line, "vm list --json ", 15);
	expect_json(line, "{\"error\": \"line too long: at most 1024 bytes\"}");
}

static void four_kib_sent_ahead_of_a_busy_console_are_all_kept(void **state)
{
	char text[4097] = "";

	(void)state;
	begin();
	fake_send("sleep 2\r");
	fake_shell_run(100);
	fake_output();
	for (u32 i = 0; i < 4096 / 8; i++)
		strcat(text, "version\r");
	fake_send(text);
	fake_shell_run(60000);
	const char *out = fake_output();
	u32 answers = 0;

	while ((out = strstr(out, "debug build"))) {
		answers++;
		out++;
	}
	assert_int_equal(answers, 4096 / 8);
}

static void cpu_tells_of_input_that_was_lost(void **state)
{
	(void)state;
	begin();
	expect_json("cpu --json", "], \"input_lost\": 0}");
	assert_null(strstr(fake_command("cpu"), "lost"));
	fake_shell.input_lost = 17;
	assert_non_null(strstr(fake_command("cpu"), "\r\nconsole: 17 bytes of input lost\r\n" PROMPT));
	expect_json("cpu --json", "], \"input_lost\": 17}");
}

/* ---- top ---- */

static void top_as_json_is_one_snapshot(void **state)
{
	(void)state;
	begin_running();
	expect_json("top --json",
		    "\"total\": 268435456, \"free\": 245760000, \"vms\": [{\"name\": \"web1\", \"state\": \"running\", ");
	expect_json("top --json", "\"memory\": {\"max\": 134217728, \"resident\": 8265728, ");
}

static void top_draws_again_until_q_and_gives_the_prompt_back(void **state)
{
	(void)state;
	begin_running();
	fake_send("top\r");
	fake_shell_run(2500);
	const char *text = fake_output();
	u32 pictures = 0;

	for (const char *at = text; (at = strstr(at, "web1  running   [")); at++)
		pictures++;
	assert_int_equal(pictures, 3);
	assert_non_null(strstr(text, "7.8M of 128M"));
	assert_null(strstr(text, PROMPT "\x1b"));
	fake_send("xq");
	fake_shell_run(100);
	text = fake_output();
	assert_string_equal(strstr(text, "\x1b[?25h"), "\x1b[?25h\x1b[?1049l\x1b[A\r\n" PROMPT);
}

/* Columns of the longest line, and how many lines there are; escape sequences take no place. */
static u32 widest(const char *text, u32 *lines)
{
	u32 most = 0, columns = 0;

	for (*lines = 0; *text; text++) {
		if (*text == '\x1b') {
			text++;
			text += *text == '[' ? strcspn(text, "hlHJKn") : 0;
			continue;
		}
		columns = *text == '\r' ? 0 : columns + (*text != '\n');
		*lines += *text == '\n';
		most = columns > most ? columns : most;
	}
	return most;
}

static void top_fits_the_terminal_that_says_its_size(void **state)
{
	static const struct {
		const char *answer;
		u32 columns, lines;
	} rows[] = { { "\x1b[6;48R", 47, 5 }, { "\x1b[50;132R", 131, 6 }, { "\x1b[9999;9999R", 249, 6 }, { "\x1b[0;1R", 39, 5 } };
	u32 lines;

	(void)state;
	begin_running();
	fake_send("top\r");
	fake_shell_run(100);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		(void)fake_output();
		fake_send(rows[i].answer);
		fake_shell_run(100);
		u32 columns = widest(fake_output(), &lines);

		assert_true(columns <= rows[i].columns);
		assert_int_equal(lines, rows[i].lines);
	}
	fake_send("\x1b[Aq");
	fake_shell_run(100);
	assert_non_null(strstr(fake_output(), "\r\n" PROMPT));
}

static void cursor_keys_history_and_completion_reach_the_command(void **state)
{
	(void)state;
	begin();
	expect_json("vm list --json", "web1");
	assert_string_equal(fake_command("ersion\x01v"),
			    "ersion\b\b\b\b\b\bversion\b\b\b\b\b\bersion\r\naerostat " AEROSTAT_VERSION
			    ", debug build\r\n" PROMPT);
	assert_string_equal(fake_command("\x1b[A"), "version\r\naerostat " AEROSTAT_VERSION ", debug build\r\n" PROMPT);
	assert_string_equal(fake_command("vers\t"), "version \r\naerostat " AEROSTAT_VERSION ", debug build\r\n" PROMPT);
	fake_send("vm in\tw\t\t");
	fake_shell_run(100);
	assert_string_equal(fake_output(), "vm info web\r\nweb1  web2  \r\n" PROMPT "vm info web");
	fake_send("\x03");
	fake_shell_run(100);
	assert_string_equal(fake_output(), "^C\r\n" PROMPT);
	fake_send("vm set web1 memory.mi\t64M memory.\t");
	fake_shell_run(100);
	assert_string_equal(fake_output(),
			    "vm set web1 memory.min=64M memory."
			    "\r\nmemory.max  memory.min  memory.shares  \r\n" PROMPT "vm set web1 memory.min=64M memory.");
	fake_send("\x03");
	fake_shell_run(100);
}

/* ---- a slow wire ---- */

static void output_waits_for_a_full_wire_and_nothing_is_lost_or_reordered(void **state)
{
	char whole[65536];

	(void)state;
	begin();
	fake_vms[0].state = VM_RUNNING;
	for (u32 i = 0; i < 2000; i++) {
		char line[32];

		snprintf(line, sizeof(line), "line %u\r\n", i);
		fake_print(0, line);
	}
	strcpy(whole, fake_command("vm log web1 2000"));
	fake_shell.wire_speed = 0;
	fake_send("vm log web1 2000\r");
	u32 steps = fake_shell.steps;
	fake_shell_run(1000);
	assert_string_equal(fake_output(), "");
	assert_in_range(fake_shell.steps - steps, 1, 500);
	fake_shell.wire_speed = 115;
	fake_shell_run(60000);
	assert_string_equal(fake_output(), whole);
	assert_in_range(fake_shell.most_in_a_step, 1, 2 * 4096);
}

static void an_interrupted_answer_is_still_one_object(void **state)
{
	(void)state;
	begin();
	for (u32 i = 0; i < 3000; i++)
		fake_print(0, "an unfinished line ");
	fake_shell.wire_speed = 100;
	fake_send("vm log web1 --json\r");
	fake_shell_run(300);
	fake_send("\x03");
	fake_shell_run(60000);
	const char *out = fake_output();
	const char *answer = strchr(out, '\n') + 1;
	const char *end = strstr(answer, "\r\n" PROMPT);

	assert_non_null(end);
	assert_true(json_is_valid(answer, (u32)(end - answer)));
	assert_in_range(end - answer, 100, 20000);
}

/* ---- a guest's console ---- */

static void a_guest_cannot_forge_a_prompt_or_a_result(void **state)
{
	(void)state;
	begin();
	fake_print(0, "login: \r\n\r\naerostat> audit\r\naudit: ok\r\n\x1b[2J\raerostat> \xc3\xa9\x80\ttab\x7f\r\nlast");
	expect("vm log web1", "  login: \r\n  \r\n  aerostat> audit\r\n  audit: ok\r\n"
			      "  \\x1b[2J\\x0daerostat> \\xc3\\xa9\\x80\ttab\\x7f\r\n  last\r\n");
	expect("vm log web1 --json", "{\"vm\": \"web1\", \"lines\": [\"login: \", \"\", \"aerostat> audit\", \"audit: ok\", "
				     "\"\\u001b[2J\\u000daerostat> \\u00e9\\ufffd\\u0009tab\\u007f\", \"last\"]}\r\n");
	expect("vm log web1 2", "  \\x1b[2J\\x0daerostat> \\xc3\\xa9\\x80\ttab\\x7f\r\n  last\r\n");
	expect("vm log web1 1", "  last\r\n");
	expect("vm log web2", "");
	expect("vm log web2 --json", "{\"vm\": \"web2\", \"lines\": []}\r\n");
}

static void send_types_the_rest_of_the_line_verbatim_and_enter(void **state)
{
	(void)state;
	begin_running();
	expect("vm send web1  echo \"a  b\" --json ", "");
	assert_memory_equal(fake_vms[0].input, " echo \"a  b\" --json \r", 21);
	assert_int_equal(fake_vms[0].input_count, 21);
	expect("vm send --json web2 x", "{\"vm\": \"web2\", \"typed\": 2}\r\n");
	fake_vms[1].input_room = 3;
	expect("vm send web2 abc", "web2 does not read its console: 1 of 4 bytes typed\r\n");
	fake_vms[1].state = VM_STOPPED;
	expect("vm send web2 abc", "web2 is stopped, not running\r\n");
}

static void attaching_shows_the_ring_and_consumes_nothing(void **state)
{
	(void)state;
	begin_running();
	fake_print(0, "hello\r\n# ");
	for (u32 i = 0; i < 2; i++) {
		fake_send("vm console web1\rls\r");
		fake_shell_run(100);
		assert_string_equal(fake_output(), "vm console web1\r\nattached to web1; Ctrl-] detaches\r\nhello\r\n# ");
		fake_send("\x1d");
		fake_shell_run(100);
		assert_string_equal(fake_output(), "\r\ndetached from web1\r\n" PROMPT);
	}
	assert_int_equal(fake_vms[0].input_count, 6);
	assert_memory_equal(fake_vms[0].input, "ls\rls\r", 6);
	expect("vm log web1", "  hello\r\n  # \r\n");
}

static void an_attached_guest_is_heard_at_once_and_only_it(void **state)
{
	(void)state;
	begin_running();
	fake_command("vm console web1");
	fake_print(0, "one\n");
	fake_print(1, "not me\n");
	fake_shell_run(100);
	assert_string_equal(fake_output(), "one\n");
	fake_send("\x1d");
	fake_shell_run(100);
	assert_string_equal(fake_output(), "detached from web1\r\n" PROMPT);
	fake_print(0, "later\n");
	fake_shell_run(100);
	assert_string_equal(fake_output(), "");
}

static void a_guest_faster_than_the_wire_loses_its_oldest_bytes_and_says_so(void **state)
{
	static char flood[200000];

	(void)state;
	begin_running();
	memset(flood, 'a', sizeof(flood));
	flood[sizeof(flood) - 1] = 'z';
	fake_shell.wire_speed = 1000;
	fake_send("vm console web1\r");
	fake_shell_run(100);
	fake_output();
	fake_print(0, "first ");
	fake_shell_run(10);
	fake_print_bytes(0, flood, sizeof(flood));
	fake_shell_run(10000);
	const char *out = fake_output();

	assert_memory_equal(out, "first ", 6);
	const char *lost = strstr(out, "\r\n[134464 bytes lost]\r\n");

	assert_non_null(lost);
	assert_int_equal(strlen(lost), 23 + FAKE_RING);
	assert_true(out[strlen(out) - 1] == 'z');
}

static void ctrl_bracket_works_while_the_guest_does_not_read(void **state)
{
	char keys[4000];

	(void)state;
	begin_running();
	fake_command("vm console web1");
	fake_vms[0].input_room = 10;
	memset(keys, 'k', sizeof(keys));
	for (u32 i = 0; i < 4; i++) {
		fake_send_bytes(keys, sizeof(keys));
		fake_shell_run(100);
	}
	fake_send("\x1d");
	fake_shell_run(100);
	const char *out = fake_output();

	assert_non_null(strstr(out, "detached from web1\r\n" PROMPT));
	assert_int_equal(fake_vms[0].input_count, 10);
}

static void keys_that_a_busy_guest_did_not_take_reach_it_later(void **state)
{
	(void)state;
	begin_running();
	fake_command("vm console web1");
	fake_vms[0].input_room = 2;
	fake_send("echo hello\r");
	fake_shell_run(1000);
	assert_int_equal(fake_vms[0].input_count, 2);
	fake_vms[0].input_room = FAKE_INPUT;
	fake_shell_run(1000);
	assert_memory_equal(fake_vms[0].input, "echo hello\r", 11);
}

/* ---- the log ---- */

static void log_shows_the_latest_lines(void **state)
{
	(void)state;
	begin();
	fake_log("[   0.000001] one");
	fake_log("[   0.000002] two");
	fake_log("[   0.000003] three");
	expect("log 2", "  [   0.000002] two\r\n  [   0.000003] three\r\n");
	expect("log 1 --json", "{\"lines\": [\"[   0.000003] three\"]}\r\n");
	assert_non_null(strstr(fake_command("log"), "] one\r\n"));
}

static void a_followed_log_leaves_the_unfinished_input_standing(void **state)
{
	(void)state;
	begin();
	expect("log follow on", "log follow: on\r\n");
	fake_send("vm l");
	fake_shell_run(50);
	assert_string_equal(fake_output(), "vm l");
	fake_log("[   1.000000] news");
	fake_log("[   1.000001] more");
	fake_shell_run(50);
	assert_string_equal(fake_output(), "\r\n[   1.000000] news\r\n[   1.000001] more\r\n" PROMPT "vm l");
	fake_send("\x03");
	fake_shell_run(50);
	fake_output();
	fake_send("log follow off\r");
	fake_shell_run(50);
	assert_string_equal(fake_output(), "log follow off\r\nlog follow: off\r\n" PROMPT);
	fake_log("[   2.000000] quiet");
	fake_shell_run(1000);
	assert_string_equal(fake_output(), "");
}

/* ---- the startup file ---- */

static void the_startup_file_runs_as_if_typed_before_any_input(void **state)
{
	(void)state;
	fake_shell_start("# first\r\n\r\nvm start web1\r\n  sleep 2\nversion --json");
	fake_send("audit\r");
	fake_shell_run(60000);
	assert_string_equal(fake_output(), PROMPT "vm start web1\r\nweb1: running\r\n" PROMPT "sleep 2\r\n" PROMPT
						  "version --json\r\n{\"version\": \"" AEROSTAT_VERSION
						  "\", \"build\": \"debug\"}\r\n" PROMPT "audit\r\naudit: ok\r\n" PROMPT);
}

static void wait_goes_on_when_the_guest_has_printed_the_text_once_for_each_wait(void **state)
{
	(void)state;
	fake_shell_start("vm start web1\nwait web1 rearead ready\nwait web1 ready\nvm kill web1\nwait web1 ready\npoweroff\n");
	fake_shell_run(100);
	assert_non_null(strstr(fake_output(), "wait web1 rearead ready\r\n"));
	fake_print(0, "reareareread rearead rea");
	fake_shell_run(100);
	assert_string_equal(fake_output(), "");
	fake_print(0, "dy ready");
	fake_shell_run(60000);
	assert_string_equal(fake_output(), PROMPT "wait web1 ready\r\n" PROMPT "vm kill web1\r\nweb1: stopped\r\n" PROMPT
						  "wait web1 ready\r\nweb1 is stopped and has not printed it\r\n" PROMPT
						  "poweroff\r\npoweroff\r\n");
	assert_true(fake_shell.powered_off);
}

static void ctrl_c_ends_the_startup_file(void **state)
{
	(void)state;
	fake_shell_start("sleep 100\nversion\n");
	fake_shell_run(100);
	fake_send("\x03");
	fake_shell_run(1000);
	assert_string_equal(fake_output(), PROMPT "sleep 100\r\nsleep: interrupted\r\n" PROMPT);
}

/* ---- whatever is typed ---- */

/* Bytes of keys, words and rubbish: the console survives (CHECKs, sanitizers), stays within its step, and answers afterwards. */
static void random_keys_never_break_the_console(void **state)
{
	static const char *const words[] = { "vm ",    "list ",  "info ",  "log ",  "web1 ",    "web2 ",  "--json ",
					     "\r",     "\r",     "help ",  "\t",    "\x1b[A",   "\x1b[D", "\x1b[3~",
					     "\x01",   "\x05",   "\x15",   "\x17",  "\"",       "7 ",     "mem ",
					     "stats ", "trace ", "audit ", "send ", "console ", "\x1d",   "log follow on\r",
					     "\x7f",   "\x03" };
	u32 seed = (u32)(getenv("SEED") ? atoi(getenv("SEED")) : 20240607);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	begin_running();
	for (u32 i = 0; i < 20000; i++) {
		u8 byte = (u8)rand();

		if (rand() % 8 == 0)
			fake_send_bytes(&byte, 1);
		else
			fake_send(words[(u32)rand() % ARRAY_SIZE(words)]);
		if (rand() % 16 == 0)
			fake_print_bytes((u32)rand() % 2, &byte, 1);
		fake_shell_run(rand() % 4 == 0 ? 50 : 0);
		if (i % 64 == 0)
			fake_output();
	}
	fake_send("\x1d\x03\x03\r");
	fake_shell_run(60000);
	fake_send("log follow off\r");
	fake_shell_run(1000);
	fake_output();
	expect("audit", "audit: ok\r\n");
	assert_in_range(fake_shell.most_in_a_step, 1, 2 * 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_line_gives_the_prompt_again),
		cmocka_unit_test(version_and_its_json),
		cmocka_unit_test(vm_list_is_a_table_and_one_object),
		cmocka_unit_test(mem_has_the_machine_and_each_vm),
		cmocka_unit_test(audit_says_ok_or_what_is_broken),
		cmocka_unit_test(debug_asks_for_a_fault_or_breaks_an_entry),
		cmocka_unit_test(stats_of_one_vm_and_summed),
		cmocka_unit_test(trace_and_cpu_are_tables),
		cmocka_unit_test(every_command_with_json_gives_one_object_on_one_line),
		cmocka_unit_test(errors_say_what_is_wrong_and_what_is_valid),
		cmocka_unit_test(help_is_complete_and_shows_usage),
		cmocka_unit_test(start_waits_until_it_runs_and_a_second_start_changes_nothing),
		cmocka_unit_test(a_start_that_fails_says_why),
		cmocka_unit_test(stop_asks_and_reports),
		cmocka_unit_test(a_guest_that_does_not_stop_runs_on_after_30_seconds),
		cmocka_unit_test(ctrl_c_ends_the_waiting_and_drops_what_was_typed_ahead),
		cmocka_unit_test(settings_apply_all_or_none),
		cmocka_unit_test(poweroff_stops_all_in_parallel_and_kills_who_is_late),
		cmocka_unit_test(reboot_without_guests_is_immediate),
		cmocka_unit_test(input_may_be_sent_ahead_and_cr_lf_and_crlf_end_lines),
		cmocka_unit_test(a_line_of_1024_bytes_is_taken_and_a_longer_one_refused_whole),
		cmocka_unit_test(four_kib_sent_ahead_of_a_busy_console_are_all_kept),
		cmocka_unit_test(cpu_tells_of_input_that_was_lost),
		cmocka_unit_test(top_as_json_is_one_snapshot),
		cmocka_unit_test(top_draws_again_until_q_and_gives_the_prompt_back),
		cmocka_unit_test(top_fits_the_terminal_that_says_its_size),
		cmocka_unit_test(cursor_keys_history_and_completion_reach_the_command),
		cmocka_unit_test(output_waits_for_a_full_wire_and_nothing_is_lost_or_reordered),
		cmocka_unit_test(an_interrupted_answer_is_still_one_object),
		cmocka_unit_test(a_guest_cannot_forge_a_prompt_or_a_result),
		cmocka_unit_test(send_types_the_rest_of_the_line_verbatim_and_enter),
		cmocka_unit_test(attaching_shows_the_ring_and_consumes_nothing),
		cmocka_unit_test(an_attached_guest_is_heard_at_once_and_only_it),
		cmocka_unit_test(a_guest_faster_than_the_wire_loses_its_oldest_bytes_and_says_so),
		cmocka_unit_test(ctrl_bracket_works_while_the_guest_does_not_read),
		cmocka_unit_test(keys_that_a_busy_guest_did_not_take_reach_it_later),
		cmocka_unit_test(log_shows_the_latest_lines),
		cmocka_unit_test(a_followed_log_leaves_the_unfinished_input_standing),
		cmocka_unit_test(the_startup_file_runs_as_if_typed_before_any_input),
		cmocka_unit_test(wait_goes_on_when_the_guest_has_printed_the_text_once_for_each_wait),
		cmocka_unit_test(ctrl_c_ends_the_startup_file),
		cmocka_unit_test(random_keys_never_break_the_console),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
