/* SPDX-License-Identifier: BSD-2-Clause */
/* The start of the machine: one ordered list, printed as it runs.  No other code runs before its row. */
#include "drivers/framebuffer.h"
#include "kernel/console.h"
#include "kernel/core/boot.h"
#include "kernel/core/cpus.h"
#include "kernel/core/kept.h"
#include "kernel/core/log.h"
#include "kernel/core/machine.h"
#include "kernel/core/panic.h"
#include "kernel/core/random.h"
#include "kernel/core/step.h"
#include "kernel/core/symbols.h"
#include "kernel/core/timer.h"
#include "kernel/core/wall.h"
#include "kernel/core/watchdog.h"
#include "kernel/core/wire.h"
#include "kernel/lib/config.h"
#include "kernel/memory.h"
#include "kernel/mm_work.h"
#include "kernel/modules.h"
#include "kernel/sched.h"
#include "kernel/shell/shell.h"
#include "kernel/vm.h"
#include "kernel/x86/apic.h"
#include "kernel/x86/cpu.h"
#include "kernel/x86/features.h"
#include "kernel/x86/idt.h"
#include "kernel/x86/ioapic.h"
#include "kernel/x86/irq.h"
#include "kernel/x86/paging.h"
#include "vmx/vmx.h"
#include <string.h>

enum { WHY_BYTES = 200 };

NORETURN void kernel_main(const struct bootinfo *from);

static struct config config;
static char vmx_missing[WHY_BYTES]; /* empty: VT-x is there */
static bool all_cpus_answered;

extern u8 boot_stack_guard[];

/* ---- rows ---- */

static void start_processor(void)
{
	char text[64];

	features_enable();
	features_text(text, sizeof(text));
	log_line("processor: %s on", text);
}

/* The loader's tables become ours: nothing low is mapped any more, and the boot stack gets its guard page. */
static void start_paging(void)
{
	paging_init((mpa_t){ bootinfo.cr3 }, (struct paging_source){ boot_take_frame, NULL });
	paging_unmap((u64)boot_stack_guard);
}

static void start_traps(void)
{
	idt_init();
	cpu_make_trap_stacks(0);
	cpu_load_tables(cpu_get(0));
}

/* After the log can be read, before anything that could panic for a reason of its own. */
static void start_kept_page(void)
{
	kept_start(bootinfo.kept ? (void *)(DIRECT_MAP_BASE + bootinfo.kept) : NULL);
}

static void start_symbols(void)
{
	u64 base = bootinfo.symbols_base;

	symbols_init(base ? (const u8 *)(DIRECT_MAP_BASE + base) : NULL, bootinfo.symbols_bytes);
}

/* The processor's clock is added: no two starts draw the same numbers, however little the loader found. */
static void start_random(void)
{
	u64 clock = rdtsc();

	if (bootinfo.entropy_bytes == 0)
		log_line("random: neither firmware nor processor gave entropy: numbers can be guessed");
	for (u32 i = 0; i < sizeof(clock); i++)
		bootinfo.entropy[i] ^= (u8)(clock >> 8 * i);
	random_seed(bootinfo.entropy, sizeof(bootinfo.entropy));
	memset(bootinfo.entropy, 0, sizeof(bootinfo.entropy));
}

/* The interrupt itself is the message: it ended a guest's run, or idle. */
static void kicked(void)
{
}

static void start_interrupts(void)
{
	if (bootinfo.boot_has_8259)
		pic_disable();
	apic_init();
	apic_enable();
	cpu_get(0)->apic_id = apic_id();
	irq_set_handler(IRQ_KICK, kicked);
	for (u32 i = 0; i < bootinfo.ioapic_count; i++)
		ioapic_add(bootinfo.ioapics[i].base, bootinfo.ioapics[i].first_gsi);
	log_line("interrupts: %s, %u IOAPIC", apic_is_x2() ? "x2APIC" : "xAPIC", bootinfo.ioapic_count);
}

static void start_time(void)
{
	time_init();
	time_init_cpu();
}

static void start_cpus(void)
{
	all_cpus_answered = cpus_start();
}

