/* SPDX-License-Identifier: BSD-2-Clause */
/* Model-specific registers of guests: the rows of msr.def make the bitmap and the answers. */
#pragma once
#include "vmx/vcpu.h"

/* What guests may reach without an exit: EXITS never, DIRECT always, the others where the processor has it. */
enum msr_direct { EXITS, DIRECT, DIRECT_RDTSCP, DIRECT_SPEC_CTRL };

/* SDM vol. 3C, 25.6.9: a set bit exits. `there`: bits 1 << DIRECT… of the conditions that hold. */
void msr_make_bitmap(u8 bitmap[PAGE_SIZE], u32 there);
/* With what this processor has; makes the index of the rows as well. */
void msr_fill_bitmap(u8 bitmap[PAGE_SIZE]);
/* Power-on values, as firmware would leave them. */
void msr_reset(struct vcpu *v);
