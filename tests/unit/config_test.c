/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration: every key, every error with file, line and what is valid, and texts that nobody meant to write. */
#include "kernel/lib/config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct config config;

static void parse_bytes(const char *text, size_t bytes)
{
	/* A copy that ends where the text ends: ASan sees a read beyond it. */
	char *copy = malloc(bytes ? bytes : 1);

	memcpy(copy, text, bytes);
	memset(&config, 0xa5, sizeof(config));
	config_parse(&config, "aerostat.conf", copy, bytes);
	free(copy);
	for (u32 i = 0; i < config.error_count && i < CONFIG_MAX_ERRORS; i++) {
		assert_ptr_equal(strchr(config.errors[i], '\n'), NULL);
		assert_true(strlen(config.errors[i]) < CONFIG_ERROR_BYTES);
		assert_int_equal(strncmp(config.errors[i], "aerostat.conf:", 14), 0);
	}
}

static void parse(const char *text)
{
	parse_bytes(text, strlen(text));
}

static void expect_clean(void)
{
	if (config.error_count)
		fail_msg("%s", config.errors[0]);
}

/* Exactly one error: at this line, with these words in it. */
static void expect_error(u32 line, const char *words)
{
	char start[40];

	snprintf(start, sizeof(start), "aerostat.conf:%u: ", line);
	assert_int_equal(config.error_count, 1);
	if (strncmp(config.errors[0], start, strlen(start)) != 0 || !strstr(config.errors[0], words))
		fail_msg("'%s' is not '%s…%s'", config.errors[0], start, words);
}

static const char minimum[] = "[vm a]\nkernel = \\k\nmemory.max = 64M\n";

static void an_empty_file_gives_defaults_and_no_vm(void **state)
{
	(void)state;
	parse("");
	expect_clean();
	assert_int_equal(config.vm_count, 0);
	assert_int_equal(config.host.tax_percent, 75);
	assert_string_equal(config.host.swap, "none");
	assert_false(config.host.overcommit_unsafe);
	assert_true(config.host.mitigations && config.host.smt);
	assert_string_equal(config.host.startup, "");
}

static void a_vm_of_two_keys_has_the_documented_defaults(void **state)
{
	const struct config_vm *vm = &config.vms[0];

	(void)state;
	parse(minimum);
	expect_clean();
	assert_int_equal(config.vm_count, 1);
	assert_null(vm->error);
	assert_string_equal(vm->name, "a");
	assert_string_equal(vm->kernel, "\\k");
	assert_string_equal(vm->initrd, "");
	assert_string_equal(vm->cmdline, "");
	assert_int_equal(vm->memory_max_bytes, 64 << 20);
	assert_int_equal(vm->memory_min_bytes, 64 << 20);
	assert_int_equal(vm->memory_shares, 640);
	assert_string_equal(vm->share_group, "none");
	assert_string_equal(vm->pool, "none");
	assert_int_equal(vm->balloon, BALLOON_ALL);
	assert_int_equal(vm->vcpus, 1);
	assert_int_equal(vm->identity, IDENTITY_KVM);
	assert_int_equal(vm->tsc_khz, 0);
	assert_false(vm->autostart);
	assert_int_equal(vm->line, 1);
}

static void every_key_of_a_vm_arrives_in_its_field(void **state)
{
	const struct config_vm *vm = &config.vms[0];

	(void)state;
	parse("[pool gold]\n[vm web-1.x_Y]\nkernel = \\guests\\vmlinuz\ninitrd=\\i\nmodule0 = \\0\nmodule1 = \\1\nmodule2 = \\2\n"
	      "module3 = \\3\ncmdline = console=ttyS0 a=b\nmemory.max = 1G\nmemory.min = 65536K\nmemory.shares = high\n"
	      "share.group = demo\npool = gold\nballoon = virtio, vmware\nvcpus = 4\nidentity = vmware\ntsc.khz = 2500000\n"
	      "autostart = yes\n");
	expect_clean();
	assert_string_equal(vm->name, "web-1.x_Y");
	assert_string_equal(vm->kernel, "\\guests\\vmlinuz");
	assert_string_equal(vm->initrd, "\\i");
	assert_string_equal(vm->modules[0], "\\0");
	assert_string_equal(vm->modules[3], "\\3");
	assert_string_equal(vm->cmdline, "console=ttyS0 a=b");
	assert_int_equal(vm->memory_max_bytes, 1 << 30);
	assert_int_equal(vm->memory_min_bytes, 64 << 20);
	assert_int_equal(vm->memory_shares, 20480);
	assert_string_equal(vm->share_group, "demo");
	assert_string_equal(vm->pool, "gold");
	assert_int_equal(vm->balloon, BALLOON_VIRTIO | BALLOON_VMWARE);
	assert_int_equal(vm->vcpus, 4);
	assert_int_equal(vm->identity, IDENTITY_VMWARE);
	assert_int_equal(vm->tsc_khz, 2500000);
	assert_true(vm->autostart);
}

