/* SPDX-License-Identifier: MIT */
/*
 * The daemon's one thread: file descriptors, timers and tasks. A task is work
 * that is ready now; it runs once per post, and few times between two
 * looks at the descriptors, so that long work is done in slices without starving anybody.
 * What a guest can make as much of as it likes is posted as last: it has one
 * run in a turn of the loop, however often it is posted, behind all steps of what
 * the others' requests take. So a flood delays a request by one slice of its, not by one for each step.
 */
#ifndef PVCTLD_LOOP_H
#define PVCTLD_LOOP_H

#include "pvctld/base/list.h"
#include <stdint.h>
#include <sys/epoll.h>

#define LOOP_BATCH 64

struct loop_fd {
	int fd;          /* -1: not in the loop */
	bool brief;      /* over in some microseconds; whoever adds it may set that afterwards */
	bool urgent;     /* served while the loop's owner waits for something else, too */
	uint32_t events;
	void (*fn)(void *data, uint32_t events);
	void *data;
};

struct loop_timer {
	struct list link;
	uint64_t at_ns;
	void (*fn)(void *data);
	void *data;
};

struct loop_task {
	struct list link;
	bool brief;      /* the same */
	void (*fn)(void *data);
	void *data;
};

struct loop {
	int epfd;
	int urgent_epfd; /* the urgent ones' */
	bool quit;
	struct list timers; /* soonest first */
	struct list tasks;
	struct list last;   /* tasks for the end of this turn */
	struct epoll_event batch[LOOP_BATCH];
	int batch_len, batch_pos;
	/* Before the thread may sleep: 1 when there is work after all. */
	int (*before_sleep)(void *data);
	void *before_sleep_data;
	/* Instead of going to sleep, where that pays, for some microseconds at a time: true when it found work. NULL: not now. */
	bool (*watch)(void *data);
	/* Before each callback, while something was begun that must not wait for its end. NULL: nothing. */
	void (*owes)(void *data, bool brief);
};

int loop_init(struct loop *l);
void loop_fini(struct loop *l);
void loop_run(struct loop *l);
/* For who calls somebody back by himself: what the loop does before each callback. */
void loop_before(struct loop *l, bool brief);

/* A loop_fd may be freed right after loop_fd_del, even from a callback. */
int loop_fd_add(struct loop *l, struct loop_fd *f, int fd, uint32_t events,
		void (*fn)(void *data, uint32_t events), void *data);
/*
 * Its callback runs from loop_urgent, too: in the midst of whatever else the
 * thread does, with no task and no timer run before it is finished with that.
 */
int loop_fd_add_urgent(struct loop *l, struct loop_fd *f, int fd, uint32_t events,
		       void (*fn)(void *data, uint32_t events), void *data);
/* What waits at urgent_epfd, a few at most. */
void loop_urgent(struct loop *l);
void loop_fd_want(struct loop *l, struct loop_fd *f, uint32_t events);
void loop_fd_del(struct loop *l, struct loop_fd *f);

/* All zero is one that was never initialised: it can be cancelled, as a start that failed half way does. */
void loop_timer_init(struct loop_timer *t, void (*fn)(void *data), void *data);
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t after_ns);
void loop_timer_cancel(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);

void loop_task_init(struct loop_task *t, void (*fn)(void *data), void *data);
void loop_task_post(struct loop *l, struct loop_task *t); /* no-op when posted already */
void loop_task_post_last(struct loop *l, struct loop_task *t); /* the same */
void loop_task_cancel(struct loop_task *t);
bool loop_has_tasks(const struct loop *l);

#endif
