/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The run-time system of the tiny guests: 64-bit C on an identity mapping of 4 GiB, one console on COM1, interrupts through the
 * local APIC.  It runs on any PC with multiboot (QEMU's -kernel too), so what a guest reports can be checked without Aerostat.
 */
#pragma once
#include "kernel/lib/types.h"
#include "kernel/x86/cpu.h"

/* Each guest has one. Returning halts for good. */
void guest_main(void);

/* ---- what the loader said (info.c) ---- */

enum { GUEST_MAX_REGIONS = 16, GUEST_MAX_CPUS = 8 };
struct guest_region {
	u64 base, bytes; /* usable memory */
};
extern struct guest_region guest_regions[GUEST_MAX_REGIONS];
extern u32 guest_region_count;
extern struct guest_region guest_module; /* the first module; bytes is 0 without one */
extern char guest_cmdline[256];
extern u8 guest_end[]; /* end of our own image */
u64 guest_memory_bytes(void);
/* The usable memory that holds the end of our image: from there to its end, page-aligned. */
struct guest_region guest_free_memory(void);
/* Does the command line hold this word? */
bool guest_option(const char *word);
/* The number in "name=123", or `otherwise`. */
u64 guest_number(const char *name, u64 otherwise);

/* ---- console (console.c) ---- */

void say(const char *text, ...) PRINTF(1, 2);
NORETURN void die(const char *text, ...) PRINTF(1, 2);
/* A line typed on COM1 without its end; halts while there is none. Interrupts must be on. */
void console_line(char *to, u32 bytes);
void console_init(void);

/* ---- interrupts (interrupts.c) ---- */

struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error, rip, cs, rflags, rsp, ss;
};
typedef void interrupt_handler(struct frame *frame);
void interrupts_init(void); /* on every CPU */
void interrupt_on(u8 vector, interrupt_handler *handler);
void interrupt_gate(u8 vector, u64 entry);      /* straight to this code, which ends with IRETQ; 0: the usual way again */
void interrupt_gate_flags(u8 vector, u8 flags); /* added to its gate's type byte: who may call it */
static inline void interrupts_enable(void)
{
	__asm__ volatile("sti" : : : "memory");
}

/* Call function(argument): the vector of the exception that it raised, or TRY_NOTHING. First CPU only. */
#define TRY_NOTHING UINT64_MAX
u64 try_call(void (*function)(void *), void *argument);
extern u64 try_error; /* the error code of the last one */

/* ---- memory (pages.c) ---- */

#define PAGE_PRESENT BIT(0)
#define PAGE_WRITE BIT(1)
#define PAGE_USER BIT(2)
/* The 4 KiB entry of an address below 4 GiB (its 2 MiB page is split first); page_set writes it and flushes. */
u64 *page_entry(u64 linear);
void page_set(u64 linear, u64 entry);
void pages_for_user(void);  /* everything is user mode's too */
u64 memory_end(void);       /* of the memory that holds us; behind it is a hole */
u8 *fresh_pages(u32 count); /* one after the other, never touched since power-on */

/* ---- user mode (user.c) ---- */

void user_init(void);
/* As try_call, at CPL 3. Interrupts must be off. */
u64 user_call(void (*function)(void *), void *argument);

/* ---- local APIC and IOAPIC (apic.c) ---- */

