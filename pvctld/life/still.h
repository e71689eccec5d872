/* SPDX-License-Identifier: MIT */
/*
 * A domain that a client has paused for as long as it works on it. The hypervisor counts who paused a domain, and does not know who
 * that was: should the client be killed, nobody else would take its count back. After another daemon has taken over it stays paused.
 */
#ifndef LIFE_STILL_H
#define LIFE_STILL_H

#include <stdbool.h>

struct ctl_conn;
struct daemon;
struct dom;

void still_init(struct dom *dom);
/* Pauses it, or lets it go on. done: always, perhaps at once. -EBUSY: it is another's; -ENOENT: it is not its. */
void still_set(struct dom *dom, struct ctl_conn *conn, bool on, void (*done)(void *conn, int rc, const char *why));
/* That connection ended. */
void still_gone(struct daemon *d, const struct ctl_conn *conn);
/* The domain goes. */
void still_fini(struct dom *dom);

#endif
