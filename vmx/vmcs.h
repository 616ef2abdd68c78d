/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The current VMCS of this CPU.  A field carries its width in its type: vmcs_read(GUEST_RIP) is a u64, vmcs_write(VPID, x) takes
 * a u16.  A field that cannot be read or written is a bug of ours: it panics with the field's name, so there is no error to
 * drop.  SDM vol. 3C, 25 and 31; encodings vol. 3D, appendix B.
 */
#pragma once
#include "kernel/lib/check.h"
#include "kernel/lib/types.h"

struct vmcs_16 {
	u32 encoding;
};
struct vmcs_32 {
	u32 encoding;
};
struct vmcs_64 {
	u32 encoding;
};
struct vmcs_natural {
	u32 encoding;
};

enum { VMCS_WIDTH_16 = 0, VMCS_WIDTH_64 = 1, VMCS_WIDTH_32 = 2, VMCS_WIDTH_natural = 3 };

#define FIELD(width, name, code)                                                              \
	_Static_assert(((code) >> 13 & 3) == VMCS_WIDTH_##width, #name " has another width"); \
	enum { ENCODING_##name = (code) };                                                    \
	static const struct vmcs_##width name = { code };
#include "vmx/vmcs.def"
#undef FIELD

/* The field's name; NULL: none of ours. */
const char *vmcs_name(u32 encoding);
/* Of the field with this name, if software may write it; 0: none. (VPID's encoding is 0, too: it cannot be asked for.) */
u32 vmcs_encoding(const char *name);
/* Panics. */
NORETURN void vmcs_failed(u32 encoding);

#ifdef AEROSTAT_HOST
u64 vmcs_read_raw(u32 encoding); /* host tests: an array (tests/unit/support/vmcs_fake.c) */
void vmcs_write_raw(u32 encoding, u64 value);
#else
static inline __attribute__((always_inline)) u64 vmcs_read_raw(u32 encoding)
{
	u64 value;

	__asm__ goto("vmread %q1, %0; jbe %l[failed]" : "=r"(value) : "r"((u64)encoding) : "cc" : failed);
	return value;
failed:
	vmcs_failed(encoding);
}

static inline __attribute__((always_inline)) void vmcs_write_raw(u32 encoding, u64 value)
{
	__asm__ goto("vmwrite %0, %q1; jbe %l[failed]" : : "r"(value), "r"((u64)encoding) : "cc", "memory" : failed);
	return;
failed:
	vmcs_failed(encoding);
}
#endif

#define VMCS_ACCESSORS(width, type)                                                                                 \
	static inline __attribute__((always_inline)) type vmcs_read_##width(struct vmcs_##width field)              \
	{                                                                                                           \
		return (type)vmcs_read_raw(field.encoding);                                                         \
	}                                                                                                           \
	static inline __attribute__((always_inline)) void vmcs_write_##width(struct vmcs_##width field, type value) \
	{                                                                                                           \
		vmcs_write_raw(field.encoding, value);                                                              \
	}
VMCS_ACCESSORS(16, u16)
VMCS_ACCESSORS(32, u32)
VMCS_ACCESSORS(64, u64)
VMCS_ACCESSORS(natural, u64)

#define VMCS_BY_WIDTH(field, function)                \
	_Generic((field), struct vmcs_16              \
		 : function##_16, struct vmcs_32      \
		 : function##_32, struct vmcs_64      \
		 : function##_64, struct vmcs_natural \
		 : function##_natural)
#define vmcs_read(field) VMCS_BY_WIDTH(field, vmcs_read)(field)
#define vmcs_read_wide(field) vmcs_read_raw((field).encoding) /* as 64 bits: an index or a sum needs no widening */
#define vmcs_write(field, value) VMCS_BY_WIDTH(field, vmcs_write)(field, value)

/* Segments in the processor's numbering; the VMCS has their fields two encodings apart in this order. */
enum segment { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS, SEGMENT_LDTR, SEGMENT_TR, SEGMENTS };

static inline u16 segment_selector(enum segment s)
{
	return vmcs_read(((struct vmcs_16){ GUEST_ES_SELECTOR.encoding + 2 * (u32)s }));
}

static inline u64 segment_base(enum segment s)
{
	return vmcs_read(((struct vmcs_natural){ GUEST_ES_BASE.encoding + 2 * (u32)s }));
}

static inline u32 segment_limit(enum segment s)
{
	return vmcs_read(((struct vmcs_32){ GUEST_ES_LIMIT.encoding + 2 * (u32)s }));
}

/* Access rights as in SDM vol. 3C, table 25-2. */
enum {
	RIGHTS_TYPE = 0xf,
	RIGHTS_CODE = 1 << 3, /* of the type */
	RIGHTS_NOT_SYSTEM = 1 << 4,
	RIGHTS_DPL_SHIFT = 5,
	RIGHTS_PRESENT = 1 << 7,
	RIGHTS_LONG = 1 << 13,
	RIGHTS_BIG = 1 << 14,
	RIGHTS_GRANULAR = 1 << 15,
	RIGHTS_UNUSABLE = 1 << 16,
};

static inline u32 segment_rights(enum segment s)
{
	return vmcs_read(((struct vmcs_32){ GUEST_ES_RIGHTS.encoding + 2 * (u32)s }));
}
