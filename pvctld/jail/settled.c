/* SPDX-License-Identifier: MIT */
/* What the program calls instead of libc's ppoll(): with the first one its main loop begins, and its start is over. */
#include "clean.h"
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_SIGSET 8 /* bytes */

int own_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask) __asm__("ppoll");

__attribute__((visibility("default"))) int own_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	static atomic_flag settled = ATOMIC_FLAG_INIT;
	struct timespec left;

	if (!atomic_flag_test_and_set_explicit(&settled, memory_order_relaxed))
		clean_unmap();
	/* The kernel's changes what it is given. */
	if (timeout)
		left = *timeout;
	return (int)syscall(SYS_ppoll, fds, n, timeout ? &left : NULL, mask, mask ? KERNEL_SIGSET : 0);
}
