/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's page tables, walked: where each kind of paging leads, what it refuses with which error code, which flags it sets. */
#include "tests/unit/support/emulate_fake.h"
#include "vmx/walk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define V (&fake_vcpu)
#define NX BIT(63)
#define AC BIT(18)

enum { P = 1, W = 2, U = 4, RSVD = 8, FETCH = 16 }; /* of an error code */

static struct walk walk;

static void leads_to(u64 linear, u32 access, u64 address)
{
	assert_int_equal(walk_find(V, (gva_t){ linear }, access, &walk), OK);
	assert_int_equal(walk.address.a, address);
}

static void faults(u64 linear, u32 access, u32 error)
{
	assert_int_equal(walk_find(V, (gva_t){ linear }, access, &walk), E_INVALID);
	assert_int_equal(walk.fault, error);
}

static void long_mode(u64 cr0, u64 cr4, u64 efer)
{
	fake_guest(VCPU_LONG64);
	vmcs_write(GUEST_CR0, vmcs_read(GUEST_CR0) | cr0);
	vmcs_write(GUEST_CR4, vmcs_read(GUEST_CR4) | cr4);
	vmcs_write(GUEST_EFER, vmcs_read(GUEST_EFER) | efer);
}

/* 32-bit guest with paging; the tables are the test's. */
static void legacy_mode(u64 cr4)
{
	fake_guest(VCPU_PROTECTED32);
	vmcs_write(GUEST_CR0, vmcs_read(GUEST_CR0) | CR0_PG);
	vmcs_write(GUEST_CR4, vmcs_read(GUEST_CR4) | cr4);
	vmcs_write(GUEST_CR3, FAKE_TABLES);
}

static void entry32(u64 address, u32 entry)
{
	memcpy(fake_memory + address, &entry, sizeof(entry));
}

/* ---- where it leads ---- */

static void without_paging_linear_is_physical(void **state)
{
	(void)state;
	fake_guest(VCPU_REAL);
	leads_to(0x12345, WALK_WRITE, 0x12345);
	fake_guest(VCPU_PROTECTED32);
	leads_to(0xfee00020, WALK_WRITE | WALK_USER, 0xfee00020);
}

static void four_levels_lead_to_pages_of_three_sizes(void **state)
{
	(void)state;
	long_mode(0, 0, 0);
	fake_entry(FAKE_TABLES + 0x1008, 0x140000000 | 0x87); /* 1 GiB: 5 GiB */
	fake_entry(fake_leaf(0x7000), 0x123456000 | 0x7);
	leads_to(0x7abc, 0, 0x123456abc);
	leads_to(0x10000123, 0, 0x10000123);
	leads_to(0x7fffffff, 0, 0x17fffffff);
}

static void the_uppermost_linear_addresses_are_found(void **state)
{
	(void)state;
	long_mode(0, 0, 0);
	fake_entry(FAKE_TABLES + 0xff8, FAKE_TABLES + 0x1007);
	leads_to(0xffffff8000007abc, 0, 0x7abc);
}

static void thirty_two_bit_paging_has_small_and_large_pages(void **state)
{
	(void)state;
	legacy_mode(CR4_PSE);
	entry32(FAKE_TABLES + 4, FAKE_TABLES + 0x1007);
	entry32(FAKE_TABLES + 0x1000 + 4 * 5, 0xfee00007);
	entry32(FAKE_TABLES + 8, 0x00c06087); /* 4 MiB; bits 20:13 are bits 39:32 */
	leads_to(0x405678, 0, 0xfee00678);
	leads_to(0x800000 + 0x312345, WALK_WRITE, 0x0300c00000 + 0x312345);
	/* Without PSE bit 7 of a directory's entry means nothing. */
	vmcs_write(GUEST_CR4, vmcs_read(GUEST_CR4) & ~CR4_PSE);
	assert_int_equal(walk_find(V, (gva_t){ 0x800000 }, 0, &walk), E_NOT_FOUND);
}

static void pae_paging_starts_in_the_vmcs(void **state)
{
	(void)state;
	legacy_mode(CR4_PAE);
	vmcs_write(GUEST_PDPTE3, FAKE_TABLES | 1);
	fake_entry(FAKE_TABLES + 8, (FAKE_TABLES + 0x1000) | 7);
	fake_entry(FAKE_TABLES + 0x1000 + 8 * 2, 0x1fee00007);
	fake_entry(FAKE_TABLES + 16, 0x240000087);
	leads_to(0xc0202345, WALK_WRITE | WALK_USER, 0x1fee00345);
	leads_to(0xc0400000 + 0x123456, 0, 0x240123456);
	faults(0x80000000, WALK_WRITE, W);
}

