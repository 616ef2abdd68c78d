/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole memory engine with real threads, one a CPU, under ThreadSanitizer: guests' accesses, devices, scanner, sampler, balloon, lost tables,
 * VMs that are killed and start again, background work and audit, all at once.  Each page has one CPU that uses it and knows what it must hold, to the
 * byte; what the machine does to it comes from all CPUs.  A write that a comparison or a copy does not wait for is a race, and is seen.
 */
#include "mm/frame.h"
#include "mm/pool.h"
#include "mm/share.h"
#include "mm/vm.h"
#include "tests/unit/support/host.h"
#include "tests/unit/support/platform_fake.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Two VMs of all CPUs, and one each of two CPUs that comes and goes. */
enum { COMMON = 2, VMS = COMMON + 2, PAGES = 560, GROUP = 5, CONTENTS = 4, ROUNDS = 1500, HOT = 24, LIFE = 300, VCPUS = 4 };

/* A page is looked at while its guest may write to it: whatever is seen then is looked at again once it is settled. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void)
{
	return "race:look_at\n";
}

const char *__tsan_default_options(void)
{
	return "history_size=7"; /* to know the older of two accesses by its name, too */
}

static u8 content_of[VMS][PAGES]; /* of the page's own CPU; 0: zeros */
static bool alive[VMS];           /* likewise */
static u64 done, waited, short_of_memory;

static bool is_common(u32 slot)
{
	return slot < COMMON;
}

static void count(err_t error)
{
	CHECK(error == OK || error == E_SUSPEND || error == E_NO_MEMORY);
	__atomic_fetch_add(error == OK ? &done : error == E_SUSPEND ? &waited : &short_of_memory, 1, __ATOMIC_RELAXED);
}

/* ---- what a page holds ---- */

static void make_content(u8 *bytes, u8 content)
{
	memset(bytes, content, PAGE_SIZE);
}

static void expect_content(const u8 *bytes, u32 count_of, u8 content)
{
	for (u32 i = 0; i < count_of; i++)
		CHECK(bytes[i] == content);
}

/* ---- by the page's own CPU ---- */

static void guest(u32 cpu, u32 slot, u32 page, u8 *bytes)
{
	u8 *content = &content_of[slot][page], next = (u8)fake_random(CONTENTS + 1);
	enum mm_access access = fake_random(2) ? MM_WRITE : MM_READ;
	bool stale;

	make_content(bytes, next);
	err_t error = fake_touch(slot, cpu, gpa_of((ppn_t){ page }), bytes, PAGE_SIZE, access, &stale);

	count(error);
	if (!error && access == MM_WRITE)
		*content = next;
	else if (!error)
		expect_content(bytes, PAGE_SIZE, *content);
}

static void device(u32 cpu, u32 slot, u32 page, u8 *bytes)
{
	u8 *content = &content_of[slot][page], next = (u8)fake_random(CONTENTS + 1);
	gpa_t address = gpa_of((ppn_t){ page });

	fake_step_begin();
	make_content(bytes, next);
	err_t error = mm_write(fake_vm(slot), cpu, address, bytes, PAGE_SIZE);

	count(error);
	*content = error ? *content : next;
	error = mm_read(fake_vm(slot), cpu, address, bytes, PAGE_SIZE);
	count(error);
	if (!error)
		expect_content(bytes, PAGE_SIZE, *content);
	fake_step_end();
}

/* In flight beyond any step. */
static void transfer(u32 cpu, u32 slot, u32 page, u8 *bytes)
{
	u8 next = (u8)fake_random(CONTENTS + 1);
	mpn_t mpn;

	(void)bytes;
	fake_step_begin();
	err_t error = mm_pin(fake_vm(slot), cpu, (ppn_t){ page }, MM_WRITE, &mpn);

	fake_step_end();
	count(error);
	if (error)
		return;
	expect_content(platform_frame(mpn), PAGE_SIZE, content_of[slot][page]);
	make_content(platform_frame(mpn), next);
	content_of[slot][page] = next;
	fake_step_begin();
	mm_unpin(fake_vm(slot), (ppn_t){ page });
	fake_step_end();
}

