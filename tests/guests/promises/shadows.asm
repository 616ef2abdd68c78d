; SPDX-License-Identifier: BSD-2-Clause
; An interrupt is pending: behind which instruction does it come?  And instructions behind MOV SS, which no interrupt may precede.
bits 64
global shadows, mov_ss_loop, mov_ss_forbidden, mov_ss_forbidden_end

CODE64 equ 0x08
DATA equ 0x10
MSR_TSC equ 0x10
IF equ 1 << 9

; A row: the code, void (u64 device, void *fresh), where the interrupt must return to, text.
%macro ROW 3
[section .rodata]
	dq %1, %2, %%text
[section .data]
%%text: db %3, 0
__?SECT?__
%endmacro

; STI, then an instruction in its shadow: the interrupt comes behind that one.
%macro BEHIND_STI 2+
	align 16
%%code:
	push rbx
	xor eax, eax
	mov ecx, MSR_TSC
	sti
	%2
%%after:
	nop
	cli
	pop rbx
	ret
ROW %%code, %%after, %1
%endmacro


section .rodata
align 8
shadows:
section .text
BEHIND_STI "sti; nop", nop
BEHIND_STI "sti; sti", sti
BEHIND_STI "sti; cpuid", cpuid
BEHIND_STI "sti; in", in al, 0x61
BEHIND_STI "sti; rdmsr", rdmsr
BEHIND_STI "sti; a device", mov eax, [rdi]
BEHIND_STI "sti; a first touch", mov [rsi], al
BEHIND_STI "sti; hlt", hlt
BEHIND_STI "sti; wbinvd", wbinvd
BEHIND_STI "sti; mov cr8", mov cr8, rax
ROW pop_flags, pop_flags.after, "popf"
ROW return, return.after, "iret"
section .rodata
	dq 0, 0, 0

; No shadow: at once.
section .text
	align 16
pop_flags:
	push IF | 2
	popfq
.after:
	nop
	cli
	ret
	align 16
return:
	mov rax, rsp
	push DATA
	push rax
	push IF | 2
	push CODE64
	push .after
	iretq
.after:
	nop
	cli
	ret

; u64 mov_ss_loop(u64 device, volatile u32 *count, u64 until): MOV SS, and an instruction that exits, until that many interrupts came.
	align 16
mov_ss_loop:
	push rbx
	mov r8, rdx
.again:
	mov eax, DATA
	mov ss, ax
.port:
	in al, 0x61
	mov eax, DATA
	mov ss, ax
.cpuid:
	cpuid
	mov eax, DATA
	mov ss, ax
.device:
	mov eax, [rdi]
	mov eax, DATA
	mov ss, ax
.plain:
	nop
	cmp [rsi], r8d
	jb .again
	pop rbx
	ret
[section .rodata]
mov_ss_forbidden:
	dq mov_ss_loop.port, mov_ss_loop.cpuid, mov_ss_loop.device, mov_ss_loop.plain
mov_ss_forbidden_end:
__?SECT?__
