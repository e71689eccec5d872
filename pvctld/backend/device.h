/* SPDX-License-Identifier: MIT */
/* The domains' devices of all kinds: attached, detached, listed, taken away with their domain. */
#ifndef BACKEND_DEVICE_H
#define BACKEND_DEVICE_H

#include "libpvctl/src/transport/proto.h"
#include "pvctld/backend/xenbus.h"

struct dom;
struct device_class {
	const char *key;         /* of the configuration: "disk" */
	size_t row_size;         /* of an answer to PROTO_DEVICES */
	unsigned int max;        /* of a domain */
	const struct xenbus_ops *ops;
	/* What a specification of this kind names: 0 or -errno. */
	int (*devid)(const char *spec, uint32_t *ret, struct pvctl_error *err);
	/* A new device with all that it needs of the host, not in the store yet. Or pending: device_ready() follows. */
	int (*create)(struct dom *dom, const char *spec, struct xenbus_dev **ret, struct pvctl_error *err);
	/* row is zeroed, of row_size; the size that it starts with is set. */
	void (*row)(const struct xenbus_dev *x, void *row);
	/* All devices of another daemon are taken over: what else it had begun is seen to. May be NULL. */
	void (*adopted)(struct daemon *d);
	/* Before the devices are freed: waits for all requests. May be NULL. */
	void (*quiesce)(struct daemon *d);
	/* After. May be NULL. */
	void (*fini)(struct daemon *d);
};

/* By enum proto_class: pvctld/classes.c. */
#define NR_DEVICE_CLASSES 4u
extern const struct device_class *const device_classes[NR_DEVICE_CLASSES];

/* NULL: there is none. */
const struct device_class *device_class(uint32_t proto_class);
/* -EINPROGRESS: it is there, pending; its ready is to be set. */
int device_attach(const struct device_class *k, struct dom *dom, const char *spec, struct pvctl_error *err);
/* One that another daemon had: what is its kind and number, as in the store. */
void device_adopt(struct dom *dom, const char *what, const char *spec);
/* There are no more of these. */
void devices_adopted(struct daemon *d);
/* Backends' directories of a domain that has no devices. */
void devices_remove_nodes(struct daemon *d, uint32_t domid);
/*
 * A pending device has all it needs (rc 0), or will not have it: it is freed then, as when its nodes cannot be made.
 * It may have to wait for its guest still.
 */
void device_ready(struct xenbus_dev *x, int rc, const char *why);
/* The last device of this number is gone, and the guest knows it. */
void device_free_again(struct daemon *d, const struct xenbus_ops *ops, uint32_t domid, uint32_t devid);
/* Asks the guest to let go; with force it is not asked. Returns when that has begun. */
int device_detach(const struct device_class *k, struct dom *dom, uint32_t devid, bool force, struct pvctl_error *err);
/* NULL: there is none, or it is going. */
struct xenbus_dev *device_find(struct daemon *d, const struct device_class *k, uint32_t domid, uint32_t devid);
/* A domain's, as many as max: how many there are. rows may be NULL. */
unsigned int device_list(struct daemon *d, const struct device_class *k, uint32_t domid, void *rows, unsigned int max);
/* Before its guest is asked to suspend. -EBUSY: a device would not be found again as it is now. */
int devices_may_rest(struct daemon *d, uint32_t domid, bool move, struct pvctl_error *err);
/* Each one's step, see xenbus.h. */
void devices_each(struct daemon *d, uint32_t domid, void (*step)(struct xenbus_dev *x));
/* All have come to that, or beyond what they began. An error that one met: *err, if its code is 0. */
bool devices_rest(struct daemon *d, uint32_t domid, enum xenbus_rest want, struct pvctl_error *err);
/*
 * hold.c. Taken out of use, released, for the client on the connection "holder", until that ends it or its connection
 * ends. done is called once, perhaps at once. After a failure of device_hold_end it is held still, as it was.
 */
void device_hold(struct xenbus_dev *x, const void *holder, void (*done)(void *data, int rc, const char *why), void *data);
void device_hold_end(struct xenbus_dev *x, const void *holder, void (*done)(void *data, int rc, const char *why), void *data);
void devices_holder_gone(struct daemon *d, const void *holder);
/* Of one that is released, held or with its suspended domain: another specification of the same device. */
int device_retarget(struct xenbus_dev *x, const char *spec, struct pvctl_error *err);
/* The domain goes away, and its store nodes with it. Requests under way are waited for, later. */
void devices_domain_gone(struct daemon *d, uint32_t domid);
/* At the end. */
void devices_fini(struct daemon *d);

#endif
