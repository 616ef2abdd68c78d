/* SPDX-License-Identifier: BSD-2-Clause */
/* A VMCS from nothing: rows of data.  All need it to be the current one. */
#pragma once
#include "vmx/vcpu.h"

void setup_controls(struct vcpu *v);                                    /* once in its life */
void setup_host(void);                                                  /* whenever it comes to another CPU */
void setup_guest(const struct vcpu *v, const struct vcpu_start *start); /* power-on state, then what `start` says */
/* The one MSR bitmap of all guests; E_NO_MEMORY at the first call only. */
err_t setup_msr_bitmap(void);
