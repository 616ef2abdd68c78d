/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory-type range registers: state with the processor's checks.  EPT makes guest memory write-back whatever they say. SDM vol. 3A, 12.11. */
#include "devices/bus.h"
#include "vmx/cpuid.h"
#include "vmx/msr_rows.h"

enum { TYPE_UNCACHED = 0, TYPE_WRITE_BACK = 6, TYPE_MOST = 7 };
enum { VARIABLE_FIRST = 0x200, VARIABLE_END = 0x210, DEF_TYPE = 0x2ff };
enum { CAP_VARIABLE = 8, CAP_FIXED = 1 << 8, CAP_WRITE_COMBINING = 1 << 10 };
enum { DEF_TYPE_FIXED = 1 << 10, DEF_TYPE_ENABLE = 1 << 11 };
#define MASK_VALID BIT(11)
#define LOW_BITS 0xfffULL
#define ALL_WRITE_BACK 0x0606060606060606ULL

static const u32 fixed[] = { 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f };
_Static_assert(ARRAY_SIZE(fixed) == ARRAY_SIZE(((struct vcpu_soft *)0)->mtrr_fixed), "one word each");

static u64 *slot_of(struct vcpu *v, u32 msr)
{
	if (msr >= VARIABLE_FIRST && msr < VARIABLE_END)
		return (msr & 1 ? v->soft.mtrr_mask : v->soft.mtrr_base) + (msr - VARIABLE_FIRST) / 2;
	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
		if (fixed[i] == msr)
			return &v->soft.mtrr_fixed[i];
	return &v->soft.mtrr_def_type;
}

static bool is_type(u64 type)
{
	return type < TYPE_MOST && type != 2 && type != 3;
}

static bool is_valid(const struct vcpu *v, u32 msr, u64 value)
{
	u64 address = ((1ULL << cpuid_address_bits(v)) - 1) & ~LOW_BITS;

	if (msr == DEF_TYPE)
		return is_type(value & 0xff) && !(value & ~(u64)(0xff | DEF_TYPE_FIXED | DEF_TYPE_ENABLE));
	if (msr >= VARIABLE_END) {
		for (u32 i = 0; i < 8; i++)
			if (!is_type(value >> 8 * i & 0xff))
				return false;
		return true;
	}
	if (msr & 1)
		return !(value & ~(address | MASK_VALID));
	return is_type(value & 0xff) && !(value & ~(address | 0xff));
}

err_t read_mtrr_cap(struct vcpu *v, u32 msr, u64 *value)
{
	(void)v, (void)msr;
	*value = CAP_VARIABLE | CAP_FIXED | CAP_WRITE_COMBINING;
	return OK;
}

err_t read_mtrr(struct vcpu *v, u32 msr, u64 *value)
{
	*value = *slot_of(v, msr);
	return OK;
}

err_t write_mtrr(struct vcpu *v, u32 msr, u64 value)
{
	if (!is_valid(v, msr, value))
		return E_INVALID;
	*slot_of(v, msr) = value;
	return OK;
}

/* As firmware leaves them: memory is write-back, what lies between it and 4 GiB is devices'. */
void mtrr_reset(struct vcpu *v)
{
	u64 hole = (1ULL << 32) - PC_LOW_MEMORY_END;

	for (u32 i = 0; i < ARRAY_SIZE(fixed); i++)
		v->soft.mtrr_fixed[i] = ALL_WRITE_BACK;
	for (u32 i = 0; i < CAP_VARIABLE; i++)
		v->soft.mtrr_base[i] = v->soft.mtrr_mask[i] = 0;
	v->soft.mtrr_base[0] = PC_LOW_MEMORY_END | TYPE_UNCACHED;
	v->soft.mtrr_mask[0] = (((1ULL << cpuid_address_bits(v)) - 1) & ~(hole - 1)) | MASK_VALID;
	v->soft.mtrr_def_type = DEF_TYPE_ENABLE | DEF_TYPE_FIXED | TYPE_WRITE_BACK;
}
