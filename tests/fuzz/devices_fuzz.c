/* SPDX-License-Identifier: BSD-2-Clause */
/* Any sequence of accesses, events and passing time on the whole PC: its invariants hold, the host is not flooded, a reset works. */
#include "tests/fuzz/input.h"
#include "tests/unit/support/pc_hostile.h"

static u32 draw(u32 bytes)
{
	return (u32)take_value(bytes);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	take_from(data, bytes);
	u8 how = take_byte();

	pc_hostile_draw = draw;
	pc_hostile_begin(1 + how % PC_MAX_VCPUS, how & 16 ? 500000 + take_value(3) % 4500000 : FAKE_TSC_KHZ);
	if (how & 32)
		fake_x2apic();
	while (left.bytes)
		pc_hostile_step();
	pc_hostile_reset_works();
	return 0;
}
