; SPDX-License-Identifier: BSD-2-Clause
; All 256 interrupt gates: each pushes its number (and a zero where the processor pushes no error code) and joins.

bits 64
default rel

STUB_BYTES equ 16
; bit n: the processor pushes an error code for vector n (SDM vol. 3A, table 6-1, and #VC, #SX of other makers)
%assign ERROR_CODES 1 << 8 | 31 << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30

global isr_stubs
extern trap_dispatch

section .text
align STUB_BYTES
isr_stubs:
%assign vector 0
%rep 256
	align STUB_BYTES
%if vector > 31 || (ERROR_CODES >> vector & 1) == 0
	push 0
%endif
	push strict dword vector
	jmp strict near isr_common
%assign vector vector + 1
%endrep

; struct trap_frame of idt.h; the processor aligned the stack, and 22 words are a multiple of 16
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
	call trap_dispatch
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
