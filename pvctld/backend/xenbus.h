/* SPDX-License-Identifier: MIT */
/*
 * The backend's half of the handshake that xen/io/xenbus.h names the states of,
 * for a device of any kind: its two directories in the store, the frontend's
 * state watched, connecting, disconnecting, going away.
 */
#ifndef BACKEND_XENBUS_H
#define BACKEND_XENBUS_H

#include "pvctld/core/daemon.h"
#include <xen/io/xenbus.h>

struct xenbus_dev;
struct xenbus_ops {
	const char *type;  /* in the store: "vbd", "vif" */
	const char *what;  /* to a person: "disk" */
	/* The nodes of its own kind; the common ones are there. */
	int (*put_backend)(struct xenbus_dev *x);
	int (*put_frontend)(struct xenbus_dev *x);
	/* By what the frontend wrote. On failure nothing is connected. */
	int (*connect)(struct xenbus_dev *x);
	/* Takes no more requests. False: something is under way, and xenbus_dev_drained() will tell of its end. */
	bool (*disconnect)(struct xenbus_dev *x);
	/*
	 * For a domain that is suspended: no byte of it is touched any more, and what was taken from it is answered. True: so
	 * it is now; false: xenbus_dev_settled() follows. The rings stay as they are. thaw: it goes on.
	 */
	bool (*quiesce)(struct xenbus_dev *x);
	void (*thaw)(struct xenbus_dev *x);
	/*
	 * While it is quiet: what only one may have (a disk) is written out and let go of, and had again. May be NULL.
	 * release as quiesce; retake: 0, -EINPROGRESS (xenbus_dev_settled() follows), or why not.
	 */
	bool (*release)(struct xenbus_dev *x);
	int (*retake)(struct xenbus_dev *x, struct pvctl_error *err);
	/* Of one that is released: what it is of from here on; nothing is opened. The guest is not to notice. May be NULL. */
	int (*retarget)(struct xenbus_dev *x, const char *spec, struct pvctl_error *err);
	/* Why the domain cannot come back elsewhere with it, in *err. NULL: it always can. */
	int (*may_move)(struct xenbus_dev *x, struct pvctl_error *err);
	/* The device itself: it is down, unlinked and not in the store. */
	void (*free)(struct xenbus_dev *x);
};

enum xenbus_rest { XENBUS_AWAKE, XENBUS_QUIESCING, XENBUS_QUIET, XENBUS_RELEASING, XENBUS_RELEASED, XENBUS_RETAKING };
enum xenbus_link { XENBUS_DOWN, XENBUS_UP, XENBUS_DRAINING };
struct xenbus_dev {
	struct list link;        /* of its owner */
	struct daemon *d;
	const struct xenbus_ops *ops;
	uint32_t domid, devid;
	char name[24];           /* to a person: "xvda" */
	char front[64], back[64];
	struct store_watch watch;
	struct loop_task step;
	enum xenbus_state state; /* as the store has it */
	bool detaching;          /* goes when the frontend lets go */
	bool gone;               /* has no nodes any more */
	bool pending;            /* not all that it needs is there yet: it has no nodes so far */
	bool held;               /* pending, for its guest alone: see departed.h */
	char *spec;              /* NULL: not in the daemon's records */
	bool adopted;            /* another daemon's: its nodes are there */
	bool resuming;           /* connect() goes on with what that one had begun */
	/* Not NULL: somebody waits for that, who is told once, also of its end. */
	void (*ready)(void *data, int rc, const char *why);
	void *ready_data;
	enum xenbus_link up;
	enum xenbus_rest rest;
	struct pvctl_error rest_error; /* of the last release or retake; code 0: none */
	const void *holder;      /* hold.c: a client's connection, which does something to what is behind it; NULL: none */
	bool hold_over;          /* and it is to be used again */
	uint32_t hold_tries;
	void (*hold_done)(void *data, int rc, const char *why);
	void *hold_data;
	struct loop_task hold_task;
	struct loop_timer hold_timer;
};

/* Its frontend is served: connected, and the domain is not suspended. */
static inline bool xenbus_dev_serves(const struct xenbus_dev *x)
{
	return x->up == XENBUS_UP && x->rest == XENBUS_AWAKE;
}

/* Before anything else; it may be freed with xenbus_dev_free() from here on. */
void xenbus_dev_init(struct xenbus_dev *x, struct daemon *d, const struct xenbus_ops *ops, uint32_t domid,
		     uint32_t devid, const char *name);
/* Makes its nodes and begins. On failure no nodes are left. */
int xenbus_dev_start(struct xenbus_dev *x, struct pvctl_error *err);
/* The same for one that another daemon had: it goes on with what is in the store and in the guest's memory. */
int xenbus_dev_adopt(struct xenbus_dev *x, struct pvctl_error *err);
/* A daemon that comes after this one finds it, or finds it no more. */
void xenbus_keep(struct xenbus_dev *x, bool there);
/* The frontend is asked to let go; the device goes then. */
void xenbus_dev_detach(struct xenbus_dev *x);
/* It goes, now or when what is under way has ended. x may be freed. */
void xenbus_dev_remove(struct xenbus_dev *x);
/* At the daemon's end: nothing may be under way. */
void xenbus_dev_free(struct xenbus_dev *x);
/* After disconnect returned false. x may be freed by what follows, but not by this call. */
void xenbus_dev_drained(struct xenbus_dev *x);
/* The frontend did what it must not: it is disconnected, and the domain's log says why. */
void xenbus_dev_fail(struct xenbus_dev *x, const char *why);

/* hold.c: of xenbus_dev_init(), xenbus_dev_free(). */
void device_hold_init(struct xenbus_dev *x);
void device_hold_gone(struct xenbus_dev *x);
/* To who listens: a PVCTL_EVENT_DEVICE_*; nothing when its domain is ending. why may be NULL. */
void xenbus_dev_tell(const struct xenbus_dev *x, uint32_t type, const char *why);
/* quiet.c; each is for one whose rest is the step before. The domain's quiet task is told when it is done. */
void xenbus_dev_quiesce(struct xenbus_dev *x);
void xenbus_dev_thaw(struct xenbus_dev *x);
void xenbus_dev_release(struct xenbus_dev *x);
void xenbus_dev_retake(struct xenbus_dev *x);
/* What a device's quiesce, release or retake began has ended: rc 0, or why (release, retake). */
void xenbus_dev_settled(struct xenbus_dev *x, int rc, const char *why);
/* It is not there any more for those who wait. */
void xenbus_dev_rest_gone(struct xenbus_dev *x);

/* A node below dir (front or back). What is too long is cut. */
int xenbus_put(struct xenbus_dev *x, const char *dir, const char *node, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The frontend's: 0, -ENOENT, -EINVAL (no decimal number). */
int xenbus_read_u32(struct xenbus_dev *x, const char *node, uint32_t *ret);
/* The same of the backend's. */
int xenbus_read_own(struct xenbus_dev *x, const char *node, uint32_t *ret);
/* NULL: it is not there. To be freed. */
char *xenbus_read(struct xenbus_dev *x, const char *node);

#endif
