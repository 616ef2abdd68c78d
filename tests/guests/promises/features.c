/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID's word is kept: CR4, EFER, MSRs and instructions that it promises are there, what it hides is not. */
#include "tests/guests/promises/promises.h"

enum { A, B, C, D };
#define PROMISED(leaf, reg, bit) CPU_FEATURE((u64)(leaf), reg, bit)
#define FEATURE_MONITOR PROMISED(1, C, 3)
#define ALWAYS UINT64_MAX /* no leaf has it */
#define CR4_CET BIT(23)
#define CR4_PKS BIT(24)
#define CR4_UINTR BIT(25)

static bool promised(u64 feature)
{
	return feature == ALWAYS || cpu_has(feature);
}

/* ---- CR4: each bit that CPUID promises can be set, every other one is #GP ---- */

static const struct {
	u64 bit, feature;
} cr4_bits[] = {
	{ CR4_VME, PROMISED(1, D, 1) },     { CR4_PVI, PROMISED(1, D, 1) },         { CR4_TSD, PROMISED(1, D, 4) },
	{ CR4_DE, PROMISED(1, D, 2) },      { CR4_PSE, PROMISED(1, D, 3) },         { CR4_PAE, PROMISED(1, D, 6) },
	{ CR4_MCE, PROMISED(1, D, 7) },     { CR4_PGE, PROMISED(1, D, 13) },        { CR4_PCE, ALWAYS },
	{ CR4_OSFXSR, PROMISED(1, D, 24) }, { CR4_OSXMMEXCPT, PROMISED(1, D, 25) }, { CR4_UMIP, FEATURE_UMIP },
	{ CR4_VMXE, FEATURE_VMX },          { CR4_SMXE, PROMISED(1, C, 6) },        { CR4_FSGSBASE, PROMISED(7, B, 0) },
	{ CR4_PCIDE, FEATURE_PCID },        { CR4_OSXSAVE, FEATURE_XSAVE },         { CR4_SMEP, FEATURE_SMEP },
	{ CR4_SMAP, FEATURE_SMAP },         { CR4_PKE, PROMISED(7, C, 3) },         { CR4_CET, PROMISED(7, C, 7) },
	{ CR4_PKS, PROMISED(7, C, 31) },    { CR4_UINTR, PROMISED(7, D, 5) },
};

static bool cr4_promises(u64 bit)
{
	for (u32 i = 0; i < ARRAY_SIZE(cr4_bits); i++)
		if (cr4_bits[i].bit == bit)
			return promised(cr4_bits[i].feature);
	return false; /* reserved; LA57 cannot change in long mode */
}

static const char *cr4_takes_what_cpuid_promises_and_nothing_else(void)
{
	u64 cr4 = cr4_read();

	for (u32 n = 0; n < 64; n++) {
		u64 vector = cr4_write_raises(cr4 | BIT(n)), seen = cr4_read();

		cr4_write(cr4);
		EXPECT(vector == (cr4_promises(BIT(n)) ? TRY_NOTHING : VECTOR_GP), "bit %u raised %lld", n, vector);
		EXPECT(seen == (vector == TRY_NOTHING ? cr4 | BIT(n) : cr4), "bit %u: CR4 is 0x%llx", n, seen);
	}
	EXPECT(cr4_write_raises(cr4 & ~CR4_PAE) == VECTOR_GP, "PAE can be cleared in long mode");
	return NULL;
}

/* ---- EFER ---- */

