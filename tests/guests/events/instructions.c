/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that exit, or that a processor like ours does not have: what each raises in kernel and in user mode. */
#include "kernel/abi/hypercall.h"
#include "tests/guests/events/events.h"
#include <string.h>

enum { NONE = 0xff, NOT_HERE = 0xfe, INSTRUCTION_BYTES = 17 };

/* RAX 0, RCX as given, RDX 0, RSI and RDI: 64 bytes of zeros. */
static const struct row {
	const char *name;
	u64 feature; /* without it #UD */
	u8 kernel, user;
	u32 rcx;
	u8 bytes;
	u8 code[INSTRUCTION_BYTES];
} rows[] = {
#define ROW(name, feature, kernel, user, rcx, ...)                                     \
	{                                                                              \
		name, feature, kernel, user, rcx, sizeof((const u8[]){ __VA_ARGS__ }), \
		{                                                                      \
			__VA_ARGS__                                                    \
		}                                                                      \
	}
	ROW("ud2", 0, UD, UD, 0, 0x0f, 0x0b),
	ROW("vmread", 0, UD, UD, 0, 0x0f, 0x78, 0xc0),
	ROW("vmwrite", 0, UD, UD, 0, 0x0f, 0x79, 0xc0),
	ROW("vmclear", 0, UD, UD, 0, 0x66, 0x0f, 0xc7, 0x37),
	ROW("vmptrld", 0, UD, UD, 0, 0x0f, 0xc7, 0x37),
	ROW("vmptrst", 0, UD, UD, 0, 0x0f, 0xc7, 0x3f),
	ROW("vmxon", 0, UD, UD, 0, 0xf3, 0x0f, 0xc7, 0x37),
	ROW("vmlaunch", 0, UD, UD, 0, 0x0f, 0x01, 0xc2),
	ROW("vmresume", 0, UD, UD, 0, 0x0f, 0x01, 0xc3),
	ROW("vmxoff", 0, UD, UD, 0, 0x0f, 0x01, 0xc4),
	ROW("invept", 0, UD, UD, 0, 0x66, 0x0f, 0x38, 0x80, 0x07),
	ROW("invvpid", 0, UD, UD, 0, 0x66, 0x0f, 0x38, 0x81, 0x07),
	ROW("vmfunc", 0, UD, UD, 0, 0x0f, 0x01, 0xd4),
	ROW("getsec", 0, UD, UD, 0, 0x0f, 0x37),
	ROW("monitor", 0, UD, UD, 0, 0x0f, 0x01, 0xc8),
	ROW("mwait", 0, UD, UD, 0, 0x0f, 0x01, 0xc9),
	ROW("rsm", 0, UD, UD, 0, 0x0f, 0xaa),
	ROW("encls", 0, UD, UD, 0, 0x0f, 0x01, 0xcf),
	ROW("umwait", 0, UD, UD, 0, 0xf2, 0x0f, 0xae, 0xf0),
	ROW("tpause", 0, UD, UD, 0, 0x66, 0x0f, 0xae, 0xf0),
	ROW("xsetbv", 0, UD, UD, 0, 0x0f, 0x01, 0xd1), /* CR4.OSXSAVE is off */
	ROW("lock cpuid", 0, UD, UD, 0, 0xf0, 0x0f, 0xa2),
	ROW("mov cs", 0, UD, UD, 0, 0x8e, 0xc8),
	ROW("into", 0, UD, UD, 0, 0xce),
	ROW("sixteen bytes", 0, GP, GP, 0, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	    0x66, 0x90),
	ROW("cpuid", 0, NONE, NONE, 0, 0x53, 0x0f, 0xa2, 0x5b),
	ROW("rdtsc", 0, NONE, NONE, 0, 0x0f, 0x31),
	ROW("rdtscp", FEATURE_RDTSCP, NONE, NONE, 0, 0x0f, 0x01, 0xf9),
	ROW("rdpmc", 0, GP, GP, 0x12345, 0x0f, 0x33),
	ROW("wbinvd", 0, NONE, GP, 0, 0x0f, 0x09),
	ROW("invd", 0, NONE, GP, 0, 0x0f, 0x08),
	ROW("hlt", 0, NOT_HERE, GP, 0, 0xf4),
	ROW("cli", 0, NONE, GP, 0, 0xfa),
	ROW("clts", 0, NONE, GP, 0, 0x0f, 0x06),
	ROW("smsw", 0, NONE, NONE, 0, 0x0f, 0x01, 0xe0),
	ROW("lmsw", 0, NONE, GP, 0, 0x0f, 0x20, 0xc0, 0x0f, 0x01, 0xf0), /* with the bits of CR0 itself */
	ROW("lgdt", 0, NOT_HERE, GP, 0, 0x0f, 0x01, 0x17),
	ROW("lidt", 0, NOT_HERE, GP, 0, 0x0f, 0x01, 0x1f),
	ROW("invlpg", 0, NONE, GP, 0, 0x0f, 0x01, 0x3f),
	ROW("invpcid", FEATURE_INVPCID, NONE, GP, 0, 0x66, 0x0f, 0x38, 0x82, 0x0f),
	ROW("invpcid of type 4", FEATURE_INVPCID, GP, GP, 4, 0x66, 0x0f, 0x38, 0x82, 0x0f),
	ROW("mov from cr1", 0, UD, UD, 0, 0x0f, 0x20, 0xc8),
	ROW("mov from cr5", 0, UD, UD, 0, 0x0f, 0x20, 0xe8),
	ROW("mov from cr8", 0, NONE, GP, 0, 0x44, 0x0f, 0x20, 0xc0),
	ROW("mov 15 to cr8", 0, NONE, GP, 15, 0x44, 0x0f, 0x22, 0xc1, 0x31, 0xc9, 0x44, 0x0f, 0x22, 0xc1),
	ROW("mov 16 to cr8", 0, GP, GP, 16, 0x44, 0x0f, 0x22, 0xc1),
	ROW("mov from dr0", 0, NONE, GP, 0, 0x0f, 0x21, 0xc0),
	ROW("in", 0, NONE, GP, 0, 0xe4, 0x80),
	ROW("out", 0, NONE, GP, 0, 0xe6, 0x80),
	ROW("insb", 0, NONE, GP, 0, 0x6c),
	ROW("outsb", 0, NONE, GP, 0, 0x6e),
	ROW("rdmsr", 0, NONE, GP, MSR_APIC_BASE, 0x0f, 0x32),
	ROW("rdmsr of none", 0, GP, GP, 0x1234, 0x0f, 0x32),
	ROW("wrmsr of none", 0, GP, GP, 0x1234, 0x0f, 0x30),
	ROW("int3", 0, BP, GP, 0, 0xcc),
	ROW("int", 0, NOT_HERE, GP, 0, 0xcd, 0x90),
	ROW("syscall", 0, UD, UD, 0, 0x0f, 0x05), /* EFER.SCE is off */
	ROW("sysret", 0, UD, UD, 0, 0x48, 0x0f, 0x07),
	ROW("sysenter", 0, GP, GP, 0, 0x0f, 0x34), /* its MSRs are 0 */
	ROW("sysexit", 0, GP, GP, 0, 0x0f, 0x35),
	ROW("swapgs", 0, NONE, GP, 0, 0x0f, 0x01, 0xf8, 0x0f, 0x01, 0xf8),
#undef ROW
};

