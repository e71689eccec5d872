/* SPDX-License-Identifier: MIT */
/*
 * Devices whose nodes are gone, while their guest may not have seen that. Linux
 * looks at the store when its watch fires: if a device of the same number is
 * there again by then, it takes it for the old one, which it has closed, and
 * does nothing; and when it lets go of the old one it may still write a state.
 */
#ifndef BACKEND_DEPARTED_H
#define BACKEND_DEPARTED_H

#include "pvctld/backend/xenbus.h"

/* Before x's nodes are removed. */
void departed_add(struct xenbus_dev *x);
/* True: no device like x may be made yet. device_free_again() follows, within seconds whatever the guest does. */
bool departed_waits(const struct xenbus_dev *x);
/* Of store_hear(). */
void departed_asked(void *daemon, uint32_t domid, const char *path, bool there);
/* The host, too, has something to do with a number before it is free. False: no memory; else a release follows. */
bool departed_hold(struct daemon *d, const struct xenbus_ops *ops, uint32_t domid, uint32_t devid);
void departed_release(struct daemon *d, const struct xenbus_ops *ops, uint32_t domid, uint32_t devid);
void departed_domain_gone(struct daemon *d, uint32_t domid);
void departed_fini(struct daemon *d);

#endif
