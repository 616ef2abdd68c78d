/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Trips to other processor modes.  A trip is a list of operations that trip.asm executes one by one, from protected mode without paging on,
 * wherever they lead; what each raised and how the control registers stood afterwards is recorded.  All that it needs lies in
 * 0x8000-0x1ffff, at the same address in every mode; its page tables are read by all three formats.
 */
#pragma once
#include "tests/guests/lib/guest.h"

/* In the order of trip.asm's tables. */
enum {
	OP_END,
	OP_CR0,
	OP_CR3,
	OP_CR4,
	OP_EFER, /* write `argument` */
	OP_LMSW,
	OP_CLTS,
	OP_SMSW,
	OP_LOAD,
	OP_STORE,
	OP_INVLPG, /* at linear address `argument` */
	OP_UD2,
	OP_INT3,
	OP_VMCALL,
	OP_CPUID,
	OP_RDMSR,
	OP_IN,
	OP_REAL,      /* from protected mode: to 16-bit code, write CR0, to real mode */
	OP_PROTECTED, /* from real mode: write CR0, to 32-bit code */
	OP_CR0_CS_L,  /* write CR0 from a code segment with L set, outside of long mode */
	OP_LTR,
	OP_TASK, /* switch to the task of selector `argument` */
	OPS
};

struct operation {
	u32 op, argument, value, reserved; /* value: what STORE stores */
};
struct outcome {
	u32 vector, error, value, cr0, cr3, cr4, efer, reserved; /* vector: NOTHING if none */
};
enum { NOTHING = 0xff, TRIP_MOST = 48, TRIP_RECORD = 0x9000, TRIP_CODE = 0xa000, TRIP_TABLES = 0xc000 };

struct record {
	struct operation operations[TRIP_MOST + 1];
	struct outcome outcomes[TRIP_MOST + 1];
};
#define RECORD ((volatile struct record *)(u64)TRIP_RECORD)

/* Page tables, made anew for each trip. FOR_PAE's entries lack the bits that a PDPTE must not have. */
enum { TABLE_FOR_PAE = 0x10000, TABLE_FOR_OTHERS = 0x11000, TABLE_2 = 0x12000, TABLE_3 = 0x13000, TABLE_SECOND_GIB = 0x14000 };
enum { TASK16 = 0x30, TASK32 = 0x38 };

void trip_run(const struct operation *operations, u32 count); /* an OP_END is added */
void trip_go(void);                                           /* trip.asm */

const char *every_mode_from_every_mode(void);
const char *what_the_manual_forbids(void);
const char *random_walks(void);
