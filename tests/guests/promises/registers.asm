; SPDX-License-Identifier: BSD-2-Clause
; Instructions that leave the guest, with every other register holding a number of its own.
bits 64
global registers_ways

PATTERN equ 0x0123456789abcd00

; u64 code(u64 device): WAY text, does it change RCX RDX RBX?, then instructions (RAX: device), WAY_END.
; Bit n of the result: register n is wrong.
%macro WAY 2
	%push way
	%define %$text %1
	%assign %$changes %2
%$code:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	mov rax, rdi
	%assign n 0
	%rep 16
	%if n <> 0 && n <> 4
	mov REGISTER_%[n], PATTERN + n
	%endif
	%assign n n + 1
	%endrep
	mov [saved_rsp], rsp
%endmacro
%macro WAY_END 0
	xor eax, eax
	cmp rsp, [saved_rsp]
	je %%stack
	mov rsp, [saved_rsp]
	or eax, 1 << 4
%%stack:
	%assign n 1
	%rep 15
	%if n > 4 || (n < 4 && %$changes == 0)
	CHECK n
	%endif
	%assign n n + 1
	%endrep
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret
[section .rodata]
	dq %$code, %%text
[section .data]
%%text: db %$text, 0
__?SECT?__
	%pop
%endmacro

%macro CHECK 1
	push rcx
	mov rcx, PATTERN + %1
	%if %1 == 1
	cmp rcx, [rsp]
	%else
	cmp REGISTER_%[%1], rcx
	%endif
	pop rcx
	je %%same
	or eax, 1 << %1
%%same:
%endmacro

%define REGISTER_0 rax
%define REGISTER_1 rcx
%define REGISTER_2 rdx
%define REGISTER_3 rbx
%define REGISTER_4 rsp
%define REGISTER_5 rbp
%define REGISTER_6 rsi
%define REGISTER_7 rdi
%define REGISTER_8 r8
%define REGISTER_9 r9
%define REGISTER_10 r10
%define REGISTER_11 r11
%define REGISTER_12 r12
%define REGISTER_13 r13
%define REGISTER_14 r14
%define REGISTER_15 r15

section .bss
saved_rsp: resq 1

section .rodata
align 8
registers_ways:
section .text
WAY "CPUID", 1
	mov eax, 1
	cpuid
WAY_END
WAY "IN", 0
	in al, 0x61
WAY_END
WAY "OUT", 0
	in al, 0x61
	out 0x61, al
WAY_END
WAY "RDMSR", 1
	mov ecx, 0x10
	rdmsr
WAY_END
WAY "a read of a device", 0
	mov eax, [rax]
WAY_END
WAY "a write to a device", 0
	mov dword [rax], 1
WAY_END
WAY "MOV to CR8", 0
	xor eax, eax
	mov cr8, rax
WAY_END
WAY "MOV from CR8", 0
	mov rax, cr8
WAY_END
WAY "WBINVD", 0
	wbinvd
WAY_END
section .rodata
	dq 0, 0
