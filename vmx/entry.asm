; SPDX-License-Identifier: BSD-2-Clause
; Into the guest and back.  What C keeps for its callers is pushed; what stays as it is until another vCPU runs (extended
; state, debug registers, CR2, MSRs) is switch.c's business.  SDM vol. 3C, 26.1 and 27.5.
bits 64
default rel
%include "offsets.inc"

section .rodata
data_selector: dw HOST_DATA_SELECTOR	; for VERW: any writable data segment

section .text
global vmx_enter, vmx_exited

%macro FOR_REGISTERS 1			; all but RSP (in the VMCS) and RDI (in use)
	%1 rax, VCPU_RAX
	%1 rcx, VCPU_RCX
	%1 rdx, VCPU_RDX
	%1 rbx, VCPU_RBX
	%1 rbp, VCPU_RBP
	%1 rsi, VCPU_RSI
	%1 r8, VCPU_R8
	%1 r9, VCPU_R9
	%1 r10, VCPU_R10
	%1 r11, VCPU_R11
	%1 r12, VCPU_R12
	%1 r13, VCPU_R13
	%1 r14, VCPU_R14
	%1 r15, VCPU_R15
%endmacro

%macro LOAD 2
	mov	%1, [rdi + %2]
%endmacro

%macro SAVE 2
	mov	[rdi + %2], %1
%endmacro

; bool vmx_enter(struct vcpu *vcpu): true after an exit, false if the entry was refused (the VMCS says why).
vmx_enter:
	push	rbx
	push	rbp
	push	r12
	push	r13
	push	r14
	push	r15
	push	rdi
	cmp	[rdi + VCPU_HOST_RSP], rsp
	jne	.new_stack
.ready:
	FOR_REGISTERS LOAD
	test	dword [rdi + VCPU_GUARDS], GUARD_CLEAR_BUFFERS
	jnz	.clear_buffers
	cmp	dword [rdi + VCPU_LAUNCHED], 1	; carry: not launched yet
	mov	rdi, [rdi + VCPU_RDI]
	jc	.launch
	vmresume
	jmp	.refused

.clear_buffers:				; VERW is last: nothing of ours is loaded after it.  It changes ZF only.
	cmp	dword [rdi + VCPU_LAUNCHED], 1
	mov	rdi, [rdi + VCPU_RDI]
	verw	[data_selector]
	jc	.launch
	vmresume
	jmp	.refused
.launch:
	vmlaunch
.refused:
	pop	rdi
	xor	eax, eax
	jmp	leave_to_c

.new_stack:				; this CPU's, or the call came another way
	mov	eax, VMCS_HOST_RSP
	vmwrite	rax, rsp
	mov	[rdi + VCPU_HOST_RSP], rsp
	jmp	.ready

; Every exit arrives here, with RSP as it was at entry.
vmx_exited:
	push	rdi
	mov	rdi, [rsp + 8]
	FOR_REGISTERS SAVE
	pop	qword [rdi + VCPU_RDI]
	test	dword [rdi + VCPU_GUARDS], GUARD_FILL_RETURNS | GUARD_CLEAR_REGISTERS
	jz	.guarded
%assign fill 0
%rep 32					; before any return of ours: each entry of the return stack leads to an INT3
	call	.filled %+ fill
	int3
.filled %+ fill:
%assign fill fill + 1
%endrep
	add	rsp, 32 * 8
	xor	ecx, ecx
	xor	edx, edx
	xor	esi, esi
	xor	r8d, r8d
	xor	r9d, r9d
	xor	r10d, r10d
	xor	r11d, r11d
.guarded:
	add	rsp, 8			; the vCPU
	mov	eax, 1
leave_to_c:
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbp
	pop	rbx
	ret
