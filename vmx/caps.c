/* SPDX-License-Identifier: BSD-2-Clause */
/* Is everything there that we need?  If not: one line that names what is missing and what to do. */
#include "vmx/caps.h"
#include "kernel/core/cpu.h"
#include "kernel/lib/check.h"
#include "kernel/lib/format.h"
#include "vmx/machine.h"
#include "vmx/vmx.h"

struct vmx_caps vmx_caps;

enum {
	/* IA32_VMX_EPT_VPID_CAP, SDM vol. 3D, A.10 */
	CAP_WALK_4 = 1 << 6,
	CAP_WRITE_BACK = 1 << 14,
	CAP_LARGE = 1 << 16,
	CAP_INVEPT = 1 << 20,
	CAP_DIRTY = 1 << 21,
	CAP_INVEPT_SINGLE = 1 << 25,
	CAP_INVEPT_ALL = 1 << 26,
};
#define CAP_INVVPID BIT(32)
#define CAP_INVVPID_SINGLE BIT(41)
#define CAP_INVVPID_ALL BIT(42)
#define BASIC_STRING_IO BIT(54)
#define BASIC_TRUE_CONTROLS BIT(55)
#define REVISION 0x7fffffff
/* Unlocked IA32_FEATURE_CONTROL becomes locked and enabled.  Each CPU has its own. */
enum { VMX_LOCKED = 1, VMX_ENABLED = 4 };

/* The state components that we know how to switch and to announce: x87, SSE, AVX, AVX-512 (3), PKRU. */
#define XCR0_KNOWN 0x2e7ULL
#define XCR0_VECTORS 6ULL /* what AVX2 needs of them */
#define CPUID_7_AVX2 (1U << 5)

static const struct {
	u64 bits;
	const char *what;
} ept_needs[] = {
	{ CAP_WALK_4, "page walks of length 4" },
	{ CAP_WRITE_BACK, "write-back paging structures" },
	{ CAP_INVEPT | CAP_INVEPT_SINGLE | CAP_INVEPT_ALL, "INVEPT" },
	{ CAP_INVVPID | CAP_INVVPID_SINGLE | CAP_INVVPID_ALL, "INVVPID" },
};

static const struct {
	u32 plain, exact; /* capability MSR, and the one without "default 1" bits (SDM vol. 3D, A.2) */
	const char *hint;
} groups[CONTROL_GROUPS] = {
	[CONTROL_CPU] = { MSR_VMX_CPU, MSR_VMX_TRUE_CPU, "use a processor of 2010 (Westmere) or newer" },
	[CONTROL_CPU2] = { MSR_VMX_CPU2, MSR_VMX_CPU2, "use a processor of 2010 (Westmere) or newer" },
	[CONTROL_PIN] = { MSR_VMX_PIN, MSR_VMX_TRUE_PIN, "use a newer processor" },
	[CONTROL_EXIT] = { MSR_VMX_EXIT, MSR_VMX_TRUE_EXIT, "use a newer processor" },
	[CONTROL_ENTRY] = { MSR_VMX_ENTRY, MSR_VMX_TRUE_ENTRY, "use a newer processor" },
};

static const char *differences[MAX_CPUS]; /* each CPU writes its own; NULL: it is as the one that was probed */

static u64 feature_control(void)
{
	u64 value = msr_read(MSR_FEATURE_CONTROL);

	if (!(value & VMX_LOCKED)) {
		msr_write(MSR_FEATURE_CONTROL, value | VMX_LOCKED | VMX_ENABLED);
		value = msr_read(MSR_FEATURE_CONTROL);
	}
	return value;
}

static bool is_enabled(u64 feature)
{
	return (feature & (VMX_LOCKED | VMX_ENABLED)) == (VMX_LOCKED | VMX_ENABLED);
}

static err_t probe_vmx(char *why, size_t bytes)
{
	if (!cpu_has(FEATURE_VMX)) {
		format(why, bytes,
		       "this processor has no VT-x (CPUID.1:ECX.5 = 0): use an Intel machine with VT-x, "
		       "or turn on nested virtualisation where this machine is itself virtual");
		return E_UNSUPPORTED;
	}
	u64 feature = feature_control();
	if (!is_enabled(feature)) {
		format(why, bytes,
		       "VT-x is disabled by firmware (IA32_FEATURE_CONTROL = 0x%x): "
		       "enable Intel Virtualization Technology in the firmware setup",
		       (u32)feature);
		return E_UNSUPPORTED;
	}
	return OK;
}

