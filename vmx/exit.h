/* SPDX-License-Identifier: BSD-2-Clause */
/* The exit table: one row a reason, total by construction.  Handlers are in exits/ and in the emulation part. */
#pragma once
#include "vmx/vcpu.h"

enum exit_reason {
#define EXIT(number, name, handler, needs) REASON_##name,
#include "vmx/exit_reasons.def"
#undef EXIT
	EXIT_REASON_COUNT
};

/* Every handler, whoever implements it. */
#define EXIT(number, name, handler, needs) enum exit_action handler(struct vcpu *v);
#include "vmx/exit_reasons.def"
#undef EXIT

const char *exit_reason_name(u32 reason); /* NULL: there is no such reason */

/* Called by entry.asm.  An exit has happened: EXIT_RESUME if the guest is to be entered again, now; else what the scheduler has to know. */
enum exit_action exit_handle(struct vcpu *v);
/* VMLAUNCH or VMRESUME did not enter the guest at all: EXIT_KILL. */
enum exit_action exit_entry_refused(struct vcpu *v);
