/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/controls.h"
#include "kernel/lib/check.h"

enum wish { NEEDED, WANTED, SWITCHED, NEVER };

struct control {
	enum control_group group;
	u32 mask;
	enum wish wish;
	const char *name, *why;
};

static const struct control controls[] = {
#define CONTROL(group_, name_, bit_, wish_, why_) \
	{ .group = CONTROL_##group_, .mask = 1U << (bit_), .wish = wish_, .name = #name_, .why = why_ },
#include "vmx/controls.def"
#undef CONTROL
};

/* May the bit be 1, and may it be 0, as its wish needs? */
static bool is_possible(const struct control *control, u32 must, u32 may)
{
	bool settable = (may & control->mask) != 0;
	bool clearable = (must & control->mask) == 0;

	switch (control->wish) {
	case NEEDED:
		return settable;
	case SWITCHED:
		return settable && clearable;
	case NEVER:
		return clearable;
	default:
		return true;
	}
}

const char *controls_compute(enum control_group group, u64 capability, u32 *value)
{
	u32 must = (u32)capability;
	u32 may = (u32)(capability >> 32);

	CHECK(group < CONTROL_GROUPS);
	*value = must;
	for (u32 i = 0; i < ARRAY_SIZE(controls); i++) {
		const struct control *control = &controls[i];

		if (control->group != group)
			continue;
		CHECK(control->why[0]);
		if (!is_possible(control, must, may))
			return control->name;
		if (control->wish == NEEDED || control->wish == WANTED)
			*value |= control->mask & may;
	}
	CHECK((*value & ~may) == 0 && (*value & must) == must);
	return NULL;
}
