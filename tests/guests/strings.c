/* SPDX-License-Identifier: BSD-2-Clause */
/* String instructions where pages, memory and devices end: INS and OUTS everywhere, the others at devices and holes. */
#include "tests/guests/lib/guest.h"
#include <string.h>

enum {
	RTC_INDEX = 0x70,
	RTC_DATA = 0x71,
	RTC_RAM = 0x50,
	PCI_ADDRESS = 0xcf8,
	PCI_DATA = 0xcfc,
	COM1_DATA = 0x3f8,
	COM1_MCR = 0x3fc
};
enum { MCR_LOOP = 0x10, IOAPIC_LAST_HIGH = 0x3f, RFLAGS_TF = 0x100, RFLAGS_IOPL = 0x3000, CODE_BYTES = 32 };
#define HOLE 0xd0000000ULL /* no memory, no device */
#define IOAPIC_DATA (IOAPIC_AT + 0x10)

struct string {
	u64 rax, rcx, rdx, rsi, rdi;
	u8 code[CODE_BYTES];
};

static void run(void *argument)
{
	struct string *s = argument;

	__asm__ volatile("call *%5"
			 : "+a"(s->rax), "+c"(s->rcx), "+d"(s->rdx), "+S"(s->rsi), "+D"(s->rdi)
			 : "r"(s->code)
			 : "memory", "cc");
}

#define STRING(name, ...) struct string name = { .code = { __VA_ARGS__, 0xfc, 0xc3 } } /* CLD; RET */
#define REP 0xf3
#define REPNE 0xf2
#define STD 0xfd
enum {
	INSB = 0x6c,
	INSD = 0x6d,
	OUTSB = 0x6e,
	OUTSD = 0x6f,
	MOVSB = 0xa4,
	CMPSB = 0xa6,
	STOSD = 0xab,
	LODSD = 0xad,
	SCASB = 0xae
};
enum { WORD = 0x66, ADDRESS_32 = 0x67, FS = 0x64 };

static u8 rtc_get(u8 index)
{
	port_out8(RTC_INDEX, index);
	return port_in8(RTC_DATA);
}

/* A word out of port 0x70 is an index and a byte for it: what has arrived can be read again. */
static void pairs_make(u8 *to, u32 count, u8 first)
{
	for (u32 i = 0; i < count; i++) {
		to[2 * i] = (u8)(RTC_RAM + i);
		to[2 * i + 1] = (u8)(first + i);
	}
}

static const char *pairs_check(u32 count, u8 first)
{
	for (u32 i = 0; i < count; i++) {
		u8 seen = rtc_get((u8)(RTC_RAM + i));

		EXPECT(seen == (u8)(first + i), "byte %u is 0x%x, not 0x%x", i, seen, (u8)(first + i));
	}
	return NULL;
}

static const char *outs_sends_all_in_order(void)
{
	u8 *at = fresh_pages(2) + PAGE_SIZE - 15; /* one word across the border */
	STRING(s, WORD, REP, OUTSD);

	pairs_make(at, 16, 1);
	s.rcx = 16;
	s.rdx = RTC_INDEX;
	s.rsi = (u64)at;
	run(&s);
	EXPECT(s.rcx == 0 && s.rsi == (u64)at + 32, "rcx %llu, rsi moved by %lld", s.rcx, (s64)(s.rsi - (u64)at));
	return pairs_check(16, 1);
}

static const char *outs_goes_backwards(void)
{
	u8 *at = fresh_pages(2) + PAGE_SIZE - 15;
	STRING(s, STD, WORD, REP, OUTSD);

	pairs_make(at, 16, 0x81);
	s.rcx = 16;
	s.rdx = RTC_INDEX;
	s.rsi = (u64)at + 30;
	run(&s);
	EXPECT(s.rcx == 0 && s.rsi == (u64)at - 2, "rcx %llu, rsi moved by %lld", s.rcx, (s64)(s.rsi - (u64)at - 30));
	return pairs_check(16, 0x81);
}

static const char *ins_and_outs_move_bytes_through_a_fifo(void)
{
	static const char sent[] = "0123456789abcde";
	u8 *to = fresh_pages(2) + PAGE_SIZE - 7;
	STRING(out, REP, OUTSB);
	STRING(in, REP, INSB);

	port_out8(COM1_MCR, MCR_LOOP);
	out.rcx = in.rcx = sizeof(sent) - 1;
	out.rdx = in.rdx = COM1_DATA;
	out.rsi = (u64)sent;
	in.rdi = (u64)to;
	run(&out);
	run(&in);
	console_init();
	EXPECT(memcmp(to, sent, sizeof(sent)) == 0, "\"%s\" came back", (const char *)to);
	EXPECT(in.rdi == (u64)to + sizeof(sent) - 1 && in.rcx == 0, "rcx %llu", in.rcx);
	return NULL;
}

