/* SPDX-License-Identifier: BSD-2-Clause */
/* What may not be written to control registers, and what a write does besides: SDM vol. 2B (MOV, LMSW), vol. 3A 2.5, 4.1, 4.4.1, 9.8.5. */
#include "tests/guests/modes/modes.h"
#include <string.h>

enum { GP = 13, PF = 14, ANY_VALUE = 0xdead, SECOND_GIB = 0x40000000, HERE = TRIP_RECORD, READ_ONLY_PAGE = 0x1f000 };

#define FLAT ((u32)(CR0_PE | CR0_ET | CR0_NE))
#define PAGED (FLAT | (u32)CR0_PG)
#define CD ((u32)CR0_CD)
#define NW ((u32)CR0_NW)
#define MCE ((u32)CR4_MCE)
#define PAE ((u32)CR4_PAE)
#define PDPTE_1 (TABLE_FOR_PAE + 8)
#define PDPTE_GOOD (TABLE_SECOND_GIB + 1)

struct step {
	u32 op, argument, stored; /* stored: by OP_STORE */
	u32 vector;
	u32 value; /* of LOAD, SMSW … ; ANY_VALUE: whatever */
};
struct rule {
	const char *name;
	struct step steps[14];
};

#define OK_(op, argument)                           \
	{                                           \
		op, argument, 0, NOTHING, ANY_VALUE \
	}
#define BAD(op, argument)                      \
	{                                      \
		op, argument, 0, GP, ANY_VALUE \
	}
#define STORE(argument, value)                                \
	{                                                     \
		OP_STORE, argument, value, NOTHING, ANY_VALUE \
	}
#define READS(op, argument, value)              \
	{                                       \
		op, argument, 0, NOTHING, value \
	}
#define FAULTS(op, argument)                   \
	{                                      \
		op, argument, 0, PF, ANY_VALUE \
	}
#define TO_PAE OK_(OP_CR3, TABLE_FOR_PAE), OK_(OP_CR4, PAE), OK_(OP_CR0, PAGED)
#define TO_LONG OK_(OP_CR3, TABLE_FOR_OTHERS), OK_(OP_CR4, PAE), OK_(OP_EFER, EFER_LME), OK_(OP_CR0, PAGED)

