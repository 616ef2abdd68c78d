/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/x86/gdt.h"
#include "kernel/lib/check.h"
#include <string.h>

/* SDM vol. 3A, 3.4.5: present, system bit, type; long mode code ignores base and limit. */
#define GDT_CODE 0x00209b0000000000ULL
#define GDT_DATA 0x0000930000000000ULL
#define GDT_TSS_AVAILABLE 0x0000890000000000ULL

struct table_register {
	u16 limit;
	u64 base;
} __attribute__((packed));

_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3A, figure 7-11");

static void load_segments(void)
{
	u64 scratch;

	__asm__ volatile("pushq %1\n\t"
			 "leaq 1f(%%rip), %0\n\t"
			 "pushq %0\n\t"
			 "lretq\n"
			 "1:\n\t"
			 "movl %2, %%ds; movl %2, %%es; movl %2, %%ss\n\t"
			 "movl %3, %%fs; movl %3, %%gs"
			 : "=&r"(scratch)
			 : "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(0)
			 : "memory");
}

void gdt_load(struct descriptors *to, const u64 stack_tops[STACKS])
{
	u64 tss = (u64)&to->tss;
	u64 limit = sizeof(to->tss) - 1;
	struct table_register gdtr = { sizeof(to->gdt) - 1, (u64)to->gdt };

	memset(to, 0, sizeof(*to));
	to->gdt[SELECTOR_CODE / 8] = GDT_CODE;
	to->gdt[SELECTOR_DATA / 8] = GDT_DATA;
	to->gdt[SELECTOR_TSS / 8] = GDT_TSS_AVAILABLE | limit | (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
	to->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
	for (u32 i = 0; i < STACKS; i++) {
		CHECK(stack_tops[i] % 16 == 0 && stack_tops[i] != 0);
		to->tss.ist[i] = stack_tops[i];
	}
	to->tss.io_map = sizeof(to->tss);

	__asm__ volatile("lgdt %0" : : "m"(gdtr));
	load_segments();
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS));
}

u64 gdt_base(void)
{
	struct table_register gdtr;

	__asm__ volatile("sgdt %0" : "=m"(gdtr));
	return gdtr.base;
}

u64 tss_base(void)
{
	const struct descriptors *of = (const struct descriptors *)gdt_base();

	return (u64)&of->tss;
}
