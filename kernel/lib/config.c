/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/lib/config.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include <stdarg.h>
#include <string.h>

enum { LINE_BYTES = 1280, DEFAULT_TAX = 75, NORMAL_SHARES_PER_MIB = 10 };

static bool parse_number(const char *text, u64 most, u64 *value)
{
	u64 sum = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		u64 digit = (u64)(u8)*text - '0';

		if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*value = sum;
	return sum <= most;
}

err_t config_size(const char *text, u64 *bytes)
{
	static const char units[] = "KMG";
	char digits[24];
	size_t length = strlen(text);
	u32 shift = 0;
	u64 value;

	if (length == 0 || length >= sizeof(digits))
		return E_INVALID;
	memcpy(digits, text, length + 1);
	const char *unit = strchr(units, digits[length - 1]);
	if (unit && *unit) {
		shift = 10 * (u32)(unit - units + 1);
		digits[length - 1] = 0;
	}
	if (!parse_number(digits, UINT64_MAX >> shift, &value))
		return E_INVALID;
	*bytes = value << shift;
	return OK;
}

/* ---- values: each parser writes to the field, or says what is valid ---- */

struct target {
	void *field;
	u32 bytes;
};

typedef const char *parser(struct target to, const char *text);

static const char *set_text(struct target to, const char *text)
{
	size_t length = strlen(text);

	if (length >= to.bytes)
		return to.bytes == CONFIG_CMDLINE_BYTES ? "at most 1023 bytes" : "at most 127 bytes";
	memcpy(to.field, text, length + 1);
	return NULL;
}

static bool is_name(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
			return false;
	}
	return length > 0 && length < CONFIG_NAME_BYTES;
}

static const char *set_name(struct target to, const char *text)
{
	if (!is_name(text))
		return "a name of 1 to 31 letters, digits, '-', '_', '.'";
	return set_text(to, text);
}

static const char *set_pages(struct target to, const char *text)
{
	u64 bytes;

	if (config_size(text, &bytes) || bytes == 0 || bytes % PAGE_SIZE)
		return "a size in whole 4 KiB pages: bytes, or a number with K, M or G";
	*(u64 *)to.field = bytes;
	return NULL;
}

static const char *set_flag(struct target to, const char *text)
{
	bool on = strcmp(text, "yes") == 0 || strcmp(text, "on") == 0;

	if (!on && strcmp(text, "no") != 0 && strcmp(text, "off") != 0)
		return "yes or no (on or off)";
	*(bool *)to.field = on;
	return NULL;
}

enum { SHARES_LOW = 0xfffffff0, SHARES_NORMAL, SHARES_HIGH, SHARES_MOST = 1000000000 };

static const char *set_shares(struct target to, const char *text)
{
	static const char *const words[] = { "low", "normal", "high" };
	u64 number;

	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(text, words[i]) == 0) {
			*(u32 *)to.field = SHARES_LOW + i;
			return NULL;
		}
	if (!parse_number(text, SHARES_MOST, &number))
		return "low, normal, high, or a number up to 1000000000";
	*(u32 *)to.field = (u32)number;
	return NULL;
}

static const char *set_vcpus(struct target to, const char *text)
{
	u64 number;

	if (!parse_number(text, CONFIG_MAX_VCPUS, &number) || number == 0)
		return "1 to 4";
	*(u32 *)to.field = (u32)number;
	return NULL;
}

static const char *set_identity(struct target to, const char *text)
{
	static const char *const words[] = { [IDENTITY_KVM] = "kvm", [IDENTITY_VMWARE] = "vmware", [IDENTITY_NONE] = "none" };

	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(text, words[i]) == 0) {
			*(enum config_identity *)to.field = i;
			return NULL;
		}
	return "kvm, vmware or none";
}

static const char *set_khz(struct target to, const char *text)
{
	enum { LEAST = 1000, MOST = 20000000 };
	u64 number;

	if (!parse_number(text, MOST, &number) || number < LEAST)
		return "1000 to 20000000 (kHz)";
	*(u64 *)to.field = number;
	return NULL;
}

static const char *set_percent(struct target to, const char *text)
{
	u64 number;

	if (!parse_number(text, 99, &number))
		return "0 to 99 (percent)";
	*(u32 *)to.field = (u32)number;
	return NULL;
}

static const char *set_overcommit(struct target to, const char *text)
{
	if (strcmp(text, "safe") != 0 && strcmp(text, "unsafe") != 0)
		return "safe or unsafe";
	*(bool *)to.field = strcmp(text, "unsafe") == 0;
	return NULL;
}

/* ---- keys ---- */

struct key {
	const char *name;
	parser *parse;
	u32 offset, bytes;
};

