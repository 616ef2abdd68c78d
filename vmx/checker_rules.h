/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules of VM entry as rows, in the order in which the processor may look: controls, host state, guest state.  Most are data: when
 * a bit of `when_mask` is set in `when` (when_mask 0: always), `holds` looks at `field` and `mask`.  Rules that need the contents of
 * memory (virtual-APIC page, VMCS behind the link pointer) are not here: we use neither.
 */
#pragma once
#include "vmx/vmcs.h"

struct checker_rule {
	const char *text;
	bool (*holds)(const struct checker_rule *rule);
	u32 when;
	u64 when_mask;
	u32 field;
	u64 mask;
};

struct checker_rules {
	const struct checker_rule *rows;
	u32 count;
};
extern const struct checker_rules checker_controls, checker_host, checker_segments, checker_guest;

/* A field's value; of secondary controls that are not active: 0. */
u64 checker_value(u32 encoding);
static inline bool checker_has(u32 encoding, u64 mask)
{
	return (checker_value(encoding) & mask) != 0;
}

bool checker_is_canonical(u64 address);
bool checker_is_address(u64 address, u64 low_bits);
bool checker_are_types(u64 pat);

/* ---- for `holds` ---- */

bool checker_clear(const struct checker_rule *rule);     /* no bit of mask */
bool checker_set(const struct checker_rule *rule);       /* all bits of mask */
bool checker_any(const struct checker_rule *rule);       /* one bit of mask at least */
bool checker_canonical(const struct checker_rule *rule); /* the field is a canonical address */
bool checker_address(const struct checker_rule *rule);   /* a physical address with the bits of mask clear */
bool checker_pat(const struct checker_rule *rule);       /* eight memory types */
bool checker_cr4(const struct checker_rule *rule);       /* the bits that VMX demands and allows */
