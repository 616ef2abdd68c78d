/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that exits, at random: ports, MSRs, device memory, CPUID, hypercalls, XSETBV, control registers, interrupt commands.  The seed is
 * "seed=N" or the line that is typed; what is sent is bounded only by what would end or mute this guest on purpose.
 */
#include "kernel/abi/hypercall.h"
#include "tests/guests/lib/guest.h"
#include <string.h>

enum {
	PORT_ROUNDS = 6000,
	MMIO_ROUNDS = 8000,
	CPUID_ROUNDS = 2000,
	CALL_ROUNDS = 2000,
	XCR_ROUNDS = 500,
	CR_ROUNDS = 3000,
	ICR_ROUNDS = 3000
};
enum { EXTERNAL = 32, VECTORS = 256, CODE_BYTES = 16, GP = 13 };
#define HPET_AT 0xfed00000ULL
#define ECAM_AT 0xe0000000ULL
#define HOLE 0xd0000000ULL

static u64 seed;

static u64 any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static u32 below(u32 end)
{
	return (u32)((any() >> 20) % end);
}

/* A value as programs have them: none, all, one bit, small, anything. */
static u64 some_value(void)
{
	switch (below(6)) {
	case 0:
		return 0;
	case 1:
		return ~0ULL;
	case 2:
		return BIT(below(64));
	case 3:
		return below(256);
	case 4:
		return any() & UINT32_MAX;
	default:
		return any();
	}
}

/* ---- one instruction: its bytes, RAX, RCX, RDX, RSI, RDI ---- */

struct shot {
	u64 rax, rcx, rdx, rsi, rdi;
	u8 code[CODE_BYTES];
};

static void shoot(void *argument)
{
	struct shot *s = argument;

	__asm__ volatile("call *%5"
			 : "+a"(s->rax), "+c"(s->rcx), "+d"(s->rdx), "+S"(s->rsi), "+D"(s->rdi)
			 : "r"(s->code)
			 : "memory", "cc");
}

static void load(struct shot *s, const u8 *code, u32 bytes)
{
	memcpy(s->code, code, bytes);
	s->code[bytes] = 0xc3;
}

/* ---- ports ---- */

static const struct range {
	u32 first, last;
} muted[] = { { 0x64, 0x64 }, { 0x92, 0x92 }, { 0x3f8, 0x3ff }, { 0xcf9, 0xcf9 } }; /* resets, and the console */

static bool is_muted(u32 port, u32 bytes)
{
	u32 control = (u32)acpi_fadt_field(FADT_PM1A_CONTROL, 4);

	for (u32 i = 0; i < ARRAY_SIZE(muted); i++)
		if (port <= muted[i].last && port + bytes > muted[i].first)
			return true;
	return port < control + 4 && port + bytes > control;
}

static u32 some_port(void)
{
	static const struct range busy[] = {
		{ 0x20, 0xa1 }, { 0x2e8, 0x3ff }, { 0x4d0, 0x4d1 }, { 0xcf8, 0xcff }, { 0xb000, 0xb0ff }
	};
	const struct range *range = &busy[below(ARRAY_SIZE(busy))];

	return below(3) ? range->first + below(range->last - range->first + 1) : below(0x10000);
}

static const char *ports(void)
{
	static const u8 plain[][2] = {
		{ 0xec }, { 0x66, 0xed }, { 0xed }, { 0xee }, { 0x66, 0xef }, { 0xef }
	}; /* IN, then OUT */
	static const u8 strings[][3] = { { 0xf3, 0x6c }, { 0xf3, 0x66, 0x6d }, { 0xf3, 0x6d },
					 { 0xf3, 0x6e }, { 0xf3, 0x66, 0x6f }, { 0xf3, 0x6f } };
	static const u8 lengths[] = { 1, 2, 1, 1, 2, 1 }, sizes[] = { 1, 2, 4, 1, 2, 4 };
	static u64 buffer[8];
	struct shot s;

	for (u32 i = 0; i < PORT_ROUNDS; i++) {
		u32 form = below(6), port = some_port();

		if (is_muted(port, sizes[form]))
			continue;
		buffer[below(8)] = some_value();
		s = (struct shot){ .rax = some_value(), .rcx = below(9), .rdx = port, .rsi = (u64)buffer, .rdi = (u64)buffer };
		if (below(3))
			load(&s, plain[form], lengths[form]);
		else
			load(&s, strings[form], lengths[form] + 1U);
		u64 vector = try_call(shoot, &s);
		EXPECT(vector == TRY_NOTHING, "vector %lld, form %u at port 0x%x", vector, form, port);
	}
	return NULL;
}

