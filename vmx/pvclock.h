/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's paravirtual clock and steal time (Linux, pvclock-abi.h and kvm_para.h).  The clock is one linear function of the VM's TSC,
 * through the origin and the same on every vCPU: written once when the guest registers a page, it never goes back and needs no
 * update but for an adjusted TSC or a pause.  Registered pages are pinned.
 */
#pragma once
#include "vmx/vcpu.h"

/* ns = (ticks << shift) * multiplier >> 32, with a negative shift to the right. */
struct pvclock_scale {
	u32 multiplier;
	s8 shift;
};
struct pvclock_scale pvclock_scale(u64 tsc_khz);

void pvclock_update(struct vcpu *v); /* before entry, when NOTICE_CLOCK was set: writes what is registered */
void pvclock_left(struct vcpu *v);   /* the vCPU could run on, but others do: from now on time is stolen */
void pvclock_came_back(struct vcpu *v);
