// SPDX-License-Identifier: GPL-2.0-or-later
#include "user/daemon/ears.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "user/daemon/tell.h"
#include "user/observer/listen.h"
#include "user/observer/observer.h"

enum {
	PAUSE_USEC = 100000,  /* between two looks at the rings while violations pour */
	VIOLATIONS_MAX = 100, /* told one by one at a look */
};

struct ears {
	sd_event *event;
	struct event_file *file;
	struct ears_calls calls;
	struct listener *listener;
	sd_event_source *hearing; /* the listener's */
	sd_event_source *unmute;  /* when it goes on */
	size_t n_violations;	  /* at this look */
	uint64_t unheard;
};

static void on_news(pid_t pid, void *data)
{
	struct ears *ears = data;

	ears->calls.news(pid, ears->calls.data);
}

static void on_violation(const struct culprit *culprit, void *data)
{
	struct ears *ears = data;

	if (ears->n_violations++ < VIOLATIONS_MAX)
		tell_violation(ears->file, culprit);
	else
		ears->unheard++;
	/* A thread of a VM in the wrong place may be one that was moved. */
	if (culprit->off_set || culprit->cause == CAUSED_BY_OWN_VM)
		ears->calls.news(culprit->tgid, ears->calls.data);
}

static void hear(struct ears *ears)
{
	uint64_t news_lost = 0, violations_lost = 0;

	ears->n_violations = 0;
	ears->unheard = 0;
	if (listener_hear(ears->listener, &news_lost, &violations_lost) < 0 || news_lost)
		ears->calls.news(0, ears->calls.data);
	if (violations_lost)
		tell_unheard(ears->file, violations_lost,
			"the ring buffer had no room for them");
	if (ears->unheard)
		tell_unheard(ears->file, ears->unheard,
			"too many at once to tell each; the counters have them");
	if (ears->n_violations || violations_lost)
		ears->calls.violated(ears->calls.data);
}

static int on_ring(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct ears *ears = data;
	uint64_t now = 0;

	(void)fd, (void)events;
	hear(ears);
	(void)sd_event_now(ears->event, CLOCK_MONOTONIC, &now);
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	(void)sd_event_source_set_time(ears->unmute, now + PAUSE_USEC);
	(void)sd_event_source_set_enabled(ears->unmute, SD_EVENT_ONESHOT);
	return 0;
}

static int on_unmute(sd_event_source *source, uint64_t usec, void *data)
{
	struct ears *ears = data;

	(void)source, (void)usec;
	if (ears->hearing)
		(void)sd_event_source_set_enabled(ears->hearing, SD_EVENT_ON);
	return 0;
}

int ears_new(sd_event *event, struct event_file *file, const struct ears_calls *calls,
	struct ears **ret_ears, struct problem *problem)
{
	struct ears *ears = calloc(1, sizeof(*ears));
	int r;

	if (!ears)
		return problem_nomem(problem);
	*ears = (struct ears){.event = event, .file = file, .calls = *calls};
	r = sd_event_add_time(
		event, &ears->unmute, CLOCK_MONOTONIC, 0, 1000, on_unmute, ears);
	if (r >= 0)
		r = sd_event_source_set_enabled(ears->unmute, SD_EVENT_OFF);
	if (r < 0) {
		ears_free(ears);
		return problem_set(problem, r, "cannot make a timer: %s", strerror(-r));
	}
	*ret_ears = ears;
	return 0;
}

static void stop(struct ears *ears)
{
	ears->hearing = sd_event_source_disable_unref(ears->hearing);
	listener_close(ears->listener);
	ears->listener = NULL;
}

void ears_let_go(struct ears *ears)
{
	listener_close(ears->listener);
	ears->listener = NULL;
}

void ears_free(struct ears *ears)
{
	if (!ears)
		return;
	stop(ears);
	sd_event_source_disable_unref(ears->unmute);
	free(ears);
}

bool ears_attend(struct ears *ears)
{
	const struct hearing hearing = {
		.news = on_news, .violation = on_violation, .data = ears};
	bool had = ears->listener;
	struct problem problem;

	if (had && listener_is_current(ears->listener, OBSERVER_DIR))
		return false;
	stop(ears);
	if (listener_open(OBSERVER_DIR, &hearing, &ears->listener, &problem)) {
		ears->listener = NULL;
		return had;
	}
	if (sd_event_add_io(ears->event, &ears->hearing, listener_fd(ears->listener),
		    EPOLLIN, on_ring, ears) < 0)
		stop(ears);
	ears->calls.news(0, ears->calls.data);
	return true;
}