static const char *ins_fills_untouched_pages_across_their_border(void)
{
	u8 *pages = fresh_pages(2), *at = pages + PAGE_SIZE - 6;
	u32 id, seen;
	STRING(s, REP, INSD);

	port_out32(PCI_ADDRESS, BIT(31));
	id = port_in32(PCI_DATA);
	s.rcx = 3;
	s.rdx = PCI_DATA;
	s.rdi = (u64)at;
	run(&s);
	for (u32 i = 0; i < 3; i++) {
		memcpy(&seen, at + 4 * i, 4);
		EXPECT(seen == id, "element %u is 0x%x, not 0x%x", i, seen, id);
	}
	EXPECT(at[-1] == 0 && at[12] == 0, "bytes around were written");
	EXPECT(s.rdi == (u64)at + 12 && s.rcx == 0, "rcx %llu", s.rcx);
	return NULL;
}

/* ---- faults in the middle: the page comes, the instruction goes on ---- */

static struct {
	u32 count;
	u64 error, cr2, rcx, rsi, rdi;
} fault;

static void page_comes(struct frame *frame)
{
	u64 page = cr2_read() & ~(u64)(PAGE_SIZE - 1);

	fault.count++;
	fault.error = frame->error;
	fault.cr2 = cr2_read();
	fault.rcx = frame->rcx;
	fault.rsi = frame->rsi;
	fault.rdi = frame->rdi;
	page_set(page, page | PAGE_PRESENT | PAGE_WRITE);
}

static void run_with_page_faults(struct string *s)
{
	memset(&fault, 0, sizeof(fault));
	interrupt_on(14, page_comes);
	run(s);
	interrupt_on(14, NULL);
}

static const char *ins_faults_at_the_element_and_goes_on(void)
{
	u8 *pages = fresh_pages(2);
	u64 border = (u64)pages + PAGE_SIZE;
	STRING(s, REP, INSD);

	page_set(border, border); /* not present */
	s.rcx = 8;
	s.rdx = PCI_DATA;
	s.rdi = border - 14;
	run_with_page_faults(&s);
	EXPECT(fault.count == 1 && fault.error == 2, "%u faults, error 0x%llx", fault.count, fault.error);
	EXPECT(fault.cr2 == border, "CR2 is %lld from the border", (s64)(fault.cr2 - border));
	EXPECT(fault.rcx == 5 && fault.rdi == border - 2, "at the fault rcx %llu, rdi %lld", fault.rcx,
	       (s64)(fault.rdi - border));
	EXPECT(s.rcx == 0 && s.rdi == border + 18, "in the end rcx %llu, rdi %lld", s.rcx, (s64)(s.rdi - border));
	EXPECT(memcmp((u8 *)border - 14, (u8 *)border - 10, 28) == 0, "elements differ");
	return NULL;
}

static const char *outs_faults_at_the_element_and_goes_on(void)
{
	u8 *at = fresh_pages(2) + PAGE_SIZE - 16;
	u64 border = (u64)at + 16;
	STRING(s, WORD, REP, OUTSD);

	pairs_make(at, 16, 0x21);
	page_set(border, border);
	s.rcx = 16;
	s.rdx = RTC_INDEX;
	s.rsi = (u64)at;
	run_with_page_faults(&s);
	EXPECT(fault.count == 1 && fault.error == 0 && fault.cr2 == border, "%u faults, error 0x%llx", fault.count, fault.error);
	EXPECT(fault.rcx == 8 && fault.rsi == border, "at the fault rcx %llu", fault.rcx);
	EXPECT(s.rcx == 0, "in the end rcx %llu", s.rcx);
	return pairs_check(16, 0x21);
}

static const char *ins_respects_read_only_pages(void)
{
	u8 *page = fresh_pages(1);
	STRING(s, INSB);

	s.rdx = PCI_DATA;
	s.rdi = (u64)page;
	page_set((u64)page, (u64)page | PAGE_PRESENT);
	u64 vector = try_call(run, &s);
	page_set((u64)page, (u64)page | PAGE_PRESENT | PAGE_WRITE);
	EXPECT(vector == 14 && try_error == 3, "vector %lld, error 0x%llx", vector, try_error);
	EXPECT(page[0] == 0, "it was written");
	return NULL;
}

