/* SPDX-License-Identifier: MIT */
#include "pvctld/block/open.h"
#include "pvctld/base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SCRIPTS "/etc/xen/scripts"

static int failed(const char *path, struct pvctl_error *err)
{
	return fail(err, errno == ENOENT ? -ENOENT : errno == EACCES || errno == EPERM || errno == EROFS ? -EPERM : -EIO,
		    "disk \"%.600s\": %s", path, strerror(errno));
}

static uint64_t queue_number(dev_t dev, const char *name)
{
	static const char *const where[] = { "queue", "../queue" }; /* a partition's is its disk's */
	char path[96], text[32];
	ssize_t n = -1;

	for (unsigned int i = 0; i < 2 && n < 0; i++) {
		int fd;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/%s", major(dev), minor(dev), where[i], name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return UINT64_MAX;
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}

/*
 * What a script named comes by way of the store, which the daemon has: it must be a block device that the host does not
 * use itself. O_EXCL finds that a file system, a volume group or the like is on it.
 */
static int check_device(const char *path, dev_t *ret, struct pvctl_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_EXCL);
	struct stat st;
	bool ok;

	if (fd < 0)
		return failed(path, err);
	ok = !fstat(fd, &st) && S_ISBLK(st.st_mode);
	close(fd);
	*ret = ok ? st.st_rdev : 0;
	return ok ? 0 : fail(err, -EINVAL, "disk \"%.600s\", which its script named, is no block device", path);
}

static int no_device(struct disk_opened *o, const char *path, struct pvctl_error *err)
{
	close(o->fd);
	o->fd = -1;
	return fail(err, -EPERM, "disk \"%.600s\" is not the device any more that its script named", path);
}

int disk_open(const struct disk_spec *s, const char *device, struct disk_opened *ret, struct pvctl_error *err)
{
	const char *path = device ? device : s->target;
	int flags = (s->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY, rc;
	char again[48];
	dev_t checked = 0;
	struct stat st;

	rc = device ? check_device(device, &checked, err) : 0;
	if (rc)
		return rc;
	/* O_NONBLOCK: a FIFO must not hold the daemon up. */
	ret->fd = open(path, flags | O_NONBLOCK);
	if (ret->fd < 0)
		return failed(path, err);
	ret->direct_fd = -1;
	ret->granularity = ret->alignment = ret->discard_max = UINT64_MAX;
	if (fstat(ret->fd, &st))
		return device ? no_device(ret, device, err) : 0;
	/* Between the look and this the name may have come to be another file's. */
	if (device && (!S_ISBLK(st.st_mode) || st.st_rdev != checked))
		return no_device(ret, device, err);
	if (S_ISBLK(st.st_mode)) {
		ret->granularity = queue_number(st.st_rdev, "discard_granularity");
		ret->alignment = queue_number(st.st_rdev, "../discard_alignment");
		ret->discard_max = queue_number(st.st_rdev, "discard_max_bytes");
	}
	if (!S_ISBLK(st.st_mode) && !(S_ISREG(st.st_mode) && s->direct_io_safe))
		return 0;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", ret->fd);
	ret->direct_fd = open(again, flags | O_DIRECT);
	return 0;
}

void disk_script_path(const struct disk_spec *s, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s", s->script[0] == '/' ? "" : SCRIPTS "/", s->script);
}

int disk_look(const struct disk_spec *s, int *ret_fd, struct pvctl_error *err)
{
	char path[128];

	*ret_fd = -1;
	if (s->script[0]) {
		disk_script_path(s, path, sizeof(path));
		return access(path, X_OK) ? fail(err, -ENOENT, "disk %s: script %s: %s", s->vdev_name, path, strerror(errno)) : 0;
	}
	*ret_fd = open(s->target, O_PATH | O_CLOEXEC);
	return *ret_fd < 0 ? fail(err, errno == ENOENT ? -ENOENT : -EIO, "disk \"%.600s\": %s", s->target, strerror(errno)) : 0;
}