static const struct rule rules[] = {
	{ "paging needs protection", { BAD(OP_CR0, PAGED & ~1U), BAD(OP_CR0, (PAGED & ~1U) | CD), OK_(OP_CR0, FLAT) } },
	{ "NW needs CD", { BAD(OP_CR0, FLAT | NW), OK_(OP_CR0, FLAT | NW | CD), BAD(OP_CR0, FLAT | NW), OK_(OP_CR0, FLAT) } },
	{ "reserved bits of CR4",
	  { BAD(OP_CR4, BIT(31)), BAD(OP_CR4, BIT(31) | MCE), BAD(OP_CR4, BIT(15)), BAD(OP_CR4, CR4_VMXE), OK_(OP_CR4, MCE) } },
	{ "reserved bits of EFER",
	  { BAD(OP_EFER, 2), BAD(OP_EFER, BIT(9)), BAD(OP_EFER, BIT(15)), OK_(OP_EFER, EFER_NXE | EFER_SCE) } },
	{ "PCIDE outside of long mode", { BAD(OP_CR4, CR4_PCIDE), BAD(OP_CR4, CR4_PCIDE | MCE), BAD(OP_CR4, CR4_PCIDE | PAE) } },
	{ "PCIDE needs a CR3 without PCID",
	  { TO_LONG, OK_(OP_CR3, TABLE_FOR_OTHERS | 8), BAD(OP_CR4, PAE | CR4_PCIDE), BAD(OP_CR4, PAE | CR4_PCIDE | MCE),
	    OK_(OP_CR3, TABLE_FOR_OTHERS), OK_(OP_CR4, PAE | CR4_PCIDE | MCE), OK_(OP_CR3, TABLE_FOR_OTHERS | 8),
	    BAD(OP_CR0, FLAT), BAD(OP_CR0, FLAT | CD) } },
	{ "long mode needs PAE",
	  { OK_(OP_CR3, TABLE_FOR_OTHERS), OK_(OP_EFER, EFER_LME), BAD(OP_CR0, PAGED), BAD(OP_CR0, PAGED | CD) } },
	{ "long mode keeps PAE", { TO_LONG, BAD(OP_CR4, 0), BAD(OP_CR4, MCE), OK_(OP_CR4, PAE | MCE) } },
	{ "LME does not change under paging",
	  { TO_LONG, BAD(OP_EFER, 0), OK_(OP_EFER, EFER_LME | EFER_SCE), OK_(OP_CR0, FLAT), OK_(OP_EFER, 0),
	    OK_(OP_CR3, TABLE_FOR_PAE), OK_(OP_CR0, PAGED), BAD(OP_EFER, EFER_LME) } },
	{ "long mode not from CS.L",
	  { OK_(OP_CR3, TABLE_FOR_OTHERS), OK_(OP_CR4, PAE), OK_(OP_EFER, EFER_LME), BAD(OP_CR0_CS_L, PAGED),
	    BAD(OP_CR0_CS_L, PAGED | CD), OK_(OP_CR0, PAGED) } },
	{ "long mode not with a 16-bit task",
	  { OK_(OP_LTR, TASK16), OK_(OP_CR3, TABLE_FOR_OTHERS), OK_(OP_CR4, PAE), OK_(OP_EFER, EFER_LME), BAD(OP_CR0, PAGED),
	    BAD(OP_CR0, PAGED | CD), OK_(OP_LTR, TASK32), OK_(OP_CR0, PAGED | CD) } },
	{ "LMSW sets PE and cannot clear it",
	  { OK_(OP_LMSW, 0xe), READS(OP_SMSW, 0, 0x3f), OK_(OP_CLTS, 0), READS(OP_SMSW, 0, 0x37), OK_(OP_LMSW, 0),
	    READS(OP_SMSW, 0, 0x31) } },
	{ "LMSW from real mode",
	  { OK_(OP_REAL, FLAT & ~1U), READS(OP_SMSW, 0, 0x30), OK_(OP_LMSW, 1), READS(OP_SMSW, 0, 0x31),
	    OK_(OP_PROTECTED, FLAT) } },
	{ "real mode refuses too",
	  { OK_(OP_REAL, FLAT & ~1U), BAD(OP_CR0, PAGED & ~1U), BAD(OP_CR0, 0x30 | NW), BAD(OP_CR4, BIT(31)),
	    BAD(OP_CR4, BIT(31) | MCE), OK_(OP_CR0, 0x30 | CD), OK_(OP_PROTECTED, FLAT) } },
	{ "WP",
	  { OK_(OP_CR3, TABLE_FOR_OTHERS), STORE(TABLE_2 + 4 * (READ_ONLY_PAGE >> 12), READ_ONLY_PAGE | 1), OK_(OP_CR0, PAGED),
	    STORE(READ_ONLY_PAGE, 1), OK_(OP_CR0, PAGED | (u32)CR0_WP), FAULTS(OP_STORE, READ_ONLY_PAGE), OK_(OP_CR0, PAGED | CD),
	    STORE(READ_ONLY_PAGE, 2), OK_(OP_CR0, PAGED | CD | (u32)CR0_WP), FAULTS(OP_STORE, READ_ONLY_PAGE),
	    OK_(OP_CR0, PAGED | (u32)CR0_WP), FAULTS(OP_STORE, READ_ONLY_PAGE) } },
	{ "PDPTEs are read once",
	  { TO_PAE, READS(OP_LOAD, SECOND_GIB + HERE, OP_CR3), STORE(PDPTE_1, 0), OK_(OP_INVLPG, SECOND_GIB + HERE),
	    READS(OP_LOAD, SECOND_GIB + HERE, OP_CR3), OK_(OP_CR4, PAE | (u32)CR4_PGE), FAULTS(OP_LOAD, SECOND_GIB + HERE),
	    STORE(PDPTE_1, PDPTE_GOOD), FAULTS(OP_LOAD, SECOND_GIB + HERE), OK_(OP_CR3, TABLE_FOR_PAE),
	    READS(OP_LOAD, SECOND_GIB + HERE, OP_CR3) } },
	{ "PDPTEs are read again by an exit",
	  { TO_PAE, STORE(PDPTE_1, 0), OK_(OP_CR4, PAE | (u32)CR4_PGE | MCE), FAULTS(OP_LOAD, SECOND_GIB + HERE),
	    STORE(PDPTE_1, PDPTE_GOOD), FAULTS(OP_LOAD, SECOND_GIB + HERE), OK_(OP_CR0, PAGED | CD),
	    READS(OP_LOAD, SECOND_GIB + HERE, OP_CR3) } },
	{ "CR4 that changes no paging leaves PDPTEs",
	  { TO_PAE, STORE(PDPTE_1, 0), OK_(OP_CR4, PAE | MCE), OK_(OP_INVLPG, SECOND_GIB + HERE),
	    READS(OP_LOAD, SECOND_GIB + HERE, OP_CR3), OK_(OP_CR4, PAE | (u32)CR4_DE), OK_(OP_INVLPG, SECOND_GIB + HERE),
	    READS(OP_LOAD, SECOND_GIB + HERE, OP_CR3) } },
	{ "reserved bits of PDPTEs",
	  { TO_PAE, STORE(PDPTE_1, PDPTE_GOOD | 2), BAD(OP_CR3, TABLE_FOR_PAE), BAD(OP_CR4, PAE | (u32)CR4_PGE),
	    BAD(OP_CR4, PAE | (u32)CR4_PGE | MCE), BAD(OP_CR0, PAGED | CD), READS(OP_LOAD, SECOND_GIB + HERE, OP_CR3),
	    STORE(PDPTE_1, PDPTE_GOOD | 0x1e0), BAD(OP_CR3, TABLE_FOR_PAE), BAD(OP_CR0, PAGED | CD), STORE(PDPTE_1, 0xfffffffe),
	    OK_(OP_CR0, PAGED | CD) } },
	{ "addresses of PDPTEs",
	  { TO_PAE, STORE(PDPTE_1 + 4, BIT(31)), BAD(OP_CR3, TABLE_FOR_PAE), BAD(OP_CR0, PAGED | CD), STORE(PDPTE_1 + 4, BIT(10)),
	    BAD(OP_CR3, TABLE_FOR_PAE), BAD(OP_CR0, PAGED | CD), BAD(OP_CR4, PAE | MCE | (u32)CR4_PSE), STORE(PDPTE_1 + 4, 0),
	    OK_(OP_CR0, PAGED | CD) } },
	{ "PAE changes under paging",
	  { OK_(OP_CR3, TABLE_FOR_PAE), OK_(OP_CR4, PAE), OK_(OP_CR0, PAGED), OK_(OP_CR4, 0), BAD(OP_CR4, PAE),
	    BAD(OP_CR4, PAE | MCE), STORE(TABLE_FOR_PAE, TABLE_2 | 1) } },
	{ "calls",
	  { { OP_VMCALL, 0, 0, NOTHING, (u32)-1000 },
	    { OP_VMCALL, UINT32_MAX, 0, NOTHING, (u32)-1000 },
	    OK_(OP_REAL, FLAT & ~1U),
	    { OP_VMCALL, 0, 0, NOTHING, (u32)-1000 },
	    { OP_VMCALL, 0x41650001, 0, NOTHING, (u32)-1000 },
	    OK_(OP_PROTECTED, FLAT) } },
};

