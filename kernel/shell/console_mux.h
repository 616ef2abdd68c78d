/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal attached to a guest's console: bytes pass as they are in both directions, until Ctrl-].  Attaching shows what the guest's
 * ring holds and consumes nothing.  A guest that writes faster than the wire carries loses its oldest bytes here, and only here:
 * "[N bytes lost]" stands in their place.
 */
#pragma once
#include "kernel/shell/input.h"
#include "kernel/shell/out.h"
#include "kernel/vm.h"

struct console_mux {
	struct vm *vm;
	u64 position; /* the next byte to show */
};

void mux_attach(struct console_mux *mux, struct vm *vm);
/* Keys to the guest; true: Ctrl-] was one, and the terminal is detached. */
bool mux_type(struct console_mux *mux, struct input *input, struct out *out);
/* A piece of the guest's output; true: call again in a moment, input or not. */
bool mux_show(struct console_mux *mux, struct out *out);
