/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From every mode to every other, and at random.  Most writes to CR0 and CR4 do not exit, so the processor itself answers; the same write
 * with CR0.CD or CR4.MCE changed on the way does exit, and the hypervisor has to answer alike.
 */
#include "tests/guests/modes/modes.h"
#include <string.h>

enum { ROUNDS = 60, LENGTH = 40, DEBUG_PORT = 0x80, FIRST_LEAF = 0, GP = 13, UD = 6, BP = 3 };

#define FLAT ((u32)(CR0_PE | CR0_ET | CR0_NE))
#define PAGED (FLAT | (u32)CR0_PG)
#define REAL ((u32)(CR0_ET | CR0_NE))

/* ---- a list under construction; `exits`: with CD and MCE changing at each write ---- */

static struct {
	struct operation operations[TRIP_MOST];
	u32 count;
	bool exits;
	u32 cd, mce;
} list;

static void begin(bool exits)
{
	memset(&list, 0, sizeof(list));
	list.exits = exits;
}

static void add(u32 op, u32 argument, u32 value)
{
	if (list.count == TRIP_MOST)
		die("a trip is too long");
	if (list.exits && (op == OP_CR0 || op == OP_REAL || op == OP_PROTECTED || op == OP_CR0_CS_L))
		argument |= list.cd ^= (u32)CR0_CD;
	if (list.exits && op == OP_CR4)
		argument |= list.mce ^= (u32)CR4_MCE;
	list.operations[list.count++] = (struct operation){ op, argument, value, 0 };
}

/* ---- every mode from every mode ---- */

enum mode { MODE_REAL, MODE_FLAT, MODE_32, MODE_PAE, MODE_LONG, MODES };
static const char *const names[] = { "real", "flat", "32-bit paging", "PAE", "long" };
static const struct {
	u32 cr0, cr3, cr4, efer;
} registers[] = {
	[MODE_REAL] = { REAL, 0, 0, 0 },
	[MODE_FLAT] = { FLAT, 0, 0, 0 },
	[MODE_32] = { PAGED, TABLE_FOR_OTHERS, 0, 0 },
	[MODE_PAE] = { PAGED, TABLE_FOR_PAE, CR4_PAE, 0 },
	[MODE_LONG] = { PAGED, TABLE_FOR_OTHERS, CR4_PAE, EFER_LME },
};

static void prepare(enum mode mode)
{
	add(OP_CR3, registers[mode].cr3, 0);
	add(OP_CR4, registers[mode].cr4, 0);
	add(OP_EFER, registers[mode].efer, 0);
}

static void leave(enum mode mode)
{
	if (mode == MODE_REAL)
		add(OP_PROTECTED, FLAT, 0);
	else if (mode != MODE_FLAT)
		add(OP_CR0, FLAT, 0);
}

/* By one write to CR0 where there is one: from real mode straight to paging, and from paging straight to real mode. */
static void go(enum mode from, enum mode to)
{
	if (to == MODE_REAL && from != MODE_LONG) {
		add(OP_REAL, REAL, 0);
		return;
	}
	if (from == MODE_REAL && to != MODE_FLAT) {
		prepare(to);
		add(OP_PROTECTED, registers[to].cr0, 0);
		return;
	}
	leave(from);
	prepare(to);
	if (to == MODE_REAL)
		add(OP_REAL, REAL, 0);
	else
		add(OP_CR0, registers[to].cr0, 0);
}

static const struct {
	u32 op;
	u64 argument;
	u32 vector;
} probes[] = {
	{ OP_LOAD, TRIP_RECORD, NOTHING },
	{ OP_CPUID, FIRST_LEAF, NOTHING },
	{ OP_IN, DEBUG_PORT, NOTHING },
	{ OP_UD2, 0, UD },
	{ OP_CR4, BIT(31), GP },
	{ OP_RDMSR, MSR_APIC_BASE, NOTHING },
	{ OP_INT3, 0, BP },
};

static const char *check_probes(u32 first, u32 cr0, enum mode mode, enum mode from)
{
	for (u32 i = 0; i < ARRAY_SIZE(probes); i++) {
		volatile struct outcome *seen = &RECORD->outcomes[first + i];

		EXPECT(seen->vector == probes[i].vector, "%s from %s: probe %u raises %u", names[mode], names[from], i,
		       seen->vector);
		EXPECT((seen->cr0 & ~(u32)CR0_CD) == cr0, "%s from %s: CR0 is 0x%x", names[mode], names[from], seen->cr0);
		EXPECT(!(seen->efer & EFER_LMA) == (mode != MODE_LONG), "%s from %s: EFER is 0x%x", names[mode], names[from],
		       seen->efer);
	}
	return NULL;
}

