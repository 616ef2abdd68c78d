/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile guest at the emulation: arbitrary bytes as code, registers, segments, control registers and page tables.  Whatever
 * comes of it, nothing of ours breaks, and what is not done has changed nothing.
 */
#include "tests/fuzz/input.h"
#include "tests/unit/support/emulate_fake.h"
#include "vmx/emulate.h"
#include "vmx/strio.h"

#define V (&fake_vcpu)

/* Addresses where something is, as often as not. */
static u64 take_address(void)
{
	static const u64 places[] = {
		0, FAKE_DEVICE, FAKE_MEMORY - 8, FAKE_CODE, FAKE_STACK, 0x8ff8, FAKE_DEVICE + PAGE_SIZE - 4
	};
	u8 which = take_byte();

	return which < ARRAY_SIZE(places) ? places[which] + (take_byte() & 15) : which & 128 ? take() : which;
}

static void take_segments(void)
{
	for (u32 s = SEGMENT_ES; s <= SEGMENT_GS; s++) {
		u8 what = take_byte();

		if (what & 1)
			vmcs_write_raw(ENCODING_GUEST_ES_BASE + 2 * s, take_address());
		if (what & 2)
			vmcs_write_raw(ENCODING_GUEST_ES_LIMIT + 2 * s, (u32)take());
		if (what & 4)
			vmcs_write_raw(ENCODING_GUEST_ES_RIGHTS + 2 * s, (u32)take() & 0x1f0ff);
	}
}

static void take_paging(void)
{
	u8 what = take_byte();

	if (what & 1)
		vmcs_write(GUEST_CR0, vmcs_read(GUEST_CR0) ^ (take_byte() & 1 ? CR0_PG : CR0_WP));
	if (what & 2)
		vmcs_write(GUEST_CR4, vmcs_read(GUEST_CR4) ^ (take() & (CR4_PAE | CR4_PSE | CR4_SMEP | CR4_SMAP)));
	if (what & 4)
		vmcs_write(GUEST_CR3, take_address());
	if (what & 8)
		vmcs_write(GUEST_PDPTE0, take_address());
	for (u32 i = what >> 4 & 3; i > 0; i--) {
		u64 slot = FAKE_TABLES + (take() & 0x3ff8);

		fake_entry(slot, take());
	}
	if (what & 64)
		fake_suspend_at = take_byte();
	if (what & 128)
		vmcs_write(GUEST_EFER, vmcs_read(GUEST_EFER) ^ EFER_NXE);
}

static void take_guest(void)
{
	fake_guest((enum vcpu_mode)(take_byte() % 3));
	for (u32 i = 0; i < GPRS; i++)
		vcpu_set_gpr(V, i, take_address());
	vmcs_write(GUEST_RFLAGS, (take() & 0x254fd5) | RFLAGS_ONE);
	take_segments();
	take_paging();
	if (take_byte() & 1)
		V->exit.rip = take_address();
	if (V->exit.rip < FAKE_MEMORY - 16)
		for (u32 i = 0; i < 16; i++)
			fake_memory[V->exit.rip + i] = take_byte();
}

static void check_answer(enum exit_action action, bool string, const u8 *before, const union vcpu_regs *regs)
{
	CHECK(action == EXIT_ADVANCE || action == EXIT_ADVANCE_DECODED || action == EXIT_RESUME || action == EXIT_INJECT ||
	      action == EXIT_SUSPEND || action == EXIT_KILL);
	if (action == EXIT_ADVANCE_DECODED)
		CHECK(V->exit.length >= 1 && V->exit.length <= 15);
	if (action == EXIT_INJECT)
		CHECK(V->event.info & EVENT_VALID);
	if (string || action == EXIT_ADVANCE || action == EXIT_ADVANCE_DECODED)
		return;
	CHECK(fake_accesses == 0 && memcmp(regs, &V->regs, sizeof(*regs)) == 0);
	/* Accessed flags may be set by a walk whose tables changed under it: not here. */
	CHECK(action == EXIT_RESUME || memcmp(before, fake_memory, FAKE_MEMORY) == 0);
}

static void one_mmio(const u8 *before)
{
	u64 linear = take_address(), address = take_address();
	union vcpu_regs regs = V->regs;
	u64 rcx = V->regs.rcx;

	fake_violation(linear, address, 0x180 | (take_byte() & 7));
	enum exit_action action = emulate_mmio(V, (gpa_t){ address | FAKE_DEVICE });

	/* Of the instructions only strings may stop midway; they have counted then. */
	check_answer(action, V->regs.rcx != rcx, before, &regs);
}

static void one_string(void)
{
	static const u8 sizes[] = { 0, 1, 3 };
	u8 what = take_byte();

	V->exit.qualification = sizes[what % 3] | 1 << 4 | (what & 0x28) | 0x1f00000;
	u32 size = take_byte() % 3, segment = take_byte() % 6;

	vmcs_write(EXIT_INSTRUCTION, size << 7 | segment << 15);
	check_answer(strio_run(V), true, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	static u8 before[FAKE_MEMORY];

	take_from(data, bytes);
	take_guest();
	memcpy(before, fake_memory, FAKE_MEMORY);
	if (take_byte() & 1)
		one_string();
	else
		one_mmio(before);
	return 0;
}
