/* SPDX-License-Identifier: MIT */
/*
 * A domain's console: its ring is emptied into a log file, a replay buffer and
 * from there to any number of viewers. A console outlives its domain for a
 * while, so that what a guest said when it died can still be read.
 */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include "pvctld/base/logfile.h"
#include "pvctld/base/loop.h"
#include "pvctld/console/replay.h"
#include "pvctld/core/daemon.h"

struct xencons_interface;

#define CONSOLE_MAX_VIEWERS 64u
/* For a later daemon: how much there was, and where viewers are in it, whose sockets the spawner has. */
struct console_kept {
	uint64_t end;
	struct { uint64_t pos, used; } viewer[CONSOLE_MAX_VIEWERS];
};

struct console {
	struct list link;   /* on the list of dead consoles, or on none */
	struct daemon *d;
	uint32_t domid;
	char name[128];
	struct xencons_interface *ring; /* NULL: the domain is gone, or not yet introduced */
	uint32_t port;
	struct replay replay;
	struct console_kept *kept;
	struct logfile log;
	bool log_tried;
	struct list viewers;
	unsigned int nr_viewers;
	struct window window;    /* flood limit */
	unsigned int takes;      /* in the window */
	uint64_t rest_ns;        /* until then nothing is taken */
	struct loop_timer window_timer, expiry;
	struct loop_task more;
	bool retired;
	int32_t reason;          /* of its domain's end: enum pvctl_reason */
	uint64_t ended_unix_ns;
};

struct console *console_new(struct daemon *d, uint32_t domid);
void console_start(struct console *c, struct xencons_interface *ring, uint32_t port);
void console_set_name(struct console *c, const char *name);
/* Of a domain that another daemon had: its last output is in its log. */
void console_recall(struct console *c);
/* The guest rang: output, or room for input. */
void console_event(struct console *c);
/* Takes what the ring still holds and lets go of it. */
void console_stop(struct console *c);
/* The domain is gone: viewers get the rest and end of file. Among the dead for some minutes. */
void console_retire(struct console *c);
void console_free(struct console *c);
struct console *console_find_dead(struct daemon *d, uint32_t domid);
/* By the name that its domain had last. */
struct console *console_find_dead_name(struct daemon *d, const char *name);
void console_free_dead(struct daemon *d);
/* A socket with replay, then live output; -errno. */
int console_attach(struct console *c, uint64_t replay_bytes, int *ret_fd);

/* viewer.c */
void viewers_output(struct console *c);   /* more is in the replay buffer */
void viewers_input(struct console *c);    /* there may be room in the ring */
void viewers_close(struct console *c);
/* Not for a later daemon: their names may be another's soon, whose domain has the same number. */
void viewers_keep_not(struct console *c);
void viewers_recall(struct console *c);
void console_notify(struct console *c);

#endif
