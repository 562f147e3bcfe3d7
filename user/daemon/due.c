// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/due.h"

#include <stddef.h>

static bool is_idle(const struct due_place *place, uint64_t now)
{
	return !place->wanted && place->strife <= now && place->spent <= now;
}

/* NULL: it has none. */
static struct due_place *find(struct due *due, pid_t pid)
{
	if (pid == DUE_EVERYTHING)
		return &due->places[0];
	for (size_t i = 1; i < DUE_PLACES; i++)
		if (due->places[i].pid == pid)
			return &due->places[i];
	return NULL;
}

/* NULL: all are in use. */
static struct due_place *get(struct due *due, pid_t pid, uint64_t now)
{
	struct due_place *place = find(due, pid);

	for (size_t i = 1; !place && i < DUE_PLACES; i++)
		if (is_idle(&due->places[i], now)) {
			place = &due->places[i];
			*place = (struct due_place){.pid = pid};
		}
	return place;
}

void due_want(struct due *due, pid_t pid, uint64_t now)
{
	struct due_place *place = get(due, pid, now);
	bool strife;

	if (!place)
		place = &due->places[0];
	if (place->wanted)
		return;
	strife = place->strife > now + DUE_CHANGES * (uint64_t)DUE_CHANGE_USEC;
	place->wanted = true;
	place->at = now + (strife ? DUE_STRIFE_USEC : DUE_BURST_USEC);
}

bool due_is_all_wanted(const struct due *due)
{
	return due->places[DUE_EVERYTHING].wanted;
}

void due_put_off(struct due *due, pid_t pid, uint64_t at)
{
	struct due_place *place = get(due, pid, at);

	if (!place)
		place = &due->places[0];
	if (place->wanted && place->at >= at)
		return;
	place->wanted = true;
	place->at = at;
}

static uint64_t ready_at(const struct due_place *place)
{
	uint64_t rested =
		place->spent > DUE_BUDGET_USEC ? place->spent - DUE_BUDGET_USEC : 0;

	return place->at > rested ? place->at : rested;
}

bool due_next(const struct due *due, uint64_t *ret_at)
{
	bool found = false;

	for (size_t i = 0; i < DUE_PLACES; i++) {
		const struct due_place *place = &due->places[i];

		if (!place->wanted || (found && ready_at(place) >= *ret_at))
			continue;
		*ret_at = ready_at(place);
		found = true;
	}
	return found;
}

void due_forget(struct due *due)
{
	for (size_t i = 0; i < DUE_PLACES; i++)
		due->places[i].wanted = false;
}

bool due_take(struct due *due, uint64_t now, pid_t *ret_pid)
{
	for (size_t i = 0; i < DUE_PLACES; i++) {
		struct due_place *place = &due->places[i];

		if (!place->wanted || ready_at(place) > now)
			continue;
		place->wanted = false;
		*ret_pid = place->pid;
		if (*ret_pid == DUE_EVERYTHING)
			due_forget(due);
		return true;
	}
	return false;
}

void due_note_look(struct due *due, pid_t pid, uint64_t began, uint64_t ended)
{
	struct due_place *place = get(due, pid, ended);

	if (!place)
		return;
	if (place->spent < began)
		place->spent = began;
	place->spent += 2 * (ended - began);
}

void due_note_change(struct due *due, pid_t pid, uint64_t now)
{
	struct due_place *place = get(due, pid, now);

	if (!place)
		return;
	if (place->strife < now)
		place->strife = now;
	place->strife += DUE_CHANGE_USEC;
}
