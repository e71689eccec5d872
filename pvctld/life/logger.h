/* SPDX-License-Identifier: MIT */
/*
 * A client that saves a domain while it runs has the hypervisor log what that writes, and says so first. The hypervisor does not know
 * who asked, and refuses a second one: so the log ends with the client's connection. Else one that was killed would leave it on, and
 * nobody could save the domain any more.
 */
#ifndef LIFE_LOGGER_H
#define LIFE_LOGGER_H

#include <stdbool.h>

struct ctl_conn;
struct daemon;
struct dom;
struct pvctl_error;

void logger_init(struct dom *dom);
/* -EBUSY: it is another's. */
int logger_set(struct dom *dom, const struct ctl_conn *conn, bool on, struct pvctl_error *err);
/* That connection ended. */
void logger_gone(struct daemon *d, const struct ctl_conn *conn);
/* One of another daemon's, with which all connections have ended. */
void logger_adopt(struct dom *dom);
/* The domain goes. */
void logger_fini(struct dom *dom);

#endif
