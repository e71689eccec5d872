/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that the spawner has beside the daemon: who is started after one that was killed finds them there.
 * Names: 1 to 64 of the characters A-Z a-z 0-9 . _ : / and -. All return -errno on failure, -ENOTCONN without a
 * spawner, as in unit tests. From the daemon's main thread only.
 */
#ifndef PVCTLD_SPAWN_KEEP_H
#define PVCTLD_SPAWN_KEEP_H

#define KEEP_MAX 4096u

/* A copy of fd; one of that name is replaced. -ENOSPC: KEEP_MAX are there. */
int keep_put(const char *name, int fd);
/* A copy, close-on-exec; it stays with the spawner until it is dropped. -ENOENT. */
int keep_take(const char *name);
int keep_drop(const char *name);
/* fn of all names, in no order; it must not put or drop. Returns how many. */
int keep_list(void (*fn)(void *data, const char *name), void *data);

#endif
