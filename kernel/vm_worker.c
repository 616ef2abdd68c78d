/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What takes time in a VM's life, in short steps on CPU 0: build → devices → tables → vcpus → plan → copy → go → run → end → release.
 * A failure anywhere goes to `end`, which takes apart exactly what exists, and from there memory goes back frame by frame.
 */
#include "kernel/core/cpu.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/lib/log.h"
#include "kernel/modules.h"
#include "kernel/vm_internal.h"
#include <string.h>

enum { COPY_PAGES_A_STEP = 2 };

static u64 low_bytes(const struct vm *vm)
{
	return min_u64(vm->config.memory_max_bytes, PC_LOW_MEMORY_END);
}

static struct pc_config pc_config_of(struct vm *vm)
{
	return (struct pc_config){
		.vm = vm,
		.host = &vm_bus_host,
		.vcpus = vm->config.vcpus,
		.tsc_khz = vm->config.tsc_khz ? vm->config.tsc_khz : tsc_khz,
		.memory_bytes = vm->config.memory_max_bytes,
		.rtc_unix_seconds = vm->start_wall_s,
	};
}

/* ---- build ---- */

static enum task_result fail(struct vm *vm, const char *why)
{
	vm_ended(vm, ENDED_FAILED, why);
	return TASK_AGAIN;
}

/* Clearing tens of KiB takes long: one part a step. */
static enum task_result build(struct vm *vm)
{
	const struct {
		void *slot; /* a pointer to be set */
		size_t bytes;
	} parts[] = { { &vm->plan, sizeof(*vm->plan) }, { &vm->acpi, PC_ACPI_BYTES }, { &vm->pc, pc_bytes() } };

	for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
		void **slot = parts[i].slot;

		if (*slot)
			continue;
		*slot = frames_alloc(parts[i].bytes);
		return *slot ? TASK_AGAIN : fail(vm, "no memory for its devices");
	}
	vm->phase = PHASE_DEVICES;
	return TASK_AGAIN;
}

static enum task_result devices(struct vm *vm)
{
	struct pc_config config = pc_config_of(vm);

	vm->tsc_offset = 0 - time_tsc();
	vm->frozen_tsc = 0;
	pc_init(vm->pc, &config);
	vm->phase = PHASE_TABLES;
	return TASK_AGAIN;
}

static enum task_result tables(struct vm *vm)
{
	struct pc_config config = pc_config_of(vm);

	if (pc_acpi_build(&config, vm->acpi, PC_ACPI_BYTES))
		return fail(vm, "its ACPI tables do not fit");
	if (ept_init(&vm->space->ept, vm->id))
		return fail(vm, "no memory for its page tables");
	vm->phase = PHASE_VCPUS;
	return TASK_AGAIN;
}

/* Two steps for each vCPU. */
static enum task_result vcpus(struct vm *vm)
{
	u32 index = 0;

	while (index < vm->config.vcpus && vm->vcpus[index].vcpu)
		index++;
	if (index == vm->config.vcpus) {
		vm->phase = PHASE_PLAN;
		return TASK_AGAIN;
	}
	err_t error = vm->vcpus[index].storage ? vm_vcpu_create(vm, index) : vm_vcpu_room(vm, index);

	return error ? fail(vm, "no memory for its vCPUs") : TASK_AGAIN;
}

/* ---- plan ---- */

static struct load_file file_of(const char *path)
{
	const struct boot_module *module = path[0] ? module_find(path) : NULL;

	return module ? (struct load_file){ module_bytes(module), module->bytes } : (struct load_file){ 0 };
}

static enum task_result plan(struct vm *vm)
{
	char why[LOAD_WHY_BYTES];
	struct load_input input = {
		.kernel = file_of(vm->config.kernel),
		.initrd = file_of(vm->config.initrd),
		.kernel_name = vm->config.kernel,
		.cmdline = vm->config.cmdline,
		.low_bytes = low_bytes(vm),
		.high_bytes = vm->config.memory_max_bytes - low_bytes(vm),
		.acpi = { vm->acpi, PC_ACPI_BYTES },
	};

	for (u32 i = 0; i < CONFIG_MAX_MODULES; i++) {
		input.modules[i] = file_of(vm->config.modules[i]);
		input.module_names[i] = vm->config.modules[i];
	}
	if (load_plan(&input, vm->plan, why))
		return fail(vm, why);
	vm->copy_segment = 0;
	vm->copy_done = 0;
	vm->phase = PHASE_COPY;
	return TASK_AGAIN;
}

/* ---- copy ---- */

/* One piece that ends at a page border; OK, or what mm says. */
static err_t copy_piece(struct vm *vm, const struct load_segment *segment)
{
	u64 to = segment->to + vm->copy_done;
	u64 bytes = min_u64(segment->size - vm->copy_done, PAGE_SIZE - to % PAGE_SIZE);
	err_t error = mm_write(vm_mm(vm), 0, (gpa_t){ to }, segment->from + vm->copy_done, (u32)bytes);

	if (!error)
		vm->copy_done += bytes;
	return error;
}

