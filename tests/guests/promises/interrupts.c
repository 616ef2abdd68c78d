/* SPDX-License-Identifier: BSD-2-Clause */
/* When interrupts and NMIs come, and when not: IF, the shadows of STI and MOV SS, task priority, NMI blocking. */
#include "tests/guests/promises/promises.h"

enum { VECTOR_LOW = 0x51, VECTOR_HIGH = 0x92, MOV_SS_INTERRUPTS = 200, IRR_BITS = 32 };

static void ask_self(u8 vector)
{
	apic_send(apic_id(), ICR_FIXED | vector);
}

static bool is_requested(u8 vector)
{
	return apic_read(APIC_IRR + vector / IRR_BITS) >> vector % IRR_BITS & 1;
}

static volatile u32 came;
static volatile u64 came_at;

static void interrupt(struct frame *frame)
{
	came = came + 1;
	came_at = frame->rip;
	apic_eoi();
}

/* ---- IF and the shadow of STI: shadows.asm ---- */

extern const struct shadow {
	void (*code)(u64 device, void *fresh);
	u64 after;
	const char *name;
} shadows[];

static const char *a_pending_interrupt_comes_behind_the_shadow(void)
{
	interrupt_on(VECTOR_LOW, interrupt);
	for (const struct shadow *shadow = shadows; shadow->code; shadow++) {
		interrupts_off();
		came = 0;
		ask_self(VECTOR_LOW);
		EXPECT(is_requested(VECTOR_LOW) && came == 0, "%s: not pending before", shadow->name);
		shadow->code(IOAPIC_AT, fresh_pages(1));
		EXPECT(came == 1, "%s: came %u times", shadow->name, came);
		EXPECT(came_at == shadow->after, "%s: came at 0x%llx, not at 0x%llx", shadow->name, came_at, shadow->after);
	}
	return NULL;
}

static const char *sti_and_cli_let_nothing_through(void)
{
	interrupt_on(VECTOR_LOW, interrupt);
	interrupts_off();
	came = 0;
	ask_self(VECTOR_LOW);
	for (u32 i = 0; i < 10; i++)
		__asm__ volatile("sti; cli" : : : "memory");
	u32 early = came;
	__asm__ volatile("sti; nop; cli" : : : "memory");
	EXPECT(early == 0 && came == 1, "%u between, %u in all", early, came);
	return NULL;
}

/* ---- MOV SS: timer interrupts at all moments, but never between it and its successor ---- */

void mov_ss_loop(u64 device, const volatile u32 *count, u64 until);
extern const u64 mov_ss_forbidden[], mov_ss_forbidden_end[];
static volatile u32 inside;

static void timer(struct frame *frame)
{
	static u32 random = 1;

	for (const u64 *at = mov_ss_forbidden; at < mov_ss_forbidden_end; at++)
		inside = inside + (frame->rip == *at);
	came = came + 1;
	random = random * 1103515245 + 12345;
	apic_eoi();
	timer_arm(1 + (random >> 16) % 40);
}

static const char *no_interrupt_comes_behind_mov_ss(void)
{
	came = inside = 0;
	interrupt_on(VECTOR_TIMER, timer);
	timer_arm(1);
	interrupts_enable();
	mov_ss_loop(IOAPIC_AT, &came, MOV_SS_INTERRUPTS);
	interrupts_off();
	timer_arm(0);
	EXPECT(inside == 0, "%u of %u came there", inside, came);
	return NULL;
}

/* ---- task priority ---- */

static const char *cr8_is_the_task_priority(void)
{
	for (u64 class = 0; class < 16; class ++) {
		cr8_write(class);
		EXPECT(apic_read(APIC_TPR) == class << 4 && cr8_read() == class, "CR8 %llu: TPR is 0x%x, CR8 %llu", class,
		       apic_read(APIC_TPR), cr8_read());
		apic_write(APIC_TPR, (u32)(class << 4 | 5));
		EXPECT(cr8_read() == class && apic_read(APIC_TPR) == (class << 4 | 5), "TPR 0x%llx: CR8 is %llu", class << 4 | 5,
		       cr8_read());
	}
	cr8_write(0);
	EXPECT(cr8_write_raises(16) == VECTOR_GP && cr8_write_raises(BIT(32)) == VECTOR_GP, "CR8 takes more than four bits");
	return NULL;
}

static void lower_by_register(u32 priority)
{
	cr8_write(priority >> 4);
}

static void lower_by_apic(u32 priority)
{
	apic_write(APIC_TPR, priority);
}

static const char *priority_masks(void (*lower)(u32 priority))
{
	u32 class = VECTOR_LOW & 0xf0;

	came = 0;
	lower(class);
	ask_self(VECTOR_LOW);
	interrupts_enable();
	wait_us(10);
	EXPECT(came == 0 && is_requested(VECTOR_LOW), "an interrupt of the same class came");
	ask_self(VECTOR_HIGH);
	EXPECT(came == 1 && !is_requested(VECTOR_HIGH), "an interrupt of a higher class did not come");
	lower(class - 1);
	u32 now = came; /* at once: before the next instruction that looks */
	interrupts_off();
	lower(0);
	EXPECT(now == 2, "it did not come when the priority fell below its class");
	return NULL;
}

static const char *task_priority_masks_until_it_falls(void)
{
	const char *trouble;

	interrupt_on(VECTOR_LOW, interrupt);
	interrupt_on(VECTOR_HIGH, interrupt);
	trouble = priority_masks(lower_by_register);
	if (!trouble)
		trouble = priority_masks(lower_by_apic);
	interrupts_off();
	cr8_write(0);
	return trouble;
}