static void every_key_of_the_host_arrives_in_its_field(void **state)
{
	(void)state;
	parse("[host]\ntax = 50\nswap = AEROSTAT-SWAP\novercommit = unsafe\nmitigations = off\nsmt = no\nstartup = \\s.txt\n");
	expect_clean();
	assert_int_equal(config.host.tax_percent, 50);
	assert_string_equal(config.host.swap, "AEROSTAT-SWAP");
	assert_true(config.host.overcommit_unsafe);
	assert_false(config.host.mitigations || config.host.smt);
	assert_string_equal(config.host.startup, "\\s.txt");
}

static void pools_and_groups_have_their_keys(void **state)
{
	(void)state;
	parse("[pool a]\nmin = 64M\nmax = 1G\nshares = low\nparent = b\n[pool b]\n[group g]\nmode = secure\n[group h]\n");
	expect_clean();
	assert_int_equal(config.pool_count, 2);
	assert_string_equal(config.pools[0].name, "a");
	assert_int_equal(config.pools[0].min_bytes, 64 << 20);
	assert_int_equal(config.pools[0].max_bytes, 1 << 30);
	assert_int_equal(config.pools[0].shares, 5120);
	assert_string_equal(config.pools[0].parent, "b");
	assert_string_equal(config.pools[1].parent, "none");
	assert_int_equal(config.pools[1].shares, 163840);
	assert_int_equal(config.group_count, 2);
	assert_int_equal(config.groups[0].mode, GROUP_SECURE);
	assert_int_equal(config.groups[1].mode, GROUP_FAST);
	assert_true(!config.pools[0].error && !config.groups[0].error);
}

static void shares_are_low_normal_high_or_a_number(void **state)
{
	static const struct {
		const char *value;
		u32 shares;
	} rows[] = { { "low", 320 }, { "normal", 640 }, { "high", 1280 }, { "0", 0 }, { "1", 1 }, { "1000000000", 1000000000 } };
	char text[200];

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		/* Before max is known, too. */
		snprintf(text, sizeof(text), "[vm a]\nmemory.shares = %s\nkernel = \\k\nmemory.max = 64M\n", rows[i].value);
		parse(text);
		expect_clean();
		assert_int_equal(config.vms[0].memory_shares, rows[i].shares);
	}
	parse("[vm a]\nkernel = \\k\nmemory.max = 4K\nmemory.shares = low\n");
	assert_int_equal(config.vms[0].memory_shares, 1);
	parse("[vm a]\nkernel = \\k\nmemory.max = 17179869183G\nmemory.shares = high\n");
	assert_int_equal(config.vms[0].memory_shares, 1000000000);
}

static void flags_have_four_words(void **state)
{
	(void)state;
	parse("[vm a]\nkernel = k\nmemory.max = 4K\nautostart = on\n[vm b]\nkernel = k\nmemory.max = 4K\nautostart = off\n");
	expect_clean();
	assert_true(config.vms[0].autostart);
	assert_false(config.vms[1].autostart);
}

