/* SPDX-License-Identifier: BSD-2-Clause */
/* What an exit leaves in the VMCS can be entered again; control registers are checked as the processor would. */
#include "kernel/x86/irq.h"
#include "tests/unit/support/vmx_fake.h"
#include "vmx/checker.h"
#include "vmx/control_regs.h"
#include "vmx/exits/cr.c"
#include "vmx/exits/exceptions.c"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ADDRESS_BITS = 40, CR0_FROM_RAX = 0, CR4_FROM_RAX = 4 };

static struct vcpu vcpu;
static u64 pdptes[4];
static u32 pdpte_reads;

void irq_dispatch(u32 vector)
{
	fail_msg("interrupt %u", vector);
}

const char *exit_reason_name(u32 reason)
{
	fail_msg("exit %u", reason);
	return NULL;
}

enum exit_action exit_machine_check(struct vcpu *v)
{
	(void)v;
	fail_msg("a machine check");
	return EXIT_KILL;
}

err_t mm_read(struct mm_vm *vm, u32 index, gpa_t address, void *to, u32 bytes)
{
	(void)vm, (void)index, (void)address;
	assert_int_equal(bytes, sizeof(pdptes));
	pdpte_reads++;
	memcpy(to, pdptes, sizeof(pdptes));
	return OK;
}

static int power_on(void **state)
{
	(void)state;
	memset(&vcpu, 0, sizeof(vcpu));
	memset(pdptes, 0, sizeof(pdptes));
	pdpte_reads = 0;
	vcpu.cpuid.extended[8].a = ADDRESS_BITS;
	vcpu.cpuid.cr4 = CR4_PAE | CR4_PSE | CR4_PGE | CR4_MCE | CR4_OSFXSR;
	vmx_fake_reset();
	return 0;
}

static bool is_rule_broken(const char *rule)
{
	return strncmp(checker_find(), rule, strlen(rule)) == 0;
}

static void a_single_step_in_the_shadow_of_sti_can_be_delivered(void **state)
{
	static const u32 shadows[] = { BLOCKED_STI, BLOCKED_MOV_SS };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(shadows); i++) {
		power_on(NULL);
		vmcs_write(GUEST_RFLAGS, RFLAGS_ONE | RFLAGS_TF | RFLAGS_IF);
		vmcs_write(GUEST_INTERRUPTIBILITY, shadows[i] | BLOCKED_NMI);
		vmcs_write(EXIT_EVENT, EVENT_VALID | EVENT_EXCEPTION << EVENT_TYPE_SHIFT | VECTOR_DB);
		vcpu.exit.qualification = BIT(14);
		assert_int_equal(exit_exception(&vcpu), EXIT_INJECT);
		assert_int_equal(vmcs_read(GUEST_INTERRUPTIBILITY), BLOCKED_NMI);
		assert_int_equal(vmx_fake_dr6 & 0x600f, BIT(14));
		assert_false(is_rule_broken("pending debug"));
	}
}

/* ---- PDPTEs ---- */

static enum exit_action write_cr(u32 number, u64 value)
{
	vcpu.regs.rax = value;
	vcpu.exit.qualification = number;
	return exit_cr_access(&vcpu);
}

static void pae_guest(void)
{
	vmx_fake_mode(VCPU_PROTECTED32);
	control_set_masks(vcpu.cpuid.cr4);
	control_set_cr4(CR4_PAE);
	control_set_cr0(CR0_ET | CR0_NE | CR0_PE);
}

static void pdptes_with_reserved_bits_are_refused(void **state)
{
	static const u64 bad[] = { BIT(1), BIT(2), BIT(5), BIT(6), BIT(7), BIT(8), BIT(ADDRESS_BITS), BIT(46), BIT(62), BIT(63) };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(bad) * 4; i++) {
		power_on(NULL);
		pae_guest();
		pdptes[i % 4] = 0x1001 | bad[i / 4];
		u64 before = vmcs_read(GUEST_CR0);
		assert_int_equal(write_cr(CR0_FROM_RAX, CR0_PG | CR0_CD | CR0_PE | CR0_ET | CR0_NE), EXIT_INJECT);
		assert_int_equal(vcpu.event.info & 0xff, VECTOR_GP);
		assert_int_equal(vmcs_read(GUEST_CR0), before);
		assert_int_equal(vmcs_read(GUEST_PDPTE0), 0);
	}
}

static void only_some_bits_of_cr4_read_the_pdptes(void **state)
{
	static const struct {
		u64 bit;
		u32 reads;
	} rows[] = { { 0, 0 }, { CR4_OSFXSR, 0 }, { CR4_PGE, 1 }, { CR4_PSE, 1 } };

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		power_on(NULL);
		pae_guest();
		control_set_cr0(CR0_PG | CR0_PE | CR0_ET | CR0_NE);
		pdptes[0] = BIT(1) | 1; /* refused if it is looked at */
		assert_int_equal(write_cr(CR4_FROM_RAX, CR4_PAE | CR4_MCE | rows[i].bit),
				 rows[i].reads ? EXIT_INJECT : EXIT_ADVANCE);
		assert_int_equal(pdpte_reads, rows[i].reads);
	}
}

/* ---- CR0 ---- */

static void ia_32e_mode_is_entered_from_nowhere_else(void **state)
{
	struct control_state now = { .cr0 = CR0_PE, .cr4 = CR4_PAE, .efer = EFER_LME };
	u64 paged = CR0_PE | CR0_PG;

	(void)state;
	assert_true(control_cr0_valid(&now, paged));
	now.code_long = true;
	assert_false(control_cr0_valid(&now, paged));
	now.code_long = false;
	now.task16 = true;
	assert_false(control_cr0_valid(&now, paged));
	now.efer = 0;
	assert_true(control_cr0_valid(&now, paged)); /* PAE paging minds neither */
	now.cr4 = 0;
	now.efer = EFER_LME;
	now.task16 = false;
	assert_false(control_cr0_valid(&now, paged));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_single_step_in_the_shadow_of_sti_can_be_delivered),
		cmocka_unit_test(pdptes_with_reserved_bits_are_refused),
		cmocka_unit_test(only_some_bits_of_cr4_read_the_pdptes),
		cmocka_unit_test_setup(ia_32e_mode_is_entered_from_nowhere_else, power_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
