/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any RDMSR, WRMSR, VMCALL, CPUID and XSETBV with any registers, in any order, with time and stolen time between them: each is done, refused
 * by an exception that leaves everything as it was, or waits so; the VM's memory passes its audit after all.
 */
#include "kernel/lib/check.h"
#include "kernel/lib/config.h"
#include "tests/fuzz/input.h"
#include "tests/unit/support/pc_fake.h"
#include "tests/unit/support/platform_fake.h"
#include "tests/unit/support/vmx_fake.h"
#include "vmx/exit.h"
#include "vmx/inject.h"
#include "vmx/msr.h"
#include "vmx/pvclock.h"

#define V (&vcpu)

enum { PAGES = 1024, OPERATIONS = 200 };

static struct vcpu vcpu;

static struct cpuid processor(u32 leaf, u32 subleaf)
{
	(void)subleaf;
	if (leaf == 0 || leaf == 0x80000000)
		return (struct cpuid){ leaf + 0x20, 0, 0, 0 };
	if (leaf == 0x80000008)
		return (struct cpuid){ 0x302e, 0, 0, 0 };
	return (struct cpuid){ ~0U, ~0U, ~0U, ~0U };
}

static void begin(u8 how)
{
	enum config_identity identity = (enum config_identity)(how % 3);

	vmx_fake_reset();
	vmx_fake_mode(how & 4 ? VCPU_LONG64 : VCPU_PROTECTED32);
	fake_pc(1);
	fake_reset(1, true);
	fake_small_machine();
	CHECK(fake_vm_start(0, PAGES, PAGES) == OK);
	memset(V, 0, sizeof(*V));
	vcpu.config = (struct vcpu_config){
		.pc = pc, .mm = fake_vm(0), .identity = identity, .tsc_khz = FAKE_TSC_KHZ, .host_tsc_khz = FAKE_TSC_KHZ
	};
	cpuid_build(
		&vcpu.cpuid,
		&(struct cpuid_facts){ .ask = processor, .xcr0 = 7, .vcpus = 1, .tsc_khz = FAKE_TSC_KHZ, .identity = identity });
	vcpu.xcr0 = 1;
	msr_reset(V);
}

/* ---- registers ---- */

/* A register that a row names, or the neighbour of one, as often as not. */
static u32 take_msr(void)
{
	static const u32 firsts[] = {
#define MSR(first, last, name, direct, read, write, why) first,
#include "vmx/msr.def"
#undef MSR
	};
	u8 which = take_byte();

	if (which == 255)
		return (u32)take_value(4);
	return firsts[which % ARRAY_SIZE(firsts)] + (which >= 128 ? take_byte() % 0x41U : 0);
}

/* Places in memory, moments near now, or anything. */
static u64 take_number(void)
{
	u8 how = take_byte();

	if (how < 64)
		return (u64)take_value(2) << 6 | (how & 1);
	if (how < 128)
		return fake.now + take_value(4);
	return how < 192 ? take_byte() : take();
}

static bool is_paravirtual(u32 msr)
{
	return msr == 0x11 || msr == 0x12 || (msr >= 0x4b564d00 && msr <= 0x4b564d03);
}

static void check_refused(const union vcpu_regs *regs)
{
	CHECK((vcpu.event.info & EVENT_VALID) && memcmp(&vcpu.regs, regs, sizeof(*regs)) == 0);
}

static void read_msr(void)
{
	union vcpu_regs regs;

	vcpu.regs.rcx = take_msr();
	regs = vcpu.regs;
	if (msr_read_exit(V) == EXIT_ADVANCE)
		CHECK(vcpu.regs.rax <= UINT32_MAX && vcpu.regs.rdx <= UINT32_MAX);
	else
		check_refused(&regs);
}

