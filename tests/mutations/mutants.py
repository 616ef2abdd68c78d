# SPDX-License-Identifier: BSD-2-Clause
"""Faults to be planted, one line each, and the test that must notice.

HOST: for programs of tests/unit. `also` names sources to be compiled again besides the file itself: for a header, those whose inline code matters.
KERNEL: for a machine in an emulator (tests/stress/test_mutants.py)."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    old: str  # stands in the file exactly once
    new: str
    test: str = ""
    also: tuple = ()


HOST = [
    # debts: nothing is reused or trusted before every CPU has passed
    Mutant("debt-is-not-awaited", "mm/debt.c", "if (!platform_settled(vm, whole_epoch(vm, frame->epoch)))\n\t\t\tbreak;",
           "if (0)\n\t\t\tbreak;", "mm_fault_test"),
    Mutant("given-up-page-owes-nothing", "mm/watch.c", "debt_free(vm, entry_frame(old), ppn.n, (struct mm_debt){ vm->last_epoch });",
           "debt_free(vm, entry_frame(old), ppn.n, (struct mm_debt){ 0 });", "mm_fault_test"),
    Mutant("low-half-zero-is-no-debt", "mm/debt.c", "while ((u32)vm->last_epoch == 0);", "while (0);", "mm_fault_test"),
    Mutant("balloon-pops-too-early", "mm/resolve.c",
           "static err_t on_ballooned(struct mm_vm *vm, struct page *page, enum mm_access access)\n{\n\t(void)access;\n\tif (!debt",
           "static err_t on_ballooned(struct mm_vm *vm, struct page *page, enum mm_access access)\n{\n\t(void)access;\n\tif (0 && !debt",
           "mm_fault_test"),
    Mutant("busy-page-is-not-awaited", "mm/resolve.c",
           "static err_t busy_epoch(struct mm_vm *vm, struct page *page)\n{\n\tif (!debt",
           "static err_t busy_epoch(struct mm_vm *vm, struct page *page)\n{\n\tif (0 && !debt", "mm_fault_test"),
    Mutant("dropped-reference-is-not-awaited", "mm/resolve.c", "if (!debt_is_passed_16(vm, (u16)(entry >> ENTRY_EPOCH_SHIFT)))", "if (0)",
           "mm_share_test"),
    Mutant("copy-is-not-awaited", "mm/cow.c", "if (!debt_is_passed(vm, frame_of(mpn)->epoch))", "if (0)", "mm_engine_test"),
    Mutant("second-guard-keeps-the-first-candidacy", "mm/watch.c", "batch_strike(vm, page->ppn.n);", "(void)0;", "mm_batch_test"),
    Mutant("read-does-not-cancel", "mm/batch.c", "if (entry_ceiling(entry) <= candidate->ceiling)", "if (1)", "mm_batch_test"),
    Mutant("batch-is-not-awaited", "mm/batch.c", "return batch->closed && !vm->release_phase && platform_settled(vm, (struct mm_debt){ batch->epoch });",
           "return batch->closed;",
           "mm_share_test"),
    Mutant("move-is-not-awaited", "mm/move.c", "if (!batch_is_settled(vm, BATCH_MOVE))", "if (!vm->batches[BATCH_MOVE].closed)",
           "mm_move_test"),
    Mutant("moved-page-forgets-its-hint", "mm/move.c", "hand_on_hint(from, to);", "(void)from;", "mm_move_test"),
    Mutant("pinned-page-is-copied-for-ever", "mm/reach.c", "iopage_ask(vm, &page);", "(void)0;", "mm_iopage_test"),
    Mutant("moves-take-what-is-kept", "mm/zone.c", "!(spare && is_short(zone, 1ULL << order))", "(spare || !spare)", "mm_zone_test"),
    Mutant("zero-frame-left-without-debt", "mm/resolve.c", "if (platform_settled(vm, (struct mm_debt){ vm->last_epoch })) {",
           "if (1) {", "mm_fault_test"),
    Mutant("release-does-not-wait", "mm/release.c", "return !vm->debt_first && platform_settled(vm, (struct mm_debt){ vm->last_epoch });",
           "return !vm->debt_first;", "mm_release_test"),
    # rights: taken away before the page is trusted
    Mutant("sample-keeps-rights", "mm/watch.c", "if (ceiling < CEILING_READ)\n\t\tdebt_take_rights(vm, page->ppn);", "(void)ceiling;",
           "mm_fault_test"),
    Mutant("candidate-is-not-write-protected", "mm/watch.c", "platform_narrow(vm, page->ppn, 1, CEILING_READ)",
           "platform_narrow(vm, page->ppn, 1, CEILING_ALL)", "mm_fault_test"),
    Mutant("ceiling-is-not-narrowed", "mm/pmap.c", "set(vm, page, entry_with_ceiling(old | mark, ceiling));", "set(vm, page, old | mark);",
           "mm_fault_test"),
    Mutant("write-keeps-the-candidacy", "mm/pmap.c", "access == MM_WRITE ? ENTRY_WATCHED : ENTRY_SAMPLED", "ENTRY_SAMPLED", "mm_fault_test"),
    # history: no touch and no change is lost
    Mutant("touch-is-not-noted", "mm/resolve.c", "pmap_note(page, access == MM_WRITE ? ENTRY_HISTORY : ENTRY_TOUCHED);", "(void)0;",
           "mm_fault_test"),
    Mutant("split-forgets-writes", "mm/resolve.c", "seen.known && !seen.touched ? ENTRY_CHANGED : ENTRY_HISTORY",
           "seen.touched ? ENTRY_TOUCHED : 0", "mm_reserve_test"),
    Mutant("promotion-forgets-writes", "mm/resolve.c", "pmap_note_block(block, ENTRY_HISTORY);\n\tpmap_set_large(vm, block, true);",
           "pmap_set_large(vm, block, true);", "mm_reserve_test"),
    Mutant("unpin-forgets-the-device", "mm/pmap.c", "(old - ENTRY_PIN_ONE) | ENTRY_HISTORY;", "(old - ENTRY_PIN_ONE);", "mm_fault_test"),
    Mutant("popped-page-has-not-changed", "mm/pmap.c", "entry_state(old) == PAGE_BALLOONED ? ENTRY_CHANGED : 0", "0", "mm_fault_test"),
    # contents and counts
    Mutant("hash-decides", "mm/commit.c", "return memcmp(platform_frame((mpn_t){ a }), platform_frame((mpn_t){ b }), PAGE_SIZE) == 0;",
           "return a != b;", "mm_collide_test"),
    Mutant("ending-a-period-is-an-access", "mm/sample.c", "sample->touched = touched;\n", "(void)touched;\n", "mm_sample_test"),
    Mutant("frame-is-not-zeroed", "mm/resolve.c", "platform_zero_frame((mpn_t){ mpn });\n", "", "mm_fault_test"),
    Mutant("zero-frame-is-not-counted", "mm/pmap.c", "reference_zero(1);\n", "", "mm_fault_test"),
    # each instant shows the old mapping or the new one
    Mutant("copy-is-published-before-it-is-made", "mm/cow.c",
           "platform_copy_frame((mpn_t){ mpn }, (mpn_t){ shared });\n\tshare_release(shared);\n\tframe_set_state(mpn, FRAME_PRIVATE);\n"
           "\tpmap_end_copy(vm, page);",
           "frame_set_state(mpn, FRAME_PRIVATE);\n\tpmap_end_copy(vm, page);\n\tplatform_copy_frame((mpn_t){ mpn }, (mpn_t){ shared });\n"
           "\tshare_release(shared);", "mm_journal_test"),
    Mutant("merge-is-named-before-rights-go", "mm/commit.c",
           "\tif (guard > CEILING_NONE)\n\t\tdebt_take_rights(vm, page->ppn);\n\tpmap_share(vm, page, shared, CEILING_READ);",
           "\tpmap_share(vm, page, shared, CEILING_READ);\n\tif (guard > CEILING_NONE)\n\t\tdebt_take_rights(vm, page->ppn);",
           "mm_journal_test"),
    Mutant("merged-frame-owes-nothing", "mm/commit.c", "guard > CEILING_NONE ? vm->last_epoch : 0 });", "0 });", "mm_journal_test"),
    # whole runs
    Mutant("ending-vm-is-scanned", "mm/scan.c", "if (vm->release_phase)\n\t\treturn false;\n\tif (batch->closed)", "if (batch->closed)",
           "mm_share_test"),
    Mutant("zeros-are-an-accessed-sample", "mm/pmap.c", "state == PAGE_BUSY ? old & ENTRY_HISTORY : kept(old), (u32)epoch)",
           "state == PAGE_BALLOONED ? kept(old) : old & ENTRY_HISTORY, (u32)epoch)", "mm_share_test"),
    Mutant("four-cpus-do-not-wait", "mm/batch.c", "!vm->release_phase && platform_settled(vm, (struct mm_debt){ batch->epoch });",
           "!vm->release_phase;", "mm_engine_threads_test"),
    # EPT: built, then published; rights and flags
    Mutant("table-is-not-zeroed", "vmx/ept.c", "platform_zero_frame(*table);\n", "", "ept_test"),
    Mutant("split-table-is-linked-before-it-is-filled", "vmx/ept.c", "u64 *entries = pt_entries(mpa_of(table));\n",
           "u64 *entries = pt_entries(mpa_of(table));\n\tpt_store(slot, mpa_of(table).a | pt_ept.table | stays);\n", "ept_test"),
    Mutant("split-is-clean", "vmx/ept.c", "vmx_caps.ept_dirty ? EPT_ACCESSED | EPT_DIRTY : 0", "0", "ept_test"),
    # the protocol of steps
    Mutant("no-kick", "kernel/core/step.c", "cpu_kick(cpu);", "(void)0;", "mm_debt_threads_test"),
    Mutant("kernel-counts-as-passed", "kernel/core/step.c", "return load(&cpus[cpu].seen) >= debt;", "return true;", "mm_debt_threads_test"),
    Mutant("guest-counts-as-passed", "kernel/core/step.c", "return load(&cpus[cpu].flushed[vm]) >= debt;", "return true;", "mm_debt_threads_test"),
    Mutant("no-generation-compare", "kernel/core/step.h", "cpu->flushed[vm] >= generation, 1", "true, 1", "mm_debt_threads_test"),
    Mutant("generation-is-published-late", "kernel/core/step.c", "while (old < mine &&", "while (0 && old < mine &&", "mm_debt_threads_test"),
    # VM entry
    Mutant("error-code-in-real-mode", "vmx/inject.c", " && (vcpu_cr0() & CR0_PE)) {", ") {", "inject_test"),
]

KERNEL = [
    Mutant("no-flush", "vmx/run.c", "ept_invalidate(v->config.ept);\n\t\t\tstep_invalidated(v->vm_id);", "(void)0;"),
    Mutant("no-generation-compare", "kernel/core/step.h", "cpu->flushed[vm] >= generation, 1", "true, 1", also=("vmx/run.c", "vmx/exit.c")),
]
