/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables, as the processor walks them, and user mode with its guards. */
#include "tests/guests/promises/promises.h"

#define UNCACHED (BIT(3) | BIT(4))
#define ACCESSED BIT(5)
#define DIRTY BIT(6)
#define LARGE BIT(7)
#define GLOBAL BIT(8)
#define NO_EXECUTE BIT(63)
#define CR3_KEEP BIT(63)
#define NO_FAULT UINT64_MAX
enum { FAULT_ABSENT = 0, FAULT_PRESENT = 1, FAULT_WRITE = 2, FAULT_RESERVED = 8, FAULT_FETCH = 16 };

/* The window: the second 512 GiB. Its first 2 MiB are 4 KiB pages, its second GiB is one page. */
#define WINDOW (1ULL << 39)
enum { GIANT_AT = 1 << 30, SLOT_DATA = 1, SLOT_DEVICE = 2 };

static u64 pdpt[512] __attribute__((aligned(PAGE_SIZE)));
static u64 pd[512] __attribute__((aligned(PAGE_SIZE)));
static u64 pt[512] __attribute__((aligned(PAGE_SIZE)));
static u8 page_a[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static u8 page_b[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));

static u64 slot_address(u32 slot)
{
	return WINDOW + slot * (u64)PAGE_SIZE;
}

static void map(u32 slot, u64 physical, u64 flags)
{
	u64 *pml4 = (u64 *)(cr3_read() & 0x000ffffffffff000ULL);

	pd[0] = (u64)pt | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
	pdpt[0] = (u64)pd | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
	pml4[1] = (u64)pdpt | PAGE_PRESENT | PAGE_WRITE | PAGE_USER;
	pt[slot] = physical | flags;
	invlpg(slot_address(slot));
}

/* ---- accesses that may fault ---- */

static void read_at(void *at)
{
	(void)*(volatile u32 *)at;
}

static void write_at(void *at)
{
	*(volatile u32 *)at = 1;
}

static void execute_at(void *at)
{
	((void (*)(void))at)();
}

static void read_with_ac(void *at)
{
	__asm__ volatile("stac" : : : "memory");
	read_at(at);
	__asm__ volatile("clac" : : : "memory");
}

/* NULL: the access raised a page fault with this error code, or nothing with NO_FAULT. */
static const char *raises(const char *what, void (*access)(void *), u32 slot, u64 error)
{
	u64 vector = try_call(access, (void *)slot_address(slot));

	if (error == NO_FAULT) {
		EXPECT(vector == TRY_NOTHING, "%s raised %lld, error 0x%llx", what, vector, try_error);
		return NULL;
	}
	EXPECT(vector == VECTOR_PF && try_error == error, "%s raised %lld, error 0x%llx, not 0x%llx", what, vector, try_error,
	       error);
	EXPECT(cr2_read() == slot_address(slot), "%s: CR2 is 0x%llx", what, cr2_read());
	return NULL;
}

#define WANT(...)                                           \
	do {                                                \
		const char *trouble_ = raises(__VA_ARGS__); \
		if (trouble_)                               \
			return trouble_;                    \
	} while (0)

/* ---- flags in entries ---- */

static const char *accesses_set_accessed_and_dirty(void)
{
	const struct {
		const char *name;
		u64 physical, flags;
	} targets[] = { { "memory", (u64)page_a, 0 },
			{ "a first touch", (u64)fresh_pages(1), 0 },
			{ "a device", IOAPIC_AT, UNCACHED } };

	for (u32 i = 0; i < ARRAY_SIZE(targets); i++) {
		map(SLOT_DATA, targets[i].physical, targets[i].flags | PAGE_PRESENT | PAGE_WRITE);
		pd[0] &= ~ACCESSED;
		WANT("reading", read_at, SLOT_DATA, NO_FAULT);
		u64 after_read = pt[SLOT_DATA];
		WANT("writing", write_at, SLOT_DATA, NO_FAULT);
		EXPECT((after_read & (ACCESSED | DIRTY)) == ACCESSED, "%s: the entry after a read is 0x%llx", targets[i].name,
		       after_read);
		EXPECT((pt[SLOT_DATA] & (ACCESSED | DIRTY)) == (ACCESSED | DIRTY), "%s: the entry after a write is 0x%llx",
		       targets[i].name, pt[SLOT_DATA]);
		EXPECT(pd[0] & ACCESSED, "%s: the directory's entry is 0x%llx", targets[i].name, pd[0]);
	}
	return NULL;
}

static void ret_page(void)
{
	page_a[0] = 0xc3; /* RET */
}