static void frames_drop(void *slot, size_t bytes)
{
	void **pointer = slot;

	if (*pointer)
		frames_free(*pointer, bytes);
	*pointer = NULL;
}

static enum task_result copy(struct vm *vm)
{
	for (u32 pages = 0; pages < COPY_PAGES_A_STEP; pages++) {
		if (vm->copy_segment == vm->plan->segment_count) {
			vm->phase = PHASE_GO;
			return TASK_AGAIN;
		}
		const struct load_segment *segment = &vm->plan->segments[vm->copy_segment];
		err_t error = copy_piece(vm, segment);

		if (error == E_SUSPEND || error == E_NO_MEMORY)
			return TASK_WAIT;
		if (error)
			return fail(vm, "its files could not be copied to its memory");
		if (vm->copy_done == segment->size) {
			vm->copy_segment++;
			vm->copy_done = 0;
		}
	}
	return TASK_AGAIN;
}

static enum task_result go(struct vm *vm)
{
	CHECK(vm->plan && vm->copy_segment == vm->plan->segment_count);
	struct vcpu_start start = vm->plan->start;

	frames_drop(&vm->plan, sizeof(*vm->plan));
	frames_drop(&vm->acpi, PC_ACPI_BYTES);
	vm->phase = PHASE_RUN;
	vm_set_state(vm, VM_RUNNING);
	vm_vcpus_go(vm, &start);
	log_line("vm: %s runs, %llu MiB, %u vCPU", vm->config.name, vm->config.memory_max_bytes >> 20, vm->config.vcpus);
	return TASK_WAIT;
}

/* ---- run: wait for an end, or for the last vCPU to park ---- */

static enum task_result run(struct vm *vm)
{
	u32 hold = __atomic_load_n(&vm->hold, __ATOMIC_SEQ_CST);

	if (hold == HOLD_PAUSE && !vm->frozen_tsc && __atomic_load_n(&vm->parked_count, __ATOMIC_SEQ_CST) == vm->config.vcpus)
		vm->frozen_tsc = vm_time(vm);
	return TASK_WAIT;
}

/* ---- end and release ---- */

static enum task_result end(struct vm *vm)
{
	if (!vm_vcpus_gone(vm))
		return TASK_WAIT; /* each task that goes wakes us */
	vm_vcpus_destroy(vm);
	frames_drop(&vm->plan, sizeof(*vm->plan));
	frames_drop(&vm->acpi, PC_ACPI_BYTES);
	frames_drop(&vm->pc, pc_bytes());
	vm->phase = PHASE_RELEASE;
	return TASK_AGAIN;
}

static void ended(struct vm *vm)
{
	static const char *const how[] = {
		[ENDED_OFF] = "is off",
		[ENDED_KILLED] = "was killed",
		[ENDED_RESET] = "resets",
		[ENDED_FAILED] = "failed",
	};
	char why[VM_WHY_BYTES];
	bool restart = vm->restart || vm->ended == ENDED_RESET;

	vm_set_state(vm, vm->ended == ENDED_FAILED ? VM_FAILED : VM_STOPPED);
	log_line("vm: %s %s%s%s", vm->config.name, how[vm->ended], vm->why[0] ? ": " : "", vm->why);
	vm->phase = PHASE_NONE;
	vm->restart = false;
	if (restart && vm_start(vm, why, sizeof(why)))
		log_line("vm: %s does not start again: %s", vm->config.name, why);
}

static enum task_result release(struct vm *vm)
{
	if (!mm_vm_release_step(vm_mm(vm)))
		return TASK_AGAIN;
	ept_destroy(&vm->space->ept);
	frames_free(vm->space, sizeof(*vm->space) + mm_vm_bytes());
	vm->space = NULL;
	ended(vm);
	return TASK_WAIT;
}

static enum task_result none(struct vm *vm)
{
	(void)vm;
	return TASK_WAIT;
}

enum task_result vm_worker_step(struct task *task)
{
	static enum task_result (*const phases[])(struct vm *) = {
		[PHASE_NONE] = none,   [PHASE_BUILD] = build, [PHASE_DEVICES] = devices, [PHASE_TABLES] = tables,
		[PHASE_VCPUS] = vcpus, [PHASE_PLAN] = plan,   [PHASE_COPY] = copy,       [PHASE_GO] = go,
		[PHASE_RUN] = run,     [PHASE_END] = end,     [PHASE_RELEASE] = release,
	};
	struct vm *vm = CONTAINER_OF(task, struct vm, worker);

	if (__atomic_load_n(&vm->ended, __ATOMIC_ACQUIRE) > ENDED_CLAIMED && vm->phase >= PHASE_BUILD && vm->phase < PHASE_END) {
		vm_hold(vm, HOLD_END);
		vm->phase = PHASE_END;
	}
	return phases[vm->phase](vm);
}
