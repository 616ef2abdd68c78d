/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A benign machine under mm/, to measure it: memory of large pages, as in the kernel's direct map; one word for each translation; what is
 * owed is settled with the next step.  Nothing is poisoned, fails or comes late.
 */
#pragma once
#include "mm/mm.h"

/* A machine of so many frames, that shares; `simd`: it has AVX2. */
void machine_start(u32 frames, bool simd);
/* A step ends, so that every CPU passes; mm does what it asked to be called for. */
void machine_pass(void);
/* A VM of so many pages in sharing group 1; ids go up from 1. */
struct mm_vm *machine_vm(u32 pages);
/* The guest writes: its page's bytes, the translation's flags set.  Any page that was not its own has become so. */
void *machine_write(struct mm_vm *vm, u32 ppn);
/* The access of a guest that has no right to it, with the steps that it waits for. */
void machine_fault(struct mm_vm *vm, u32 ppn);
