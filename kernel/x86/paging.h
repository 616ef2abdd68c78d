/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own mappings, on the tables that the loader built: kernel image and direct map stay as they are, what is added lies in one
 * virtual area.  Only the boot CPU changes them, and only while the machine starts; mappings are added, never changed, so no other CPU
 * has anything to flush.  SDM vol. 3A, 4.5.
 */
#pragma once
#include "kernel/lib/error.h"
#include "kernel/lib/ptab.h"

enum paging_type { PAGING_CACHED, PAGING_COMBINING, PAGING_UNCACHED };

/* Where frames for tables and stacks come from; a frame's contents are undefined. */
struct paging_source {
	err_t (*take)(void *context, mpa_t *frame);
	void *context;
};

/* Adopt the loader's tables: drop what they map in the lower half. `source` serves until it is replaced. */
void paging_init(mpa_t root, struct paging_source source);
void paging_set_source(struct paging_source source);
mpa_t paging_root(void);

/* A stretch of virtual addresses with nothing behind it, an unmapped page before and after; never given back. */
void *paging_reserve(u64 bytes);
/* Map one page that is not mapped yet. E_NO_MEMORY: the source had no frame for a table; E_EXISTS: there is a mapping. */
err_t paging_map(u64 address, mpa_t frame, enum pt_rights rights, enum paging_type type, struct paging_source source);
/* Take one 4 KiB mapping away, on this CPU (CHECKs that it is there). */
void paging_unmap(u64 address);

/* May the kernel read there? For dumps that follow pointers they do not trust. */
bool paging_is_mapped(u64 address);

/* Device registers at a physical address (any alignment). Panics without memory: the machine cannot start then. */
void *paging_map_device(u64 physical, u64 bytes, enum paging_type type);
/* A stack of whole pages with an unmapped page below: returns its top. Panics without memory. */
u64 paging_stack(u64 bytes);

/* Tables for a CPU that wakes up in real mode: the kernel's half, and one page identically, executable. Below 4 GiB. */
mpa_t paging_startup_root(mpa_t page, struct paging_source below_4g);

/*
 * Every mapping that is writable and executable at once is reported; one call looks at up to `entries` entries from *address on and
 * returns false when nothing is left.  paging_audit does all at once.
 */
typedef void paging_finding(void *context, u64 address, u64 bytes, u64 entry);
bool paging_audit_step(u64 *address, u32 entries, paging_finding *bad, void *context);
void paging_audit(paging_finding *bad, void *context);
