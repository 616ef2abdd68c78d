/* SPDX-License-Identifier: BSD-2-Clause */
/* The invariants of the whole PC: each device's own, and that lines and deadlines are what everybody believes they are. */
#include "devices/pc.h"

/* Both interrupt controllers hear the same ISA lines; the cascade and the timer's pin are wired differently. */
static const char *lines_audit(struct pc *pc)
{
	for (u32 irq = 0; irq < PIC_LINES; irq++) {
		u32 pin = irq == IRQ_PIT ? 2 : irq;

		if (irq != IRQ_CASCADE && (pc->pic[irq / 8].lines >> irq % 8 & 1) != (pc->ioapic.lines >> pin & 1))
			return "pc: the 8259s and the IOAPIC see different lines";
	}
	return NULL;
}

static const char *deadlines_audit(struct pc *pc)
{
	if (pc->chipset_deadline != min_u64(pc->pit.next, min_u64(pc->rtc.next, pc->pm.next)))
		return "pc: the chipset's deadline is not its devices' earliest";
	for (u32 i = 0; i < pc->vcpus; i++) {
		u64 next = min_u64(pc->lapic[i].deadline, i == 0 ? pc->chipset_deadline : PC_NEVER);

		if (pc->lapic[i].told != next && !(pc->lapic[i].told == 0 && next > BIT(62)))
			return "pc: the host was told another deadline";
	}
	return NULL;
}

const char *pc_audit(struct pc *pc)
{
	static const char *(*const audits[])(struct pc *) = {
		pic_audit,    ioapic_audit, pit_audit,   rtc_audit,       pc_uart_audit,
		pc_pci_audit, pm_audit,     lines_audit, deadlines_audit,
	};
	const char *broken = NULL;

	lock_acquire(&pc->lock);
	for (u32 i = 0; i < ARRAY_SIZE(audits) && !broken; i++)
		broken = audits[i](pc);
	for (u32 i = 0; i < pc->vcpus && !broken; i++)
		broken = lapic_audit(pc, i);
	lock_release(&pc->lock);
	return broken;
}
