/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Randomness for the kernel, from every source there is, one after another: firmware's generator, the processor's, and the jitter of
 * firmware's timer against the TSC.  The kernel mixes; here nothing is folded, so a bad source spoils no good one.
 */
#include "boot/boot.h"
#include "kernel/lib/check.h"
#include <string.h>

enum {
	FIRMWARE_BYTES = 96,
	PROCESSOR_WORDS = 12,
	JITTER_WORDS = 8,
	TRIES = 100, /* RDSEED may be dry for a while (SDM vol. 1, 7.3.17.2) */
	CPUID_1_ECX_RDRAND = 1 << 30,
	CPUID_7_EBX_RDSEED = 1 << 18,
};

_Static_assert(FIRMWARE_BYTES + 8 * (PROCESSOR_WORDS + JITTER_WORDS) <= BOOT_ENTROPY_BYTES, "every source fits");

static void add(const void *bytes, u32 count)
{
	struct bootinfo *info = boot.info;

	CHECK(info->entropy_bytes + count <= BOOT_ENTROPY_BYTES);
	memcpy(info->entropy + info->entropy_bytes, bytes, count);
	info->entropy_bytes += count;
}

static void from_firmware(void)
{
	EFI_GUID guid = EFI_RNG_PROTOCOL_GUID;
	EFI_RNG_PROTOCOL *generator;
	u8 bytes[FIRMWARE_BYTES];

	if (boot.services->LocateProtocol(&guid, NULL, (void **)&generator) == EFI_SUCCESS &&
	    generator->GetRNG(generator, NULL, sizeof(bytes), bytes) == EFI_SUCCESS)
		add(bytes, sizeof(bytes));
}

static bool rdseed(u64 *word)
{
	bool good;

	__asm__ volatile("rdseed %0" : "=r"(*word), "=@ccc"(good));
	return good;
}

static bool rdrand(u64 *word)
{
	bool good;

	__asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(good));
	return good;
}

static void from_processor(bool (*draw)(u64 *word))
{
	u32 words = 0;

	for (u32 tries = 0; tries < TRIES && words < PROCESSOR_WORDS; tries++) {
		u64 word;

		if (draw(&word)) {
			add(&word, sizeof(word));
			words++;
		}
	}
}

static void from_jitter(void)
{
	for (u32 i = 0; i < JITTER_WORDS; i++) {
		u64 now;

		boot.services->Stall(1);
		now = __builtin_ia32_rdtsc();
		add(&now, sizeof(now));
	}
}

void entropy_gather(void)
{
	bool has_rdseed = cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & CPUID_7_EBX_RDSEED);

	from_firmware();
	if (has_rdseed)
		from_processor(rdseed);
	else if (cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND)
		from_processor(rdrand);
	from_jitter();
}
