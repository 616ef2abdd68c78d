/* SPDX-License-Identifier: BSD-2-Clause */
/* Every page has the same hash: what differs is never merged, what is equal is, and no page is lost. */
#include "mm/frame.h"
#include "mm/pmap.h"
#include "mm/pool.h"
#include "mm/share.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SLOT, PAGES = 64, CONTENTS = 5 };

/* Instead of mm/key.c. */
u32 share_key(const u8 secret[SHARE_SECRET_BYTES], const void *bytes, bool simd)
{
	(void)secret, (void)bytes, (void)simd;
	return 0x12345678;
}

static u64 content_of(u32 page)
{
	return 1 + page % CONTENTS;
}

static void pages_of_one_hash_are_merged_by_their_contents_alone(void **state)
{
	struct share_totals totals;
	bool stale;

	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	assert_int_equal(fake_vm_start(SLOT, PAGES, PAGES), OK);
	for (u32 page = 0; page < PAGES; page++) {
		u64 content = content_of(page);

		assert_int_equal(fake_touch(SLOT, 0, gpa_of((ppn_t){ page }), &content, sizeof(content), MM_WRITE, &stale), OK);
	}
	for (u32 pass = 0; pass < 2 * PAGES; pass++) {
		/* A page that could not be guarded, or met only others' contents, counts as changed: look at all again. */
		for (u32 page = 0; page < PAGES; page++) {
			struct page place;

			lock_acquire(fake_vm(SLOT)->lock);
			assert_true(pmap_look(fake_vm(SLOT), (ppn_t){ page }, &place));
			pmap_note(&place, ENTRY_CHANGED);
			lock_release(fake_vm(SLOT)->lock);
		}
		mm_share_begin_pass(fake_vm(SLOT));
		do {
			while (mm_share_step(4))
				fake_audit_memory();
			fake_settle_everything();
		} while (fake_vm(SLOT)->scan.active || fake_vm(SLOT)->batches[BATCH_SHARE].count);
	}
	share_totals(&totals);
	assert_int_equal(totals.frames, CONTENTS);
	assert_int_equal(totals.references, PAGES);
	assert_true(fake_vm(SLOT)->scan.counts.collisions > 0);
	for (u32 page = 0; page < PAGES; page++) {
		u64 content = 0;

		assert_int_equal(fake_touch(SLOT, 0, gpa_of((ppn_t){ page }), &content, sizeof(content), MM_READ, &stale), OK);
		assert_int_equal(content, content_of(page));
	}
	fake_vm_end(SLOT);
	fake_settle_everything();
	fake_check();
}

/* Where every page that is like no other is a shared frame, too. */
static void the_same_in_a_secure_group(void **state)
{
	enum { GROUP = 7 };
	struct share_totals totals;

	(void)state;
	fake_reset(1, true);
	fake_small_machine();
	assert_int_equal(share_init(), OK);
	assert_int_equal(pool_make(), OK);
	share_group_begin(GROUP, SHARE_SECURE);
	fake_vm_group(SLOT, GROUP);
	assert_int_equal(fake_vm_start(SLOT, PAGES, PAGES), OK);
	for (u32 page = 0; page < PAGES; page++)
		fake_put(SLOT, page, 0, content_of(page));
	for (u32 pass = 0; pass < 4; pass++) {
		mm_share_begin_pass(fake_vm(SLOT));
		do {
			while (mm_share_step(4))
				fake_audit_memory();
			fake_settle_everything();
		} while (fake_vm(SLOT)->scan.active || fake_vm(SLOT)->batches[BATCH_SHARE].count);
	}
	share_totals(&totals);
	assert_int_equal(totals.frames, CONTENTS);
	assert_int_equal(totals.references, PAGES);
	assert_true(fake_vm(SLOT)->scan.counts.collisions > 0);
	for (u32 page = 0; page < PAGES; page++)
		assert_int_equal(fake_get(SLOT, page, 0), content_of(page));
	fake_vm_end_clean(SLOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_of_one_hash_are_merged_by_their_contents_alone),
		cmocka_unit_test(the_same_in_a_secure_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
