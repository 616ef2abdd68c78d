/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes at the console: it never breaks and its prompt comes back.  Any line with --json behind its command: exactly one JSON object on
 * one line.
 */
#include "kernel/lib/check.h"
#include "tests/fuzz/input.h"
#include "tests/unit/support/shell_fake.h"
#include "tests/unit/support/shell_json.h"

#define PROMPT "aerostat> "

enum { RAW = 1, RUNNING = 2, SLOW = 4, BROKEN = 8, TALKS = 16, STARTUP = 32, MINUTE_MS = 60000, MOST_LINE = 1000 };

static bool is_off(void)
{
	return fake_shell.powered_off || fake_shell.rebooted;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), more = strlen(end);

	return length >= more && strcmp(text + length - more, end) == 0;
}

/* `startup`: text of the startup file, NULL: none. */
static void begin(u8 how, const char *startup)
{
	u64 ends[FAKE_VMS];

	for (u32 i = 0; i < FAKE_VMS; i++)
		ends[i] = fake_vms[i].output_end;
	fake_shell_start(startup);
	/* `wait` remembers how far it has looked, and what a VM wrote never becomes less. */
	for (u32 i = 0; i < FAKE_VMS; i++)
		fake_vms[i].output_end = ends[i];
	fake_vms[0].state = how & RUNNING ? VM_RUNNING : VM_STOPPED;
	fake_vms[0].stops_after_ns = how & TALKS ? 3000000000 : 0;
	fake_vms[1].refuse = how & BROKEN ? "memory is short by 3M" : NULL;
	fake_shell.finding = how & BROKEN ? "MPN 7 has two \"owners\"" : NULL;
	fake_log("a \"line\" with \\ and \x1b");
	if (how & TALKS)
		fake_print(0, "Debian GNU/Linux 12 \x1b[31m\xff \"login\":\r\n");
	fake_shell_run(MINUTE_MS);
	if (!startup)
		CHECK(ends_with(fake_output(), PROMPT));
	fake_shell.wire_speed = how & SLOW ? 100 : FAKE_WIRE;
}

/* Ctrl-], Enter, Ctrl-C: out of whatever it was in. */
static void prompt_comes_back(void)
{
	fake_shell.wire_speed = FAKE_WIRE;
	fake_send_bytes("\x1d", 1);
	fake_shell_run(MINUTE_MS);
	fake_send_bytes("\x03\r\x03", 3);
	fake_shell_run(MINUTE_MS);
	if (is_off())
		return;
	CHECK(ends_with(fake_output(), PROMPT));
	fake_send("log follow off\rversion --json\r");
	fake_shell_run(MINUTE_MS);
	CHECK(ends_with(fake_output(), "{\"version\": \"" AEROSTAT_VERSION "\", \"build\": \"debug\"}\r\n" PROMPT));
}

static void run_raw(void)
{
	while (left.bytes && !is_off()) {
		size_t bytes, most = 1 + take_byte();
		const u8 *from = take_bytes(most, &bytes);

		fake_send_bytes(from, (u32)bytes);
		fake_shell_run(take_byte() * 10U);
		fake_print(0, "x\n");
	}
	if (!is_off())
		prompt_comes_back();
}

/* ---- a line ---- */

/* Common words are bytes of their own: no search would spell them. */
static const char *const words[] = {
	"vm",     "list",    "info",    "start",          "stop",          "kill",      "reset", "pause",
	"resume", "console", "log",     "send",           "set",           "mem",       "stats", "cpu",
	"trace",  "audit",   "version", "help",           "sleep",         "wait",      "web1",  "web2",
	"follow", "on",      "off",     "memory.min=32M", "memory.max=1G", "cmdline=",  "1",     "2",
	"--json", "\"a b\"", "vcpus=9", "balloon=none",   "share.group=x", "pool=none", "\\",    "\"",
};

static u32 add_word(char *line, u32 length, u8 byte)
{
	char one[2] = { (char)byte };
	const char *word = byte >= 0x80 ? words[byte % ARRAY_SIZE(words)] : byte < ' ' || byte == 0x7f ? " " : one;
	u32 more = (u32)strlen(word);

	memcpy(line + length, word, more + 1);
	return length + more;
}

/* --json behind the first word, where it is not part of anything else. */
static bool take_line(char *line)
{
	u32 length = 0;

	do
		length = add_word(line, length, take_byte() | 0x80);
	while (line[length - 1] == '"' || line[length - 1] == ' ');
	if (strchr(line, '"') || strcmp(line, "--json") == 0)
		return false;
	length += (u32)strlen(strcpy(line + length, " --json "));
	while (left.bytes && length < MOST_LINE)
		length = add_word(line, length, take_byte());
	return true;
}

static void run_line(void)
{
	char line[MOST_LINE + 64];

	if (!take_line(line))
		return;
	const char *text = fake_command(line), *answer = strstr(text, "\r\n");

	if (is_off())
		return;
	if (!ends_with(text, PROMPT)) { /* it waits for something, or is a guest's console */
		prompt_comes_back();
		return;
	}
	const char *end = answer ? strstr(answer + 2, "\r\n") : NULL;

	CHECK(end && strcmp(end, "\r\n" PROMPT) == 0);
	CHECK(answer[2] == '{' && json_is_valid(answer + 2, (u32)(end - answer - 2)));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	char startup[MOST_LINE] = "";

	take_from(data, bytes);
	u8 how = take_byte();

	if (how & STARTUP) {
		const u8 *text = take_bytes(sizeof(startup) - 1, &bytes);

		memcpy(startup, text, bytes);
	}
	begin(how, how & STARTUP ? startup : NULL);
	if (how & (RAW | STARTUP)) {
		run_raw();
		return 0;
	}
	while (left.bytes && !is_off())
		run_line();
	return 0;
}
