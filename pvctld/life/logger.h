/* SPDX-License-Identifier: MIT */
/*
 * A client that saves a domain while it runs has the hypervisor log what that writes. The hypervisor does not know who asked, and
 * refuses a second one: so the log ends with the connection of who began it, or he might have been killed, and nobody could save it again.
 */
#ifndef LIFE_LOGGER_H
#define LIFE_LOGGER_H

#include <stdbool.h>
#include <stdint.h>

struct ctl_conn;
struct daemon;
struct dom;

void logger_init(struct dom *dom);
/* asker's XEN_DOMCTL_shadow_op begins; was refused. */
void logger_asked(struct dom *dom, uint32_t op, struct ctl_conn *asker);
void logger_refused(struct dom *dom, uint32_t op, const struct ctl_conn *asker);
/* The asker's connection ended. */
void logger_gone(struct daemon *d, const struct ctl_conn *asker);
/* One of another daemon's, with which all connections have ended. */
void logger_adopt(struct dom *dom);
/* The domain goes. */
void logger_fini(struct dom *dom);

#endif
