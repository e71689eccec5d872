/* SPDX-License-Identifier: MIT */
#include "pvctld/console/console.h"
#include "pvctld/base/log.h"
#include "pvctld/console/ring.h"
#include "pvctld/core/daemon.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/console.h>

/* A guest that floods is read at this rate; beyond it the ring stays full and the guest waits. */
#define WINDOW_NS 100000000u
#define WINDOW_BYTES (256u << 10)
/* Each line that is taken costs a doorbell either way, and others' disks wait: after so many in the window lines are collected. */
#define WINDOW_TAKES 32u
#define REST_NS 2000000u
#define ALL_WINDOW_BYTES (1u << 20) /* of all guests' consoles: the loop has more to do */
#define DEAD_KEEP_NS 600000000000ull
#define DEAD_KEEP_MAX 16u

static void service(void *data);

static void window_over(void *data)
{
	service(data);
}

static void expire(void *data)
{
	console_free(data);
}

/* Without room it does not outlive us. */
static void keep(struct console *c)
{
	char key[STATE_SLOT_KEY];
	bool is_new;

	if (!state_is_kept(&c->d->state))
		return;
	snprintf(key, sizeof(key), "console/%u", c->domid);
	c->kept = state_slot(&c->d->state, key, &is_new);
	if (c->kept && !is_new && !c->d->adopting)
		memset(c->kept, 0, sizeof(*c->kept));
}

static void keep_not(struct console *c)
{
	if (c->kept)
		state_slot_free(&c->d->state, c->kept);
	c->kept = NULL;
}

struct console *console_new(struct daemon *d, uint32_t domid)
{
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->d = d;
	c->domid = domid;
	c->log.fd = -1;
	c->log.max = d->opt.limits.console;
	c->reason = PVCTL_REASON_NONE;
	list_init(&c->link);
	list_init(&c->viewers);
	loop_timer_init(&c->window_timer, window_over, c);
	loop_timer_init(&c->expiry, expire, c);
	loop_task_init(&c->more, service, c);
	keep(c);
	return c;
}

static void log_dir(const struct console *c, char *buf, size_t len)
{
	snprintf(buf, len, "%s/console", c->d->state_dir);
}

static void open_log(struct console *c)
{
	char dir[300], by_id[32];
	int rc;

	log_dir(c, dir, sizeof(dir));
	snprintf(by_id, sizeof(by_id), "domain-%u", c->domid);
	c->log_tried = true;
	rc = logfile_open(&c->log, dir, c->name[0] ? c->name : by_id);
	if (rc)
		log_line("console log of domain %u: %s", c->domid, strerror(-rc));
}

void console_set_name(struct console *c, const char *name)
{
	char dir[300];

	snprintf(c->name, sizeof(c->name), "%s", name);
	log_dir(c, dir, sizeof(dir));
	logfile_rename(&c->log, dir, c->name);
}

void console_notify(struct console *c)
{
	evtchn_send(c->d, c->port);
}

static void output(struct console *c, const void *bytes, size_t len)
{
	if (!c->log_tried)
		open_log(c);
	logfile_write(&c->log, bytes, len);
	replay_append(&c->replay, bytes, len);
	if (c->kept)
		c->kept->end = c->replay.end;
	viewers_output(c);
}

/* False: its budget, or that of all, is spent; a timer carries on. */
static bool may_take(struct console *c)
{
	struct window *own = &c->window, *all = &c->d->console_window, *full = NULL;
	uint64_t now = now_ns();

	if (now < c->rest_ns)
		return false;
	if (now >= own->start_ns + WINDOW_NS) {
		*own = (struct window){ .start_ns = now };
		c->takes = 0;
	}
	if (now >= all->start_ns + WINDOW_NS)
		*all = (struct window){ .start_ns = now };
	if (own->used >= WINDOW_BYTES)
		full = own;
	else if (all->used >= ALL_WINDOW_BYTES)
		full = all;
	if (full && !loop_timer_armed(&c->window_timer))
		loop_timer_set(&c->d->loop, &c->window_timer, full->start_ns + WINDOW_NS - now);
	return !full;
}

