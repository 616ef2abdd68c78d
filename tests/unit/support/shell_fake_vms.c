/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/vm.h for the console's tests: VMs that do what the test says. */
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "tests/unit/support/shell_fake.h"
#include <string.h>

void fake_vms_reset(void);
void fake_vms_tick(void);

struct vm fake_vms[FAKE_VMS];
u32 vm_count;
void (*vm_console_listener)(struct vm *vm);

void fake_vms_reset(void)
{
	static const char text[] = "[vm web1]\nkernel = \\k\nmemory.max = 128M\nmemory.min = 64M\nshare.group = demo\n"
				   "cmdline = console=ttyS0 quiet\n[vm web2]\nkernel = \\k\nmemory.max = 1G\nvcpus = 2\n";
	static struct config config;

	config_parse(&config, "test", text, sizeof(text) - 1);
	CHECK(config.vm_count == FAKE_VMS && config.error_count == 0);
	memset(fake_vms, 0, sizeof(fake_vms));
	for (u32 i = 0; i < FAKE_VMS; i++) {
		fake_vms[i].config = config.vms[i];
		fake_vms[i].input_room = FAKE_INPUT;
	}
	vm_count = FAKE_VMS;
}

/* What a VM's worker does: it starts, stops and dies a little later. */
void fake_vms_tick(void)
{
	for (u32 i = 0; i < FAKE_VMS; i++) {
		struct vm *vm = &fake_vms[i];

		if (vm->state == VM_STARTING)
			vm->state = vm->why ? VM_FAILED : VM_RUNNING;
		if (vm->state == VM_STOPPING && vm->off_at_ns && fake_shell.now_ns >= vm->off_at_ns)
			vm->state = VM_STOPPED;
	}
}

struct vm *vm_get(u32 index)
{
	CHECK(index < vm_count);
	return &fake_vms[index];
}

struct vm *vm_find(const char *name)
{
	for (u32 i = 0; i < vm_count; i++)
		if (strcmp(fake_vms[i].config.name, name) == 0)
			return &fake_vms[i];
	return NULL;
}

const char *vm_state_text(enum vm_state state)
{
	static const char *const text[] = { "stopped", "starting", "running", "paused", "stopping", "failed" };

	return text[state];
}

enum vm_state vm_state_of(const struct vm *vm)
{
	return vm->state;
}

const struct config_vm *vm_config(const struct vm *vm)
{
	return &vm->config;
}

void vm_info(struct vm *vm, struct vm_info *info)
{
	*info = (struct vm_info){ .config = &vm->config,
				  .state = vm->state,
				  .vcpus = vm->config.vcpus,
				  .console_bytes = vm->output_end,
				  .console_lost = vm_console_begin(vm) };
	format(info->why, sizeof(info->why), "%s", vm->why ? vm->why : "");
	info->memory = (struct mm_usage){ .max = vm->config.memory_max_bytes >> PAGE_SHIFT,
					  .min = vm->config.memory_min_bytes >> PAGE_SHIFT,
					  .shares = vm->config.memory_shares,
					  .active_permille = 125 };
	info->memory.empty = info->memory.max;
	if (vm->state != VM_RUNNING)
		return;
	info->memory.resident = info->memory.private_ = 2018;
	info->memory.empty -= info->memory.resident;
	info->uptime_ns = 1234567890;
	for (u32 i = 0; i < info->vcpus; i++) {
		info->vcpu[i].state = "waiting";
		info->vcpu[i].run_ns = 5000000;
	}
}

/* ---- requests ---- */

static err_t refused(struct vm *vm, bool wrong_state, char *why, size_t bytes)
{
	if (!vm->refuse && !wrong_state)
		return OK;
	format(why, bytes, vm->refuse ? "%s" : "%s is %s already", vm->refuse ? vm->refuse : vm->config.name,
	       vm_state_text(vm->state));
	vm->refuse = NULL;
	return E_STATE;
}

static bool is_there(const struct vm *vm)
{
	return vm->state != VM_STOPPED && vm->state != VM_FAILED;
}

err_t vm_start(struct vm *vm, char *why, size_t bytes)
{
	err_t error = refused(vm, is_there(vm), why, bytes);

	if (!error)
		vm->state = VM_STARTING;
	return error;
}

