/* SPDX-License-Identifier: MIT */
#include "pvctld/block/vbd.h"
#include "pvctld/log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two writers of one disk destroy it; so do a writer and a reader who caches. */
static int lock(struct vbd *v, struct pvctl_error *err)
{
	struct flock l = { .l_type = v->spec.readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	/* A file system without locks is used without. */
	if (fcntl(v->fd, F_OFD_SETLK, &l) && (errno == EAGAIN || errno == EACCES))
		return fail(err, -EBUSY, "disk \"%.150s\" is in use", v->spec.target);
	return 0;
}

static int measure(struct vbd *v, struct pvctl_error *err)
{
	struct stat st;
	off_t size;
	int n;

	if (fstat(v->fd, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return fail(err, -EINVAL, "disk \"%.150s\" is neither a file nor a block device", v->spec.target);
	size = lseek(v->fd, 0, SEEK_END);
	if (size <= 0 || size % BLK_SECTOR)
		return fail(err, -EINVAL, "disk \"%.150s\": its size, %lld, is not a multiple of 512", v->spec.target,
			    (long long)size);
	v->sectors = (uint64_t)size / BLK_SECTOR;
	v->is_device = S_ISBLK(st.st_mode);
	v->sector_size = v->physical_size = BLK_SECTOR;
	if (v->is_device && !ioctl(v->fd, BLKSSZGET, &n) && n >= (int)BLK_SECTOR)
		v->sector_size = v->physical_size = (uint32_t)n;
	if (v->is_device && !ioctl(v->fd, BLKPBSZGET, &n) && n >= (int)v->sector_size)
		v->physical_size = (uint32_t)n;
	v->can_discard = !v->spec.no_discard && !v->spec.readonly;
	return 0;
}

int vbd_open(struct vbd *v, struct pvctl_error *err)
{
	int rc;

	/* O_NONBLOCK: a FIFO must not hold the daemon up. */
	v->fd = open(v->spec.target, (v->spec.readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (v->fd < 0)
		return fail(err, errno == ENOENT ? -ENOENT : errno == EACCES || errno == EPERM || errno == EROFS ? -EPERM : -EIO,
			    "disk \"%.150s\": %s", v->spec.target, strerror(errno));
	rc = measure(v, err);
	return rc ? rc : lock(v, err);
}