static const char *pair(enum mode from, enum mode to, bool exits)
{
	begin(exits);
	go(MODE_FLAT, from);
	u32 first = list.count;
	for (u32 i = 0; i < ARRAY_SIZE(probes); i++)
		add(probes[i].op, (u32)probes[i].argument, 0);
	go(from, to);
	u32 second = list.count;
	for (u32 i = 0; i < ARRAY_SIZE(probes); i++)
		add(probes[i].op, (u32)probes[i].argument, 0);
	trip_run(list.operations, list.count);
	const char *what = check_probes(first, registers[from].cr0, from, MODE_FLAT);
	return what ? what : check_probes(second, registers[to].cr0, to, from);
}

const char *every_mode_from_every_mode(void)
{
	const char *what = NULL;

	for (u32 i = 0; i < MODES * MODES * 2 && !what; i++)
		what = pair((enum mode)(i / 2 % MODES), (enum mode)(i / 2 / MODES), i & 1);
	return what;
}

/* ---- at random ---- */

static u64 random_state;

static u32 any(u32 end)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (u32)((random_state >> 16) % end);
}

static u32 some_of(u64 bits)
{
	u64 mask = any(UINT32_MAX);

	return (u32)(bits & mask);
}

/* PE without PG would be real mode with 32-bit code; for PAE's tables WP would forbid what the interpreter writes. */
static u32 some_cr0(bool pae_tables)
{
	u32 value = FLAT | some_of(CR0_MP | CR0_EM | CR0_TS | CR0_AM | CR0_PG | (pae_tables ? 0 : CR0_WP) | BIT(8) | BIT(25));

	return any(10) ? value : (value | (u32)CR0_PG) & ~(u32)CR0_PE;
}

static u32 some_cr4(void)
{
	u32 value =
		some_of(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE);

	value |= any(3) ? (u32)CR4_PAE : 0;
	value |= any(4) ? 0 : some_of(CR4_SMEP | CR4_SMAP | CR4_PCIDE | CR4_OSXSAVE);
	return any(20) ? value : value | (u32)BIT(24 + any(8));
}

static void walk(bool pae_tables)
{
	u32 tables = pae_tables ? TABLE_FOR_PAE : TABLE_FOR_OTHERS;

	add(OP_CR3, tables, 0);
	while (list.count < LENGTH) {
		switch (any(9)) {
		case 0:
		case 1:
		case 2:
			add(OP_CR0, some_cr0(pae_tables), 0);
			break;
		case 3:
		case 4:
			add(OP_CR4, some_cr4(), 0);
			break;
		case 5:
		case 6:
			add(OP_EFER, some_of(EFER_SCE | EFER_LME | EFER_NXE) | (any(20) ? 0 : (u32)BIT(1)), 0);
			break;
		case 7:
			add(OP_CR3, tables | some_of(0x18), 0);
			break;
		default:
			add(OP_LMSW, some_of(0xe), 0);
			break;
		}
	}
}

static const char *compare(const struct outcome *plain, u32 round)
{
	for (u32 i = 0; i < list.count; i++) {
		struct outcome seen;

		memcpy(&seen, (void *)&RECORD->outcomes[i], sizeof(seen));
		seen.cr0 &= ~(u32)CR0_CD;
		seen.cr4 &= ~(u32)CR4_MCE;
		EXPECT(memcmp(&seen, &plain[i], sizeof(seen)) == 0,
		       "round %u, operation %u (%u, 0x%x): vector %u, cr0 %x, cr4 %x, efer %x; without an exit %u, %x, %x, %x",
		       round, i, list.operations[i].op, list.operations[i].argument, seen.vector, seen.cr0, seen.cr4, seen.efer,
		       plain[i].vector, plain[i].cr0, plain[i].cr4, plain[i].efer);
	}
	return NULL;
}

const char *random_walks(void)
{
	static struct outcome plain[TRIP_MOST];
	u64 seed = guest_number("seed", rdtsc());
	const char *what = NULL;

	say("modes: seed %llu\n", seed);
	random_state = seed * 0x9e3779b97f4a7c15ULL | 1;
	for (u32 round = 0; round < ROUNDS && !what; round++) {
		u64 start = random_state;

		begin(false);
		walk(round & 1);
		trip_run(list.operations, list.count);
		memcpy(plain, (void *)RECORD->outcomes, sizeof(plain));
		random_state = start;
		begin(true);
		walk(round & 1);
		trip_run(list.operations, list.count);
		what = compare(plain, round);
	}
	return what;
}
