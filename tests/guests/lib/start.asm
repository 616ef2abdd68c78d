; SPDX-License-Identifier: BSD-2-Clause
; From multiboot's 32-bit entry (and, for other vCPUs, from real mode) to C in long mode; and once back to real mode.
; Long mode runs on an identity mapping of 4 GiB by 2 MiB pages.

MULTIBOOT_MAGIC equ 0x1badb002
MULTIBOOT_FLAGS equ 3		; modules on page boundaries, memory map
CODE64 equ 0x08
DATA equ 0x10
CODE32 equ 0x18
CODE16 equ 0x20
DATA16 equ 0x28

MSR_EFER equ 0xc0000080
EFER_LME equ 1 << 8
CR4_BITS equ 1 << 5 | 1 << 9 | 1 << 10	; PAE, OSFXSR, OSXMMEXCPT
CR0_PAGED equ 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1	; PG, WP, NE, ET, MP, PE
CR0_FLAT equ 1 << 5 | 1 << 4 | 1 << 1 | 1

PAGE_PRESENT_WRITE equ 3
PAGE_LARGE equ 1 << 7
PAGE_UNCACHED equ 1 << 4 | 1 << 3
DEVICES_FROM equ 0xc0000000 >> 21	; in 2 MiB pages

LOW equ 0x8000		; where the part that runs in real mode is copied to
%define LOW_AT(label) (LOW + (label) - low_begin)

extern guest_start, cpu_entered, cpu_stack
global start32, low_begin, low_end, low_ap, real_mode_trip, real_mode_result, guest_gdt

section .multiboot
align 4
	dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

section .bss
align 4096
pml4:	resb 4096
pdpt:	resb 4096
pds:	resb 4 * 4096
stack:	resb 16384
stack_top:
saved_rsp: resq 1
real_mode_result: resd 1

section .data
align 8
guest_gdt:
	dq 0
	dq 0x00af9b000000ffff	; 64-bit code
	dq 0x00cf93000000ffff	; data
	dq 0x00cf9b000000ffff	; 32-bit code
	dq 0x00009b000000ffff	; 16-bit code, base 0
	dq 0x000093000000ffff	; 16-bit data
gdt_end:
gdt_pointer:
	dw gdt_end - guest_gdt - 1
	dq guest_gdt
real_idt:
	dw 0x3ff
	dd 0

section .text
bits 32
start32:
	cli
	cld
	mov esp, stack_top
	push ebx
	push eax
	mov dword [pml4], pdpt + PAGE_PRESENT_WRITE
	xor ecx, ecx
.directories:
	mov eax, ecx
	shl eax, 12
	add eax, pds + PAGE_PRESENT_WRITE
	mov [pdpt + ecx * 8], eax
	inc ecx
	cmp ecx, 4
	jb .directories
	xor ecx, ecx
.pages:
	mov eax, ecx
	shl eax, 21
	or eax, PAGE_PRESENT_WRITE | PAGE_LARGE
	cmp ecx, DEVICES_FROM
	jb .cached
	or eax, PAGE_UNCACHED
.cached:
	mov [pds + ecx * 8], eax
	inc ecx
	cmp ecx, 4 * 512
	jb .pages
	call enter_long
	lgdt [gdt_pointer]
	jmp CODE64:start64

; Paging and long mode on; the caller then jumps to 64-bit code.
enter_long:
	mov eax, CR4_BITS
	mov cr4, eax
	mov eax, pml4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME
	wrmsr
	mov eax, CR0_PAGED
	mov cr0, eax
	ret

ap32:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov esp, [cpu_stack]
	call enter_long
	jmp CODE64:ap64

bits 64
%macro flat_segments 0
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov fs, ax
	mov gs, ax
%endmacro

start64:
	flat_segments
	pop rax			; two 32-bit words: the magic below, the information above
	mov edi, eax
	mov rsi, rax
	shr rsi, 32
	mov rsp, stack_top
	call guest_start
	ud2

ap64:
	flat_segments
	mov rsp, [cpu_stack]
	call cpu_entered
	ud2

; void real_mode_trip(void): long mode → real mode, INT 0x40 there, and back.  What it saw is in real_mode_result.
real_mode_trip:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	pushfq
	cli
	mov [saved_rsp], rsp
	push CODE32
	push .compatible
	retfq
bits 32
.compatible:
	mov ax, DATA
	mov ss, ax
	mov ds, ax
	mov eax, CR0_FLAT
	mov cr0, eax
	mov ecx, MSR_EFER
	rdmsr
	and eax, ~EFER_LME
	wrmsr
	lidt [real_idt]
	jmp CODE16:LOW_AT(low_real16)
back32:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov [real_mode_result], ebx
	mov esp, stack_top - 8192	; the trip is made from the first CPU's stack, which is not this deep
	call enter_long
	jmp CODE64:.long
bits 64
.long:
	flat_segments
	mov rsp, [saved_rsp]
	popfq
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; ---- copied to LOW by cpus.c ----
align 16
low_begin:
bits 16
low_ap:
	cli
	mov ax, cs
	mov ds, ax
	o32 lgdt [low_gdt - low_begin]
	mov eax, CR0_FLAT
	mov cr0, eax
	jmp dword CODE32:ap32

low_real16:
	mov ax, DATA16
	mov ss, ax
	mov ds, ax
	mov es, ax
	mov eax, CR0_FLAT & ~1
	mov cr0, eax
	jmp 0:LOW_AT(.real)
.real:
	xor ax, ax
	mov ds, ax
	mov ss, ax
	mov sp, 0x7ff0
	mov word [0x40 * 4], LOW_AT(low_int40)
	mov word [0x40 * 4 + 2], 0
	mov ebx, 0x10000
	int 0x40
	mov ax, 0x7c0		; the same byte by another segment: 7c0:0400 is 0000:8000
	mov es, ax
	mov al, [es:0x400]
	cmp al, [LOW]
	jne .differs
	or ebx, 0x20000
.differs:
	mov eax, CR0_FLAT
	o32 lgdt [LOW_AT(low_gdt)]
	mov cr0, eax
	jmp dword CODE32:back32
low_int40:
	mov bx, 0x4040
	iret
align 4
low_gdt:
	dw gdt_end - guest_gdt - 1
	dd guest_gdt
low_end:
