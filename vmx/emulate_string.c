/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/emulate_string.h"
#include "vmx/debug.h"
#include "vmx/emulate_registers.h"
#include "vmx/machine.h"

#define RFLAGS_DF BIT(10)

/* ---- any string instruction ---- */

static u64 register_part(const struct vcpu *v, u32 number, u32 bytes)
{
	return v->regs.gpr[number] & alu_mask(bytes);
}

static enum exit_action find_side(struct vcpu *v, const struct string *s, u32 access, enum segment segment, u32 index,
				  struct span *span)
{
	u64 offset = register_part(v, index, s->address_bytes);

	if (!access)
		return EXIT_ADVANCE;
	if (s->first)
		return span_find(v, segment, offset, s->bytes, access, span);
	return span_find_next(v, segment, offset, s->bytes, access, span);
}

static enum exit_action gather(struct vcpu *v, struct string *s, string_guard *guard)
{
	enum exit_action action = find_side(v, s, s->from_access, s->segment, GPR_RSI, &s->from);

	if (action == EXIT_ADVANCE)
		action = find_side(v, s, s->to_access, SEGMENT_ES, GPR_RDI, &s->to);
	if (action != EXIT_ADVANCE)
		return action;
	if (!guard(s))
		return EXIT_RESUME;
	if ((s->from_access && !span_mark(&s->from)) || (s->to_access && !span_mark(&s->to)))
		return EXIT_RESUME;
	s->first = false;
	return EXIT_ADVANCE;
}

static void step_index(struct vcpu *v, const struct string *s, u32 index)
{
	u64 step = vmcs_read(GUEST_RFLAGS) & RFLAGS_DF ? 0ULL - s->bytes : s->bytes;

	register_write(v, index, s->address_bytes, v->regs.gpr[index] + step);
}

/* Returns whether another element follows. */
static bool count_down(struct vcpu *v, const struct string *s)
{
	if (!s->repeats)
		return false;
	register_write(v, GPR_RCX, s->address_bytes, v->regs.rcx - 1);
	return register_part(v, GPR_RCX, s->address_bytes) && !s->ended;
}

enum exit_action string_run(struct vcpu *v, struct string *s, string_element *element, string_guard *guard)
{
	CHECK((s->from_access || s->to_access) && s->segment <= SEGMENT_GS);
	s->first = true;
	if (s->repeats && !register_part(v, GPR_RCX, s->address_bytes))
		return EXIT_ADVANCE;
	for (u32 i = 0; i < STRING_BURST; i++) {
		enum exit_action action = gather(v, s, guard);

		if (action != EXIT_ADVANCE)
			return action;
		element(v, s);
		if (s->from_access)
			step_index(v, s, GPR_RSI);
		if (s->to_access)
			step_index(v, s, GPR_RDI);
		if (!count_down(v, s))
			return EXIT_ADVANCE;
		/* Single steps and breakpoints trap after each element. */
		debug_step();
		if (vmcs_read(GUEST_PENDING_DEBUG))
			return EXIT_RESUME;
	}
	return EXIT_RESUME;
}

/* ---- MOVS, CMPS, STOS, LODS, SCAS ---- */

static void compare(struct string *s, u64 left, u64 right)
{
	u64 flags = vmcs_read(GUEST_RFLAGS);

	(void)alu_compare(left, right, s->bytes, &flags);
	vmcs_write(GUEST_RFLAGS, flags);
	s->ended = !(flags & FLAG_ZF) != (s->insn->repeat == REPEAT_NOT_EQUAL);
}

static void movs(struct vcpu *v, struct string *s)
{
	span_write(v, &s->to, span_read(v, &s->from));
}

static void cmps(struct vcpu *v, struct string *s)
{
	u64 left = span_read(v, &s->from);

	compare(s, left, span_read(v, &s->to));
}

static void stos(struct vcpu *v, struct string *s)
{
	span_write(v, &s->to, v->regs.rax);
}

static void lods(struct vcpu *v, struct string *s)
{
	register_write(v, GPR_RAX, s->bytes, span_read(v, &s->from));
}

static void scas(struct vcpu *v, struct string *s)
{
	compare(s, v->regs.rax, span_read(v, &s->to));
}

/* Memory on both sides is for the guest itself to go on with. */
static bool at_device(const struct string *s)
{
	return (s->from_access && span_touches_device(&s->from)) || (s->to_access && span_touches_device(&s->to));
}

enum exit_action emulate_string(struct vcpu *v, const struct insn *insn)
{
	static const struct {
		string_element *element;
		u8 from_access, to_access;
	} rows[OPERATIONS] = {
		[OP_MOVS] = { movs, SPAN_READ, SPAN_WRITE }, [OP_CMPS] = { cmps, SPAN_READ, SPAN_READ },
		[OP_STOS] = { stos, 0, SPAN_WRITE },         [OP_LODS] = { lods, SPAN_READ, 0 },
		[OP_SCAS] = { scas, 0, SPAN_READ },
	};
	struct string s;

	CHECK(rows[insn->op].element);
	s.bytes = insn->bytes;
	s.address_bytes = insn->address_bytes;
	s.repeats = insn->repeat != REPEAT_NONE;
	s.ended = false;
	s.segment = (enum segment)insn->segment;
	s.from_access = rows[insn->op].from_access;
	s.to_access = rows[insn->op].to_access;
	s.insn = insn;
	return string_run(v, &s, rows[insn->op].element, at_device);
}
