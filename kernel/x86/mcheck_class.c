/* SPDX-License-Identifier: BSD-2-Clause */
/* What a machine check means: the rules of SDM vol. 3B, 16.3.2 and 16.6.3, without the processor. */
#include "kernel/x86/mcheck.h"
#include "kernel/lib/check.h"

#define CAP_BANKS 0xffU
#define CAP_RECOVERY BIT(24) /* MCG_SER_P */

#define GLOBAL_RIP_VALID BIT(0)
#define GLOBAL_EIP_VALID BIT(1)
#define GLOBAL_IN_PROGRESS BIT(2)

#define BANK_VALID BIT(63)
#define BANK_OVERFLOW BIT(62)
#define BANK_UNCORRECTED BIT(61)
#define BANK_ENABLED BIT(60)
#define BANK_MISC_VALID BIT(59)
#define BANK_ADDRESS_VALID BIT(58)
#define BANK_CONTEXT_CORRUPT BIT(57)
#define BANK_SIGNALLED BIT(56)
#define BANK_ACTION BIT(55)

enum { MISC_LSB_MASK = 0x3f, MISC_MODE_SHIFT = 6, MISC_MODE_MASK = 7, MODE_PHYSICAL = 2 };

/* One page: the address is physical, and no more of its low bits are unknown than a page has. */
static bool names_a_page(const struct mc_bank *bank)
{
	u64 both = BANK_MISC_VALID | BANK_ADDRESS_VALID;

	return (bank->status & both) == both && (bank->misc >> MISC_MODE_SHIFT & MISC_MODE_MASK) == MODE_PHYSICAL &&
	       (bank->misc & MISC_LSB_MASK) <= PAGE_SHIFT;
}

static enum mc_class action_required(const struct mc_global *global, const struct mc_bank *bank)
{
	if (!(bank->status & BANK_SIGNALLED) || (bank->status & BANK_OVERFLOW) || !(global->status & GLOBAL_RIP_VALID))
		return MC_FATAL;
	if (!(global->status & GLOBAL_EIP_VALID))
		return MC_ELSEWHERE;
	return names_a_page(bank) ? MC_FRAME : MC_FATAL;
}

enum mc_class mc_classify(const struct mc_global *global, const struct mc_bank *bank)
{
	u64 status = bank->status;

	if (!(status & BANK_VALID))
		return MC_SILENT;
	if (!(status & BANK_UNCORRECTED) || !(status & BANK_ENABLED))
		return MC_NOTED;
	if ((status & BANK_CONTEXT_CORRUPT) || !(global->capabilities & CAP_RECOVERY))
		return MC_FATAL;
	if (status & BANK_ACTION)
		return action_required(global, bank);
	return status & BANK_SIGNALLED ? MC_OPTIONAL : MC_NOTED;
}

/* Two pages at once are more than one VM's end can answer. */
void mc_weigh(struct mc_verdict *verdict, u32 number, const struct mc_bank *bank)
{
	enum mc_class kind = mc_classify(&verdict->global, bank);

	CHECK(number < (verdict->global.capabilities & CAP_BANKS));
	if (kind == MC_FRAME && verdict->kind == MC_FRAME)
		kind = MC_FATAL;
	if (kind <= verdict->kind)
		return;
	verdict->kind = kind;
	verdict->number = number;
	verdict->bank = *bank;
}

/* Who finds nothing that explains the exception, and was not at fault, only heard it: all CPUs get it (16.3.2.2, 16.6.3). */
bool mc_goes_on(const struct mc_verdict *verdict, bool others)
{
	u64 flags = GLOBAL_RIP_VALID | GLOBAL_EIP_VALID | GLOBAL_IN_PROGRESS;

	if ((verdict->global.status & flags) != (GLOBAL_RIP_VALID | GLOBAL_IN_PROGRESS) || verdict->kind >= MC_FRAME)
		return false;
	return others || verdict->kind == MC_OPTIONAL;
}
