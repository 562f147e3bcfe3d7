// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * intruder RUNS BUSY_US PAUSE_US [CPU]: a task that runs so often, computes that long
 * each time and sleeps in between. With a CPU it binds itself there first. Prints its pid
 * when it starts.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	int runs, busy, pause;

	if (argc < 4)
		return 64;
	runs = atoi(argv[1]);
	busy = atoi(argv[2]);
	pause = atoi(argv[3]);
	if (argc > 4) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(atoi(argv[4]), &set);
		if (sched_setaffinity(0, sizeof(set), &set)) {
			perror("intruder: sched_setaffinity");
			return 1;
		}
	}
	printf("%d\n", getpid());
	fflush(stdout);
	for (int i = 0; i < runs; i++) {
		long long end = now_us() + busy;

		while (now_us() < end)
			;
		usleep((useconds_t)pause);
	}
	return 0;
}
