/* SPDX-License-Identifier: BSD-2-Clause */
/* The instruction that the guest stands at: its bytes from guest memory, decoded. */
#pragma once
#include "vmx/decode.h"
#include "vmx/vcpu.h"

/* EXIT_ADVANCE: decoded, v->exit.length set.  Anything else: return it (a fault of the fetch, #UD, a wait, or the VM's end). */
enum exit_action emulate_fetch(struct vcpu *v, struct insn *insn);
