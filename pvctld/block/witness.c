/* SPDX-License-Identifier: MIT */
/*
 * The kernel tells each open file once that pages could not be written back. If that answer comes to a daemon that is
 * killed before it has noted it, the next one's own descriptor, opened later, is told nothing, and its flush would be a
 * success. So the spawner keeps one that was opened at the beginning and is never synced: it has not been told yet.
 */
#include "pvctld/base/log.h"
#include "pvctld/block/vbd.h"
#include "pvctld/core/daemon.h"
#include "pvctld/spawn/keep.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NO_PAGES_THERE (1ll << 62) /* so that nothing is waited for: what is wanted is the news */

static const char *name_of(const struct vbd *v, char *buf, size_t size)
{
	snprintf(buf, size, "vbd-witness/%u/%u", v->x.domid, v->x.devid);
	return buf;
}

void vbd_witness_put(const struct vbd *v, int fd)
{
	char name[64];

	/* Without, a failure may be missed at that one moment. */
	(void)keep_put(name_of(v, name, sizeof(name)), fd);
}

bool vbd_witness_ask(struct vbd *v)
{
	char name[64];
	int fd = keep_take(name_of(v, name, sizeof(name)));

	if (fd < 0)
		return false;
	if (sync_file_range(fd, NO_PAGES_THERE, 4096, SYNC_FILE_RANGE_WAIT_BEFORE) && (errno == EIO || errno == ENOSPC || errno == EDQUOT)) {
		log_guest(v->x.domid, "disk %s: what was written before its daemon was killed may be lost (%s): it takes no more writes "
			  "until it is attached anew", v->x.name, strerror(errno));
		v->unsynced = true;
	}
	close(fd);
	return true;
}

void vbd_witness_drop(const struct vbd *v)
{
	char name[64];

	(void)keep_drop(name_of(v, name, sizeof(name)));
}
