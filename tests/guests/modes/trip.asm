; SPDX-License-Identifier: BSD-2-Clause
; The interpreter of a trip, for 32-bit and for 16-bit code, copied to TRIP_CODE; and the way there and back.
; EBX: the operation, EDI: its outcome.  A fault stores its vector there and goes on with the next operation.

CODE64 equ 0x08
DATA equ 0x10
CODE32 equ 0x18
CODE16 equ 0x20
DATA16 equ 0x28

RECORD equ 0x9000
CODE equ 0xa000
TABLES equ 0xc000	; 32-bit IDT, 64-bit IDT, GDT: modes.h, trip.c
IDT64 equ TABLES + 0x200
GDT equ TABLES + 0x800
STACK equ 0xf000
MOST equ 48
OUTCOMES equ RECORD + (MOST + 1) * 16
NOTHING equ 0xff
ERROR_CODES equ 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17
VECTORS equ 32

MSR_EFER equ 0xc0000080
EFER_LMA equ 1 << 10
CR0_FLAT equ 1 << 5 | 1 << 4 | 1

%define AT(label) (CODE + (label) - trip_begin)

struc outcome
.vector: resd 1
.error: resd 1
.value: resd 1
.cr0: resd 1
.cr3: resd 1
.cr4: resd 1
.efer: resd 1
	resd 1
endstruc

global trip_go, trip_begin, trip_end, trip_stubs16, trip_stubs32, trip_stubs64

section .bss
saved_rsp: resq 1
saved_gdt: resb 16
saved_idt: resb 16

section .text
bits 64
trip_go:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	pushfq
	cli
	mov [saved_rsp], rsp
	sgdt [saved_gdt]
	sidt [saved_idt]
	mov rax, cr3
	mov [abs AT(home_cr3)], eax
	mov rax, cr4
	mov [abs AT(home_cr4)], eax
	mov rax, cr0
	mov [abs AT(home_cr0)], eax
	mov ecx, MSR_EFER
	rdmsr
	mov [abs AT(home_efer)], eax
	lgdt [abs AT(gdt_pointer)]
	mov rsp, STACK
	push CODE32
	push AT(leave_long)
	retfq

back64:				; from trip_home
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov rsp, [saved_rsp]
	lgdt [saved_gdt]
	lidt [saved_idt]
	popfq
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; ---- copied ----
section .data
align 16
trip_begin:
home_cr0: dd 0
home_cr3: dd 0
home_cr4: dd 0
home_efer: dd 0
now_ebx: dd 0
now_edi: dd 0
gdt_pointer:
	dw 8 * 8 - 1
	dq GDT
idt32_pointer:
	dw VECTORS * 8 - 1
	dd TABLES
idt64_pointer:
	dw VECTORS * 16 - 1
	dq IDT64
idt16_pointer:
	dw VECTORS * 4 - 1
	dd 0

bits 32
leave_long:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov eax, CR0_FLAT
	mov cr0, eax
	mov ecx, MSR_EFER
	xor eax, eax
	xor edx, edx
	wrmsr
	xor eax, eax
	mov cr4, eax
	mov ebx, RECORD
	mov edi, OUTCOMES
	jmp fetch32

; %1: 16 or 32
%macro INTERPRETER 1
next%1:
	mov eax, cr0
	mov [edi + outcome.cr0], eax
	mov eax, cr3
	mov [edi + outcome.cr3], eax
	mov eax, cr4
	mov [edi + outcome.cr4], eax
	mov ecx, MSR_EFER
	rdmsr
	mov [edi + outcome.efer], eax
	add ebx, 16
	add edi, outcome_size
fetch%1:
	mov [AT(now_ebx)], ebx
	mov [AT(now_edi)], edi
	mov dword [edi + outcome.vector], NOTHING
	mov dword [edi + outcome.error], 0
	mov dword [edi + outcome.value], 0
%if %1 == 16
	o32 lidt [AT(idt16_pointer)]
%else
	mov ecx, MSR_EFER
	rdmsr
	lidt [AT(idt32_pointer)]
	test eax, EFER_LMA
	jz %%legacy
	lidt [AT(idt64_pointer)]
%%legacy:
%endif
	mov eax, [ebx]
	mov ecx, [ebx + 8]
	mov eax, [AT(table%1) + eax * 4]
	push eax
	mov eax, [ebx + 4]
%if %1 == 16
	o32 ret
%else
	ret
%endif
cr0_%1:
	mov cr0, eax
	jmp next%1
cr3_%1:
	mov cr3, eax
	jmp next%1
cr4_%1:
	mov cr4, eax
	jmp next%1
efer_%1:
	mov ecx, MSR_EFER
	xor edx, edx
	wrmsr
	jmp next%1
lmsw_%1:
	lmsw ax
	jmp next%1
clts_%1:
	clts
	jmp next%1
smsw_%1:
	xor eax, eax
	smsw ax
	mov [edi + outcome.value], eax
	jmp next%1
load_%1:
	mov eax, [eax]
	mov [edi + outcome.value], eax
	jmp next%1
