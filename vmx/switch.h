/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State that stays in the processor while one vCPU runs there, exits included: extended registers, debug registers, CR2 and the
 * MSRs that guests reach without an exit.  It changes hands only when another vCPU runs on this CPU.  The kernel itself
 * touches none of it but in simd_begin/simd_end.
 */
#pragma once
#include "vmx/vcpu.h"

void switch_cpu_on(void);                     /* once on each CPU */
u32 switch_extended_bytes(void);              /* of switched.extended, 64-byte aligned */
void switch_reset(struct vcpu *v, bool init); /* power-on values; INIT keeps the extended state. Not in any processor */
void switch_in(struct vcpu *v);               /* before guest entry; the previous owner's state is saved first */
void switch_out(struct vcpu *v);              /* save it, if it is in this CPU */
void switch_reload_extended(struct vcpu *v);  /* after simd_begin */

/* CR2 as the guest has it: it lives in the processor. */
void switch_set_cr2(struct vcpu *v, u64 address);
/* Debug registers likewise. */
u64 switch_debug_address(struct vcpu *v, u32 n); /* DR0 … DR3 */
u64 switch_dr6(struct vcpu *v);
void switch_set_dr6(struct vcpu *v, u64 value);
void switch_set_xcr0(struct vcpu *v, u64 value);
