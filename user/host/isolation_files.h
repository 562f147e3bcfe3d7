/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to isolation.h: single facts below a root. */
#include <dirent.h>

#include "user/model/host_facts.h"

/* Names are absolute; they are looked up below the directory fd. */
void read_list(int root, const char *path, struct fact_cpus *ret_cpus);
void read_text(int root, const char *path, struct fact_text *ret_text);

/* NULL with errno. The caller closes. */
DIR *open_folder(int root, const char *path);

/* Is it PREFIX and a number of at most max? */
int numbered(const char *name, const char *prefix, uint64_t max, uint64_t *ret_number);

/* -ENOMEM. */
int read_irqs(int root, struct host_facts *facts);
int read_power(int root, struct host_facts *facts);
int read_nodes(int root, struct host_facts *facts);
void read_irqbalance(int root, struct irqbalance *ret_irqbalance);