/* ---- what it refuses ---- */

static void absent_entries_say_so_at_every_level(void **state)
{
	static const u64 slots[] = { FAKE_TABLES, FAKE_TABLES + 0x1000, FAKE_TABLES + 0x2000, FAKE_TABLES + 0x3000 + 8 * 7 };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(slots); i++) {
		long_mode(0, 0, 0);
		fake_entry(slots[i], ~1ULL);
		faults(0x7000, WALK_WRITE | WALK_USER, W | U);
		faults(0x7000, 0, 0);
	}
}

static void reserved_bits_fault_as_such(void **state)
{
	static const struct {
		u64 slot, bits, linear;
	} rows[] = {
		{ FAKE_TABLES, 0x80, 0x7000 }, /* a large page of 512 GiB */
		{ FAKE_TABLES, BIT(50), 0x7000 },
		{ FAKE_TABLES + 0x3000 + 8 * 7, BIT(FAKE_ADDRESS_BITS), 0x7000 },
		{ FAKE_TABLES + 0x2000 + 8, BIT(13), 0x200000 }, /* below the address of a 2 MiB page */
		{ FAKE_TABLES + 0x3000 + 8 * 7, NX, 0x7000 },    /* EFER.NXE is clear */
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		long_mode(0, 0, 0);
		fake_entry(rows[i].slot, fake_entry_at(rows[i].slot) | rows[i].bits);
		faults(rows[i].linear, 0, P | RSVD);
	}
}

/* Every combination of rights at two levels, mode and access, against the manual's rules written down once more. */
static bool allowed(bool writable, bool user_page, bool nx, u32 access, u64 cr0, u64 cr4, u64 flags)
{
	bool write = access & WALK_WRITE, user = access & WALK_USER, fetch = access & WALK_FETCH;

	if (fetch && nx)
		return false;
	if (user)
		return user_page && (!write || writable);
	if (fetch)
		return !(user_page && (cr4 & CR4_SMEP));
	if (user_page && (cr4 & CR4_SMAP) && !(flags & AC))
		return false;
	return !write || writable || !(cr0 & CR0_WP);
}

static void check_rights(u32 upper, u32 lower, bool nx, u32 access, u64 cr0, u64 cr4, u64 flags)
{
	u32 both = upper & lower;
	u32 error = P | (access & WALK_WRITE ? W : 0) | (access & WALK_USER ? U : 0) | (access & WALK_FETCH ? FETCH : 0);

	long_mode(cr0, cr4, EFER_NXE);
	vmcs_write(GUEST_RFLAGS, RFLAGS_ONE | flags);
	fake_entry(FAKE_TABLES + 0x1000, (FAKE_TABLES + 0x2000) | 1 | upper);
	fake_entry(fake_leaf(0x7000), 0x7000 | 1 | lower | (nx ? NX : 0));
	if (allowed(both & W, both & U, nx, access, cr0, cr4, flags))
		leads_to(0x7000, access, 0x7000);
	else
		faults(0x7000, access, error);
}

static void rights_are_those_of_the_manual_in_every_combination(void **state)
{
	static const u32 accesses[] = { 0, WALK_WRITE, WALK_FETCH };

	(void)state;
	for (u32 bits = 0; bits < 1 << 10; bits++)
		for (u32 i = 0; i < ARRAY_SIZE(accesses); i++)
			check_rights(bits & 6, bits >> 2 & 6, bits & 1, accesses[i] | (bits & 32 ? WALK_USER : 0),
				     bits & 64 ? CR0_WP : 0, (bits & 128 ? CR4_SMEP : 0) | (bits & 256 ? CR4_SMAP : 0),
				     bits & 512 ? AC : 0);
}

static void a_fetch_is_named_only_where_it_can_be_refused(void **state)
{
	(void)state;
	long_mode(0, 0, 0);
	fake_entry(fake_leaf(0x7000), 0);
	faults(0x7000, WALK_FETCH, 0);
	long_mode(0, CR4_SMEP, 0);
	fake_entry(fake_leaf(0x7000), 0);
	faults(0x7000, WALK_FETCH, FETCH);
}

