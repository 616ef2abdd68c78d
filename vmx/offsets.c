/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Structure offsets for entry.asm.  Compiled to assembly only (-S); each OFFSET or VALUE leaves a line "->%define NAME value" there,
 * which the Makefile gathers into build/gen/offsets.inc.
 */
#include "kernel/x86/gdt.h"
#include "vmx/mitigations.h"
#include "vmx/vcpu.h"

#define VALUE(name, value) __asm__ volatile("\n->%%define " #name " %0" : : "i"(value))
#define OFFSET(name, type, member) VALUE(name, offsetof(type, member))

void offsets(void);
void offsets(void)
{
	OFFSET(VCPU_RAX, struct vcpu, regs.rax);
	OFFSET(VCPU_RCX, struct vcpu, regs.rcx);
	OFFSET(VCPU_RDX, struct vcpu, regs.rdx);
	OFFSET(VCPU_RBX, struct vcpu, regs.rbx);
	OFFSET(VCPU_RBP, struct vcpu, regs.rbp);
	OFFSET(VCPU_RSI, struct vcpu, regs.rsi);
	OFFSET(VCPU_RDI, struct vcpu, regs.rdi);
	OFFSET(VCPU_R8, struct vcpu, regs.r8);
	OFFSET(VCPU_R9, struct vcpu, regs.r9);
	OFFSET(VCPU_R10, struct vcpu, regs.r10);
	OFFSET(VCPU_R11, struct vcpu, regs.r11);
	OFFSET(VCPU_R12, struct vcpu, regs.r12);
	OFFSET(VCPU_R13, struct vcpu, regs.r13);
	OFFSET(VCPU_R14, struct vcpu, regs.r14);
	OFFSET(VCPU_R15, struct vcpu, regs.r15);
	OFFSET(VCPU_HOST_RSP, struct vcpu, host_rsp);
	OFFSET(VCPU_LAUNCHED, struct vcpu, launched);
	OFFSET(VCPU_GUARDS, struct vcpu, guards);
	VALUE(VMCS_HOST_RSP, ENCODING_HOST_RSP);
	VALUE(HOST_DATA_SELECTOR, SELECTOR_DATA);
	VALUE(GUARD_CLEAR_REGISTERS, GUARD_CLEAR_REGISTERS);
	VALUE(GUARD_FILL_RETURNS, GUARD_FILL_RETURNS);
	VALUE(GUARD_CLEAR_BUFFERS, GUARD_CLEAR_BUFFERS);
}
