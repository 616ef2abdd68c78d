; SPDX-License-Identifier: BSD-2-Clause
; From firmware's page tables to the kernel's.  Copied to a page of its own that both map at the same address.
; SDM vol. 3A, 4.1.2 and 4.10.4 (what flushes global entries).

bits 64
default rel

CR0_WP   equ 1 << 16
CR4_PGE  equ 1 << 7
CR4_PCIDE equ 1 << 17
CR4_CET  equ 1 << 23
MSR_EFER equ 0xc0000080
EFER_NXE equ 1 << 11

global handover_start, handover_end

section .text
; RDI bootinfo, RSI CR3, RDX top of the stack, RCX entry
handover_start:
	cli
	cld
	mov rsp, rdx
	mov r8, rcx
	mov ecx, MSR_EFER       ; first, or the tables' NX bits are reserved ones
	rdmsr
	or eax, EFER_NXE
	wrmsr
	mov rax, cr4
	and rax, ~(CR4_PGE | CR4_PCIDE | CR4_CET)
	mov cr4, rax
	mov cr3, rsi
	mov rcx, cr0
	or rcx, CR0_WP
	mov cr0, rcx
	or rax, CR4_PGE
	mov cr4, rax
	xor ebp, ebp
	jmp r8
handover_end:
