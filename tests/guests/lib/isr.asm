; SPDX-License-Identifier: BSD-2-Clause
; 256 interrupt entries to one C function, and a call that survives a fault.
bits 64
extern interrupt_entered
global isr_first, try_call, try_landing, try_rsp

ISR_BYTES equ 16
ERROR_CODES equ 1 << 8 | 0xf << 10 | 1 << 14 | 1 << 17 | 1 << 21

section .bss
try_rsp: resq 1

section .text
align ISR_BYTES
isr_first:
%assign vector 0
%rep 256
align ISR_BYTES
%if vector >= 32 || (ERROR_CODES & (1 << vector)) == 0
	push 0
%endif
	push vector
	jmp isr_common
%assign vector vector + 1
%endrep

isr_common:
	push rax
	push rbx
	push rcx
	push rdx
	push rsi
	push rdi
	push rbp
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	cld
	mov rdi, rsp
	mov rbp, rsp
	and rsp, -16
	call interrupt_entered
	mov rsp, rbp
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rbp
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rbx
	pop rax
	add rsp, 16
	iretq

; u64 try_call(void (*function)(void *), void *argument): the vector of the exception that it raised, or ~0.
try_call:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	pushfq
	mov [try_rsp], rsp
	mov rax, rdi
	mov rdi, rsi
	sub rsp, 8
	call rax
	mov rax, -1
try_landing:
	mov rsp, [try_rsp]
	mov qword [try_rsp], 0
	popfq
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret
