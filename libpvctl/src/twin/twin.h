/* SPDX-License-Identifier: MIT */
/*
 * A copy that is restored while the domain is still being saved: by a thread with a connection of its own, which reads the file in memory
 * that the other writes. The writer never waits for it: a domain that is suspended must not stand still for its copy's sake. The copy is
 * complete when all has come, and waits then, without its devices, for the disks to be there:
 *
 *	caller                                    thread
 *	saves to twin_fd, lets the domain go on   reads, builds, waits
 *	twin_finish                               attaches the disks, commits, ends
 *	twin_stop, instead                        fails, leaves nothing, ends
 *
 * What the two share is under one lock; each writes its own words. The caller's save fails once the thread has failed.
 */
#ifndef TWIN_TWIN_H
#define TWIN_TWIN_H

#include "ctx/ctx.h"

struct twin;
/* config is the copy's, and taken over. NULL: there is no other connection to be had, or no thread; config stays the caller's. */
struct twin *twin_start(const struct pvctl *ctx, struct pvctl_config *config, bool paused);
int twin_fd(const struct twin *w);
/* For the caller's context, as long as that saves. */
const struct file_tail *twin_tail(struct twin *w);
/* All has been sent, and its disks are there. Frees it. */
int twin_finish(struct twin *w, uint32_t *ret_domid, struct pvctl_error *err);
/* rc, err: why there will be no more. If the copy failed first, that is why: returned instead. Frees it. */
int twin_stop(struct twin *w, int rc, struct pvctl_error *err);

#endif
