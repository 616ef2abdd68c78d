/* SPDX-License-Identifier: BSD-2-Clause */
/* entry.asm. */
#pragma once
#include "kernel/lib/types.h"

struct vcpu;

/* Run the guest until its next exit: true. False: the processor refused the entry (VMfail; the VMCS's INSTRUCTION_ERROR). */
bool vmx_enter(struct vcpu *vcpu);
/* Where exits arrive; not to be called. */
void vmx_exited(void);
