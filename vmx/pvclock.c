/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/pvclock.h"
#include "kernel/lib/check.h"
#include "kernel/lib/config.h"
#include "vmx/machine.h"
#include "vmx/msr_rows.h"

#define NS_PER_S 1000000000ULL

/* What guests read; little-endian, as we are. The clock may lie at any multiple of four. */
struct __attribute__((packed, aligned(4))) pvclock_time {
	u32 version; /* odd while it changes */
	u32 pad;
	u64 tsc_timestamp, system_time;
	u32 multiplier;
	s8 shift;
	u8 flags;
	u8 pad2[2];
};
_Static_assert(sizeof(struct pvclock_time) == 32, "pvclock-abi.h");

struct wall_clock {
	u32 version, seconds, nanoseconds;
};
_Static_assert(sizeof(struct wall_clock) == 12, "pvclock-abi.h");

struct steal_time {
	u64 steal; /* ns */
	u32 version, flags;
	u8 preempted; /* the vCPU could run, but others do */
	u8 pad[47];
};
_Static_assert(sizeof(struct steal_time) == 64, "kvm_para.h");

enum { ENABLE = 1, TSC_STABLE = 1, GUEST_STOPPED = 2, CLOCK_ALIGN = 4, STEAL_ALIGN = 64 };

struct pvclock_scale pvclock_scale(u64 tsc_khz)
{
	struct pvclock_scale scale = { 0, 0 };
	u64 hz = tsc_khz * 1000;

	CHECK(tsc_khz > 0);
	for (; hz > 2 * NS_PER_S; hz >>= 1)
		scale.shift--;
	for (; hz <= NS_PER_S; hz <<= 1)
		scale.shift++;
	scale.multiplier = (u32)((NS_PER_S << 32) / hz);
	return scale;
}

static u64 to_ns(struct pvclock_scale scale, u64 ticks)
{
	ticks = scale.shift >= 0 ? ticks << scale.shift : ticks >> -scale.shift;
	return (ticks >> 32) * scale.multiplier + ((ticks & UINT32_MAX) * scale.multiplier >> 32);
}

/* ---- registered structures ---- */

static void *reach(const struct pv_page *page)
{
	return (u8 *)platform_frame(page->frame) + (page->address & ~(u64)ENABLE) % PAGE_SIZE;
}

static bool is_registered(const struct pv_page *page)
{
	return (page->address & ENABLE) != 0;
}

static void forget(struct vcpu *v, struct pv_page *page)
{
	if (is_registered(page))
		mm_unpin(v->config.mm, ppn_of((gpa_t){ page->address }));
	*page = (struct pv_page){ 0 };
}

/* The new page is pinned before the old one is let go; E_INVALID if the structure is misplaced, or not in memory. */
static err_t put(struct vcpu *v, struct pv_page *page, u64 value, u32 align, u32 bytes)
{
	u64 address = value & ~(u64)ENABLE;
	mpn_t frame = { 0 };

	if (v->config.identity != IDENTITY_KVM)
		return E_INVALID;
	if (!(value & ENABLE)) {
		forget(v, page);
		return OK;
	}
	if (address % align || address % PAGE_SIZE + bytes > PAGE_SIZE || address >> (32 + PAGE_SHIFT))
		return E_INVALID;
	err_t error = mm_pin(v->config.mm, v->config.index, ppn_of((gpa_t){ address }), MM_WRITE, &frame);

	if (error == E_NOT_FOUND || error == E_RANGE)
		return E_INVALID;
	if (error)
		return error;
	forget(v, page);
	*page = (struct pv_page){ .address = value, .frame = frame };
	vcpu_note(v, NOTICE_CLOCK);
	return OK;
}

/* ---- writing: the version is odd while the rest changes ---- */

