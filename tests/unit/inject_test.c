/* SPDX-License-Identifier: BSD-2-Clause */
/* Which window a waiting NMI asks for. */
#include "tests/unit/support/emulate_fake.h"
#include "vmx/controls.h"
#include "vmx/inject.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define V (&fake_vcpu)

enum { VECTORS = 22, ERROR = 0x1238 };
#define WINDOWS (CPU_NMI_WINDOW | CPU_INTERRUPT_WINDOW)

/* The windows that are asked for, and whether the NMI is placed, with this blocking. */
static u32 windows(u32 blocking, bool *placed)
{
	fake_guest(VCPU_LONG64);
	vmcs_write(GUEST_INTERRUPTIBILITY, blocking);
	V->nmi_pending = true;
	inject_before_entry(V);
	*placed = vmcs_read(ENTRY_EVENT) != 0;
	return V->cpu_controls & (u32)WINDOWS;
}

static void an_nmi_is_placed_when_nothing_blocks_it(void **state)
{
	bool placed;

	(void)state;
	assert_int_equal(windows(0, &placed), 0);
	assert_true(placed && !V->nmi_pending);
}

static void an_nmi_behind_another_or_mov_ss_asks_for_its_own_window(void **state)
{
	bool placed;

	(void)state;
	assert_int_equal(windows(BLOCKED_NMI, &placed), CPU_NMI_WINDOW);
	assert_false(placed);
	assert_int_equal(windows(BLOCKED_MOV_SS, &placed), CPU_NMI_WINDOW);
	assert_false(placed);
}

/* Its own may be open already, and the guest would leave again without having gone on. */
static void an_nmi_behind_sti_asks_for_the_interrupts_window(void **state)
{
	bool placed;

	(void)state;
	assert_int_equal(windows(BLOCKED_STI, &placed), CPU_INTERRUPT_WINDOW);
	assert_false(placed);
}

/* VM entry refuses it otherwise: 26.2.1.3. */
static void an_error_code_goes_with_vectors_that_push_one_but_not_in_real_mode(void **state)
{
	static const enum vcpu_mode modes[] = { VCPU_REAL, VCPU_PROTECTED32, VCPU_LONG64 };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(modes) * VECTORS; i++) {
		u32 vector = i % VECTORS;
		bool pushes = modes[i / VECTORS] != VCPU_REAL && (EXCEPTIONS_WITH_ERROR & BIT(vector));

		if (vector == VECTOR_NMI)
			continue;
		fake_guest(modes[i / VECTORS]);
		V->event.info = 0;
		assert_int_equal(vcpu_inject_exception(V, vector, ERROR), EXIT_INJECT);
		assert_int_equal(V->event.info & 0xff, vector);
		assert_int_equal(event_type(V->event.info), EVENT_EXCEPTION);
		assert_int_equal((V->event.info & EVENT_HAS_ERROR) != 0, pushes);
		assert_int_equal(V->event.error, pushes ? ERROR : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_nmi_is_placed_when_nothing_blocks_it),
		cmocka_unit_test(an_nmi_behind_another_or_mov_ss_asks_for_its_own_window),
		cmocka_unit_test(an_nmi_behind_sti_asks_for_the_interrupts_window),
		cmocka_unit_test(an_error_code_goes_with_vectors_that_push_one_but_not_in_real_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