static const char *ins_needs_a_canonical_address(void)
{
	STRING(s, INSB);

	s.rdx = PCI_DATA;
	s.rdi = 1ULL << 47;
	u64 vector = try_call(run, &s);
	EXPECT(vector == 13 && try_error == 0, "vector %lld, error 0x%llx", vector, try_error);
	return NULL;
}

static const char *user_mode_needs_the_right_to_ports_and_to_the_page(void)
{
	u8 *page = fresh_pages(1);
	STRING(s, INSB);
	u64 vector;

	s.rdx = PCI_DATA;
	s.rdi = (u64)page;
	vector = user_call(run, &s);
	EXPECT(vector == 13 && try_error == 0, "IOPL 0: vector %lld, error 0x%llx", vector, try_error);
	page_set((u64)page, (u64)page | PAGE_PRESENT | PAGE_WRITE);
	__asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "i"(RFLAGS_IOPL) : "memory", "cc");
	vector = user_call(run, &s);
	EXPECT(vector == 14 && try_error == 7, "a page of the kernel's: vector %lld, error 0x%llx", vector, try_error);
	page_set((u64)page, (u64)page | PAGE_PRESENT | PAGE_WRITE | PAGE_USER);
	vector = user_call(run, &s);
	__asm__ volatile("pushfq; andq %0, (%%rsp); popfq" : : "i"(~RFLAGS_IOPL) : "memory", "cc");
	EXPECT(vector == TRY_NOTHING && page[0], "IOPL 3: vector %lld, byte 0x%x", vector, page[0]);
	return NULL;
}

/* ---- address forms ---- */

static const char *a_32_bit_address_clears_the_upper_halves(void)
{
	u8 *page = fresh_pages(1);
	STRING(s, ADDRESS_32, REP, INSB);

	s.rcx = 0x700000002;
	s.rdx = PCI_DATA;
	s.rdi = 0x500000000 | (u64)page;
	run(&s);
	EXPECT(s.rcx == 0 && s.rdi == (u64)page + 2, "rcx 0x%llx, rdi 0x%llx", s.rcx, s.rdi);
	EXPECT(page[0] && page[1] && !page[2], "bytes %x %x %x", page[0], page[1], page[2]);
	return NULL;
}

static const char *outs_takes_another_segment(void)
{
	u8 *page = fresh_pages(1);
	STRING(s, FS, WORD, REP, OUTSD);

	pairs_make(page + 0x100, 4, 0x61);
	msr_write(MSR_FS_BASE, (u64)page);
	s.rcx = 4;
	s.rdx = RTC_INDEX;
	s.rsi = 0x100;
	run(&s);
	msr_write(MSR_FS_BASE, 0);
	EXPECT(s.rsi == 0x108, "rsi 0x%llx", s.rsi);
	return pairs_check(4, 0x61);
}

static const char *a_count_of_zero_touches_nothing(void)
{
	STRING(s, REP, INSB);

	s.rdi = 1ULL << 47;
	s.rdx = PCI_DATA;
	u64 vector = try_call(run, &s);
	EXPECT(vector == TRY_NOTHING && s.rdi == 1ULL << 47, "vector %lld", vector);
	return NULL;
}

static volatile u32 traps;
static void trapped(struct frame *frame)
{
	traps++;
	if (traps > 20)
		frame->rflags &= ~(u64)RFLAGS_TF;
}

static const char *single_steps_stop_after_each_element(void)
{
	u8 *page = fresh_pages(1);
	/* PUSHFQ; OR BYTE [RSP+1], 1; POPFQ; REP OUTSW; PUSHFQ; AND BYTE [RSP+1], ~1; POPFQ */
	STRING(s, 0x9c, 0x80, 0x4c, 0x24, 1, 1, 0x9d, WORD, REP, OUTSD, 0x9c, 0x80, 0x64, 0x24, 1, 0xfe, 0x9d);

	pairs_make(page, 5, 0x31);
	s.rcx = 5;
	s.rdx = RTC_INDEX;
	s.rsi = (u64)page;
	traps = 0;
	interrupt_on(1, trapped);
	run(&s);
	interrupt_on(1, NULL);
	EXPECT(traps == 5 + 3, "%u traps", traps); /* PUSHFQ, AND and POPFQ: the trap is by TF as it was */
	return pairs_check(5, 0x31);
}

