/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm with real threads, one a CPU, under ThreadSanitizer: guests, devices, balloon, sampler, background work, audit, and a VM that comes and
 * goes, all at once.  Each CPU writes its own bytes of a page, so what it reads there is its own mark or zero: never another VM's.
 */
#include "mm/frame.h"
#include "mm/vm.h"
#include "tests/unit/support/platform_fake.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SHARED_VMS = 2, OWN = SHARED_VMS, PAGES = 560, LANE = 16, ROUNDS = 4000, HOT = 24 };

static u64 done, waited, short_of_memory;
static u32 running;

/* The mark of this CPU in this VM, wherever it writes. */
static u8 mark_of(u32 slot, u32 cpu)
{
	return (u8)(0x10 * (slot + 1) + cpu);
}

static u32 some_page(void)
{
	return fake_random(3) ? fake_random(HOT) * 23 : fake_random(PAGES);
}

static void count(err_t error)
{
	CHECK(error == OK || error == E_SUSPEND || error == E_NO_MEMORY);
	__atomic_fetch_add(error == OK ? &done : error == E_SUSPEND ? &waited : &short_of_memory, 1, __ATOMIC_RELAXED);
}

static gpa_t lane_of(u32 page, u32 cpu)
{
	return (gpa_t){ gpa_of((ppn_t){ page }).a + cpu * LANE };
}

static void expect_mark(const u8 *bytes, u32 slot, u32 cpu)
{
	for (u32 i = 0; i < LANE; i++)
		CHECK(bytes[i] == 0 || bytes[i] == mark_of(slot, cpu));
}

static void guest(u32 cpu, u32 slot, u32 page)
{
	static const enum mm_access accesses[] = { MM_READ, MM_WRITE, MM_WRITE, MM_EXECUTE };
	enum mm_access access = accesses[fake_random(4)];
	bool stale;
	u8 bytes[LANE];

	memset(bytes, mark_of(slot, cpu), LANE);
	err_t error = fake_touch(slot, cpu, lane_of(page, cpu), bytes, LANE, access, &stale);

	count(error);
	if (!error)
		expect_mark(bytes, slot, cpu);
}

static void device(u32 cpu, u32 slot, u32 page)
{
	u8 bytes[LANE];
	mpn_t mpn;

	fake_step_begin();
	memset(bytes, mark_of(slot, cpu), LANE);
	count(mm_write(fake_vm(slot), cpu, lane_of(page, cpu), bytes, LANE));
	err_t error = mm_read(fake_vm(slot), cpu, lane_of(page, cpu), bytes, LANE);

	count(error);
	if (!error)
		expect_mark(bytes, slot, cpu);
	error = mm_pin(fake_vm(slot), cpu, (ppn_t){ page }, MM_WRITE, &mpn);
	count(error);
	fake_step_end();
	if (error)
		return;
	/* In flight, beyond any step. */
	memset((u8 *)platform_frame(mpn) + cpu * LANE, mark_of(slot, cpu), LANE);
	fake_step_begin();
	mm_unpin(fake_vm(slot), (ppn_t){ page });
	fake_step_end();
}

static void policies(u32 slot, u32 page)
{
	struct mm_history history;
	struct mm_usage usage;

	fake_step_begin();
	switch (fake_random(5)) {
	case 0:
		(void)!mm_give_up(fake_vm(slot), 0, (ppn_t){ page });
		break;
	case 1:
		(void)!mm_watch(fake_vm(slot), (ppn_t){ page }, MM_WATCH_SAMPLED);
		break;
	case 2:
		(void)!mm_watch(fake_vm(slot), (ppn_t){ page }, MM_WATCH_GUARDED);
		break;
	case 3:
		(void)!mm_history(fake_vm(slot), (ppn_t){ page }, &history);
		break;
	default:
		mm_vm_usage(fake_vm(slot), &usage);
		CHECK(usage.resident + usage.ballooned + usage.empty == usage.max);
	}
	fake_step_end();
}

static void own_frames(void)
{
	mpn_t mpns[6];
	u32 count_of = 0, order = fake_random(3);

	while (count_of < ARRAY_SIZE(mpns) && mm_overhead_alloc(order, &mpns[count_of]) == OK) {
		memset(platform_frame(mpns[count_of]), 0x5a, PAGE_SIZE);
		count_of++;
	}
	while (count_of)
		mm_overhead_free(mpns[--count_of], order);
}

/* ---- CPU 0 has a VM of its own, which comes and goes; it audits, too ---- */

static void life(u32 round)
{
	static bool alive;

	if (!alive) {
		alive = fake_vm_start(OWN, 300, 300) == OK;
	} else if (round % 64 == 0) {
		fake_step_end();
		while (!mm_vm_release_step(fake_vm(OWN))) {
		}
		alive = false;
	} else {
		guest(0, OWN, fake_random(300));
	}
}

static void findings(void *context, const char *line)
{
	(void)context;
	fprintf(stderr, "audit: %s\n", line);
	CHECK(!"audit found something while others worked");
}

static void audit_some(void)
{
	static struct mm_audit audit;
	static bool begun;

	fake_step_begin();
	if (!begun)
		mm_audit_begin(&audit);
	begun = mm_audit_step(&audit, findings, NULL);
	fake_step_end();
}

static void *run_cpu(void *argument)
{
	u32 cpu = (u32)(uintptr_t)argument;

	fake_cpu_set(cpu);
	for (u32 round = 0; round < ROUNDS; round++) {
		u32 slot = fake_random(SHARED_VMS), page = some_page();
		u32 choice = fake_random(12);

		if (choice < 6)
			guest(cpu, slot, page);
		else if (choice < 8)
			device(cpu, slot, page);
		else if (choice < 10)
			policies(slot, page);
		else if (choice == 10)
			own_frames();
		(void)mm_work_step();
		if (cpu == 0) {
			life(round);
			audit_some();
		}
	}
	fake_step_end();
	__atomic_fetch_sub(&running, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void everything_at_once_keeps_every_invariant(void **state)
{
	pthread_t threads[FAKE_CPUS];

	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	for (u32 slot = 0; slot < SHARED_VMS; slot++)
		assert_int_equal(fake_vm_start(slot, PAGES, PAGES), OK);
	running = FAKE_CPUS;
	for (u32 i = 0; i < FAKE_CPUS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_cpu, (void *)(uintptr_t)i), 0);
	for (u32 i = 0; i < FAKE_CPUS; i++)
		pthread_join(threads[i], NULL);
	print_message("%llu done, %llu waited, %llu short of memory; %llu large fills\n", done, waited, short_of_memory,
		      fake_large_fills);
	assert_true(done > 10000 && waited > 10);
	fake_settle_everything();
	fake_audit_memory();
	fake_check();
	for (u32 slot = 0; slot <= OWN; slot++)
		if (vm_slots[slot + 1].vm)
			fake_vm_end(slot);
	struct mm_totals totals;

	mm_totals(&totals);
	assert_int_equal(totals.private_ + totals.debt_frames, 0);
	assert_int_equal(frame_of(frame_zero)->references, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(everything_at_once_keeps_every_invariant) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