/* ---- MSRs ---- */

static u64 msr_value;

static void get_msr(void *msr)
{
	msr_value = msr_read((u32)(u64)msr);
}

static void set_msr(void *msr)
{
	msr_write((u32)(u64)msr, msr_value);
}

/* The paravirtual clocks write where they are told to: not into this program. */
static u64 some_clock(void)
{
	static u64 page;

	if (!page)
		page = (u64)fresh_pages(1);
	const u64 places[] = { 0,
			       1,
			       page | 1,
			       (page + PAGE_SIZE - 16) | 1,
			       page | 2,
			       (page + 3) | 1,
			       memory_end() | 1,
			       (memory_end() - 16) | 1,
			       HOLE | 1,
			       LAPIC_AT | 1,
			       ~0ULL,
			       BIT(63) | 1,
			       (1ULL << 45) | 1 };

	return places[below(ARRAY_SIZE(places))];
}

static bool is_clock(u32 msr)
{
	return msr == 0x11 || msr == 0x12 || msr >> 8 == 0x4b564d;
}

static const char *msr_once(u32 msr)
{
	u64 vector;

	vector = try_call(get_msr, (void *)(u64)msr);
	EXPECT(vector == TRY_NOTHING || (vector == GP && try_error == 0), "vector %lld, error %llu reading 0x%x", vector,
	       try_error, msr);
	if (msr == MSR_X2APIC + APIC_ICR)
		return NULL; /* INIT would be the end: icr() sends the rest */
	bool there = vector == TRY_NOTHING;
	u64 before = msr_value;
	msr_value = is_clock(msr) ? some_clock() : below(4) ? some_value() : before ^ BIT(below(64));
	vector = try_call(set_msr, (void *)(u64)msr);
	EXPECT(vector == TRY_NOTHING || (vector == GP && try_error == 0), "vector %lld, error %llu writing 0x%llx to 0x%x",
	       vector, try_error, msr_value, msr);
	msr_value = is_clock(msr) ? 0 : before;
	if (there || is_clock(msr))
		(void)try_call(set_msr, (void *)(u64)msr);
	return NULL;
}

static void quiet(void)
{
	apic_set_mode(false);
	apic_init();
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, 0);
}

static const char *msrs(void)
{
	static const struct range ranges[] = {
		{ 0, 0x1fff }, { 0xc0000000, 0xc0001fff }, { 0x40000000, 0x400001ff }, { 0x4b564d00, 0x4b564dff }
	};
	const char *what = NULL;

	for (u32 i = 0; i < ARRAY_SIZE(ranges) && !what; i++)
		for (u32 msr = ranges[i].first; msr <= ranges[i].last && !what; msr++)
			what = msr_once(msr);
	for (u32 i = 0; i < 1000 && !what; i++)
		what = msr_once((u32)any());
	quiet();
	return what;
}

/* ---- device memory ---- */

#define CODES(...)                                   \
	{                                            \
		sizeof((const u8[]){ __VA_ARGS__ }), \
		{                                    \
			__VA_ARGS__                  \
		}                                    \
	}