static const char *play(const struct rule *rule)
{
	struct operation operations[ARRAY_SIZE(rule->steps)];
	u32 count = 0;

	for (; count < ARRAY_SIZE(rule->steps) && rule->steps[count].op; count++)
		operations[count] =
			(struct operation){ rule->steps[count].op, rule->steps[count].argument, rule->steps[count].stored, 0 };
	trip_run(operations, count);
	for (u32 i = 0; i < count; i++) {
		const struct step *step = &rule->steps[i];
		volatile struct outcome *seen = &RECORD->outcomes[i];

		EXPECT(seen->vector == step->vector, "%s, step %u: vector %u, not %u (cr0 %x, cr3 %x, cr4 %x, efer %x)",
		       rule->name, i, seen->vector, step->vector, seen->cr0, seen->cr3, seen->cr4, seen->efer);
		EXPECT(seen->vector != GP || seen->error == 0, "%s, step %u: error code 0x%x", rule->name, i, seen->error);
		EXPECT(step->value == ANY_VALUE || seen->value == step->value, "%s, step %u: 0x%x, not 0x%x", rule->name, i,
		       seen->value, step->value);
	}
	return NULL;
}

/* All, whatever fails: a machine that goes by another manual says so once. */
const char *what_the_manual_forbids(void)
{
	u32 broken = 0;

	for (u32 i = 0; i < ARRAY_SIZE(rules); i++) {
		const char *what = play(&rules[i]);

		if (what) {
			broken++;
			say("rule: %s\n", what);
		}
	}
	EXPECT(broken == 0, "%u of %u rules", broken, (u32)ARRAY_SIZE(rules));
	return NULL;
}
