/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX operation on each CPU.  SDM vol. 3C, 23.6 - 23.8. */
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/insn.h"
#include "vmx/machine.h"
#include "vmx/switch.h"

struct vmx_cpu vmx_cpus[MAX_CPUS];

void vmx_cpu_on(void)
{
	struct vmx_cpu *cpu = vmx_cpu();
	mpn_t region;

	CHECK(vmx_caps.usable && !cpu->on);
	err_t error = mm_overhead_alloc(0, &region);
	CHECK(!error);
	platform_zero_frame(region);
	*(u32 *)platform_frame(region) = vmx_caps.revision;
	cr0_write(cr0_read() | vmx_caps.cr0_must);
	cr4_write(cr4_read() | vmx_caps.cr4_must | CR4_VMXE);
	vmx_on(mpa_of(region));
	cpu->on = true;
	vmx_invept(INVALIDATE_ALL, 0);
	vmx_invvpid(INVALIDATE_ALL, 0);
	switch_cpu_on();
}
