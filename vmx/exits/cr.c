/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes to CR0 and CR4 that touch bits of ours, and CR8.  Bits that are the guest's own do not exit; a write that does exit may
 * change them as well, so each is done as the processor would: first every check and every read, then the change.
 * SDM vol. 2B (MOV to control registers), vol. 3A 2.5 and 4.1, vol. 3C 25.6.6.
 */
#include "vmx/control_regs.h"
#include "vmx/cpuid.h"
#include "vmx/exit.h"
#include "vmx/insn.h"
#include "vmx/machine.h"

/* Exit qualification, SDM vol. 3C, table 27-3. */
enum { ACCESS_TO = 0, ACCESS_FROM = 1, ACCESS_CLTS = 2, ACCESS_LMSW = 3 };

/* What a write changes that a TLB entry may remember. */
#define CR0_PAGING (CR0_PG | CR0_WP | CR0_PE | CR0_CD | CR0_NW)
#define CR4_PAGING (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE)
/* What makes the processor read the PDPTEs, and what each of them must not have beside too large an address (SDM vol. 3A, 4.4.1). */
#define CR0_READS_PDPTES (CR0_PG | CR0_CD | CR0_NW)
#define CR4_READS_PDPTES (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP)
#define PDPTE_RESERVED 0x1e6ULL

/* The four entries that PAE paging keeps in the processor: read here, because no MOV to CR3 does it for us. */
struct pdptes {
	bool needed;
	u64 entry[4];
};

static enum exit_action gp(struct vcpu *v)
{
	return vcpu_inject_exception(v, VECTOR_GP, 0);
}

/* EXIT_ADVANCE: go on. */
static enum exit_action read_pdptes(struct vcpu *v, struct pdptes *pdptes)
{
	if (!pdptes->needed)
		return EXIT_ADVANCE;
	gpa_t table = { vmcs_read(GUEST_CR3) & 0xffffffe0 };
	u64 reserved = PDPTE_RESERVED | ~0ULL << cpuid_address_bits(v);
	err_t error = mm_read(v->config.mm, v->config.index, table, pdptes->entry, sizeof(pdptes->entry));

	if (error == E_NOT_FOUND)
		return gp(v);
	if (error)
		return vcpu_wait_for(v, error, "PDPTEs");
	for (u32 i = 0; i < ARRAY_SIZE(pdptes->entry); i++)
		if ((pdptes->entry[i] & 1) && (pdptes->entry[i] & reserved))
			return gp(v);
	return EXIT_ADVANCE;
}

static void write_pdptes(const struct pdptes *pdptes)
{
	if (!pdptes->needed)
		return;
	vmcs_write(GUEST_PDPTE0, pdptes->entry[0]);
	vmcs_write(GUEST_PDPTE1, pdptes->entry[1]);
	vmcs_write(GUEST_PDPTE2, pdptes->entry[2]);
	vmcs_write(GUEST_PDPTE3, pdptes->entry[3]);
}

/* The processor would have flushed at this write. */
static void flush(u64 changed)
{
	if (changed)
		vmx_invvpid(INVALIDATE_SINGLE, vmcs_read(VPID));
}

static enum exit_action write_cr0(struct vcpu *v, u64 value)
{
	struct control_state now = control_state();

	if (!control_cr0_valid(&now, value))
		return gp(v);
	struct pdptes pdptes = { .needed = (value & CR0_PG) && (now.cr4 & CR4_PAE) && !(now.efer & EFER_LME) &&
					   ((value ^ now.cr0) & CR0_READS_PDPTES) };
	enum exit_action action = read_pdptes(v, &pdptes);

	if (action != EXIT_ADVANCE)
		return action;
	write_pdptes(&pdptes);
	control_set_cr0(value);
	flush((value ^ now.cr0) & CR0_PAGING);
	return EXIT_ADVANCE;
}

static enum exit_action write_cr4(struct vcpu *v, u64 value)
{
	struct control_state now = control_state();

	if (!control_cr4_valid(&now, value, cpuid_cr4_mask(v)))
		return gp(v);
	struct pdptes pdptes = { .needed = (now.cr0 & CR0_PG) && (value & CR4_PAE) && !(now.efer & EFER_LMA) &&
					   ((value ^ now.cr4) & CR4_READS_PDPTES) };
	enum exit_action action = read_pdptes(v, &pdptes);

	if (action != EXIT_ADVANCE)
		return action;
	write_pdptes(&pdptes);
	control_set_cr4(value);
	flush((value ^ now.cr4) & CR4_PAGING);
	return EXIT_ADVANCE;
}

static enum exit_action write_cr8(struct vcpu *v, u64 value)
{
	if (value > 15)
		return gp(v);
	pc_set_cr8(v->config.pc, v->config.index, (u8)value);
	vcpu_note(v, NOTICE_INTERRUPT);
	return EXIT_ADVANCE;
}

enum exit_action exit_cr_access(struct vcpu *v)
{
	static const struct {
		u32 number;
		enum exit_action (*write)(struct vcpu *v, u64 value);
	} writes[] = { { 0, write_cr0 }, { 4, write_cr4 }, { 8, write_cr8 } };
	u32 number = v->exit.qualification & 15;
	u32 access = v->exit.qualification >> 4 & 3;
	u32 reg = v->exit.qualification >> 8 & 15;

	if (access == ACCESS_FROM && number == 8) {
		vcpu_set_gpr(v, reg, pc_get_cr8(v->config.pc, v->config.index));
		return EXIT_ADVANCE;
	}
	/* In legacy modes the upper half of a register is not part of the operand. */
	u64 value = vcpu_long_code() ? vcpu_gpr(v, reg) : (u32)vcpu_gpr(v, reg);

	for (u32 i = 0; i < ARRAY_SIZE(writes) && access == ACCESS_TO; i++)
		if (writes[i].number == number)
			return writes[i].write(v, value);
	return exit_unexpected(v);
}
