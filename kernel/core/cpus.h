/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting the other CPUs, and running something on each of them while the machine starts. */
#pragma once
#include "kernel/core/cpu.h"
#include "kernel/lib/error.h"

/*
 * Start every CPU that the loader named; each gets stacks with guard pages and the next free index when it answers.  True if all of
 * them did: then nobody runs firmware's code any more and its memory is free.
 */
bool cpus_start(void);
/* Run on every other CPU, and wait (bounded: a CPU that does not come back is a panic). */
void cpus_call(void (*function)(void));
/* The last call: it does not return. */
void cpus_release(void (*function)(void));

/* Inside of core/: cpu.c's data. */
struct cpu *cpu_prepare(u32 index, u32 apic_id, u64 stack_top);
void cpu_make_trap_stacks(u32 index);
u64 cpu_trap_stack(u32 index, u32 stack); /* its top */
