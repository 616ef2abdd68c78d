/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/shell/console_mux.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"

enum { CTRL_BRACKET = 0x1d, BELL = 7, PIECE_BYTES = 512 };

void mux_attach(struct console_mux *mux, struct vm *vm)
{
	CHECK(vm != NULL);
	mux->vm = vm;
	mux->position = vm_console_begin(vm);
}

static bool takes_input(enum vm_state state)
{
	return state == VM_RUNNING || state == VM_PAUSED || state == VM_STOPPING;
}

/*
 * What a busy guest does not take yet stays here; when there is no more room it goes, with a bell: Ctrl-] must always be seen.  A guest
 * that is off takes nothing.
 */
static void type(struct console_mux *mux, struct input *input, u32 count, struct out *out)
{
	static const u8 bell = BELL;

	if (!takes_input(vm_state_of(mux->vm))) {
		input_drop(input, count);
		return;
	}
	input_drop(input, vm_console_type(mux->vm, input->bytes + input->begin, count));
	if (input_count(input) == INPUT_BYTES) {
		input_drop(input, INPUT_BYTES);
		out_raw(out, &bell, 1);
	}
}

bool mux_type(struct console_mux *mux, struct input *input, struct out *out)
{
	u32 count = input_count(input);
	u32 keys;
	bool detaches = input_find(input, CTRL_BRACKET, &keys);

	if (keys) {
		type(mux, input, keys, out);
		keys -= count - input_count(input);
	}
	if (!detaches)
		return false;
	input_drop(input, keys + 1);
	out_start_line(out);
	out_line(out, "detached from %s", vm_config(mux->vm)->name);
	return true;
}

static void say_lost(struct console_mux *mux, struct out *out)
{
	u64 begin = vm_console_begin(mux->vm);

	if (begin <= mux->position)
		return;
	out_start_line(out);
	out_line(out, "[%llu bytes lost]", begin - mux->position);
	mux->position = begin;
}

bool mux_show(struct console_mux *mux, struct out *out)
{
	u8 piece[PIECE_BYTES];

	CHECK(mux->vm != NULL);
	say_lost(mux, out);
	u64 end = vm_console_end(mux->vm);
	CHECK(mux->position <= end);
	u32 wanted = (u32)min_u64(end - mux->position, sizeof(piece));
	u32 count = wanted ? vm_console_read(mux->vm, mux->position, piece, wanted) : 0;

	/* Overwritten since we looked: read again from where the ring begins now. */
	if (vm_console_begin(mux->vm) > mux->position)
		return true;
	CHECK(count <= wanted);
	out_raw(out, piece, count);
	mux->position += count;
	return mux->position < vm_console_end(mux->vm);
}