static const char *entries_forbid_what_they_say(void)
{
	u64 cr0 = cr0_read();

	map(SLOT_DATA, (u64)page_a, PAGE_PRESENT);
	WANT("reading read-only", read_at, SLOT_DATA, NO_FAULT);
	WANT("writing read-only", write_at, SLOT_DATA, FAULT_PRESENT | FAULT_WRITE);
	cr0_write(cr0 & ~CR0_WP);
	const char *trouble = raises("writing read-only without WP", write_at, SLOT_DATA, NO_FAULT);
	cr0_write(cr0);
	if (trouble)
		return trouble;
	map(SLOT_DATA, 0, 0);
	WANT("reading what is not there", read_at, SLOT_DATA, FAULT_ABSENT);
	WANT("writing what is not there", write_at, SLOT_DATA, FAULT_WRITE);
	return NULL;
}

static const char *nx_counts_while_efer_nxe_is_set(void)
{
	u64 efer = msr_read(MSR_EFER);

	if (!cpu_has(FEATURE_NX))
		return SKIP("no NX");
	ret_page();
	map(SLOT_DATA, (u64)page_a, PAGE_PRESENT | NO_EXECUTE);
	msr_write(MSR_EFER, efer & ~EFER_NXE);
	const char *trouble = raises("bit 63 without NXE", read_at, SLOT_DATA, FAULT_PRESENT | FAULT_RESERVED);
	msr_write(MSR_EFER, efer | EFER_NXE);
	if (!trouble)
		trouble = raises("reading with NXE", read_at, SLOT_DATA, NO_FAULT);
	if (!trouble)
		trouble = raises("executing with NXE", execute_at, SLOT_DATA, FAULT_PRESENT | FAULT_FETCH);
	map(SLOT_DATA, (u64)page_a, PAGE_PRESENT);
	if (!trouble)
		trouble = raises("executing without NX", execute_at, SLOT_DATA, NO_FAULT);
	map(SLOT_DATA, 0, 0);
	msr_write(MSR_EFER, efer);
	return trouble;
}

static const char *smep_and_smap_guard_the_kernel(void)
{
	u64 cr4 = cr4_read();
	const char *trouble = NULL;

	if (!cpu_has(FEATURE_SMEP) || !cpu_has(FEATURE_SMAP))
		return SKIP("no SMEP or SMAP");
	ret_page();
	map(SLOT_DATA, (u64)page_a, PAGE_PRESENT | PAGE_WRITE | PAGE_USER);
	map(SLOT_DEVICE, IOAPIC_AT, PAGE_PRESENT | PAGE_WRITE | PAGE_USER | UNCACHED);
	trouble = raises("executing without SMEP", execute_at, SLOT_DATA, NO_FAULT);
	cr4_write(cr4 | CR4_SMEP | CR4_SMAP);
	if (!trouble)
		trouble = raises("executing with SMEP", execute_at, SLOT_DATA, FAULT_PRESENT | FAULT_FETCH);
	if (!trouble)
		trouble = raises("reading with SMAP", read_at, SLOT_DATA, FAULT_PRESENT);
	if (!trouble)
		trouble = raises("reading a device with SMAP", read_at, SLOT_DEVICE, FAULT_PRESENT);
	if (!trouble)
		trouble = raises("reading with SMAP and AC", read_with_ac, SLOT_DATA, NO_FAULT);
	if (!trouble)
		trouble = raises("reading a device with SMAP and AC", read_with_ac, SLOT_DEVICE, NO_FAULT);
	cr4_write(cr4);
	return trouble;
}

static const char *pages_of_1_gib_map(void)
{
	if (!cpu_has(FEATURE_PAGES_1G))
		return SKIP("no 1 GiB pages");
	map(SLOT_DATA, 0, 0);
	pdpt[1] = PAGE_PRESENT | PAGE_WRITE | LARGE;
	invlpg(WINDOW + GIANT_AT);
	for (u64 at = (u64)page_a; at < (u64)page_a + PAGE_SIZE; at += 8) {
		*(volatile u64 *)at = at;
		EXPECT(*(volatile u64 *)(WINDOW + GIANT_AT + at) == at, "0x%llx reads 0x%llx", at,
		       *(volatile u64 *)(WINDOW + GIANT_AT + at));
	}
	u64 fresh = (u64)fresh_pages(1);
	*(volatile u64 *)(WINDOW + GIANT_AT + fresh) = 77;
	EXPECT(*(volatile u64 *)fresh == 77, "a first touch through it went elsewhere");
	EXPECT((pdpt[1] & (ACCESSED | DIRTY)) == (ACCESSED | DIRTY), "its entry is 0x%llx", pdpt[1]);
	/* A device in it: the walk of the emulation. */
	pdpt[2] = 0xc0000000ULL | PAGE_PRESENT | PAGE_WRITE | LARGE | UNCACHED;
	u32 through = *(volatile u32 *)(WINDOW + 2ULL * GIANT_AT + (IOAPIC_AT - 0xc0000000ULL));
	EXPECT(through == *(volatile u32 *)IOAPIC_AT, "a device reads 0x%x through it", through);
	return NULL;
}