/* A reference that goes a little later has gone before the next access gets through. */
static void give(u32 cpu, u32 slot, u32 page, u8 *bytes)
{
	u32 given = 0;

	(void)bytes;
	fake_step_begin();
	err_t error = mm_balloon_give(fake_vm(slot), cpu, (ppn_t){ page }, 1, &given);

	CHECK(error == OK || error == E_SUSPEND || error == E_STATE || error == E_RANGE || error == E_NO_MEMORY);
	if (given || error == E_SUSPEND)
		content_of[slot][page] = 0;
	given = 0;
	if (fake_random(2))
		error = mm_balloon_take(fake_vm(slot), cpu, (ppn_t){ page }, 1, &given);
	fake_step_end();
}

/* ---- by any CPU ---- */

static void watch(u32 slot, u32 page)
{
	(void)!mm_watch(fake_vm(slot), (ppn_t){ page }, MM_WATCH_GUARDED);
}

static void history(u32 slot, u32 page)
{
	struct mm_history seen;

	CHECK(mm_history(fake_vm(slot), (ppn_t){ page }, &seen) == OK);
}

static void scan(u32 slot, u32 page)
{
	if (page % 8 == 0)
		mm_share_begin_pass(fake_vm(slot));
	for (u32 i = 0; i < 4; i++)
		(void)mm_share_step(8);
}

static void sample(u32 slot, u32 page)
{
	(void)mm_sample_step(fake_vm(slot), platform_time_ns() * 1000000 + page);
}

static void lose_tables(u32 slot, u32 page)
{
	if (page % 16 == 0)
		fake_drop_all(slot);
}

static void usage(u32 slot, u32 page)
{
	struct mm_usage seen;

	(void)page;
	mm_vm_usage(fake_vm(slot), &seen);
	CHECK(seen.resident + seen.ballooned + seen.swapped + seen.compressed + seen.empty == seen.max);
}

static void work(u32 slot, u32 page)
{
	(void)slot;
	(void)page;
	(void)mm_work_step();
}

static void own_frames(u32 slot, u32 page)
{
	mpn_t mpns[6];
	u32 count_of = 0, order = fake_random(3);

	(void)slot;
	while (count_of < ARRAY_SIZE(mpns) && mm_overhead_alloc(order, &mpns[count_of]) == OK)
		memset(platform_frame(mpns[count_of++]), 0x5a, PAGE_SIZE);
	while (count_of)
		mm_overhead_free(mpns[--count_of], order);
	(void)page;
}

static void finding(void *context, const char *line)
{
	(void)context;
	fprintf(stderr, "audit: %s\n", line);
	CHECK(!"audit found something while others worked");
}

static void audit(u32 slot, u32 page)
{
	static __thread struct mm_audit begun;
	static __thread bool goes_on;

	(void)slot;
	(void)page;
	if (!goes_on)
		mm_audit_begin(&begun);
	goes_on = mm_audit_step(&begun, finding, NULL);
}

static void (*const by_owner[])(u32 cpu, u32 slot, u32 page, u8 *bytes) = { guest, guest, guest, guest, device, transfer, give };
static void (*const by_anybody[])(u32 slot, u32 page) = { watch,       history, scan, scan, scan,       sample,
							  lose_tables, usage,   work, work, own_frames, audit };

/* ---- VMs that come and go: of one CPU alone ---- */

static err_t start(u32 slot, u32 pages)
{
	const struct mm_vm_config config = {
		.max_pages = pages, .low_pages = pages, .min_pages = pages / 4, .shares = 10, .group = GROUP, .id = slot + 1
	};
	char why[200];

	return mm_vm_init(fake_vm(slot), &config, why, sizeof(why));
}

