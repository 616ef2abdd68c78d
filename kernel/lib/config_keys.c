/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/lib/config_keys.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include <string.h>

enum { SHARES_MOST = 1000000000, NORMAL_SHARES_PER_MIB = 10, MIB_SHIFT = 20 };

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

bool config_is_name(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		      c == '.'))
			return false;
	}
	return length > 0 && length < CONFIG_NAME_BYTES;
}

void config_make_plain(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

u32 config_resolve_shares(u32 shares, u64 max_bytes)
{
	if (shares < SHARES_LOW || shares > SHARES_HIGH)
		return shares;
	u64 mib = min_u64(max_bytes >> MIB_SHIFT, SHARES_MOST);
	u64 number = mib * NORMAL_SHARES_PER_MIB << (shares - SHARES_LOW) >> 1;

	return (u32)max_u64(min_u64(number, SHARES_MOST), 1);
}

/* ---- values: each parser writes to the field, or changes nothing and says what is valid ---- */

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

/* Of a file on the boot volume; empty: none. */
static const char *set_path(struct target to, const char *text)
{
	return set_text(to, text);
}

static const char *set_name(struct target to, const char *text)
{
	if (!config_is_name(text))
		return "none, or a name of 1 to 31 letters, digits, '-', '_', '.'";
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

/* The word's place in the list, or `count`. */
static u32 find_word(const char *text, size_t length, const char *const *words, u32 count)
{
	u32 i = 0;

	while (i < count && (strlen(words[i]) != length || strncmp(words[i], text, length) != 0))
		i++;
	return i;
}

static const char *set_flag(struct target to, const char *text)
{
	static const char *const words[] = { "no", "yes", "off", "on" };
	u32 found = find_word(text, strlen(text), words, ARRAY_SIZE(words));

	if (found == ARRAY_SIZE(words))
		return "yes or no (on or off)";
	*(bool *)to.field = found % 2;
	return NULL;
}

static const char *set_shares(struct target to, const char *text)
{
	static const char *const words[] = { "low", "normal", "high" };
	u32 found = find_word(text, strlen(text), words, ARRAY_SIZE(words));
	u64 number = SHARES_LOW + found;

	if (found == ARRAY_SIZE(words) && !parse_number(text, SHARES_MOST, &number))
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
	u32 found = find_word(text, strlen(text), words, ARRAY_SIZE(words));

	if (found == ARRAY_SIZE(words))
		return "kvm, vmware or none";
	*(enum config_identity *)to.field = found;
	return NULL;
}

static bool is_between(char c)
{
	return c == ' ' || c == '\t' || c == ',';
}

/* One word, or several kinds with blanks or commas between them. */
static const char *set_balloon(struct target to, const char *text)
{
	static const char *const words[] = { "none", "all", "virtio", "vmware", "aerostat" };
	static const u32 kinds[] = { BALLOON_NONE, BALLOON_ALL, BALLOON_VIRTIO, BALLOON_VMWARE, BALLOON_AEROSTAT };
	u32 offered = 0, count = 0, single = 0;

	for (size_t length; *text; text += length) {
		while (is_between(*text))
			text++;
		for (length = 0; text[length] && !is_between(text[length]);)
			length++;
		u32 found = find_word(text, length, words, ARRAY_SIZE(words));

		if (found == ARRAY_SIZE(words))
			return "all, none, or some of virtio, vmware, aerostat";
		offered |= kinds[found];
		single += kinds[found] == BALLOON_NONE || kinds[found] == BALLOON_ALL;
		count++;
	}
	if (count == 0 || (single && count > 1))
		return "all, none, or some of virtio, vmware, aerostat";
	*(u32 *)to.field = offered;
	return NULL;
}

static const char *set_mode(struct target to, const char *text)
{
	static const char *const words[] = { [GROUP_FAST] = "fast", [GROUP_SECURE] = "secure" };
	u32 found = find_word(text, strlen(text), words, ARRAY_SIZE(words));

	if (found == ARRAY_SIZE(words))
		return "fast or secure";
	*(enum config_group_mode *)to.field = found;
	return NULL;
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
	static const char *const words[] = { "safe", "unsafe" };
	u32 found = find_word(text, strlen(text), words, ARRAY_SIZE(words));

	if (found == ARRAY_SIZE(words))
		return "safe or unsafe";
	*(bool *)to.field = found;
	return NULL;
}

/* ---- keys ---- */

struct config_key {
	const char *name;
	parser *parse;
	u32 offset, bytes;
};

#define KEY(name, parse, type, field)                                                        \
	{                                                                                    \
		name, parse, offsetof(struct type, field), sizeof(((struct type *)0)->field) \
	}
#define KEYS(table)                      \
	{                                \
		table, ARRAY_SIZE(table) \
	}

static const struct config_key host_keys[] = {
	KEY("tax", set_percent, config_host, tax_percent),
	KEY("swap", set_name, config_host, swap),
	KEY("overcommit", set_overcommit, config_host, overcommit_unsafe),
	KEY("mitigations", set_flag, config_host, mitigations),
	KEY("smt", set_flag, config_host, smt),
	KEY("startup", set_path, config_host, startup),
};

static const struct config_key vm_keys[] = {
	KEY("kernel", set_path, config_vm, kernel),
	KEY("initrd", set_path, config_vm, initrd),
	KEY("module0", set_path, config_vm, modules[0]),
	KEY("module1", set_path, config_vm, modules[1]),
	KEY("module2", set_path, config_vm, modules[2]),
	KEY("module3", set_path, config_vm, modules[3]),
	KEY("cmdline", set_text, config_vm, cmdline),
	KEY("memory.max", set_pages, config_vm, memory_max_bytes),
	KEY("memory.min", set_pages, config_vm, memory_min_bytes),
	KEY("memory.shares", set_shares, config_vm, memory_shares),
	KEY("share.group", set_name, config_vm, share_group),
	KEY("pool", set_name, config_vm, pool),
	KEY("balloon", set_balloon, config_vm, balloon),
	KEY("vcpus", set_vcpus, config_vm, vcpus),
	KEY("identity", set_identity, config_vm, identity),
	KEY("tsc.khz", set_khz, config_vm, tsc_khz),
	KEY("autostart", set_flag, config_vm, autostart),
};

static const struct config_key pool_keys[] = {
	KEY("min", set_pages, config_pool, min_bytes),
	KEY("max", set_pages, config_pool, max_bytes),
	KEY("shares", set_shares, config_pool, shares),
	KEY("parent", set_name, config_pool, parent),
};

static const struct config_key group_keys[] = {
	KEY("mode", set_mode, config_group, mode),
};

const struct config_keys config_host_keys = KEYS(host_keys);
const struct config_keys config_vm_keys = KEYS(vm_keys);
const struct config_keys config_pool_keys = KEYS(pool_keys);
const struct config_keys config_group_keys = KEYS(group_keys);

bool config_is_path(const struct config_keys *keys, const char *name)
{
	for (u32 i = 0; i < keys->count; i++)
		if (keys->keys[i].parse == set_path && strcmp(keys->keys[i].name, name) == 0)
			return true;
	return false;
}

const char *config_vm_key(u32 index)
{
	return index < ARRAY_SIZE(vm_keys) ? vm_keys[index].name : NULL;
}

static void say_unknown(const struct config_keys *keys, const char *name, char error[CONFIG_ERROR_BYTES])
{
	u32 used = format(error, CONFIG_ERROR_BYTES, "unknown key '%.32s'; valid:", name);

	for (u32 i = 0; i < keys->count; i++)
		used += format(error + used, CONFIG_ERROR_BYTES - used, " %s", keys->keys[i].name);
}

static err_t set_known(const struct config_key *key, void *base, const char *value, char error[CONFIG_ERROR_BYTES])
{
	const char *valid = key->parse((struct target){ (u8 *)base + key->offset, key->bytes }, value);

	if (!valid)
		return OK;
	format(error, CONFIG_ERROR_BYTES, "%s = %.40s: valid is %s", key->name, value, valid);
	config_make_plain(error);
	return E_INVALID;
}

err_t config_set_key(const struct config_keys *keys, void *base, const char *name, const char *value, u64 *seen,
		     char error[CONFIG_ERROR_BYTES])
{
	for (u32 i = 0; i < keys->count; i++) {
		if (strcmp(keys->keys[i].name, name) != 0)
			continue;
		if (*seen & BIT(i)) {
			format(error, CONFIG_ERROR_BYTES, "%s is there twice; valid is once a section", name);
			return E_INVALID;
		}
		*seen |= BIT(i);
		return set_known(&keys->keys[i], base, value, error);
	}
	say_unknown(keys, name, error);
	config_make_plain(error);
	return E_INVALID;
}

err_t config_set(struct config_vm *vm, const char *key, const char *value, char error[CONFIG_ERROR_BYTES])
{
	u64 seen = 0;
	err_t result = config_set_key(&config_vm_keys, vm, key, value, &seen, error);

	vm->memory_shares = config_resolve_shares(vm->memory_shares, vm->memory_max_bytes);
	return result;
}