err_t vm_stop(struct vm *vm, char *why, size_t bytes)
{
	err_t error = refused(vm, vm->state != VM_RUNNING, why, bytes);

	if (error)
		return error;
	vm->asked_to_stop++;
	vm->state = VM_STOPPING;
	vm->off_at_ns = vm->stops_after_ns ? fake_shell.now_ns + vm->stops_after_ns : 0;
	return OK;
}

err_t vm_stop_give_up(struct vm *vm)
{
	CHECK(vm->state == VM_STOPPING);
	vm->state = VM_RUNNING;
	return OK;
}

err_t vm_kill(struct vm *vm, char *why, size_t bytes)
{
	err_t error = refused(vm, !is_there(vm), why, bytes);

	if (error)
		return error;
	vm->killed++;
	vm->state = VM_STOPPING;
	vm->off_at_ns = fake_shell.now_ns + 1;
	return OK;
}

err_t vm_reset(struct vm *vm, char *why, size_t bytes)
{
	err_t error = refused(vm, !is_there(vm), why, bytes);

	if (!error)
		vm->state = VM_STARTING;
	return error;
}

static err_t change(struct vm *vm, enum vm_state from, enum vm_state to, char *why, size_t bytes)
{
	err_t error = refused(vm, vm->state != from, why, bytes);

	if (!error)
		vm->state = to;
	return error;
}

err_t vm_pause(struct vm *vm, char *why, size_t bytes)
{
	return change(vm, VM_RUNNING, VM_PAUSED, why, bytes);
}

err_t vm_resume(struct vm *vm, char *why, size_t bytes)
{
	return change(vm, VM_PAUSED, VM_RUNNING, why, bytes);
}

err_t vm_set(struct vm *vm, const struct vm_setting *settings, u32 count, char *why, size_t bytes)
{
	struct config_vm changed = vm->config;
	char detail[CONFIG_ERROR_BYTES];

	for (u32 i = 0; i < count; i++)
		if (config_set(&changed, settings[i].key, settings[i].value, detail)) {
			format(why, bytes, "%s", detail);
			return E_INVALID;
		}
	vm->config = changed;
	return OK;
}

const char *vm_audit(struct vm *vm)
{
	return vm->broken;
}

err_t vm_break_entry(struct vm *vm, const char *field, u64 value, char *why, size_t bytes)
{
	if (strcmp(field, "GUEST_RFLAGS") == 0) {
		vm->broken_entry = value;
		return OK;
	}
	format(why, bytes, "no field '%s'", field);
	return E_NOT_FOUND;
}

void vm_exit_stat(struct vm *vm, u32 reason, struct exit_stat *stat)
{
	*stat = vm->exits[reason];
}

/* ---- consoles ---- */

u64 vm_console_end(const struct vm *vm)
{
	return vm->output_end;
}

u64 vm_console_begin(const struct vm *vm)
{
	return vm->output_end > FAKE_RING ? vm->output_end - FAKE_RING : 0;
}

u32 vm_console_read(struct vm *vm, u64 position, u8 *to, u32 bytes)
{
	u32 count = 0;

	CHECK(position <= vm->output_end);
	position = max_u64(position, vm_console_begin(vm));
	while (count < bytes && position < vm->output_end)
		to[count++] = vm->output[position++ % FAKE_RING];
	return count;
}

u32 vm_console_type(struct vm *vm, const u8 *from, u32 bytes)
{
	u32 count = (u32)min_u64(bytes, vm->input_room - vm->input_count);

	if (vm->state != VM_RUNNING && vm->state != VM_STOPPING)
		return 0;
	memcpy(vm->input + vm->input_count, from, count);
	vm->input_count += count;
	return count;
}

void fake_print_bytes(u32 index, const void *bytes, u32 count)
{
	struct vm *vm = &fake_vms[index];
	const u8 *from = bytes;

	for (u32 i = 0; i < count; i++) {
		vm->output[vm->output_end++ % FAKE_RING] = from[i];
		vm_console_listener(vm);
	}
}

void fake_print(u32 index, const char *text)
{
	fake_print_bytes(index, text, (u32)strlen(text));
}
