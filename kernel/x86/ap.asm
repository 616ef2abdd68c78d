; SPDX-License-Identifier: BSD-2-Clause
; Where another CPU wakes up: copied into a page below 1 MiB, reached by SIPI in real mode, straight to long mode.

SELECTOR_CODE equ 0x08
CR4_PAE equ 1 << 5
MSR_EFER equ 0xc0000080
EFER_LME_NXE equ 1 << 8 | 1 << 11
CR0_PE_WP_PG equ 1 << 0 | 1 << 16 | 1 << 31
CR0_CD_NW equ 3 << 29

global ap_begin, ap_end, ap_arguments
section .rodata align=16

bits 16
ap_begin:
	cli
	cld
	mov ax, cs
	mov ds, ax
	o32 lgdt [ap_gdtr - ap_begin]
	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, [ap_startup_root - ap_begin]
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME_NXE
	wrmsr
	mov eax, cr0
	and eax, ~CR0_CD_NW
	or eax, CR0_PE_WP_PG
	mov cr0, eax
	jmp far dword [ap_far - ap_begin]

bits 64
default rel
ap_long:
	mov rax, [ap_root]
	mov rsp, [ap_stack_top]
	mov rdi, [ap_argument]
	mov rsi, [ap_entry]
	jmp [ap_high]

align 8
ap_gdt:
	dq 0
	dq 0x00209b0000000000   ; code, 64-bit
ap_arguments:                   ; struct ap_arguments of ap.c
ap_gdtr:
	dw ap_arguments - ap_gdt - 1
	dd 0                    ; linear address of ap_gdt
	dw 0
ap_far:
	dd 0                    ; linear address of ap_long
	dw SELECTOR_CODE
	dw 0
ap_startup_root:
	dq 0
ap_root:
	dq 0
ap_high:
	dq 0                    ; ap_on_kernel_tables
ap_stack_top:
	dq 0
ap_argument:
	dq 0
ap_entry:
	dq 0
ap_end:

global ap_gdt, ap_long

section .text
global ap_on_kernel_tables
; RAX: the kernel's root, which maps nothing low; RSP: this CPU's stack in it; RSI: C function, RDI: its argument.
ap_on_kernel_tables:
	mov cr3, rax
	xor ebp, ebp
	call rsi
	ud2
