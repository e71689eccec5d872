/* SPDX-License-Identifier: MIT */
/*
 * Domains that are suspended. What its guest does is Xen's: it is asked by control/shutdown, lets
 * go of its devices and calls SCHEDOP_shutdown. From then on its memory is somebody's to
 * copy, so all backends leave it alone (quiet), and on request give back what another
 * node needs (released). Who asked holds it: if that connection ends, the domain goes on
 * where it was, unless it was told to keep it.
 *
 *	awake -> quiescing -> quiet -> releasing -> released
 *	  ^                   |  ^                     |
 *	  +------ runs -------+  +----- retaking ------+
 */
#ifndef PVCTLD_SUSPEND_H
#define PVCTLD_SUSPEND_H

#include <stdbool.h>
#include <stdint.h>

struct ctl_conn;
struct daemon;
struct dom;
struct pvctl_error;

void suspend_init(struct dom *dom);
/* Its guest is asked, for holder. */
int suspend_ask(struct dom *dom, struct ctl_conn *holder, struct pvctl_error *err);
/* What would refuse it is found before anything is begun. move: it is to come back elsewhere. */
int suspend_check(struct dom *dom, bool move, struct pvctl_error *err);
/* Answered when it is quiet, or released. -ENOENT: it is not suspended. done is called once, perhaps at once. */
void suspend_wait(struct dom *dom, bool release, void (*done)(void *data, int rc, const char *why), void *data);
/*
 * Another connection has suspended it, or reads what somebody suspended: whoever would let it go on, or hand its disks on, takes both
 * from under that one's hands.
 */
bool suspend_is_anothers(const struct dom *dom, const struct ctl_conn *conn);
/* It is suspended for nobody; until conn keeps it or ends, it is conn's. */
void suspend_read(struct dom *dom, struct ctl_conn *conn);
/* It stays as it is when the holder's connection ends. */
void suspend_keep(struct dom *dom);
/* It goes on; or what was asked is taken back. done as above. */
void suspend_end(struct dom *dom, void (*done)(void *data, int rc, const char *why), void *data);
/* The holder's connection ended. */
void suspend_holder_gone(struct daemon *d, const struct ctl_conn *holder);
/* One of another daemon's: was_held: for a connection, which has ended with that. */
void suspend_adopt(struct dom *dom, bool is_suspended, bool was_held);
/* What a plain hypercall must not resume: others may have its disks. */
bool suspend_is_released(const struct dom *dom);
/* policy.c: it has suspended; it runs again, whoever did that. */
void suspend_seen(struct dom *dom);
void suspend_over(struct dom *dom);
/* The domain goes: nobody waits any more. */
void suspend_gone(struct dom *dom);

#endif