/* ---- PCID ---- */

static u32 window_word(void)
{
	return *(volatile u32 *)slot_address(SLOT_DATA);
}

static void invpcid(u64 type, u64 pcid, u64 address)
{
	const u64 descriptor[2] = { pcid, address };

	__asm__ volatile("invpcid (%0), %1" : : "r"(descriptor), "r"(type) : "memory");
}

static void invpcid_wrong_type(void)
{
	invpcid(4, 0, 0);
}

static void invpcid_wrong_pcid(void)
{
	invpcid(1, 4096, 0);
}

static const char *with_pcid(u64 root)
{
	*(u32 *)page_a = 0xaaaa;
	*(u32 *)page_b = 0xbbbb;
	map(SLOT_DATA, (u64)page_a, PAGE_PRESENT);
	cr3_write(root | 1);
	EXPECT(window_word() == 0xaaaa, "PCID 1 reads 0x%x", window_word());
	pt[SLOT_DATA] = (u64)page_b | PAGE_PRESENT;
	cr3_write(root | 2);
	EXPECT(window_word() == 0xbbbb, "PCID 2 reads 0x%x: PCID 1's translation", window_word());
	cr3_write(root | 1 | CR3_KEEP);
	EXPECT(cr3_read() == (root | 1), "CR3 is 0x%llx", cr3_read());
	if (cpu_has(FEATURE_INVPCID)) {
		invpcid(0, 1, slot_address(SLOT_DATA));
		EXPECT(window_word() == 0xbbbb, "after INVPCID of the address it reads 0x%x", window_word());
		pt[SLOT_DATA] = (u64)page_a | PAGE_PRESENT;
		invpcid(1, 2, 0);
		cr3_write(root | 2 | CR3_KEEP);
		EXPECT(window_word() == 0xaaaa, "after INVPCID of the context it reads 0x%x", window_word());
		pt[SLOT_DATA] = (u64)page_b | PAGE_PRESENT;
		invpcid(3, 0, 0);
		EXPECT(window_word() == 0xbbbb, "after INVPCID of all contexts it reads 0x%x", window_word());
		EXPECT(code_raises(invpcid_wrong_type) == VECTOR_GP, "INVPCID takes type 4");
		EXPECT(code_raises(invpcid_wrong_pcid) == VECTOR_GP, "INVPCID takes PCID 4096");
	}
	EXPECT(cr4_write_raises(cr4_read() & ~CR4_PCIDE) == TRY_NOTHING, "PCIDE cannot be cleared");
	return NULL;
}

static void write_cr3_keep(void)
{
	cr3_write(cr3_read() | CR3_KEEP);
}

static const char *pcids_keep_translations_apart(void)
{
	u64 root = cr3_read() & ~0xfffULL, cr4 = cr4_read();

	if (!cpu_has(FEATURE_PCID))
		return SKIP("no PCID");
	EXPECT(code_raises(write_cr3_keep) == VECTOR_GP, "CR3 takes bit 63 without PCIDE");
	cr3_write(root | 0x18);
	u64 with_low_bits = cr4_write_raises(cr4 | CR4_PCIDE);
	cr4_write(cr4 & ~CR4_PCIDE);
	cr3_write(root);
	EXPECT(with_low_bits == VECTOR_GP, "PCIDE can be set while CR3 has low bits");
	cr4_write(cr4 | CR4_PCIDE);
	const char *trouble = with_pcid(root);
	cr3_write(root);
	cr4_write(cr4);
	return trouble;
}

static const char *global_pages_outlive_cr3_and_not_cr4(void)
{
	u64 cr4 = cr4_read(), root = cr3_read();

	*(u32 *)page_a = 0xaaaa;
	*(u32 *)page_b = 0xbbbb;
	cr4_write(cr4 | CR4_PGE);
	map(SLOT_DATA, (u64)page_a, PAGE_PRESENT | GLOBAL);
	(void)window_word();
	pt[SLOT_DATA] = (u64)page_b | PAGE_PRESENT | GLOBAL;
	cr3_write(root); /* may or may not keep it */
	cr4_write(cr4 & ~CR4_PGE);
	u32 word = window_word();
	cr4_write(cr4);
	EXPECT(word == 0xbbbb, "after clearing PGE it reads 0x%x", word);
	return NULL;
}

/* ---- user mode ---- */

