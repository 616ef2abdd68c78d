/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments and the task state segment: one set for each CPU, with stacks of their own for NMI, #DF and #MC. */
#pragma once
#include "kernel/lib/types.h"

enum { SELECTOR_CODE = 0x08, SELECTOR_DATA = 0x10, SELECTOR_TSS = 0x18 };
enum gdt_stack { STACK_NMI, STACK_DOUBLE_FAULT, STACK_MACHINE_CHECK, STACKS }; /* IST 1, 2, 3 */

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_map;
} __attribute__((packed));

struct descriptors {
	u64 gdt[5]; /* null, code, data, TSS in two */
	struct tss tss;
};

/* Fill and load: GDT, segments, task register; `stack_tops` in the order of enum gdt_stack. */
void gdt_load(struct descriptors *to, const u64 stack_tops[STACKS]);

/* For VMCS host state: where this CPU's tables lie. */
u64 gdt_base(void);
u64 tss_base(void);
