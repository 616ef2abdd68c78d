/* SPDX-License-Identifier: BSD-2-Clause */
/* KVM's clock and steal time, read as Linux reads them. */
#include "kernel/lib/config.h"
#include "tests/unit/support/platform_fake.h"
#include "tests/unit/support/vmx_fake.h"
#include "vmx/exit.h"
#include "vmx/inject.h"
#include "vmx/machine.h"
#include "vmx/msr.h"
#include "vmx/pvclock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NS_PER_S 1000000000ULL

enum { PAGES = 1024, WALL_S = 1700000000, KHZ = 2893437, ROUNDS = 3000 };
enum { WALL_OLD = 0x11, CLOCK_OLD = 0x12, WALL = 0x4b564d00, CLOCK = 0x4b564d01, STEAL = 0x4b564d03, TSC_ADJUST = 0x3b };
enum { STABLE = 1, STOPPED = 2, POISON = 0xa5 };

struct guest_clock {
	u32 version, pad;
	u64 tsc, system;
	u32 multiplier;
	s8 shift;
	u8 flags, pad2[2];
};

struct steal {
	u64 steal;
	u32 version, flags;
	u8 preempted, pad[47];
};

static struct vcpu vcpus[2];

static void begin(void)
{
	vmx_fake_reset();
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(fake_vm_start(0, PAGES, PAGES), OK);
	memset(vcpus, 0, sizeof(vcpus));
	for (u32 i = 0; i < ARRAY_SIZE(vcpus); i++)
		vcpus[i].config = (struct vcpu_config){ .mm = fake_vm(0),
							.index = i,
							.identity = IDENTITY_KVM,
							.tsc_khz = KHZ,
							.host_tsc_khz = KHZ,
							.wall_s = WALL_S };
}

static enum exit_action write_of(struct vcpu *v, u32 number, u64 value)
{
	v->event.info = 0;
	v->regs.rcx = number;
	v->regs.rax = (u32)value;
	v->regs.rdx = value >> 32;
	return msr_write_exit(v);
}

static bool refuses(struct vcpu *v, u32 number, u64 value)
{
	return write_of(v, number, value) == EXIT_INJECT && (v->event.info & 0xff) == VECTOR_GP;
}

/* The write, and what the next entry does. */
static void set(struct vcpu *v, u32 number, u64 value)
{
	assert_int_equal(write_of(v, number, value), EXIT_ADVANCE);
	if (v->notices & NOTICE_CLOCK)
		pvclock_update(v);
	v->notices = 0;
}

static u64 get(struct vcpu *v, u32 number)
{
	v->regs.rcx = number;
	assert_int_equal(msr_read_exit(v), EXIT_ADVANCE);
	return v->regs.rdx << 32 | v->regs.rax;
}

static void read_memory(u64 address, void *to, u32 bytes)
{
	assert_int_equal(mm_read(fake_vm(0), 0, (gpa_t){ address }, to, bytes), OK);
}

static void write_memory(u64 address, const void *from, u32 bytes)
{
	assert_int_equal(mm_write(fake_vm(0), 0, (gpa_t){ address }, from, bytes), OK);
}

static struct guest_clock clock_at(u64 address)
{
	struct guest_clock now;

	read_memory(address, &now, sizeof(now));
	assert_int_equal(now.version & 1, 0);
	return now;
}

static struct steal steal_at(u64 address)
{
	struct steal now;

	read_memory(address, &now, sizeof(now));
	assert_int_equal(now.version & 1, 0);
	return now;
}

/* As pvclock.h of Linux. */
static u64 guest_ns(const struct guest_clock *time, u64 tsc)
{
	u64 delta = tsc - time->tsc;

	delta = time->shift < 0 ? delta >> -time->shift : delta << time->shift;
	return time->system + (u64)((unsigned __int128)delta * time->multiplier >> 32);
}

static u64 pins(void)
{
	struct mm_usage usage;

	mm_vm_usage(fake_vm(0), &usage);
	return usage.pinned;
}

static void end(void)
{
	fake_audit_memory();
	fake_vm_end(0);
}

/* ---- the clock ---- */

