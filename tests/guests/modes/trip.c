/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trip needs: its code, descriptor tables and page tables, made anew before each. */
#include "tests/guests/modes/modes.h"
#include <string.h>

enum {
	IDT64_OFFSET = 0x200,
	GDT_OFFSET = 0x800,
	VECTORS = 32,
	STUB_BYTES = 8,
	CODE64 = 0x08,
	CODE32 = 0x18,
	GDT_ENTRIES = 8,
	COPIED = 6
};
enum { FIRST_PAGE = 8, END_PAGE = 0x20, LARGE = 0x83, TASKS_AT = 0x15000 };

extern const u8 trip_begin[], trip_end[], trip_stubs16[], trip_stubs32[], trip_stubs64[];
extern const u64 guest_gdt[];

static u32 copied(const u8 *label)
{
	return (u32)(TRIP_CODE + (label - trip_begin));
}

static void make_descriptors(void)
{
	u64 *idt32 = (u64 *)(u64)TRIP_TABLES, *idt64 = (u64 *)(u64)(TRIP_TABLES + IDT64_OFFSET);
	u64 *gdt = (u64 *)(u64)(TRIP_TABLES + GDT_OFFSET);
	volatile u32 *ivt = (volatile u32 *)0;

	__asm__("" : "+r"(ivt)); /* address 0 is memory here */
	for (u64 i = 0; i < VECTORS; i++) {
		u64 at32 = copied(trip_stubs32) + i * STUB_BYTES, at64 = copied(trip_stubs64) + i * STUB_BYTES;

		idt32[i] = at32 | (u64)CODE32 << 16 | 0x8eULL << 40;
		idt64[2 * i] = at64 | (u64)CODE64 << 16 | 0x8eULL << 40;
		idt64[2 * i + 1] = 0;
		ivt[i] = copied(trip_stubs16) + (u32)i * STUB_BYTES;
	}
	memcpy(gdt, guest_gdt, COPIED * sizeof(u64));
	gdt[TASK16 / 8] = 0x43 | (u64)TASKS_AT << 16 | 0x81ULL << 40;
	gdt[TASK32 / 8] = 0x67 | (u64)(TASKS_AT + 0x100) << 16 | 0x89ULL << 40;
}

/* The same three pages, read as four levels of 64-bit entries, as PDPTEs and two levels, or as two levels of 32-bit entries. */
static void make_page_tables(void)
{
	u64 *for_pae = (u64 *)(u64)TABLE_FOR_PAE, *for_others = (u64 *)(u64)TABLE_FOR_OTHERS;
	u64 *second = (u64 *)(u64)TABLE_2, *third = (u64 *)(u64)TABLE_3, *gib = (u64 *)(u64)TABLE_SECOND_GIB;

	memset(for_pae, 0, TABLE_SECOND_GIB + PAGE_SIZE - TABLE_FOR_PAE);
	for_pae[0] = TABLE_2 | PAGE_PRESENT;
	for_others[0] = TABLE_2 | PAGE_PRESENT | PAGE_WRITE;
	second[0] = TABLE_3 | PAGE_PRESENT | PAGE_WRITE;
	third[0] = LARGE;
	for (u32 page = FIRST_PAGE; page < END_PAGE; page++) {
		((u32 *)second)[page] = page << PAGE_SHIFT | (u32)(PAGE_PRESENT | PAGE_WRITE);
		third[page] = (u64)page << PAGE_SHIFT | PAGE_PRESENT | PAGE_WRITE;
	}
	for_pae[1] = TABLE_SECOND_GIB | PAGE_PRESENT;
	gib[0] = LARGE;
}

void trip_run(const struct operation *operations, u32 count)
{
	if (count > TRIP_MOST || trip_end - trip_begin > TRIP_TABLES - TRIP_CODE)
		die("a trip of %u operations, %llu bytes of code", count, (u64)(trip_end - trip_begin));
	memcpy((void *)(u64)TRIP_CODE, trip_begin, (size_t)(trip_end - trip_begin));
	make_descriptors();
	make_page_tables();
	memset((void *)(u64)TRIP_RECORD, 0, sizeof(struct record));
	memcpy((void *)(u64)TRIP_RECORD, operations, count * sizeof(*operations));
	trip_go();
}
