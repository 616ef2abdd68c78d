/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmx/emulate_span.h"
#include "vmx/debug.h"
#include "vmx/machine.h"
#include <string.h>

enum { TYPE_WRITABLE = 2, TYPE_READABLE = 2, TYPE_EXPAND_DOWN = 4 }; /* of RIGHTS_TYPE: SDM vol. 3A, table 3-1 */

#define CANONICAL_SHIFT 47

/* ---- segment:offset → linear ---- */

gva_t span_linear(enum segment segment, u64 offset)
{
	if (!vcpu_long_code())
		return (gva_t){ (u32)(segment_base(segment) + offset) };
	return (gva_t){ segment >= SEGMENT_FS ? segment_base(segment) + offset : offset };
}

static bool is_canonical(u64 address)
{
	u64 top = address >> CANONICAL_SHIFT;

	return top == 0 || top == UINT64_MAX >> CANONICAL_SHIFT;
}

static bool within_limit(enum segment segment, u32 rights, u64 first, u64 last)
{
	u64 limit = segment_limit(segment);

	if ((rights & (RIGHTS_CODE | TYPE_EXPAND_DOWN)) != TYPE_EXPAND_DOWN)
		return last <= limit;
	return first > limit && last <= (rights & RIGHTS_BIG ? UINT32_MAX : 0xffff);
}

static bool type_allows(u32 rights, u32 access)
{
	bool is_code = rights & RIGHTS_CODE;

	if ((access & SPAN_WRITE) && (is_code || !(rights & TYPE_WRITABLE)))
		return false;
	return !is_code || (rights & TYPE_READABLE);
}

/* In real-address and virtual-8086 mode only the limit counts. */
static bool segment_allows(enum segment segment, u64 offset, u32 bytes, u32 access)
{
	u32 rights = segment_rights(segment);
	bool protected_mode = (vcpu_cr0() & CR0_PE) && !(vmcs_read(GUEST_RFLAGS) & RFLAGS_VM);

	if (rights & RIGHTS_UNUSABLE)
		return false;
	if (protected_mode && !type_allows(rights, access))
		return false;
	return within_limit(segment, rights, offset, offset + bytes - 1);
}

static bool address_allows(enum segment segment, u64 offset, u32 bytes, u32 access)
{
	if (!vcpu_long_code())
		return segment_allows(segment, offset, bytes, access);
	u64 linear = span_linear(segment, offset).a;

	return is_canonical(linear) && is_canonical(linear + bytes - 1);
}

/* ---- linear → pieces ---- */

static enum exit_action no_walk(struct vcpu *v, err_t error, gva_t linear, const struct walk *walk)
{
	if (error == E_INVALID)
		return vcpu_inject_page_fault(v, linear, walk->fault);
	return vcpu_wait_for(v, error, "page tables");
}

static enum exit_action find_piece(struct vcpu *v, gva_t linear, u32 access, struct span_piece *piece, struct walk *walk)
{
	u32 rights = (access & SPAN_WRITE ? WALK_WRITE : 0) | (vcpu_cpl() == 3 ? WALK_USER : 0);
	enum mm_access reach = access & SPAN_WRITE ? MM_WRITE : MM_READ;
	void *pointer = NULL;
	err_t error = walk_find(v, linear, rights, walk);

	if (error)
		return no_walk(v, error, linear, walk);
	error = mm_reach(v->config.mm, v->config.index, walk->address, piece->bytes, reach, &pointer);
	if (error && error != E_NOT_FOUND)
		return vcpu_wait_for(v, error, "guest memory");
	piece->memory = pointer;
	piece->device = walk->address;
	return EXIT_ADVANCE;
}

enum exit_action span_find(struct vcpu *v, enum segment segment, u64 offset, u32 bytes, u32 access, struct span *span)
{
	gva_t linear = span_linear(segment, offset);
	u32 first = (u32)min_u64(bytes, PAGE_SIZE - linear.a % PAGE_SIZE);

