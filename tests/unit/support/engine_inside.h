/* SPDX-License-Identifier: BSD-2-Clause */
/* What the engine's files share: the source, the model of every guest's memory, and what each step of the model means. */
#pragma once
#include "mm/frame.h"
#include "mm/pmap.h"
#include "mm/pool.h"
#include "mm/share.h"
#include "tests/unit/support/engine.h"

enum {
	ENGINE_VMS = 4,
	ENGINE_PAGES = 1300, /* of a VM at most */
	ENGINE_VCPUS = 4,
	ENGINE_PINS = 8,
	ENGINE_FAST = 3, /* share groups */
	ENGINE_SECURE = 4,
};

/* ---- the source ---- */

/* A decision: 0 … below - 1. */
u32 engine_pick(u32 below);
/* Contents are no decisions: they come from the machine's dice. */
void engine_fill(u8 *to, u32 count);

/* ---- the model ---- */

struct model_page {
	u8 bytes[PAGE_SIZE];
	bool nonzero;          /* bytes may not be all zero */
	bool given_up;         /* and not touched since: contents undefined until then */
	bool dropping;         /* it was shared: giving it up is not complete */
	bool changed, touched; /* history must say so (it may say more) */
	bool sampled, guarded; /* watched and not accessed since */
	u32 pins;
	u32 life; /* counts give_ups: which incarnation a pointer belongs to */
};

struct model_vm {
	enum { ABSENT, ALIVE, ENDING } state;
	u32 pages, low, min;
	u32 group;                    /* 0: alone */
	u64 ns;                       /* how long it has run */
	bool lost;                    /* contents cannot be read: whoever needs them ends the VM */
	u32 next, next_swept, latest; /* pages used in order; the one before */
	struct model_page *page;
	bool waiting[ENGINE_VCPUS];
};
extern struct model_vm engine_vms[ENGINE_VMS];

/* What this run is like; drawn at its start, but for `calm`. */
struct engine_weather {
	bool sharing, sampling, swap;
	bool calm; /* for a while nobody takes pages away, and guests use memory in order */
	u32 vms;   /* at once at most: two leave plenty of memory, four do not fit */
	u32 ballast_limit;
	u32 retired; /* frames, so far */
};
extern struct engine_weather engine_weather;

/* A VM that is alive, or -1; a page of it: the latest one again and a few others, so that things meet, some anywhere, some in order. */
s32 engine_some_vm(void);
u32 engine_some_page(u32 slot);
ppn_t engine_ppn(u32 slot, u32 page);
gpa_t engine_address(u32 slot, u32 page, u32 offset);
u64 engine_entry(u32 slot, u32 page); /* 0: never touched */

/* The page is compared when the operation ends. */
void model_look_later(u32 slot, u32 number);
/* An access through today's translation or mm. */
void model_access(u32 slot, u32 number, bool write);
void model_write(u32 slot, u32 number, u32 offset, const u8 *bytes, u32 count);
/* What is read there must be these. */
void model_expect(u32 slot, u32 number, u32 offset, const u8 *bytes, u32 count);
/* The guest gave it up, or took it back untouched. */
void model_give_up(u32 slot, u32 number, bool complete);
void model_take_back(u32 slot, u32 number);
/* The VM's memory begins as zeros. */
void model_begin(u32 slot);
/*
 * An access that was refused may have got as far as the pmap: a frame without its translation, the first of two pages.  Contents must be as
 * before all the same; what is watched and given up is taken from the pmap.
 */
void model_resync(u32 slot, u32 number);
/* Counts what came of a request for `vcpu`; CHECKs that it is OK, or something that wakes it later. */
void model_outcome(u32 slot, u32 vcpu, err_t error);

/* Without disturbing: what pmap and frames say of pages against the model. */
void model_compare_looked_at(void);
void model_compare_all(void);
/* By reading each page as the guest would, wherever its contents are now. */
void model_read_all(u32 slot);

/* ---- operations; the calling CPU is the one of the fake ---- */

void engine_leave(u32 cpu);    /* its step and its stay in a guest end */
void engine_quiet(u32 slot);   /* all vCPUs and devices of the VM have stopped */
void engine_check_holds(void); /* pointers that are held: their frames are the pages', or wait for this CPU */
void engine_settle(void);      /* once everything has passed and memory is there, nobody waits any more */
void engine_end_vms(void);
void engine_end_lost(void);    /* VMs whose contents cannot be read */
void engine_settle_disk(void); /* everything settles, all transfers end */
void engine_count_paging(u32 slot);
void engine_begin_devices(void);

void op_access(void);
void op_sweep(void);
void op_meet(void);
void op_whole_page(void);
void op_leave(void);
void op_copy(void);
void op_hold(void);
void op_pin(void);
void op_dma(void);
void op_give_up(void);
void op_balloon(void);
void op_balloon_driver(void);
void op_watch(void);
void op_history(void);
void op_drop(void);
void op_sample(void);
void op_scan(void);
void op_copied(void);
void op_low_reserve(void);
void op_usage(void);
void op_sharing_rules(void);
void op_params(void);
void op_pageout(void);
void op_pageout_steps(void);
void op_disk(void);
void op_disk_weather(void);
void op_work(void);
void op_ballast(void);
void op_shortage(void);
void op_weather(void);
void op_time(void);
void op_start(void);
void op_release(void);
void op_kill(void);
void op_failed_frame(void);