static void a_second_is_a_second_at_every_rate(void **state)
{
	static const u64 seconds[] = { 1, 60, 86400, 10 * 365 * 86400ULL };

	(void)state;
	for (u64 khz = 1000; khz < 12000000; khz = khz * 9 / 8 + 7) {
		struct pvclock_scale scale = pvclock_scale(khz);
		struct guest_clock time = { .multiplier = scale.multiplier, .shift = scale.shift };

		assert_true(scale.multiplier >= 1U << 31);
		for (u32 i = 0; i < ARRAY_SIZE(seconds); i++) {
			u64 expected = seconds[i] * NS_PER_S, ns = guest_ns(&time, seconds[i] * khz * 1000);

			if (ns > expected || expected - ns > expected / NS_PER_S + 2)
				fail_msg("%llu kHz: %llu s are %llu ns", khz, seconds[i], ns);
		}
	}
}

static void the_clock_is_where_the_guest_put_it_and_nowhere_else(void **state)
{
	static const u64 addresses[] = { 0x5000, 0x5fe0, 0x6124, 0x10040 };
	u8 before[PAGE_SIZE], after[PAGE_SIZE];

	(void)state;
	begin();
	memset(before, POISON, sizeof(before));
	for (u32 i = 0; i < ARRAY_SIZE(addresses); i++) {
		u64 page = addresses[i] & ~0xfffULL, offset = addresses[i] & 0xfff;

		write_memory(page, before, sizeof(before));
		set(&vcpus[0], i % 2 ? CLOCK : CLOCK_OLD, addresses[i] | 1);
		assert_int_equal(get(&vcpus[0], CLOCK), addresses[i] | 1);
		struct guest_clock time = clock_at(addresses[i]);

		assert_int_equal(time.flags, STABLE | (POISON & STOPPED));
		assert_true(guest_ns(&time, KHZ * 1000ULL) - (NS_PER_S - 2) <= 2);
		read_memory(page, after, sizeof(after));
		memset(after + offset, POISON, sizeof(time));
		assert_memory_equal(before, after, sizeof(before));
		assert_int_equal(pins(), 1);
	}
	set(&vcpus[0], CLOCK, 0x5000);
	assert_int_equal(get(&vcpus[0], CLOCK), 0);
	assert_int_equal(pins(), 0);
	end();
}

static void all_vcpus_have_one_time_and_it_never_goes_back(void **state)
{
	(void)state;
	begin();
	u64 seed = (u64)time(NULL), random = seed, tsc = 0, last = 0;

	printf("seed %llu\n", seed);
	set(&vcpus[0], CLOCK, 0x5000 | 1);
	set(&vcpus[1], CLOCK, 0x5040 | 1);
	for (u32 i = 0; i < ROUNDS; i++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		struct vcpu *v = &vcpus[random >> 33 & 1];
		u64 own = tsc + v->soft.tsc_adjust;
		struct guest_clock time = clock_at(0x5000 + 0x40 * v->config.index);
		u64 now = guest_ns(&time, own);

		if (now < last)
			fail_msg("seed %llu: %llu after %llu", seed, now, last);
		last = now;
		tsc += (random >> 34) % (i % 16 ? 100 : 1ULL << 40);
		if (random >> 60 == 0)
			set(v, TSC_ADJUST, random << 3);
		if (random >> 60 == 1)
			pvclock_update(v);
	}
	end();
}

static void a_version_is_new_and_even_whatever_was_there(void **state)
{
	static const u32 versions[] = { 0, 1, 2, 77, UINT32_MAX, UINT32_MAX - 1 };

	(void)state;
	begin();
	set(&vcpus[0], CLOCK, 0x5000 | 1);
	for (u32 i = 0; i < ARRAY_SIZE(versions); i++) {
		write_memory(0x5000, &versions[i], sizeof(versions[i]));
		pvclock_update(&vcpus[0]);
		assert_int_not_equal(clock_at(0x5000).version, versions[i]);
	}
	end();
}

