/* SPDX-License-Identifier: BSD-2-Clause */
/* A program for Linux guests with two CPUs: two processes, one on each, read CLOCK_MONOTONIC by turns: does it ever go back? */
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TURNS = 20000 };

static struct shared {
	unsigned turn;
	unsigned long long last;
	unsigned back;
} * shared;

static unsigned long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (unsigned long long)time.tv_sec * 1000000000ULL + (unsigned long long)time.tv_nsec;
}

static void run_on(unsigned cpu)
{
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	if (sched_setaffinity(0, sizeof(only), &only)) {
		perror("clocks: sched_setaffinity");
		exit(1);
	}
}

/* Each reads its clock after it has seen the other's. */
static void play(unsigned cpu)
{
	run_on(cpu);
	for (unsigned turn = cpu; turn < TURNS; turn += 2) {
		while (__atomic_load_n(&shared->turn, __ATOMIC_ACQUIRE) != turn)
			;
		unsigned long long mine = now();

		shared->back += mine < shared->last;
		shared->last = mine;
		__atomic_store_n(&shared->turn, turn + 1, __ATOMIC_RELEASE);
	}
}

int main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	pid_t other = fork();

	if (other < 0)
		return 1;
	play(other ? 0 : 1);
	if (!other)
		return 0;
	waitpid(other, NULL, 0);
	printf("clocks: %u turns, %u back\n", shared->turn, shared->back);
	return 0;
}
