/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol of kernel/core/step.c with real threads, one a CPU, under ThreadSanitizer: a cell that was removed and whose debt is settled is
 * poisoned at once by a plain write.  If any CPU could still reach it, by a translation or by a pointer, ThreadSanitizer sees two
 * accesses that nothing orders, and the reader sees the poison.
 */
#include "kernel/core/step.h"
#include "kernel/lib/check.h"
#include "kernel/lib/lock.h"
#include "tests/unit/fake/kernel/core/cpu.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CPUS = 4, VMS = 3, PAGES = 8, CELLS = 96, ROUNDS = 40000, POISON = 0xdead };

/* Memory of a page.  The tag is written by who owns the cell; each CPU writes to its own lane. */
struct cell {
	u64 tag;
	u64 lane[CPUS];
	struct cell *next;
	u64 debt;
};

static struct vm {
	struct lock lock;
	struct cell *slot[PAGES];  /* what the hardware walks: read without the lock */
	struct cell *first, *last; /* wait for their debts */
	u64 last_debt;
} vms[VMS + 1];

static struct cell cells[CELLS], *free_cells;
static struct lock free_lock;
static u64 accesses, removals, kicks_seen;

struct runner {
	u32 index;
	u32 random;
	u32 kicks;
	struct cell *tlb[VMS + 1][PAGES];
};

static u32 some(struct runner *cpu, u32 below)
{
	cpu->random = cpu->random * 1664525 + 1013904223;
	return (cpu->random >> 8) % below;
}

static u64 tag_of(u32 vm, u32 page)
{
	return vm * 1000 + page;
}

/* ---- cells ---- */

static struct cell *take_cell(void)
{
	lock_acquire(&free_lock);
	struct cell *cell = free_cells;

	if (cell)
		free_cells = cell->next;
	lock_release(&free_lock);
	return cell;
}

static void give_cell(struct cell *cell)
{
	CHECK(cell->tag != POISON);
	memset(cell, 0, sizeof(*cell));
	cell->tag = POISON;
	lock_acquire(&free_lock);
	cell->next = free_cells;
	free_cells = cell;
	lock_release(&free_lock);
}

/* ---- removals, under the VM's lock ---- */

static void remove_page(struct runner *cpu, u32 id)
{
	struct vm *vm = &vms[id];
	u32 page = some(cpu, PAGES);
	struct cell *old = vm->slot[page];

	if (!old)
		return;
	__atomic_store_n(&vm->slot[page], NULL, __ATOMIC_RELEASE);
	old->debt = step_publish(id);
	CHECK(old->debt > vm->last_debt);
	vm->last_debt = old->debt;
	old->next = NULL;
	if (vm->last)
		vm->last->next = old;
	else
		vm->first = old;
	vm->last = old;
	__atomic_fetch_add(&removals, 1, __ATOMIC_RELAXED);
}

static void fill_page(struct runner *cpu, u32 id)
{
	u32 page = some(cpu, PAGES);
	struct cell *cell;

	if (vms[id].slot[page] || !(cell = take_cell()))
		return;
	memset(cell, 0, sizeof(*cell));
	cell->tag = tag_of(id, page);
	__atomic_store_n(&vms[id].slot[page], cell, __ATOMIC_RELEASE);
}

static void settle(u32 id)
{
	struct vm *vm = &vms[id];

	while (vm->first && step_settled(id, vm->first->debt)) {
		struct cell *cell = vm->first;

		vm->first = cell->next;
		if (!vm->first)
			vm->last = NULL;
		give_cell(cell);
	}
}

/* ---- accesses ---- */

static void access_cell(struct runner *cpu, struct cell *cell, u32 id, u32 page)
{
	CHECK(cell->tag == tag_of(id, page));
	if (some(cpu, 32) == 0)
		sched_yield(); /* two processors for four CPUs: let the others in here, too */
	cell->lane[cpu->index]++;
	CHECK(cell->tag == tag_of(id, page));
	__atomic_fetch_add(&accesses, 1, __ATOMIC_RELAXED);
}

