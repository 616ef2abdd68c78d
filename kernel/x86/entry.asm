; SPDX-License-Identifier: BSD-2-Clause
; From the loader (boot/bootinfo.h) onto the boot CPU's own stack.

bits 64
default rel

BOOT_STACK_BYTES equ 32 * 1024

global kernel_entry, boot_stack_guard, boot_stack_top
extern kernel_main

section .text.entry exec align=16
kernel_entry:
	cld
	lea rsp, [boot_stack_top]
	xor ebp, ebp            ; ends the chain of frames for backtraces
	call kernel_main        ; RDI: struct bootinfo *
	ud2

section .bss.stack nobits alloc write align=4096
boot_stack_guard:               ; unmapped by paging_init's caller
	resb 4096
	resb BOOT_STACK_BYTES
boot_stack_top:
