/* SPDX-License-Identifier: MIT */
/*
 * A client that pauses a domain for as long as it works on it says so. The hypervisor counts who paused a domain, and does not know who
 * that was: should the client be killed, nobody else would take its count back. After another daemon has taken over it stays paused.
 */
#ifndef LIFE_STILL_H
#define LIFE_STILL_H

#include <stdbool.h>

struct ctl_conn;
struct daemon;
struct dom;
struct pvctl_error;

void still_init(struct dom *dom);
/* on: it has been paused; not on: it is about to be unpaused. -EBUSY: somebody else has. */
int still_set(struct dom *dom, const struct ctl_conn *conn, bool on, struct pvctl_error *err);
/* That connection ended. */
void still_gone(struct daemon *d, const struct ctl_conn *conn);
/* The domain goes. */
void still_fini(struct dom *dom);

#endif
