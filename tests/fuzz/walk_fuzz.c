/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any page tables: where they lead, how they fault and which flags are set is what a second walker says, written from the manual's tables
 * (SDM vol. 3A, 4.3 to 4.7) without looking at the first; a walk that suspends changes nothing, and what changed meanwhile is not marked.
 */
#include "tests/fuzz/input.h"
#include "tests/unit/support/emulate_fake.h"
#include "vmx/walk.h"

#define V (&fake_vcpu)
#define LEVEL_MARK(level) (1U << (level))

enum { MOST_LEVELS = 4 };

/* ---- the second walker ---- */

struct answer {
	err_t error;
	u32 fault, levels;
	u64 address, entry[MOST_LEVELS + 1], at[MOST_LEVELS + 1]; /* by level, 1 the page table */
	u32 leaf, entry_bytes;
};

struct mode {
	bool paging, pae, wide, pse, nxe, wp, smep, smap, ac, write, user, fetch;
};

static struct mode mode_of(u32 access)
{
	u64 cr0 = vcpu_cr0(), cr4 = vcpu_cr4(), efer = vmcs_read(GUEST_EFER);

	return (struct mode){ .paging = cr0 >> 31 & 1,
			      .pae = cr4 >> 5 & 1,
			      .wide = efer >> 10 & 1,
			      .pse = cr4 >> 4 & 1,
			      .wp = cr0 >> 16 & 1,
			      .nxe = efer >> 11 & cr4 >> 5 & 1,
			      .smep = cr4 >> 20 & 1,
			      .smap = cr4 >> 21 & 1,
			      .ac = vmcs_read(GUEST_RFLAGS) >> 18 & 1,
			      .write = access & WALK_WRITE,
			      .user = access & WALK_USER,
			      .fetch = access & WALK_FETCH };
}

static u64 bits(u64 value, u32 high, u32 low)
{
	return value >> low & (~0ULL >> (63 - (high - low)));
}

static bool read_at(u64 address, u32 bytes, u64 *entry)
{
	*entry = 0;
	if (address >= FAKE_MEMORY)
		return false;
	memcpy(entry, fake_memory + address, bytes);
	return true;
}

/* Reserved bits of an entry that is present. */
static bool is_reserved(const struct mode *mode, u32 level, u64 entry, bool large)
{
	if (!mode->wide && !mode->pae)
		return large && bits(entry, 21, 21);
	if (bits(entry, 51, FAKE_ADDRESS_BITS) || (bits(entry, 63, 63) && !mode->nxe))
		return true;
	if (!mode->wide && bits(entry, 62, 52))
		return true;
	if (level == 4)
		return bits(entry, 7, 7);
	if (large)
		return level == 3 ? bits(entry, 29, 13) : bits(entry, 20, 13);
	return false;
}

static bool is_refused(const struct mode *mode, bool writable, bool user_page, bool nx)
{
	if (mode->fetch)
		return (nx && mode->nxe) || (mode->user ? !user_page : user_page && mode->smep);
	if (mode->user)
		return !user_page || (mode->write && !writable);
	return (user_page && mode->smap && !mode->ac) || (mode->write && !writable && mode->wp);
}

static void fault(struct answer *answer, const struct mode *mode, bool present, bool reserved)
{
	answer->error = E_INVALID;
	answer->fault =
		present | mode->write << 1 | mode->user << 2 | reserved << 3 | (mode->fetch && (mode->nxe || mode->smep)) << 4;
}

/* CR3 or a PDPTE names the first table; false: an absent PDPTE. */
static bool first_table(const struct mode *mode, u64 linear, u64 *table, u32 *level)
{
	static const struct vmcs_64 *const pdptes[] = { &GUEST_PDPTE0, &GUEST_PDPTE1, &GUEST_PDPTE2, &GUEST_PDPTE3 };
	u64 pdpte = vmcs_read(*pdptes[bits(linear, 31, 30)]);
	bool by_pdpte = mode->pae && !mode->wide;

	*level = mode->wide ? 4 : 2;
	*table = bits(by_pdpte ? pdpte : vmcs_read(GUEST_CR3), 51, 12) << 12;
	return !by_pdpte || (pdpte & 1);
}

static void walk_again(struct answer *answer, u64 linear, u32 access)
{
	struct mode mode = mode_of(access);
	u32 level, index_bits = mode.wide || mode.pae ? 9 : 10;
	bool writable = true, user_page = true, nx = false, large = false;
	u64 table;

	*answer = (struct answer){ .address = linear, .entry_bytes = index_bits == 9 ? 8 : 4 };
	if (!mode.paging)
		return;
	bool there = first_table(&mode, linear, &table, &level);

	answer->levels = level;
	if (!there)
		return fault(answer, &mode, false, false);
	for (;; level--) {
		u32 shift = 12 + index_bits * (level - 1);
		u64 entry, at = table + bits(linear, shift + index_bits - 1, shift) * answer->entry_bytes;

		if (!read_at(at, answer->entry_bytes, &entry)) {
			answer->error = E_NOT_FOUND;
			return;
		}
		if (!(entry & 1))
			return fault(answer, &mode, false, false);
		large = level > 1 && level < 4 && bits(entry, 7, 7) && (index_bits == 9 || mode.pse);
		if (is_reserved(&mode, level, entry, large))
			return fault(answer, &mode, true, true);
		writable &= bits(entry, 1, 1);
		user_page &= bits(entry, 2, 2);
		nx |= bits(entry, 63, 63);
		answer->entry[level] = entry;
		answer->at[level] = at;
		answer->leaf = level;
		table = bits(entry, 51, 12) << 12;
		if (level == 1 || large)
			break;
	}
	if (is_refused(&mode, writable, user_page, nx))
		return fault(answer, &mode, true, false);
	u32 page = 12 + index_bits * (answer->leaf - 1);
	u64 frame = bits(answer->entry[answer->leaf], 51, page) << page;

	if (large && index_bits == 10)
		frame |= bits(answer->entry[2], 20, 13) << 32;
	answer->address = frame | bits(linear, page - 1, 0);
}

