/* SPDX-License-Identifier: BSD-2-Clause */
/* For a panic: the current VMCS by name and the last exits.  Takes no lock and cannot panic itself. */
#include "vmx/cpu.h"
#include "vmx/exit.h"

static bool try_read(u32 encoding, u64 *value)
{
	bool failed;

	__asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=r"(*value) : "r"((u64)encoding));
	return !failed;
}

static void dump_vmcs(void (*line)(const char *format, ...))
{
	static const u32 encodings[] = {
#define FIELD(width, name, code) code,
#include "vmx/vmcs.def"
#undef FIELD
	};

	for (u32 i = 0; i < ARRAY_SIZE(encodings); i++) {
		u64 value;

		if (try_read(encodings[i], &value))
			line("  %-24s 0x%llx", vmcs_name(encodings[i]), (unsigned long long)value);
	}
}

static void dump_exits(const struct vcpu *v, void (*line)(const char *format, ...))
{
	const struct exit_past *past = &v->past;

	for (u32 i = 0; i < EXIT_RING; i++) {
		u32 at = (past->next + i) % EXIT_RING;
		const char *name = exit_reason_name(past->reason[at]);

		if (past->tsc[at])
			line("  tsc %08x rip 0x%llx %s", past->tsc[at], (unsigned long long)past->rip[at],
			     name ? name : "unknown");
	}
}

void vmx_panic_dump(void (*line)(const char *format, ...))
{
	struct vmx_cpu *cpu = vmx_cpu();

	if (!cpu->on || !cpu->current)
		return;
	line("vmx: VM %u vCPU %u", cpu->current->vm_id, cpu->current->config.index);
	dump_vmcs(line);
	line("vmx: its last exits, oldest first");
	dump_exits(cpu->current, line);
}
