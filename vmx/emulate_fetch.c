/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/emulate_fetch.h"
#include "kernel/lib/format.h"
#include "vmx/walk.h"
#include <string.h>

static enum decode_mode mode_now(void)
{
	u32 rights;

	if (vcpu_long_code())
		return DECODE_64;
	rights = segment_rights(SEGMENT_CS);
	return rights & RIGHTS_BIG ? DECODE_32 : DECODE_16;
}

/* Outside of 64-bit code: the code segment's base, and 32 bits. */
static gva_t linear_of(const struct vcpu *v, enum decode_mode mode, u32 offset)
{
	if (mode == DECODE_64)
		return (gva_t){ v->exit.rip + offset };
	return (gva_t){ (u32)(segment_base(SEGMENT_CS) + v->exit.rip + offset) };
}

static enum exit_action no_code(struct vcpu *v, err_t error, gva_t linear, const struct walk *walk)
{
	if (error == E_INVALID)
		return vcpu_inject_page_fault(v, linear, walk->fault);
	if (error == E_NOT_FOUND)
		return vcpu_kill(v, "code in device memory at 0x%llx", (unsigned long long)linear.a);
	return vcpu_wait_for(v, error, "code");
}

/* From what is there already to the end of the page, at most CODE_BYTES in all. */
static enum exit_action fetch_page(struct vcpu *v, enum decode_mode mode, struct code *code)
{
	gva_t linear = linear_of(v, mode, code->count);
	u32 bytes = (u32)min_u64(CODE_BYTES - code->count, PAGE_SIZE - linear.a % PAGE_SIZE);
	struct walk walk;
	void *from;
	err_t error = walk_find(v, linear, WALK_FETCH | (vcpu_cpl() == 3 ? WALK_USER : 0), &walk);

	if (!error)
		error = mm_reach(v->config.mm, v->config.index, walk.address, bytes, MM_READ, &from);
	if (error)
		return no_code(v, error, linear, &walk);
	if (bytes == CODE_BYTES) /* nearly always: a copy of constant size */
		memcpy(code->bytes, from, CODE_BYTES);
	else
		memcpy(code->bytes + code->count, from, bytes);
	code->count += bytes;
	return EXIT_ADVANCE;
}

static enum exit_action unknown(struct vcpu *v, const struct code *code)
{
	char text[3 * CODE_BYTES + 1];

	text[0] = 0;
	for (u32 i = 0; i < code->count; i++)
		format(text + 3 * i, sizeof(text) - 3 * i, " %02x", code->bytes[i]);
	return vcpu_kill(v, "an instruction on device memory that is not emulated:%s", text);
}

enum exit_action emulate_fetch(struct vcpu *v, struct insn *insn)
{
	enum decode_mode mode = mode_now();
	enum decode_result result = DECODE_MORE;
	struct code code;

	code.count = 0;
	/* The second page only if the instruction goes on there: it need not exist. */
	while (result == DECODE_MORE && code.count < CODE_BYTES) {
		enum exit_action action = fetch_page(v, mode, &code);

		if (action != EXIT_ADVANCE)
			return action;
		result = decode(&code, mode, insn);
	}
	if (result == DECODE_UNKNOWN)
		return unknown(v, &code);
	if (result != DECODE_OK)
		return vcpu_inject_exception(v, result == DECODE_UNDEFINED ? VECTOR_UD : VECTOR_GP, 0);
	CHECK(insn->length >= 1 && insn->length <= code.count);
	v->exit.length = insn->length;
	return EXIT_ADVANCE;
}