/* A CPU that did not answer may be running firmware's code still. */
static void start_boot_services_memory(void)
{
	if (all_cpus_answered)
		memory_add_boot_services();
	else
		log_line("memory: what boot services used stays theirs: a CPU did not answer");
}

static void start_vmx(void)
{
	err_t error = vmx_probe(vmx_missing, sizeof(vmx_missing));

	if (!error) {
		cpus_call(vmx_compare_cpu);
		error = vmx_all_alike(vmx_missing, sizeof(vmx_missing));
	}
	if (error) {
		log_line("vmx: %s", vmx_missing);
		return;
	}
	vmx_missing[0] = 0;
	vmx_cpu_on();
	cpus_call(vmx_cpu_on);
	panic_set_dump(vmx_panic_dump);
	log_line("vmx: on, on %u CPUs", cpu_count);
}

/* A file that is not there is an error of the configuration's line that names it. */
static void start_files(void)
{
	for (u32 i = 0; i < bootinfo.module_count; i++) {
		const struct boot_module *file = &bootinfo.modules[i];

		if (!module_trouble(file))
			log_line("file: %s, %llu bytes, xxh64 %016llx", file->path, file->bytes, file->xxh64);
	}
}

static const char *file_trouble(const char *path)
{
	return module_trouble(module_find(path));
}

static void start_config(void)
{
	const struct boot_module *file = bootinfo.module_count ? &bootinfo.modules[0] : NULL;
	const char *trouble = module_trouble(file);
	bool is_there = file && !trouble;

	if (trouble)
		log_line("config: aerostat.conf %s", trouble);
	config_parse_with_files(&config, file ? file->path : "", is_there ? (const char *)module_bytes(file) : "",
				is_there ? file->bytes : 0, file_trouble);
	for (u32 i = 0; i < config.error_count && i < CONFIG_MAX_ERRORS; i++)
		log_line("config: %s", config.errors[i]);
	if (config.error_count > CONFIG_MAX_ERRORS)
		log_line("config: %u more errors; they are shown when these are mended", config.error_count - CONFIG_MAX_ERRORS);
	log_line("config: %u VMs, %u errors", config.vm_count, config.error_count);
}

static void start_vms(void)
{
	vmx_set_mitigations(config.host.mitigations);
	vm_create_all(&config, vmx_missing[0] ? vmx_missing : NULL);
}

static void start_shell(void)
{
	shell_start(config.host.startup);
}

/* ---- the list ---- */

static const struct {
	const char *name;
	void (*run)(void);
} starts[] = {
	{ "processor", start_processor }, /* protections first */
	{ "paging", start_paging },
	{ "screen", framebuffer_init },
	{ "traps", start_traps }, /* needs mapped stacks; from here a fault says where */
	{ "symbols", start_symbols },
	{ "last panic", start_kept_page },
	{ "acpi", machine_init },
	{ "console", console_find }, /* as early as ACPI says where: lines came out of COM1 so far */
	{ "random", start_random },  /* before mm/ and guests draw secrets */
	{ "memory", memory_init },
	{ "interrupts", start_interrupts },
	{ "time", start_time }, /* needs the local APIC to calibrate its counter */
	{ "wall clock", wall_init },
	{ "other CPUs", start_cpus },
	{ "boot services' memory", start_boot_services_memory },
	{ "mm's work", mm_work_start },
	{ "vmx", start_vmx },
	{ "files", start_files },
	{ "configuration", start_config },
	{ "vms", start_vms },
	{ "shell", start_shell },
	{ "console's interrupts", console_listen },
};

NORETURN static void run_cpu(void)
{
	watchdog_start();
	sched_run();
}

void kernel_main(const struct bootinfo *from)
{
	time_begin();
	features_seed_guard(from->entropy, sizeof(from->entropy));
	cpu_boot_early();
	boot_adopt(from);
	console_begin();
	log_line("aerostat %s", AEROSTAT_VERSION);
	step_begin(NULL);
	for (u32 i = 0; i < ARRAY_SIZE(starts); i++) {
		log_line("start: %s", starts[i].name);
		console_show();
		starts[i].run();
	}
	wire_serve();
	cpus_release(run_cpu);
	run_cpu();
}