static void balloons_are_all_none_or_a_list(void **state)
{
	static const struct {
		const char *value;
		u32 kinds;
	} rows[] = { { "all", BALLOON_ALL },
		     { "none", BALLOON_NONE },
		     { "aerostat", BALLOON_AEROSTAT },
		     { "virtio vmware", BALLOON_VIRTIO | BALLOON_VMWARE },
		     { "vmware,\tvirtio,aerostat", BALLOON_ALL } };
	static const char *const wrong[] = { "", "some", "all none", "none,virtio", "virtio,", ",", "virtio;vmware", "ALL" };
	struct config_vm vm = { .balloon = 77 };
	char error[CONFIG_ERROR_BYTES];

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(config_set(&vm, "balloon", rows[i].value, error), OK);
		assert_int_equal(vm.balloon, rows[i].kinds);
	}
	vm.balloon = 77;
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_int_equal(config_set(&vm, "balloon", wrong[i], error), E_INVALID);
		assert_non_null(strstr(error, "valid is all, none, or some of"));
		assert_int_equal(vm.balloon, 77);
	}
}

static void sizes_are_bytes_or_k_m_g(void **state)
{
	static const struct {
		const char *text;
		u64 bytes;
	} right[] = { { "0", 0 },
		      { "4096", 4096 },
		      { "1K", 1024 },
		      { "256M", 256 << 20 },
		      { "3G", 3ULL << 30 },
		      { "18446744073709551615", UINT64_MAX },
		      { "17179869183G", 17179869183ULL << 30 },
		      { "0007K", 7168 } };
	static const char *const wrong[] = { "",
					     "K",
					     "1k",
					     "1KB",
					     "1 K",
					     " 1K",
					     "-1",
					     "+1",
					     "0x1000",
					     "1.5G",
					     "1T",
					     "KK",
					     "1KM",
					     "18446744073709551616",
					     "17179869184G",
					     "99999999999999999999999999999999999999" };
	u64 bytes;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(right); i++) {
		assert_int_equal(config_size(right[i].text, &bytes), OK);
		assert_int_equal(bytes, right[i].bytes);
	}
	bytes = 5;
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(config_size(wrong[i], &bytes), E_INVALID);
	assert_int_equal(bytes, 5);
}

/* What is wrong with a value, in a VM's section, a host's, a pool's, a group's. */
static void every_bad_value_is_told_what_is_valid(void **state)
{
	static const struct {
		const char *section, *line, *words;
	} rows[] = {
		{ "vm v", "memory.max = 5000", "memory.max = 5000: valid is a size in whole 4 KiB pages" },
		{ "vm v", "memory.max = 0", "whole 4 KiB pages" },
		{ "vm v", "memory.max = lots", "whole 4 KiB pages" },
		{ "vm v", "memory.min = 64m", "memory.min = 64m: valid is a size" },
		{ "vm v", "memory.shares = most", "low, normal, high, or a number up to 1000000000" },
		{ "vm v", "memory.shares = 1000000001", "low, normal, high" },
		{ "vm v", "share.group = a b", "none, or a name of 1 to 31 letters" },
		{ "vm v", "share.group =", "none, or a name" },
		{ "vm v", "pool = p/q", "none, or a name" },
		{ "vm v", "balloon = big", "all, none, or some of virtio, vmware, aerostat" },
		{ "vm v", "vcpus = 0", "vcpus = 0: valid is 1 to 4" },
		{ "vm v", "vcpus = 5", "1 to 4" },
		{ "vm v", "identity = xen", "kvm, vmware or none" },
		{ "vm v", "tsc.khz = 999", "1000 to 20000000 (kHz)" },
		{ "vm v", "tsc.khz = 20000001", "1000 to 20000000 (kHz)" },
		{ "vm v", "autostart = maybe", "yes or no (on or off)" },
		{ "vm v", "colour = red", "unknown key 'colour'; valid: kernel initrd module0" },
		{ "vm v", "colour = red", "tsc.khz autostart" },
		{ "vm v", "tax = 5", "unknown key 'tax'" },
		{ "vm v", "= 5", "unknown key ''" },
		{ "host", "tax = 100", "tax = 100: valid is 0 to 99 (percent)" },
		{ "host", "tax = -1", "0 to 99" },
		{ "host", "tax =", "0 to 99" },
		{ "host", "swap = /dev/sda", "none, or a name" },
		{ "host", "overcommit = yes", "safe or unsafe" },
		{ "host", "mitigations = some", "yes or no (on or off)" },
		{ "host", "smt = 1", "yes or no (on or off)" },
		{ "host", "kernel = x", "unknown key 'kernel'; valid: tax swap overcommit mitigations smt startup" },
		{ "pool q", "min = 1", "min = 1: valid is a size" },
		{ "pool q", "max = -", "max = -: valid is a size" },
		{ "pool q", "shares = none", "low, normal, high" },
		{ "pool q", "parent = !", "none, or a name" },
		{ "pool q", "mode = fast", "unknown key 'mode'; valid: min max shares parent" },
		{ "group g", "mode = slow", "mode = slow: valid is fast or secure" },
		{ "group g", "min = 4K", "unknown key 'min'; valid: mode" },
	};
	char text[300];

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text), "%s\n[%s]\n%s\n", minimum, rows[i].section, rows[i].line);
		parse(text);
		expect_error(6, rows[i].words);
		assert_null(config.vms[0].error); /* the other VM still starts */
		if (rows[i].section[0] == 'v')
			assert_non_null(config.vms[1].error);
	}
}