static void begin_change(u32 *version)
{
	__atomic_store_n(version, *version | 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void end_change(u32 *version)
{
	__atomic_store_n(version, *version + 1, __ATOMIC_RELEASE);
}

static void write_time(struct vcpu *v)
{
	struct pvclock_time *time = reach(&v->soft.clock);
	struct pvclock_scale scale = pvclock_scale(v->config.tsc_khz);
	/* It stays until the guest has seen and cleared it. */
	u32 stopped = v->soft.stopped ? GUEST_STOPPED : time->flags & GUEST_STOPPED;

	begin_change(&time->version);
	time->tsc_timestamp = v->soft.tsc_adjust;
	time->system_time = 0;
	time->multiplier = scale.multiplier;
	time->shift = scale.shift;
	time->flags = (u8)(TSC_STABLE | stopped);
	end_change(&time->version);
	v->soft.stopped = false;
}

static void write_stolen(struct vcpu *v)
{
	struct steal_time *time = reach(&v->soft.steal);

	begin_change(&time->version);
	time->steal = to_ns(pvclock_scale(v->config.host_tsc_khz), v->soft.stolen_ticks);
	time->flags = 0;
	time->preempted = 0;
	end_change(&time->version);
}

/* Another vCPU that waits for a lock of this one need not spin. */
static void write_preempted(const struct pv_page *page)
{
	struct steal_time *time = reach(page);

	__atomic_store_n(&time->preempted, 1, __ATOMIC_RELEASE);
}

void pvclock_update(struct vcpu *v)
{
	if (is_registered(&v->soft.clock))
		write_time(v);
	if (is_registered(&v->soft.steal))
		write_stolen(v);
}

/* ---- time that others ran ---- */

void pvclock_left(struct vcpu *v)
{
	v->soft.left_tsc = rdtsc();
	if (is_registered(&v->soft.steal))
		write_preempted(&v->soft.steal);
}

void pvclock_came_back(struct vcpu *v)
{
	if (!v->soft.left_tsc)
		return;
	v->soft.stolen_ticks += rdtsc() - v->soft.left_tsc;
	v->soft.left_tsc = 0;
	if (is_registered(&v->soft.steal))
		write_stolen(v);
}

/* A pause is nobody's gain: its time is not stolen, VM time stood still. */
void vcpu_mark_paused(struct vcpu *v)
{
	v->soft.stopped = true;
	v->soft.left_tsc = 0;
	vcpu_note(v, NOTICE_CLOCK);
}

/* ---- MSRs ---- */

static err_t read_address(const struct vcpu *v, u64 address, u64 *value)
{
	*value = address;
	return v->config.identity == IDENTITY_KVM ? OK : E_INVALID;
}

err_t read_clock(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	return read_address(v, v->soft.clock.address, value);
}

err_t write_clock(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	return put(v, &v->soft.clock, value, CLOCK_ALIGN, sizeof(struct pvclock_time));
}

err_t read_steal(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	return read_address(v, v->soft.steal.address, value);
}

err_t write_steal(struct vcpu *v, u32 msr, u64 value)
{
	(void)msr;
	return put(v, &v->soft.steal, value, STEAL_ALIGN, sizeof(struct steal_time));
}

err_t read_wall(struct vcpu *v, u32 msr, u64 *value)
{
	(void)msr;
	return read_address(v, v->soft.wall_address, value);
}

/* Written at once, with what the wall clock was when VM time began. */
err_t write_wall(struct vcpu *v, u32 msr, u64 value)
{
	struct wall_clock wall = { .version = 2, .seconds = (u32)v->config.wall_s };

	(void)msr;
	if (v->config.identity != IDENTITY_KVM || value % CLOCK_ALIGN || value >> (32 + PAGE_SHIFT))
		return E_INVALID;
	err_t error = mm_write(v->config.mm, v->config.index, (gpa_t){ value }, &wall, sizeof(wall));

	if (!error)
		v->soft.wall_address = value;
	return error == E_NOT_FOUND ? E_INVALID : error;
}
