/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any text as a configuration: what is wrong becomes bounded single lines that name file and line and what is valid, what is called valid
 * keeps every rule, and nothing of it spoils another VM.
 */
#include "kernel/lib/check.h"
#include "kernel/lib/config.h"
#include "tests/fuzz/input.h"

#define FILE_NAME "fuzz.conf"
#define OTHER "\n[vm another.one]\nkernel = \\k\nmemory.max = 64M\n"

static struct config config, with_another;

/* Some files are there, some are not. */
static const char *trouble(const char *path)
{
	return strchr(path, 'x') ? "is not on the boot volume" : NULL;
}

static u32 lines_of(const u8 *text, size_t bytes)
{
	u32 lines = 1;

	for (size_t i = 0; i < bytes; i++)
		lines += text[i] == '\n';
	return lines;
}

static void check_error(const char *error, u32 lines)
{
	static const char start[] = FILE_NAME ":";
	size_t length = strnlen(error, CONFIG_ERROR_BYTES);
	char *end;

	CHECK(length < CONFIG_ERROR_BYTES && memcmp(error, start, sizeof(start) - 1) == 0);
	unsigned long line = strtoul(error + sizeof(start) - 1, &end, 10);

	CHECK(line >= 1 && line <= lines && *end == ':');
	for (size_t i = 0; i < length; i++)
		CHECK(error[i] >= ' ' && error[i] <= '~');
	CHECK(strstr(error, "valid"));
}

static void check_text(const char *text, size_t room)
{
	size_t length = strnlen(text, room);

	CHECK(length < room);
	for (size_t i = 0; i < length; i++)
		CHECK((u8)text[i] >= ' ' || text[i] == '\t');
}

static bool has_pool(const char *name)
{
	for (u32 i = 0; i < config.pool_count; i++)
		if (strcmp(config.pools[i].name, name) == 0)
			return true;
	return strcmp(name, "none") == 0;
}

static void check_vm(u32 number)
{
	const struct config_vm *vm = &config.vms[number];

	check_text(vm->name, sizeof(vm->name));
	check_text(vm->kernel, sizeof(vm->kernel));
	check_text(vm->initrd, sizeof(vm->initrd));
	check_text(vm->cmdline, sizeof(vm->cmdline));
	check_text(vm->pool, sizeof(vm->pool));
	check_text(vm->share_group, sizeof(vm->share_group));
	for (u32 i = 0; i < CONFIG_MAX_MODULES; i++)
		check_text(vm->modules[i], sizeof(vm->modules[i]));
	for (u32 i = 0; i < number; i++)
		CHECK(strcmp(vm->name, config.vms[i].name) != 0);
	CHECK(vm->vcpus >= 1 && vm->vcpus <= CONFIG_MAX_VCPUS && vm->name[0]);
	CHECK(vm->balloon <= BALLOON_ALL && vm->identity <= IDENTITY_NONE);
	CHECK(vm->memory_max_bytes % PAGE_SIZE == 0 && vm->memory_min_bytes % PAGE_SIZE == 0);
	CHECK(vm->error ||
	      (vm->kernel[0] && vm->memory_max_bytes && vm->memory_min_bytes <= vm->memory_max_bytes && has_pool(vm->pool)));
	CHECK(vm->memory_shares <= 1000000000);
	CHECK(!vm->error || strnlen(vm->error, CONFIG_ERROR_BYTES) < CONFIG_ERROR_BYTES);
}

/* Upwards from every pool there is an end. */
static void check_pool(const struct config_pool *pool)
{
	u32 steps = 0;

	CHECK(pool->error || !pool->max_bytes || pool->min_bytes <= pool->max_bytes);
	CHECK(pool->shares <= 1000000000);
	for (const char *name = pool->parent; strcmp(name, "none") != 0; steps++) {
		u32 i = 0;

		while (i < config.pool_count && strcmp(config.pools[i].name, name) != 0)
			i++;
		CHECK(i < config.pool_count && steps < CONFIG_MAX_POOLS);
		name = config.pools[i].parent;
	}
}

/* Behind all that another VM stands as it was written, and what came before is as without it. */
static void check_another(const u8 *text, size_t bytes)
{
	char *longer = malloc(bytes + sizeof(OTHER));

	if (bytes)
		memcpy(longer, text, bytes);
	memcpy(longer + bytes, OTHER, sizeof(OTHER));
	config_parse_with_files(&with_another, FILE_NAME, longer, bytes + sizeof(OTHER) - 1, trouble);
	free(longer);
	u32 last = with_another.vm_count - 1;

	if (config.vm_count == CONFIG_MAX_VMS || with_another.vm_count == config.vm_count)
		return; /* too many, or one of this name is there */
	CHECK(with_another.vm_count == config.vm_count + 1 && !with_another.vms[last].error);
	CHECK(with_another.vms[last].memory_max_bytes == 64 << 20 && with_another.error_count == config.error_count);
	for (u32 i = 0; i < config.vm_count; i++)
		CHECK(!with_another.vms[i].error == !config.vms[i].error);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	u8 *text = copy_of(data, bytes);

	config_parse_with_files(&config, FILE_NAME, (const char *)text, bytes, trouble);
	CHECK(config.vm_count <= CONFIG_MAX_VMS && config.pool_count <= CONFIG_MAX_POOLS &&
	      config.group_count <= CONFIG_MAX_GROUPS);
	for (u32 i = 0; i < config.error_count && i < CONFIG_MAX_ERRORS; i++)
		check_error(config.errors[i], lines_of(data, bytes));
	for (u32 i = 0; i < config.vm_count; i++) {
		check_vm(i);
		CHECK(!config.vms[i].error || config.error_count);
	}
	for (u32 i = 0; i < config.pool_count; i++)
		check_pool(&config.pools[i]);
	CHECK(config.host.tax_percent < 100);
	check_another(text, bytes);
	free(text);
	return 0;
}
