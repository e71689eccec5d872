/* SPDX-License-Identifier: MIT */
/*
 * A domain that a client has paused for as long as it works on it. The hypervisor counts who paused a domain, and does not know who
 * that was: should the client be killed, nobody else would take its count back. So the daemon does, and one that takes over from it.
 */
#ifndef LIFE_STILL_H
#define LIFE_STILL_H

#include "pvctld/domain/domains.h"

void still_init(struct dom *dom);
/* Pauses it, or lets it go on. done: always, perhaps at once. -EBUSY: it is another's; -ENOENT: it is not its. */
void still_set(struct dom *dom, struct ctl_conn *conn, bool on, void (*done)(void *conn, int rc, const char *why));
/* That connection ended. */
void still_gone(struct daemon *d, const struct ctl_conn *conn);
/* One of another daemon's: for a connection, which has ended with that. kept: what it noted. */
void still_adopt(struct dom *dom, enum dom_still kept);
/* The domain goes. */
void still_fini(struct dom *dom);

#endif
