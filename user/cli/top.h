/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Pieces of `top`. */
#include "user/cli/cli.h"
#include "user/model/view.h"

void top_print_json(const struct request *request, const struct view *view);