static void long_values_are_refused_not_cut(void **state)
{
	char text[3000], value[1200];

	(void)state;
	memset(value, 'x', sizeof(value));
	snprintf(text, sizeof(text), "[vm a]\nmemory.max = 4K\nkernel = %.128s\n", value);
	parse(text);
	expect_error(3, "valid is at most 127 bytes");
	snprintf(text, sizeof(text), "[vm a]\nmemory.max = 4K\nkernel = %.127s\n", value);
	parse(text);
	expect_clean();
	assert_int_equal(strlen(config.vms[0].kernel), 127);
	snprintf(text, sizeof(text), "%scmdline = %.1024s\n", minimum, value);
	parse(text);
	expect_error(4, "valid is at most 1023 bytes");
	snprintf(text, sizeof(text), "%scmdline = %.1023s\n", minimum, value);
	parse(text);
	expect_clean();
	assert_int_equal(strlen(config.vms[0].cmdline), 1023);
	snprintf(text, sizeof(text), "%sshare.group = %.32s\n", minimum, value);
	parse(text);
	expect_error(4, "a name of 1 to 31");
	snprintf(text, sizeof(text), "[vm %.32s]\nkernel = x\n", value);
	parse(text);
	expect_error(1, "a name of 1 to 31");
	assert_int_equal(config.vm_count, 0);
}

static void a_line_of_10000_characters_is_one_error(void **state)
{
	static char text[12000];
	size_t start = strlen(minimum);

	(void)state;
	for (u32 shape = 0; shape < 4; shape++) {
		static const char fill[] = { 'x', ';', ' ', '[' };

		memset(text, 0, sizeof(text));
		memcpy(text, minimum, start);
		memset(text + start, fill[shape], 10000);
		memcpy(text + start + 10000, "\n[vm b]\nkernel = k\nmemory.max = 8K\n", 36);
		parse(text);
		expect_error(4, "a line of 10000 bytes; valid are at most 1279");
		assert_non_null(config.vms[0].error); /* whatever it was meant to say */
		assert_int_equal(config.vm_count, 2);
		assert_null(config.vms[1].error);
	}
}

static void the_longest_line_is_read(void **state)
{
	char text[1400];

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "[host]\ntax = 7", 14);
	text[7 + 1279] = '\n';
	parse_bytes(text, 7 + 1280);
	expect_clean();
	assert_int_equal(config.host.tax_percent, 7);
	text[7 + 1279] = ' ';
	parse_bytes(text, 7 + 1280);
	expect_error(2, "a line of 1280 bytes");
}

static void a_key_given_twice_is_an_error(void **state)
{
	(void)state;
	parse("[vm a]\nkernel = k\nmemory.max = 4K\nmemory.max = 8K\n");
	expect_error(4, "memory.max is there twice");
	assert_non_null(config.vms[0].error);
	parse("[host]\ntax = 5\n[vm a]\nkernel = k\nmemory.max = 4K\n[host]\ntax = 6\n");
	expect_error(7, "tax is there twice");
	assert_int_equal(config.host.tax_percent, 5);
	assert_null(config.vms[0].error);
	parse("[host]\ntax = 5\n[group g]\n[host]\nsmt = off\n"); /* but a section may go on */
	expect_clean();
}

