/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor's own instructions as functions, and the numbers that name its registers and features.  SDM vol. 2 and 4. */
#pragma once
#include "kernel/lib/types.h"

/* ---- control registers ---- */

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME BIT(0)
#define CR4_PVI BIT(1)
#define CR4_TSD BIT(2)
#define CR4_DE BIT(3)
#define CR4_PSE BIT(4)
#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_PGE BIT(7)
#define CR4_PCE BIT(8)
#define CR4_OSFXSR BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP BIT(11)
#define CR4_LA57 BIT(12)
#define CR4_VMXE BIT(13)
#define CR4_SMXE BIT(14)
#define CR4_FSGSBASE BIT(16)
#define CR4_PCIDE BIT(17)
#define CR4_OSXSAVE BIT(18)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE BIT(22)

#define CONTROL_REGISTER(number)                                                    \
	static inline u64 cr##number##_read(void)                                   \
	{                                                                           \
		u64 value;                                                          \
		__asm__ volatile("mov %%cr" #number ", %0" : "=r"(value));          \
		return value;                                                       \
	}                                                                           \
	static inline void cr##number##_write(u64 value)                            \
	{                                                                           \
		__asm__ volatile("mov %0, %%cr" #number : : "r"(value) : "memory"); \
	}

CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)

#define DEBUG_REGISTER(number)                                             \
	static inline u64 dr##number##_read(void)                          \
	{                                                                  \
		u64 value;                                                 \
		__asm__ volatile("mov %%dr" #number ", %0" : "=r"(value)); \
		return value;                                              \
	}                                                                  \
	static inline void dr##number##_write(u64 value)                   \
	{                                                                  \
		__asm__ volatile("mov %0, %%dr" #number : : "r"(value));   \
	}

DEBUG_REGISTER(0)
DEBUG_REGISTER(1)
DEBUG_REGISTER(2)
DEBUG_REGISTER(3)
DEBUG_REGISTER(6)
DEBUG_REGISTER(7)

/* ---- model-specific registers ---- */

enum msr {
	MSR_TSC = 0x10,
	MSR_APIC_BASE = 0x1b,
	MSR_FEATURE_CONTROL = 0x3a,
	MSR_TSC_ADJUST = 0x3b,
	MSR_SPEC_CTRL = 0x48,
	MSR_PRED_CMD = 0x49,
	MSR_MTRR_CAP = 0xfe,
	MSR_ARCH_CAPABILITIES = 0x10a,
	MSR_FLUSH_CMD = 0x10b,
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP = 0x175,
	MSR_SYSENTER_EIP = 0x176,
	MSR_MCG_CAP = 0x179,
	MSR_MCG_STATUS = 0x17a,
	MSR_MCG_CTL = 0x17b,
	MSR_MISC_ENABLE = 0x1a0,
	MSR_DEBUGCTL = 0x1d9,
	MSR_MTRR_BASE0 = 0x200,
	MSR_PAT = 0x277,
	MSR_MTRR_DEF_TYPE = 0x2ff,
	MSR_MC0_CTL = 0x400, /* four registers a bank */
	MSR_TSC_DEADLINE = 0x6e0,
	MSR_X2APIC = 0x800, /* + register offset / 16 */
	MSR_X2APIC_EOI = 0x80b,
	MSR_XSS = 0xda0,
	MSR_EFER = 0xc0000080,
	MSR_STAR = 0xc0000081,
	MSR_LSTAR = 0xc0000082,
	MSR_CSTAR = 0xc0000083,
	MSR_FMASK = 0xc0000084,
	MSR_FS_BASE = 0xc0000100,
	MSR_GS_BASE = 0xc0000101,
	MSR_KERNEL_GS_BASE = 0xc0000102,
	MSR_TSC_AUX = 0xc0000103,
};

#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)

static inline u64 msr_read(u32 msr)
{
	u64 low, high; /* 32 bits each: the processor clears the upper halves */
	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return high << 32 | low;
}

static inline void msr_write(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* ---- CPUID ---- */

struct cpuid {
	u32 a, b, c, d;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid id;
	__asm__ volatile("cpuid" : "=a"(id.a), "=b"(id.b), "=c"(id.c), "=d"(id.d) : "a"(leaf), "c"(subleaf));
	return id;
}

/* A feature is leaf << 8 | register (0 … 3: EAX … EDX) << 5 | bit; the leaves that we ask have subleaf 0. */
#define CPU_FEATURE(leaf, reg, bit) ((u64)(leaf) << 8 | (u64)(reg) << 5 | (bit))
#define FEATURE_PCLMULQDQ CPU_FEATURE(1, 2, 1)
#define FEATURE_VMX CPU_FEATURE(1, 2, 5)
#define FEATURE_PCID CPU_FEATURE(1, 2, 17)
#define FEATURE_X2APIC CPU_FEATURE(1, 2, 21)
#define FEATURE_TSC_DEADLINE CPU_FEATURE(1, 2, 24)
#define FEATURE_AES CPU_FEATURE(1, 2, 25)
#define FEATURE_XSAVE CPU_FEATURE(1, 2, 26)
#define FEATURE_RDRAND CPU_FEATURE(1, 2, 30)
#define FEATURE_MCE CPU_FEATURE(1, 3, 7)
#define FEATURE_MTRR CPU_FEATURE(1, 3, 12)
#define FEATURE_MCA CPU_FEATURE(1, 3, 14)
#define FEATURE_PAT CPU_FEATURE(1, 3, 16)
#define FEATURE_SMEP CPU_FEATURE(7, 1, 7)
#define FEATURE_INVPCID CPU_FEATURE(7, 1, 10)
#define FEATURE_SMAP CPU_FEATURE(7, 1, 20)
#define FEATURE_UMIP CPU_FEATURE(7, 2, 2)
#define FEATURE_MD_CLEAR CPU_FEATURE(7, 3, 10)
#define FEATURE_IBRS_IBPB CPU_FEATURE(7, 3, 26)
#define FEATURE_L1D_FLUSH CPU_FEATURE(7, 3, 28)
#define FEATURE_ARCH_CAPABILITIES CPU_FEATURE(7, 3, 29)
#define FEATURE_NX CPU_FEATURE(0x80000001, 3, 20)
#define FEATURE_PAGES_1G CPU_FEATURE(0x80000001, 3, 26)
#define FEATURE_RDTSCP CPU_FEATURE(0x80000001, 3, 27)
#define FEATURE_INVARIANT_TSC CPU_FEATURE(0x80000007, 3, 8)

static inline bool cpu_has(u64 feature)
{
	u32 leaf = (u32)(feature >> 8);

	if (leaf > cpuid(leaf & 0x80000000, 0).a)
		return false;
	struct cpuid id = cpuid(leaf, 0);
	const u32 regs[4] = { id.a, id.b, id.c, id.d };
	return regs[feature >> 5 & 3] >> (feature & 31) & 1;
}

/* ---- time, waiting, interrupts ---- */

static inline u64 rdtsc(void)
{
	u64 low, high;
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return high << 32 | low;
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline void interrupts_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline bool interrupts_are_on(void)
{
	u64 flags;
	__asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
	return flags & BIT(9);
}

/* Idle: an interrupt that is pending already ends it at once, because STI takes effect after HLT has begun. */
static inline void cpu_halt_until_interrupt(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* Take what interrupts are pending, at a step's boundary: with work to do a CPU may not be idle or in a guest for long. */
static inline void cpu_take_interrupts(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

/* A reset may forget what memory has not got yet. */
static inline void caches_write_back(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

NORETURN static inline void cpu_halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

static inline void invlpg(u64 address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* ---- extended state ---- */

static inline u64 xgetbv(u32 which)
{
	u32 low, high;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(which));
	return (u64)high << 32 | low;
}

static inline void xsetbv(u32 which, u64 value)
{
	__asm__ volatile("xsetbv" : : "c"(which), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* ---- ports ---- */

static inline u8 port_in8(u16 port)
{
	u8 value;
	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u16 port_in16(u16 port)
{
	u16 value;
	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u32 port_in32(u16 port)
{
	u32 value;
	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void port_out8(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_out16(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_out32(u16 port, u32 value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
