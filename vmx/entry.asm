; SPDX-License-Identifier: BSD-2-Clause
; The loop around the guest: enter, exit, ask C, enter again.  What C keeps for its callers is pushed once; what stays as it is until
; another vCPU runs (extended state, debug registers, CR2, MSRs) is switch.c's business.  SDM vol. 3C, 26.1 and 27.5.
bits 64
default rel
%include "offsets.inc"

section .rodata
data_selector: dw HOST_DATA_SELECTOR	; for VERW: any writable data segment

section .text
global vmx_run, vmx_exited
extern exit_handle, exit_entry_refused

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

%macro ENTER 1				; VMLAUNCH or VMRESUME; RDI is the vCPU
	FOR_REGISTERS LOAD
	mov	rdi, [rdi + VCPU_RDI]
	%1
	jmp	refused
%endmacro

%macro ENTER_GUARDED 1
	FOR_REGISTERS LOAD
	test	dword [rdi + VCPU_GUARDS], GUARD_CLEAR_BUFFERS
	mov	rdi, [rdi + VCPU_RDI]
	jz	%%go
	verw	[data_selector]		; last: nothing of ours is loaded after it
%%go:
	%1
	jmp	refused
%endmacro

; enum exit_action vmx_run(struct vcpu *vcpu)
vmx_run:
	push	rbp
	mov	rbp, rsp
	push	rbx
	push	r12
	push	r13
	push	r14
	push	r15
	push	rdi			; what each exit finds at RSP
	cmp	[rdi + VCPU_HOST_RSP], rsp
	je	.stack_known
	mov	eax, VMCS_HOST_RSP	; another CPU's stack, or the call came another way
	vmwrite	rax, rsp
	mov	[rdi + VCPU_HOST_RSP], rsp
.stack_known:
	cmp	dword [rdi + VCPU_LAUNCHED], 0
	jne	again_guarded
	mov	dword [rdi + VCPU_LAUNCHED], 1
	ENTER_GUARDED vmlaunch

; Every exit arrives here, with RSP as it was at entry.
vmx_exited:
	push	rdi
	mov	rdi, [rsp + 8]
	FOR_REGISTERS SAVE
	pop	qword [rdi + VCPU_RDI]
	lea	rbp, [rsp + 6 * 8]	; vmx_run's frame
	test	dword [rdi + VCPU_GUARDS], GUARD_FILL_RETURNS | GUARD_CLEAR_REGISTERS | GUARD_CLEAR_BUFFERS
	jnz	exited_guarded
	call	exit_handle
	mov	rdi, [rsp]
	test	eax, eax		; EXIT_RESUME
	jnz	leave_to_c
	ENTER	vmresume

; The same with guards up.
exited_guarded:				; before any return of ours: each entry of the return stack leads to an INT3
%assign fill 0
%rep 32
	call	.filled %+ fill
	int3
.filled %+ fill:
%assign fill fill + 1
%endrep
	add	rsp, 32 * 8
	xor	eax, eax		; the guest's values: no wrong path of ours finds them in a register
	xor	ecx, ecx
	xor	edx, edx
	xor	ebx, ebx
	xor	esi, esi
	xor	r8d, r8d
	xor	r9d, r9d
	xor	r10d, r10d
	xor	r11d, r11d
	xor	r12d, r12d
	xor	r13d, r13d
	xor	r14d, r14d
	xor	r15d, r15d
	call	exit_handle
	mov	rdi, [rsp]
	test	eax, eax
	jnz	leave_to_c
again_guarded:
	ENTER_GUARDED vmresume

refused:
	mov	rdi, [rsp]
	lea	rbp, [rsp + 6 * 8]
	call	exit_entry_refused
leave_to_c:
	pop	rdi
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbx
	pop	rbp
	ret
