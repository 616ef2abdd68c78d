/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of a vCPU: storage, start, INIT and SIPI, events from other CPUs, end. */
#include "vmx/vcpu.h"
#include "kernel/core/step.h"
#include "vmx/caps.h"
#include "vmx/cpu.h"
#include "vmx/exit.h"
#include "vmx/inject.h"
#include "vmx/insn.h"
#include "vmx/life.h"
#include "vmx/mitigations.h"
#include "vmx/msr.h"
#include "vmx/setup.h"
#include "vmx/switch.h"
#include <string.h>

enum { EXTENDED_ALIGN = 64 };

/* ---- storage: struct vcpu | extended state | histograms ---- */

static size_t extended_offset(void)
{
	return (sizeof(struct vcpu) + EXTENDED_ALIGN - 1) & ~(size_t)(EXTENDED_ALIGN - 1);
}

static size_t cycles_offset(void)
{
	return (extended_offset() + switch_extended_bytes() + EXTENDED_ALIGN - 1) & ~(size_t)(EXTENDED_ALIGN - 1);
}

u32 vcpu_pages(void)
{
	size_t bytes = cycles_offset() + EXIT_REASON_COUNT * sizeof(struct exit_cycles);

	return (u32)((bytes + PAGE_SIZE - 1) / PAGE_SIZE);
}

static void make_current(struct vcpu *v)
{
	vmx_load(mpa_of(v->vmcs));
	vmx_cpu()->current = v;
}

err_t vcpu_init(struct vcpu *v, const struct vcpu_config *config)
{
	CHECK(vmx_caps.usable && vmx_cpu()->on && ((u64)v & (PAGE_SIZE - 1)) == 0);
	err_t error = setup_msr_bitmap();

	if (!error)
		error = mm_overhead_alloc(0, &v->vmcs);
	if (error)
		return error;
	v->config = *config;
	cpuid_build(&v->cpuid, &(struct cpuid_facts){
				       .ask = cpuid,
				       .xcr0 = vmx_caps.xcr0,
				       .rdtscp = vmx_has(CONTROL_CPU2, CPU2_RDTSCP),
				       .invpcid = vmx_has(CONTROL_CPU2, CPU2_INVPCID),
				       .spec_ctrl = vmx_caps.spec_ctrl,
				       .identity = config->identity,
				       .vcpu = config->index,
				       .vcpus = config->vcpus,
				       .tsc_khz = config->tsc_khz,
			       });
	CHECK(config->vm_id > 0 && config->vm_id < STEP_MAX_VMS); /* each entry and exit relies on it */
	v->vm_id = config->vm_id;
	v->cpu = -1;
	v->guards = mitigations_in_force();
	v->switched.extended = (u8 *)v + extended_offset();
	v->cycles = (struct exit_cycles *)(void *)((u8 *)v + cycles_offset());
	platform_zero_frame(v->vmcs);
	*(u32 *)platform_frame(v->vmcs) = vmx_caps.revision;
	vmx_clear(mpa_of(v->vmcs));
	make_current(v);
	setup_controls(v);
	vcpu_unload(v);
	return OK;
}

void vcpu_destroy(struct vcpu *v)
{
	CHECK(v->cpu == -1 && vmx_cpu()->current != v);
	mm_overhead_free(v->vmcs, 0);
	v->vmcs = (mpn_t){ 0 };
}

void vcpu_unload(struct vcpu *v)
{
	struct vmx_cpu *cpu = vmx_cpu();

	if (v->cpu == -1 && cpu->current != v)
		return;
	CHECK(v->cpu == -1 || v->cpu == (s32)cpu_index());
	switch_out(v);
	vmx_clear(mpa_of(v->vmcs));
	if (cpu->current == v)
		cpu->current = NULL;
	v->cpu = -1;
}

/* ---- start ---- */