/* What was refused left it as it was; KVM's registers are there for nobody else. */
static void write_msr(void)
{
	union vcpu_regs regs;
	struct vcpu_soft soft = vcpu.soft;
	u32 number = take_msr();
	u64 value = take_number();

	vcpu.regs.rcx = number;
	vcpu.regs.rax = (u32)value;
	vcpu.regs.rdx = value >> 32;
	regs = vcpu.regs;
	enum exit_action action = msr_write_exit(V);

	CHECK(action == EXIT_ADVANCE || action == EXIT_INJECT || action == EXIT_SUSPEND);
	CHECK(memcmp(&vcpu.regs, &regs, sizeof(regs)) == 0);
	if (action == EXIT_ADVANCE)
		CHECK(!is_paravirtual(number) || vcpu.config.identity == IDENTITY_KVM);
	else
		CHECK(memcmp(&vcpu.soft, &soft, sizeof(soft)) == 0);
	CHECK(action != EXIT_INJECT || (vcpu.event.info & EVENT_VALID));
}

static void call(void)
{
	u8 how = take_byte();
	union vcpu_regs regs;

	vmcs_write(GUEST_SS_RIGHTS, (vmcs_read(GUEST_SS_RIGHTS) & ~0x60U) | (how & 0x60));
	vcpu.regs.rax = how & 1 ? take() : 0x41650000 + (u64)(how >> 1);
	regs = vcpu.regs;
	CHECK(exit_vmcall(V) == EXIT_ADVANCE);
	regs.rax = vcpu.regs.rax; /* nothing else is a result */
	CHECK(memcmp(&vcpu.regs, &regs, sizeof(regs)) == 0);
	CHECK(!(how & 0x60) || (s64)vcpu.regs.rax < 0);
}

static void ask_cpuid(void)
{
	vcpu.regs.rax = take_value(4);
	vcpu.regs.rcx = take_value(take_byte() & 1 ? 4 : 1);
	CHECK(cpuid_exit(V) == EXIT_ADVANCE);
	CHECK((vcpu.regs.rax | vcpu.regs.rbx | vcpu.regs.rcx | vcpu.regs.rdx) <= UINT32_MAX);
}

static void set_xcr0(void)
{
	union vcpu_regs regs;
	u64 before = vcpu.xcr0;

	vcpu.regs.rax = take_byte();
	vcpu.regs.rdx = take_byte() & take_byte() & 3;
	vcpu.regs.rcx = take_byte() & take_byte() & 1;
	regs = vcpu.regs;
	if (exit_xsetbv(V) == EXIT_ADVANCE) {
		u64 value = regs.rdx << 32 | (u32)regs.rax;

		CHECK((u32)regs.rcx == 0 && (value & 1) && (value & ~7ULL) == 0 && (value & 6) != 4 && vcpu.xcr0 == value);
		return;
	}
	check_refused(&regs);
	CHECK(vcpu.xcr0 == before);
}

/* ---- what happens between exits ---- */

/* As before each entry: what is registered is written, and a guest that reads it sees it whole. */
static void enter(void)
{
	vcpu.notices &= ~(u32)NOTICE_CLOCK;
	pvclock_update(V);
	for (u32 i = 0; i < 2; i++) {
		const struct pv_page *page = i ? &vcpu.soft.steal : &vcpu.soft.clock;
		u32 version;

		if (!(page->address & 1))
			continue;
		memcpy(&version, (const u8 *)platform_frame(page->frame) + (page->address & ~1ULL) % PAGE_SIZE + (i ? 8 : 0),
		       sizeof(version));
		CHECK(version % 2 == 0);
	}
}

static void others_run(void)
{
	pvclock_left(V);
	fake_run(take_value(2));
	pvclock_came_back(V);
}

static void pass(void)
{
	fake_run(take_value(3));
}

static void scribble(void)
{
	void *page;
	gpa_t address = { take_value(2) << 6 };

	if (mm_reach(fake_vm(0), 0, address, 64, MM_WRITE, &page) == OK)
		memset(page, take_byte(), 64);
}

static void (*const operations[])(void) = { read_msr, write_msr, write_msr,  write_msr, call,    ask_cpuid,
					    set_xcr0, enter,     others_run, pass,      scribble };

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	take_from(data, bytes);
	begin(take_byte());
	for (u32 i = 0; left.bytes && i < OPERATIONS; i++) {
		vcpu.event.info = 0;
		operations[take_byte() % ARRAY_SIZE(operations)]();
		fake_audit();
	}
	fake_audit_memory();
	msr_reset(V);
	fake_vm_end(0);
	return 0;
}