/* ---- the guest ---- */

static void take_registers(u8 how)
{
	static const u64 cr4_bits = CR4_PSE | CR4_SMEP | CR4_SMAP;
	u64 cr4 = take() & cr4_bits;

	fake_guest(how % 4 == 3 ? VCPU_LONG64 : VCPU_PROTECTED32);
	memset(fake_memory + FAKE_TABLES, 0, 4 * PAGE_SIZE);
	vmcs_write(GUEST_CR0, vmcs_read(GUEST_CR0) | (how & 4 ? CR0_WP : 0) | (how % 4 ? CR0_PG : 0));
	vmcs_write(GUEST_CR4, vmcs_read(GUEST_CR4) | cr4 | (how % 4 >= 2 ? CR4_PAE : 0));
	vmcs_write(GUEST_EFER, vmcs_read(GUEST_EFER) | (how & 8 ? EFER_NXE : 0));
	vmcs_write(GUEST_RFLAGS, RFLAGS_ONE | (how & 16 ? BIT(18) : 0));
	vmcs_write(GUEST_CR3, how & 32 ? take() : FAKE_TABLES);
	for (u32 i = 0; i < 4; i++)
		vmcs_write(((struct vmcs_64){ GUEST_PDPTE0.encoding + 2 * i }), how & 64 ? take() : FAKE_TABLES | 1);
}

/* A table of tables: each entry is likely to name one of the four tables, at an index that the linear address uses. */
static void take_entries(u64 linear, u32 entry_bytes)
{
	u32 index_bits = entry_bytes == 8 ? 9 : 10;

	for (u32 i = 0; i < 4; i++) {
		u8 how = take_byte();
		u64 entry =
			how & 1 ? take() : (FAKE_TABLES + (how >> 1 & 3) * PAGE_SIZE) | take_byte() | (u64)(how >> 3 & 1) << 63;

		for (u32 level = 0; level < 4; level++) {
			u64 index = bits(linear, 11 + index_bits * (level + 1), 12 + index_bits * level);

			if (how >> 4 & LEVEL_MARK(level))
				memcpy(fake_memory + FAKE_TABLES + i * PAGE_SIZE + index * entry_bytes, &entry, entry_bytes);
		}
	}
}

/* ---- comparison ---- */

static u8 before[FAKE_MEMORY];

static void check_marks(const struct walk *walk, const struct answer *answer, u32 access)
{
	u32 level;

	CHECK(memcmp(before, fake_memory, FAKE_MEMORY) == 0 && walk_mark(walk));
	for (level = answer->levels; answer->levels && level >= answer->leaf && !(access & WALK_FETCH); level--) {
		u64 set = 1 << 5 | (level == answer->leaf && (access & WALK_WRITE) ? 1 << 6 : 0), entry;

		memcpy(&entry, before + answer->at[level], answer->entry_bytes);
		entry |= set;
		memcpy(before + answer->at[level], &entry, answer->entry_bytes);
	}
	CHECK(memcmp(before, fake_memory, FAKE_MEMORY) == 0);
}

static void compare(u64 linear, u32 access)
{
	struct answer answer;
	struct walk walk;

	memcpy(before, fake_memory, FAKE_MEMORY);
	walk_again(&answer, linear, access);
	err_t error = walk_find(V, (gva_t){ linear }, access, &walk);

	CHECK(error == answer.error);
	CHECK(error != E_INVALID || walk.fault == answer.fault);
	if (error == OK) {
		CHECK(walk.address.a == answer.address);
		check_marks(&walk, &answer, access);
	}
	CHECK(memcmp(before, fake_memory, FAKE_MEMORY) == 0);
}

static void suspend_at(u32 call, u64 linear, u32 access)
{
	struct walk walk;

	fake_reaches = 0;
	fake_suspend_at = call;
	memcpy(before, fake_memory, FAKE_MEMORY);
	err_t error = walk_find(V, (gva_t){ linear }, access, &walk);

	CHECK(error == E_SUSPEND || fake_reaches < call);
	CHECK(memcmp(before, fake_memory, FAKE_MEMORY) == 0);
	fake_suspend_at = 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	take_from(data, bytes);
	u8 how = take_byte(), access = take_byte();

	take_registers(how);
	u64 linear = how % 4 == 3 ? take() : take_value(4);

	take_entries(linear, how % 4 >= 2 ? 8 : 4);
	/* A fetch has no other kind beside it. */
	access = access & WALK_FETCH ? access & (WALK_FETCH | WALK_USER) : access & (WALK_WRITE | WALK_USER);
	suspend_at(1 + take_byte() % 12U, linear, access);
	compare(linear, access);
	compare(linear, access); /* all flags are set now */
	return 0;
}
