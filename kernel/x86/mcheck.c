/* SPDX-License-Identifier: BSD-2-Clause */
/* The banks of this CPU: SDM vol. 3B, 16.3; their start, 16.8. */
#include "kernel/x86/mcheck.h"
#include "kernel/lib/check.h"
#include "kernel/lib/log.h"
#include "kernel/x86/cpu.h"

enum { BANKS_MASK = 0xff, REGISTERS_OF_A_BANK = 4 };
enum { BANK_CTL, BANK_STATUS, BANK_ADDRESS, BANK_MISC };

#define CAP_CTL BIT(8) /* IA32_MCG_CTL exists */
#define BANK_VALID BIT(63)
#define BANK_HAS_MISC BIT(59)
#define BANK_HAS_ADDRESS BIT(58)

static u32 bank_msr(u32 bank, u32 which)
{
	return MSR_MC0_CTL + bank * REGISTERS_OF_A_BANK + which;
}

static struct mc_global read_global(void)
{
	if (!cpu_has(FEATURE_MCE) || !cpu_has(FEATURE_MCA))
		return (struct mc_global){ 0 };
	return (struct mc_global){ msr_read(MSR_MCG_CAP), msr_read(MSR_MCG_STATUS) };
}

static u32 banks_of(const struct mc_global *global)
{
	return global->capabilities & BANKS_MASK;
}

/* Address and miscellaneous registers may not exist where the status does not say that they are valid. */
static struct mc_bank read_bank(u32 number)
{
	struct mc_bank bank = { .status = msr_read(bank_msr(number, BANK_STATUS)) };

	if (!(bank.status & BANK_VALID))
		return (struct mc_bank){ 0 };
	if (bank.status & BANK_HAS_ADDRESS)
		bank.address = msr_read(bank_msr(number, BANK_ADDRESS));
	if (bank.status & BANK_HAS_MISC)
		bank.misc = msr_read(bank_msr(number, BANK_MISC));
	return bank;
}

void mcheck_enable(void)
{
	struct mc_global global = read_global();

	if (global.capabilities & CAP_CTL)
		msr_write(MSR_MCG_CTL, ~0ULL);
	for (u32 i = 0; i < banks_of(&global); i++) {
		struct mc_bank bank = read_bank(i);

		if (bank.status)
			log_line("machine check before this start: bank %u status 0x%llx address 0x%llx", i, bank.status,
				 bank.address);
		msr_write(bank_msr(i, BANK_STATUS), 0);
		if (msr_read(bank_msr(i, BANK_CTL)) == 0) /* what firmware has chosen stays */
			msr_write(bank_msr(i, BANK_CTL), ~0ULL);
	}
}

void mcheck_judge(struct mc_verdict *verdict)
{
	*verdict = (struct mc_verdict){ .global = read_global() };
	for (u32 i = 0; i < banks_of(&verdict->global); i++) {
		struct mc_bank bank = read_bank(i);

		mc_weigh(verdict, i, &bank);
	}
}

/* What another logical processor must act on stays for it. */
void mcheck_done(const struct mc_verdict *verdict)
{
	CHECK(verdict->kind < MC_FATAL);
	for (u32 i = 0; i < banks_of(&verdict->global); i++) {
		struct mc_bank bank = read_bank(i);

		if (bank.status && mc_classify(&verdict->global, &bank) != MC_ELSEWHERE)
			msr_write(bank_msr(i, BANK_STATUS), 0);
	}
	if (verdict->global.capabilities)
		msr_write(MSR_MCG_STATUS, 0);
}

void mcheck_dump(void (*line)(const char *format, ...))
{
	static const char *const names[] = {
		[MC_SILENT] = "silent",       [MC_NOTED] = "no action",   [MC_OPTIONAL] = "action optional",
		[MC_ELSEWHERE] = "elsewhere", [MC_FRAME] = "recoverable", [MC_FATAL] = "fatal",
	};
	struct mc_global global = read_global();
	bool any = false;

	line("machine check: %u banks, MCG_STATUS 0x%llx", banks_of(&global), global.status);
	for (u32 i = 0; i < banks_of(&global); i++) {
		struct mc_bank bank = read_bank(i);

		if (!bank.status)
			continue;
		any = true;
		line("bank %u: status 0x%llx address 0x%llx misc 0x%llx (%s)", i, bank.status, bank.address, bank.misc,
		     names[mc_classify(&global, &bank)]);
	}
	if (!any)
		line("no bank says why");
}
