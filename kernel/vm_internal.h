/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of a VM, shared by the vm_*.c files only.
 *   vm.c          requests and states          vm_worker.c   what takes time: build, copy, take apart
 *   vm_vcpu.c     vCPU tasks and their timers  vm_console.c  the guest's console rings
 * Requests and the worker run on CPU 0; vCPU tasks anywhere: what they share is atomic (hold, ended, deadline) or has a lock.
 */
#pragma once
#include "kernel/core/timer.h"
#include "kernel/lib/lock.h"
#include "kernel/load.h"
#include "kernel/sched.h"
#include "kernel/vm.h"

enum { VM_CONSOLE_BYTES = 64 * 1024, VM_INPUT_BYTES = 4096 };

/* Why vCPUs must stay out of the guest; several may hold at once. */
enum vm_hold { HOLD_PAUSE = 1, HOLD_END = 2 };

/* What a guest (or its vCPU) did that ends this run; the first one counts. */
enum vm_ended { ENDED_NOT, ENDED_CLAIMED, ENDED_OFF, ENDED_KILLED, ENDED_RESET, ENDED_FAILED };

struct vm_vcpu {
	struct task task;
	struct timer timer; /* for the guest's timers; armed on task.cpu only */
	struct vm *vm;
	void *storage;     /* of the vCPU, NULL: none */
	struct vcpu *vcpu; /* NULL: does not exist now */
	u64 deadline;      /* in VM time, 0: none; written by any CPU */
	u32 index;
	u32 deadline_moved; /* the timer must be armed again */
	u32 parked;
	bool scheduled; /* its task was added */
	char name[CONFIG_NAME_BYTES + 8];
};

/* The VM's memory: found from its struct mm_vm, which mm/ hands to the platform. */
struct vm_space {
	struct vm *vm;
	struct ept ept;
	u8 mm[] __attribute__((aligned(64)));
};

enum vm_phase {
	PHASE_NONE,
	PHASE_BUILD,
	PHASE_DEVICES,
	PHASE_TABLES,
	PHASE_VCPUS,
	PHASE_PLAN,
	PHASE_COPY,
	PHASE_GO,
	PHASE_RUN,
	PHASE_END,
	PHASE_RELEASE
};

struct vm {
	struct config_vm config;
	u32 id; /* for mm, step and VPID: 1 and up */
	enum vm_state state;
	char why[VM_WHY_BYTES];
	u32 hold, ended, parked_count;
	bool restart; /* start again when it has ended */
	struct vm_vcpu vcpus[CONFIG_MAX_VCPUS];

	struct task worker;
	enum vm_phase phase;
	u32 copy_segment;
	u64 copy_done;
	struct load_plan *plan;
	u8 *acpi;

	struct vm_space *space;
	struct pc *pc;
	u64 tsc_offset;   /* VM time = host TSC + offset */
	u64 frozen_tsc;   /* VM time while paused, 0: it runs */
	u64 start_wall_s; /* wall clock at VM time 0 */

	struct lock console_lock;
	u64 output_end;             /* bytes ever written; the ring keeps the last VM_CONSOLE_BYTES */
	u64 input_begin, input_end; /* bytes ever taken and ever typed */
	u8 output[VM_CONSOLE_BYTES];
	u8 input[VM_INPUT_BYTES];
};

/* Zeroed contiguous frames for the hypervisor's own use; NULL: no memory. */
void *frames_alloc(size_t bytes);
void frames_free(void *start, size_t bytes);

void vm_set_state(struct vm *vm, enum vm_state state);
u64 vm_time(const struct vm *vm);                                 /* VM TSC now */
struct mm_vm *vm_mm(struct vm *vm);                               /* NULL: no memory now */
void vm_ended(struct vm *vm, enum vm_ended how, const char *why); /* any CPU; the worker takes it from there */
void vm_hold(struct vm *vm, u32 hold);                            /* vCPUs leave the guest and park (pause) or go (end) */
void vm_release_hold(struct vm *vm, u32 hold);

extern const struct bus_host vm_bus_host;
err_t vm_vcpu_room(struct vm *vm, u32 index); /* its storage; vm_vcpu_create needs it */
err_t vm_vcpu_create(struct vm *vm, u32 index);
void vm_vcpus_go(struct vm *vm, const struct vcpu_start *start);
bool vm_vcpus_gone(const struct vm *vm); /* after HOLD_END: no CPU runs or will run one */
void vm_vcpus_destroy(struct vm *vm);
void vm_vcpu_wake(struct vm *vm, u32 vcpu);

enum task_result vm_worker_step(struct task *task);
void vm_console_init(struct vm *vm);
void vm_console_put(void *context, u8 byte);
bool vm_console_take(void *context, u8 *byte);
