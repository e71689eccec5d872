/* SPDX-License-Identifier: MIT */
/* A user namespace with the caller alone in it, who has capabilities over what follows. */
#ifndef PVCTLD_JAIL_USERNS_H
#define PVCTLD_JAIL_USERNS_H

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static inline bool userns_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* False: not permitted; or, with *ret_failed, it was half made, and errno says why. */
static inline bool userns_take(const char **ret_failed)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	*ret_failed = NULL;
	if (unshare(CLONE_NEWUSER))
		return false;
	(void)userns_put("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	*ret_failed = "uid_map";
	if (!userns_put("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	*ret_failed = "gid_map";
	return userns_put("/proc/self/gid_map", map);
}

#endif