/* A step of the kernel: a pointer taken under the lock, used after it until the step ends. */
static void kernel_step(struct runner *cpu)
{
	struct cell *pointers[3];
	u32 ids[3], pages[3];

	step_begin("test");
	for (u32 i = 0; i < 3; i++) {
		ids[i] = 1 + some(cpu, VMS);
		pages[i] = some(cpu, PAGES);
		lock_acquire(&vms[ids[i]].lock);
		pointers[i] = vms[ids[i]].slot[pages[i]];
		lock_release(&vms[ids[i]].lock);
	}
	for (u32 use = 0; use < 4; use++) {
		for (u32 i = 0; i < 3; i++) {
			if (pointers[i])
				access_cell(cpu, pointers[i], ids[i], pages[i]);
		}
	}
	step_end();
}

/* In the guest: translations are kept across slices until an entry says to invalidate. */
static void guest_slice(struct runner *cpu)
{
	u32 id = 1 + some(cpu, VMS);
	u32 most = 1 + some(cpu, 40);

	step_begin("test");
	if (step_enter_guest(step_this_cpu(), id)) {
		memset(cpu->tlb[id], 0, sizeof(cpu->tlb[id]));
		step_invalidated(id);
	}
	step_check_entry(id);
	for (u32 i = 0; i < most; i++) {
		u32 page = some(cpu, PAGES);
		u32 kicks = __atomic_load_n(&fake_kicks[cpu->index], __ATOMIC_RELAXED);

		if (kicks != cpu->kicks) { /* noticed late: an interrupt takes its time */
			cpu->kicks = kicks;
			__atomic_fetch_add(&kicks_seen, 1, __ATOMIC_RELAXED);
			most = i + some(cpu, 5);
		}
		if (!cpu->tlb[id][page])
			cpu->tlb[id][page] = __atomic_load_n(&vms[id].slot[page], __ATOMIC_ACQUIRE);
		if (cpu->tlb[id][page])
			access_cell(cpu, cpu->tlb[id][page], id, page);
	}
	step_leave_guest(step_this_cpu());
	step_end();
}

static void change(struct runner *cpu)
{
	u32 id = 1 + some(cpu, VMS);

	step_begin("test");
	lock_acquire(&vms[id].lock);
	if (some(cpu, 2))
		remove_page(cpu, id);
	else
		fill_page(cpu, id);
	settle(id);
	lock_release(&vms[id].lock);
	step_end();
}

static void *run_cpu(void *argument)
{
	struct runner *cpu = argument;

	fake_cpu_set(cpu->index);
	for (u32 round = 0; round < ROUNDS; round++) {
		switch (some(cpu, 8)) {
		case 0:
		case 1:
			kernel_step(cpu);
			break;
		case 2:
		case 3:
		case 4:
			guest_slice(cpu);
			break;
		case 5:
			step_begin("test");
			step_enter_idle();
			break;
		default:
			change(cpu);
		}
	}
	step_begin("test");
	step_enter_idle();
	return NULL;
}

static void begin(void)
{
	lock_init(&free_lock, RANK_ZONE, "cells");
	for (u32 i = 0; i < CELLS; i++)
		give_cell(&cells[i]);
	for (u32 id = 1; id <= VMS; id++)
		lock_init(&vms[id].lock, RANK_VM, "a VM");
	cpu_count = CPUS;
}

static void nobody_reaches_a_cell_whose_debt_is_settled(void **state)
{
	static struct runner cpus[CPUS];
	pthread_t threads[CPUS];
	u32 left = 0;

	(void)state;
	begin();
	for (u32 i = 0; i < CPUS; i++) {
		cpus[i] = (struct runner){ .index = i, .random = 77 * i + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, run_cpu, &cpus[i]), 0);
	}
	for (u32 i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	print_message("%llu accesses, %llu removals, %llu kicks\n", accesses, removals, kicks_seen);
	assert_true(accesses > 10000 && removals > 500);
	/* All CPUs are idle: nothing waits any more, and no cell is lost. */
	for (u32 id = 1; id <= VMS; id++) {
		settle(id);
		assert_null(vms[id].first);
		for (u32 page = 0; page < PAGES; page++)
			left += vms[id].slot[page] != NULL;
	}
	for (struct cell *cell = free_cells; cell; cell = cell->next)
		left++;
	assert_int_equal(left, CELLS);
}

/* ---- the same, one interleaving at a time ---- */

static void on(u32 cpu)
{
	fake_cpu_set(cpu);
}

