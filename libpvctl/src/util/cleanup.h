/* SPDX-License-Identifier: MIT */
/* Scope-bound release of what most functions hold: heap memory and fds. */
#ifndef UTIL_CLEANUP_H
#define UTIL_CLEANUP_H

#include "util/buf.h"
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}
static inline void cleanup_closep(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define CLEANUP_FREE __attribute__((cleanup(cleanup_freep)))
#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_closep)))
#define CLEANUP_BUF __attribute__((cleanup(buf_free)))

/* Hands a value out of its CLEANUP_* variable. */
#define TAKE_PTR(p) ({ __auto_type take_ = (p); (p) = NULL; take_; })
#define TAKE_FD(fd) ({ int take_ = (fd); (fd) = -1; take_; })

#endif
