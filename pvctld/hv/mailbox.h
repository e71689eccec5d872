/* SPDX-License-Identifier: MIT */
/*
 * Domain 0's hypercalls. The node has one mailbox; a call runs in slices, and
 * between two slices of one call others may run. Long calls and the clients'
 * are queued and share the arena in turn; the loop goes on meanwhile. The
 * daemon's own short calls are done at once in their own end of the arena.
 *
 * A hypervisor that is silent is waited for, however long: QEMU may be stopped,
 * or the host overloaded, and what was asked will be done. After slow_ns, of
 * which only the time counts that this process itself ran, all clients are told
 * (daemon_node_slow). What a client asks for and takes own calls is begun only
 * when the hypervisor has just answered (mbox_ask), so that a silence before
 * that finds nothing begun; but for suspending, quieting and resuming. So is what the daemon
 * does by itself: what timers look at, ends of domains, their destruction, a core. Backends, whose calls are many and
 * carry a guest's data, begin nothing once the silence is known (mbox_defer).
 * Where the daemon waits for an own call all the same, what is urgent in its loop is served soon, and nothing else: that may
 * neither make hypercalls nor free what the waiting caller holds. docs/architecture.md has who that is, and why it is harmless.
 */
#ifndef PVCTLD_MAILBOX_H
#define PVCTLD_MAILBOX_H

#include "public/node.h"
#include "pvctld/base/list.h"
#include "pvctld/base/loop.h"

struct daemon;
struct pvctl_error;

#define MBOX_OWN_ARENA 131072u

struct mbox_call {
	struct list link;
	uint32_t op;
	uint64_t args[6];
	uint8_t *arena;     /* the caller's copy, in and out */
	size_t arena_len;
	bool begun;         /* the hypervisor has seen it */
	/* ret: the hypervisor's; -EIO with down set when the node is gone. */
	void (*done)(struct mbox_call *call, int64_t ret, bool down);
	void *data;
};

struct mailbox {
	struct daemon *daemon;
	volatile struct node_shared *shared;
	uint8_t *arena;
	size_t queue_bytes;       /* arena of queued calls: from the start */
	size_t own_offset;
	struct list queue;
	struct mbox_call *loaded; /* whose bytes are in the arena */
	struct loop_task task;
	struct loop_timer tick;
	struct mbox_call probe;
	int done_fd, bell_fd, death_fd;
	bool busy;                  /* a request, or its answer, is in the mailbox */
	struct mbox_call *flight;   /* whose; NULL: our own, or one that was cancelled */
	struct mbox_call *answered; /* its slice's answer was taken out: result */
	int64_t result;
	bool waiting;               /* for an own call */
	bool silent;                /* for a while already */
	struct list later;          /* tasks that wait for the end of that */
	bool slow;
	uint64_t slow_ns;
	uint64_t silent_ns, tick_ns; /* since it was asked, as we counted; and when we did last */
	/* Set while spinning suppressed event doorbells: look for events. */
	bool events_unseen;
	bool down;
	char why[160];              /* when a slice found the node gone */
};

int mbox_init(struct mailbox *m, struct daemon *d, struct pvctl_error *err);
void mbox_queue(struct mailbox *m, struct mbox_call *call);
/* A queued call's owner goes away before it is done. Its effects stay. */
void mbox_cancel(struct mailbox *m, struct mbox_call *call);
/* Cancels one that was not begun. False: there is none, or it was. */
bool mbox_take_back(struct mailbox *m, struct mbox_call *call);
/* Has an answer come to what is queued? Then it is seen to by a task. */
bool mbox_look(struct mailbox *m);
/* Asks something harmless: done is called when there is an answer. */
void mbox_ask(struct mailbox *m, struct mbox_call *call, void (*done)(struct mbox_call *call, int64_t ret, bool down), void *data);
/* The same for a call that is initialised; nothing, where it asks already. */
void mbox_ask_once(struct mailbox *m, struct mbox_call *call, void (*done)(struct mbox_call *call, int64_t ret, bool down), void *data);
/* The hypervisor is known to be silent: t, which would make own calls, runs when it has answered. False: go on. */
bool mbox_defer(struct mailbox *m, struct loop_task *t);
/* Asks if nothing else is asked, to learn whether there is an answer. */
void mbox_probe(struct mailbox *m);
/* While slow: what is told to clients. */
void mbox_say_slow(const struct mailbox *m, char *buf, size_t size);
/* The node went away: every queued call is done with -EIO. */
void mbox_fail_all(struct mailbox *m);

/*
 * A short call of the daemon's own; arg, of len bytes, is copied in and out, and
 * its handle is put into args[handle_arg]. Preempted calls are carried on with.
 */
int64_t mbox_call(struct mailbox *m, uint32_t op, uint64_t a0, uint64_t a1, uint64_t a2, int handle_arg, void *arg,
		  size_t len);
/* The daemon's own end of the arena, for larger buffers; and the handle of an address in it. */
uint8_t *mbox_own(struct mailbox *m);
uint64_t mbox_own_handle(const struct mailbox *m, size_t offset);
/* args by hand; the own arena was filled by the caller. */
int64_t mbox_call_raw(struct mailbox *m, uint32_t op, uint64_t args[6]);
/*
 * Another daemon's: what it had asked for ends, and domain 0 has no event channels and no mappings of grants from here
 * on. Other ends of the channels can be bound again.
 */
int mbox_take_over(struct mailbox *m);
/* NODE_OP_SHUTDOWN is not answered. */
void mbox_post_shutdown(struct mailbox *m);

#endif
