/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's segments and descriptor tables.  SDM vol. 3C, 26.3.1.2 and 26.3.1.3. */
#include "vmx/caps.h"
#include "vmx/checker_rules.h"
#include "vmx/machine.h"

enum {
	SELECTOR_RPL = 3,
	SELECTOR_LDT = 4,
	TYPE_ACCESSED = 1,
	TYPE_READABLE = 2,
	TYPE_DATA_WRITABLE = 3,
	TYPE_DATA_DOWN = 7,
	TYPE_CODE = 9,
	TYPE_CODE_READABLE = 11,
	TYPE_CONFORMING = 13,
	TYPE_CONFORMING_READABLE = 15,
	TYPE_LDT = 2,
	TYPE_TSS16_BUSY = 3,
	TYPE_TSS_BUSY = 11,
	V86_RIGHTS = 0xf3,
	V86_LIMIT = 0xffff,
};
#define RIGHTS_RESERVED 0xfffe0f00U

static bool is_v86(void)
{
	return checker_has(ENCODING_GUEST_RFLAGS, RFLAGS_VM);
}

static bool is_unrestricted(void)
{
	return checker_has(ENCODING_CPU_CONTROLS_2, CPU2_UNRESTRICTED_GUEST);
}

static bool is_long(void)
{
	return checker_has(ENCODING_ENTRY_CONTROLS, ENTRY_IA32E_GUEST);
}

static u32 rights(u32 s)
{
	CHECK(s < SEGMENTS);
	return segment_rights((enum segment)s);
}

static u32 type(u32 s)
{
	return rights(s) & RIGHTS_TYPE;
}

static u32 dpl(u32 s)
{
	CHECK(s <= SEGMENT_GS); /* TR and LDTR have none that counts */
	return rights(s) >> RIGHTS_DPL_SHIFT & 3;
}

/* CS and TR always count. */
static bool is_usable(u32 s)
{
	return s == SEGMENT_CS || s == SEGMENT_TR || !(rights(s) & RIGHTS_UNUSABLE);
}

static bool is_data(u32 s)
{
	return s != SEGMENT_CS && s != SEGMENT_SS && s <= SEGMENT_GS && is_usable(s);
}

/* The rights of code, stack and data segments have rules of their own in virtual-8086 mode. */
static bool is_checked(u32 s)
{
	return is_usable(s) && (s > SEGMENT_GS || !is_v86());
}

/* ---- selectors and bases ---- */

static bool tables_of(const struct checker_rule *rule)
{
	(void)rule;
	return !(segment_selector(SEGMENT_TR) & SELECTOR_LDT) &&
	       !(is_usable(SEGMENT_LDTR) && (segment_selector(SEGMENT_LDTR) & SELECTOR_LDT));
}

static bool stack_rpl(const struct checker_rule *rule)
{
	(void)rule;
	return is_v86() || is_unrestricted() ||
	       ((segment_selector(SEGMENT_SS) ^ segment_selector(SEGMENT_CS)) & SELECTOR_RPL) == 0;
}

static bool bases_canonical(const struct checker_rule *rule)
{
	(void)rule;
	return checker_is_canonical(segment_base(SEGMENT_TR)) && checker_is_canonical(segment_base(SEGMENT_FS)) &&
	       checker_is_canonical(segment_base(SEGMENT_GS)) &&
	       (!is_usable(SEGMENT_LDTR) || checker_is_canonical(segment_base(SEGMENT_LDTR)));
}

static bool bases_low(const struct checker_rule *rule)
{
	(void)rule;
	for (u32 s = SEGMENT_ES; s <= SEGMENT_DS; s++)
		if (is_usable(s) && segment_base((enum segment)s) >> 32)
			return false;
	return true;
}

static bool v86(const struct checker_rule *rule)
{
	(void)rule;
	for (u32 s = SEGMENT_ES; s <= SEGMENT_GS; s++)
		if (segment_base((enum segment)s) != (u64)segment_selector((enum segment)s) << 4 ||
		    segment_limit((enum segment)s) != V86_LIMIT || rights(s) != V86_RIGHTS)
			return false;
	return true;
}

/* ---- rights ---- */

static bool code_type(const struct checker_rule *rule)
{
	u32 t = type(SEGMENT_CS);

	(void)rule;
	return is_v86() || t == TYPE_CODE || t == TYPE_CODE_READABLE || t == TYPE_CONFORMING || t == TYPE_CONFORMING_READABLE ||
	       (t == TYPE_DATA_WRITABLE && is_unrestricted());
}

static bool stack_type(const struct checker_rule *rule)
{
	(void)rule;
	return is_v86() || !is_usable(SEGMENT_SS) || type(SEGMENT_SS) == TYPE_DATA_WRITABLE || type(SEGMENT_SS) == TYPE_DATA_DOWN;
}

static bool data_types(const struct checker_rule *rule)
{
	(void)rule;
	for (u32 s = SEGMENT_ES; s <= SEGMENT_GS; s++)
		if (is_data(s) && !is_v86() &&
		    (!(type(s) & TYPE_ACCESSED) || ((type(s) & RIGHTS_CODE) && !(type(s) & TYPE_READABLE))))
			return false;
	return true;
}

static bool no_system(const struct checker_rule *rule)
{
	(void)rule;
	for (u32 s = SEGMENT_ES; s <= SEGMENT_GS; s++)
		if (is_checked(s) && !(rights(s) & RIGHTS_NOT_SYSTEM))
			return false;
	return true;
}