static void a_cpu_that_is_idle_owes_nothing(void **state)
{
	(void)state;
	on(0);
	step_begin("test");
	u64 debt = step_publish(1);

	assert_false(step_settled(1, debt)); /* this step may have a pointer itself */
	step_end();
	assert_true(step_settled(1, debt));
	step_begin("test");
	step_enter_idle();
}

static void a_cpu_in_a_step_owes_until_the_step_ends(void **state)
{
	(void)state;
	on(1);
	step_begin("test");
	on(0);
	step_begin("test");
	u64 debt = step_publish(1);

	step_enter_idle();
	assert_false(step_settled(1, debt));
	on(1);
	step_end();
	assert_true(step_settled(1, debt));
	step_begin("test");
	step_enter_idle();
}

static void a_cpu_in_the_guest_is_kicked_and_owes_until_it_is_seen_outside(void **state)
{
	(void)state;
	on(2);
	step_begin("test");
	(void)step_enter_guest(step_this_cpu(), 1);
	step_invalidated(1);
	u32 kicks = fake_kicks[2];

	on(0);
	step_begin("test");
	u64 debt = step_publish(1);

	step_enter_idle();
	assert_int_equal(fake_kicks[2], kicks + 1);
	assert_false(step_settled(1, debt));
	on(2);
	step_leave_guest(step_this_cpu());
	assert_false(step_settled(1, debt)); /* outside, but its step has not ended */
	step_end();
	assert_true(step_settled(1, debt));
	assert_true(step_enter_guest(step_this_cpu(), 1)); /* and its next entry invalidates */
	step_invalidated(1);
	step_check_entry(1);
	assert_true(step_settled(1, debt));
	step_leave_guest(step_this_cpu());
	step_enter_idle();
}

static void a_cpu_in_another_guest_owes_nothing_and_is_not_kicked(void **state)
{
	(void)state;
	on(2);
	step_begin("test");
	(void)step_enter_guest(step_this_cpu(), 2);
	step_invalidated(2);
	u32 kicks = fake_kicks[2];

	on(0);
	step_begin("test");
	u64 debt = step_publish(1);

	step_enter_idle();
	assert_true(step_settled(1, debt));
	assert_int_equal(fake_kicks[2], kicks);
	on(2);
	step_leave_guest(step_this_cpu());
	step_enter_idle();
}

static void an_entry_invalidates_once_for_all_that_was_removed(void **state)
{
	(void)state;
	on(3);
	step_begin("test");
	(void)step_enter_guest(step_this_cpu(), 3);
	step_invalidated(3);
	step_leave_guest(step_this_cpu());
	step_end();
	assert_false(step_enter_guest(step_this_cpu(), 3)); /* nothing was removed since */
	step_check_entry(3);
	step_leave_guest(step_this_cpu());
	for (u32 i = 0; i < 5; i++)
		(void)step_publish(3);
	step_end();
	assert_true(step_enter_guest(step_this_cpu(), 3));
	step_invalidated(3);
	step_leave_guest(step_this_cpu());
	step_end();
	assert_false(step_enter_guest(step_this_cpu(), 3));
	step_leave_guest(step_this_cpu());
	step_enter_idle();
}

static void a_new_vm_of_an_old_number_is_flushed_at_its_first_entry(void **state)
{
	(void)state;
	on(3);
	step_begin("test");
	(void)step_enter_guest(step_this_cpu(), 2);
	step_invalidated(2);
	step_leave_guest(step_this_cpu());
	u64 end_of_the_old = step_publish(2); /* its tables went */

	step_end();
	assert_true(step_settled(2, end_of_the_old));
	assert_true(step_enter_guest(step_this_cpu(), 2));
	step_invalidated(2);
	step_leave_guest(step_this_cpu());
	step_enter_idle();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_reaches_a_cell_whose_debt_is_settled),
		cmocka_unit_test(a_cpu_that_is_idle_owes_nothing),
		cmocka_unit_test(a_cpu_in_a_step_owes_until_the_step_ends),
		cmocka_unit_test(a_cpu_in_the_guest_is_kicked_and_owes_until_it_is_seen_outside),
		cmocka_unit_test(a_cpu_in_another_guest_owes_nothing_and_is_not_kicked),
		cmocka_unit_test(an_entry_invalidates_once_for_all_that_was_removed),
		cmocka_unit_test(a_new_vm_of_an_old_number_is_flushed_at_its_first_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