static void a_name_given_twice_is_an_error_and_the_first_counts(void **state)
{
	(void)state;
	parse("[vm a]\nkernel = k\nmemory.max = 4K\n[vm a]\nkernel = other\nnonsense\n");
	expect_error(4, "[vm a]: is there already (line 1)");
	assert_int_equal(config.vm_count, 1);
	assert_string_equal(config.vms[0].kernel, "k");
	assert_null(config.vms[0].error);
	parse("[pool p]\n[pool p]\n");
	expect_error(2, "[pool p]: is there already (line 1)");
	parse("[group p]\n[pool p]\n[group p]\n");
	expect_error(3, "[group p]: is there already (line 1)");
}

static void windows_line_ends_and_a_byte_order_mark_do_not_matter(void **state)
{
	(void)state;
	parse("\xef\xbb\xbf[host]\r\ntax = 9\r\n\r\n[vm a]\r\nkernel = \\k\r\nmemory.max = 4K\r\ncmdline = a b \r\n");
	expect_clean();
	assert_int_equal(config.host.tax_percent, 9);
	assert_string_equal(config.vms[0].kernel, "\\k");
	assert_string_equal(config.vms[0].cmdline, "a b");
	assert_int_equal(config.vms[0].line, 4);
}

static void comments_end_lines_but_not_words(void **state)
{
	(void)state;
	parse("; first\n# second\n   ; third\n\t# fourth\n[host] ; the machine\ntax = 5 ; percent\nsmt = off\t;x\n"
	      "[vm a];\n");
	expect_error(8, "'[vm a];': valid sections are"); /* no blank before it */
	parse("[vm a]\nkernel = k ; Linux\nmemory.max = 4K\ncmdline = a;b c=\"d;e\" f#g # h ; gone ; too\n");
	expect_clean();
	assert_string_equal(config.vms[0].kernel, "k");
	assert_string_equal(config.vms[0].cmdline, "a;b c=\"d;e\" f#g # h");
}

static void blanks_around_everything_do_not_matter(void **state)
{
	(void)state;
	parse("  [ vm   a ]  \n\t kernel\t=\tk\nmemory.max=4K\ncmdline = x = y\n");
	expect_clean();
	assert_string_equal(config.vms[0].name, "a");
	assert_string_equal(config.vms[0].cmdline, "x = y");
}

static void a_value_may_be_empty_where_that_means_none(void **state)
{
	(void)state;
	parse("[host]\nstartup =\n[vm a]\nkernel = k\nmemory.max = 4K\ninitrd =\ncmdline =\n");
	expect_clean();
	assert_string_equal(config.vms[0].initrd, "");
}

static void an_unknown_section_is_named_and_its_keys_are_passed_over(void **state)
{
	static const char *const wrong[] = {
		"[network]", "[vm]", "[vmx a]", "[host", "[host] x", "[]", "[", "[Host]", "[hostile]"
	};
	char text[200];

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(text, sizeof(text), "%s%s\ntax = 7\nnonsense\n[host]\nsmt = off\n", minimum, wrong[i]);
		parse(text);
		expect_error(4, "valid sections are [host], [vm NAME], [pool NAME] and [group NAME]");
		assert_non_null(strstr(config.errors[0], wrong[i])); /* as it was written */
		assert_int_equal(config.host.tax_percent, 75);
		assert_false(config.host.smt);
		assert_null(config.vms[0].error);
	}
}

static void names_of_sections_are_checked(void **state)
{
	(void)state;
	parse("[vm a b]\n");
	expect_error(1, "[vm a b]: valid is a name of 1 to 31 letters");
	parse("[pool ]\n");
	expect_error(1, "valid sections are");
	parse("[pool none]\n");
	expect_error(1, "'none' is a reserved word");
	parse("[group none]\n");
	expect_error(1, "'none' is a reserved word");
	parse("[group /]\n");
	expect_error(1, "[group /]: valid is a name");
}

static void a_key_before_any_section_or_without_equals_is_an_error(void **state)
{
	(void)state;
	parse("tax = 5\n");
	expect_error(1, "'tax = 5': ");
	parse("[host]\ntax 5\n");
	expect_error(2, "'tax 5': valid are [section] and key = value");
}