#define USER_CODE(name, ...)                   \
	static void name(void *memory)         \
	{                                      \
		(void)memory;                  \
		__asm__ volatile(__VA_ARGS__); \
	}
USER_CODE(user_sgdt, "sgdt (%0)" : : "r"(memory) : "memory")
USER_CODE(user_sidt, "sidt (%0)" : : "r"(memory) : "memory")
USER_CODE(user_sldt, "sldt (%0)" : : "r"(memory) : "memory")
USER_CODE(user_str, "str (%0)" : : "r"(memory) : "memory")
USER_CODE(user_smsw, "smsw (%0)" : : "r"(memory) : "memory")
USER_CODE(user_rdtsc, "rdtsc" : : : "rax", "rdx")
USER_CODE(user_cpuid, "cpuid" : : "a"(0), "c"(0) : "rbx", "rdx")
USER_CODE(user_hlt, "hlt")
USER_CODE(user_cli, "cli")
USER_CODE(user_in, "inb $0x61, %%al" : : : "rax")
USER_CODE(user_cr0, "mov %%cr0, %%rax" : : : "rax")
USER_CODE(user_cr8, "mov %%rax, %%cr8" : : "a"(0))
USER_CODE(user_rdmsr, "rdmsr" : : "c"(MSR_TSC) : "rax", "rdx")
USER_CODE(user_xsetbv, "xsetbv" : : "a"(1), "c"(0), "d"(0))
USER_CODE(user_wbinvd, "wbinvd")

static const struct {
	const char *name;
	void (*code)(void *memory);
	bool allowed;
	u64 guard; /* the bit of CR4 that forbids it */
} user_ways[] = {
	{ "SGDT", user_sgdt, true, CR4_UMIP }, { "SIDT", user_sidt, true, CR4_UMIP },  { "SLDT", user_sldt, true, CR4_UMIP },
	{ "STR", user_str, true, CR4_UMIP },   { "SMSW", user_smsw, true, CR4_UMIP },  { "RDTSC", user_rdtsc, true, CR4_TSD },
	{ "CPUID", user_cpuid, true, 0 },      { "HLT", user_hlt, false, 0 },          { "CLI", user_cli, false, 0 },
	{ "IN", user_in, false, 0 },           { "MOV from CR0", user_cr0, false, 0 }, { "MOV to CR8", user_cr8, false, 0 },
	{ "RDMSR", user_rdmsr, false, 0 },     { "XSETBV", user_xsetbv, false, 0 },    { "WBINVD", user_wbinvd, false, 0 },
};

/* From here on every page is user mode's too. */
static const char *user_mode(u64 guard)
{
	static bool prepared;
	u64 cr4 = cr4_read();

	interrupts_off();
	if (!prepared)
		user_init();
	prepared = true;
	for (u32 i = 0; i < ARRAY_SIZE(user_ways); i++) {
		cr4_write(cr4 | guard);
		u64 vector = user_call(user_ways[i].code, page_a);
		cr4_write(cr4);
		bool fine = user_ways[i].allowed && !(user_ways[i].guard & guard);
		EXPECT(vector == (fine ? TRY_NOTHING : VECTOR_GP), "%s raised %lld", user_ways[i].name, vector);
	}
	return NULL;
}

static const char *user_mode_may_not_do_what_is_the_kernels(void)
{
	return user_mode(0);
}

static const char *umip_hides_the_tables_from_user_mode(void)
{
	return cpu_has(FEATURE_UMIP) ? user_mode(CR4_UMIP) : SKIP("no UMIP");
}

static const char *tsd_hides_the_tsc_from_user_mode(void)
{
	return user_mode(CR4_TSD);
}

static const struct promise list[] = {
	{ "accesses_set_accessed_and_dirty", accesses_set_accessed_and_dirty },
	{ "entries_forbid_what_they_say", entries_forbid_what_they_say },
	{ "nx_counts_while_efer_nxe_is_set", nx_counts_while_efer_nxe_is_set },
	{ "smep_and_smap_guard_the_kernel", smep_and_smap_guard_the_kernel },
	{ "pages_of_1_gib_map", pages_of_1_gib_map },
	{ "pcids_keep_translations_apart", pcids_keep_translations_apart },
	{ "global_pages_outlive_cr3_and_not_cr4", global_pages_outlive_cr3_and_not_cr4 },
	{ "user_mode_may_not_do_what_is_the_kernels", user_mode_may_not_do_what_is_the_kernels },
	{ "umip_hides_the_tables_from_user_mode", umip_hides_the_tables_from_user_mode },
	{ "tsd_hides_the_tsc_from_user_mode", tsd_hides_the_tsc_from_user_mode },
};
PROMISES(memory, list);