static bool code_dpl(const struct checker_rule *rule)
{
	u32 t = type(SEGMENT_CS);

	(void)rule;
	if (is_v86())
		return true;
	if (t == TYPE_DATA_WRITABLE)
		return dpl(SEGMENT_CS) == 0;
	return t >= TYPE_CONFORMING ? dpl(SEGMENT_CS) <= dpl(SEGMENT_SS) : dpl(SEGMENT_CS) == dpl(SEGMENT_SS);
}

static bool stack_dpl(const struct checker_rule *rule)
{
	bool zero = type(SEGMENT_CS) == TYPE_DATA_WRITABLE || !checker_has(ENCODING_GUEST_CR0, CR0_PE);

	(void)rule;
	if (is_v86())
		return true;
	if (!is_unrestricted() && dpl(SEGMENT_SS) != (segment_selector(SEGMENT_SS) & SELECTOR_RPL))
		return false;
	return !zero || dpl(SEGMENT_SS) == 0;
}

static bool data_dpl(const struct checker_rule *rule)
{
	(void)rule;
	if (is_v86() || is_unrestricted())
		return true;
	for (u32 s = SEGMENT_ES; s <= SEGMENT_GS; s++)
		if (is_data(s) && type(s) <= TYPE_CODE_READABLE && dpl(s) < (segment_selector((enum segment)s) & SELECTOR_RPL))
			return false;
	return true;
}

static bool present(const struct checker_rule *rule)
{
	(void)rule;
	for (u32 s = 0; s < SEGMENTS; s++)
		if (is_checked(s) && !(rights(s) & RIGHTS_PRESENT))
			return false;
	return true;
}

static bool reserved(const struct checker_rule *rule)
{
	(void)rule;
	for (u32 s = 0; s < SEGMENTS; s++)
		if (is_checked(s) && (rights(s) & RIGHTS_RESERVED))
			return false;
	return true;
}

static bool long_or_big(const struct checker_rule *rule)
{
	(void)rule;
	return !is_long() || !(rights(SEGMENT_CS) & RIGHTS_LONG) || !(rights(SEGMENT_CS) & RIGHTS_BIG);
}

static bool granularity(const struct checker_rule *rule)
{
	(void)rule;
	for (u32 s = 0; s < SEGMENTS; s++) {
		u32 limit = segment_limit((enum segment)s);
		bool pages = (rights(s) & RIGHTS_GRANULAR) != 0;

		if (is_checked(s) && (((limit & 0xfff) != 0xfff && pages) || (limit >> 20 && !pages)))
			return false;
	}
	return true;
}

static bool task(const struct checker_rule *rule)
{
	(void)rule;
	return !(rights(SEGMENT_TR) & (RIGHTS_UNUSABLE | RIGHTS_NOT_SYSTEM)) &&
	       (type(SEGMENT_TR) == TYPE_TSS_BUSY || (type(SEGMENT_TR) == TYPE_TSS16_BUSY && !is_long()));
}

static bool local_table(const struct checker_rule *rule)
{
	(void)rule;
	return !is_usable(SEGMENT_LDTR) || (type(SEGMENT_LDTR) == TYPE_LDT && !(rights(SEGMENT_LDTR) & RIGHTS_NOT_SYSTEM));
}

static const struct checker_rule rows[] = {
	{ "guest TR and LDTR: selectors of the GDT", tables_of, 0, 0, 0, 0 },
	{ "guest SS: the RPL of CS", stack_rpl, 0, 0, 0, 0 },
	{ "guest TR, FS, GS and LDTR bases must be canonical", bases_canonical, 0, 0, 0, 0 },
	{ "guest CS, SS, DS and ES bases: below 4 GiB", bases_low, 0, 0, 0, 0 },
	{ "virtual-8086 mode: base 16 times the selector, limit 0xffff, rights 0xf3", v86, ENCODING_GUEST_RFLAGS, RFLAGS_VM, 0,
	  0 },
	{ "guest CS must be accessed code (or data for an unrestricted guest)", code_type, 0, 0, 0, 0 },
	{ "guest SS must be writable accessed data", stack_type, 0, 0, 0, 0 },
	{ "guest DS, ES, FS, GS must be accessed and readable", data_types, 0, 0, 0, 0 },
	{ "guest code, stack and data must not be system segments", no_system, 0, 0, 0, 0 },
	{ "guest CS: its DPL against that of SS", code_dpl, 0, 0, 0, 0 },
	{ "guest SS: its DPL against RPL and CR0.PE", stack_dpl, 0, 0, 0, 0 },
	{ "guest DS, ES, FS, GS: their DPL against RPL", data_dpl, 0, 0, 0, 0 },
	{ "guest segments must be present", present, 0, 0, 0, 0 },
	{ "guest segments' rights: reserved bits", reserved, 0, 0, 0, 0 },
	{ "guest CS must not be L and D at once", long_or_big, 0, 0, 0, 0 },
	{ "guest segments' limits against granularity", granularity, 0, 0, 0, 0 },
	{ "guest TR must be a usable, busy TSS", task, 0, 0, 0, 0 },
	{ "guest LDTR must be an LDT or unusable", local_table, 0, 0, 0, 0 },
	{ "guest GDTR base must be canonical", checker_canonical, 0, 0, ENCODING_GUEST_GDTR_BASE, 0 },
	{ "guest IDTR base must be canonical", checker_canonical, 0, 0, ENCODING_GUEST_IDTR_BASE, 0 },
	{ "guest GDTR limit: below 64 KiB", checker_clear, 0, 0, ENCODING_GUEST_GDTR_LIMIT, 0xffff0000 },
	{ "guest IDTR limit: below 64 KiB", checker_clear, 0, 0, ENCODING_GUEST_IDTR_LIMIT, 0xffff0000 },
};

const struct checker_rules checker_segments = { rows, ARRAY_SIZE(rows) };