static const char *efer_takes_sce_and_nxe_and_no_reserved_bits(void)
{
	u64 efer = msr_read(MSR_EFER);

	EXPECT((efer & (EFER_LME | EFER_LMA)) == (EFER_LME | EFER_LMA), "EFER is 0x%llx in long mode", efer);
	EXPECT(msr_write_raises(MSR_EFER, efer & ~EFER_LME) == VECTOR_GP, "LME can be cleared with paging on");
	for (u32 n = 0; n < 64; n++) {
		u64 bit = BIT(n);
		bool known = bit == EFER_SCE || bit == EFER_LME || bit == EFER_LMA || (bit == EFER_NXE && cpu_has(FEATURE_NX));

		if (n >= 12 && n < 16)
			continue; /* AMD's */
		u64 vector = msr_write_raises(MSR_EFER, efer | bit), seen = msr_read(MSR_EFER);
		msr_write(MSR_EFER, efer);
		EXPECT(vector == (known ? TRY_NOTHING : VECTOR_GP), "bit %u raised %lld", n, vector);
		EXPECT(!known || (seen & bit), "bit %u was not kept", n);
	}
	return NULL;
}

extern const u8 syscall_landing[];

/* From the kernel, as no return is tried: RIP comes in RCX, the flags in R11. */
static __attribute__((noinline, noclone)) void syscall_once(void)
{
	u64 behind, rcx;

	__asm__ volatile("syscall; 1: ud2; syscall_landing: lea 1b(%%rip), %0; push %%r11; popfq"
			 : "=r"(behind), "=c"(rcx)
			 :
			 : "r11", "memory", "cc");
	if (rcx != behind)
		die("SYSCALL left 0x%llx in RCX, not 0x%llx", rcx, behind);
}

static const char *syscall_needs_sce_and_goes_to_lstar(void)
{
	u64 efer = msr_read(MSR_EFER);

	msr_write(MSR_STAR, (u64)CODE64 << 32);
	msr_write(MSR_LSTAR, (u64)syscall_landing);
	msr_write(MSR_FMASK, RFLAGS_IF);
	msr_write(MSR_EFER, efer & ~EFER_SCE);
	u64 without = code_raises(syscall_once);
	msr_write(MSR_EFER, efer | EFER_SCE);
	u64 with = code_raises(syscall_once);
	msr_write(MSR_EFER, efer);
	EXPECT(without == VECTOR_UD, "without SCE it raised %lld", without);
	EXPECT(with == TRY_NOTHING, "with SCE it raised %lld", with);
	return NULL;
}

/* ---- MSRs ---- */

static const char *pat_is_as_after_power_on_and_takes_types_only(void)
{
	u64 before = msr_read(MSR_PAT);

	EXPECT(before == 0x0007040600070406ULL, "PAT is 0x%llx", before);
	for (u64 type = 0; type < 10; type++) {
		bool known = type < 8 && type != 2 && type != 3;
		u64 value = (before & ~(0xffULL << 40)) | type << 40;
		u64 vector = msr_write_raises(MSR_PAT, value), seen = msr_read(MSR_PAT);

		msr_write(MSR_PAT, before);
		EXPECT(vector == (known ? TRY_NOTHING : VECTOR_GP), "type %llu raised %lld", type, vector);
		EXPECT(seen == (known ? value : before), "type %llu: PAT is 0x%llx", type, seen);
	}
	return NULL;
}

enum { MTRR_FIXED = 0x250, MTRR_ENABLED = 1 << 11, MTRR_WRITE_BACK = 6, MTRR_CAP_FIXED = 1 << 8 };

static const char *written_back(u32 msr, u64 good, u64 bad)
{
	u64 before = msr_read(msr);
	u64 vector = msr_write_raises(msr, good), seen = msr_read(msr), refused = msr_write_raises(msr, bad);

	msr_write(msr, before);
	EXPECT(vector == TRY_NOTHING && seen == good, "MSR 0x%x is 0x%llx after writing 0x%llx", msr, seen, good);
	EXPECT(refused == VECTOR_GP, "MSR 0x%x takes 0x%llx", msr, bad);
	return NULL;
}

