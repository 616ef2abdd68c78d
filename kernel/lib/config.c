/* SPDX-License-Identifier: BSD-2-Clause */
/* The text: lines, sections, and what can be said only when all is read. */
#include "kernel/lib/config.h"
#include "kernel/lib/check.h"
#include "kernel/lib/config_keys.h"
#include "kernel/lib/format.h"
#include <stdarg.h>
#include <string.h>

enum { LINE_BYTES = 1280, DEFAULT_TAX = 75, NONE_BYTES = sizeof("none") };

struct reader {
	struct config *config;
	const char *file;
	u32 line;
	/* The section: what its keys are (NULL: no section yet, or one that is left out), where they go, which have
	 * been there. */
	const struct config_keys *keys;
	void *base;
	const char **error; /* of the section, NULL: it has none */
	u64 seen, seen_host;
	bool skip;                                /* keys up to the next section belong to nothing */
	const char *(*trouble)(const char *path); /* NULL: nobody knows of files */
};

static void complain(struct reader *reader, const char *text, ...) PRINTF(2, 3);
static void complain(struct reader *reader, const char *text, ...)
{
	static const char not_kept[] = "its configuration has an error, one of so many that it was not kept";
	struct config *config = reader->config;
	u32 number = config->error_count++;
	bool is_kept = number < CONFIG_MAX_ERRORS;
	va_list arguments;

	if (reader->error && !*reader->error)
		*reader->error = is_kept ? config->errors[number] : not_kept;
	if (!is_kept)
		return;
	char *to = config->errors[number];
	u32 used = format(to, CONFIG_ERROR_BYTES, "%.60s:%u: ", reader->file, reader->line);

	va_start(arguments, text);
	format_va(to + used, CONFIG_ERROR_BYTES - used, text, arguments);
	va_end(arguments);
	config_make_plain(to);
}

/* ---- sections ---- */

static void *begin_vm(struct config *config, const char *name, u32 line, const char ***error)
{
	struct config_vm *vm = &config->vms[config->vm_count++];

	*vm = (struct config_vm){ .vcpus = 1, .memory_shares = SHARES_NORMAL, .balloon = BALLOON_ALL, .line = line };
	memcpy(vm->name, name, strlen(name) + 1);
	memcpy(vm->share_group, "none", NONE_BYTES);
	memcpy(vm->pool, "none", NONE_BYTES);
	*error = &vm->error;
	return vm;
}

static void *begin_pool(struct config *config, const char *name, u32 line, const char ***error)
{
	struct config_pool *pool = &config->pools[config->pool_count++];

	*pool = (struct config_pool){ .shares = SHARES_NORMAL, .line = line };
	memcpy(pool->name, name, strlen(name) + 1);
	memcpy(pool->parent, "none", NONE_BYTES);
	*error = &pool->error;
	return pool;
}

static void *begin_group(struct config *config, const char *name, u32 line, const char ***error)
{
	struct config_group *group = &config->groups[config->group_count++];

	*group = (struct config_group){ .mode = GROUP_FAST, .line = line };
	memcpy(group->name, name, strlen(name) + 1);
	*error = &group->error;
	return group;
}

