/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The host's topology. Which CPUs there are is the kernel's word
 * (/sys/devices/system/cpu, Documentation/ABI/testing/sysfs-devices-system-cpu), what
 * they share is hwloc's. CPUs that we may not run on are there like any other, and our
 * own binding is never touched.
 *
 * Removes all HWLOC_* variables from the environment: they could show another host.
 */
#include "user/base/problem.h"
#include "user/model/topology.h"

/* Of this host. -ERANGE: more CPUs or memory nodes than a topology holds. */
int topology_read(struct topology *ret_topology, struct problem *problem);

/*
 * Of the host that this XML, as hwloc exports it, was taken from. It does not tell CPUs
 * that are present from those that are merely possible. -EINVAL: it is not such XML.
 */
int topology_read_xml(const char *xml, size_t size, struct topology *ret_topology,
	struct problem *problem);
