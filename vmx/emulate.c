/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/emulate.h"
#include "vmx/emulate_fetch.h"
#include "vmx/emulate_registers.h"
#include "vmx/emulate_string.h"
#include "vmx/inject.h"
#include "vmx/machine.h"

/* Exit qualification, SDM vol. 3C, table 27-7. */
enum { VIOLATION_WRITE = 1 << 1, VIOLATION_FETCH = 1 << 2, VIOLATION_LINEAR = 1 << 7, VIOLATION_FINAL = 1 << 8 };

/* ---- where the operand is ---- */

static bool reads_only(const struct insn *insn)
{
	return insn->form == FORM_RM || insn->form == FORM_LOAD;
}

static u32 access_of(const struct insn *insn)
{
	static const u8 special[OPERATIONS] = { [OP_CMPXCHG] = SPAN_CHANGE, [OP_PUSH] = SPAN_READ, [OP_POP] = SPAN_WRITE };
	const struct alu_row *row = &alu_rows[insn->op];

	if (reads_only(insn))
		return SPAN_READ;
	if (special[insn->op])
		return special[insn->op];
	return (row->reads ? SPAN_READ : 0) | (row->writes ? SPAN_WRITE : 0);
}

static bool is_bit_operation(const struct insn *insn)
{
	return insn->op >= OP_BT && insn->op <= OP_BTC;
}

static u64 offset_of(const struct vcpu *v, const struct insn *insn)
{
	u64 offset = insn_offset(v, insn);

	/* The bit's number reaches beyond the operand, to both sides. */
	if (is_bit_operation(insn) && insn->form == FORM_MR) {
		s64 bit = (s64)alu_sign_extend(register_read(v, insn->reg), insn->bytes);

		offset += (u64)(bit >> (3 + __builtin_ctz(insn->bytes))) * insn->bytes;
	}
	/* POP computes its address after RSP has moved. */
	if (insn->op == OP_POP && insn->base == GPR_RSP)
		offset += insn->bytes;
	return offset & alu_mask(insn->address_bytes);
}

/* Is this the access that the processor translated and checked before it exited? */
static bool is_the_exit(const struct vcpu *v, const struct insn *insn, gva_t linear, u32 access)
{
	if (linear.a % PAGE_SIZE + insn->source_bytes > PAGE_SIZE)
		return false;
	if ((access & SPAN_WRITE) && !(v->exit.qualification & VIOLATION_WRITE))
		return false;
	return (vmcs_read(EXIT_LINEAR) ^ linear.a) >> PAGE_SHIFT == 0;
}

static enum exit_action find_operand(struct vcpu *v, const struct insn *insn, gpa_t exit_address, struct span *span)
{
	enum segment segment = (enum segment)insn->segment;
	u32 access = access_of(insn);
	u64 offset = offset_of(v, insn);
	gva_t linear = span_linear(segment, offset);

	if (!is_the_exit(v, insn, linear, access))
		return span_find(v, segment, offset, insn->source_bytes, access, span);
	span_at_device(span, linear, (gpa_t){ exit_address.a - exit_address.a % PAGE_SIZE + linear.a % PAGE_SIZE },
		       insn->source_bytes);
	return EXIT_ADVANCE;
}

/* ---- act: nothing here can fail ---- */

static void to_register(struct vcpu *v, const struct insn *insn, const struct span *span, u64 *flags)
{
	const struct alu_row *row = &alu_rows[insn->op];
	u32 number = insn->form == FORM_LOAD ? (u32)GPR_RAX : insn->reg;
	CHECK(row->compute && !row->swaps);
	u64 source = span_read(v, span);
	u64 old = row->reads ? register_read(v, number) : 0;

	if (insn->op == OP_MOVSX)
		source = alu_sign_extend(source, insn->source_bytes);
	u64 value = row->compute(old, source, insn->bytes, flags);

	if (row->writes)
		register_write(v, number, insn->bytes, value);
}

static u64 source_of(const struct vcpu *v, const struct insn *insn)
{
	u64 source = insn->immediate;

	if (insn->form == FORM_MR)
		source = register_read(v, insn->reg);
	else if (insn->form == FORM_STORE)
		source = v->regs.rax;
	return is_bit_operation(insn) ? source & (8u * insn->bytes - 1) : source;
}

static void to_memory(struct vcpu *v, const struct insn *insn, const struct span *span, u64 *flags)
{
	const struct alu_row *row = &alu_rows[insn->op];
	CHECK(row->compute && insn->bytes == insn->source_bytes);
	u64 source = source_of(v, insn);
	u64 old = row->reads ? span_read(v, span) : 0;
	u64 value = row->compute(old, source, insn->bytes, flags);

	if (row->writes)
		span_write(v, span, value);
	if (row->swaps)
		register_write(v, insn->reg, insn->bytes, old);
}