static void a_vm_needs_a_kernel_and_memory(void **state)
{
	(void)state;
	parse("\n[vm a]\nmemory.max = 4K\n");
	expect_error(2, "[vm a]: kernel is missing");
	assert_non_null(config.vms[0].error);
	parse("[vm a]\nkernel = k\n");
	expect_error(1, "[vm a]: memory.max is missing");
	parse("[vm a]\nkernel = k\nmemory.max = 64M\nmemory.min = 65M\n");
	expect_error(1, "memory.min is above memory.max; valid is at most 65536 KiB");
}

static void one_mistake_gives_one_error(void **state)
{
	(void)state;
	parse("[vm a]\nkernel = k\nmemory.max = 64m\n"); /* and not: memory.max is missing */
	expect_error(3, "memory.max = 64m");
}

static void pools_must_exist_and_have_an_end(void **state)
{
	(void)state;
	parse("[vm a]\nkernel = k\nmemory.max = 4K\npool = gold\n");
	expect_error(1, "pool = gold: there is no [pool gold]");
	assert_non_null(config.vms[0].error);
	parse("[pool a]\nparent = b\n");
	expect_error(1, "parent = b: there is no such pool");
	assert_string_equal(config.pools[0].parent, "none");
	parse("[pool a]\nparent = a\n");
	expect_error(1, "a pool above itself");
	parse("[pool a]\nparent = b\n[pool b]\nparent = c\n[pool c]\nparent = a\n[pool d]\nparent = c\n");
	expect_error(1, "[pool a]: parent = b: a pool above itself");
	assert_string_equal(config.pools[1].parent, "c");
	parse("[pool a]\nmin = 8K\nmax = 4K\n");
	expect_error(1, "[pool a]: min is above max; valid is at most 4 KiB");
	assert_non_null(config.pools[0].error);
}

static void control_characters_are_refused(void **state)
{
	char text[100];
	size_t bytes = (size_t)snprintf(text, sizeof(text), "[vm a]\nkernel = k\nmemory.max = 4K\ncmdline = a%cb\n", 1);

	(void)state;
	parse_bytes(text, bytes);
	expect_error(4, "column 12: byte 0x01; valid is text");
	*strchr(text, 1) = 0; /* a zero would hide what follows */
	parse_bytes(text, bytes);
	expect_error(4, "byte 0x00");
	parse("[host]\ntax\r = 5\n");
	expect_error(2, "byte 0x0d");
	parse("[host]\ntax = \x1b[2J\n");
	expect_error(2, "byte 0x1b");
}

static void messages_are_plain_ascii(void **state)
{
	(void)state;
	parse("[host]\ntax = f\xc3\xbcnf\n");
	expect_error(2, "tax = f??nf: valid is");
	parse("[vm \xff\xfe]\n");
	expect_error(1, "[vm ??]:");
	parse("[host]\n\xe2\x82\xac = 1\n");
	expect_error(2, "unknown key '?");
}

static void a_cut_off_file_never_reads_beyond_its_end(void **state)
{
	static const char text[] =
		"\xef\xbb\xbf; c\n[host]\ntax = 75 ; p\n[pool p]\nparent = none\nmin = 4K\n[group g]\nmode = fast\n[vm web1]\n"
		"kernel = \\g\\v\ncmdline = console=ttyS0 ;x\nmemory.max = 256M\nballoon = virtio vmware\n";

	(void)state;
	for (size_t bytes = 0; bytes < sizeof(text); bytes++) {
		parse_bytes(text, bytes);
		assert_true(config.error_count <= 2);
	}
	parse_bytes(text, strlen(text));
	expect_clean();
}

static const char *trouble_of(const char *path)
{
	assert_int_not_equal(path[0], 0);
	return strcmp(path, "\\there") == 0 ? NULL : "is not on the boot volume";
}

static void parse_with_files(const char *file, const char *text)
{
	config_parse_with_files(&config, file, text, strlen(text), trouble_of);
}

