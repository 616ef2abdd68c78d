/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A span: one memory operand of an emulated instruction, found.  It may cross into a second page, and each of its pieces is
 * memory or a device's.  Gather with span_find (may suspend or inject; changes nothing), then span_mark, then read and write,
 * which cannot fail.  A span is valid until the end of the step.
 */
#pragma once
#include "vmx/walk.h"

enum { SPAN_PIECES = 2, SPAN_BYTES = 8 };

struct span_piece {
	u32 bytes;  /* 0: there is no second piece */
	u8 *memory; /* NULL: a device's, at `device` */
	gpa_t device;
};

struct span {
	gva_t linear;
	struct span_piece piece[SPAN_PIECES];
	struct walk walk[SPAN_PIECES];
};

enum span_access { SPAN_READ = 1, SPAN_WRITE = 2, SPAN_CHANGE = 3 };

/* The linear address of segment:offset. */
gva_t span_linear(enum segment segment, u64 offset);
/*
 * Find `bytes` (1 … 8) at segment:offset, with the checks that the processor does: segment, canonical form, page tables.
 * EXIT_ADVANCE: found, go on.  Anything else: return it.
 */
enum exit_action span_find(struct vcpu *v, enum segment segment, u64 offset, u32 bytes, u32 access, struct span *span);
/* The same for the next element of a string, after the last one was marked: within the same page nothing is walked again. */
enum exit_action span_find_next(struct vcpu *v, enum segment segment, u64 offset, u32 bytes, u32 access, struct span *span);
/* The whole operand is a device's, at an address that the processor translated already. */
void span_at_device(struct span *span, gva_t linear, gpa_t address, u32 bytes);
bool span_touches_device(const struct span *span);
/* Accessed and dirty flags. False: the page tables changed; run the instruction again. */
bool span_mark(const struct span *span);
u64 span_read(struct vcpu *v, const struct span *span);
void span_write(struct vcpu *v, const struct span *span, u64 value);