static void rest(struct console *c)
{
	c->rest_ns = now_ns() + REST_NS;
	evtchn_rest(c->d, c->port);
	loop_timer_set(&c->d->loop, &c->window_timer, REST_NS);
}

/* One ringful at most. False: no more for now. */
static bool take(struct console *c, bool limited)
{
	char bytes[sizeof(c->ring->out)];
	bool bad;
	size_t n;

	if (limited && !may_take(c))
		return false;
	/* Given up when it is in the log: a daemon that dies loses nothing. */
	n = console_ring_peek(c->ring, bytes, sizeof(bytes), &bad);
	if (bad)
		log_guest(c->domid, "impossible console indices; its output up to now is dropped");
	c->window.used += n;
	c->d->console_window.used += n;
	if (n) {
		output(c, bytes, n);
		die_point("console");
		console_ring_consume(c->ring, n);
		evtchn_useful(c->d, c->port);
		if (limited && n < sizeof(bytes) / 2 && ++c->takes > WINDOW_TAKES)
			rest(c);
	}
	if (n || bad)
		console_notify(c);
	return true;
}

static void service(void *data)
{
	struct console *c = data;

	if (c->ring)
		viewers_input(c);
	if (c->ring && take(c, true) && console_ring_has_output(c->ring))
		loop_task_post_last(&c->d->loop, &c->more);
}

void console_start(struct console *c, struct xencons_interface *ring, uint32_t port)
{
	c->ring = ring;
	c->port = port;
	c->rest_ns = 0;
	console_event(c);
}

void console_recall(struct console *c)
{
	uint8_t *bytes = malloc(REPLAY_MAX);
	ssize_t n;

	if (!bytes)
		return;
	open_log(c);
	n = logfile_tail(&c->log, bytes, REPLAY_MAX);
	if (n > 0 && c->kept && c->kept->end > (uint64_t)n)
		c->replay.start = c->replay.end = c->kept->end - (uint64_t)n;
	if (n > 0)
		replay_append(&c->replay, bytes, (size_t)n);
	free(bytes);
	if (c->kept)
		viewers_recall(c);
}

void console_event(struct console *c)
{
	/* Not at once: a guest that rings all the time gets one turn per round. */
	if (c->ring)
		loop_task_post_last(&c->d->loop, &c->more);
}

void console_stop(struct console *c)
{
	if (!c->ring)
		return;
	take(c, false);
	c->ring = NULL;
	c->port = 0;
	loop_timer_cancel(&c->window_timer);
	loop_task_cancel(&c->more);
}

void console_retire(struct console *c)
{
	struct daemon *d = c->d;

	console_stop(c);
	logfile_close(&c->log);
	viewers_keep_not(c);
	keep_not(c);
	c->retired = true;
	c->ended_unix_ns = now_unix_ns();
	viewers_output(c);
	list_add_tail(&d->dead_consoles, &c->link);
	loop_timer_set(&d->loop, &c->expiry, DEAD_KEEP_NS);
	if (++d->nr_dead_consoles > DEAD_KEEP_MAX)
		console_free(list_entry(d->dead_consoles.next, struct console, link));
}

void console_free(struct console *c)
{
	if (!c)
		return;
	console_stop(c);
	if (!list_empty(&c->link)) {
		list_del(&c->link);
		c->d->nr_dead_consoles--;
	}
	loop_timer_cancel(&c->expiry);
	viewers_close(c);
	keep_not(c);
	logfile_close(&c->log);
	replay_free(&c->replay);
	free(c);
}

struct console *console_find_dead(struct daemon *d, uint32_t domid)
{
	struct console *found = NULL;

	list_for(p, &d->dead_consoles) { /* the last one that had the id */
		struct console *c = list_entry(p, struct console, link);

		if (c->domid == domid)
			found = c;
	}
	return found;
}

struct console *console_find_dead_name(struct daemon *d, const char *name)
{
	struct console *found = NULL;

	list_for(p, &d->dead_consoles) {
		struct console *c = list_entry(p, struct console, link);

		if (c->name[0] && !strcmp(c->name, name))
			found = c;
	}
	return found;
}

void console_free_dead(struct daemon *d)
{
	while (!list_empty(&d->dead_consoles))
		console_free(list_entry(d->dead_consoles.next, struct console, link));
}
