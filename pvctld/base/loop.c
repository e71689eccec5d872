/* SPDX-License-Identifier: MIT */
#include "pvctld/base/loop.h"
#include "pvctld/base/log.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define STEPS 4u /* of tasks between two looks at the descriptors, */
#define URGENT 16u
#define STEPS_NS 100000u /* while they take no longer than this */

int loop_init(struct loop *l)
{
	memset(l, 0, sizeof(*l));
	list_init(&l->timers);
	list_init(&l->tasks);
	list_init(&l->last);
	l->urgent_epfd = epoll_create1(EPOLL_CLOEXEC);
	l->epfd = l->urgent_epfd < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd >= 0)
		return 0;
	if (l->urgent_epfd >= 0)
		close(l->urgent_epfd);
	return -errno;
}

void loop_fini(struct loop *l)
{
	close(l->epfd);
	close(l->urgent_epfd);
	l->epfd = l->urgent_epfd = -1;
}

int loop_fd_add(struct loop *l, struct loop_fd *f, int fd, uint32_t events,
		void (*fn)(void *data, uint32_t events), void *data)
{
	struct epoll_event ev = { .events = events, .data.ptr = f };

	f->fd = fd;
	f->brief = f->urgent = false;
	f->events = events;
	f->fn = fn;
	f->data = data;
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev)) {
		f->fd = -1;
		return -errno;
	}
	return 0;
}

int loop_fd_add_urgent(struct loop *l, struct loop_fd *f, int fd, uint32_t events,
		       void (*fn)(void *data, uint32_t events), void *data)
{
	struct epoll_event ev = { .events = events, .data.ptr = f };
	int rc = loop_fd_add(l, f, fd, events, fn, data);

	if (rc)
		return rc;
	if (epoll_ctl(l->urgent_epfd, EPOLL_CTL_ADD, fd, &ev)) {
		rc = -errno;
		loop_fd_del(l, f);
		return rc;
	}
	f->urgent = true;
	return 0;
}

void loop_urgent(struct loop *l)
{
	struct epoll_event ev;

	/* One at a time: a callback may take others out of the loop. */
	for (unsigned int i = 0; i < URGENT && epoll_wait(l->urgent_epfd, &ev, 1, 0) > 0; i++) {
		struct loop_fd *f = ev.data.ptr;

		f->fn(f->data, ev.events);
	}
}

void loop_fd_want(struct loop *l, struct loop_fd *f, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = f };

	if (f->fd < 0 || f->events == events)
		return;
	f->events = events;
	(void)epoll_ctl(l->epfd, EPOLL_CTL_MOD, f->fd, &ev);
	if (f->urgent)
		(void)epoll_ctl(l->urgent_epfd, EPOLL_CTL_MOD, f->fd, &ev);
}

void loop_fd_del(struct loop *l, struct loop_fd *f)
{
	if (f->fd < 0)
		return;
	(void)epoll_ctl(l->epfd, EPOLL_CTL_DEL, f->fd, NULL);
	if (f->urgent)
		(void)epoll_ctl(l->urgent_epfd, EPOLL_CTL_DEL, f->fd, NULL);
	f->fd = -1;
	/* The batch under way may still hold the pointer. */
	for (int i = l->batch_pos; i < l->batch_len; i++)
		if (l->batch[i].data.ptr == f)
			l->batch[i].data.ptr = NULL;
}

void loop_timer_init(struct loop_timer *t, void (*fn)(void *data), void *data)
{
	list_init(&t->link);
	t->fn = fn;
	t->data = data;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t after_ns)
{
	struct list *pos;

	list_del(&t->link);
	t->at_ns = now_ns() + after_ns;
	for (pos = l->timers.next; pos != &l->timers; pos = pos->next)
		if (list_entry(pos, struct loop_timer, link)->at_ns > t->at_ns)
			break;
	list_add_tail(pos, &t->link);
}

void loop_timer_cancel(struct loop_timer *t)
{
	if (t->link.next)
		list_del(&t->link);
}