static const struct {
	u8 bytes, code[7];
} accesses[] = {
	/* on [RDI] */
	CODES(0x8a, 0x07),
	CODES(0x66, 0x8b, 0x07),
	CODES(0x8b, 0x07),
	CODES(0x48, 0x8b, 0x07), /* MOV from */
	CODES(0x88, 0x07),
	CODES(0x66, 0x89, 0x07),
	CODES(0x89, 0x07),
	CODES(0x48, 0x89, 0x07), /* MOV to */
	CODES(0xc6, 0x07, 0x5a),
	CODES(0xc7, 0x07, 1, 2, 3, 4),
	CODES(0x48, 0xc7, 0x07, 1, 2, 3, 4), /* MOV immediate */
	CODES(0x0f, 0xb6, 0x07),
	CODES(0x48, 0x0f, 0xb7, 0x07),
	CODES(0x0f, 0xbe, 0x07),
	CODES(0x48, 0x63, 0x07), /* MOVZX, MOVSX */
	CODES(0x01, 0x07),
	CODES(0x48, 0x09, 0x07),
	CODES(0x10, 0x07),
	CODES(0x66, 0x19, 0x07),
	CODES(0x21, 0x07),
	CODES(0x29, 0x07),
	CODES(0x31, 0x07),
	CODES(0x39, 0x07),
	CODES(0x85, 0x07),
	CODES(0x3b, 0x07),
	CODES(0x03, 0x07),
	CODES(0x48, 0x33, 0x07),
	CODES(0xff, 0x07),
	CODES(0xfe, 0x0f),
	CODES(0x48, 0xf7, 0x17),
	CODES(0xf7, 0x1f), /* INC, DEC, NOT, NEG */
	CODES(0x87, 0x07),
	CODES(0xf0, 0x0f, 0xc1, 0x07),
	CODES(0xf0, 0x0f, 0xb1, 0x0f),
	CODES(0x48, 0x0f, 0xb1, 0x0f),
	CODES(0x0f, 0xba, 0x2f, 7),
	CODES(0xf0, 0x0f, 0xba, 0x37, 7),
	CODES(0x0f, 0xba, 0x27, 7), /* BTS, BTR, BT */
	CODES(0xff, 0x37, 0x58),
	CODES(0x50, 0x8f, 0x07), /* PUSH [RDI]; POP RAX.  PUSH RAX; POP [RDI] */
	CODES(0x80, 0x0f, 1),
	CODES(0x83, 0x27, 0x7f),
	CODES(0x48, 0x81, 0x37, 1, 2, 3, 4),
};

static u64 some_address(void)
{
	const u64 places[] = { LAPIC_AT,
			       IOAPIC_AT,
			       HPET_AT,
			       ECAM_AT,
			       HOLE,
			       memory_end(),
			       memory_end() - 4,
			       BIT(32) - PAGE_SIZE,
			       0xc0000000,
			       LAPIC_AT + PAGE_SIZE - 4,
			       IOAPIC_AT + PAGE_SIZE - 4,
			       ECAM_AT + (256ULL << 20) - 4 };
	static const u32 within[] = { 8, 0x40, 0x400, PAGE_SIZE };
	u64 address = places[below(ARRAY_SIZE(places))] + below(within[below(ARRAY_SIZE(within))]);

	return address & (below(2) ? ~15ULL : ~0ULL);
}

static bool sends_ipi(u64 address)
{
	return address > LAPIC_AT + 0x2f0 && address < LAPIC_AT + 0x310;
}

static const char *fire_at_devices(void)
{
	struct shot s;

	for (u32 i = 0; i < MMIO_ROUNDS; i++) {
		u32 form = below(ARRAY_SIZE(accesses));
		u64 address = some_address();

		if (sends_ipi(address) || address > UINT32_MAX - 8)
			continue;
		s = (struct shot){ .rax = some_value(), .rcx = some_value(), .rdi = address };
		load(&s, accesses[form].code, accesses[form].bytes);
		u64 vector = try_call(shoot, &s);
		EXPECT(vector == TRY_NOTHING, "vector %lld, form %u at 0x%llx", vector, form, address);
	}
	return NULL;
}

static const char *device_memory(void)
{
	const char *what = fire_at_devices(); /* in x2APIC mode: the LAPIC's page is a hole */

	if (!what) {
		apic_set_mode(false);
		what = fire_at_devices();
	}
	quiet();
	return what;
}

/* ---- CPUID ---- */

static bool same(struct cpuid a, struct cpuid b)
{
	return a.a == b.a && a.b == b.b && a.c == b.c && a.d == b.d;
}