/* ---- devices and holes ---- */

static const char *ins_and_outs_at_devices(void)
{
	STRING(in, INSD);
	STRING(out, OUTSD);

	ioapic_route(23, 0xee, IOAPIC_MASKED);
	(void)ioapic_get(0);
	port_out32(PCI_ADDRESS, 0);
	in.rdx = PCI_ADDRESS;
	in.rdi = IOAPIC_AT; /* the IOAPIC's register number: 0 */
	run(&in);
	EXPECT(*(volatile u32 *)IOAPIC_AT == 0, "the IOAPIC's index is 0x%x", *(volatile u32 *)IOAPIC_AT);
	*(volatile u32 *)IOAPIC_AT = IOAPIC_LAST_HIGH;
	*(volatile u32 *)IOAPIC_DATA = 0x80000000;
	out.rdx = PCI_ADDRESS;
	out.rsi = IOAPIC_DATA;
	run(&out);
	u32 seen = port_in32(PCI_ADDRESS);
	EXPECT(seen == 0x80000000, "the PCI address is 0x%x", seen);
	return NULL;
}

static const char *ins_and_outs_in_holes(void)
{
	STRING(in, REP, INSD);
	STRING(out, WORD, OUTSD);

	in.rcx = 1000;
	in.rdx = PCI_DATA;
	in.rdi = HOLE + PAGE_SIZE - 2;
	run(&in);
	EXPECT(in.rcx == 0 && in.rdi == HOLE + PAGE_SIZE - 2 + 4000, "rcx %llu", in.rcx);
	out.rdx = RTC_INDEX;
	out.rsi = HOLE;
	run(&out);
	u8 seen = rtc_get(0x7f);
	EXPECT(seen == 0xff, "0x%x came out of the hole", seen);
	return NULL;
}

static const char *ins_runs_from_memory_into_the_hole(void)
{
	u64 end = memory_end();
	STRING(s, REP, INSD);

	s.rcx = 4;
	s.rdx = PCI_DATA;
	s.rdi = end - 6; /* one element across the border */
	run(&s);
	EXPECT(s.rcx == 0 && s.rdi == end + 10, "rcx %llu", s.rcx);
	EXPECT(*(u16 *)(end - 2) == (u16) * (u32 *)(end - 6), "memory holds 0x%x 0x%x", *(u32 *)(end - 6), *(u16 *)(end - 2));
	return NULL;
}

static const char *movs_runs_from_memory_into_the_hole_and_back(void)
{
	u64 end = memory_end();
	u8 *to = fresh_pages(1);
	STRING(s, REP, MOVSB);

	memcpy((u8 *)end - 4, "abcd", 4);
	s.rcx = 8;
	s.rsi = end - 4;
	s.rdi = (u64)to;
	run(&s);
	EXPECT(memcmp(to, "abcd\xff\xff\xff\xff", 8) == 0, "it read %08x %08x", ((u32 *)to)[0], ((u32 *)to)[1]);
	s.rcx = 8;
	s.rsi = (u64) "12345678";
	s.rdi = end - 4;
	run(&s);
	EXPECT(s.rcx == 0 && memcmp((u8 *)end - 4, "1234", 4) == 0, "it wrote %08x", *(u32 *)(end - 4));
	return NULL;
}

static const char *scas_and_cmps_find_where_the_hole_begins(void)
{
	u64 end = memory_end();
	STRING(scan, REPNE, SCASB);
	STRING(compare, REP, CMPSB);

	memset((u8 *)end - 16, 0, 16);
	scan.rax = 0xff;
	scan.rcx = 100;
	scan.rdi = end - 16;
	run(&scan);
	EXPECT(scan.rdi == end + 1 && scan.rcx == 100 - 17, "SCAS stopped %lld from the end", (s64)(scan.rdi - end));
	compare.rcx = 100;
	compare.rsi = end - 16;
	compare.rdi = (u64)fresh_pages(1);
	run(&compare);
	EXPECT(compare.rsi == end + 1 && compare.rcx == 100 - 17, "CMPS stopped %lld from the end", (s64)(compare.rsi - end));
	return NULL;
}

