/* SPDX-License-Identifier: BSD-2-Clause */
/* Host tests see this instead of kernel/core/cpu.h: a CPU is a thread that called fake_cpu_set. */
#pragma once
#include "kernel/lib/lock.h"
#include "kernel/lib/types.h"

enum { MAX_CPUS = 256 };

struct cpu {
	u32 index, apic_id;
};

u32 cpu_index(void);
struct cpu *cpu_get(u32 index);
extern u32 cpu_count;
void cpu_kick(u32 index); /* counts in fake_kicks */

void fake_cpu_set(u32 index);
extern u32 fake_kicks[MAX_CPUS];