enum { VECTOR_SPURIOUS = 0xff, VECTOR_TIMER = 0x40, VECTOR_CONSOLE = 0x44, VECTOR_IPI = 0x50, VECTOR_PIT = 0x60 };
enum {
	APIC_ID = 0x02,
	APIC_VERSION = 0x03,
	APIC_TPR = 0x08,
	APIC_EOI = 0x0b,
	APIC_SVR = 0x0f,
	APIC_IRR = 0x20,
	APIC_ICR = 0x30,
	APIC_LVT_TIMER = 0x32,
	APIC_TIMER_INITIAL = 0x38,
	APIC_TIMER_CURRENT = 0x39,
	APIC_TIMER_DIVIDE = 0x3e,
	APIC_SELF_IPI = 0x3f,
	APIC_LVT_MASKED = 1 << 16,
	APIC_LVT_DEADLINE = 2 << 17,
	ICR_FIXED = 0x4000,
	ICR_NMI = 0x4400,
	ICR_INIT = 0x4500,
	ICR_STARTUP = 0x4600,
};
#define LAPIC_AT 0xfee00000ULL
#define IOAPIC_AT 0xfec00000ULL
void apic_init(void); /* on every CPU: x2APIC where there is one, else xAPIC */
bool apic_x2(void);
u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 value);
u32 apic_id(void);
void apic_eoi(void);
void apic_send(u32 apic, u32 icr);
void apic_deadline(u64 tsc); /* VECTOR_TIMER at that TSC; 0 disarms. Needs CPUID's TSC-deadline */
void apic_set_mode(bool x2); /* through "disabled" where it must: the LAPIC is as after reset then, and enabled again */
u32 ioapic_get(u32 reg);
void ioapic_route(u32 pin, u8 vector, u32 flags); /* edge, to the first CPU; flags: IOAPIC_MASKED */
enum { IOAPIC_MASKED = 1 << 16 };

/* ---- other CPUs (cpus.c) ---- */

/* Start a CPU by INIT and SIPI; it runs function(), then halts. False: it did not answer in 100 ms. One at a time. */
bool cpu_start(u32 apic, void (*function)(void));
void low_page_prepare(void); /* start-up and real-mode code to 0x8000 */
void real_mode_trip(void);
extern u32 real_mode_result;

/* ---- time (time.c) ---- */

extern u64 tsc_hz; /* measured against PIT channel 2 */
void time_init(void);
u64 pit_measure(u32 pit_ticks); /* TSC ticks that so many ticks of 1,193,182 Hz take */
void wait_us(u64 us);           /* spins */
/* VECTOR_TIMER in so many microseconds: by TSC deadline, or by the LAPIC's counter where there is none. 0 disarms. */
void timer_arm(u64 us);
/* Halt until *flag is set or `us` have passed. Returns *flag; interrupts are on afterwards. */
bool wait_flag(const volatile u32 *flag, u64 us);

/* ---- the paravirtual clock (pvclock.c), by CPU: asked on that CPU ---- */

bool pvclock_is_there(void);
void pvclock_register(u32 cpu);
bool pvclock_is_stable(u32 cpu);
bool pvclock_was_stopped(u32 cpu); /* since it was asked last */
u64 pvclock_ns(u32 cpu);

/* ---- ACPI (acpi.c) ---- */

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
} __attribute__((packed));

const void *acpi_rsdp(void);                     /* NULL: none */
const struct acpi_header *acpi_table(u32 index); /* of the root table; NULL: no more */
const struct acpi_header *acpi_find(const char *signature);
u64 acpi_fadt_field(u32 offset, u32 bytes); /* 0 without a FADT */
bool acpi_sums_to_zero(const void *start, u32 bytes);
u32 acpi_cpus(u32 ids[GUEST_MAX_CPUS]); /* enabled local APICs of the MADT */
NORETURN void power_off(void);          /* S5 through PM1a_CNT */

enum { FADT_DSDT = 40, FADT_SCI = 46, FADT_PM1A_EVENT = 56, FADT_PM1A_CONTROL = 64, FADT_PM_TIMER = 76 };

/* ---- results (promises.c): one line each, `ok NAME`, `not ok NAME: detail` or `skip NAME: reason` ---- */

struct promise {
	const char *name;
	const char *(*check)(void); /* NULL: kept; "skip: …"; else what went wrong */
};
const char *detail(const char *text, ...) PRINTF(1, 2); /* valid until the next one */
/* Runs all, then prints "GUEST: N ok, N not ok, N skipped". */
void promises_run(const char *guest, const struct promise *list, u32 count);
#define SKIP(reason) "skip: " reason
#define EXPECT(condition, ...)                      \
	do {                                        \
		if (!(condition))                   \
			return detail(__VA_ARGS__); \
	} while (0)
