/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/core/panic.h"
#include "kernel/core/cpu.h"
#include "kernel/core/kept.h"
#include "kernel/core/log.h"
#include "kernel/core/symbols.h"
#include "kernel/core/watchdog.h"
#include "kernel/core/wire.h"
#include "kernel/lib/format.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/idt.h"
#include "kernel/x86/mcheck.h"
#include "kernel/x86/paging.h"

enum {
	LINE_BYTES = 256,
	MAX_FRAMES = 24,
	LOG_TAIL_BYTES = 2048,
	PORT_NMI_STATUS = 0x61,
	ERROR_FETCH = 1 << 4,
	STOP_SPINS = 1000000,
	NOBODY = 0
};

static u32 owner; /* CPU + 1 of the one that panics */
static u32 stopped;
static void (*extra_dump)(void (*line)(const char *format, ...));

/* Compiled code calls it when a stack frame's guard has changed. */
NORETURN void __stack_chk_fail(void);

bool panic_under_way(void)
{
	return __atomic_load_n(&owner, __ATOMIC_ACQUIRE) != NOBODY;
}

void panic_set_dump(void (*dump)(void (*line)(const char *format, ...)))
{
	extra_dump = dump;
}

static void line_va(const char *text, va_list arguments)
{
	char line[LINE_BYTES];
	u32 at = format_va(line, sizeof(line) - 2, text, arguments);

	line[at++] = '\r';
	line[at++] = '\n';
	kept_add(line, at);
	wire_panic((const u8 *)line, at);
}

void panic_line(const char *text, ...)
{
	va_list arguments;

	va_start(arguments, text);
	line_va(text, arguments);
	va_end(arguments);
}

/* ---- the parts of the text ---- */

static void put_place(const char *what, u64 address)
{
	u64 offset;
	const char *name = symbols_find(address, &offset);

	if (name)
		panic_line("  %s %016llx %s+0x%llx", what, address, name, offset);
	else
		panic_line("  %s %016llx", what, address);
}

/* Frame pointers, as far as they are credible: mapped, aligned, going up. */
static void put_frames(u64 rbp)
{
	for (u32 i = 0; i < MAX_FRAMES; i++) {
		if (rbp % 8 != 0 || !paging_is_mapped(rbp) || !paging_is_mapped(rbp + 8))
			return;
		const u64 *frame = (const u64 *)rbp;

		if (frame[1] == 0)
			return;
		put_place("by", frame[1]);
		if (frame[0] <= rbp)
			return;
		rbp = frame[0];
	}
}

static void put_backtrace(u64 rip, u64 rbp)
{
	panic_line("backtrace:");
	put_place("at", rip);
	put_frames(rbp);
}

/* Who called what is no code has left only the return address: no frame was made. */
static void put_trap_backtrace(const struct trap_frame *frame)
{
	bool fetch = frame->vector == VECTOR_HOST_PAGE_FAULT && (frame->error & ERROR_FETCH);

	panic_line("backtrace:");
	put_place("at", frame->rip);
	if (fetch && frame->rsp % 8 == 0 && paging_is_mapped(frame->rsp))
		put_place("by", *(const u64 *)frame->rsp);
	put_frames(frame->rbp);
}

static void put_control_registers(void)
{
	panic_line("cr0 %08llx cr2 %016llx cr3 %012llx cr4 %08llx", cr0_read(), cr2_read(), cr3_read(), cr4_read());
}

static void put_registers(const struct trap_frame *f)
{
	panic_line("rax %016llx rbx %016llx rcx %016llx rdx %016llx", f->rax, f->rbx, f->rcx, f->rdx);
	panic_line("rsi %016llx rdi %016llx rbp %016llx rsp %016llx", f->rsi, f->rdi, f->rbp, f->rsp);
	panic_line("r8  %016llx r9  %016llx r10 %016llx r11 %016llx", f->r8, f->r9, f->r10, f->r11);
	panic_line("r12 %016llx r13 %016llx r14 %016llx r15 %016llx", f->r12, f->r13, f->r14, f->r15);
	panic_line("rip %016llx cs %04llx flags %08llx ss %04llx", f->rip, f->cs, f->rflags, f->ss);
	put_control_registers();
}

/* Whole lines from the last LOG_TAIL_BYTES of the log. */
static void put_log_tail(void)
{
	static char tail[LOG_TAIL_BYTES + 1];
	u64 end = log_end();
	u64 from = end > LOG_TAIL_BYTES ? end - LOG_TAIL_BYTES : 0;
	u32 bytes = log_read(from, tail, LOG_TAIL_BYTES);
	u32 start = 0;

	panic_line("last of the log:");
	for (u32 i = 0; i < bytes; i++) {
		if (tail[i] != '\n')
			continue;
		tail[i] = 0;
		if (start > 0 || from == 0)
			panic_line("  %s", tail + start);
		start = i + 1;
	}
}

