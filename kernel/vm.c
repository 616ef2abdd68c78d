/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests to VMs and their states.  Runs on CPU 0 only, like the worker: states need no lock. */
#include "kernel/vm.h"
#include "kernel/core/cpu.h"
#include "kernel/core/trace.h"
#include "kernel/core/wall.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/lib/log.h"
#include "kernel/modules.h"
#include "kernel/vm_internal.h"
#include <string.h>

enum { WORKER_WEIGHT = 1000, WORKER_CPU = 0 };

u32 vm_count;
static struct vm *vms[CONFIG_MAX_VMS];
static const char *vmx_is_missing;

/* ---- memory for ourselves ---- */

static u32 order_of(size_t bytes)
{
	u32 order = 0;

	while (((size_t)PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

void *frames_alloc(size_t bytes)
{
	mpn_t first;

	if (mm_overhead_alloc(order_of(bytes), &first))
		return NULL;
	void *start = platform_frame(first);
	memset(start, 0, bytes);
	return start;
}

void frames_free(void *start, size_t bytes)
{
	mm_overhead_free(mpn_of((mpa_t){ (u64)start - DIRECT_MAP_BASE }), order_of(bytes));
}

/* ---- looking ---- */

struct vm *vm_get(u32 index)
{
	CHECK(index < vm_count);
	return vms[index];
}

struct vm *vm_find(const char *name)
{
	for (u32 i = 0; i < vm_count; i++)
		if (strcmp(vms[i]->config.name, name) == 0)
			return vms[i];
	return NULL;
}

const char *vm_state_text(enum vm_state state)
{
	static const char *const text[] = {
		[VM_STOPPED] = "stopped", [VM_STARTING] = "starting", [VM_RUNNING] = "running",
		[VM_PAUSED] = "paused",   [VM_STOPPING] = "stopping", [VM_FAILED] = "failed",
	};

	CHECK((u32)state < ARRAY_SIZE(text));
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

void vm_set_state(struct vm *vm, enum vm_state state)
{
	vm->state = state;
	trace(TRACE_VM_STATE, vm->id, state);
}

u64 vm_time(const struct vm *vm)
{
	return vm->frozen_tsc ? vm->frozen_tsc : time_tsc() + vm->tsc_offset;
}

struct mm_vm *vm_mm(struct vm *vm)
{
	return vm->space ? (struct mm_vm *)vm->space->mm : NULL;
}

static void usage_of(struct vm *vm, struct mm_usage *usage)
{
	memset(usage, 0, sizeof(*usage));
	usage->max = vm->config.memory_max_bytes >> PAGE_SHIFT;
	usage->min = vm->config.memory_min_bytes >> PAGE_SHIFT;
	usage->shares = vm->config.memory_shares;
	usage->empty = usage->max;
	if (vm->phase != PHASE_NONE)
		mm_vm_usage(vm_mm(vm), usage);
}

void vm_info(struct vm *vm, struct vm_info *info)
{
	memset(info, 0, sizeof(*info));
	info->config = &vm->config;
	info->state = vm->state;
	memcpy(info->why, vm->why, sizeof(info->why));
	usage_of(vm, &info->memory);
	info->vcpus = vm->config.vcpus;
	info->console_bytes = vm->output_end;
	info->console_lost = vm_console_begin(vm);
	if (vm->phase != PHASE_RUN)
		return;
	info->uptime_ns = time_tsc_to_ns(vm_time(vm));
	for (u32 i = 0; i < info->vcpus; i++) {
		struct task *task = &vm->vcpus[i].task;

		info->vcpu[i].cpu = task->cpu;
		info->vcpu[i].state = sched_state_text(task);
		info->vcpu[i].run_ns = time_tsc_to_ns(task->run_ticks);
	}
}

/* A vCPU of this CPU is not inside of its devices now: we are. */
const char *vm_audit(struct vm *vm)
{
	bool still = vm->phase == PHASE_RUN;

	for (u32 i = 0; i < vm->config.vcpus; i++)
		still = still && (vm->frozen_tsc || vm->vcpus[i].task.cpu == cpu_index());
	return still ? pc_audit(vm->pc) : NULL;
}

/* Counts add up; cycles are those of the vCPU that exits most for this reason. */
void vm_exit_stat(struct vm *vm, u32 reason, struct exit_stat *stat)
{
	u64 most = 0;
	u64 total = 0;

	memset(stat, 0, sizeof(*stat));
	for (u32 i = 0; i < vm->config.vcpus; i++) {
		struct exit_stat one;

		if (!vm->vcpus[i].vcpu)
			continue;
		vcpu_exit_stat(vm->vcpus[i].vcpu, reason, &one);
		total += one.count;
		if (one.count >= most) {
			most = one.count;
			*stat = one;
		}
	}
	stat->count = total;
}

/* ---- holds and ends ---- */

void vm_hold(struct vm *vm, u32 hold)
{
	__atomic_or_fetch(&vm->hold, hold, __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < vm->config.vcpus; i++) {
		struct vm_vcpu *v = &vm->vcpus[i];

		if (!v->scheduled || sched_is_gone(&v->task))
			continue;
		sched_wake(&v->task);
		sched_poke(v->task.cpu);
	}
}

void vm_release_hold(struct vm *vm, u32 hold)
{
	__atomic_and_fetch(&vm->hold, ~hold, __ATOMIC_SEQ_CST);
	for (u32 i = 0; i < vm->config.vcpus; i++)
		if (vm->vcpus[i].scheduled)
			sched_wake(&vm->vcpus[i].task);
}

void vm_ended(struct vm *vm, enum vm_ended how, const char *why)
{
	u32 not_ended = ENDED_NOT;

	if (!__atomic_compare_exchange_n(&vm->ended, &not_ended, ENDED_CLAIMED, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	format(vm->why, sizeof(vm->why), "%s", why ? why : "");
	__atomic_store_n(&vm->ended, how, __ATOMIC_RELEASE);
	sched_wake(&vm->worker);
}

/* ---- requests ---- */

static err_t refuse(char *why, size_t bytes, err_t error, const char *text, const struct vm *vm, const char *detail)
{
	format(why, bytes, text, vm->config.name, detail);
	return error;
}

static err_t check_file(const struct vm *vm, const char *path, char *why, size_t bytes)
{
	const char *trouble = path[0] ? module_trouble(module_find(path)) : NULL;

	if (!trouble)
		return OK;
	format(why, bytes, "%s: %s %s", vm->config.name, path, trouble);
	return E_NOT_FOUND;
}

static err_t check_files(const struct vm *vm, char *why, size_t bytes)
{
	err_t error = check_file(vm, vm->config.kernel, why, bytes);

	if (!error)
		error = check_file(vm, vm->config.initrd, why, bytes);
	for (u32 i = 0; i < CONFIG_MAX_MODULES && !error; i++)
		error = check_file(vm, vm->config.modules[i], why, bytes);
	return error;
}

static err_t admit(struct vm *vm, char *why, size_t bytes)
{
	struct mm_vm_config config = {
		.max_pages = vm->config.memory_max_bytes >> PAGE_SHIFT,
		.min_pages = vm->config.memory_min_bytes >> PAGE_SHIFT,
		.low_pages = min_u64(vm->config.memory_max_bytes, PC_LOW_MEMORY_END) >> PAGE_SHIFT,
		.shares = vm->config.memory_shares,
		.id = vm->id,
	};
	char detail[VM_WHY_BYTES] = "out of memory";

	vm->space = frames_alloc(sizeof(*vm->space) + mm_vm_bytes());
	if (!vm->space)
		return refuse(why, bytes, E_NO_MEMORY, "%s: %s", vm, detail);
	vm->space->vm = vm;
	err_t error = mm_vm_init(vm_mm(vm), &config, detail, sizeof(detail));
	if (error) {
		frames_free(vm->space, sizeof(*vm->space) + mm_vm_bytes());
		vm->space = NULL;
		return refuse(why, bytes, error, "%s: memory.max: %s", vm, detail);
	}
	return OK;
}

err_t vm_start(struct vm *vm, char *why, size_t bytes)
{
	if (vm->phase != PHASE_NONE)
		return refuse(why, bytes, E_STATE, "%s is %s already", vm, vm_state_text(vm->state));
	if (vm->config.error)
		return refuse(why, bytes, E_INVALID, "%s: %s", vm, vm->config.error);
	if (vmx_is_missing)
		return refuse(why, bytes, E_UNSUPPORTED, "%s cannot start: %s", vm, vmx_is_missing);
	err_t error = check_files(vm, why, bytes);
	if (!error)
		error = admit(vm, why, bytes);
	if (error)
		return error;
	for (u32 i = 0; i < CONFIG_MAX_VCPUS; i++)
		vm->vcpus[i] = (struct vm_vcpu){ 0 };
	vm->ended = ENDED_NOT;
	vm->hold = 0;
	vm->why[0] = 0;
	vm->start_wall_s = wall_seconds();
	vm->input_begin = vm->input_end;
	vm_set_state(vm, VM_STARTING);
	vm->phase = PHASE_BUILD;
	sched_wake(&vm->worker);
	return OK;
}

err_t vm_stop(struct vm *vm, char *why, size_t bytes)
{
	if (vm->state != VM_RUNNING || vm->phase != PHASE_RUN)
		return refuse(why, bytes, E_STATE, "%s is %s, not running", vm, vm_state_text(vm->state));
	vm_set_state(vm, VM_STOPPING);
	pc_power_button(vm->pc);
	return OK;
}

err_t vm_stop_give_up(struct vm *vm)
{
	if (vm->state != VM_STOPPING)
		return E_STATE;
	vm_set_state(vm, VM_RUNNING);
	return OK;
}

static err_t end_by_request(struct vm *vm, bool restart, char *why, size_t bytes)
{
	if (vm->phase == PHASE_NONE)
		return refuse(why, bytes, E_STATE, "%s is not running (%s)", vm, vm_state_text(vm->state));
	vm->restart = restart;
	vm_set_state(vm, VM_STOPPING);
	vm_ended(vm, restart ? ENDED_RESET : ENDED_KILLED, NULL);
	return OK;
}

err_t vm_kill(struct vm *vm, char *why, size_t bytes)
{
	return end_by_request(vm, false, why, bytes);
}

err_t vm_reset(struct vm *vm, char *why, size_t bytes)
{
	return end_by_request(vm, true, why, bytes);
}

err_t vm_pause(struct vm *vm, char *why, size_t bytes)
{
	if (vm->state != VM_RUNNING)
		return refuse(why, bytes, E_STATE, "%s is %s, not running", vm, vm_state_text(vm->state));
	vm_set_state(vm, VM_PAUSED);
	vm_hold(vm, HOLD_PAUSE);
	return OK;
}

/* VM time goes on where it stopped, on all vCPUs alike: they are parked until the hold is released. */
static void thaw(struct vm *vm)
{
	if (!vm->frozen_tsc)
		return;
	vm->tsc_offset = vm->frozen_tsc - time_tsc();
	vm->frozen_tsc = 0;
	for (u32 i = 0; i < vm->config.vcpus; i++) {
		vcpu_set_tsc_offset(vm->vcpus[i].vcpu, vm->tsc_offset);
		vcpu_mark_paused(vm->vcpus[i].vcpu);
		vm->vcpus[i].deadline_moved = 1;
	}
}

err_t vm_resume(struct vm *vm, char *why, size_t bytes)
{
	if (vm->state != VM_PAUSED)
		return refuse(why, bytes, E_STATE, "%s is %s, not paused", vm, vm_state_text(vm->state));
	thaw(vm);
	vm->parked_count = 0;
	vm_set_state(vm, VM_RUNNING);
	vm_release_hold(vm, HOLD_PAUSE);
	return OK;
}

/* What the PC is made of is fixed while it exists. */
static bool is_fixed(const char *key)
{
	static const char *const fixed[] = { "kernel", "initrd", "cmdline", "memory.max", "vcpus", "identity", "tsc.khz" };

	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
		if (strcmp(key, fixed[i]) == 0)
			return true;
	return strncmp(key, "module", sizeof("module") - 1) == 0;
}

/* The running state only. */
err_t vm_set(struct vm *vm, const struct vm_setting *settings, u32 count, char *why, size_t bytes)
{
	struct config_vm changed = vm->config;
	char detail[CONFIG_ERROR_BYTES];

	for (u32 i = 0; i < count; i++) {
		err_t error = config_set(&changed, settings[i].key, settings[i].value, detail);

		if (error) {
			format(why, bytes, "%s", detail);
			return error;
		}
		if (vm->phase != PHASE_NONE && is_fixed(settings[i].key))
			return refuse(why, bytes, E_STATE, "%s: %s can be set only while it is stopped", vm, settings[i].key);
	}
	if (changed.memory_min_bytes > changed.memory_max_bytes)
		return refuse(why, bytes, E_RANGE, "%s: memory.min must not exceed memory.max%s", vm, "");
	vm->config = changed;
	return OK;
}

/* ---- start of the machine ---- */

static struct vm *create(const struct config_vm *config, u32 id)
{
	struct vm *vm = frames_alloc(sizeof(*vm));

	if (!vm)
		return NULL;
	vm->config = *config;
	vm->id = id;
	vm->worker = (struct task){ .name = vm->config.name, .step = vm_worker_step, .weight = WORKER_WEIGHT };
	vm_console_init(vm);
	sched_add(&vm->worker, WORKER_CPU);
	return vm;
}

/* Nobody waits for an answer: what keeps a VM from starting is in the log (an error of the configuration is there already) and stays with
 * the VM. */
static void autostart(const struct config *config, struct vm *vm)
{
	CHECK(vm->state == VM_STOPPED && vm->phase == PHASE_NONE);
	if (vm->config.error)
		format(vm->why, sizeof(vm->why), "%s", vm->config.error);
	else if (vm->config.autostart && vm_start(vm, vm->why, sizeof(vm->why)))
		log_line("vm: %s:%u: %s", config->file, vm->config.line, vm->why);
	if (vm->why[0])
		vm_set_state(vm, VM_FAILED);
}

void vm_create_all(const struct config *config, const char *vmx_missing)
{
	CHECK(vm_count == 0 && config->vm_count <= CONFIG_MAX_VMS);
	vmx_is_missing = vmx_missing;
	for (u32 i = 0; i < config->vm_count; i++) {
		struct vm *vm = create(&config->vms[i], i + 1);

		if (!vm) {
			log_line("vm: no memory for %s and what follows it", config->vms[i].name);
			return;
		}
		vms[vm_count++] = vm;
		autostart(config, vm);
	}
}