#define VM_KEY(name, parse, field) { name, parse, offsetof(struct config_vm, field), sizeof(((struct config_vm *)0)->field) }
#define HOST_KEY(name, parse, field) { name, parse, offsetof(struct config_host, field), sizeof(((struct config_host *)0)->field) }

static const struct key vm_keys[] = {
	VM_KEY("kernel", set_text, kernel),
	VM_KEY("initrd", set_text, initrd),
	VM_KEY("module0", set_text, modules[0]),
	VM_KEY("module1", set_text, modules[1]),
	VM_KEY("module2", set_text, modules[2]),
	VM_KEY("module3", set_text, modules[3]),
	VM_KEY("cmdline", set_text, cmdline),
	VM_KEY("memory.max", set_pages, memory_max_bytes),
	VM_KEY("memory.min", set_pages, memory_min_bytes),
	VM_KEY("memory.shares", set_shares, memory_shares),
	VM_KEY("share.group", set_name, share_group),
	VM_KEY("vcpus", set_vcpus, vcpus),
	VM_KEY("identity", set_identity, identity),
	VM_KEY("tsc.khz", set_khz, tsc_khz),
	VM_KEY("autostart", set_flag, autostart),
};

static const struct key host_keys[] = {
	HOST_KEY("tax", set_percent, tax_percent),
	HOST_KEY("overcommit", set_overcommit, overcommit_unsafe),
	HOST_KEY("mitigations", set_flag, mitigations),
	HOST_KEY("smt", set_flag, smt),
	HOST_KEY("startup", set_text, startup),
};

