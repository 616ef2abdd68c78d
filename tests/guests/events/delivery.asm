; SPDX-License-Identifier: BSD-2-Clause
; The handlers that delivery.c's tables name by a constant address, and the instructions that bring each event.
bits 64
default abs
extern delivered_count, delivered_rip, delivered_error, delivered_skip
global handlers_begin, handlers_end, triggers

VECTOR_IPI equ 0x50
ERROR_HANDLER equ 0x80		; delivery.c knows
ICR_SELF_FIXED equ 0x44000
ICR_SELF_NMI equ 0x4400
X2APIC_ICR equ 0x830

section .text
handlers_begin:			; without an error code
	push rax
	mov rax, [rsp + 8]
	mov [delivered_rip], rax
	mov rax, [delivered_skip]
	add [rsp + 8], rax
	inc dword [delivered_count]
	pop rax
	iretq
	times ERROR_HANDLER - ($ - handlers_begin) int3
	push rax
	mov rax, [rsp + 8]
	mov [delivered_error], rax
	mov rax, [rsp + 16]
	mov [delivered_rip], rax
	mov rax, [delivered_skip]
	add [rsp + 16], rax
	inc dword [delivered_count]
	pop rax
	add rsp, 8
	iretq
handlers_end:

; Each with RDI as its argument: an address, or the local APIC's number.
ipi:	mov ecx, X2APIC_ICR
	mov edx, edi
	mov eax, ICR_SELF_FIXED | VECTOR_IPI
	sti
	nop
	wrmsr
.at:	nop
	cli
	ret
nmi:	mov ecx, X2APIC_ICR
	mov edx, edi
	mov eax, ICR_SELF_NMI
	wrmsr
.at:	nop
	ret
soft:	int 0x70
.at:	ret
int3_:	int3
.at:	ret
icebp:	db 0xf1
.at:	ret
ud:
.at:	ud2
	ret
ud_exit:			; raised by the hypervisor: VMREAD
.at:	db 0x0f, 0x78, 0xc0
	ret
gp_exit: mov ecx, 0x1234		; likewise
.at:	wrmsr
	ret
gp:	mov eax, 0x100			; a selector behind the table
.at:	mov fs, ax
	ret
pf:
.at:	mov [rdi], al
	ret

; struct trigger of delivery.c
section .data
align 8
triggers:
	dq ipi, ipi.at, 0, 0
	dq nmi, nmi.at, 0, 0
	dq soft, soft.at, 0, 0
	dq int3_, int3_.at, 0, 0
	dq icebp, icebp.at, 0, 0
	dq ud, ud.at, 2, 0
	dq ud_exit, ud_exit.at, 3, 0
	dq gp_exit, gp_exit.at, 2, 0
	dq gp, gp.at, 2, 0x100
	dq pf, pf.at, 2, 2
