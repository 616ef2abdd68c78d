/* SPDX-License-Identifier: BSD-2-Clause */
/* IN and OUT.  INS and OUTS are strio.c's. */
#include "vmx/exit.h"
#include "vmx/strio.h"

/* Exit qualification, SDM vol. 3C, table 27-5. */
enum { IO_SIZE = 7, IO_IN = 1 << 3, IO_STRING = 1 << 4, IO_PORT_SHIFT = 16 };

/* As the processor: four bytes clear the upper half, fewer leave the rest of RAX. */
static u64 merged(u64 old, u32 value, u32 size)
{
	u64 mask = (1ULL << (8 * size)) - 1;

	return size == 4 ? value : (old & ~mask) | (value & mask);
}

enum exit_action exit_io(struct vcpu *v)
{
	u32 what = (u32)v->exit.qualification;
	u32 size = (what & IO_SIZE) + 1;
	u16 port = (u16)(what >> IO_PORT_SHIFT);

	CHECK(size == 1 || size == 2 || size == 4);
	if (what & IO_STRING)
		return strio_run(v);
	if (what & IO_IN) {
		v->regs.rax = merged(v->regs.rax, pc_port_read(v->config.pc, v->config.index, port, size), size);
		return EXIT_ADVANCE;
	}
	pc_port_write(v->config.pc, v->config.index, port, size, (u32)merged(0, (u32)v->regs.rax, size));
	return EXIT_ADVANCE;
}
