/* SPDX-License-Identifier: BSD-2-Clause */
/* INIT and SIPI of a vCPU whose VMCS is current (SDM vol. 3A, 8.4). */
#pragma once
#include "vmx/vcpu.h"

void life_init(struct vcpu *v);  /* INIT: reset state, wait for SIPI */
bool life_sipi(struct vcpu *v);  /* start where the SIPI said; false: there was none (or an INIT came first) */
