/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset, priority, acknowledge and end of interrupt (SDM vol. 3A, 11.8). */
#include "devices/pc.h"

enum { SVR_AFTER_RESET = 0xff, DFR_FLAT = 0xffffffff, CLASS = 0xf0, BASE_ADDRESS = 0xfee00000 };
enum { LVT_MODE_SHIFT = 8, LVT_MODE_MASK = 7, WORD_BITS = 64 };

static u32 index_of(const struct pc *pc, const struct lapic *lapic)
{
	return (u32)(lapic - pc->lapic);
}

/* Each interrupt asks several times. */
static int highest(const u64 *words)
{
#pragma GCC unroll 4
	for (int i = LAPIC_WORDS - 1; i >= 0; i--) {
		u64 word = __atomic_load_n(&words[i], __ATOMIC_RELAXED);

		if (word)
			return i * WORD_BITS + WORD_BITS - 1 - __builtin_clzll(word);
	}
	return LAPIC_IDLE;
}

static void put(u32 *word, u32 value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static void clear(u64 *words)
{
	for (u32 i = 0; i < LAPIC_WORDS; i++)
		__atomic_store_n(&words[i], 0, __ATOMIC_RELAXED);
}

static void reset_identity(struct lapic *lapic, u32 vcpu)
{
	lapic->base = BASE_ADDRESS | LAPIC_BASE_ENABLE | (vcpu == 0 ? LAPIC_BASE_BSP : 0);
	lapic->id = vcpu;
}

/*
 * Word by word: at an INIT other processors may be sending to this one, and telling the host of its deadline, which is why `told`
 * stays.
 */
void lapic_reset(struct pc *pc, u32 vcpu, bool init)
{
	struct lapic *lapic = &pc->lapic[vcpu];

	CHECK(vcpu < pc->vcpus);
	if (!init)
		reset_identity(lapic, vcpu);
	clear(lapic->irr);
	clear(lapic->isr);
	clear(lapic->tmr);
	__atomic_store_n(&lapic->deadline, PC_NEVER, __ATOMIC_SEQ_CST);
	put(&lapic->tpr, 0);
	put(&lapic->svr, SVR_AFTER_RESET);
	put(&lapic->ldr, 0);
	put(&lapic->dfr, DFR_FLAT);
	put(&lapic->esr_pending, 0);
	for (u32 i = 0; i < LVT_COUNT; i++)
		put(&lapic->lvt[i], LVT_MASKED);
	if (!init && vcpu == 0)
		put(&lapic->lvt[LVT_LINT0], MODE_EXTINT << LVT_MODE_SHIFT); /* virtual wire: what firmware leaves behind */
	lapic->esr = lapic->icr = lapic->icr_high = 0;
	lapic->initial = lapic->divide = 0;
}

bool lapic_takes_extint(const struct lapic *lapic)
{
	u32 lint0 = __atomic_load_n(&lapic->lvt[LVT_LINT0], __ATOMIC_RELAXED);

	if (!lapic_enabled(lapic))
		return lapic->base & LAPIC_BASE_BSP;
	return !(lint0 & LVT_MASKED) && (lint0 >> LVT_MODE_SHIFT & LVT_MODE_MASK) == MODE_EXTINT;
}

u32 lapic_ppr(const struct lapic *lapic)
{
	u32 tpr = __atomic_load_n(&lapic->tpr, __ATOMIC_RELAXED);
	int serving = highest(lapic->isr);

	if (serving == LAPIC_IDLE || (tpr & CLASS) >= ((u32)serving & CLASS))
		return tpr;
	return (u32)serving & CLASS;
}

int lapic_deliverable(const struct lapic *lapic)
{
	int vector = highest(lapic->irr);

	if (vector == LAPIC_IDLE || !lapic_enabled(lapic))
		return LAPIC_IDLE;
	return ((u32)vector & CLASS) > (lapic_ppr(lapic) & CLASS) ? vector : LAPIC_IDLE;
}

/* Its own processor writes it; others read it to find who is least busy. */
static void set_serving(struct lapic *lapic, int vector, bool serving)
{
	u64 bit = BIT(vector % WORD_BITS), *word = &lapic->isr[vector / WORD_BITS];

	__atomic_store_n(word, serving ? *word | bit : *word & ~bit, __ATOMIC_RELAXED);
}

int lapic_acknowledge(struct lapic *lapic)
{
	int vector = lapic_deliverable(lapic);

	if (vector == LAPIC_IDLE)
		return LAPIC_IDLE;
	CHECK(vector >= LAPIC_FIRST_VECTOR);
	set_serving(lapic, vector, true);
	__atomic_fetch_and(&lapic->irr[vector / WORD_BITS], ~BIT(vector % WORD_BITS), __ATOMIC_SEQ_CST);
	return vector;
}

void lapic_recheck(struct pc *pc, struct lapic *lapic)
{
	if (pc_interrupt_pending(pc, index_of(pc, lapic)))
		pc->host->interrupt(pc->vm, index_of(pc, lapic));
}

static bool any_request(const struct lapic *lapic)
{
	u64 any = 0;

	for (u32 i = 0; i < LAPIC_WORDS; i++)
		any |= __atomic_load_n(&lapic->irr[i], __ATOMIC_RELAXED);
	return any != 0;
}

static void broadcast_eoi(struct pc *pc, u8 vector)
{
	lock_acquire(&pc->lock);
	ioapic_eoi(pc, vector);
	lock_release(&pc->lock);
}

void lapic_eoi(struct pc *pc, struct lapic *lapic)
{
	int vector = highest(lapic->isr);

	if (vector == LAPIC_IDLE)
		return;
	u64 bit = BIT(vector % WORD_BITS);

	set_serving(lapic, vector, false);
	if (__builtin_expect((__atomic_load_n(&lapic->tmr[vector / WORD_BITS], __ATOMIC_RELAXED) & bit) != 0, 0))
		broadcast_eoi(pc, (u8)vector);
	if (any_request(lapic))
		lapic_recheck(pc, lapic);
}

/* ---- requests ---- */

void lapic_request(struct pc *pc, struct lapic *lapic, u8 vector, bool level)
{
	u64 bit = BIT(vector % WORD_BITS), *tmr = &lapic->tmr[vector / WORD_BITS];

	CHECK(vector >= LAPIC_FIRST_VECTOR);
	/* TMR first: whoever sees the request sees how it ends. */
	if (level)
		__atomic_fetch_or(tmr, bit, __ATOMIC_SEQ_CST);
	else if (__atomic_load_n(tmr, __ATOMIC_RELAXED) & bit)
		__atomic_fetch_and(tmr, ~bit, __ATOMIC_SEQ_CST);
	if (!(__atomic_fetch_or(&lapic->irr[vector / WORD_BITS], bit, __ATOMIC_SEQ_CST) & bit))
		pc->host->interrupt(pc->vm, index_of(pc, lapic));
}

void lapic_fire(struct pc *pc, struct lapic *lapic, enum lapic_lvt lvt)
{
	u32 entry = __atomic_load_n(&lapic->lvt[lvt], __ATOMIC_RELAXED);
	u8 vector = (u8)entry;

	if (entry & LVT_MASKED || !lapic_enabled(lapic))
		return;
	if (vector >= LAPIC_FIRST_VECTOR)
		lapic_request(pc, lapic, vector, false);
	else if (lvt != LVT_ERROR)
		lapic_error(pc, lapic, ESR_RECEIVE_VECTOR); /* an error vector that is itself wrong has nowhere to go */
}

void lapic_error(struct pc *pc, struct lapic *lapic, u32 esr_bit)
{
	__atomic_fetch_or(&lapic->esr_pending, esr_bit, __ATOMIC_SEQ_CST);
	lapic_fire(pc, lapic, LVT_ERROR);
}

/* ---- the processor's side ---- */

bool pc_interrupt_pending(struct pc *pc, u32 vcpu)
{
	const struct lapic *lapic = &pc->lapic[vcpu];

	CHECK(vcpu < pc->vcpus);
	if (__atomic_load_n(&pc->pic_output, __ATOMIC_RELAXED) && lapic_takes_extint(lapic))
		return true;
	return lapic_deliverable(lapic) != LAPIC_IDLE;
}

/* The 8259's INTR may have gone to another processor, or away, since it was seen. */
static int acknowledge_pic(struct pc *pc)
{
	int vector = LAPIC_IDLE;

	lock_acquire(&pc->lock);
	if (pc->pic_output)
		vector = pic_acknowledge(pc);
	lock_release(&pc->lock);
	return vector;
}

int pc_interrupt_ack(struct pc *pc, u32 vcpu)
{
	struct lapic *lapic = &pc->lapic[vcpu];

	CHECK(vcpu < pc->vcpus);
	if (__atomic_load_n(&pc->pic_output, __ATOMIC_RELAXED) && lapic_takes_extint(lapic)) {
		int vector = acknowledge_pic(pc);

		if (vector != LAPIC_IDLE)
			return vector;
	}
	return lapic_acknowledge(lapic);
}

u8 pc_get_cr8(struct pc *pc, u32 vcpu)
{
	CHECK(vcpu < pc->vcpus);
	return (u8)(pc->lapic[vcpu].tpr >> 4);
}

void pc_set_cr8(struct pc *pc, u32 vcpu, u8 value)
{
	struct lapic *lapic = &pc->lapic[vcpu];
	u32 before = lapic->tpr;

	CHECK(vcpu < pc->vcpus);
	__atomic_store_n(&lapic->tpr, (u32)(value & 0xf) << 4, __ATOMIC_RELAXED);
	if (lapic->tpr < before)
		lapic_recheck(pc, lapic);
}

const char *lapic_audit(struct pc *pc, u32 vcpu)
{
	const struct lapic *lapic = &pc->lapic[vcpu];

	if ((lapic->irr[0] | lapic->isr[0]) & 0xffff)
		return "lapic: a vector below 16 is requested or in service";
	if (lapic->base & LAPIC_BASE_X2APIC && !(lapic->base & LAPIC_BASE_ENABLE))
		return "lapic: x2APIC mode without being enabled";
	if (!(lapic->base & LAPIC_BASE_ENABLE) && lapic->deadline != PC_NEVER)
		return "lapic: a disabled LAPIC has a timer armed";
	if (lapic->tpr > 0xff || lapic->id != vcpu)
		return "lapic: TPR or ID out of range";
	for (u32 i = 0; i < LVT_COUNT; i++)
		if (!(lapic->svr & SVR_ENABLE) && !(lapic->lvt[i] & LVT_MASKED) && i != LVT_LINT0)
			return "lapic: an LVT entry is unmasked while software-disabled";
	return NULL;
}
