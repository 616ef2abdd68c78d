/* SPDX-License-Identifier: BSD-2-Clause */
/* entry.asm. */
#pragma once
#include "vmx/vcpu.h"

/* Run the guest: enter, exit_handle, and again as long as that says EXIT_RESUME. What it said else, or EXIT_KILL if the processor refused. */
enum exit_action vmx_run(struct vcpu *vcpu);
/* Where exits arrive; not to be called. */
void vmx_exited(void);