/* The destination is written in both cases, as on the processor. */
static void compare_exchange(struct vcpu *v, const struct insn *insn, const struct span *span, u64 *flags)
{
	u64 old = span_read(v, span);

	(void)alu_compare(v->regs.rax, old, insn->bytes, flags);
	if (*flags & FLAG_ZF) {
		span_write(v, span, register_read(v, insn->reg));
		return;
	}
	span_write(v, span, old);
	register_write(v, GPR_RAX, insn->bytes, old);
}

static void act(struct vcpu *v, const struct insn *insn, const struct span *span)
{
	u64 before = vmcs_read(GUEST_RFLAGS);
	u64 flags = before & ~RFLAGS_RF;

	if (reads_only(insn))
		to_register(v, insn, span, &flags);
	else if (insn->op == OP_CMPXCHG)
		compare_exchange(v, insn, span, &flags);
	else
		to_memory(v, insn, span, &flags);
	if (flags != before)
		vmcs_write(GUEST_RFLAGS, flags);
}

/* ---- PUSH and POP: the stack is a second operand ---- */

static u32 stack_address_bytes(void)
{
	if (vcpu_long_code())
		return 8;
	return segment_rights(SEGMENT_SS) & RIGHTS_BIG ? 4 : 2;
}

static enum exit_action through_stack(struct vcpu *v, const struct insn *insn, const struct span *operand)
{
	CHECK(insn->form == FORM_M);
	bool push = insn->op == OP_PUSH;
	u32 width = stack_address_bytes();
	u64 top = vcpu_gpr(v, GPR_RSP);
	u64 place = (push ? top - insn->bytes : top) & alu_mask(width);
	struct span stack;
	enum exit_action action = span_find(v, SEGMENT_SS, place, insn->bytes, push ? SPAN_WRITE : SPAN_READ, &stack);

	if (action != EXIT_ADVANCE)
		return action;
	if (!span_touches_device(operand) && !span_touches_device(&stack))
		return EXIT_RESUME;
	if (!span_mark(operand) || !span_mark(&stack))
		return EXIT_RESUME;
	span_write(v, push ? &stack : operand, span_read(v, push ? operand : &stack));
	register_write(v, GPR_RSP, width, push ? top - insn->bytes : top + insn->bytes);
	return EXIT_ADVANCE;
}

/* ---- the exit ---- */

/* An EPT violation saves RF set, for the instruction to run again; but it is done. */
static void forget_rf(void)
{
	u64 flags = vmcs_read(GUEST_RFLAGS);

	if (flags & RFLAGS_RF)
		vmcs_write(GUEST_RFLAGS, flags & ~RFLAGS_RF);
}

static enum exit_action emulate_plain(struct vcpu *v, const struct insn *insn, gpa_t address)
{
	struct span span;
	enum exit_action action = find_operand(v, insn, address, &span);

	if (action != EXIT_ADVANCE)
		return action;
	if (insn->op == OP_PUSH || insn->op == OP_POP)
		return through_stack(v, insn, &span);
	/* Another instruction than the one that exited, or another mapping: the processor does it itself. */
	if (!span_touches_device(&span))
		return EXIT_RESUME;
	if (!span_mark(&span))
		return EXIT_RESUME;
	act(v, insn, &span);
	return EXIT_ADVANCE_DECODED;
}

enum exit_action emulate_mmio(struct vcpu *v, gpa_t address)
{
	const u64 operand = VIOLATION_LINEAR | VIOLATION_FINAL;
	struct insn insn;

	if (v->event.info & EVENT_VALID)
		return vcpu_kill(v, "an event's delivery touches device memory at 0x%llx", (unsigned long long)address.a);
	if ((v->exit.qualification & operand) != operand)
		return vcpu_kill(v, "page tables in device memory at 0x%llx", (unsigned long long)address.a);
	if (v->exit.qualification & VIOLATION_FETCH)
		return vcpu_kill(v, "code in device memory at 0x%llx", (unsigned long long)address.a);
	enum exit_action action = emulate_fetch(v, &insn);

	if (action != EXIT_ADVANCE)
		return action;
	if (insn.form == FORM_STRING)
		action = emulate_string(v, &insn);
	else if (insn.memory)
		action = emulate_plain(v, &insn, address);
	else
		action = EXIT_RESUME;
	if (action != EXIT_ADVANCE)
		return action;
	forget_rf();
	return EXIT_ADVANCE_DECODED;
}
