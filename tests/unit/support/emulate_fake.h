/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest around the emulation: memory that is an array, devices that remember what was done to them, in the place of mm/ and
 * devices/.  Guest-physical: memory from 0 to FAKE_MEMORY, everything above is a device's.  mm_reach can be made to suspend.
 */
#pragma once
#include "tests/unit/support/vmx_fake.h"
#include "vmx/inject.h"
#include "vmx/machine.h"
#include <string.h>

enum { FAKE_MEMORY = 2 << 20, FAKE_DEVICE_BYTES = 2 * PAGE_SIZE, FAKE_LOG = 256, FAKE_ADDRESS_BITS = 46 };
#define FAKE_DEVICE 0x10000000ULL /* these addresses answer with fake_device; others read as ones */
#define FAKE_TABLES 0x100000ULL   /* page tables of a 64-bit guest: linear addresses are guest-physical ones */
#define FAKE_CODE 0x5000ULL
#define FAKE_STACK 0x110000ULL /* a page of memory */

struct fake_access {
	u64 address, value;
	u32 bytes;
	bool write;
};

extern u8 fake_memory[FAKE_MEMORY + 8];
extern u8 fake_device[FAKE_DEVICE_BYTES];
extern struct fake_access fake_log[FAKE_LOG];
extern u32 fake_accesses;     /* all that there were: the log keeps the first */
extern u32 fake_reaches;      /* calls of mm_reach */
extern u64 fake_suspend_page; /* page number; ~0: none */
extern u32 fake_suspend_at;   /* this call of mm_reach suspends, counted from 1; 0: none */
extern struct vcpu fake_vcpu;

/* A fresh guest, standing at FAKE_CODE; with page tables where the mode has paging on. */
void fake_guest(enum vcpu_mode mode);
void fake_code(const void *bytes, u32 count);
#define FAKE_BYTES(...) fake_code((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

void fake_entry(u64 address, u64 entry);
u64 fake_entry_at(u64 address);
/* The entry of the 4 KiB page that holds a linear address below 2 MiB. */
u64 fake_leaf(u64 linear);

/* The exit that an access to `linear`, which leads to `address`, would cause. */
enum { FAKE_READ = 0x181, FAKE_WRITE = 0x182 };
void fake_violation(u64 linear, u64 address, u64 qualification);
