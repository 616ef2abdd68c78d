/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a VM: stopped → starting → running ⇄ paused → stopping → stopped; failed says why.  The console's view; all
 * functions are for the boot CPU's steps (shell and workers) and never wait: what takes time goes on in the VM's worker.
 */
#pragma once
#include "kernel/lib/config.h"
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"
#include "mm/mm.h"
#include "vmx/vmx.h"

enum { VM_WHY_BYTES = 340 }; /* an error of the configuration with the VM's name before it */

enum vm_state { VM_STOPPED, VM_STARTING, VM_RUNNING, VM_PAUSED, VM_STOPPING, VM_FAILED };

struct vm;

extern u32 vm_count;
struct vm *vm_get(u32 index);
struct vm *vm_find(const char *name); /* NULL: no such VM */
const char *vm_state_text(enum vm_state state);
enum vm_state vm_state_of(const struct vm *vm);
const struct config_vm *vm_config(const struct vm *vm);

/* A snapshot for `vm list`, `vm info`, `mem`. */
struct vm_info {
	const struct config_vm *config;
	enum vm_state state;
	char why[VM_WHY_BYTES]; /* of a failed or stopped VM: how it ended, or why it never began */
	struct mm_usage memory;
	u64 uptime_ns; /* of the VM's clock */
	u32 vcpus;
	struct {
		u32 cpu;
		const char *state;
		u64 run_ns;
	} vcpu[CONFIG_MAX_VCPUS];
	u64 console_bytes, console_lost;
};
void vm_info(struct vm *vm, struct vm_info *info);

/* Requests. Errors in `why` (VM_WHY_BYTES), one line ("web1 is running already"). */
err_t vm_start(struct vm *vm, char *why, size_t why_bytes);
err_t vm_stop(struct vm *vm, char *why, size_t why_bytes); /* presses the ACPI button; state stopping until it is off */
err_t vm_stop_give_up(struct vm *vm);                      /* time is over: running again */
err_t vm_kill(struct vm *vm, char *why, size_t why_bytes);
err_t vm_reset(struct vm *vm, char *why, size_t why_bytes);
err_t vm_pause(struct vm *vm, char *why, size_t why_bytes);
err_t vm_resume(struct vm *vm, char *why, size_t why_bytes);
struct vm_setting {
	const char *key, *value;
};
/* All of them, or (on error) none. */
err_t vm_set(struct vm *vm, const struct vm_setting *settings, u32 count, char *why, size_t why_bytes);

/* For tests: the first vCPU's next entry finds `value` in a field of its VMCS. */
err_t vm_break_entry(struct vm *vm, const char *field, u64 value, char *why, size_t why_bytes);

/* Exits by reason, summed over vCPUs; reason < EXIT_REASONS. */
void vm_exit_stat(struct vm *vm, u32 reason, struct exit_stat *stat);

/* Its devices' invariants: NULL, or what is broken.  Looks only while no other CPU can be inside of them. */
const char *vm_audit(struct vm *vm);

/* The guest's console: a 64 KiB ring that neither reading nor attaching consumes.  Positions count bytes since the VM's creation. */
u64 vm_console_end(const struct vm *vm);
u64 vm_console_begin(const struct vm *vm); /* oldest byte still kept */
u32 vm_console_read(struct vm *vm, u64 position, u8 *to, u32 bytes);
u32 vm_console_type(struct vm *vm, const u8 *from, u32 bytes); /* returns how many were taken */
/* Called (from any CPU) when a guest has written while someone listens: set by the shell. */
extern void (*vm_console_listener)(struct vm *vm);

/* Start list (kernel/main.c): makes the VMs of the configuration; autostart ones start.  Who cannot is failed from the beginning. */
void vm_create_all(const struct config *config, const char *vmx_missing);
