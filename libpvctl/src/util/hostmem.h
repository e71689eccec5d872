/* SPDX-License-Identifier: MIT */
/* How much memory this process's machine has, and how much more of it the process may take. */
#ifndef UTIL_HOSTMEM_H
#define UTIL_HOSTMEM_H

#include <stdbool.h>
#include <stdint.h>

struct hostmem {
	uint64_t total_bytes;     /* the machine's, or a control group's limit where that is less */
	uint64_t available_bytes; /* without swapping, as far as the kernel can tell */
	bool cgroup;              /* what is available is a control group's */
};

/* root: "" but in tests, which bring a /proc and a /sys/fs/cgroup of their own. 0, or -ENODATA: the kernel does not say. */
int hostmem_read(const char *root, struct hostmem *ret);

#endif