static const char *mtrrs_are_as_firmware_leaves_them_and_keep_what_is_written(void)
{
	u64 cap = msr_read(MSR_MTRR_CAP), type = msr_read(MSR_MTRR_DEF_TYPE);
	const char *trouble = NULL;

	EXPECT((cap & 0xff) >= 8 && (cap & MTRR_CAP_FIXED), "MTRR_CAP is 0x%llx", cap);
	EXPECT((type & MTRR_ENABLED) && (type & 0xff) == MTRR_WRITE_BACK, "MTRR_DEF_TYPE is 0x%llx", type);
	EXPECT(msr_write_raises(MSR_MTRR_CAP, cap) == VECTOR_GP, "MTRR_CAP can be written");
	for (u32 n = 0; n < (cap & 0xff) && !trouble; n++) {
		trouble = written_back(MSR_MTRR_BASE0 + 2 * n, 0x80000001, 0x80000002);
		if (!trouble)
			trouble = written_back(MSR_MTRR_BASE0 + 2 * n + 1, 0xc0000800, 1ULL << 60);
	}
	if (!trouble)
		trouble = written_back(MTRR_FIXED, 0x0605040100000606ULL, 0x0602000000000000ULL);
	if (!trouble)
		trouble = written_back(MSR_MTRR_DEF_TYPE, 0, 1 << 9);
	return trouble;
}

static const char *tsc_aux_is_read_by_rdtscp_and_rdpid(void)
{
	u64 pid;
	u32 aux;

	if (!cpu_has(FEATURE_RDTSCP))
		return SKIP("no RDTSCP");
	msr_write(MSR_TSC_AUX, 0x12345678);
	__asm__ volatile("rdtscp" : "=c"(aux) : : "rax", "rdx");
	EXPECT(aux == 0x12345678, "RDTSCP says 0x%x", aux);
	if (!cpu_has(PROMISED(7, C, 22)))
		return NULL;
	__asm__ volatile("rdpid %0" : "=r"(pid));
	EXPECT(pid == 0x12345678, "RDPID says 0x%llx", pid);
	return NULL;
}

/* ---- instructions: there if promised, else #UD ---- */

#define CODE(name, ...)                        \
	static void name(void)                 \
	{                                      \
		__asm__ volatile(__VA_ARGS__); \
	}
static u8 scratch[4096] __attribute__((aligned(64)));

CODE(run_monitor, "monitor" : : "a"(scratch), "c"(0), "d"(0))
CODE(run_mwait, "mwait" : : "a"(0), "c"(0))
CODE(run_rdrand, "rdrand %%rax" : : : "rax", "cc")
CODE(run_rdseed, "rdseed %%rax" : : : "rax", "cc")
CODE(run_invpcid, "invpcid (%0), %1" : : "r"(scratch), "r"(2ULL) : "memory")
CODE(run_xsaves, "xsaves64 (%0)" : : "r"(scratch), "a"(0), "d"(0) : "memory")
CODE(run_xsaveopt, "xsaveopt64 (%0)" : : "r"(scratch), "a"(0), "d"(0) : "memory")
CODE(run_rdpkru, "rdpkru" : : "c"(0) : "rax", "rdx")
CODE(run_tpause, "xor %%eax, %%eax; xor %%edx, %%edx; tpause %%ecx" : : "c"(0) : "rax", "rdx")
CODE(run_vmxoff, "vmxoff")
CODE(run_invept, "invept (%0), %1" : : "r"(scratch), "r"(1ULL) : "memory")
CODE(run_vmfunc, "vmfunc" : : "a"(0), "c"(0))
CODE(run_getsec, "getsec" : : "a"(0), "b"(0))
CODE(run_rdfsbase, "rdfsbase %%rax" : : : "rax")
CODE(run_encls, "encls" : : "a"(0))
CODE(run_crc32, "crc32b %%al, %%eax" : : "a"(0))
CODE(run_movbe, "movbe (%0), %%eax" : : "r"(scratch) : "rax")
CODE(run_adox, "adox %%rax, %%rax" : : : "rax", "cc")
CODE(run_avx, "vxorps %%ymm0, %%ymm0, %%ymm0" : :)
CODE(run_avx512, "vpxorq %%zmm0, %%zmm0, %%zmm0" : :)