	CHECK(bytes >= 1 && bytes <= SPAN_BYTES);
	if (!address_allows(segment, offset, bytes, access))
		return vcpu_inject_exception(v, segment == SEGMENT_SS ? VECTOR_SS : VECTOR_GP, 0);
	span->linear = linear;
	span->piece[0] = (struct span_piece){ .bytes = first };
	span->piece[1] = (struct span_piece){ .bytes = bytes - first };
	enum exit_action action = find_piece(v, linear, access, &span->piece[0], &span->walk[0]);

	if (action != EXIT_ADVANCE || first == bytes)
		return action;
	linear.a += first;
	if (!vcpu_long_code())
		linear.a = (u32)linear.a;
	return find_piece(v, linear, access, &span->piece[1], &span->walk[1]);
}

/* Is it in the page of the last one, whole as that was? */
static bool same_page(const struct span *span, gva_t linear, u32 bytes)
{
	return !span->piece[1].bytes && (span->linear.a ^ linear.a) >> PAGE_SHIFT == 0 &&
	       linear.a % PAGE_SIZE + bytes <= PAGE_SIZE;
}

enum exit_action span_find_next(struct vcpu *v, enum segment segment, u64 offset, u32 bytes, u32 access, struct span *span)
{
	gva_t linear = span_linear(segment, offset);
	struct span_piece *piece = &span->piece[0];

	if (!same_page(span, linear, bytes) || !address_allows(segment, offset, bytes, access))
		return span_find(v, segment, offset, bytes, access, span);
	if (piece->memory)
		piece->memory += (s64)(linear.a - span->linear.a);
	piece->device.a += linear.a - span->linear.a;
	span->linear = linear;
	span->walk[0].marks = 0;
	return EXIT_ADVANCE;
}

void span_at_device(struct span *span, gva_t linear, gpa_t address, u32 bytes)
{
	CHECK(bytes >= 1 && address.a % PAGE_SIZE + bytes <= PAGE_SIZE);
	span->linear = linear;
	span->piece[0] = (struct span_piece){ .bytes = bytes, .device = address };
	span->piece[1].bytes = 0;
	span->walk[0].marks = 0;
}

bool span_touches_device(const struct span *span)
{
	return !span->piece[0].memory || (span->piece[1].bytes && !span->piece[1].memory);
}

bool span_mark(const struct span *span)
{
	return walk_mark(&span->walk[0]) && (!span->piece[1].bytes || walk_mark(&span->walk[1]));
}

/* ---- act ---- */

static u64 read_piece(struct vcpu *v, const struct span_piece *piece)
{
	u64 value = 0;

	CHECK(piece->bytes <= SPAN_BYTES);
	if (!piece->memory)
		return pc_mmio_read(v->config.pc, v->config.index, piece->device, piece->bytes);
	memcpy(&value, piece->memory, piece->bytes);
	return value;
}

static void write_piece(struct vcpu *v, const struct span_piece *piece, u64 value)
{
	CHECK(piece->bytes <= SPAN_BYTES);
	if (piece->memory)
		memcpy(piece->memory, &value, piece->bytes);
	else
		pc_mmio_write(v->config.pc, v->config.index, piece->device, piece->bytes, value);
}

static u32 span_bytes(const struct span *span)
{
	return span->piece[0].bytes + span->piece[1].bytes;
}

u64 span_read(struct vcpu *v, const struct span *span)
{
	u64 value = read_piece(v, &span->piece[0]);

	if (span->piece[1].bytes)
		value |= read_piece(v, &span->piece[1]) << 8 * span->piece[0].bytes;
	debug_access(v, span->linear.a, span_bytes(span), DEBUG_READ);
	return value;
}

void span_write(struct vcpu *v, const struct span *span, u64 value)
{
	write_piece(v, &span->piece[0], value);
	if (span->piece[1].bytes)
		write_piece(v, &span->piece[1], value >> 8 * span->piece[0].bytes);
	debug_access(v, span->linear.a, span_bytes(span), DEBUG_WRITE);
}
