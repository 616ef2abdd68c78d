/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all string instructions have in common: count, direction, address size, and a bound on how many elements are done before
 * the guest is entered again (at the same instruction, where interrupts reach it as between elements on the processor).
 */
#pragma once
#include "vmx/decode.h"
#include "vmx/emulate_span.h"

enum { STRING_BURST = 32 };

struct string {
	u32 bytes, address_bytes;
	bool repeats;
	bool ended;                 /* an element may say so: the condition of REPE and REPNE */
	bool first;                 /* no span is found yet */
	enum segment segment;       /* of rSI; rDI is in ES */
	struct span from, to;       /* rSI, rDI */
	u32 from_access, to_access; /* enum span_access, 0: not used */
	const struct insn *insn;
};

/* One element whose spans are found and marked: cannot fail. */
typedef void string_element(struct vcpu *v, struct string *s);
/* May an element go on with what was found? False: enter the guest, which does it itself. */
typedef bool string_guard(const struct string *s);

/* EXIT_ADVANCE: the instruction is done.  EXIT_RESUME: enter the guest at the same instruction. Else: return it. */
enum exit_action string_run(struct vcpu *v, struct string *s, string_element *element, string_guard *guard);
/* The string instructions of emulate.c. */
enum exit_action emulate_string(struct vcpu *v, const struct insn *insn);