static const struct {
	const char *name;
	void (*run)(void);
	u64 feature;
	bool strict; /* must be #UD if it is not promised: the processor can hide it, or we intercept it */
} instructions[] = {
	{ "MONITOR", run_monitor, FEATURE_MONITOR, true },
	{ "RDRAND", run_rdrand, FEATURE_RDRAND, true },
	{ "RDSEED", run_rdseed, PROMISED(7, B, 18), true },
	{ "INVPCID", run_invpcid, FEATURE_INVPCID, true },
	{ "RDPKRU", run_rdpkru, 0, true }, /* CR4.PKE is clear */
	{ "TPAUSE", run_tpause, PROMISED(7, C, 5), true },
	{ "VMXOFF", run_vmxoff, 0, true },
	{ "INVEPT", run_invept, 0, true },
	{ "VMFUNC", run_vmfunc, 0, true },
	{ "GETSEC", run_getsec, 0, true },
	{ "RDFSBASE", run_rdfsbase, 0, true }, /* CR4.FSGSBASE is clear */
	{ "ENCLS", run_encls, PROMISED(7, B, 2), true },
	{ "CRC32", run_crc32, PROMISED(1, C, 20), false },
	{ "MOVBE", run_movbe, PROMISED(1, C, 22), false },
	{ "ADOX", run_adox, PROMISED(7, B, 19), false },
	{ "AVX", run_avx, PROMISED(1, C, 28), false },
	{ "AVX-512", run_avx512, PROMISED(7, B, 16), false },
};

static bool has_xsave_variant(u32 bit)
{
	return cpu_has(FEATURE_XSAVE) && (cpuid(0xd, 1).a >> bit & 1);
}

static const char *promised_instructions_run_and_hidden_ones_are_undefined(void)
{
	if (cpu_has(FEATURE_XSAVE)) {
		cr4_write(cr4_read() | CR4_OSXSAVE);
		xsetbv(0, ((u64)cpuid(0xd, 0).d << 32 | cpuid(0xd, 0).a) & ~0x18ULL);
	}
	for (u32 i = 0; i < ARRAY_SIZE(instructions); i++) {
		u64 vector = code_raises(instructions[i].run);

		if (instructions[i].feature && cpu_has(instructions[i].feature))
			EXPECT(vector == TRY_NOTHING, "%s is promised and raised %lld", instructions[i].name, vector);
		else if (instructions[i].strict)
			EXPECT(vector == VECTOR_UD, "%s is not promised and raised %lld", instructions[i].name, vector);
	}
	/* Where it is promised it might wait for ever. */
	EXPECT(cpu_has(FEATURE_MONITOR) || code_raises(run_mwait) == VECTOR_UD, "MWAIT is not promised and runs");
	u64 saves = code_raises(run_xsaves), opt = code_raises(run_xsaveopt);
	EXPECT(saves == (has_xsave_variant(3) ? TRY_NOTHING : VECTOR_UD), "XSAVES raised %lld", saves);
	EXPECT(!has_xsave_variant(0) || opt == TRY_NOTHING, "XSAVEOPT raised %lld", opt);
	return NULL;
}

static const char *random_numbers_differ(void)
{
	u64 numbers[8] = { 0 };

	if (!cpu_has(FEATURE_RDRAND))
		return SKIP("no RDRAND");
	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
		bool got = false;

		for (u32 tries = 0; tries < 10 && !got; tries++)
			__asm__ volatile("rdrand %0; setc %1" : "=r"(numbers[i]), "=qm"(got) : : "cc");
		EXPECT(got, "RDRAND fails ten times");
		for (u32 n = 0; n < i; n++)
			EXPECT(numbers[n] != numbers[i], "0x%llx came twice", numbers[i]);
	}
	return NULL;
}