store_%1:
	mov [eax], ecx
	jmp next%1
invlpg_%1:
	invlpg [eax]
	jmp next%1
ud2_%1:
	ud2
int3_%1:
	int3
vmcall_%1:
	vmcall
	mov [edi + outcome.value], eax
	jmp next%1
cpuid_%1:
	push ebx
	cpuid
	pop ebx
	mov [edi + outcome.value], eax
	jmp next%1
rdmsr_%1:
	mov ecx, eax
	rdmsr
	mov [edi + outcome.value], eax
	jmp next%1
in_%1:
	mov edx, eax
	in eax, dx
	mov [edi + outcome.value], eax
	jmp next%1
align 4
table%1:
	dd AT(end_%1), AT(cr0_%1), AT(cr3_%1), AT(cr4_%1), AT(efer_%1), AT(lmsw_%1), AT(clts_%1), AT(smsw_%1)
	dd AT(load_%1), AT(store_%1), AT(invlpg_%1), AT(ud2_%1), AT(int3_%1), AT(vmcall_%1), AT(cpuid_%1), AT(rdmsr_%1), AT(in_%1)
	dd AT(real_%1), AT(protected_%1), AT(cs_l_%1), AT(ltr_%1), AT(task_%1)
%endmacro

%macro STUBS 1			; push the vector, 8 bytes each
align 8
trip_stubs%1:
%assign vector 0
%rep VECTORS
align 8
	push byte vector
	jmp near raised%1
%assign vector vector + 1
%endrep
%endmacro

; ---- 32-bit ----
INTERPRETER 32
STUBS 32
raised32:
	pop eax
	xor ecx, ecx
	mov edx, ERROR_CODES
	bt edx, eax
	jnc .store
	pop ecx
.store:
	mov dx, DATA
	mov ds, dx
	mov es, dx
	mov ss, dx
	mov esp, STACK
	mov ebx, [AT(now_ebx)]
	mov edi, [AT(now_edi)]
	mov [edi + outcome.vector], eax
	mov [edi + outcome.error], ecx
	jmp next32
real_32:
	jmp CODE16:AT(real_from)
protected_32:
	ud2
cs_l_32:
	jmp CODE64:AT(cs_l_from)
ltr_32:
	and byte [GDT + eax + 5], 0xfd	; not busy
	ltr ax
	jmp next32
task_32:
	mov [AT(task_pointer) + 4], ax
	jmp far [AT(task_pointer)]
task_pointer:
	dd 0
	dw 0
end_32:
	mov eax, cr4
	and eax, ~(1 << 17)	; PCIDE keeps paging on
	mov cr4, eax
	mov eax, CR0_FLAT
	mov cr0, eax
	mov eax, [AT(home_cr4)]
	mov cr4, eax
	mov eax, [AT(home_cr3)]
	mov cr3, eax
	mov ecx, MSR_EFER
	mov eax, [AT(home_efer)]
	xor edx, edx
	wrmsr
	mov eax, [AT(home_cr0)]
	mov cr0, eax
	jmp CODE64:back64

; ---- 64-bit handlers, for faults of 32-bit code in long mode ----
bits 64
STUBS 64
raised64:
	pop rax
	xor ecx, ecx
	mov edx, ERROR_CODES
	bt edx, eax
	jnc .store
	pop rcx
.store:
	mov esp, STACK
	push CODE32
	push AT(landing)
	retfq
bits 32
landing:
	mov dx, DATA
	mov ds, dx
	mov es, dx
	mov ss, dx
	mov esp, STACK
	mov ebx, [AT(now_ebx)]
	mov edi, [AT(now_edi)]
	mov [edi + outcome.vector], eax
	mov [edi + outcome.error], ecx
	jmp next32

; ---- 16-bit ----
bits 16
INTERPRETER 16
STUBS 16
raised16:
	pop ax
	movzx eax, ax
	mov esp, STACK
	mov ebx, [AT(now_ebx)]
	mov edi, [AT(now_edi)]
	mov [edi + outcome.vector], eax
	jmp next16
real_from:
	mov dx, DATA16
	mov ds, dx
	mov es, dx
	mov ss, dx
	mov cr0, eax
	jmp 0:AT(.real)
.real:
	xor ax, ax
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov esp, STACK
	jmp next16
protected_16:
	mov cr0, eax
	jmp dword CODE32:AT(.protected)
cs_l_from:
	mov cr0, eax
	jmp dword CODE32:AT(next32)
real_16:
cs_l_16:
ltr_16:
task_16:
	ud2
end_16:
	mov eax, CR0_FLAT
	o32 lgdt [AT(gdt_pointer)]
	mov cr0, eax
	jmp dword CODE32:AT(.flat)
bits 32
.flat:
	mov dx, DATA
	mov ds, dx
	mov es, dx
	mov ss, dx
	jmp end_32
protected_16.protected:
	mov dx, DATA
	mov ds, dx
	mov es, dx
	mov ss, dx
	jmp next32
trip_end:
