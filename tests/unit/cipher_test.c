/* SPDX-License-Identifier: BSD-2-Clause */
/* The cipher of pages that leave memory: known answers, and whatever was changed or is elsewhere is refused. */
#include "mm/cipher.h"
#include "tests/unit/support/platform_fake.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { BLOCK = 16, SLOT = 77, WRITES = 5 };

static u8 text[PAGE_SIZE], sealed[PAGE_SIZE], opened[PAGE_SIZE], before[PAGE_SIZE], tag[CIPHER_TAG_BYTES];

static int begin(void **state)
{
	static const u8 key[CIPHER_KEY_BYTES] = "sixteen bytes it";

	(void)state;
	if (!platform_has_cipher())
		skip();
	cipher_use_key(key);
	for (u32 i = 0; i < PAGE_SIZE; i++)
		text[i] = (u8)(i * 7 + (i >> 8));
	cipher_seal(sealed, text, SLOT, WRITES, tag);
	return 0;
}

static void one_key(u8 key[CIPHER_KEY_BYTES], u8 first, u8 step)
{
	for (u32 i = 0; i < CIPHER_KEY_BYTES; i++)
		key[i] = (u8)(first + i * step);
}

/* Computed by OpenSSL; the first block of the first is NIST's test case 2 of GCM. */
static const struct {
	u8 key_first, key_step;
	u64 slot, writes;
	u8 multiplier, added; /* of the text's bytes */
	const char *first, *last, *tag;
} answers[] = {
	{ 0, 0, 0, 0, 0, 0, "\x03\x88\xda\xce\x60\xb6\xa3\x92\xf3\x28\xc2\xb9\x71\xb2\xfe\x78",
	  "\x49\xb6\x9d\x5c\xb9\xe8\x9f\xad\xae\xff\x89\x43\xb9\xba\x43\x3f",
	  "\xfb\x45\x33\x3d\xfe\x50\x38\x77\xc7\xba\x60\x06\x27\x2f\xd9\x25" },
	{ 0, 1, 0x12345678, 0xfedcba9876543210, 7, 0, "\x7a\x71\x36\x61\x59\xd7\x59\xb2\x35\x75\x4d\xd5\x19\xdc\x82\x55",
	  "\x9f\x6f\x7a\x23\x67\x99\xaa\x88\xe5\x21\xf0\xec\x5e\xa2\x17\x6d",
	  "\x5f\xb3\xa7\xb5\x87\x5d\x9d\x6c\xd8\xfd\xe6\x19\xa1\xce\x29\xc1" },
	{ 0xff, 0, 0xffffffff, 0xffffffffffffffff, 0, 0xff, "\x24\xdb\xab\xc8\x05\xb5\x81\xd5\x6a\xa1\x7e\x29\x02\xc0\x46\xc9",
	  "\x85\xfc\x7c\xcf\x08\xff\x8d\x64\x48\x40\xcd\x6a\x1a\xd9\x95\x8f",
	  "\xcf\x5b\x30\xf5\x71\xcb\x22\x13\x7b\x52\x04\x0f\xaa\x7b\x5e\x4f" },
};

static void pages_are_sealed_as_AES_GCM_says(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(answers); i++) {
		u8 key[CIPHER_KEY_BYTES];

		one_key(key, answers[i].key_first, answers[i].key_step);
		cipher_use_key(key);
		for (u32 at = 0; at < PAGE_SIZE; at++)
			text[at] = (u8)(answers[i].multiplier * at + (answers[i].multiplier ? at >> 8 : answers[i].added));
		cipher_seal(sealed, text, answers[i].slot, answers[i].writes, tag);
		assert_memory_equal(sealed, answers[i].first, BLOCK);
		assert_memory_equal(sealed + PAGE_SIZE - BLOCK, answers[i].last, BLOCK);
		assert_memory_equal(tag, answers[i].tag, CIPHER_TAG_BYTES);
	}
}

static void what_was_sealed_opens_elsewhere_and_in_place(void **state)
{
	(void)state;
	assert_true(cipher_open(opened, sealed, SLOT, WRITES, tag));
	assert_memory_equal(opened, text, PAGE_SIZE);
	memcpy(opened, text, PAGE_SIZE);
	cipher_seal(opened, opened, SLOT, WRITES, tag);
	assert_memory_equal(opened, sealed, PAGE_SIZE);
	assert_true(cipher_open(opened, opened, SLOT, WRITES, tag));
	assert_memory_equal(opened, text, PAGE_SIZE);
}

static void a_changed_byte_anywhere_is_refused_and_nothing_is_written(void **state)
{
	(void)state;
	memset(opened, 0xee, PAGE_SIZE);
	memset(before, 0xee, PAGE_SIZE);
	for (u32 at = 0; at < PAGE_SIZE; at++) {
		u8 bit = (u8)(1U << at % 8);

		sealed[at] ^= bit;
		assert_false(cipher_open(opened, sealed, SLOT, WRITES, tag));
		assert_memory_equal(opened, before, PAGE_SIZE);
		sealed[at] ^= bit;
	}
	assert_true(cipher_open(opened, sealed, SLOT, WRITES, tag));
}

static void each_bit_of_the_tag_counts(void **state)
{
	(void)state;
	for (u32 bit = 0; bit < CIPHER_TAG_BYTES * 8; bit++) {
		tag[bit / 8] ^= (u8)(1U << bit % 8);
		assert_false(cipher_open(opened, sealed, SLOT, WRITES, tag));
		tag[bit / 8] ^= (u8)(1U << bit % 8);
	}
}

static void a_page_of_another_slot_or_of_an_earlier_write_is_refused(void **state)
{
	(void)state;
	for (u32 bit = 0; bit < 32; bit++)
		assert_false(cipher_open(opened, sealed, SLOT ^ BIT(bit), WRITES, tag));
	for (u32 bit = 0; bit < 64; bit++)
		assert_false(cipher_open(opened, sealed, SLOT, WRITES ^ BIT(bit), tag));
}

static void one_text_is_sealed_differently_in_each_slot_and_at_each_write(void **state)
{
	static u8 other[PAGE_SIZE];
	u8 other_tag[CIPHER_TAG_BYTES];

	(void)state;
	for (u32 bit = 0; bit < 96; bit++) {
		cipher_seal(other, text, bit < 32 ? SLOT ^ BIT(bit) : SLOT, bit < 32 ? WRITES : WRITES ^ BIT(bit - 32),
			    other_tag);
		assert_memory_not_equal(other, sealed, BLOCK);
		assert_memory_not_equal(other_tag, tag, CIPHER_TAG_BYTES);
	}
}

static void seal_beyond_the_last_slot(void)
{
	cipher_seal(sealed, text, BIT(32), WRITES, tag);
}

static void a_slot_that_the_nonce_cannot_name_stops_the_machine(void **state)
{
	(void)state;
	assert_true(fake_dies(seal_beyond_the_last_slot));
}

static void what_one_boot_sealed_the_next_cannot_open(void **state)
{
	(void)state;
	fake_reset(1, true);
	cipher_start();
	cipher_seal(sealed, text, SLOT, WRITES, tag);
	assert_true(cipher_open(opened, sealed, SLOT, WRITES, tag));
	cipher_start();
	assert_false(cipher_open(opened, sealed, SLOT, WRITES, tag));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(pages_are_sealed_as_AES_GCM_says, begin),
		cmocka_unit_test_setup(what_was_sealed_opens_elsewhere_and_in_place, begin),
		cmocka_unit_test_setup(a_changed_byte_anywhere_is_refused_and_nothing_is_written, begin),
		cmocka_unit_test_setup(each_bit_of_the_tag_counts, begin),
		cmocka_unit_test_setup(a_page_of_another_slot_or_of_an_earlier_write_is_refused, begin),
		cmocka_unit_test_setup(one_text_is_sealed_differently_in_each_slot_and_at_each_write, begin),
		cmocka_unit_test_setup(a_slot_that_the_nonce_cannot_name_stops_the_machine, begin),
		cmocka_unit_test_setup(what_one_boot_sealed_the_next_cannot_open, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
