/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/vmcs.h"
#include "kernel/lib/log.h"
#include <string.h>

enum { KIND_SHIFT = 10, KIND_MASK = 3, KIND_EXIT = 1 }; /* of an encoding: read-only data */

static const struct {
	u32 encoding;
	const char *name;
} fields[] = {
#define FIELD(width, name_, code) { .encoding = (code), .name = #name_ },
#include "vmx/vmcs.def"
#undef FIELD
};

const char *vmcs_name(u32 encoding)
{
	for (u32 i = 0; i < ARRAY_SIZE(fields); i++)
		if (fields[i].encoding == encoding)
			return fields[i].name;
	return NULL;
}

u32 vmcs_encoding(const char *name)
{
	CHECK(name && name[0]);
	for (u32 i = 0; i < ARRAY_SIZE(fields); i++)
		if (strcmp(fields[i].name, name) == 0 && (fields[i].encoding >> KIND_SHIFT & KIND_MASK) != KIND_EXIT)
			return fields[i].encoding;
	return 0;
}

void vmcs_failed(u32 encoding)
{
	const char *name = vmcs_name(encoding);

	log_line("vmx: no VMCS field 0x%x (%s), or no current VMCS", encoding, name ? name : "not one of ours");
	check_failed(__FILE__, __LINE__, "vmread or vmwrite");
}
