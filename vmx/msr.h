/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers of guests: the rows of msr.def make the bitmap and the answers. */
#pragma once
#include "vmx/vcpu.h"

/* SDM vol. 3C, 25.6.9: a set bit exits. `rdtscp`: the guest's CPUID promises it. */
void msr_make_bitmap(u8 bitmap[PAGE_SIZE], bool rdtscp);
void msr_fill_bitmap(u8 bitmap[PAGE_SIZE]);
/* Power-on values, as firmware would leave them. */
void msr_reset(struct vcpu *v);
