/* SPDX-License-Identifier: BSD-2-Clause */
/* The answers that msr.def names.  E_INVALID: #GP.  E_SUSPEND, E_NO_MEMORY: wait and run the instruction again, nothing has changed. */
#pragma once
#include "kernel/lib/error.h"
#include "vmx/vcpu.h"

typedef err_t msr_reader(struct vcpu *v, u32 msr, u64 *value);
typedef err_t msr_writer(struct vcpu *v, u32 msr, u64 value);

/* msr_state.c */
msr_reader read_zero, read_one, read_tsc, read_tsc_adjust, read_deadline, read_apic;
msr_writer ignore, write_zero, write_tsc, write_tsc_adjust, write_deadline, write_apic;
msr_reader read_microcode, read_capabilities, read_misc_enable, read_debugctl;
msr_writer write_misc_enable, write_debugctl;
/* msr_mtrr.c */
msr_reader read_mtrr_cap, read_mtrr;
msr_writer write_mtrr;
void mtrr_reset(struct vcpu *v);
/* pvclock.c */
msr_reader read_wall, read_clock, read_steal;
msr_writer write_wall, write_clock, write_steal;
