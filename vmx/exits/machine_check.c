/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine check while a guest ran, or while it was being entered.  One page of the guest's own memory has failed: that VM ends, and the
 * page's frame goes to nobody else.  Anything else is the host's, through its own gate, which stops the machine.
 */
#include "kernel/core/cpu.h"
#include "kernel/lib/log.h"
#include "kernel/x86/mcheck.h"
#include "vmx/exit.h"

/* Page numbers have 32 bits: what lies above must not wrap around into memory. */
static bool only_the_vm_s(const struct vcpu *v, const struct mc_verdict *verdict)
{
	u64 address = verdict->bank.address;

	return verdict->kind == MC_FRAME && address >> (32 + PAGE_SHIFT) == 0 &&
	       mm_frame_failed(v->config.mm, mpn_of((mpa_t){ address }));
}

enum exit_action exit_machine_check(struct vcpu *v)
{
	struct mc_verdict verdict;

	mcheck_judge(&verdict);
	if (mc_goes_on(&verdict, cpu_count > 1)) {
		mcheck_done(&verdict);
		log_line("machine check: CPU %u only heard of it, MCG_STATUS 0x%llx", cpu_index(), verdict.global.status);
		return EXIT_RESUME;
	}
	if (only_the_vm_s(v, &verdict)) {
		mcheck_done(&verdict);
		return vcpu_kill(v, "its memory failed: machine check, bank %u, status 0x%llx, machine address 0x%llx",
				 verdict.number, verdict.bank.status, verdict.bank.address);
	}
	__asm__ volatile("int $18" : : : "memory");
	return EXIT_RESUME;
}