static void a_missing_file_is_an_error_of_the_line_that_names_it(void **state)
{
	static const char *const keys[] = { "kernel", "initrd", "module0", "module1", "module2", "module3" };
	char text[300], words[100];

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(text, sizeof(text),
			 "[vm a]\nmemory.max = 4M\n%s = \\gone\n[vm b]\nmemory.max = 4M\nkernel = \\there\ninitrd =\n", keys[i]);
		parse_with_files("aerostat.conf", text);
		snprintf(words, sizeof(words), "%s = \\gone: this file is not on the boot volume; valid is one that is there",
			 keys[i]);
		expect_error(3, words);
		assert_ptr_equal(config.vms[0].error, config.errors[0]);
		assert_null(config.vms[1].error);
	}
	parse_with_files("aerostat.conf", "[host]\nstartup = \\gone");
	expect_error(2, "startup = \\gone: this file is not");
	parse_with_files("aerostat.conf", "[vm a]\nmemory.max = 4M\ncmdline = \\gone\nkernel = \\there");
	expect_clean();
}

/* The longest path, and the longest name of a file that is shown. */
static void no_message_about_a_file_is_cut(void **state)
{
	char name[64], text[300], path[CONFIG_PATH_BYTES];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[60] = 0;
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = 0;
	snprintf(text, sizeof(text), "[vm a]\nmodule3 = %s\n", path);
	parse_with_files(name, text);
	assert_non_null(strstr(config.errors[0], "pppp: this file is not on the boot volume; valid is one that is there"));
}

static void a_vm_keeps_its_first_error(void **state)
{
	static char text[80 * 100];
	size_t end = 0;

	(void)state;
	parse("[vm a]\nkernle = k\nmemory.max = 5\nkernel = k\n");
	assert_int_equal(config.error_count, 2);
	assert_ptr_equal(config.vms[0].error, config.errors[0]);
	for (u32 i = 0; i < CONFIG_MAX_ERRORS + 1; i++)
		end += (size_t)snprintf(text + end, sizeof(text) - end, "[vm v%u]\nx = y\n", i);
	parse(text);
	assert_ptr_equal(config.vms[CONFIG_MAX_ERRORS - 1].error, config.errors[CONFIG_MAX_ERRORS - 1]);
	assert_non_null(strstr(config.vms[CONFIG_MAX_ERRORS].error, "its configuration has an error"));
}

static void there_are_limits_and_they_are_told(void **state)
{
	static char text[80 * 100];
	size_t end = 0;

	(void)state;
	for (u32 i = 0; i < CONFIG_MAX_VMS + 1; i++)
		end += (size_t)snprintf(text + end, sizeof(text) - end, "[vm v%u]\nkernel = k\nmemory.max = 4K\n", i);
	parse(text);
	expect_error(CONFIG_MAX_VMS * 3 + 1, "[vm v64]: valid are at most 64 of them");
	assert_int_equal(config.vm_count, CONFIG_MAX_VMS);
	end = 0;
	for (u32 i = 0; i < CONFIG_MAX_POOLS + 1; i++)
		end += (size_t)snprintf(text + end, sizeof(text) - end, "[pool v%u]\n", i);
	parse(text);
	expect_error(CONFIG_MAX_POOLS + 1, "valid are at most 16");
	end = 0;
	for (u32 i = 0; i < 100; i++)
		end += (size_t)snprintf(text + end, sizeof(text) - end, "wrong %u\n", i);
	parse(text);
	assert_int_equal(config.error_count, 100);
	assert_non_null(strstr(config.errors[CONFIG_MAX_ERRORS - 1], ":32: "));
}

static void a_file_that_is_too_long_is_read_up_to_there(void **state)
{
	size_t bytes = CONFIG_MAX_TEXT_BYTES + 100;
	char *text = malloc(bytes);

	(void)state;
	memset(text, '\n', bytes);
	memcpy(text, "[host]\ntax = 3", 14);
	memcpy(text + CONFIG_MAX_TEXT_BYTES - 8, "\nsmt=off and so on", 18);
	parse_bytes(text, bytes);
	assert_int_equal(config.error_count, 1);
	assert_non_null(strstr(config.errors[0], "the file is too long; valid are at most 256 KiB"));
	assert_int_equal(config.host.tax_percent, 3);
	assert_true(config.host.smt);
	free(text);
}