/* Sections that have a name: an array in the config each. */
enum { KIND_VM, KIND_POOL, KIND_GROUP };
static const struct kind {
	const char *word;
	const struct config_keys *keys;
	void *(*begin)(struct config *config, const char *name, u32 line, const char ***error);
	u32 most;
	size_t first, bytes, count, line; /* offsets: in the config, and in an element (whose name is its first field) */
	bool none_is_taken;
} kinds[] = {
#define KIND(word, array, counter, most, none_is_taken)                                                                         \
	{                                                                                                                       \
#word, &config_##word##_keys, begin_##word, most, offsetof(struct config, array), sizeof(struct config_##word), \
			offsetof(struct config, counter), offsetof(struct config_##word, line), none_is_taken                   \
	}
	[KIND_VM] = KIND(vm, vms, vm_count, CONFIG_MAX_VMS, false),
	[KIND_POOL] = KIND(pool, pools, pool_count, CONFIG_MAX_POOLS, true),
	[KIND_GROUP] = KIND(group, groups, group_count, CONFIG_MAX_GROUPS, true),
};

static const u8 *element(const struct kind *kind, const struct config *config, u32 number)
{
	return (const u8 *)config + kind->first + number * kind->bytes;
}

static u32 count_of(const struct kind *kind, const struct config *config)
{
	return *(const u32 *)((const u8 *)config + kind->count);
}

/* The element of this name, NULL: none. */
static const u8 *find(const struct kind *kind, const struct config *config, const char *name)
{
	for (u32 i = 0; i < count_of(kind, config); i++) {
		if (strcmp((const char *)element(kind, config, i), name) == 0)
			return element(kind, config, i);
	}
	return NULL;
}

static void begin_named(struct reader *reader, const struct kind *kind, const char *name)
{
	struct config *config = reader->config;

	CHECK(!reader->keys && !reader->error && count_of(kind, config) <= kind->most);
	const u8 *same = find(kind, config, name);

	if (!config_is_name(name)) {
		complain(reader, "[%s %.32s]: valid is a name of 1 to 31 letters, digits, '-', '_', '.'", kind->word, name);
	} else if (kind->none_is_taken && strcmp(name, "none") == 0) {
		complain(reader, "[%s none]: 'none' is a reserved word; valid is another name", kind->word);
	} else if (same) {
		complain(reader, "[%s %s]: is there already (line %u); this one is left out; valid is one section for each name",
			 kind->word, name, *(const u32 *)(same + kind->line));
	} else if (count_of(kind, config) == kind->most) {
		complain(reader, "[%s %s]: valid are at most %u of them; this one is left out", kind->word, name, kind->most);
	} else {
		reader->base = kind->begin(config, name, reader->line, &reader->error);
		reader->keys = kind->keys;
		reader->seen = 0;
		reader->skip = false;
	}
}

static char *trim(char *text)
{
	size_t length;

	while (*text == ' ' || *text == '\t')
		text++;
	length = strlen(text);
	while (length && (text[length - 1] == ' ' || text[length - 1] == '\t' || text[length - 1] == '\r'))
		text[--length] = 0;
	return text;
}

/* From here on keys are of no section, unless what follows says otherwise. */
static void end_section(struct reader *reader)
{
	if (reader->keys == &config_host_keys)
		reader->seen_host = reader->seen;
	reader->keys = NULL;
	reader->error = NULL;
	reader->skip = true;
}

/* What stands between the brackets. False: no such section. */
static bool begin_known(struct reader *reader, char *text)
{
	if (strcmp(text, "host") == 0) {
		reader->keys = &config_host_keys;
		reader->base = &reader->config->host;
		reader->seen = reader->seen_host;
		reader->skip = false;
		return true;
	}
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t length = strlen(kinds[i].word);

		if (strncmp(text, kinds[i].word, length) == 0 && (text[length] == ' ' || text[length] == '\t')) {
			begin_named(reader, &kinds[i], trim(text + length));
			return true;
		}
	}
	return false;
}

static void begin_section(struct reader *reader, char *text)
{
	char *end = strchr(text, ']');

	end_section(reader);
	if (end && end[1] == 0) {
		*end = 0;
		if (begin_known(reader, trim(text + 1)))
			return;
		*end = ']';
	}
	complain(reader, "'%.40s': valid sections are [host], [vm NAME], [pool NAME] and [group NAME]", text);
}

/* ---- lines ---- */

static void check_file(struct reader *reader, const char *key, const char *path)
{
	const char *trouble = reader->trouble && *path && config_is_path(reader->keys, key) ? reader->trouble(path) : NULL;

	if (trouble)
		complain(reader, "%s = %s: this file %s; valid is one that is there", key, path, trouble);
}

static void read_key(struct reader *reader, char *text)
{
	char error[CONFIG_ERROR_BYTES];
	char *equals = strchr(text, '=');

	if (reader->skip)
		return;
	if (!equals) {
		complain(reader, "'%.40s': valid are [section] and key = value", text);
		return;
	}
	if (!reader->keys) {
		complain(reader,
			 "'%.40s': a key before any section; valid is [host], [vm NAME], [pool NAME] or [group NAME] "
			 "first",
			 text);
		return;
	}
	*equals = 0;
	const char *key = trim(text), *value = trim(equals + 1);

	if (config_set_key(reader->keys, reader->base, key, value, &reader->seen, error))
		complain(reader, "%s", error);
	else
		check_file(reader, key, value);
}

/* The first character that no text has; `bytes` if there is none.  What is above 0x7f may be UTF-8. */
static size_t find_control(const char *line, size_t bytes)
{
	size_t i = 0;

	while (i < bytes && ((u8)line[i] >= ' ' || line[i] == '\t' || (line[i] == '\r' && i + 1 == bytes)) && line[i] != 0x7f)
		i++;
	return i;
}

static void cut_comment(char *line)
{
	for (char *at = line; (at = strchr(at, ';')) != NULL; at++) {
		if (at == line || at[-1] == ' ' || at[-1] == '\t') {
			*at = 0;
			return;
		}
	}
}

