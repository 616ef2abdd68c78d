/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one interface between vmx/ (and kernel/vm.c) and the devices that a guest sees: a small honest PC.
 * Time is the VM's TSC throughout (it stops while the VM is paused).  Every function may be called by any vCPU of the VM on any
 * CPU: the PC has one lock (RANK_PC); LAPIC fast paths (EOI, ICR to self, TSC deadline, pending?) touch only their own vCPU's
 * state and atomic IRR words and take no lock.  Nothing here suspends or fails, unless it says so.
 */
#pragma once
#include "kernel/lib/error.h"
#include "kernel/lib/types.h"

struct mm_vm;
struct pc;

enum pc_power { PC_POWER_OFF, PC_POWER_RESET };

/* What the PC asks of whoever runs it. Called with or without the PC's lock held: must only note and wake. */
struct bus_host {
	u64 (*tsc)(void *vm);                          /* the VM's TSC now */
	void (*deadline)(void *vm, u32 vcpu, u64 tsc); /* earliest time at which pc_timers(vcpu) wants to be called; 0: never */
	void (*interrupt)(void *vm, u32 vcpu);         /* pc_interrupt_pending(vcpu) may have become true */
	void (*nmi)(void *vm, u32 vcpu);
	void (*init)(void *vm, u32 vcpu);
	void (*sipi)(void *vm, u32 vcpu, u8 vector);
	void (*console_put)(void *vm, u8 byte);      /* the guest's UART sent a byte */
	bool (*console_take)(void *vm, u8 *byte);    /* the guest's UART has room: is there input? */
	void (*power)(void *vm, enum pc_power what); /* the guest asked for it */
};

struct pc_config {
	void *vm; /* handed back to bus_host */
	const struct bus_host *host;
	u32 vcpus;
	u64 tsc_khz;          /* as given to the guest */
	u64 memory_bytes;     /* total guest memory; below PC_LOW_MEMORY_END contiguous from 0, the rest from 4 GiB */
	u64 rtc_unix_seconds; /* wall clock at VM TSC 0 */
};

enum {
	PC_MAX_VCPUS = 4,
	PC_COM1 = 0x3f8,
	PC_APIC_BUS_KHZ = 1000000, /* input of the LAPIC timer's divider, as in the KVM timing leaf */
};
#define PC_LOW_MEMORY_END 0xc0000000ULL /* guest memory below 4 GiB ends here at the latest; ECAM, IOAPIC, LAPIC lie above */

/* Bytes of a struct pc (its storage is the caller's, zeroed, 16-byte aligned); init leaves it as after power-on. */
size_t pc_bytes(void);
void pc_init(struct pc *pc, const struct pc_config *config);
void pc_reset(struct pc *pc);

/* Port I/O, size 1, 2 or 4. Reads of nothing give all ones; writes to nothing vanish. */
u32 pc_port_read(struct pc *pc, u32 vcpu, u16 port, u32 size);
void pc_port_write(struct pc *pc, u32 vcpu, u16 port, u32 size, u32 value);

/* Is this guest-physical page a device's (LAPIC page, IOAPIC, ECAM, BARs, or a hole)? Anything that is not memory is. */
u64 pc_mmio_read(struct pc *pc, u32 vcpu, gpa_t address, u32 size);
void pc_mmio_write(struct pc *pc, u32 vcpu, gpa_t address, u32 size, u64 value);

/* Local APIC as MSRs (0x1b, 0x6e0, 0x800-0x83f): E_INVALID means #GP. */
err_t pc_msr_read(struct pc *pc, u32 vcpu, u32 msr, u64 *value);
err_t pc_msr_write(struct pc *pc, u32 vcpu, u32 msr, u64 value);
u8 pc_get_cr8(struct pc *pc, u32 vcpu);
void pc_set_cr8(struct pc *pc, u32 vcpu, u8 value);

/* Has vCPU an interrupt that its TPR lets through (LAPIC, or the 8259 pair by LINT0/virtual wire)? Lock-free. */
bool pc_interrupt_pending(struct pc *pc, u32 vcpu);
/* Acknowledge it (INTA): the vector to inject, or -1 if it has gone (then nothing is injected). */
int pc_interrupt_ack(struct pc *pc, u32 vcpu);

/* Run timers that are due at vm TSC `now`; the host calls it at or after the deadline it was given. */
void pc_timers(struct pc *pc, u32 vcpu, u64 now);

void pc_power_button(struct pc *pc);                         /* ACPI */
void pc_console_input(struct pc *pc);                        /* console_take has bytes again */
void pc_set_lapic_state(struct pc *pc, u32 vcpu, bool init); /* INIT reached vcpu: its LAPIC goes to reset state */

/* Every invariant of the devices: NULL, or what is broken. Takes the lock; exact only while no vCPU is inside a pc_ function. */
const char *pc_audit(struct pc *pc);

/*
 * ACPI tables for guests: `next` walks the blobs to copy into guest memory (RSDP first), all below 1 MiB in [0xe0000, 0x100000).
 * Built once per VM into `buffer` (E_RANGE if it is too small).
 */
enum { PC_ACPI_BYTES = 16 * 1024 };
#define PC_ACPI_BASE 0xe0000ULL /* RSDP at its start; the buffer is copied here */
err_t pc_acpi_build(const struct pc_config *config, u8 *buffer, size_t bytes);