typedef u64 caller(void (*function)(void *), void *argument);

static const char *run_row(const struct row *row, u8 expected, caller *call)
{
	static u8 zeros[64];
	struct snippet s = { .rcx = row->rcx, .rsi = (u64)zeros, .rdi = (u64)zeros };

	if (expected == NOT_HERE)
		return NULL;
	if (row->feature && !cpu_has(row->feature))
		expected = UD;
	snippet_load(&s, row->code, row->bytes);
	memset(zeros, 0, sizeof(zeros));
	u64 vector = call(snippet_run, &s);
	EXPECT(vector == (expected == NONE ? TRY_NOTHING : expected), "%s raises %lld, not %u", row->name, vector, expected);
	return NULL;
}

const char *instructions_in_kernel_mode(void)
{
	const char *what = NULL;

	for (u32 i = 0; i < ARRAY_SIZE(rows) && !what; i++)
		what = run_row(&rows[i], rows[i].kernel, try_call);
	return what;
}

const char *instructions_in_user_mode(void)
{
	const char *what = NULL;

	for (u32 i = 0; i < ARRAY_SIZE(rows) && !what; i++)
		what = run_row(&rows[i], rows[i].user, user_call);
	return what;
}

const char *user_mode_may_not_call(void)
{
	static const u8 vmcall[] = { 0x0f, 0x01, 0xc1 };
	static const u64 numbers[] = { 0, 5, 11, AEROSTAT_CALLS, AEROSTAT_CALLS + 1, UINT32_MAX, UINT64_MAX };

	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct snippet s = { .rax = numbers[i], .rcx = UINT64_MAX, .rdx = UINT64_MAX, .rsi = UINT64_MAX };

		snippet_load(&s, vmcall, sizeof(vmcall));
		u64 vector = user_call(snippet_run, &s);
		if (vector == UD)
			return SKIP("no VMCALL here");
		EXPECT(vector == TRY_NOTHING && (s64)s.rax == AEROSTAT_EPERM, "call 0x%llx: vector %lld, %lld", numbers[i],
		       vector, s.rax);
	}
	return NULL;
}

