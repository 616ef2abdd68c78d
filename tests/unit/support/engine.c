/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/support/engine_inside.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTLE_EVERY = 2048, REACH_EVERY = 16, RANDOM_LOOKS = 4 };

struct engine_met engine_met;

/* ---- the source ---- */

static struct {
	u64 state;       /* of the generator */
	const u8 *bytes; /* or what is left of these */
	size_t count;
	bool by_bytes, used_up;
} source;

static u64 next_random(void)
{
	u64 x = source.state += 0x9e3779b97f4a7c15ULL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static u32 next_byte(void)
{
	if (!source.count) {
		source.used_up = true;
		return 0;
	}
	source.count--;
	return *source.bytes++;
}

/* Of a fuzzer's bytes no more are taken than the decision needs. */
u32 engine_pick(u32 below)
{
	u32 value = 0;

	CHECK(below > 0);
	if (!source.by_bytes)
		return (u32)((next_random() >> 32) * below >> 32);
	for (u32 most = below - 1; most; most >>= 8)
		value = value << 8 | next_byte();
	return value % below;
}

void engine_fill(u8 *to, u32 count)
{
	for (u32 i = 0; i < count; i++)
		to[i] = (u8)fake_random(256);
}

s32 engine_some_vm(void)
{
	u32 alive[ENGINE_VMS], count = 0;

	for (u32 slot = 0; slot < ENGINE_VMS; slot++) {
		if (engine_vms[slot].state == ALIVE)
			alive[count++] = slot;
	}
	return count ? (s32)alive[engine_pick(count)] : -1;
}

static u32 next_page(struct model_vm *vm)
{
	switch (engine_pick(6)) {
	case 0:
		return engine_pick(vm->pages);
	case 1:
		return engine_pick(8) * 37 % vm->pages;
	case 2:
	case 3:
		return vm->latest;
	default:
		return vm->next++ % vm->pages;
	}
}

u32 engine_some_page(u32 slot)
{
	struct model_vm *vm = &engine_vms[slot];

	vm->latest = next_page(vm);
	return vm->latest;
}

/* ---- operations ---- */

static const struct operation {
	const char *name;
	void (*run)(void);
	u32 weight;
} operations[] = {
	/* guests */
	{ "access", op_access, 110 },
	{ "sweep", op_sweep, 6 },
	{ "meet", op_meet, 8 },
	{ "whole page", op_whole_page, 20 },
	{ "leave", op_leave, 12 },
	/* devices */
	{ "copy", op_copy, 16 },
	{ "hold", op_hold, 10 },
	{ "pin", op_pin, 6 },
	{ "dma", op_dma, 5 },
	/* policies */
	{ "give up", op_give_up, 5 },
	{ "balloon", op_balloon, 2 },
	{ "balloon driver", op_balloon_driver, 2 },
	{ "watch", op_watch, 8 },
	{ "history", op_history, 6 },
	{ "drop", op_drop, 1 },
	{ "sample", op_sample, 4 },
	{ "scan", op_scan, 20 },
	{ "copied", op_copied, 6 },
	{ "low reserve", op_low_reserve, 1 },
	{ "usage", op_usage, 2 },
	{ "sharing rules", op_sharing_rules, 1 },
	{ "params", op_params, 2 },
	/* paging */
	{ "pageout", op_pageout, 3 },
	{ "pageout steps", op_pageout_steps, 12 },
	{ "disk", op_disk, 16 },
	{ "disk weather", op_disk_weather, 1 },
	/* the machine */
	{ "work", op_work, 16 },
	{ "ballast", op_ballast, 4 },
	{ "shortage", op_shortage, 1 },
	{ "weather", op_weather, 1 },
	{ "time", op_time, 1 },
	{ "start", op_start, 8 },
	{ "release", op_release, 4 },
	{ "kill", op_kill, 1 },
	{ "failed frame", op_failed_frame, 1 },
};

static const struct operation *choose_operation(void)
{
	u32 all = 0;

	for (u32 i = 0; i < ARRAY_SIZE(operations); i++)
		all += operations[i].weight;
	u32 choice = engine_pick(all);
	const struct operation *operation = operations;

	for (; choice >= operation->weight; operation++)
		choice -= operation->weight;
	return operation;
}

/* ---- where it broke ---- */

static struct {
	u64 seed, number;
	const char *name;
	bool trace;
} now;

static void on_abort(int signal_number)
{
	(void)signal_number;
	fprintf(stderr, "engine: ENGINE_SEED=%llu ENGINE_OPERATIONS=%llu: broken in operation %llu, \"%s\"\n",
		(unsigned long long)now.seed, (unsigned long long)now.number, (unsigned long long)now.number, now.name);
}

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1";
}
const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static void one_operation(void)
{
	u32 cpu = engine_pick(FAKE_CPUS);
	const struct operation *operation = choose_operation();

	now.name = operation->name;
	if (now.trace) {
		printf("operation %llu: CPU %u, %s\n", (unsigned long long)now.number, cpu, operation->name);
		fflush(stdout);
	}
	fake_cpu_set(cpu);
	operation->run();
	engine_end_lost();
	engine_met.operations++;
}