/* ---- who may speak ---- */

/* The first CPU goes on; another one, or the same one for a fault in its dump, stops here. */
static void take_the_word(void)
{
	u32 nobody = NOBODY;
	u32 me = cpu_index() + 1;

	interrupts_off();
	if (__atomic_compare_exchange_n(&owner, &nobody, me, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		if (cpu_count > 1)
			apic_nmi_others();
		for (u32 i = 0; i < STOP_SPINS && __atomic_load_n(&stopped, __ATOMIC_ACQUIRE) + 1 < cpu_count; i++)
			cpu_pause();
		return;
	}
	if (nobody == me)
		panic_line("panic: a second fault while this was printed");
	cpu_halt_forever();
}

NORETURN static void finish(void)
{
	if (extra_dump)
		extra_dump(panic_line);
	put_log_tail();
	panic_line("panic: CPU %u and %u others have stopped", cpu_index(), stopped);
	caches_write_back();
	cpu_halt_forever();
}

/* No exception, so nobody has kept the other registers. */
NORETURN static void finish_here(void)
{
	u64 frame = (u64)__builtin_frame_address(0);

	panic_line("rbp %016llx", frame);
	put_control_registers();
	put_backtrace((u64)__builtin_return_address(0), frame);
	finish();
}

void panic(const char *text, ...)
{
	va_list arguments;

	take_the_word();
	va_start(arguments, text);
	panic_line("\r\npanic: on CPU %u:", cpu_index());
	line_va(text, arguments);
	va_end(arguments);
	finish_here();
}

void check_failed(const char *file, int line, const char *what)
{
	panic("%s:%d: CHECK(%s) failed", file, line, what);
}

void __stack_chk_fail(void)
{
	panic("a stack frame's guard was overwritten");
}

/* ---- exceptions ---- */

static const char *const names[] = {
	/* clang-format off */ /* eight a line, as their numbers go */
	"divide error", "debug", "NMI", "breakpoint", "overflow", "bound", "invalid opcode", "no FPU",
	"double fault", "", "invalid TSS", "segment not present", "stack segment", "general protection", "page fault", "",
	"FPU error", "alignment", "machine check", "SIMD", "virtualization", "control protection",
	/* clang-format on */
};

static bool in_guard_page(u64 address)
{
	u64 bottom = cpu_self()->stack_top - CPU_STACK_BYTES;

	return address < bottom && address >= bottom - PAGE_SIZE;
}

void trap_unexpected(const struct trap_frame *frame)
{
	const char *name = frame->vector < ARRAY_SIZE(names) ? names[frame->vector] : "";

	take_the_word();
	panic_line("\r\npanic: on CPU %u: exception %llu (%s), error code 0x%llx", cpu_index(), frame->vector, name,
		   frame->error);
	if (frame->vector == VECTOR_HOST_DOUBLE_FAULT && in_guard_page(cr2_read()))
		panic_line("the stack has overflowed into its guard page");
	if (frame->vector == VECTOR_HOST_NMI && watchdog_asks())
		panic_line("this CPU has taken no step for 5 s: the watchdog asks where it is");
	else if (frame->vector == VECTOR_HOST_NMI)
		panic_line("nobody here asked for it; port 0x61 reads 0x%x", port_in8(PORT_NMI_STATUS));
	if (frame->vector == VECTOR_HOST_MACHINE_CHECK)
		mcheck_dump(panic_line);
	put_registers(frame);
	put_trap_backtrace(frame);
	finish();
}

/*
 * An NMI is a panicking CPU's order to stop, the watchdog's word that this CPU is stuck, or the platform's complaint: memory or a bus has
 * failed, or somebody presses the button that wants to know what this machine is doing.
 */
void trap_nmi(const struct trap_frame *frame)
{
	if (panic_under_way()) {
		__atomic_fetch_add(&stopped, 1, __ATOMIC_ACQ_REL);
		cpu_halt_forever();
	}
	trap_unexpected(frame);
}

/* The kernel itself has used what failed, unless this CPU was only told of it. No line in the log: its lock may be held right here. */
void trap_machine_check(const struct trap_frame *frame)
{
	struct mc_verdict verdict;

	mcheck_judge(&verdict);
	if (!mc_goes_on(&verdict, cpu_count > 1))
		trap_unexpected(frame);
	mcheck_done(&verdict);
}
