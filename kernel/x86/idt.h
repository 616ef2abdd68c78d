/* SPDX-License-Identifier: BSD-2-Clause */
/* The interrupt table: all 256 vectors lead through isr.asm to trap_dispatch. */
#pragma once
#include "kernel/lib/types.h"

enum { VECTOR_HOST_NMI = 2, VECTOR_HOST_DOUBLE_FAULT = 8, VECTOR_HOST_PAGE_FAULT = 14, VECTOR_HOST_MACHINE_CHECK = 18 };

/* As isr.asm pushes it and the processor before it (SDM vol. 3A, 6.14.2). */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

void idt_init(void); /* once: fill the table */
void idt_load(void); /* on each CPU */
u64 idt_base(void);  /* for VMCS host state */

/* What this file calls up for (kernel/core/panic.c). The NMI one is also for the VM-exit path. */
NORETURN void trap_unexpected(const struct trap_frame *frame);
void trap_nmi(const struct trap_frame *frame);
void trap_machine_check(const struct trap_frame *frame);