static void live(u32 cpu, u32 slot, u32 round, u8 *bytes)
{
	if (!alive[slot]) {
		alive[slot] = start(slot, LIFE) == OK;
		memset(content_of[slot], 0, sizeof(content_of[slot]));
	} else if (round % 64 == 63) {
		fake_step_end();
		while (!mm_vm_release_step(fake_vm(slot))) {
		}
		alive[slot] = false;
	} else {
		by_owner[fake_random(ARRAY_SIZE(by_owner))](cpu, slot, fake_random(LIFE), bytes);
		if (round % 16 == 0)
			mm_share_begin_pass(fake_vm(slot));
	}
}

static u32 own_page(u32 cpu)
{
	u32 page = fake_random(3) ? fake_random(HOT) * 23 : fake_random(PAGES);

	page = page / FAKE_CPUS * FAKE_CPUS + cpu;
	return page < PAGES ? page : cpu;
}

static void *run_cpu(void *argument)
{
	u32 cpu = (u32)(uintptr_t)argument;
	u8 *bytes = malloc(PAGE_SIZE);

	fake_cpu_set(cpu);
	for (u32 round = 0; round < ROUNDS; round++) {
		by_owner[fake_random(ARRAY_SIZE(by_owner))](cpu, fake_random(COMMON), own_page(cpu), bytes);
		fake_step_begin();
		by_anybody[fake_random(ARRAY_SIZE(by_anybody))](fake_random(COMMON), fake_random(PAGES));
		fake_step_end();
		if (cpu < VMS - COMMON)
			live(cpu, COMMON + cpu, round, bytes);
	}
	fake_step_end();
	free(bytes);
	return NULL;
}

/* ---- */

static void expect_all(u32 slot)
{
	for (u32 page = 0; page < PAGES; page++) {
		u64 value = fake_get(slot, page, 8), expected;

		memset(&expected, content_of[slot][page], sizeof(expected));
		assert_int_equal(value, expected);
	}
}

static void run(u64 seed, enum share_mode mode)
{
	pthread_t threads[FAKE_CPUS];

	fake_reset(seed, seed % 2);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	if (mode == SHARE_SECURE)
		assert_int_equal(pool_make(), OK);
	assert_int_equal(mm_sample_set(100, 1000000000), OK);
	share_group_begin(GROUP, mode);
	memset(content_of, 0, sizeof(content_of));
	for (u32 slot = 0; slot < COMMON; slot++)
		assert_int_equal(start(slot, PAGES), OK);
	for (u32 i = 0; i < FAKE_CPUS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_cpu, (void *)(uintptr_t)i), 0);
	for (u32 i = 0; i < FAKE_CPUS; i++)
		pthread_join(threads[i], NULL);
}

static void end(u64 *merged, u64 *copies)
{
	struct mm_totals totals;

	fake_settle_everything();
	fake_audit_memory();
	fake_check();
	for (u32 slot = 0; slot < VMS; slot++) {
		if (is_common(slot))
			expect_all(slot);
		*merged += fake_vm(slot)->scan.counts.merged;
		*copies += fake_vm(slot)->copies;
		if (vm_slots[slot + 1].vm)
			fake_vm_end(slot);
		alive[slot] = false;
	}
	fake_audit_memory();
	mm_totals(&totals);
	assert_int_equal(totals.private_ + totals.debt_frames, 0);
	assert_int_equal(totals.shared_frames, 1);
}

static void four_cpus_at_once_lose_no_byte(void **state)
{
	u64 first = host_number("ENGINE_SEED", 1), last = getenv("ENGINE_SEED") ? first : 3, merged = 0, copies = 0;

	(void)state;
	for (u64 seed = first; seed <= last; seed++) {
		print_message("ENGINE_SEED=%llu (threads: another order each time)\n", seed);
		run(seed, seed % 3 ? SHARE_FAST : SHARE_SECURE);
		end(&merged, &copies);
	}
	print_message("%llu done, %llu waited, %llu short of memory; %llu merged, %llu copied\n", done, waited, short_of_memory,
		      merged, copies);
	assert_true(done > 10000 && waited > 10);
	assert_true(first == last || (merged > 0 && copies > 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(four_cpus_at_once_lose_no_byte) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
