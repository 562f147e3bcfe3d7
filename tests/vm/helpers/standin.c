// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * qemu-system-x86_64 -name guest=NAME,debug-threads=on [VCPUS]: has the threads of a
 * QEMU, by their names, and does nothing. For a host with more VMs than it could emulate.
 * SIGUSR1: a vCPU more, SIGUSR2: a worker. Who runs it gives the program's file a QEMU's
 * name.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void *sleep_as(void *name)
{
	prctl(PR_SET_NAME, name);
	for (;;)
		pause();
	return NULL;
}

static int start(char *name)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	return pthread_create(&thread, &attr, sleep_as, name);
}

static int start_vcpu(int index)
{
	char *name = malloc(32);

	if (!name)
		return -1;
	snprintf(name, 32, "CPU %d/TCG", index);
	return start(name);
}

int main(int argc, char **argv)
{
	int vcpus = argc > 3 ? atoi(argv[3]) : 1;
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (start("call_rcu") || start("IO iothread1"))
		return 1;
	for (int i = 0; i < vcpus; i++)
		if (start_vcpu(i))
			return 1;
	while (!sigwait(&set, &signal))
		if (signal == SIGUSR1 ? start_vcpu(vcpus++) : start("worker"))
			return 1;
	return 1;
}
