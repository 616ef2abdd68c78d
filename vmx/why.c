/* SPDX-License-Identifier: BSD-2-Clause */
/* How a vCPU ends, in one line; and which results are no end. */
#include "kernel/lib/format.h"
#include "vmx/vcpu.h"
#include <stdarg.h>

const char *vcpu_why(const struct vcpu *v)
{
	return v->why;
}

enum exit_action vcpu_kill(struct vcpu *v, const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	u32 used = format_va(v->why, sizeof(v->why), text, arguments);
	va_end(arguments);
	CHECK(used < sizeof(v->why));
	format(v->why + used, sizeof(v->why) - used, " at rip 0x%llx", (unsigned long long)v->exit.rip);
	return EXIT_KILL;
}

enum exit_action vcpu_wait_for(struct vcpu *v, err_t error, const char *what)
{
	CHECK(error != OK);
	if (error == E_SUSPEND || error == E_NO_MEMORY)
		return EXIT_SUSPEND;
	return vcpu_kill(v, "%s: %s", what, err_text(error));
}
