/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/ap.h"
#include "boot/bootinfo.h"
#include "kernel/lib/check.h"
#include <string.h>

/* As laid out at ap_arguments in ap.asm. */
struct ap_arguments {
	u16 gdt_limit;
	u32 gdt_base;
	u16 reserved0;
	u32 far_offset;
	u16 far_selector;
	u16 reserved1;
	u64 startup_root;
	u64 kernel_root;
	void (*high)(void);
	u64 stack_top;
	void *argument;
	void (*entry)(void *argument);
} __attribute__((packed));

extern const u8 ap_begin[], ap_end[], ap_arguments[], ap_gdt[], ap_long[];
void ap_on_kernel_tables(void);

static struct ap_arguments *arguments;

void ap_prepare(mpa_t page, mpa_t startup_root, mpa_t kernel_root)
{
	u8 *to = (u8 *)(DIRECT_MAP_BASE + page.a);
	size_t bytes = (size_t)(ap_end - ap_begin);

	CHECK(page.a % PAGE_SIZE == 0 && page.a < BIT(20) && startup_root.a < BIT(32));
	CHECK(bytes <= PAGE_SIZE && (size_t)(ap_end - ap_arguments) == sizeof(*arguments));
	memcpy(to, ap_begin, bytes);
	arguments = (struct ap_arguments *)(to + (ap_arguments - ap_begin));
	arguments->gdt_base = (u32)(page.a + (u64)(ap_gdt - ap_begin));
	arguments->far_offset = (u32)(page.a + (u64)(ap_long - ap_begin));
	arguments->startup_root = startup_root.a;
	arguments->kernel_root = kernel_root.a;
	arguments->high = ap_on_kernel_tables;
}

void ap_aim(u64 stack_top, void *argument, void (*entry)(void *argument))
{
	CHECK(arguments != NULL && stack_top % 16 == 0);
	arguments->stack_top = stack_top;
	arguments->argument = argument;
	arguments->entry = entry;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
