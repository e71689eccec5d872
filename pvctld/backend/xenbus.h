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
	/* The device itself: it is down, unlinked and not in the store. */
	void (*free)(struct xenbus_dev *x);
};

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
};

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
