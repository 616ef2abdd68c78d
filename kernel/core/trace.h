/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring of the latest small events on each CPU: a few stores each, no locks, always on.  VM exits are not among them: each vCPU keeps
 * its own last ones (vmx/exit.c), for three stores an exit where an event here is a call, and a thousand exits a millisecond would
 * leave none of the rarer events to see.
 */
#pragma once
#include "kernel/lib/types.h"

/* name for the console, meaning of a and b */
#define TRACE_KINDS(X)                                                                     \
	X(INJECT, "inject")       /* VM-entry interruption information, VM << 32 | vCPU */ \
	X(INTERRUPT, "interrupt") /* vector */                                             \
	X(TASK, "task")           /* address of the task's name, result */                 \
	X(KICK, "kick")           /* CPU */                                                \
	X(PUBLISH, "publish")     /* VM, epoch */                                          \
	X(RESOLVE, "resolve")     /* VM << 32 | PPN, access */                             \
	X(VM_STATE, "vm")         /* VM, state */

#define TRACE_ENUM(kind, text) TRACE_##kind,
enum trace_kind { TRACE_KINDS(TRACE_ENUM) TRACE_KIND_COUNT };
#undef TRACE_ENUM

struct trace_event {
	u64 tsc;
	u64 a, b;
	u32 kind;
};

enum { TRACE_EVENTS = 1024 }; /* kept per CPU */

void trace(enum trace_kind kind, u64 a, u64 b);
/* Event number `position` of a CPU, counted from its start; false: overwritten, or not there yet. */
bool trace_read(u32 cpu, u64 position, struct trace_event *event);
u64 trace_end(u32 cpu); /* the number that its next event gets */
const char *trace_kind_text(u32 kind);