static const char *cpuid_leaf(u32 leaf, u32 subleaf)
{
	struct cpuid once = cpuid(leaf, subleaf), again = cpuid(leaf, subleaf);

	EXPECT(same(once, again), "leaf 0x%x.%u changes", leaf, subleaf);
	return NULL;
}

static const char *cpuid_leaves(void)
{
	static const u32 bases[] = { 0, 0x20000000, 0x40000000, 0x40000100, 0x80000000, 0x80860000, 0xc0000000, 0xffffffc0 };
	const char *what = NULL;

	for (u32 i = 0; i < ARRAY_SIZE(bases) * 0x40 && !what; i++)
		what = cpuid_leaf(bases[i / 0x40] + i % 0x40, i % 5);
	for (u32 i = 0; i < CPUID_ROUNDS && !what; i++)
		what = cpuid_leaf((u32)some_value(), (u32)some_value());
	return what;
}

/* ---- VMCALL ---- */

static s64 hypercall(u64 number)
{
	u64 result = number, rcx = some_value(), rdx = some_value(), rsi = some_value();

	__asm__ volatile("push %%rbx; mov %1, %%rbx; vmcall; pop %%rbx"
			 : "+a"(result)
			 : "r"(some_value()), "c"(rcx), "d"(rdx), "S"(rsi)
			 : "memory");
	return (s64)result;
}

static const char *hypercalls(void)
{
	if (!cpu_has(CPU_FEATURE(1, 2, 31)))
		return SKIP("no hypervisor");
	for (u32 i = 0; i < CALL_ROUNDS; i++) {
		u64 number = i < 256    ? i
			     : i < 512  ? AEROSTAT_CALLS - 256 + i
			     : below(2) ? AEROSTAT_CALLS + below(1 << 16)
					: some_value();
		s64 result = hypercall(number);

		EXPECT(result == AEROSTAT_ENOSYS || (u32)number == AEROSTAT_CALLS, "0x%llx gives %lld", number, result);
	}
	return NULL;
}

/* ---- XSETBV and control registers: whatever is taken is there, whatever is not is #GP ---- */

static struct {
	u32 number;
	u64 value;
} sent;

static void set_xcr(void *unused)
{
	(void)unused;
	xsetbv(sent.number, sent.value);
}

static const char *xcr0(void)
{
	if (!cpu_has(FEATURE_XSAVE))
		return SKIP("no XSAVE");
	cr4_write(cr4_read() | CR4_OSXSAVE);
	for (u32 i = 0; i < XCR_ROUNDS; i++) {
		sent.number = below(4) ? 0 : (u32)some_value();
		sent.value = i < 256 ? i : some_value();
		u64 before = xgetbv(0), vector = try_call(set_xcr, NULL);

		EXPECT(vector == TRY_NOTHING || vector == GP, "vector %lld for 0x%llx", vector, sent.value);
		EXPECT(xgetbv(0) == (vector == GP ? before : sent.value), "XCR%u = 0x%llx gives 0x%llx", sent.number, sent.value,
		       xgetbv(0));
	}
	xsetbv(0, 1);
	return NULL;
}

static void set_cr(void *unused)
{
	(void)unused;
	switch (sent.number) {
	case 0:
		cr0_write(sent.value);
		break;
	case 3:
		cr3_write(sent.value);
		break;
	case 4:
		cr4_write(sent.value);
		break;
	default:
		__asm__ volatile("mov %0, %%cr8" : : "r"(sent.value));
		break;
	}
}

static u64 some_cr(u32 number, u64 before)
{
	if (number == 3)
		return before | BIT(63) | (below(2) ? BIT(52 + below(11)) : 0); /* another place would be the end */
	if (number == 8)
		return some_value();
	return below(2) ? before ^ BIT(below(33)) : before ^ (any() & (number == 0 ? 0x6007ffff : 0x7fffff));
}