static void reset(struct vcpu *v, const struct vcpu_start *start, bool init)
{
	switch_out(v);
	switch_reset(v, init);
	memset(&v->regs, 0, sizeof(v->regs));
	v->regs.rax = start->rax;
	v->regs.rbx = start->rbx;
	v->regs.rsi = start->rsi;
	v->regs.rdi = start->rdi;
	v->halted = false;
	inject_reset(v);
	setup_guest(v, start);
	if (!init)
		msr_reset(v);
}

void vcpu_start(struct vcpu *v, const struct vcpu_start *start)
{
	CHECK(v->cpu == -1);
	make_current(v);
	reset(v, start, false);
	v->waits_for_sipi = false;
	__atomic_store_n(&v->notices, NOTICE_TSC | NOTICE_CLOCK, __ATOMIC_SEQ_CST);
	vcpu_unload(v);
}

void vcpu_wait_for_sipi(struct vcpu *v)
{
	vcpu_start(v, &(struct vcpu_start){ .mode = VCPU_REAL });
	v->waits_for_sipi = true;
}

void life_init(struct vcpu *v, bool sipi)
{
	reset(v, &(struct vcpu_start){ .mode = VCPU_REAL }, true);
	pc_set_lapic_state(v->config.pc, v->config.index, true);
	v->waits_for_sipi = true;
	vcpu_note(v, NOTICE_TSC | NOTICE_CLOCK | (sipi ? NOTICE_SIPI : 0));
	/* Linear translations of its former life. */
	vmx_invvpid(INVALIDATE_SINGLE, vmcs_read(VPID));
	switch_in(v);
}

bool life_sipi(struct vcpu *v)
{
	u32 notices = __atomic_fetch_and(&v->notices, ~(u32)(NOTICE_SIPI | NOTICE_INIT), __ATOMIC_SEQ_CST);
	u16 cs = (u16)(v->sipi_vector << 8);

	if (!(notices & NOTICE_SIPI))
		return false;
	CHECK(v->waits_for_sipi);
	v->waits_for_sipi = false;
	vmcs_write(GUEST_CS_SELECTOR, cs);
	vmcs_write(GUEST_CS_BASE, (u64)cs << 4);
	vmcs_write(GUEST_RIP, 0);
	return true;
}

/* ---- from other CPUs ---- */

void vcpu_notice(struct vcpu *v)
{
	vcpu_note(v, NOTICE_INTERRUPT);
}

void vcpu_nmi(struct vcpu *v)
{
	vcpu_note(v, NOTICE_NMI);
}

void vcpu_init_signal(struct vcpu *v)
{
	vcpu_note(v, NOTICE_INIT);
}

/* Counts only after INIT (8.4.3): take_notices drops it otherwise. */
void vcpu_sipi(struct vcpu *v, u8 vector)
{
	__atomic_store_n(&v->sipi_vector, vector, __ATOMIC_SEQ_CST);
	vcpu_note(v, NOTICE_SIPI);
}

bool vcpu_has_work(const struct vcpu *v)
{
	u32 notices = __atomic_load_n(&v->notices, __ATOMIC_SEQ_CST);

	if (v->waits_for_sipi)
		return (notices & NOTICE_SIPI) != 0;
	if ((notices & (NOTICE_NMI | NOTICE_INIT | NOTICE_BREAK)) || v->nmi_pending)
		return true;
	return !v->halted_deaf && pc_interrupt_pending(v->config.pc, v->config.index);
}

bool vcpu_break_entry(struct vcpu *v, const char *field, u64 value)
{
	v->broken.encoding = vmcs_encoding(field);
	v->broken.value = value;
	if (!v->broken.encoding)
		return false;
	vcpu_note(v, NOTICE_BREAK);
	return true;
}

void vcpu_set_tsc_offset(struct vcpu *v, u64 offset)
{
	v->tsc_offset = offset;
	vcpu_note(v, NOTICE_TSC | NOTICE_CLOCK);
}

void *vcpu_context(const struct vcpu *v)
{
	return v->config.context;
}