static void read_line(struct reader *reader, const char *from, size_t bytes)
{
	char line[LINE_BYTES];
	size_t control = find_control(from, bytes);

	if (bytes >= sizeof(line)) {
		complain(reader, "a line of %llu bytes; valid are at most %u", (u64)bytes, LINE_BYTES - 1);
		return;
	}
	if (control < bytes) {
		complain(reader, "column %llu: byte 0x%02x; valid is text", (u64)control + 1, (u8)from[control]);
		return;
	}
	memcpy(line, from, bytes);
	line[bytes] = 0;
	cut_comment(line);
	char *text = trim(line);

	if (*text == 0 || *text == '#')
		return;
	if (*text == '[')
		begin_section(reader, text);
	else
		read_key(reader, text);
}

/* ---- what is known at the end ---- */

/* Not for a VM that has had its say: what seems to be missing may be what was wrong. */
static void finish_vm(struct reader *reader, struct config_vm *vm)
{
	reader->error = &vm->error;
	reader->line = vm->line;
	if (!vm->error && !vm->kernel[0])
		complain(reader, "[vm %s]: kernel is missing; valid is the path of a bzImage, PVH or multiboot file", vm->name);
	if (!vm->error && !vm->memory_max_bytes)
		complain(reader, "[vm %s]: memory.max is missing; valid is a size, such as 256M", vm->name);
	if (!vm->memory_min_bytes)
		vm->memory_min_bytes = vm->memory_max_bytes;
	if (!vm->error && vm->memory_min_bytes > vm->memory_max_bytes)
		complain(reader, "[vm %s]: memory.min is above memory.max; valid is at most %llu KiB", vm->name,
			 vm->memory_max_bytes >> 10);
	if (strcmp(vm->pool, "none") != 0 && !find(&kinds[KIND_POOL], reader->config, vm->pool))
		complain(reader, "[vm %s]: pool = %s: there is no [pool %s]; valid is none or one that is there", vm->name,
			 vm->pool, vm->pool);
	vm->memory_shares = config_resolve_shares(vm->memory_shares, vm->memory_max_bytes);
}

static const struct config_pool *parent_of(const struct config *config, const struct config_pool *pool)
{
	return (const struct config_pool *)(const void *)find(&kinds[KIND_POOL], config, pool->parent);
}

/* Upwards as many steps as there are pools: who has not arrived by then never will. */
static bool is_in_circle(const struct config *config, const struct config_pool *pool)
{
	for (u32 i = 0; pool && i < config->pool_count; i++)
		pool = parent_of(config, pool);
	return pool != NULL;
}

static void finish_pool(struct reader *reader, struct config_pool *pool)
{
	enum { UNLIMITED_GIB = 16 };
	const char *problem = NULL;

	reader->error = &pool->error;
	reader->line = pool->line;
	if (pool->max_bytes && pool->min_bytes > pool->max_bytes)
		complain(reader, "[pool %s]: min is above max; valid is at most %llu KiB", pool->name, pool->max_bytes >> 10);
	if (strcmp(pool->parent, "none") != 0 && !parent_of(reader->config, pool))
		problem = "there is no such pool";
	else if (is_in_circle(reader->config, pool))
		problem = "a pool above itself";
	if (problem) {
		complain(reader, "[pool %s]: parent = %s: %s; valid is none or another pool", pool->name, pool->parent, problem);
		memcpy(pool->parent, "none", NONE_BYTES);
	}
	pool->shares = config_resolve_shares(pool->shares, pool->max_bytes ? pool->max_bytes : (u64)UNLIMITED_GIB << 30);
}

static void finish(struct reader *reader)
{
	struct config *config = reader->config;

	for (u32 i = 0; i < config->pool_count; i++)
		finish_pool(reader, &config->pools[i]);
	for (u32 i = 0; i < config->vm_count; i++)
		finish_vm(reader, &config->vms[i]);
}

/* Editors of some systems put a mark before UTF-8. */
static size_t skip_mark(const char *text, size_t bytes)
{
	return bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

void config_parse_with_files(struct config *config, const char *file, const char *text, size_t bytes,
			     const char *(*trouble)(const char *path))
{
	struct reader reader = { .config = config, .file = file, .trouble = trouble };

	memset(config, 0, sizeof(*config));
	config->file = file;
	config->host = (struct config_host){ .tax_percent = DEFAULT_TAX, .swap = "none", .mitigations = true, .smt = true };
	for (size_t at = skip_mark(text, bytes); at < bytes;) {
		size_t end = at;

		while (end < bytes && text[end] != '\n')
			end++;
		reader.line++;
		if (end > CONFIG_MAX_TEXT_BYTES) {
			complain(&reader, "the file is too long; valid are at most %u KiB, what follows is left out",
				 CONFIG_MAX_TEXT_BYTES / 1024);
			break;
		}
		read_line(&reader, text + at, end - at);
		at = end + 1;
	}
	finish(&reader);
}

void config_parse(struct config *config, const char *file, const char *text, size_t bytes)
{
	config_parse_with_files(config, file, text, bytes, NULL);
}