bool loop_timer_armed(const struct loop_timer *t)
{
	return !list_empty(&t->link);
}

void loop_task_init(struct loop_task *t, void (*fn)(void *data), void *data)
{
	list_init(&t->link);
	t->brief = false;
	t->fn = fn;
	t->data = data;
}

void loop_task_post(struct loop *l, struct loop_task *t)
{
	if (list_empty(&t->link))
		list_add_tail(&l->tasks, &t->link);
}

void loop_task_post_last(struct loop *l, struct loop_task *t)
{
	if (list_empty(&t->link))
		list_add_tail(&l->last, &t->link);
}

bool loop_has_tasks(const struct loop *l)
{
	return !list_empty(&l->tasks) || !list_empty(&l->last);
}

void loop_task_cancel(struct loop_task *t)
{
	if (t->link.next)
		list_del(&t->link);
}

void loop_before(struct loop *l, bool brief)
{
	if (l->owes)
		l->owes(l->before_sleep_data, brief);
}

static void run_tasks(struct loop *l, struct list *tasks)
{
	struct list now;

	if (list_empty(tasks))
		return;
	/* What the tasks post anew waits for the next round. */
	now = *tasks;
	now.next->prev = &now;
	now.prev->next = &now;
	list_init(tasks);
	while (!list_empty(&now)) {
		struct loop_task *t = list_entry(now.next, struct loop_task, link);

		list_del(&t->link);
		loop_before(l, t->brief);
		t->fn(t->data);
	}
}

/* Work often comes in a few steps, each posted by the one before. */
static void run_steps(struct loop *l)
{
	uint64_t until = now_ns() + STEPS_NS;

	for (unsigned int i = 0; i < STEPS && !list_empty(&l->tasks) && !l->quit; i++) {
		run_tasks(l, &l->tasks);
		if (now_ns() > until)
			break;
	}
}

static void run_timers(struct loop *l)
{
	uint64_t now = now_ns();

	while (!list_empty(&l->timers)) {
		struct loop_timer *t = list_entry(l->timers.next, struct loop_timer, link);

		if (t->at_ns > now)
			break;
		list_del(&t->link);
		loop_before(l, false);
		t->fn(t->data);
	}
}

static int sleep_ms(struct loop *l)
{
	uint64_t now, at;

	/* Looked at in each turn: there may be tasks for as long as a guest likes. */
	if ((l->before_sleep && l->before_sleep(l->before_sleep_data)) || loop_has_tasks(l))
		return 0;
	if (list_empty(&l->timers))
		return -1;
	now = now_ns();
	at = list_entry(l->timers.next, struct loop_timer, link)->at_ns;
	if (at <= now)
		return 0;
	at = (at - now + 999999) / 1000000;
	return at > 60000 ? 60000 : (int)at;
}

/* Descriptors and timers have their turn between two looks of a watch. */
static int wait_fds(struct loop *l)
{
	int ms = sleep_ms(l), n;

	while (ms && l->watch) {
		n = epoll_wait(l->epfd, l->batch, LOOP_BATCH, 0);
		if (n || l->watch(l->before_sleep_data))
			return n;
		ms = sleep_ms(l);
	}
	return epoll_wait(l->epfd, l->batch, LOOP_BATCH, ms);
}

void loop_run(struct loop *l)
{
	while (!l->quit) {
		int n = wait_fds(l);

		l->batch_len = n < 0 ? 0 : n;
		for (l->batch_pos = 0; l->batch_pos < l->batch_len && !l->quit;) {
			struct epoll_event *ev = &l->batch[l->batch_pos++];
			struct loop_fd *f = ev->data.ptr;

			if (f) {
				loop_before(l, f->brief);
				f->fn(f->data, ev->events);
			}
		}
		l->batch_len = 0;
		run_timers(l);
		run_steps(l);
		if (!l->quit)
			run_tasks(l, &l->last);
	}
}
