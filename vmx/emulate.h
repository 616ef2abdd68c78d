/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions that touched device memory, done by software: fetch, decode, gather, act.  Until everything is reached nothing has
 * changed (the answer may be EXIT_SUSPEND or EXIT_INJECT); then the devices and registers change and nothing can fail.  String
 * instructions go one element at a time, and after a bounded number of them the guest runs them again from where they are.
 */
#pragma once
#include "vmx/vcpu.h"

/* The EPT violation that just happened, at an address that is no memory. */
enum exit_action emulate_mmio(struct vcpu *v, gpa_t address);
