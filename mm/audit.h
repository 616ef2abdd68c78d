/* SPDX-License-Identifier: BSD-2-Clause */
/* The audit's phases.  Each looks at one piece a call and is done when it returns true. */
#pragma once
#include "mm/frame.h"
#include "mm/vm.h"

enum { AUDIT_RESTARTS = 8, AUDIT_LARGE = TALLIES, AUDIT_TABLES, AUDIT_HOT, AUDIT_SUMS };

struct audit_state {
	union {
		u64 classes[FRAME_CLASSES];
		u32 tallies[AUDIT_SUMS];
		struct {
			u64 references, copying; /* of a VM: pages that name shared frames, and those of them that get a copy */
		};
	};
	u64 generation;
	u32 phase, restarts;
};

struct audit {
	struct mm_audit *public_;
	struct audit_state state;
	void (*finding)(void *context, const char *line);
	void *context;
	bool quiet; /* a round that is repeated: what is wrong with single frames has been said */
};

void audit_report(struct audit *audit, const char *text, ...) PRINTF(2, 3);
/* What was being summed has moved: begin again? After AUDIT_RESTARTS times the log says that it was not compared, and false. */
bool audit_again(struct audit *audit, const char *what);

bool audit_frames(struct audit *audit);  /* each frame has one state, and its owner agrees */
bool audit_zones(struct audit *audit);   /* free lists */
bool audit_pool(struct audit *audit);    /* the secure groups' pool: in each slot a frame that says so */
bool audit_blocks(struct audit *audit);  /* each entry is legal, and its frame agrees */
bool audit_sums(struct audit *audit);    /* a VM's counters are the sums of its blocks'; its queue of debts is whole */
bool audit_balance(struct audit *audit); /* targets lie between min and max, and promises add up */
bool audit_slots(struct audit *audit);   /* each slot of the swap area has one owner */
void audit_moves(struct audit *audit, const struct mm_vm *vm); /* batches of candidates, and pages that wait to move */
const char *audit_low_fault(u64 entry);                        /* what is wrong with an entry's marks of I/O; NULL: nothing */
bool audit_machine(struct audit *audit); /* the machine's equation, and its counters are the sums of the VMs' */

/* What is wrong with an entry whose contents are in the swap area, or on their way; NULL: nothing.  Its frame is memory. */
const char *audit_swapped_fault(const struct mm_vm *vm, u64 entry, u32 ppn);
const char *audit_io_fault(const struct mm_vm *vm, u64 entry, u32 ppn);
