/* SPDX-License-Identifier: BSD-2-Clause */
/* vCPUs as the scheduler's tasks, and what the devices ask of them. */
#include "kernel/core/cpu.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "kernel/vm_internal.h"
#include <string.h>

enum { VCPU_WEIGHT = 1000 };

static u32 load(const u32 *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* ---- the guest's timers: one deadline per vCPU, armed on the CPU where its task lives ---- */

static void arm_deadline(struct vm_vcpu *v)
{
	__atomic_store_n(&v->deadline_moved, 0, __ATOMIC_SEQ_CST);
	u64 deadline = __atomic_load_n(&v->deadline, __ATOMIC_SEQ_CST);

	if (deadline == 0)
		timer_cancel(&v->timer);
	else
		timer_arm(&v->timer, deadline - v->vm->tsc_offset);
}

static void deadline_reached(struct timer *timer)
{
	struct vm_vcpu *v = CONTAINER_OF(timer, struct vm_vcpu, timer);

	pc_timers(v->vm->pc, v->index, vm_time(v->vm));
}

/* The fast case first: a guest arms its own timer, so this CPU is the task's. */
static void bus_deadline(void *context, u32 index, u64 tsc)
{
	struct vm *vm = context;
	struct vm_vcpu *v = &vm->vcpus[index];

	__atomic_store_n(&v->deadline, tsc, __ATOMIC_SEQ_CST);
	if (v->task.cpu == cpu_index() && !load(&vm->hold)) {
		arm_deadline(v);
		return;
	}
	__atomic_store_n(&v->deadline_moved, 1, __ATOMIC_SEQ_CST);
	sched_wake(&v->task);
	sched_poke(v->task.cpu);
}

/* ---- events ---- */

void vm_vcpu_wake(struct vm *vm, u32 index)
{
	CHECK(index < vm->config.vcpus);
	sched_wake(&vm->vcpus[index].task);
}

static void bus_interrupt(void *context, u32 index)
{
	struct vm *vm = context;
	struct vm_vcpu *v = &vm->vcpus[index];

	vcpu_notice(v->vcpu);
	sched_wake(&v->task);
	if (v->task.cpu != cpu_index())
		cpu_kick(v->task.cpu);
}

static void signal(struct vm *vm, u32 index)
{
	bus_interrupt(vm, index);
}

static void bus_nmi(void *context, u32 index)
{
	struct vm *vm = context;

	vcpu_nmi(vm->vcpus[index].vcpu);
	signal(vm, index);
}

static void bus_init(void *context, u32 index)
{
	struct vm *vm = context;

	vcpu_init_signal(vm->vcpus[index].vcpu);
	signal(vm, index);
}

static void bus_sipi(void *context, u32 index, u8 vector)
{
	struct vm *vm = context;

	vcpu_sipi(vm->vcpus[index].vcpu, vector);
	signal(vm, index);
}

err_t vm_break_entry(struct vm *vm, const char *field, u64 value, char *why, size_t bytes)
{
	if (vm->phase != PHASE_RUN) {
		format(why, bytes, "%s is %s, not running", vm->config.name, vm_state_text(vm->state));
		return E_STATE;
	}
	if (!vcpu_break_entry(vm->vcpus[0].vcpu, field, value)) {
		format(why, bytes, "no field '%.40s' that can be written: names are those of vmx/vmcs.def", field);
		return E_NOT_FOUND;
	}
	signal(vm, 0);
	return OK;
}

static void bus_power(void *context, enum pc_power what)
{
	vm_ended(context, what == PC_POWER_OFF ? ENDED_OFF : ENDED_RESET, NULL);
}

static u64 bus_tsc(void *context)
{
	return vm_time(context);
}

const struct bus_host vm_bus_host = {
	.tsc = bus_tsc,
	.deadline = bus_deadline,
	.interrupt = bus_interrupt,
	.nmi = bus_nmi,
	.init = bus_init,
	.sipi = bus_sipi,
	.console_put = vm_console_put,
	.console_take = vm_console_take,
	.power = bus_power,
};

/* ---- the task ---- */

static enum task_result held(struct vm_vcpu *v, u32 hold)
{
	struct vm *vm = v->vm;

	timer_cancel(&v->timer);
	if (hold & HOLD_END) {
		vcpu_unload(v->vcpu);
		sched_wake(&vm->worker);
		return TASK_DONE;
	}
	if (!v->parked) {
		v->parked = 1;
		__atomic_add_fetch(&vm->parked_count, 1, __ATOMIC_SEQ_CST);
		sched_wake(&vm->worker);
	}
	return TASK_WAIT;
}

static enum task_result after_run(struct vm_vcpu *v, enum vcpu_outcome outcome)
{
	static const enum task_result result[] = {
		[VCPU_YIELD] = TASK_AGAIN,    [VCPU_HALTED] = TASK_WAIT, [VCPU_SUSPENDED] = TASK_WAIT,
		[VCPU_WAIT_SIPI] = TASK_WAIT, [VCPU_ENDED] = TASK_WAIT,
	};

	CHECK((u32)outcome < ARRAY_SIZE(result));
	if (outcome == VCPU_ENDED)
		vm_ended(v->vm, ENDED_FAILED, vcpu_why(v->vcpu));
	/* What came before the task waits has woken nobody. */
	if ((outcome == VCPU_HALTED || outcome == VCPU_WAIT_SIPI) && vcpu_has_work(v->vcpu))
		return TASK_AGAIN;
	return result[outcome];
}

static enum task_result vcpu_step(struct task *task)
{
	struct vm_vcpu *v = CONTAINER_OF(task, struct vm_vcpu, task);
	u32 hold = load(&v->vm->hold);

	if (hold)
		return held(v, hold);
	if (v->parked || load(&v->deadline_moved)) {
		v->parked = 0;
		arm_deadline(v);
	}
	return after_run(v, vcpu_run(v->vcpu, sched_slice_end(), sched_yield_flag()));
}

/* ---- life ---- */

err_t vm_vcpu_room(struct vm *vm, u32 index)
{
	struct vm_vcpu *v = &vm->vcpus[index];

	CHECK(index < vm->config.vcpus && !v->storage);
	memset(v, 0, sizeof(*v));
	v->storage = frames_alloc((size_t)vcpu_pages() * PAGE_SIZE);
	return v->storage ? OK : E_NO_MEMORY;
}

err_t vm_vcpu_create(struct vm *vm, u32 index)
{
	struct vm_vcpu *v = &vm->vcpus[index];
	struct vcpu_config config = {
		.index = index,
		.vcpus = vm->config.vcpus,
		.vm_id = vm->id,
		.mm = vm_mm(vm),
		.ept = &vm->space->ept,
		.pc = vm->pc,
		.tsc_khz = vm->config.tsc_khz ? vm->config.tsc_khz : tsc_khz,
		.host_tsc_khz = tsc_khz,
		.identity = vm->config.identity,
		.wall_s = vm->start_wall_s,
		.context = v,
	};
	CHECK(v->storage && !v->vcpu);
	err_t error = vcpu_init(v->storage, &config);

	if (error)
		return error;
	format(v->name, sizeof(v->name), "%s/%u", vm->config.name, index);
	v->task = (struct task){ .name = v->name, .step = vcpu_step, .weight = VCPU_WEIGHT };
	v->timer.expired = deadline_reached;
	v->vm = vm;
	v->index = index;
	v->vcpu = v->storage;
	return OK;
}

void vm_vcpus_go(struct vm *vm, const struct vcpu_start *start)
{
	vm->parked_count = 0;
	for (u32 i = 0; i < vm->config.vcpus; i++) {
		struct vm_vcpu *v = &vm->vcpus[i];

		vcpu_set_tsc_offset(v->vcpu, vm->tsc_offset);
		if (i == 0)
			vcpu_start(v->vcpu, start);
		else
			vcpu_wait_for_sipi(v->vcpu);
		v->deadline_moved = 1;
		v->scheduled = true;
		sched_add(&v->task, SCHED_ANY_CPU);
	}
	for (u32 i = 0; i < vm->config.vcpus; i++)
		sched_wake(&vm->vcpus[i].task);
}

bool vm_vcpus_gone(const struct vm *vm)
{
	for (u32 i = 0; i < vm->config.vcpus; i++)
		if (vm->vcpus[i].scheduled && !sched_is_gone(&vm->vcpus[i].task))
			return false;
	return true;
}

void vm_vcpus_destroy(struct vm *vm)
{
	for (u32 i = 0; i < CONFIG_MAX_VCPUS; i++) {
		struct vm_vcpu *v = &vm->vcpus[i];

		if (v->vcpu)
			vcpu_destroy(v->vcpu);
		if (v->storage)
			frames_free(v->storage, (size_t)vcpu_pages() * PAGE_SIZE);
		v->vcpu = NULL;
		v->storage = NULL;
	}
}
