/* SPDX-License-Identifier: BSD-2-Clause */
/* The first process of the boot that is measured: when it began, in ticks, and how long the kernel had been idle until then. */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <x86intrin.h>

int main(void)
{
	unsigned long long tsc = __rdtsc(), user = 0, nice = 0, system = 0, idle = 0, waiting = 0;
	struct utsname name;
	FILE *stat;

	if (mount("proc", "/proc", "proc", 0, NULL) || uname(&name) || !(stat = fopen("/proc/stat", "r")) ||
	    fscanf(stat, "cpu %llu %llu %llu %llu %llu", &user, &nice, &system, &idle, &waiting) != 5)
		puts("init: no /proc/stat");
	else
		printf("init: tick %llu idle_ms %llu linux %s\n", tsc,
		       (idle + waiting) * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK), name.release);
	fflush(stdout);
	for (;;)
		pause();
}
