/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the rules, and what they share. */
#include "vmx/checker.h"
#include "vmx/caps.h"
#include "vmx/checker_rules.h"

enum { CANONICAL_SHIFT = 64 - 48, PAT_ENTRIES = 8, TYPE_LAST = 7, TYPE_RESERVED_2 = 2, TYPE_RESERVED_3 = 3 };

u64 checker_value(u32 encoding)
{
	if (encoding == ENCODING_CPU_CONTROLS_2 && !(vmcs_read(CPU_CONTROLS) & (u32)CPU_SECONDARY))
		return 0;
	return vmcs_read_raw(encoding);
}

bool checker_is_canonical(u64 address)
{
	return ((s64)(address << CANONICAL_SHIFT) >> CANONICAL_SHIFT) == (s64)address;
}

bool checker_is_address(u64 address, u64 low_bits)
{
	CHECK(vmx_caps.physical_bits >= 32 && vmx_caps.physical_bits <= 52);
	return !(address & low_bits) && address >> vmx_caps.physical_bits == 0;
}

bool checker_are_types(u64 pat)
{
	for (u32 i = 0; i < PAT_ENTRIES; i++) {
		u32 type = (u32)(pat >> (8 * i)) & 0xff;

		if (type > TYPE_LAST || type == TYPE_RESERVED_2 || type == TYPE_RESERVED_3)
			return false;
	}
	return true;
}

bool checker_clear(const struct checker_rule *rule)
{
	return !(checker_value(rule->field) & rule->mask);
}

bool checker_set(const struct checker_rule *rule)
{
	return (checker_value(rule->field) & rule->mask) == rule->mask;
}

bool checker_any(const struct checker_rule *rule)
{
	return checker_has(rule->field, rule->mask);
}

bool checker_canonical(const struct checker_rule *rule)
{
	return checker_is_canonical(checker_value(rule->field));
}

bool checker_address(const struct checker_rule *rule)
{
	return checker_is_address(checker_value(rule->field), rule->mask);
}

bool checker_pat(const struct checker_rule *rule)
{
	return checker_are_types(checker_value(rule->field));
}

bool checker_cr4(const struct checker_rule *rule)
{
	u64 value = checker_value(rule->field);

	return (value & vmx_caps.cr4_must) == vmx_caps.cr4_must && !(value & ~vmx_caps.cr4_may);
}

static const char *find_in(const struct checker_rules *rules)
{
	for (u32 i = 0; i < rules->count; i++) {
		const struct checker_rule *rule = &rules->rows[i];

		CHECK(rule->text && rule->holds);
		if ((!rule->when_mask || checker_has(rule->when, rule->when_mask)) && !rule->holds(rule))
			return rule->text;
	}
	return NULL;
}

const char *checker_find(void)
{
	static const struct checker_rules *const parts[] = { &checker_controls, &checker_host, &checker_segments,
							     &checker_guest };

	for (u32 i = 0; i < ARRAY_SIZE(parts); i++) {
		CHECK(parts[i]->count > 0);
		const char *text = find_in(parts[i]);

		if (text)
			return text;
	}
	return "no rule that the checker knows";
}
