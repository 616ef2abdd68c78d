/* SPDX-License-Identifier: BSD-2-Clause */
/* The controls of a VMCS, computed from controls.def and the processor's capability MSRs.  Pure. */
#pragma once
#include "kernel/lib/types.h"

/* In the order in which they are asked for: an old processor is told the feature that made the new ones, not a detail. */
enum control_group { CONTROL_CPU, CONTROL_CPU2, CONTROL_PIN, CONTROL_EXIT, CONTROL_ENTRY, CONTROL_GROUPS };

/* PIN_NMI, CPU_HLT, CPU2_EPT, …: masks. */
enum {
#define CONTROL(group, name, bit, wish, why) group##_##name = (int)(1U << (bit)),
#include "vmx/controls.def"
#undef CONTROL
};

/*
 * The value for a group, from its capability MSR (low half: bits that must be 1; high half: bits that may be 1).  NULL, or the name
 * (EPT, HLT, …) of the first control that cannot be as controls.def needs it.
 */
const char *controls_compute(enum control_group group, u64 capability, u32 *value);
