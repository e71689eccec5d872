/* SPDX-License-Identifier: MIT */
/* What a frontend needs, honest or not: the store, grants to the backend's domain, an event channel. */
#ifndef GUEST_XENBUS_H
#define GUEST_XENBUS_H

#include "guest.h"
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>

/* Before anything else. */
void xenbus_setup(void);

/*
 * The store, one request at a time. Paths without a leading slash are below the
 * domain's own directory ("device/vbd/51712"). 0 or -errno; -EIO: no answer.
 */
int xs_request(uint32_t type, uint32_t tx, const void *body, uint32_t len, char *reply, uint32_t size);
/* The value as a string, cut to size. */
int xs_read(const char *path, char *value, uint32_t size);
int xs_write(const char *path, const char *value);
int xs_printf(const char *dir, const char *node, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int xs_rm(const char *path);
/* ~0ul: it is not there, or no number. */
unsigned long xs_read_number(const char *path);

/* A page of ours that the backend may map: its reference. The table is of version 1; references are never used again. */
uint32_t grant_page(const void *page, bool readonly);
struct grant_entry_v1 *grant_entry(uint32_t ref);
/* False: it is still mapped. */
bool grant_end(uint32_t ref);

/* An event channel that the backend may bind; it stays masked, its pending bit is looked at. */
uint32_t evtchn_alloc(void);
void evtchn_notify(uint32_t port);
bool evtchn_take(uint32_t port); /* was pending; is no more */
void evtchn_wait(uint32_t port); /* until it is pending, or for a millisecond */

/* About a millisecond, other domains run. */
void nap(void);
/* The other end's state, by the path that our directory of the device names; XenbusStateUnknown: gone. */
enum xenbus_state backend_state(const char *dev);
/* Waits until it is one of the two. False: it was not, for some seconds. */
bool backend_wait(const char *dev, enum xenbus_state one, enum xenbus_state other);
int frontend_state(const char *dev, enum xenbus_state state);

#endif
