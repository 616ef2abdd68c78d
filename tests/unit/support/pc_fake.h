/* SPDX-License-Identifier: BSD-2-Clause */
/* A host for a PC under test: time stands until a test moves it, and everything that the PC asks for is kept to be looked at. */
#pragma once
#include "devices/pc.h"

enum { FAKE_CONSOLE_BYTES = 4096, FAKE_TSC_KHZ = 1000000 }; /* one TSC tick is one nanosecond */

struct pc_fake {
	u64 now;
	u64 deadline[PC_MAX_VCPUS];
	u32 deadline_calls[PC_MAX_VCPUS];
	u32 interrupts[PC_MAX_VCPUS], nmis[PC_MAX_VCPUS], inits[PC_MAX_VCPUS], sipis[PC_MAX_VCPUS];
	u8 sipi_vector[PC_MAX_VCPUS];
	u32 power_offs, resets, timer_calls;
	bool yields; /* calls from several threads pass each other */
	u8 output[FAKE_CONSOLE_BYTES], input[FAKE_CONSOLE_BYTES];
	u32 output_bytes, input_first, input_end;
};

extern struct pc_fake fake;
extern struct pc *pc;

/* A fresh PC at time 0. */
void fake_pc(u32 vcpus);
void fake_pc_khz(u32 vcpus, u64 tsc_khz);
int fake_pc_free(void **state); /* the end of a test program */
/* Move time, calling pc_timers at each deadline on the way as the host does (once per announced deadline). */
void fake_run_to(u64 tsc);
void fake_run(u64 ticks);
/* Let time pass while the host does not run: deadlines are served late, at the end. */
void fake_skip(u64 ticks);
void fake_type(const char *text);

/* Fails the test with the broken invariant. */
void fake_audit(void);

static inline u8 in8(u16 port)
{
	return (u8)pc_port_read(pc, 0, port, 1);
}

static inline void out8(u16 port, u32 value)
{
	pc_port_write(pc, 0, port, 1, value);
}

static inline u32 mmio32(u64 address)
{
	return (u32)pc_mmio_read(pc, 0, (gpa_t){ address }, 4);
}

static inline void mmio32_set(u64 address, u32 value)
{
	pc_mmio_write(pc, 0, (gpa_t){ address }, 4, value);
}

/* MSRs that must work; and whether one is refused. */
u64 msr(u32 vcpu, u32 number);
void msr_set(u32 vcpu, u32 number, u64 value);
bool msr_refused(u32 vcpu, u32 number, u64 value);

/* The usual start of a system: both APICs on, x2APIC mode, vectors accepted. */
void fake_x2apic(void);
void fake_ioapic_set(u32 pin, u64 entry);
u64 fake_ioapic_get(u32 pin);
/* Take and end whatever is deliverable to vcpu; returns the vector, or -1. */
int fake_take(u32 vcpu);
