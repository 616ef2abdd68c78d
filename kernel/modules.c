/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/modules.h"
#include "kernel/core/boot.h"
#include "kernel/lib/check.h"
#include <string.h>

const struct boot_module *module_find(const char *path)
{
	for (u32 i = 0; i < bootinfo.module_count; i++)
		if (strcmp(bootinfo.modules[i].path, path) == 0)
			return &bootinfo.modules[i];
	return NULL;
}

const u8 *module_bytes(const struct boot_module *module)
{
	CHECK(module->status == BOOT_MODULE_LOADED);
	return (const u8 *)(DIRECT_MAP_BASE + module->base);
}

const char *module_trouble(const struct boot_module *module)
{
	static const char *const trouble[] = {
		[BOOT_MODULE_LOADED] = NULL,
		[BOOT_MODULE_MISSING] = "is not on the boot volume",
		[BOOT_MODULE_READ_ERROR] = "could not be read from the boot volume",
		[BOOT_MODULE_NO_MEMORY] = "did not fit in memory when it was loaded",
	};

	if (!module)
		return "was not loaded";
	CHECK(module->status < ARRAY_SIZE(trouble));
	return trouble[module->status];
}
