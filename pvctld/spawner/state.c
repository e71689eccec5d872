/* SPDX-License-Identifier: MIT */
#include "pvctld/base/log.h"
#include "pvctld/jail/jail.h"
#include "pvctld/spawner/spawner.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* One level, and nothing that a link leads to: what earlier daemons of this node wrote is this one's to write. */
static int give_dir(const char *path, uid_t uid)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = fd < 0 ? -errno : 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!dir && fd >= 0)
		close(fd);
	if (!dir)
		return rc ? rc : -ENOMEM;
	while ((e = readdir(dir)))
		if (!fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
		    fchownat(fd, e->d_name, uid, uid, AT_SYMLINK_NOFOLLOW))
			rc = -errno;
	if (fchown(fd, uid, uid))
		rc = -errno;
	closedir(dir);
	return rc;
}

static int give_all(const struct daemon *d, uid_t uid)
{
	static const char *const sub[] = { "/console", "/domains", "/dump", "" };
	char path[300];
	int rc = 0;

	for (unsigned int i = 0; i < sizeof(sub) / sizeof(sub[0]) && !rc; i++) {
		snprintf(path, sizeof(path), "%s%s", d->state_dir, sub[i]);
		rc = give_dir(path, uid);
	}
	return rc;
}

void state_give(struct daemon *d)
{
	uid_t uid = JAIL_UID_BASE + (uid_t)getpid();

	if (geteuid())
		return;
	if (!give_all(d, uid)) {
		d->opt.uid = uid;
		return;
	}
	log_line("%s cannot be given to a user of the daemon's own: it stays root", d->state_dir);
	(void)give_all(d, 0);
}

void state_take_back(struct daemon *d)
{
	if (d->opt.uid)
		(void)give_all(d, 0);
}
