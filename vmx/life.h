/* SPDX-License-Identifier: BSD-2-Clause */
/* INIT and SIPI of a vCPU whose VMCS is current (SDM vol. 3A, 8.4). */
#pragma once
#include "vmx/vcpu.h"

/* INIT: reset state, wait for SIPI; `sipi`: one has come already. */
void life_init(struct vcpu *v, bool sipi);
/* Start where the SIPI said; false: there was none. */
bool life_sipi(struct vcpu *v);
