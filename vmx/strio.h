/* SPDX-License-Identifier: BSD-2-Clause */
/* INS and OUTS: port I/O from and to the guest's memory, with REP.  One element at a time, a bounded number per exit. */
#pragma once
#include "vmx/vcpu.h"

/* exit.qualification is that of an I/O instruction with its string bit set. */
enum exit_action strio_run(struct vcpu *v);