static void a_pause_is_told_once_and_stays_until_seen(void **state)
{
	(void)state;
	begin();
	set(&vcpus[0], CLOCK, 0x5000 | 1);
	assert_int_equal(clock_at(0x5000).flags, STABLE);
	vcpu_mark_paused(&vcpus[0]);
	assert_true(vcpus[0].notices & NOTICE_CLOCK);
	pvclock_update(&vcpus[0]);
	pvclock_update(&vcpus[0]);
	struct guest_clock time = clock_at(0x5000);

	assert_int_equal(time.flags, STABLE | STOPPED);
	time.flags = STABLE; /* as Linux, once it has touched its watchdogs */
	write_memory(0x5000, &time, sizeof(time));
	pvclock_update(&vcpus[0]);
	assert_int_equal(clock_at(0x5000).flags, STABLE);
	end();
}

/* ---- what a guest may not do ---- */

static void misplaced_structures_are_refused_and_nothing_is_pinned(void **state)
{
	static const struct {
		u32 number;
		u64 value;
	} rows[] = {
		{ CLOCK, 0x5002 | 1 },
		{ CLOCK, 0x5fe4 | 1 },
		{ CLOCK, (u64)PAGES << PAGE_SHIFT | 1 },
		{ CLOCK, 0xfee00000 | 1 },
		{ CLOCK, 1ULL << 44 | 1 },
		{ CLOCK, ~0ULL },
		{ STEAL, 0x5020 | 1 },
		{ STEAL, 0x5000 | 3 },
		{ STEAL, 1ULL << 63 | 1 },
		{ WALL, 0x5001 },
		{ WALL, (u64)PAGES << PAGE_SHIFT },
		{ WALL_OLD, 1ULL << 52 },
		{ WALL, (u64)PAGES << PAGE_SHIFT | 4 },
		{ WALL, ((u64)PAGES << PAGE_SHIFT) - 4 },
		{ STEAL, (u64)PAGES << PAGE_SHIFT | 1 },
	};

	(void)state;
	begin();
	set(&vcpus[0], CLOCK, 0x7000 | 1);
	set(&vcpus[0], STEAL, 0x8000 | 1);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++)
		if (!refuses(&vcpus[0], rows[i].number, rows[i].value))
			fail_msg("0x%x = 0x%llx", rows[i].number, rows[i].value);
	assert_int_equal(get(&vcpus[0], CLOCK), 0x7000 | 1);
	assert_int_equal(get(&vcpus[0], STEAL), 0x8000 | 1);
	assert_int_equal(get(&vcpus[0], WALL), 0);
	assert_int_equal(pins(), 2);
	end();
}

static void one_page_is_pinned_however_often_it_is_registered(void **state)
{
	(void)state;
	begin();
	for (u32 i = 0; i < ROUNDS; i++) {
		set(&vcpus[i % 2], CLOCK, 0x5000 + 0x40 * (i % 50) + 1);
		set(&vcpus[i % 2], STEAL, 0x6000 + PAGE_SIZE * (i % 3) + 1);
	}
	assert_true(pins() <= 4);
	for (u32 i = 0; i < 2; i++) {
		set(&vcpus[i], CLOCK, 0);
		set(&vcpus[i], STEAL, 0);
		set(&vcpus[i], STEAL, 0);
	}
	assert_int_equal(pins(), 0);
	end();
}

/* The page was given up, and another CPU may still reach its old frame. */
static void a_page_that_is_not_there_yet_is_waited_for(void **state)
{
	static const u32 numbers[] = { CLOCK, STEAL, WALL };
	const u64 word = 1;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(numbers); i++) {
		bool stale = false;
		u64 value = 0;

		begin();
		write_memory(0x5000, &word, sizeof(word));
		set(&vcpus[0], numbers[i], 0x6000 | (numbers[i] != WALL));
		fake_cpu_set(1);
		assert_int_equal(fake_touch(0, 1, (gpa_t){ 0x5000 }, &value, sizeof(value), MM_READ, &stale), OK);
		fake_cpu_set(0);
		assert_int_equal(mm_give_up(fake_vm(0), 0, (ppn_t){ 5 }), OK);
		assert_int_equal(write_of(&vcpus[0], numbers[i], 0x5000 | (numbers[i] != WALL)), EXIT_SUSPEND);
		assert_int_equal(get(&vcpus[0], numbers[i]), 0x6000 | (numbers[i] != WALL));
		assert_int_equal(pins(), numbers[i] != WALL);
		fake_end_steps();
		fake_settle_everything();
		assert_true(fake_woken(0, 0));
		set(&vcpus[0], numbers[i], 0x5000 | (numbers[i] != WALL));
		assert_int_equal(get(&vcpus[0], numbers[i]), 0x5000 | (numbers[i] != WALL));
		end();
	}
}

