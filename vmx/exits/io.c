/* SPDX-License-Identifier: BSD-2-Clause */
/* IN and OUT.  INS and OUTS are strio.c's. */
#include "vmx/debug.h"
#include "vmx/exit.h"
#include "vmx/strio.h"

/* Exit qualification, SDM vol. 3C, table 27-5. */
enum { IO_SIZE = 7, IO_IN = 1 << 3, IO_STRING = 1 << 4, IO_PORT_SHIFT = 16 };

/* As the processor: four bytes clear the upper half, fewer leave the rest of RAX. */
static const struct {
	u64 taken, kept;
} parts[IO_SIZE + 2] = { [1] = { 0xff, ~0xffULL }, [2] = { 0xffff, ~0xffffULL }, [4] = { 0xffffffff, 0 } };

static u32 size_of(u32 what)
{
	return (what & IO_SIZE) + 1;
}

/* Only v is kept for this across the access, which is counted in instructions. */
static __attribute__((noinline)) enum exit_action compare(struct vcpu *v)
{
	u32 what = (u32)v->exit.qualification;

	debug_compare(v, what >> IO_PORT_SHIFT, size_of(what), DEBUG_PORT);
	return EXIT_ADVANCE;
}

enum exit_action exit_io(struct vcpu *v)
{
	u32 what = (u32)v->exit.qualification;
	u32 size = size_of(what);
	u16 port = (u16)(what >> IO_PORT_SHIFT);

	ASSERT(size == 1 || size == 2 || size == 4); /* pc_port_read and pc_port_write check it */
	if (__builtin_expect(what & IO_STRING, 0))
		return strio_run(v);
	if (what & IO_IN) {
		u32 value = pc_port_read(v->config.pc, v->config.index, port, size);

		v->regs.rax = (v->regs.rax & parts[size].kept) | (value & parts[size].taken);
	} else {
		pc_port_write(v->config.pc, v->config.index, port, size, (u32)(v->regs.rax & parts[size].taken));
	}
	return debug_watches() ? compare(v) : EXIT_ADVANCE;
}
