/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Emulated instructions against the processor: random instructions run natively on memory and by emulation on a device of the
 * same contents, and must leave the same registers, flags, memory and device.
 */
#include "tests/unit/support/emulate_fake.h"
#include "vmx/decode.h"
#include "vmx/emulate.h"
#include "vmx/emulate_alu.h"
#include "vmx/emulate_registers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { INSTRUCTIONS = 20000 };

static u64 state;

static u64 draw64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static u32 draw(u32 below)
{
	return (u32)(draw64() >> 32) % below;
}

/* ---- the processor ---- */

/* What the stub loads and stores; it lies in the page behind the stub. */
struct native {
	u64 gpr[GPRS], flags, host_rsp;
};

#define STUB 0x30000000ULL
#define STUB_INSN 0x400 /* where the instruction under test goes */

static struct native *native = (struct native *)(STUB + PAGE_SIZE);
static u8 *native_device = (u8 *)FAKE_DEVICE, *native_stack = (u8 *)FAKE_STACK;

static void *map_at(u64 address, u32 bytes, int rights)
{
	void *mapped = mmap((void *)address, bytes, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	assert_ptr_equal(mapped, (void *)address);
	return mapped;
}

static u8 *emit(u8 *at, const void *bytes, u32 count)
{
	memcpy(at, bytes, count);
	return at + count;
}

/* mov between register and [absolute 32-bit address], either way */
static u8 *emit_mov(u8 *at, u8 opcode, u32 reg, const void *slot)
{
	u32 address = (u32)(u64)slot;
	u8 bytes[4] = { (u8)(0x48 | (reg >= 8 ? 4 : 0)), opcode, (u8)(4 | (reg & 7) << 3), 0x25 };

	return emit(emit(at, bytes, 4), &address, 4);
}

enum { MOV_LOAD = 0x8b, MOV_STORE = 0x89 };

/* pushq or popq [absolute] */
static u8 *emit_stack(u8 *at, u8 opcode, u8 modrm, const void *slot)
{
	u32 address = (u32)(u64)slot;
	u8 bytes[3] = { opcode, modrm, 0x25 };

	return emit(emit(at, bytes, 3), &address, 4);
}

static void make_stub(void)
{
	static const u8 save[] = { 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57 };
	static const u8 restore[] = { 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xfc, 0xc3 };
	u8 *at = map_at(STUB, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);

	at = emit(at, save, sizeof(save));
	at = emit_stack(at, 0xff, 0x34, &native->flags);
	at = emit(at, "\x9d", 1);
	at = emit_mov(at, MOV_STORE, GPR_RSP, &native->host_rsp);
	for (u32 i = 0; i < GPRS; i++)
		at = emit_mov(at, MOV_LOAD, i, &native->gpr[i]);
	memset(at, 0x90, STUB + STUB_INSN + CODE_BYTES - (u64)at);
	at = (u8 *)(STUB + STUB_INSN + CODE_BYTES);
	for (u32 i = 0; i < GPRS; i++)
		at = emit_mov(at, MOV_STORE, i, &native->gpr[i]);
	at = emit_mov(at, MOV_LOAD, GPR_RSP, &native->host_rsp);
	at = emit(at, "\x9c", 1);
	at = emit_stack(at, 0x8f, 0x04, &native->flags);
	emit(at, restore, sizeof(restore));
}

static void run_natively(const u8 *bytes, u32 length)
{
	u8 *place = (u8 *)(STUB + STUB_INSN);

	memset(place, 0x90, CODE_BYTES);
	memcpy(place, bytes, length);
	__builtin___clear_cache((char *)place, (char *)place + CODE_BYTES);
	((void (*)(void))STUB)();
}

/* ---- random instructions whose operands lie in the device's two pages ---- */

static void random_code(struct code *code)
{
	static const u8 prefixes[] = { 0x66, 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x36, 0x3e };
	u32 at = 0;

	for (u32 i = draw(3); i > 0; i--)
		code->bytes[at++] = prefixes[draw(ARRAY_SIZE(prefixes))];
	if (draw(2))
		code->bytes[at++] = (u8)(0x40 + draw(16));
	if (!draw(3))
		code->bytes[at++] = 0x0f;
	while (at < CODE_BYTES)
		code->bytes[at++] = (u8)draw(256);
	code->count = CODE_BYTES;
}

static u64 place_in_device(void)
{
	return FAKE_DEVICE + (draw(4) ? 0x800 + draw(0x1000) : PAGE_SIZE - draw(16));
}

static u64 interesting(void)
{
	static const u64 values[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, ~0ULL, 1ULL << 63 };

	return draw(3) ? draw64() : values[draw(ARRAY_SIZE(values))];
}

/* Set the registers so that the operand is in the device; false: this one cannot be. */
static bool aim(struct vcpu *v, const struct insn *insn)
{
	u64 target = place_in_device();

	if (insn->segment >= SEGMENT_FS)
		return false;
	if (insn->form == FORM_STRING) {
		v->regs.rsi = place_in_device();
		v->regs.rdi = place_in_device();
		v->regs.rcx = draw(20);
		return true;
	}
	if (insn->base >= GPRS || insn->base == GPR_RSP)
		return false;
	if (insn->index != REGISTER_NONE && insn->index == insn->base)
		return false;
	u64 rest = insn->displacement + (insn->index == REGISTER_NONE ? 0 : vcpu_gpr(v, insn->index) << insn->scale);

	v->regs.gpr[insn->base] = target - rest;
	if (insn->address_bytes == 4)
		v->regs.gpr[insn->base] = (u32)(target - rest) | draw64() << 32;
	if (insn->op < OP_BT || insn->op > OP_BTC || insn->form != FORM_MR)
		return true;
	/* The bit's number is within 256 bytes. */
	if (insn->reg == insn->base || insn->reg == insn->index || insn->reg == GPR_RSP)
		return false;
	v->regs.gpr[insn->reg] = (u64)((s64)draw(4096) - 2048);
	return true;
}

static void fill(u8 *bytes, u32 count)
{
	for (u32 i = 0; i < count; i += 8) {
		u64 value = interesting();

		memcpy(bytes + i, &value, 8);
	}
}

static bool prepare(struct code *code, struct insn *insn)
{
	struct vcpu *v = &fake_vcpu;

	random_code(code);
	if (decode(code, DECODE_64, insn) != DECODE_OK || !insn->memory)
		return false;
	fake_guest(VCPU_LONG64);
	for (u32 i = 0; i < GPRS; i++)
		if (i != GPR_RSP)
			v->regs.gpr[i] = interesting();
	vmcs_write(GUEST_RFLAGS,
		   RFLAGS_ONE | RFLAGS_IF | (draw64() & FLAGS_STATUS) | (draw(2) && insn->form == FORM_STRING ? BIT(10) : 0));
	if (!aim(v, insn))
		return false;
	fill(fake_device, FAKE_DEVICE_BYTES);
	fill(fake_memory + FAKE_STACK, PAGE_SIZE);
	fake_code(code->bytes, CODE_BYTES);
	return true;
}

static void copy_to_native(void)
{
	memcpy(native->gpr, fake_vcpu.regs.gpr, sizeof(native->gpr));
	native->gpr[GPR_RSP] = vmcs_read(GUEST_RSP);
	native->flags = vmcs_read(GUEST_RFLAGS);
	memcpy(native_device, fake_device, FAKE_DEVICE_BYTES);
	memcpy(native_stack, fake_memory + FAKE_STACK, PAGE_SIZE);
}

/* The exit is the slow way (it says nothing of the address) or the one that the processor would give. */
static void emulate(const struct insn *insn)
{
	u64 linear = insn->form == FORM_STRING ? 0 : insn_offset(&fake_vcpu, insn);
	enum exit_action action;

	fake_violation(draw(2) ? linear : 0, linear, draw(2) ? FAKE_READ : FAKE_WRITE);
	do
		action = emulate_mmio(&fake_vcpu, vcpu_exit_gpa());
	while (action == EXIT_RESUME && insn->form == FORM_STRING);
	assert_int_equal(action, EXIT_ADVANCE_DECODED);
	assert_int_equal(fake_vcpu.exit.length, insn->length);
}

static char latest[64];

static void same_state(void)
{
	for (u32 i = 0; i < GPRS; i++)
		assert_int_equal(vcpu_gpr(&fake_vcpu, i), native->gpr[i]);
	assert_int_equal(vmcs_read(GUEST_RFLAGS) & FLAGS_STATUS, native->flags & FLAGS_STATUS);
	assert_memory_equal(fake_device, native_device, FAKE_DEVICE_BYTES);
	assert_memory_equal(fake_memory + FAKE_STACK, native_stack, PAGE_SIZE);
}

static void emulated_instructions_do_what_the_processor_does(void **test)
{
	u32 done[OPERATIONS] = { 0 };
	struct code code = { .count = 0 };
	struct insn insn;

	(void)test;
	for (u32 i = 0; i < INSTRUCTIONS;) {
		if (!prepare(&code, &insn))
			continue;
		for (u32 at = 0; at < insn.length; at++)
			snprintf(latest + 3 * at, 4, "%02x ", code.bytes[at]);
		copy_to_native();
		run_natively(code.bytes, insn.length);
		emulate(&insn);
		same_state();
		done[insn.op]++;
		i++;
	}
	for (u32 op = OP_UNKNOWN + 1; op < OPERATIONS; op++)
		if (done[op] < 5)
			fail_msg("operation %u came only %u times", op, done[op]);
}

static int show_latest(void **test)
{
	(void)test;
	printf("last instruction: %s\n", latest);
	return 0;
}

int main(int count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(emulated_instructions_do_what_the_processor_does, show_latest),
	};

	state = count > 1 ? strtoull(arguments[1], NULL, 0) : 0x9e3779b97f4a7c15ULL;
	printf("seed 0x%llx\n", state);
	map_at(FAKE_DEVICE, FAKE_DEVICE_BYTES, PROT_READ | PROT_WRITE);
	map_at(FAKE_STACK, PAGE_SIZE, PROT_READ | PROT_WRITE);
	make_stub();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
