/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the guard must know to let through whom it is to let through. */
#include "user/control/cycle.h"

/*
 * Before anything is changed, with the lock held: the guard learns which programs are
 * libvirt. One of another version, which cannot be told who we are (drift_begin_own()),
 * is taken away.
 */
void guard_prepare(const struct cycle *cycle);
