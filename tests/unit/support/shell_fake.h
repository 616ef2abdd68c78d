/* SPDX-License-Identifier: BSD-2-Clause */
/* The whole console over a fake wire, fake VMs and a fake clock: what goes in and what comes out, byte for byte. */
#pragma once
#include "kernel/lib/config.h"
#include "kernel/vm.h"

enum { FAKE_VMS = 2, FAKE_RING = 64 * 1024, FAKE_INPUT = 4096, FAKE_WIRE = 1 << 20 };

/* What the console's fakes hold of a VM. Tests change it as the VM's worker would. */
struct vm {
	struct config_vm config;
	enum vm_state state;
	const char *why;
	const char *refuse; /* the next request is refused with this */
	u32 asked_to_stop, killed;
	u64 stops_after_ns; /* on vm_stop: off that much later; 0: never */
	u64 off_at_ns;
	u64 output_end;
	u8 output[FAKE_RING];
	u8 input[FAKE_INPUT];
	u32 input_count, input_room;
	struct exit_stat exits[EXIT_REASONS];
	const char *broken; /* what vm_audit finds */
	u64 broken_entry;   /* by vm_break_entry */
};
extern struct vm fake_vms[FAKE_VMS];

extern struct fake_shell {
	u32 wire_speed;      /* bytes that leave the wire's ring in 10 ms; 0: nothing leaves */
	u32 audit_pieces;    /* mm_audit_step calls until it is done */
	const char *finding; /* what each of them finds, NULL: nothing */
	u32 steps;
	bool powered_off, rebooted;
	const char *provoked; /* what debug was asked for */
	u64 now_ns;
	u32 most_in_a_step; /* bytes of output */
	u64 input_lost;     /* what wire_lost says */
} fake_shell;

/* Everything as after power-on, VMs web1 and web2 stopped; `startup` is the startup file's text, NULL: none. */
void fake_shell_start(const char *startup);
void fake_send(const char *text);
void fake_send_bytes(const void *bytes, u32 count);
/* Until the console waits for input or the machine is off, at most `ms` of its time. */
void fake_shell_run(u32 ms);
/* Everything that came out since the last call, ended by 0. */
const char *fake_output(void);
/* fake_send, fake_shell_run, fake_output: a command and its answer. */
const char *fake_command(const char *line);
void fake_print(u32 vm, const char *text); /* the guest writes to its console */
void fake_print_bytes(u32 vm, const void *bytes, u32 count);
void fake_log(const char *line);