static void tables_in_no_memory_are_not_found(void **state)
{
	(void)state;
	long_mode(0, 0, 0);
	fake_entry(FAKE_TABLES + 0x1000, FAKE_DEVICE | 7);
	assert_int_equal(walk_find(V, (gva_t){ 0x7000 }, 0, &walk), E_NOT_FOUND);
}

/* ---- accessed and dirty ---- */

static void reading_sets_accessed_writing_also_dirty_at_the_leaf_only(void **state)
{
	(void)state;
	long_mode(0, 0, 0);
	leads_to(0x7000, 0, 0x7000);
	assert_int_equal(fake_entry_at(fake_leaf(0x7000)), 0x7007);
	assert_true(walk_mark(&walk));
	assert_int_equal(fake_entry_at(fake_leaf(0x7000)), 0x7027);
	assert_int_equal(fake_entry_at(FAKE_TABLES), (FAKE_TABLES + 0x1000) | 0x27);
	leads_to(0x7000, WALK_WRITE, 0x7000);
	assert_true(walk_mark(&walk));
	assert_int_equal(fake_entry_at(fake_leaf(0x7000)), 0x7067);
	assert_int_equal(fake_entry_at(FAKE_TABLES + 0x2000), (FAKE_TABLES + 0x3000) | 0x27);
	leads_to(0x7000, WALK_WRITE, 0x7000);
	assert_int_equal(walk.marks, 0);
}

static void narrow_entries_are_marked_without_touching_their_neighbour(void **state)
{
	(void)state;
	legacy_mode(0);
	entry32(FAKE_TABLES, FAKE_TABLES + 0x1007);
	entry32(FAKE_TABLES + 0x1000, 0x7007);
	entry32(FAKE_TABLES + 0x1004, 0x55555555);
	leads_to(0, WALK_WRITE, 0x7000);
	assert_true(walk_mark(&walk));
	assert_int_equal(fake_entry_at(FAKE_TABLES + 0x1000), 0x5555555500007067);
}

static void an_entry_that_changed_meanwhile_is_not_marked(void **state)
{
	(void)state;
	long_mode(0, 0, 0);
	leads_to(0x7000, WALK_WRITE, 0x7000);
	fake_entry(fake_leaf(0x7000), 0x1234000); /* swapped out: every bit is the guest's */
	assert_false(walk_mark(&walk));
	assert_int_equal(fake_entry_at(fake_leaf(0x7000)), 0x1234000);
	/* Flags that someone else set are no change. */
	fake_entry(fake_leaf(0x7000), 0x7007);
	leads_to(0x7000, WALK_WRITE, 0x7000);
	fake_entry(fake_leaf(0x7000), 0x7027);
	assert_true(walk_mark(&walk));
	assert_int_equal(fake_entry_at(fake_leaf(0x7000)), 0x7067);
}

static void a_walk_that_suspends_changes_nothing(void **state)
{
	static u8 before[FAKE_MEMORY];

	(void)state;
	for (u32 at = 1; at <= 8; at++) {
		long_mode(0, 0, 0);
		memcpy(before, fake_memory, FAKE_MEMORY);
		fake_suspend_at = at;
		assert_int_equal(walk_find(V, (gva_t){ 0x7000 }, WALK_WRITE, &walk), E_SUSPEND);
		assert_memory_equal(before, fake_memory, FAKE_MEMORY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_paging_linear_is_physical),
		cmocka_unit_test(four_levels_lead_to_pages_of_three_sizes),
		cmocka_unit_test(the_uppermost_linear_addresses_are_found),
		cmocka_unit_test(thirty_two_bit_paging_has_small_and_large_pages),
		cmocka_unit_test(pae_paging_starts_in_the_vmcs),
		cmocka_unit_test(absent_entries_say_so_at_every_level),
		cmocka_unit_test(reserved_bits_fault_as_such),
		cmocka_unit_test(rights_are_those_of_the_manual_in_every_combination),
		cmocka_unit_test(a_fetch_is_named_only_where_it_can_be_refused),
		cmocka_unit_test(tables_in_no_memory_are_not_found),
		cmocka_unit_test(reading_sets_accessed_writing_also_dirty_at_the_leaf_only),
		cmocka_unit_test(narrow_entries_are_marked_without_touching_their_neighbour),
		cmocka_unit_test(an_entry_that_changed_meanwhile_is_not_marked),
		cmocka_unit_test(a_walk_that_suspends_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
