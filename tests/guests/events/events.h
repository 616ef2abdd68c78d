/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest events: what the processor does by itself around instructions that exit, and while it delivers an event. */
#pragma once
#include "tests/guests/lib/guest.h"

enum { DB = 1, NMI = 2, BP = 3, UD = 6, DF = 8, NP = 11, GP = 13, PF = 14, AC = 17 };

/* Code bytes to run with these registers; a RET is added. */
struct snippet {
	u64 rax, rcx, rdx, rsi, rdi;
	u8 code[48];
};
void snippet_load(struct snippet *s, const u8 *bytes, u32 count);
void snippet_run(void *snippet); /* for try_call and user_call */

/* instructions.c */
const char *instructions_in_kernel_mode(void);
const char *instructions_in_user_mode(void);
const char *user_mode_may_not_call(void);
const char *code_that_changes_itself(void);
const char *firmware_areas_can_be_written(void);
const char *a20_is_never_masked(void);
/* delivery.c */
const char *events_through_untouched_tables(void);
/* nested.c */
const char *missing_gates_and_stacks(void);
/* steps.c */
const char *single_steps_over_exits(void);
const char *icebp_is_a_trap(void);
const char *general_detect_guards_debug_registers(void);
const char *alignment_checks_in_user_mode(void);
