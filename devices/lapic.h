/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local APICs (SDM vol. 3A, chapter 11): xAPIC by memory, x2APIC by MSR.  No lock: registers are written by their own vCPU only;
 * IRR, TMR, the error bits and the deadline are atomic words, because others set them.  What other vCPUs read of a LAPIC to find
 * out whether it is addressed (mode, ID, LDR, priority) they read word by word, as messages on a bus would meet it.
 *   lapic.c reset, priority, acknowledge, EOI   lapic_ipi.c messages   lapic_timer.c timers
 *   lapic_regs.c the register table             lapic_msr.c MSRs, APIC_BASE, memory
 */
#pragma once
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

struct pc;

enum { LAPIC_WORDS = 4, LAPIC_FIRST_VECTOR = 16, LAPIC_IDLE = -1 };
enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };
enum lapic_mode { MODE_FIXED, MODE_LOWEST, MODE_SMI, MODE_NMI = 4, MODE_INIT, MODE_SIPI, MODE_EXTINT };

enum {
	LVT_MASKED = 1 << 16,
	LVT_TIMER_SHIFT = 17, /* two bits: enum lapic_timer_mode */
	SVR_ENABLE = 1 << 8,
	LAPIC_BASE_BSP = 1 << 8,
	LAPIC_BASE_X2APIC = 1 << 10,
	LAPIC_BASE_ENABLE = 1 << 11,
	ESR_SEND_VECTOR = 1 << 5,
	ESR_RECEIVE_VECTOR = 1 << 6,
	ESR_REGISTER = 1 << 7,
};

enum lapic_timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_TSC_DEADLINE };

/* 256 bits each; the top one first wins. */
struct lapic {
	u64 irr[LAPIC_WORDS], isr[LAPIC_WORDS], tmr[LAPIC_WORDS];
	u64 deadline; /* of the timer, VM TSC; PC_NEVER: not armed */
	u64 told;     /* what the host was told last for this vCPU */
	u64 base;     /* IA32_APIC_BASE */
	u32 id;
	u32 tpr, svr, ldr, dfr;
	u32 esr, esr_pending;
	u32 icr, icr_high;
	u32 lvt[LVT_COUNT];
	u32 initial, divide; /* the timer's initial count and divide configuration, as written */
} __attribute__((aligned(64)));

struct lapic_message {
	u32 dest;
	u8 vector;
	u8 mode; /* enum lapic_mode */
	bool logical;
	bool level; /* trigger mode: ends with an EOI to the IOAPIC */
	bool wide;  /* dest is an x2APIC's 32 bits, else an xAPIC's (or IOAPIC's) 8 */
};

/* To the state after power-on, or after INIT (which leaves the mode and the base alone). */
void lapic_reset(struct pc *pc, u32 vcpu, bool init);

static inline bool lapic_enabled(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->base, __ATOMIC_RELAXED) & LAPIC_BASE_ENABLE;
}

static inline bool lapic_x2apic(const struct lapic *lapic)
{
	return __atomic_load_n(&lapic->base, __ATOMIC_RELAXED) & LAPIC_BASE_X2APIC;
}

static inline bool lapic_mode_has_vector(u8 mode)
{
	return mode == MODE_FIXED || mode == MODE_LOWEST;
}

/* Does the 8259 pair's INTR reach the processor: by LINT0 as virtual wire, or because the LAPIC is off? */
bool lapic_takes_extint(const struct lapic *lapic);
/* The vector that would be delivered now (its class is above PPR's), or LAPIC_IDLE. */
int lapic_deliverable(const struct lapic *lapic);
u32 lapic_ppr(const struct lapic *lapic);
int lapic_acknowledge(struct lapic *lapic);
void lapic_eoi(struct pc *pc, struct lapic *lapic);
/* After a write that may have let an interrupt through: tell the host if so. */
void lapic_recheck(struct pc *pc, struct lapic *lapic);

/* Set a request and tell the host. */
void lapic_request(struct pc *pc, struct lapic *lapic, u8 vector, bool level);
void lapic_error(struct pc *pc, struct lapic *lapic, u32 esr_bit);
/* A local source fires (timer, error). */
void lapic_fire(struct pc *pc, struct lapic *lapic, enum lapic_lvt lvt);

/* Deliver to every LAPIC that the message addresses; was there one that took it? */
bool lapic_send(struct pc *pc, const struct lapic_message *message);
/* ICR was written. */
void lapic_ipi(struct pc *pc, struct lapic *lapic);

enum lapic_timer_mode lapic_timer_mode(const struct lapic *lapic);
void lapic_timer_start(struct pc *pc, struct lapic *lapic, u32 initial);
void lapic_timer_divide(struct pc *pc, struct lapic *lapic, u32 divide);
void lapic_timer_lvt(struct pc *pc, struct lapic *lapic, u32 value);
u32 lapic_timer_count(struct pc *pc, const struct lapic *lapic);
void lapic_tsc_deadline(struct pc *pc, struct lapic *lapic, u64 tsc);
void lapic_timer_run(struct pc *pc, struct lapic *lapic, u64 now);

/* Registers by number: offset / 16 by memory, MSR - 0x800. False: no such register, or not so (x2APIC: #GP). */
bool lapic_reg_read(struct pc *pc, struct lapic *lapic, u32 reg, u32 *value);
bool lapic_reg_write(struct pc *pc, struct lapic *lapic, u32 reg, u32 value);

u32 lapic_mmio_read(struct pc *pc, struct lapic *lapic, u32 offset);
void lapic_mmio_write(struct pc *pc, struct lapic *lapic, u32 offset, u32 value);

const char *lapic_audit(struct pc *pc, u32 vcpu);
