// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/observer/listen.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/observer/maps.h"

/* At a look; who pours faster than it is heard is not to hold up all else. */
enum { RECORDS_MAX = 10000 };

struct listener {
	struct observer *observer;
	struct ring_buffer *rings;
	struct hearing hearing;
	size_t n_records;		     /* heard at this look */
	u32 map_id;			     /* of `news`: another observer has another */
	uint64_t news_lost, violations_lost; /* of the observer's, told already */
};

/* Of a thread that comes, goes or is named, its process; of drift whose it is. */
static pid_t whose(const struct listener *listener, const struct news *one)
{
	const struct observer *observer = listener->observer;

	if (one->kind == NEWS_DRIFT)
		return one->vm < observer->n_vms ? (pid_t)observer->vms[one->vm].pid : 0;
	if (one->kind == NEWS_BORN || one->kind == NEWS_NAMED)
		return (pid_t)one->tgid;
	/* With the main thread a VM ends. */
	return one->kind == NEWS_EXIT && one->tid != one->tgid ? (pid_t)one->tgid : 0;
}

/* What the record's callback returns: libbpf has taken the record either way. */
static int go_on(struct listener *listener)
{
	return ++listener->n_records < RECORDS_MAX ? 0 : -ECANCELED;
}

static int hear_news(void *data, void *record, size_t size)
{
	struct listener *listener = data;

	if (size >= sizeof(struct news))
		listener->hearing.news(whose(listener, record), listener->hearing.data);
	return go_on(listener);
}

static int hear_event(void *data, void *record, size_t size)
{
	struct listener *listener = data;
	struct culprit culprit = {};

	if (size < sizeof(struct event))
		return 0;
	observer_to_culprit(listener->observer, record, &culprit);
	listener->hearing.violation(&culprit, listener->hearing.data);
	return go_on(listener);
}

static int pin_id(const char *dir, u32 *ret_id)
{
	struct bpf_map_info info = {};
	u32 len = sizeof(info);
	cleanup_close int fd = observer_open_pin(dir, "news");

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*ret_id = info.id;
	return 0;
}

/* The rings keep fds of their own by a copy of each. */
static int open_rings(struct listener *listener, const char *dir)
{
	cleanup_close int news = observer_open_pin(dir, "news");
	int r;

	if (news < 0)
		return news;
	listener->rings = ring_buffer__new(news, hear_news, listener, NULL);
	if (!listener->rings)
		return -errno;
	r = ring_buffer__add(
		listener->rings, listener->observer->events, hear_event, listener);
	return r ? r : pin_id(dir, &listener->map_id);
}

static uint64_t take_new(uint64_t now, uint64_t *told)
{
	uint64_t n = now - *told;

	*told = now;
	return n;
}

int listener_open(const char *dir, const struct hearing *hearing,
	struct listener **ret_listener, struct problem *problem)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	int r;

	if (!listener)
		return problem_nomem(problem);
	listener->hearing = *hearing;
	r = observer_open_to_hear(dir, &listener->observer, problem);
	if (!r) {
		listener->news_lost = listener->observer->health->news_lost;
		listener->violations_lost = listener->observer->health->events_lost;
		r = open_rings(listener, dir);
		if (r)
			problem_set(problem, r, "cannot listen to the observer in %s: %s",
				dir, strerror(-r));
	}
	if (r)
		listener_close(listener);
	else
		*ret_listener = listener;
	return r;
}

void listener_close(struct listener *listener)
{
	if (!listener)
		return;
	ring_buffer__free(listener->rings);
	observer_close(listener->observer);
	free(listener);
}

int listener_fd(const struct listener *listener)
{
	return ring_buffer__epoll_fd(listener->rings);
}

bool listener_is_current(const struct listener *listener, const char *dir)
{
	u32 id;

	return !pin_id(dir, &id) && id == listener->map_id;
}

int listener_hear(
	struct listener *listener, uint64_t *ret_news_lost, uint64_t *ret_violations_lost)
{
	const volatile struct health *health = listener->observer->health;
	int n;

	listener->n_records = 0;
	n = ring_buffer__consume(listener->rings);
	if (n < 0 && n != -ECANCELED)
		return n;
	*ret_news_lost = take_new(health->news_lost, &listener->news_lost);
	*ret_violations_lost = take_new(health->events_lost, &listener->violations_lost);
	return 0;
}
