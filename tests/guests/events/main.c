/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/guests/events/events.h"
#include <string.h>

void snippet_load(struct snippet *s, const u8 *bytes, u32 count)
{
	if (count >= sizeof(s->code))
		die("a snippet of %u bytes", count);
	memcpy(s->code, bytes, count);
	s->code[count] = 0xc3;
}

void snippet_run(void *snippet)
{
	struct snippet *s = snippet;

	__asm__ volatile("call *%5"
			 : "+a"(s->rax), "+c"(s->rcx), "+d"(s->rdx), "+S"(s->rsi), "+D"(s->rdi)
			 : "r"(s->code)
			 : "memory", "cc");
}

void guest_main(void)
{
	static const struct promise list[] = {
		{ "instructions_in_kernel_mode", instructions_in_kernel_mode },
		{ "instructions_in_user_mode", instructions_in_user_mode },
		{ "user_mode_may_not_call", user_mode_may_not_call },
		{ "code_that_changes_itself", code_that_changes_itself },
		{ "firmware_areas_can_be_written", firmware_areas_can_be_written },
		{ "a20_is_never_masked", a20_is_never_masked },
		{ "single_steps_over_exits", single_steps_over_exits },
		{ "icebp_is_a_trap", icebp_is_a_trap },
		{ "general_detect_guards_debug_registers", general_detect_guards_debug_registers },
		{ "alignment_checks_in_user_mode", alignment_checks_in_user_mode },
		{ "events_through_untouched_tables", events_through_untouched_tables },
		{ "missing_gates_and_stacks", missing_gates_and_stacks },
	};

	user_init();
	promises_run("events", list, ARRAY_SIZE(list));
}