/* ---- checks ---- */

static void check_everything(void)
{
	model_compare_all();
	fake_check();
	fake_check_poison();
	fake_audit_memory();
	engine_met.checks++;
}

static void check_operation(u64 check_every)
{
	s32 slot = engine_some_vm();

	engine_check_holds();
	for (u32 i = 0; i < RANDOM_LOOKS && slot >= 0; i++)
		model_look_later((u32)slot, fake_random(engine_vms[slot].pages));
	model_compare_looked_at();
	if (now.number % SETTLE_EVERY == 0)
		engine_settle();
	if (now.number % check_every == 0)
		check_everything();
	else if (now.number % REACH_EVERY == 0)
		fake_check();
}

/* ---- a run ---- */

static void begin_machine(u64 seed)
{
	fake_reset(seed, engine_pick(4) != 0);
	fake_large_executes(engine_pick(2));
	if (engine_pick(3) == 0)
		fake_epoch((1ULL << 32) - 100); /* entries keep half of it */
	static const u32 areas[] = { 0, 100, 800, 6000 };
	u32 slots = areas[engine_pick(ARRAY_SIZE(areas))];

	fake_swap(slots);
	fake_small_machine();
	CHECK(share_init() == OK);
	bool swap = mm_swap_init() == OK;

	CHECK(!swap || slots > 0);
	bool secure = engine_pick(2); /* its pool is a third of this machine: without it there is room for large mappings */

	CHECK(!secure || pool_make() == OK);
	share_group_begin(ENGINE_FAST, SHARE_FAST);
	share_group_begin(ENGINE_SECURE, secure ? SHARE_SECURE : SHARE_FAST);
	engine_weather = (struct engine_weather){ 0 };
	engine_weather.swap = swap;
	engine_weather.sharing = engine_pick(4) != 0;
	engine_weather.sampling = engine_pick(2);
	engine_weather.vms = 1 + engine_pick(ENGINE_VMS);
	engine_weather.calm = true;
	CHECK(mm_sample_set(100, 30000000000ULL) == OK);
	engine_begin_devices();
}

static void check_end(const struct mm_totals *at_start)
{
	struct mm_totals totals;

	mm_totals(&totals);
	CHECK(totals.private_ + totals.debt_frames == 0 && totals.shared_frames == 1);
	CHECK(totals.free + engine_weather.retired == at_start->free);
	CHECK(totals.overhead == at_start->overhead + engine_weather.retired);
}

void engine_run(const struct engine_plan *plan)
{
	struct sigaction action = { .sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND }, before;
	struct mm_totals at_start;

	source = (__typeof__(source)){ plan->seed, plan->bytes, plan->count, plan->bytes != NULL, false };
	now = (__typeof__(now)){ plan->seed, 0, "the machine's start", getenv("ENGINE_TRACE") != NULL };
	if (!plan->bytes)
		CHECK(sigaction(SIGABRT, &action, &before) == 0);
	for (u32 slot = 0; slot < ENGINE_VMS; slot++)
		engine_vms[slot] = (struct model_vm){ .page = calloc(ENGINE_PAGES, sizeof(struct model_page)) };
	begin_machine(plan->seed);
	mm_totals(&at_start);
	while (now.number < plan->operations && !source.used_up) {
		now.number++;
		one_operation();
		check_operation(plan->check_every);
	}
	now.name = "the end of all VMs";
	fake_fail_fills(0);
	engine_settle();
	check_everything();
	engine_end_vms();
	check_everything();
	check_end(&at_start);
	engine_met.large_fills += fake_large_fills;
	for (u32 slot = 0; slot < ENGINE_VMS; slot++)
		free(engine_vms[slot].page);
	if (!plan->bytes)
		CHECK(sigaction(SIGABRT, &before, NULL) == 0);
}

void engine_print_met(void)
{
#define X(name) printf("%llu " #name ", ", (unsigned long long)engine_met.name);
	ENGINE_MET(X)
#undef X
	printf("seen\n");
}