static const char *control_registers(void)
{
	static const u8 numbers[] = { 0, 3, 4, 8 };
	u64 cr0 = cr0_read(), cr3 = cr3_read(), cr4 = cr4_read();

	for (u32 i = 0; i < CR_ROUNDS; i++) {
		sent.number = numbers[below(4)];
		sent.value = some_cr(sent.number, sent.number == 0 ? cr0 : sent.number == 3 ? cr3 : cr4);
		u64 vector = try_call(set_cr, NULL);

		EXPECT(vector == TRY_NOTHING || (vector == GP && try_error == 0), "vector %lld for CR%u = 0x%llx", vector,
		       sent.number, sent.value);
		if (vector == TRY_NOTHING && sent.number == 4)
			EXPECT(cr4_read() == sent.value, "CR4 = 0x%llx gives 0x%llx", sent.value, cr4_read());
		if (vector == TRY_NOTHING && sent.number == 0)
			EXPECT(((cr0_read() ^ sent.value) & 0xe005002f) == 0, "CR0 = 0x%llx gives 0x%llx", sent.value,
			       cr0_read());
		cr0_write(cr0);
		cr4_write(cr4);
		cr3_write(cr3);
		__asm__ volatile("mov %0, %%cr8" : : "r"(0ULL));
	}
	return NULL;
}

/* ---- interrupt commands: all but INIT and SIPI, and vectors of exceptions ---- */

static volatile u32 arrived;

static void end(struct frame *frame)
{
	arrived++;
	if (frame->vector != 2)
		apic_eoi();
}

static void send(void *unused)
{
	(void)unused;
	msr_write(MSR_X2APIC + APIC_ICR, sent.value);
}

static const char *interrupt_commands(void)
{
	interrupt_on(2, end);
	for (u32 i = EXTERNAL; i < VECTORS; i++)
		interrupt_on((u8)i, end);
	interrupts_enable();
	for (u32 i = 0; i < ICR_ROUNDS; i++) {
		u32 mode = below(8), vector_sent = below(256);
		u64 to = below(2) ? 0 : below(2) ? UINT32_MAX : any() & 0xffff;

		if (mode == 5 || mode == 6 ||
		    (vector_sent >= 16 && vector_sent < EXTERNAL)) /* 16 to 31 would come, as exceptions */
			continue;
		sent.value = to << 32 | mode << 8 | vector_sent | (any() & (below(4) ? 0xc4800 : 0xfffff800)) |
			     (below(2) ? BIT(18) : 0);
		u64 vector = try_call(send, NULL);
		EXPECT(vector == TRY_NOTHING || vector == GP, "vector %lld for 0x%llx", vector, sent.value);
	}
	for (u32 i = 0; i < 256; i++) /* what fell between a vector's bounds is not in service for ever */
		apic_eoi();
	interrupts_off();
	EXPECT(arrived > 0, "nothing arrived");
	return NULL;
}

static const char *a_timer_still_fires(void)
{
	const volatile u32 never = 0;
	u64 begin = rdtsc();

	quiet();
	wait_flag(&never, 1000);
	interrupts_off();
	EXPECT(rdtsc() - begin >= tsc_hz / 1000 - tsc_hz / 10000, "after %llu ticks of %llu a second", rdtsc() - begin, tsc_hz);
	return NULL;
}

void guest_main(void)
{
	static const struct promise list[] = {
		{ "ports", ports },
		{ "msrs", msrs },
		{ "device_memory", device_memory },
		{ "cpuid_leaves", cpuid_leaves },
		{ "hypercalls", hypercalls },
		{ "xcr0", xcr0 },
		{ "control_registers", control_registers },
		{ "interrupt_commands", interrupt_commands },
		{ "a_timer_still_fires", a_timer_still_fires },
	};
	char line[32] = "";

	say("hammer: ready\n");
	seed = guest_number("seed", 0);
	if (!seed) {
		interrupts_enable();
		console_line(line, sizeof(line));
		interrupts_off();
		for (const char *at = line; *at >= '0' && *at <= '9'; at++)
			seed = seed * 10 + (u64)(*at - '0');
	}
	say("hammer: seed %llu\n", seed);
	seed = seed * 0x9e3779b97f4a7c15ULL | 1;
	promises_run("hammer", list, ARRAY_SIZE(list));
}
