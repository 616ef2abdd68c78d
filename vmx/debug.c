/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/debug.h"
#include "vmx/switch.h"

/* Pending debug exceptions: bits 0 to 3 name the breakpoints as DR6 does. */
#define PENDING_ENABLED BIT(12)
#define PENDING_STEP BIT(14)
#define DEBUGCTL_BTF BIT(1)

enum { BREAKPOINTS = 4, ON_WRITE = 1, ON_PORT = 2, ON_ACCESS = 3 };

/* What DR7's R/W field makes a breakpoint stop at; 0 is execution, which the processor sees. */
static const u8 stops_at[] = { [ON_WRITE] = DEBUG_WRITE, [ON_PORT] = DEBUG_PORT, [ON_ACCESS] = DEBUG_READ | DEBUG_WRITE };

static bool hits(struct vcpu *v, u64 dr7, u32 n, u64 address, u32 bytes, u32 access)
{
	static const u8 length[] = { 1, 2, 8, 4 };
	u32 on = dr7 >> (16 + 4 * n) & 3;
	u32 watched = length[dr7 >> (18 + 4 * n) & 3];

	if (!(dr7 >> 2 * n & 3) || !(stops_at[on] & access))
		return false;
	if (on == ON_PORT && !(vcpu_cr4() & CR4_DE))
		return false;
	u64 from = switch_debug_address(v, n) & ~(u64)(watched - 1);

	return address < from + watched && from < address + bytes;
}

void debug_compare(struct vcpu *v, u64 address, u32 bytes, u32 access)
{
	u64 dr7 = vmcs_read(GUEST_DR7), hit = 0;

	for (u32 n = 0; n < BREAKPOINTS; n++)
		if (hits(v, dr7, n, address, bytes, access))
			hit |= BIT(n) | PENDING_ENABLED;
	if (hit)
		vmcs_write(GUEST_PENDING_DEBUG, vmcs_read(GUEST_PENDING_DEBUG) | hit);
}

/* With BTF only branches trap, and no instruction that we carry out is one. */
static bool steps(void)
{
	return (vmcs_read(GUEST_RFLAGS) & RFLAGS_TF) && !(vmcs_read(GUEST_DEBUGCTL) & DEBUGCTL_BTF);
}

void debug_step(void)
{
	if (steps())
		vmcs_write(GUEST_PENDING_DEBUG, vmcs_read(GUEST_PENDING_DEBUG) | PENDING_STEP);
}

bool debug_trap_follows(void)
{
	return steps() || vmcs_read(GUEST_PENDING_DEBUG) != 0;
}
