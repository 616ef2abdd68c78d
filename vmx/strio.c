/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/strio.h"
#include "vmx/debug.h"
#include "vmx/emulate_string.h"

/* Exit qualification, SDM vol. 3C, table 27-5. */
enum { IO_SIZE = 7, IO_IN = 1 << 3, IO_REPEAT = 1 << 5, IO_PORT_SHIFT = 16 };
/* Instruction information of INS and OUTS, table 27-8. */
enum { INFO_ADDRESS_SHIFT = 7, INFO_ADDRESS = 7, INFO_SEGMENT_SHIFT = 15, INFO_SEGMENT = 7 };

static u16 port_of(const struct vcpu *v)
{
	return (u16)(v->exit.qualification >> IO_PORT_SHIFT);
}

static void ins(struct vcpu *v, struct string *s)
{
	span_write(v, &s->to, pc_port_read(v->config.pc, v->config.index, port_of(v), s->bytes));
	debug_access(v, port_of(v), s->bytes, DEBUG_PORT);
}

static void outs(struct vcpu *v, struct string *s)
{
	pc_port_write(v->config.pc, v->config.index, port_of(v), s->bytes, (u32)span_read(v, &s->from));
	debug_access(v, port_of(v), s->bytes, DEBUG_PORT);
}

/* The guest cannot go on by itself: each element exits. */
static bool always(const struct string *s)
{
	(void)s;
	return true;
}

enum exit_action strio_run(struct vcpu *v)
{
	u32 what = (u32)v->exit.qualification;
	u32 info = vmcs_read(EXIT_INSTRUCTION);
	bool in = what & IO_IN;
	struct string s;

	s.bytes = (what & IO_SIZE) + 1;
	s.address_bytes = 2U << (info >> INFO_ADDRESS_SHIFT & INFO_ADDRESS);
	CHECK(s.bytes <= 4 && s.address_bytes <= 8);
	s.repeats = what & IO_REPEAT;
	s.ended = false;
	/* For INS the processor leaves the segment's number undefined. */
	s.segment = in ? SEGMENT_ES : (enum segment)(info >> INFO_SEGMENT_SHIFT & INFO_SEGMENT);
	s.from_access = in ? 0 : SPAN_READ;
	s.to_access = in ? SPAN_WRITE : 0;
	s.insn = NULL;
	return string_run(v, &s, in ? ins : outs, always);
}