static err_t probe_controls(char *why, size_t bytes)
{
	u64 basic = msr_read(MSR_VMX_BASIC);

	vmx_caps.revision = (u32)basic & REVISION;
	if (!(basic & BASIC_STRING_IO)) {
		format(why, bytes,
		       "this processor's VT-x lacks information about INS and OUTS (MSR 0x480): use a newer processor");
		return E_UNSUPPORTED;
	}
	for (u32 group = 0; group < CONTROL_GROUPS; group++) {
		u32 msr = basic & BASIC_TRUE_CONTROLS ? groups[group].exact : groups[group].plain;

		vmx_caps.allowed[group] = msr_read(msr);
		const char *missing = controls_compute(group, vmx_caps.allowed[group], &vmx_caps.controls[group]);

		if (missing) {
			format(why, bytes, "this processor's VT-x lacks %s (MSR 0x%x): %s", missing, msr, groups[group].hint);
			return E_UNSUPPORTED;
		}
	}
	return OK;
}

static err_t probe_ept(char *why, size_t bytes)
{
	u64 caps = msr_read(MSR_VMX_EPT_VPID);

	for (u32 i = 0; i < ARRAY_SIZE(ept_needs); i++) {
		if ((caps & ept_needs[i].bits) != ept_needs[i].bits) {
			format(why, bytes, "this processor's EPT lacks %s (MSR 0x48c): use a newer processor", ept_needs[i].what);
			return E_UNSUPPORTED;
		}
	}
	vmx_caps.ept_dirty = (caps & CAP_DIRTY) != 0;
	vmx_caps.ept_large = (caps & CAP_LARGE) != 0;
	return OK;
}

static void read_the_rest(void)
{
	vmx_caps.cr0_must = msr_read(MSR_VMX_CR0_FIXED0);
	vmx_caps.cr0_may = msr_read(MSR_VMX_CR0_FIXED1);
	vmx_caps.cr4_must = msr_read(MSR_VMX_CR4_FIXED0);
	vmx_caps.cr4_may = msr_read(MSR_VMX_CR4_FIXED1);
	vmx_caps.misc = msr_read(MSR_VMX_MISC);
	vmx_caps.timer_shift = (u32)vmx_caps.misc & 31;
	vmx_caps.physical_bits = cpuid(0x80000008, 0).a & 0xff;
	vmx_caps.spec_ctrl = cpu_has(FEATURE_IBRS_IBPB);
	vmx_caps.xsave_bytes = 512;
	if (!cpu_has(FEATURE_XSAVE))
		return;
	struct cpuid leaf = cpuid(13, 0);
	vmx_caps.xcr0 = ((u64)leaf.d << 32 | leaf.a) & XCR0_KNOWN;
	vmx_caps.avx2 = (vmx_caps.xcr0 & XCR0_VECTORS) == XCR0_VECTORS && (cpuid(7, 0).b & CPUID_7_AVX2);
	/* ECX is enough for all that the processor has, more than we turn on. */
	vmx_caps.xsave_bytes = leaf.c;
}

err_t vmx_probe(char *why, size_t bytes)
{
	err_t error = probe_vmx(why, bytes);

	if (!error)
		error = probe_controls(why, bytes);
	if (!error)
		error = probe_ept(why, bytes);
	if (error)
		return error;
	read_the_rest();
	CHECK((cr0_read() & vmx_caps.cr0_must) == vmx_caps.cr0_must);
	vmx_caps.usable = true;
	return OK;
}

static const char *difference(void)
{
	if (!cpu_has(FEATURE_VMX))
		return "has no VT-x";
	if (!is_enabled(feature_control()))
		return "has VT-x disabled by firmware";
	if (((u32)msr_read(MSR_VMX_BASIC) & REVISION) != vmx_caps.revision || msr_read(MSR_VMX_CR0_FIXED0) != vmx_caps.cr0_must ||
	    msr_read(MSR_VMX_CR4_FIXED0) != vmx_caps.cr4_must)
		return "has VT-x of another kind";
	return NULL;
}

void vmx_compare_cpu(void)
{
	CHECK(vmx_caps.usable);
	differences[cpu_index()] = difference();
}

err_t vmx_all_alike(char *why, size_t bytes)
{
	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		if (!differences[cpu])
			continue;
		vmx_caps.usable = false;
		format(why, bytes,
		       "CPU %u %s, unlike CPU 0: enable Intel Virtualization Technology for all CPUs in the firmware setup, "
		       "or update the firmware",
		       cpu, differences[cpu]);
		return E_UNSUPPORTED;
	}
	return OK;
}
