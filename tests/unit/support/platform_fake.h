/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile machine under mm/: free frames are poisoned and watched, every CPU's TLB keeps stale translations (with stale dirty bits) until
 * that CPU enters the VM again, CPUs stay in guests after they are kicked for as long as the test likes, fills fail on schedule,
 * settling is noticed late, memory that mm did not back faults.  Safe for threads: one CPU (fake_cpu_set) a thread.
 */
#pragma once
#include "mm/entry.h"

enum {
	FAKE_CPUS = 4,
	FAKE_VM_PAGES = 2048, /* of a VM below 4 GiB, and as many above */
	FAKE_VMS = 8,
	FAKE_POISON = 0xd7,
};

void fake_reset(u64 seed, bool accessed_dirty_flags);
/* Memory as mm_init wants it; pages of a machine that ends at `last`. CHECKs that mm_init succeeds. */
void fake_machine(const struct mm_range *ranges, u32 count, u32 last);
err_t fake_machine_try(const struct mm_range *ranges, u32 count, u32 last);
/* Does a CHECK stop the machine in there?  Tried in a process of its own: what it changes is lost. */
bool fake_dies(void (*action)(void));
/* The machine of most tests: about 3,000 frames, in pieces, below and above 4 GiB. */
void fake_small_machine(void);
void fake_cpu_set(u32 cpu); /* of tests/unit/support/fake_cpu.c */
u32 fake_random(u32 below);

/* VM slot 0 … FAKE_VMS - 1 has id slot + 1. */
struct mm_vm *fake_vm(u32 slot);
err_t fake_vm_start(u32 slot, u32 max_pages, u32 low_pages);
void fake_vm_group(u32 slot, u32 group); /* of sharing, from its next start on; 0: alone */
/* All CPUs leave their guests; release in steps, with an audit after each. */
void fake_vm_end(u32 slot);

/* ---- a schedule of failures: each platform_fill fails with probability 1/one_in (0: never) ---- */
void fake_fail_fills(u32 one_in);
/* platform_settled says "not yet" with probability 1 - 1/one_in though it is (1: notices at once). */
void fake_settle_late(u32 one_in);
/* Large leaves give the right to execute (default), or a fetch splits them for good. */
void fake_large_executes(bool yes);
/* AES-NI and PCLMULQDQ are there, if they are on this machine. */
void fake_has_cipher(bool yes);
/* Let the machine's epochs go on from here. */
void fake_epoch(u64 epoch);
extern u64 fake_fills, fake_large_fills, fake_narrows, fake_zeroes, fake_copies, fake_looks; /* looks: is a debt settled? */

/* ---- a CPU in a guest ---- */

enum fake_result { FAKE_DONE, FAKE_FAULT };

/*
 * Read (or fetch) or write `bytes` at `address` as a guest on the calling CPU (entering the VM if need be): through its TLB, else by a walk that sets
 * accessed and dirty flags.  *stale: the translation was older than a removal of rights in this VM that this CPU has not passed.
 */
enum fake_result fake_access(u32 slot, gpa_t address, void *data, u32 bytes, enum mm_access access, bool *stale);
/* Where an access would lead now, without any effect: by the tables, or by what a CPU that is in the guest remembers. mpn 0: nowhere. */
struct fake_view {
	u32 mpn;
	bool write;
};
struct fake_view fake_table_view(u32 slot, u32 ppn);
struct fake_view fake_tlb_view(u32 cpu, u32 slot, u32 ppn);

void fake_step_begin(void); /* VM exit, or out of idle */
void fake_step_end(void);   /* pointers die; idle */
bool fake_is_in_guest(u32 slot);

/* access + resolve until done, then the vCPU has got on; E_SUSPEND and the like come back to the caller. */
err_t fake_touch(u32 slot, u32 vcpu, gpa_t address, void *data, u32 bytes, enum mm_access access, bool *stale);

/* ---- a guest on the calling CPU that tries again, as often as it takes, while all CPUs pass (platform_fake_guest.c) ---- */

/* Read or write a word of page `ppn`; what is refused for good comes back. */
err_t fake_try(u32 slot, u32 ppn, u32 offset, u64 *value, enum mm_access access);
/* The same, CHECKed to succeed. */
u64 fake_get(u32 slot, u32 ppn, u32 offset);
void fake_put(u32 slot, u32 ppn, u32 offset, u64 value);
/* A page of words that no other `content` has; is it still that? */
void fake_put_page(u32 slot, u32 ppn, u64 content);
bool fake_page_is(u32 slot, u32 ppn, u64 content);
enum page_state fake_state_of(u32 slot, u32 ppn);
/* The end of a test: the VM ends, all debts are settled, and everything is right. */
void fake_vm_end_clean(u32 slot);

/* Forget every translation of the VM at once, as losing the tables would. */
void fake_drop_all(u32 slot);

void fake_pass_time(u64 ns);

/* ---- the disk under the swap area (platform_fake_swap.c); a machine has none unless fake_swap says so before mm_swap_init ---- */
void fake_swap(u32 slots);
void fake_swap_fail(u32 writes_one_in, u32 reads_one_in); /* transfers, each with probability 1/one_in (0: never) */
void fake_swap_corrupt(u32 slot);
u32 fake_swap_pending(void);
bool fake_swap_end_one(void); /* some transfer ends; false: none is under way */
struct fake_swap_counts {
	u64 writes, reads, pages_written, pages_read, failed;
};
struct fake_swap_counts fake_swap_counts(void);

/* ---- what mm asked for ---- */
u32 fake_woken(u32 slot, u32 vcpu); /* and resets it */
extern u32 fake_work_wanted;
void fake_end_steps(void); /* of all CPUs */
/* All CPUs pass; mm_work_step until it has nothing to do. */
void fake_settle_everything(void);

/* ---- checks ---- */

/* Poison what has become free; CHECK that no translation reaches a frame that is not its page's, or grants more than the pmap. */
void fake_check(void);
/* Frames in this state are written to without the platform: their poison is no longer expected. */
void fake_unpoison(u32 frame_state);
/* CHECK that every free frame still holds its poison. */
void fake_check_poison(void);
/* A whole audit; CHECKs that it finds nothing. */
void fake_audit_memory(void);
/* The same, collecting what it finds: number of findings, the first line in `line`. */
u32 fake_audit_findings(char *line, size_t bytes);
