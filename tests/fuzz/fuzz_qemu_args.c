// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's command line, and what of it becomes a file name. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/host/qemu_args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qemu_args args;
	char name[VM_NAME_SIZE];

	if (qemu_args_parse((const char *)data, size, &args))
		return 0;
	if (args.n_qmp_paths > QEMU_ARGS_SOCKETS)
		abort();
	for (size_t i = 0; i < args.n_qmp_paths; i++)
		if (!args.qmp_paths[i][0] || strstr(args.qmp_paths[i], "/libvirt/qemu/"))
			abort();
	if (args.name) {
		qemu_args_file_name(args.name, name);
		if (strlen(name) >= VM_NAME_SIZE || name[0] == '.' || strchr(name, '/') ||
			!name[0] != !args.name[0])
			abort();
		for (const char *p = name; *p; p++)
			if (*p <= ' ' || *p > '~')
				abort();
	}
	qemu_args_deinit(&args);
	return 0;
}