static void the_name_of_the_file_may_be_long(void **state)
{
	char name[500];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	config_parse(&config, name, "[vm a]\nx = y\n", 13);
	assert_int_equal(config.error_count, 1);
	assert_non_null(strstr(config.errors[0], "nnn:2: unknown key 'x'"));
	assert_non_null(strstr(config.errors[0], "autostart"));
}

static void setting_one_key_changes_it_or_nothing(void **state)
{
	struct config_vm vm = { .memory_max_bytes = 64 << 20, .vcpus = 2 }, before;
	char error[CONFIG_ERROR_BYTES];

	(void)state;
	assert_int_equal(config_set(&vm, "memory.min", "16M", error), OK);
	assert_int_equal(vm.memory_min_bytes, 16 << 20);
	assert_int_equal(config_set(&vm, "memory.shares", "high", error), OK);
	assert_int_equal(vm.memory_shares, 1280);
	before = vm;
	assert_int_equal(config_set(&vm, "vcpus", "9", error), E_INVALID);
	assert_string_equal(error, "vcpus = 9: valid is 1 to 4");
	assert_int_equal(config_set(&vm, "vcpu", "1", error), E_INVALID);
	assert_non_null(strstr(error, "unknown key 'vcpu'; valid: kernel"));
	assert_memory_equal(&vm, &before, sizeof(vm));
}

static void random_bytes_never_break_it(void **state)
{
	static const char alphabet[] = "[]=;# \t\r\n\0avmhostpolgru.kMK019\xff";
	char text[600];
	u32 seed = 12345;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (u32 round = 0; round < 3000; round++) {
		size_t bytes = (size_t)rand() % sizeof(text);

		for (size_t i = 0; i < bytes; i++)
			text[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
		parse_bytes(text, bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_gives_defaults_and_no_vm),
		cmocka_unit_test(a_vm_of_two_keys_has_the_documented_defaults),
		cmocka_unit_test(every_key_of_a_vm_arrives_in_its_field),
		cmocka_unit_test(every_key_of_the_host_arrives_in_its_field),
		cmocka_unit_test(pools_and_groups_have_their_keys),
		cmocka_unit_test(shares_are_low_normal_high_or_a_number),
		cmocka_unit_test(flags_have_four_words),
		cmocka_unit_test(balloons_are_all_none_or_a_list),
		cmocka_unit_test(sizes_are_bytes_or_k_m_g),
		cmocka_unit_test(every_bad_value_is_told_what_is_valid),
		cmocka_unit_test(long_values_are_refused_not_cut),
		cmocka_unit_test(a_line_of_10000_characters_is_one_error),
		cmocka_unit_test(the_longest_line_is_read),
		cmocka_unit_test(a_key_given_twice_is_an_error),
		cmocka_unit_test(a_name_given_twice_is_an_error_and_the_first_counts),
		cmocka_unit_test(windows_line_ends_and_a_byte_order_mark_do_not_matter),
		cmocka_unit_test(comments_end_lines_but_not_words),
		cmocka_unit_test(blanks_around_everything_do_not_matter),
		cmocka_unit_test(a_value_may_be_empty_where_that_means_none),
		cmocka_unit_test(an_unknown_section_is_named_and_its_keys_are_passed_over),
		cmocka_unit_test(names_of_sections_are_checked),
		cmocka_unit_test(a_key_before_any_section_or_without_equals_is_an_error),
		cmocka_unit_test(a_vm_needs_a_kernel_and_memory),
		cmocka_unit_test(one_mistake_gives_one_error),
		cmocka_unit_test(pools_must_exist_and_have_an_end),
		cmocka_unit_test(control_characters_are_refused),
		cmocka_unit_test(messages_are_plain_ascii),
		cmocka_unit_test(a_cut_off_file_never_reads_beyond_its_end),
		cmocka_unit_test(a_missing_file_is_an_error_of_the_line_that_names_it),
		cmocka_unit_test(no_message_about_a_file_is_cut),
		cmocka_unit_test(a_vm_keeps_its_first_error),
		cmocka_unit_test(there_are_limits_and_they_are_told),
		cmocka_unit_test(a_file_that_is_too_long_is_read_up_to_there),
		cmocka_unit_test(the_name_of_the_file_may_be_long),
		cmocka_unit_test(setting_one_key_changes_it_or_nothing),
		cmocka_unit_test(random_bytes_never_break_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
