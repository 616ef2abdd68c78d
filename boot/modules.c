/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration and each distinct file that it names, in the order of its first mention. */
#include "boot/boot.h"
#include "kernel/lib/check.h"
#include "kernel/lib/config.h"
#include <string.h>

#define CONFIG_PATH "\\aerostat\\aerostat.conf"

_Static_assert((int)CONFIG_PATH_BYTES <= (int)BOOT_PATH_BYTES, "every path of the configuration fits in bootinfo");

static bool is_listed(const char *path)
{
	for (u32 i = 0; i < boot.info->module_count; i++)
		if (strcmp(boot.info->modules[i].path, path) == 0)
			return true;
	return false;
}

static void load(const char *owner, const char *path)
{
	struct boot_module *module = &boot.info->modules[boot.info->module_count];
	struct boot_file file;

	if (path[0] == 0 || is_listed(path))
		return;
	if (boot.info->module_count == BOOT_MAX_MODULES) {
		say("%s: %s left out: there are %d files already", owner, path, BOOT_MAX_MODULES);
		return;
	}
	file = file_load(owner, path);
	CHECK(strlen(path) < sizeof(module->path));
	memcpy(module->path, path, strlen(path) + 1);
	module->base = (u64)file.bytes;
	module->bytes = file.size;
	module->xxh64 = file.xxh64;
	module->status = file.status;
	boot.info->module_count++;
}

static void load_vm(const struct config_vm *vm)
{
	load(vm->name, vm->kernel);
	load(vm->name, vm->initrd);
	for (u32 i = 0; i < CONFIG_MAX_MODULES; i++)
		load(vm->name, vm->modules[i]);
}

/* What is wrong with the configuration says the kernel, which reads it again. */
void modules_load(void)
{
	struct config *config = scratch_take(sizeof(*config));
	const struct boot_module *text = &boot.info->modules[0];

	load(NULL, CONFIG_PATH);
	config_parse(config, CONFIG_PATH, text->base ? (const char *)text->base : "", text->bytes);
	load("startup", config->host.startup);
	for (u32 i = 0; i < config->vm_count; i++)
		load_vm(&config->vms[i]);
}