/* Registers in memory instead of MSRs. */
static const char *by_memory(const char *(*promise)(void))
{
	bool x2 = apic_x2();

	interrupts_off();
	apic_set_mode(false);
	const char *trouble = promise();
	apic_set_mode(x2);
	return trouble;
}

static const char *cr8_is_the_task_priority_of_an_xapic(void)
{
	return by_memory(cr8_is_the_task_priority);
}

static const char *task_priority_of_an_xapic_masks_until_it_falls(void)
{
	return by_memory(task_priority_masks_until_it_falls);
}

static volatile u32 order[4], ordered;

static void note_order(struct frame *frame)
{
	if (ordered < ARRAY_SIZE(order))
		order[ordered] = (u32)frame->vector;
	ordered = ordered + 1;
	if (frame->vector == VECTOR_LOW) {
		ask_self(VECTOR_LOW + 1); /* the same class: after the end of this one */
		ask_self(VECTOR_HIGH);    /* a higher one: in between */
		interrupts_enable();
		__asm__ volatile("nop; nop");
		interrupts_off();
	}
	apic_eoi();
}

static const char *an_interrupt_in_service_masks_its_class(void)
{
	static const u32 expected[] = { VECTOR_LOW, VECTOR_HIGH, VECTOR_LOW + 1 };

	ordered = 0;
	for (u32 i = 0; i < ARRAY_SIZE(expected); i++)
		interrupt_on((u8)expected[i], note_order);
	interrupts_off();
	ask_self(VECTOR_LOW);
	interrupts_enable();
	wait_us(10);
	interrupts_off();
	EXPECT(ordered == ARRAY_SIZE(expected), "%u came", ordered);
	for (u32 i = 0; i < ARRAY_SIZE(expected); i++)
		EXPECT(order[i] == expected[i], "number %u was vector 0x%x", i, order[i]);
	return NULL;
}

/* ---- NMI ---- */

static volatile u32 nmis, nested, deepest, inside_first;
static bool unblock_early;

static void software(struct frame *frame)
{
	(void)frame;
}

static void nmi(struct frame *frame)
{
	(void)frame;
	nmis = nmis + 1;
	nested = nested + 1;
	deepest = deepest < nested ? nested : deepest;
	if (nmis == 1) {
		for (u32 i = 0; i < 3; i++)
			apic_send(apic_id(), ICR_NMI); /* one stays pending, the others vanish in it */
		(void)cpuid(0, 0);
		if (unblock_early)
			__asm__ volatile("int %0" : : "i"(VECTOR_LOW)); /* the IRET of its handler ends the blocking */
		inside_first = nmis;
	}
	nested = nested - 1;
}

static void send_nmi(bool early)
{
	nmis = nested = deepest = inside_first = 0;
	unblock_early = early;
	interrupt_on(VECTOR_NMI, nmi);
	interrupt_on(VECTOR_LOW, software);
	interrupts_off(); /* no matter for an NMI */
	apic_send(apic_id(), ICR_NMI);
	(void)cpuid(0, 0);
}

static const char *an_nmi_blocks_others_until_iret(void)
{
	send_nmi(false);
	EXPECT(nmis == 2, "%u came", nmis);
	EXPECT(deepest == 1 && inside_first == 1, "nested %u deep", deepest);
	return NULL;
}

static const char *any_iret_ends_nmi_blocking(void)
{
	send_nmi(true);
	EXPECT(nmis == 2 && inside_first == 2, "%u came, %u before the handler's end", nmis, inside_first);
	return NULL;
}

static void quiet_nmi(struct frame *frame)
{
	nmis = nmis + 1;
	came_at = frame->rip;
}

/* The NMI's own shadow: it may come before or behind the instruction, but it comes once and the guest goes on. */
static const char *an_nmi_in_the_shadow_of_sti_is_not_lost(void)
{
	interrupt_on(VECTOR_NMI, quiet_nmi);
	nmis = 0;
	for (u32 i = 1; i <= 20; i++) {
		u32 apic = apic_id();

		if (apic_x2())
			__asm__ volatile("sti; wrmsr; cli" : : "c"(MSR_X2APIC + APIC_ICR), "a"(ICR_NMI), "d"(apic) : "memory");
		else
			apic_send(apic, ICR_NMI);
		__asm__ volatile("sti; cpuid; cli" : : "a"(0), "c"(0) : "rbx", "rdx", "memory");
		EXPECT(nmis == i, "%u came of %u", nmis, i);
	}
	return NULL;
}

static const struct promise list[] = {
	{ "a_pending_interrupt_comes_behind_the_shadow", a_pending_interrupt_comes_behind_the_shadow },
	{ "sti_and_cli_let_nothing_through", sti_and_cli_let_nothing_through },
	{ "no_interrupt_comes_behind_mov_ss", no_interrupt_comes_behind_mov_ss },
	{ "cr8_is_the_task_priority", cr8_is_the_task_priority },
	{ "task_priority_masks_until_it_falls", task_priority_masks_until_it_falls },
	{ "cr8_is_the_task_priority_of_an_xapic", cr8_is_the_task_priority_of_an_xapic },
	{ "task_priority_of_an_xapic_masks_until_it_falls", task_priority_of_an_xapic_masks_until_it_falls },
	{ "an_interrupt_in_service_masks_its_class", an_interrupt_in_service_masks_its_class },
	{ "an_nmi_blocks_others_until_iret", an_nmi_blocks_others_until_iret },
	{ "any_iret_ends_nmi_blocking", any_iret_ends_nmi_blocking },
	{ "an_nmi_in_the_shadow_of_sti_is_not_lost", an_nmi_in_the_shadow_of_sti_is_not_lost },
};
PROMISES(interrupts, list);