static const struct key *find_key(const struct key *keys, u32 count, const char *name)
{
	for (u32 i = 0; i < count; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static err_t set_key(const struct key *keys, u32 count, void *base, const char *name, const char *value,
		     char error[CONFIG_ERROR_BYTES])
{
	const struct key *key = find_key(keys, count, name);
	const char *valid;

	if (!key) {
		u32 used = format(error, CONFIG_ERROR_BYTES, "unknown key '%.32s'; valid:", name);

		for (u32 i = 0; i < count; i++)
			used += format(error + used, CONFIG_ERROR_BYTES - used, " %s", keys[i].name);
		return E_INVALID;
	}
	valid = key->parse((struct target){ (u8 *)base + key->offset, key->bytes }, value);
	if (!valid)
		return OK;
	format(error, CONFIG_ERROR_BYTES, "%s = %.40s: valid is %s", name, value, valid);
	return E_INVALID;
}

static void resolve_shares(struct config_vm *vm)
{
	u64 mib = vm->memory_max_bytes >> 20;

	if (vm->memory_shares >= SHARES_LOW && vm->memory_shares <= SHARES_HIGH)
		vm->memory_shares = (u32)(mib * NORMAL_SHARES_PER_MIB << (vm->memory_shares - SHARES_LOW) >> 1);
}

err_t config_set(struct config_vm *vm, const char *key, const char *value, char error[CONFIG_ERROR_BYTES])
{
	err_t result = set_key(vm_keys, ARRAY_SIZE(vm_keys), vm, key, value, error);

	resolve_shares(vm);
	return result;
}

/* ---- the text ---- */

enum section { SECTION_NONE, SECTION_HOST, SECTION_VM, SECTION_SKIP };

struct reader {
	struct config *config;
	const char *file;
	u32 line;
	enum section section;
	struct config_vm *vm;
};

static void complain(struct reader *reader, const char *text, ...) PRINTF(2, 3);
static void complain(struct reader *reader, const char *text, ...)
{
	struct config *config = reader->config;
	va_list arguments;

	if (reader->section == SECTION_VM)
		reader->vm->valid = false;
	if (config->error_count++ >= CONFIG_MAX_ERRORS)
		return;
	char *to = config->errors[config->error_count - 1];
	u32 used = format(to, CONFIG_ERROR_BYTES, "%.60s:%u: ", reader->file, reader->line);
	va_start(arguments, text);
	format_va(to + used, CONFIG_ERROR_BYTES - used, text, arguments);
	va_end(arguments);
}

static char *trim(char *text)
{
	size_t length;

	while (*text == ' ' || *text == '\t')
		text++;
	length = strlen(text);
	while (length && strchr(" \t\r", text[length - 1]))
		text[--length] = 0;
	return text;
}

static void begin_vm(struct reader *reader, const char *name)
{
	struct config *config = reader->config;

	reader->section = SECTION_SKIP;
	if (!is_name(name)) {
		complain(reader, "[vm %.32s]: a VM's name has 1 to 31 letters, digits, '-', '_', '.'", name);
		return;
	}
	for (u32 i = 0; i < config->vm_count; i++)
		if (strcmp(config->vms[i].name, name) == 0) {
			complain(reader, "[vm %s]: there is a VM of this name already (line %u); this one is left out", name,
				 config->vms[i].line);
			return;
		}
	if (config->vm_count == CONFIG_MAX_VMS) {
		complain(reader, "[vm %s]: at most %u VMs", name, CONFIG_MAX_VMS);
		return;
	}
	reader->vm = &config->vms[config->vm_count++];
	*reader->vm = (struct config_vm){ .vcpus = 1, .memory_shares = SHARES_NORMAL, .line = reader->line, .valid = true };
	memcpy(reader->vm->name, name, strlen(name) + 1);
	memcpy(reader->vm->share_group, "none", sizeof("none"));
	reader->section = SECTION_VM;
}

static void begin_section(struct reader *reader, char *text)
{
	char *end = strchr(text, ']');

	if (!end || *trim(end + 1)) {
		reader->section = SECTION_SKIP;
		complain(reader, "'%.40s': a section is [host], [vm NAME], [pool NAME] or [group NAME]", text);
		return;
	}
	*end = 0;
	text = trim(text + 1);
	if (strcmp(text, "host") == 0)
		reader->section = SECTION_HOST;
	else if (strncmp(text, "vm ", 3) == 0)
		begin_vm(reader, trim(text + 3));
	else if (strncmp(text, "pool ", 5) == 0 || strncmp(text, "group ", 6) == 0)
		reader->section = SECTION_SKIP;
	else {
		reader->section = SECTION_SKIP;
		complain(reader, "[%.40s]: a section is [host], [vm NAME], [pool NAME] or [group NAME]", text);
	}
}

static void read_key(struct reader *reader, char *text)
{
	char error[CONFIG_ERROR_BYTES];
	char *equals = strchr(text, '=');
	err_t result;

	if (reader->section == SECTION_SKIP)
		return;
	if (!equals || reader->section == SECTION_NONE) {
		complain(reader, "'%.40s': %s", text, equals ? "a key before any section" : "neither [section] nor key = value");
		return;
	}
	*equals = 0;
	if (reader->section == SECTION_HOST)
		result = set_key(host_keys, ARRAY_SIZE(host_keys), &reader->config->host, trim(text), trim(equals + 1), error);
	else
		result = set_key(vm_keys, ARRAY_SIZE(vm_keys), reader->vm, trim(text), trim(equals + 1), error);
	if (result)
		complain(reader, "%s", error);
}

static void read_line(struct reader *reader, const char *from, size_t bytes)
{
	char line[LINE_BYTES];

	if (bytes >= sizeof(line)) {
		complain(reader, "a line of %zu bytes; at most %u are valid", bytes, LINE_BYTES - 1);
		return;
	}
	memcpy(line, from, bytes);
	line[bytes] = 0;
	char *comment = strchr(line, ';');
	if (comment)
		*comment = 0;
	char *text = trim(line);
	if (*text == 0 || *text == '#')
		return;
	if (*text == '[')
		begin_section(reader, text);
	else
		read_key(reader, text);
}

static void finish(struct reader *reader, struct config_vm *vm)
{
	reader->section = SECTION_VM;
	reader->vm = vm;
	reader->line = vm->line;
	if (!vm->kernel[0])
		complain(reader, "[vm %s]: kernel is missing: the path of a bzImage, PVH or multiboot file", vm->name);
	if (!vm->memory_max_bytes)
		complain(reader, "[vm %s]: memory.max is missing: a size, such as 256M", vm->name);
	if (!vm->memory_min_bytes)
		vm->memory_min_bytes = vm->memory_max_bytes;
	if (vm->memory_min_bytes > vm->memory_max_bytes)
		complain(reader, "[vm %s]: memory.min exceeds memory.max", vm->name);
	resolve_shares(vm);
}

void config_parse(struct config *config, const char *file, const char *text, size_t bytes)
{
	struct reader reader = { .config = config, .file = file };

	memset(config, 0, sizeof(*config));
	config->host = (struct config_host){ .tax_percent = DEFAULT_TAX, .mitigations = true, .smt = true };
	bytes = bytes < CONFIG_MAX_TEXT_BYTES ? bytes : CONFIG_MAX_TEXT_BYTES;
	for (size_t at = 0; at < bytes;) {
		size_t end = at;

		while (end < bytes && text[end] != '\n')
			end++;
		reader.line++;
		read_line(&reader, text + at, end - at);
		at = end + 1;
	}
	for (u32 i = 0; i < config->vm_count; i++)
		finish(&reader, &config->vms[i]);
}
