/* SPDX-License-Identifier: BSD-2-Clause */
/* Debug exceptions and alignment checks: the hypervisor intercepts both, because their delivery can loop. */
#include "tests/guests/events/events.h"
#include <string.h>

enum { MOST_TRAPS = 32, RFLAGS_TF = 0x100, RFLAGS_AC = 1 << 18, CODE_PROLOGUE = 7 };
#define HOLE 0xd0000000ULL
#define DR6_BD BIT(13)
#define DR6_BS BIT(14)
#define DR7_GD BIT(13)

static struct {
	u32 count;
	u64 rip[MOST_TRAPS], dr6[MOST_TRAPS], dr7;
} trap;

static void trapped(struct frame *frame)
{
	if (trap.count < MOST_TRAPS) {
		trap.rip[trap.count] = frame->rip;
		trap.dr6[trap.count] = dr6_read();
	}
	trap.dr7 = dr7_read();
	if (++trap.count >= MOST_TRAPS)
		frame->rflags &= ~(u64)RFLAGS_TF;
	dr6_write(0xffff0ff0);
}

static void watch(void (*function)(void *), void *argument)
{
	memset(&trap, 0, sizeof(trap));
	interrupt_on(DB, trapped);
	(void)try_call(function, argument);
	interrupt_on(DB, NULL);
}

/*
 * Instructions by their lengths; a negative one holds off the trap behind it.  RDI: a page, RSI: a hole, RDX: a port.  The page is untouched
 * only where MOV SS holds off the trap: Bochs 2.7 keeps a step pending over every EPT violation, where SDM vol. 3C, 27.3.4 clears it.
 */
static const struct piece {
	const char *name;
	u32 rcx;
	s8 lengths[6];
	u8 code[20];
} pieces[] = {
	{ "nop", 0, { 1, 1 }, { 0x90, 0x90 } },
	{ "cpuid", 0, { 1, 2, 1 }, { 0x53, 0x0f, 0xa2, 0x5b } },
	{ "rdmsr", MSR_APIC_BASE, { 2, 1 }, { 0x0f, 0x32, 0x90 } },
	{ "wrmsr", MSR_MISC_ENABLE, { 2, 2, 1 }, { 0x0f, 0x32, 0x0f, 0x30, 0x90 } },
	{ "in and out", 0, { 2, 2, 1 }, { 0xe4, 0x80, 0xe6, 0x80, 0x90 } },
	{ "insb", 0, { 1, 1 }, { 0x6c, 0x90 } },
	{ "wbinvd", 0, { 2, 1 }, { 0x0f, 0x09, 0x90 } },
	{ "device", 0, { 2, 2, 1 }, { 0x8b, 0x06, 0x89, 0x06, 0x90 } },
	{ "string on a device", 3, { 1, 1 }, { 0xac, 0x90 } },
	{ "cr0.cd", 0, { 3, 5, 3, 5, 3, 1 }, { 0x0f, 0x20, 0xc0, 0x35, 0, 0,    0,    0x40, 0x0f, 0x22,
					       0xc0, 0x35, 0,    0,    0, 0x40, 0x0f, 0x22, 0xc0, 0x90 } },
	{ "cr8", 0, { 4, 4, 1 }, { 0x44, 0x0f, 0x20, 0xc0, 0x44, 0x0f, 0x22, 0xc0, 0x90 } },
	{ "sti", 0, { 1, 1, 1 }, { 0xfb, 0x90, 0xfa } },
	{ "sti, cpuid", 0, { 1, 1, 2, 1, 1 }, { 0xfb, 0x53, 0x0f, 0xa2, 0x5b, 0xfa } },
	{ "mov ss, nop", 0, { 2, -2, 1, 1 }, { 0x8c, 0xd0, 0x8e, 0xd0, 0x90, 0x90 } },
	{ "mov ss, in", 0, { 2, -2, 2, 1 }, { 0x8c, 0xd0, 0x8e, 0xd0, 0xe4, 0x80, 0x90 } },
	{ "mov ss, first touch", 0, { 2, -2, 2, 1 }, { 0x8c, 0xd0, 0x8e, 0xd0, 0x88, 0x07, 0x90 } },
	{ "mov ss, device", 0, { 2, -2, 2, 1 }, { 0x8c, 0xd0, 0x8e, 0xd0, 0x8b, 0x06, 0x90 } },
};

