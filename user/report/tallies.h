/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What of struct counters stands in a report, and by which names. */
#include "user/report/fields.h"

extern const struct fields fields_counters, fields_cpu, fields_reservation, fields_vm,
	fields_thread, fields_culprit, fields_culprit_tally;
