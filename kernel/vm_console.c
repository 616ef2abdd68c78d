/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's serial console: what it wrote is kept in a ring that reading does not consume; what is typed waits for its UART. */
#include "kernel/lib/check.h"
#include "kernel/vm_internal.h"

void (*vm_console_listener)(struct vm *vm);

void vm_console_init(struct vm *vm)
{
	lock_init(&vm->console_lock, RANK_CONSOLE, "guest console");
}

/* From a vCPU, on any CPU, inside the PC's lock. */
void vm_console_put(void *context, u8 byte)
{
	struct vm *vm = context;

	lock_acquire(&vm->console_lock);
	vm->output[vm->output_end++ % VM_CONSOLE_BYTES] = byte;
	lock_release(&vm->console_lock);
	if (vm_console_listener)
		vm_console_listener(vm);
}

bool vm_console_take(void *context, u8 *byte)
{
	struct vm *vm = context;
	bool any;

	lock_acquire(&vm->console_lock);
	any = vm->input_begin != vm->input_end;
	if (any)
		*byte = vm->input[vm->input_begin++ % VM_INPUT_BYTES];
	lock_release(&vm->console_lock);
	return any;
}

static u64 oldest(const struct vm *vm)
{
	return vm->output_end > VM_CONSOLE_BYTES ? vm->output_end - VM_CONSOLE_BYTES : 0;
}

u64 vm_console_end(const struct vm *vm)
{
	return __atomic_load_n(&vm->output_end, __ATOMIC_RELAXED);
}

u64 vm_console_begin(const struct vm *vm)
{
	u64 end = vm_console_end(vm);

	return end > VM_CONSOLE_BYTES ? end - VM_CONSOLE_BYTES : 0;
}

u32 vm_console_read(struct vm *vm, u64 position, u8 *to, u32 bytes)
{
	u32 count = 0;

	lock_acquire(&vm->console_lock);
	CHECK(position <= vm->output_end);
	position = max_u64(position, oldest(vm));
	while (count < bytes && position < vm->output_end)
		to[count++] = vm->output[position++ % VM_CONSOLE_BYTES];
	lock_release(&vm->console_lock);
	return count;
}

u32 vm_console_type(struct vm *vm, const u8 *from, u32 bytes)
{
	u32 count = 0;

	if (vm->phase != PHASE_RUN)
		return 0;
	lock_acquire(&vm->console_lock);
	while (count < bytes && vm->input_end - vm->input_begin < VM_INPUT_BYTES)
		vm->input[vm->input_end++ % VM_INPUT_BYTES] = from[count++];
	lock_release(&vm->console_lock);
	pc_console_input(vm->pc);
	return count;
}
