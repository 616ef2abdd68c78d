/* SPDX-License-Identifier: BSD-2-Clause */
/* A VMCS that is an array, and the processor state that vmx/switch.c would keep: for host tests of vmx/. */
#pragma once
#include "vmx/caps.h"
#include "vmx/vcpu.h"

/* All fields 0, capabilities of a present-day processor, a flat 64-bit guest with interrupts off. */
void vmx_fake_reset(void);
void vmx_fake_mode(enum vcpu_mode mode); /* the guest's segments and control registers for this mode */
extern u64 vmx_fake_cr2, vmx_fake_dr6, vmx_fake_debug[4];
