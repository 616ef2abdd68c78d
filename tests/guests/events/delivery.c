/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events whose delivery itself faults in EPT, again and again: IDT, GDT, task state and stack lie in pages that nobody has touched.  The
 * hypervisor must bring each page and deliver the event again, once.  The tables are the linker's, so addresses in them are constants.
 */
#include "tests/guests/events/events.h"
#include <string.h>

enum { HANDLERS_AT = 0xb000, ERROR_HANDLER = 0x80, CODE64 = 8, TASK = 0x40, KINDS = 10 };

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_middle;
	u32 offset_high, reserved;
};
struct __attribute__((packed)) table_pointer {
	u16 limit;
	u64 base;
};
struct task {
	u32 reserved;
	u64 rsp[3], reserved2, ist[7], reserved3;
	u32 io_map;
} __attribute__((packed));

#define PAGES __attribute__((aligned(PAGE_SIZE)))
#define GATE(at)                             \
	{                                    \
		at, CODE64, 1, 0x8e, 0, 0, 0 \
	}

static u8 stacks[KINDS][PAGE_SIZE] PAGES;

#define TABLES(n)                                                                   \
	{                                                                           \
		.idt = { [0 ... 12] = GATE(HANDLERS_AT),                            \
			 [13 ... 14] = GATE(HANDLERS_AT + ERROR_HANDLER),           \
			 [15 ... 255] = GATE(HANDLERS_AT) },                        \
		.gdt = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff }, .task.ist = { \
			(u64)stacks[n] + PAGE_SIZE                                  \
		}                                                                   \
	}
static struct tables {
	struct gate idt[256] PAGES;
	u64 gdt[9] PAGES;
	struct task task PAGES;
} tables[KINDS] = {
	TABLES(0), TABLES(1), TABLES(2), TABLES(3), TABLES(4), TABLES(5), TABLES(6), TABLES(7), TABLES(8), TABLES(9)
};

extern const u8 handlers_begin[], handlers_end[];
extern const struct trigger {
	void (*bring)(u64 argument);
	u64 rip, skip, error;
} triggers[KINDS];

u32 delivered_count;
u64 delivered_rip, delivered_error, delivered_skip;

/* LTR only looks at the descriptor, which it finds in the table that we have now. */
static void use_task(u64 at)
{
	struct table_pointer gdt;

	__asm__ volatile("sgdt %0" : "=m"(gdt));
	u64 *descriptor = (u64 *)(gdt.base + TASK);
	descriptor[0] = (sizeof(struct task) - 1) | (at & 0xffffff) << 16 | 0x89ULL << 40 | (at >> 24 & 0xff) << 56;
	__asm__ volatile("ltr %w0" : : "r"(TASK) : "memory");
}

static void bring(u32 kind, u64 argument)
{
	struct table_pointer old_idt, old_gdt;
	struct table_pointer idt = { sizeof(tables[kind].idt) - 1, (u64)tables[kind].idt };
	struct table_pointer gdt = { sizeof(tables[kind].gdt) - 1, (u64)tables[kind].gdt };

	__asm__ volatile("sidt %0; sgdt %1" : "=m"(old_idt), "=m"(old_gdt));
	use_task((u64)&tables[kind].task);
	__asm__ volatile("lidt %0; lgdt %1" : : "m"(idt), "m"(gdt) : "memory");
	triggers[kind].bring(argument);
	__asm__ volatile("lidt %0; lgdt %1" : : "m"(old_idt), "m"(old_gdt) : "memory");
}

static const char *deliver(u32 kind)
{
	const struct trigger *trigger = &triggers[kind];
	u64 page = (u64)fresh_pages(1);

	page_set(page, 0);
	delivered_count = 0;
	delivered_error = 0;
	delivered_skip = trigger->skip;
	cr2_write(0);
	bring(kind, trigger->error == 2 ? page : apic_id());
	page_set(page, page | PAGE_PRESENT | PAGE_WRITE);
	EXPECT(delivered_count == 1, "event %u was delivered %u times", kind, delivered_count);
	EXPECT(delivered_rip == trigger->rip, "event %u at %lld from where it should", kind, (s64)(delivered_rip - trigger->rip));
	EXPECT(delivered_error == trigger->error, "event %u with error code 0x%llx", kind, delivered_error);
	EXPECT(trigger->error != 2 || cr2_read() == page, "CR2 is 0x%llx, not 0x%llx", cr2_read(), page);
	return NULL;
}

const char *events_through_untouched_tables(void)
{
	const char *what = NULL;

	if (!apic_x2())
		return SKIP("no x2APIC");
	memcpy((void *)(u64)HANDLERS_AT, handlers_begin, (size_t)(handlers_end - handlers_begin));
	for (u32 kind = 0; kind < KINDS && !what; kind++)
		what = deliver(kind);
	apic_eoi();
	user_init();
	return what;
}