/* PUSHFQ; OR BYTE [RSP+1], 1; POPFQ, the piece, and the same way back. */
static void wrap(struct snippet *s, const struct piece *piece, u32 bytes)
{
	static const u8 before[] = { 0x9c, 0x80, 0x4c, 0x24, 1, 1, 0x9d }, behind[] = { 0x9c, 0x80, 0x64, 0x24, 1, 0xfe, 0x9d };
	u8 code[sizeof(s->code)];

	memcpy(code, before, sizeof(before));
	memcpy(code + sizeof(before), piece->code, bytes);
	memcpy(code + sizeof(before) + bytes, behind, sizeof(behind));
	snippet_load(s, code, (u32)sizeof(before) + bytes + (u32)sizeof(behind));
}

static u32 length_of(s32 length)
{
	return (u32)(length < 0 ? -length : length);
}

static const char *step_over(const struct piece *piece)
{
	struct snippet s = { .rcx = piece->rcx, .rdx = 0x80, .rsi = HOLE, .rdi = (u64)fresh_pages(1) };
	u32 bytes = 0, expected = 0;

	if (piece->lengths[1] > 0)
		*(volatile u8 *)s.rdi = 0;
	for (u32 i = 0; i < ARRAY_SIZE(piece->lengths); i++)
		bytes += length_of(piece->lengths[i]);
	wrap(&s, piece, bytes);
	watch(snippet_run, &s);
	u64 at = (u64)s.code + CODE_PROLOGUE;
	for (u32 i = 0; i < ARRAY_SIZE(piece->lengths) && piece->lengths[i]; i++) {
		at += length_of(piece->lengths[i]);
		if (piece->lengths[i] < 0)
			continue;
		EXPECT(trap.rip[expected] == at && (trap.dr6[expected] & 0x600f) == DR6_BS,
		       "%s: trap %u at %lld, not %lld, DR6 0x%llx", piece->name, expected,
		       (s64)(trap.rip[expected] - (u64)s.code), (s64)(at - (u64)s.code), trap.dr6[expected]);
		expected++;
	}
	EXPECT(trap.count == expected + 3, "%s: %u traps, not %u", piece->name, trap.count, expected + 3);
	return NULL;
}

const char *single_steps_over_exits(void)
{
	const char *what = NULL;

	for (u32 i = 0; i < ARRAY_SIZE(pieces) && !what; i++)
		what = step_over(&pieces[i]);
	return what;
}

const char *icebp_is_a_trap(void)
{
	static const u8 code[] = { 0xf1, 0x90 };
	struct snippet s = { 0 };

	snippet_load(&s, code, sizeof(code));
	watch(snippet_run, &s);
	EXPECT(trap.count == 1 && trap.rip[0] == (u64)s.code + 1, "%u traps, the first at %lld", trap.count,
	       (s64)(trap.rip[0] - (u64)s.code));
	return NULL;
}

const char *general_detect_guards_debug_registers(void)
{
	static const u8 code[] = { 0x0f, 0x23, 0xf8, 0x0f, 0x21, 0xc0 }; /* MOV DR7, RAX; MOV RAX, DR0 */
	struct snippet s = { .rax = 0x400 | DR7_GD };

	snippet_load(&s, code, sizeof(code));
	watch(snippet_run, &s); /* a fault: the second one runs again, with GD cleared by the first */
	EXPECT(trap.count == 1 && trap.rip[0] == (u64)s.code + 3, "%u faults, the first at %lld", trap.count,
	       (s64)(trap.rip[0] - (u64)s.code));
	EXPECT(trap.dr6[0] & DR6_BD, "DR6 is 0x%llx", trap.dr6[0]);
	EXPECT(trap.dr7 == 0x400, "DR7 is 0x%llx", trap.dr7);
	return NULL;
}

const char *alignment_checks_in_user_mode(void)
{
	/* PUSHFQ; OR DWORD [RSP], 1 << 18; POPFQ; MOV EAX, [RDI + 1] */
	static const u8 code[] = { 0x9c, 0x81, 0x0c, 0x24, 0, 0, 4, 0, 0x9d, 0x8b, 0x47, 1 };
	static u64 aligned[2];
	struct snippet s = { .rdi = (u64)aligned };

	snippet_load(&s, code, sizeof(code));
	u64 vector = user_call(snippet_run, &s);
	EXPECT(vector == TRY_NOTHING, "vector %lld without CR0.AM", vector);
	cr0_write(cr0_read() | CR0_AM);
	vector = user_call(snippet_run, &s);
	cr0_write(cr0_read() & ~CR0_AM);
	EXPECT(vector == AC && try_error == 0, "vector %lld, error 0x%llx", vector, try_error);
	return NULL;
}
