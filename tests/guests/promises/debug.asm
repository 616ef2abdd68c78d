; SPDX-License-Identifier: BSD-2-Clause
; Code to be single-stepped and stopped at, with the addresses where #DB must find it.
bits 64
global step_plain, step_plain_at, step_string, step_string_at, step_shadow, step_shadow_at, step_halt, step_halt_at
global stop_cpuid, stop_cpuid_at, stop_after_cpuid_at, stop_port, stop_port_at, stop_after_port_at
global stop_device, stop_device_at, stop_after_device_at, stop_after_string_at, stop_string, stop_string_at
global watched_stack_shadow, watched_stack_shadow_after, icebp_once, icebp_after

DATA equ 0x10
TF equ 1 << 8
IF equ 1 << 9

; An instruction, and a row of the table that is being written: here single-stepping traps.
%macro STEP 1+
	%1
%%after:
	ROW %%after
%endmacro
%macro ROW 1
[section .rodata]
	dq %1
__?SECT?__
%endmacro
; NAME[, more flags].  The trap after POPF's successor is the first one.
%macro STEPS 1-2 0
	align 16
%1:
[section .rodata]
	align 8
%1_at:
__?SECT?__
	push rbx
	push TF | 2 | %2
	popfq
%endmacro
; The handler clears TF at the last of these traps.
%macro STEPS_END 0
	ROW 0
	pop rbx
	ret
%endmacro

section .text
; void step_plain(u64 device)
STEPS step_plain
	STEP nop
	STEP cpuid
	STEP in al, 0x61
	STEP out 0x61, al
	STEP mov ecx, 0x10
	STEP rdmsr
	STEP mov eax, [rdi]
	STEP mov [rdi], eax
	STEP xor eax, eax
	STEP mov cr8, rax
	STEP mov rax, cr8
	STEP mov rax, cr4
	STEP mov cr4, rax
	STEP wbinvd
	STEP rdtsc
STEPS_END

; void step_string(u64 device, void *to): a repeated instruction traps after each element.
STEPS step_string
	STEP mov rdi, rsi
	STEP mov ecx, 3
	STEP mov edx, 0x61
.again:
	rep insb
	ROW .again
	ROW .again
.after:
	ROW .after
	STEP cpuid
STEPS_END

; MOV SS holds the trap back for one instruction, also if that one exits.
STEPS step_shadow
	STEP mov eax, DATA
	mov ss, ax
	STEP cpuid
	STEP mov eax, DATA
	mov ss, ax
	STEP in al, 0x61
STEPS_END

; A trap ends HLT.
STEPS step_halt, IF
	STEP nop
	STEP hlt
STEPS_END

; ---- instruction breakpoints: at an instruction that exits, and at its successor ----

	align 16
stop_cpuid:
	push rbx
	xor eax, eax
stop_cpuid_at:
	cpuid
stop_after_cpuid_at:
	nop
	pop rbx
	ret

	align 16
stop_port:
stop_port_at:
	in al, 0x61
stop_after_port_at:
	nop
	ret

; void stop_device(u64 device)
	align 16
stop_device:
stop_device_at:
	mov eax, [rdi]
stop_after_device_at:
	nop
	ret

; void stop_string(u64 device, void *to)
	align 16
stop_string:
	mov rdi, rsi
	mov ecx, 3
	mov edx, 0x61
stop_string_at:
	rep insb
stop_after_string_at:
	nop
	ret

; void watched_stack_shadow(u64 device, void *selector): the watched load of SS traps only after CPUID.
	align 16
watched_stack_shadow:
	push rbx
	mov ss, [rsi]
	cpuid
watched_stack_shadow_after:
	nop
	pop rbx
	ret

	align 16
icebp_once:
	db 0xf1
icebp_after:
	nop
	ret