/* ---- steal time ---- */

static void time_that_others_ran_is_stolen(void **state)
{
	(void)state;
	begin();
	set(&vcpus[0], STEAL, 0x5040 | 1);
	assert_int_equal(steal_at(0x5040).steal, 0);
	u64 before = rdtsc();

	pvclock_left(&vcpus[0]);
	assert_int_equal(steal_at(0x5040).preempted, 1);
	for (u64 end_tsc = rdtsc() + KHZ; rdtsc() < end_tsc;)
		;
	pvclock_came_back(&vcpus[0]);
	u64 away = rdtsc() - before;
	struct steal now = steal_at(0x5040);

	assert_int_equal(now.preempted, 0);
	assert_true(now.steal >= NS_PER_S / 1000 - 2 && now.steal <= away * 1000000 / KHZ);
	pvclock_came_back(&vcpus[0]);
	assert_int_equal(steal_at(0x5040).steal, now.steal);
	end();
}

static void neither_rest_nor_a_pause_is_stolen(void **state)
{
	(void)state;
	begin();
	set(&vcpus[0], STEAL, 0x5000 | 1);
	pvclock_came_back(&vcpus[0]); /* it had halted: nobody left it */
	pvclock_left(&vcpus[0]);
	vcpu_mark_paused(&vcpus[0]);
	pvclock_came_back(&vcpus[0]);
	pvclock_update(&vcpus[0]);
	assert_int_equal(steal_at(0x5000).steal, 0);
	assert_int_equal(steal_at(0x5000).preempted, 0);
	end();
}

static void what_was_stolen_before_is_not_lost(void **state)
{
	(void)state;
	begin();
	pvclock_left(&vcpus[0]);
	for (u64 end_tsc = rdtsc() + KHZ; rdtsc() < end_tsc;)
		;
	pvclock_came_back(&vcpus[0]);
	set(&vcpus[0], STEAL, 0x5000 | 1);
	assert_true(steal_at(0x5000).steal > 0);
	end();
}

/* ---- the wall clock ---- */

static void the_wall_clock_is_written_at_once(void **state)
{
	static const u64 addresses[] = { 0x5000, 0x5ffc };

	(void)state;
	begin();
	for (u32 i = 0; i < ARRAY_SIZE(addresses); i++) {
		u32 wall[4] = { 0, 0, 0, 0x11223344 };

		write_memory(addresses[i], wall, sizeof(wall));
		assert_int_equal(write_of(&vcpus[0], i ? WALL : WALL_OLD, addresses[i]), EXIT_ADVANCE);
		read_memory(addresses[i], wall, sizeof(wall));
		assert_true(wall[0] % 2 == 0 && wall[0] > 0);
		assert_int_equal(wall[1], WALL_S);
		assert_int_equal(wall[2], 0);
		assert_int_equal(wall[3], 0x11223344);
	}
	assert_int_equal(pins(), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_is_a_second_at_every_rate),
		cmocka_unit_test(the_clock_is_where_the_guest_put_it_and_nowhere_else),
		cmocka_unit_test(all_vcpus_have_one_time_and_it_never_goes_back),
		cmocka_unit_test(a_version_is_new_and_even_whatever_was_there),
		cmocka_unit_test(a_pause_is_told_once_and_stays_until_seen),
		cmocka_unit_test(misplaced_structures_are_refused_and_nothing_is_pinned),
		cmocka_unit_test(one_page_is_pinned_however_often_it_is_registered),
		cmocka_unit_test(a_page_that_is_not_there_yet_is_waited_for),
		cmocka_unit_test(time_that_others_ran_is_stolen),
		cmocka_unit_test(neither_rest_nor_a_pause_is_stolen),
		cmocka_unit_test(what_was_stolen_before_is_not_lost),
		cmocka_unit_test(the_wall_clock_is_written_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
