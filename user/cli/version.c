// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "user/base/cleanup.h"
#include "user/cli/cli.h"
#include "user/host/features.h"

/* What the kernel has, and what the observer can do with it. */
static size_t find_features(struct feature ret_features[FEATURES_MAX + OBSERVER_PARTS])
{
	size_t n = features_find(ret_features);
	struct observer_part parts[OBSERVER_PARTS];

	observer_find_parts(parts);
	for (size_t i = 0; i < OBSERVER_PARTS; i++)
		ret_features[n++] = (struct feature){.name = parts[i].name,
			.found = parts[i].found,
			.without = parts[i].without};
	return n;
}

int verb_version(const struct request *request)
{
	struct feature features[FEATURES_MAX + OBSERVER_PARTS];
	size_t n = find_features(features);
	struct json_object *json, *list;
	struct utsname name;

	uname(&name);
	if (!request->json) {
		printf("cpuwarden %s\nkernel %s\nlibbpf %s\n", CPUWARDEN_VERSION,
			name.release, observer_libbpf_version());
		for (size_t i = 0; i < n; i++)
			printf("%-24s %s%s%s\n", features[i].name,
				features[i].found ? "yes" : "no",
				features[i].found ? "" : ": ",
				features[i].found ? "" : features[i].without);
		return EXIT_SUCCESS;
	}
	json = cli_json(request);
	list = json_object_new_object();
	cli_json_string(json, "version", CPUWARDEN_VERSION);
	cli_json_string(json, "kernel", name.release);
	cli_json_string(json, "libbpf", observer_libbpf_version());
	for (size_t i = 0; i < n; i++)
		json_object_object_add(list, features[i].name,
			json_object_new_boolean(features[i].found));
	json_object_object_add(json, "features", list);
	cli_json_print(json);
	return EXIT_SUCCESS;
}
