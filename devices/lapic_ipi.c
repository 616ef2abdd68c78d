/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between LAPICs and from the IOAPIC: who is addressed, and what arrives (SDM vol. 3A, 11.6 and 11.12.9). */
#include "devices/pc.h"

enum { BROADCAST8 = 0xff, ID_SHIFT = 24, CLUSTER_MASK = 0xf };
#define BROADCAST32 UINT32_MAX

enum {
	ICR_MODE_SHIFT = 8,
	ICR_MODE_MASK = 7,
	ICR_LOGICAL = 1 << 11,
	ICR_ASSERT = 1 << 14,
	ICR_LEVEL = 1 << 15,
	ICR_SHORTHAND_SHIFT = 18,
	ICR_SHORTHAND_MASK = 3,
};

enum shorthand { DESTINATION, SELF, ALL, OTHERS };

static u32 peek(const u32 *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* x2APIC: cluster in the high half, one bit of 16 in the low one; both derived from the ID. */
static u32 x2apic_ldr(const struct lapic *lapic)
{
	return (lapic->id >> 4) << 16 | 1U << (lapic->id & 0xf);
}

static bool logical_x2apic(const struct lapic *lapic, u32 dest)
{
	u32 ldr = x2apic_ldr(lapic);

	return dest >> 16 == ldr >> 16 && dest & ldr & 0xffff;
}

static bool logical_xapic(const struct lapic *lapic, u32 dest)
{
	u32 logical = peek(&lapic->ldr) >> ID_SHIFT;

	if (dest > BROADCAST8)
		return false;
	if (peek(&lapic->dfr) >> 28 == 0xf) /* flat */
		return dest & logical;
	return dest >> 4 == logical >> 4 && dest & logical & CLUSTER_MASK;
}

static bool addressed(const struct lapic *lapic, const struct lapic_message *message)
{
	u32 everybody = message->wide ? BROADCAST32 : BROADCAST8;

	if (!lapic_enabled(lapic))
		return false;
	if (message->dest == everybody)
		return true;
	if (!message->logical)
		return message->dest == lapic->id;
	return lapic_x2apic(lapic) ? logical_x2apic(lapic, message->dest) : logical_xapic(lapic, message->dest);
}

/* True if it was taken: a software-disabled LAPIC takes no vectors, but it hears NMI, INIT and SIPI. */
static bool take(struct pc *pc, u32 vcpu, const struct lapic_message *message)
{
	struct lapic *lapic = &pc->lapic[vcpu];

	switch (message->mode) {
	case MODE_FIXED:
	case MODE_LOWEST:
		if (!(peek(&lapic->svr) & SVR_ENABLE))
			return false;
		if (message->vector < LAPIC_FIRST_VECTOR) {
			lapic_error(pc, lapic, ESR_RECEIVE_VECTOR);
			return false;
		}
		lapic_request(pc, lapic, message->vector, message->level);
		return true;
	case MODE_NMI:
		pc->host->nmi(pc->vm, vcpu);
		return true;
	case MODE_INIT:
		pc->host->init(pc->vm, vcpu);
		return true;
	case MODE_SIPI:
		pc->host->sipi(pc->vm, vcpu, message->vector);
		return true;
	default: /* SMI: there is no SMM here. ExtINT: the 8259s are wired to LINT0. */
		return false;
	}
}

/* Lowest priority goes to one of those addressed; LAPIC after LAPIC wins ties, so that load spreads with TPR alone. */
static bool send_lowest(struct pc *pc, const struct lapic_message *message)
{
	u32 best = PC_MAX_VCPUS, best_priority = 0;

	for (u32 i = 0; i < pc->vcpus; i++) {
		const struct lapic *lapic = &pc->lapic[i];

		if (!addressed(lapic, message) || !(peek(&lapic->svr) & SVR_ENABLE))
			continue;
		if (best == PC_MAX_VCPUS || lapic_ppr(lapic) < best_priority) {
			best = i;
			best_priority = lapic_ppr(lapic);
		}
	}
	return best < PC_MAX_VCPUS && take(pc, best, message);
}

bool lapic_send(struct pc *pc, const struct lapic_message *message)
{
	bool taken = false;

	if (message->mode == MODE_LOWEST)
		return send_lowest(pc, message);
	for (u32 i = 0; i < pc->vcpus; i++)
		if (addressed(&pc->lapic[i], message))
			taken |= take(pc, i, message);
	return taken;
}

/* ---- ICR ---- */

/* Self and "all including self" carry only vectors: a processor cannot NMI or reset itself by shorthand. */
static void send_shorthand(struct pc *pc, u32 self, enum shorthand to, const struct lapic_message *message)
{
	for (u32 i = 0; i < pc->vcpus; i++) {
		if (i == self ? to == OTHERS || !lapic_mode_has_vector(message->mode) : to == SELF)
			continue;
		if (lapic_enabled(&pc->lapic[i]))
			(void)take(pc, i, message);
	}
}

void lapic_ipi(struct pc *pc, struct lapic *lapic)
{
	u32 icr = lapic->icr;
	enum shorthand to = icr >> ICR_SHORTHAND_SHIFT & ICR_SHORTHAND_MASK;
	struct lapic_message message = {
		.dest = lapic_x2apic(lapic) ? lapic->icr_high : lapic->icr_high >> ID_SHIFT,
		.vector = (u8)icr,
		.mode = icr >> ICR_MODE_SHIFT & ICR_MODE_MASK,
		.logical = icr & ICR_LOGICAL,
		.wide = lapic_x2apic(lapic),
	};

	if (message.mode == MODE_EXTINT || message.mode == MODE_SMI)
		return;
	/* INIT level de-assert only resynchronised arbitration IDs, on buses long gone. */
	if (message.mode == MODE_INIT && (icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
		return;
	if (lapic_mode_has_vector(message.mode) && message.vector < LAPIC_FIRST_VECTOR)
		lapic_error(pc, lapic, ESR_SEND_VECTOR);
	else if (to == DESTINATION)
		(void)lapic_send(pc, &message);
	else
		send_shorthand(pc, (u32)(lapic - pc->lapic), to, &message);
}