/* MOV AL, n; RET, and n changes: through the same address and through another one. */
const char *code_that_changes_itself(void)
{
	static const u8 code[] = { 0xb0, 1, 0xc3 };
	u8 *page = fresh_pages(1), *alias = fresh_pages(1);
	u8 seen;

	memcpy(page, code, sizeof(code));
	page_set((u64)alias, (u64)page | PAGE_PRESENT | PAGE_WRITE);
	for (u32 i = 0; i < 400; i++) {
		(i & 1 ? page : alias)[1] = (u8)i;
		__asm__ volatile("call *%1" : "=a"(seen) : "r"(i & 2 ? page : alias) : "memory");
		EXPECT(seen == (u8)i, "change %u was seen as %u", i, seen);
	}
	page_set((u64)alias, (u64)alias | PAGE_PRESENT | PAGE_WRITE);
	return NULL;
}

/* Memory or not, it takes a write without a fault, and our tables can still be found afterwards. */
const char *firmware_areas_can_be_written(void)
{
	static const u64 areas[] = { 0xa0000, 0xb8000, 0xc0000, 0xd0000, 0xe8000, 0xf0000, 0xfff00, 0xffff0000, 0xfffffff0 };

	for (u32 i = 0; i < ARRAY_SIZE(areas); i++) {
		volatile u32 *at = (volatile u32 *)areas[i];
		u32 before = *at;

		*at = ~before;
		u32 after = *at;
		*at = before;
		EXPECT(after == before || after == ~before, "0x%llx reads 0x%x after a write", areas[i], after);
	}
	EXPECT(acpi_rsdp(), "the RSDP is gone");
	return NULL;
}

const char *a20_is_never_masked(void)
{
	if (cpuid(0x40000000, 0).b == 0x54474354) /* "TCGT" */
		return SKIP("QEMU masks it");
	volatile u32 *low = (volatile u32 *)0x9000, *high = (volatile u32 *)0x109000;
	u32 before = *high;

	port_out8(0x92, 0);
	*low = ~before;
	EXPECT(*high == before, "a write below 1 MiB was seen above");
	port_out8(0x92, 2);
	return NULL;
}