static const char *fs_and_gs_bases_follow_their_instructions(void)
{
	u64 base, cr4 = cr4_read();

	if (!cpu_has(PROMISED(7, B, 0)))
		return SKIP("no FSGSBASE");
	cr4_write(cr4 | CR4_FSGSBASE);
	__asm__ volatile("wrfsbase %0" : : "r"(0x123456789000ULL));
	__asm__ volatile("wrgsbase %0" : : "r"(0x123456789008ULL));
	(void)cpuid(0, 0);
	EXPECT(msr_read(MSR_FS_BASE) == 0x123456789000ULL && msr_read(MSR_GS_BASE) == 0x123456789008ULL,
	       "the MSRs say otherwise");
	msr_write(MSR_KERNEL_GS_BASE, 0x777000);
	__asm__ volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base));
	cr4_write(cr4);
	msr_write(MSR_FS_BASE, 0);
	msr_write(MSR_GS_BASE, 0);
	EXPECT(base == 0x777000, "SWAPGS brought 0x%llx", base);
	return NULL;
}

/* ---- CPUID with itself ---- */

static bool same(struct cpuid a, struct cpuid b)
{
	return a.a == b.a && a.b == b.b && a.c == b.c && a.d == b.d;
}

static const char *cpuid_agrees_with_itself(void)
{
	u32 basic = cpuid(0, 0).a, extended = cpuid(0x80000000, 0).a;

	EXPECT(basic >= 0xd && extended >= 0x80000008, "the last leaves are 0x%x and 0x%x", basic, extended);
	EXPECT(same(cpuid(basic + 1, 0), cpuid(basic, 0)) || same(cpuid(basic + 1, 0), (struct cpuid){ 0 }),
	       "a leaf behind the last one");
	EXPECT((cpuid(1, 0).b >> 24) == apic_id(), "leaf 1 says APIC ID %u, the LAPIC %u", cpuid(1, 0).b >> 24, apic_id());
	EXPECT(!cpu_has(PROMISED(1, C, 12)) || cpu_has(PROMISED(1, C, 28)), "FMA without AVX");
	EXPECT(!cpu_has(PROMISED(7, B, 5)) || cpu_has(PROMISED(1, C, 28)), "AVX2 without AVX");
	EXPECT(!cpu_has(PROMISED(1, C, 28)) || (cpuid(0xd, 0).a & 4), "AVX without its state");
	EXPECT(!cpu_has(PROMISED(7, B, 16)) || (cpuid(0xd, 0).a & 0xe0) == 0xe0, "AVX-512 without its state");
	EXPECT(cpuid(0x80000008, 0).a >> 8 == 48 || cpuid(0x80000008, 0).a >> 8 == 57, "linear addresses have %u bits",
	       cpuid(0x80000008, 0).a >> 8);
	return NULL;
}

static const struct promise list[] = {
	{ "cr4_takes_what_cpuid_promises_and_nothing_else", cr4_takes_what_cpuid_promises_and_nothing_else },
	{ "efer_takes_sce_and_nxe_and_no_reserved_bits", efer_takes_sce_and_nxe_and_no_reserved_bits },
	{ "syscall_needs_sce_and_goes_to_lstar", syscall_needs_sce_and_goes_to_lstar },
	{ "pat_is_as_after_power_on_and_takes_types_only", pat_is_as_after_power_on_and_takes_types_only },
	{ "mtrrs_are_as_firmware_leaves_them_and_keep_what_is_written",
	  mtrrs_are_as_firmware_leaves_them_and_keep_what_is_written },
	{ "tsc_aux_is_read_by_rdtscp_and_rdpid", tsc_aux_is_read_by_rdtscp_and_rdpid },
	{ "promised_instructions_run_and_hidden_ones_are_undefined", promised_instructions_run_and_hidden_ones_are_undefined },
	{ "random_numbers_differ", random_numbers_differ },
	{ "fs_and_gs_bases_follow_their_instructions", fs_and_gs_bases_follow_their_instructions },
	{ "cpuid_agrees_with_itself", cpuid_agrees_with_itself },
};
PROMISES(features, list);
