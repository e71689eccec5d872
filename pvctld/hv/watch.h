/* SPDX-License-Identifier: MIT */
/*
 * Who is served in short order is not rung for, and does not ring. While the daemon watches, it looks at the words that
 * it shares with the hypervisor and at the rings that it emptied, and a CPU that runs guests looks at what is sent
 * (docs/locking.md, "Sends without a doorbell"). What is begun here is ended before the thread sleeps or does
 * something that may take long.
 */
#ifndef PVCTLD_WATCH_H
#define PVCTLD_WATCH_H

#include "pvctld/base/list.h"
#include "pvctld/base/loop.h"

struct daemon;

/* A ring of a frontend's that need not ring: it is looked at. */
struct watched {
	struct list link;
	struct loop_task *task;            /* serves it, and leaves it empty and watched again, or armed */
	bool (*waits)(struct watched *w);  /* by its index, which is the guest's to write */
	bool (*arm)(struct watched *w);    /* the frontend is to ring. False: there is something */
};

struct watch {
	bool served;              /* somebody whose next request may follow soon, since the last look */
	uint64_t idle_since;      /* when there was nothing to do */
	uint64_t until_ns;        /* nobody was served for so long: it ends */
	int64_t credit_ns;        /* less than 0: it was not worth it, */
	uint64_t rest_until_ns;   /* and there is none before this */
	uint64_t owed_ns;         /* since when something is sent that nobody was rung for; 0: nothing is */
	unsigned int host_cpus, nr_rings;
	struct list rings;
};

void watch_init(struct daemon *d);
void watch_fini(struct daemon *d);
/* After an event came by a doorbell: it may be worth to stay awake. */
void watch_begin(struct daemon *d);
/* The doorbell: it sends what is to be sent. */
void watch_ring(struct daemon *d);
/* Something was sent, and no CPU watches for it. True: one will look; the caller does not ring. */
bool watch_owes(struct daemon *d);
/* The thread is about to wait for the hypervisor alone: that rings, and has what it was sent. */
void watch_wait(struct daemon *d);

void watched_init(struct watched *w, struct loop_task *task, bool (*waits)(struct watched *w), bool (*arm)(struct watched *w));
/* Of a ring that was just found empty, and is in its task. False: it is to be armed. */
bool watched_add(struct daemon *d, struct watched *w);
/* Its task does not run again, or not soon. All zero is one that never was. */
void watched_del(struct daemon *d, struct watched *w);

#endif
