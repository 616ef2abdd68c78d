/* SPDX-License-Identifier: BSD-2-Clause */
/* The answers that msr.def names.  E_INVALID: #GP.  E_SUSPEND, E_NO_MEMORY: wait and run the instruction again, nothing has changed. */
#pragma once
#include "kernel/lib/error.h"
#include "vmx/vcpu.h"

typedef err_t msr_answer(struct vcpu *v, u32 msr, u64 *value);

/* msr_state.c */
msr_answer read_zero, read_one, ignore, write_zero;
msr_answer read_tsc, write_tsc, read_tsc_adjust, write_tsc_adjust, read_deadline, write_deadline;
msr_answer read_apic, write_apic;
msr_answer read_microcode, read_capabilities, read_misc_enable, write_misc_enable, read_debugctl, write_debugctl;
/* msr_mtrr.c */
msr_answer read_mtrr_cap, read_mtrr, write_mtrr;
void mtrr_reset(struct vcpu *v);
/* pvclock.c */
msr_answer read_wall, write_wall, read_clock, write_clock, read_steal, write_steal;