static const char *stos_and_lods_at_devices(void)
{
	STRING(store, STOSD);
	STRING(load, LODSD);

	store.rax = 1;
	store.rdi = IOAPIC_AT;
	run(&store);
	load.rsi = IOAPIC_DATA;
	run(&load);
	EXPECT((load.rax >> 16 & 0xff) == 23, "the IOAPIC's version is 0x%llx", load.rax);
	EXPECT(store.rdi == IOAPIC_AT + 4 && load.rsi == IOAPIC_DATA + 4, "rdi or rsi stayed");
	return NULL;
}

/* ---- an interrupt in the middle of REP MOVS gives the destination another page ---- */

#define LONG_PAGES 64ULL
static u64 moved_page, other_page, moved_at;

static void map(u64 linear, u64 to)
{
	for (u64 i = 0; i < LONG_PAGES * PAGE_SIZE; i += PAGE_SIZE)
		page_set(linear + i, (to + i) | PAGE_PRESENT | PAGE_WRITE);
}

static void exchange(struct frame *frame)
{
	moved_at = frame->rdi;
	map(moved_page, other_page);
	apic_eoi();
}

static void move_all(u64 from, u64 interrupt_us)
{
	STRING(s, REP, MOVSB);

	s.rcx = LONG_PAGES * PAGE_SIZE;
	s.rsi = from;
	s.rdi = moved_page;
	timer_arm(interrupt_us);
	interrupts_enable();
	run(&s);
	interrupts_off();
	timer_arm(0);
}

static const char *the_destination_moves_while_movs_runs(void)
{
	u64 bytes = LONG_PAGES * PAGE_SIZE, split = 0;
	u8 *from = fresh_pages(LONG_PAGES), *to = fresh_pages(LONG_PAGES), *other = fresh_pages(LONG_PAGES);

	memset(from, 0x5a, bytes);
	moved_page = (u64)to;
	other_page = (u64)other;
	interrupt_on(VECTOR_TIMER, exchange);
	for (u64 us = 400; us < 100000 && (split == 0 || split >= bytes); us += us) {
		memset(to, 0, bytes);
		memset(other, 0, bytes);
		moved_at = 0;
		move_all((u64)from, us);
		split = moved_at - (u64)to;
		map((u64)to, (u64)to);
	}
	EXPECT(split > 0 && split < bytes, "the interrupt came %lld bytes from the start", (s64)split);
	for (u64 i = 0; i < bytes; i++)
		EXPECT(to[i] == (i < split ? 0x5a : 0) && other[i] == (i < split ? 0 : 0x5a),
		       "byte %llu is wrong (split at %llu)", i, split);
	return NULL;
}

void guest_main(void)
{
	static const struct promise list[] = {
		{ "outs_sends_all_in_order", outs_sends_all_in_order },
		{ "outs_goes_backwards", outs_goes_backwards },
		{ "ins_and_outs_move_bytes_through_a_fifo", ins_and_outs_move_bytes_through_a_fifo },
		{ "ins_fills_untouched_pages_across_their_border", ins_fills_untouched_pages_across_their_border },
		{ "ins_faults_at_the_element_and_goes_on", ins_faults_at_the_element_and_goes_on },
		{ "outs_faults_at_the_element_and_goes_on", outs_faults_at_the_element_and_goes_on },
		{ "ins_respects_read_only_pages", ins_respects_read_only_pages },
		{ "ins_needs_a_canonical_address", ins_needs_a_canonical_address },
		{ "user_mode_needs_the_right_to_ports_and_to_the_page", user_mode_needs_the_right_to_ports_and_to_the_page },
		{ "a_32_bit_address_clears_the_upper_halves", a_32_bit_address_clears_the_upper_halves },
		{ "outs_takes_another_segment", outs_takes_another_segment },
		{ "a_count_of_zero_touches_nothing", a_count_of_zero_touches_nothing },
		{ "single_steps_stop_after_each_element", single_steps_stop_after_each_element },
		{ "ins_and_outs_at_devices", ins_and_outs_at_devices },
		{ "ins_and_outs_in_holes", ins_and_outs_in_holes },
		{ "ins_runs_from_memory_into_the_hole", ins_runs_from_memory_into_the_hole },
		{ "movs_runs_from_memory_into_the_hole_and_back", movs_runs_from_memory_into_the_hole_and_back },
		{ "scas_and_cmps_find_where_the_hole_begins", scas_and_cmps_find_where_the_hole_begins },
		{ "stos_and_lods_at_devices", stos_and_lods_at_devices },
		{ "the_destination_moves_while_movs_runs", the_destination_moves_while_movs_runs },
	};

	user_init();
	promises_run("strings", list, ARRAY_SIZE(list));
}
