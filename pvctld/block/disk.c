/* SPDX-License-Identifier: MIT */
/* What a disk's target is: opened, measured, locked. */
#include "pvctld/base/log.h"
#include "pvctld/block/open.h"
#include "pvctld/block/vbd.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/spawn/ask.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PAGE 4096u

static bool file_of(const struct vbd *v, struct stat *st)
{
	return v->fd >= 0 ? !fstat(v->fd, st) : v->spec.target[0] == '/' && !v->spec.script[0] && !vbd_look(&v->spec, st, NULL);
}

void vbd_say_holder(const struct vbd *v, char *buf, size_t size)
{
	struct stat mine, its;
	const struct dom *dom;

	snprintf(buf, size, "another process or another node's domain");
	if (!file_of(v, &mine))
		return;
	list_for(p, &v->x.d->devices) {
		struct xenbus_dev *x = list_entry(p, struct xenbus_dev, link);

		if (x == &v->x || x->ops != &vbd_ops || !file_of(vbd_of(x), &its))
			continue;
		if (S_ISBLK(mine.st_mode) ? !S_ISBLK(its.st_mode) || its.st_rdev != mine.st_rdev :
		    its.st_dev != mine.st_dev || its.st_ino != mine.st_ino)
			continue;
		dom = dom_find(v->x.d, x->domid);
		snprintf(buf, size, "domain \"%s\" (%u), as %s", dom ? dom->name : "", x->domid, x->name);
		return;
	}
}

#define MARKS DISK_LOCK_BYTES /* bytes from here on say that something is under way */

/* A byte that is this disk's own. */
static off_t mark_of(const struct vbd *v)
{
	uint64_t h = 14695981039346656037ull;

	for (const char *p = v->x.d->run_dir; *p; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211ull;
	h = (h ^ v->x.domid) * 1099511628211ull;
	h = (h ^ v->x.devid) * 1099511628211ull;
	return (off_t)(MARKS + (int64_t)(h >> 3));
}

/*
 * A process may be gone while the kernel still has direct I/O of its under way, to and from guests' pages. What is under
 * way holds the open file, and that holds its locks: so the next daemon sees that it has not ended.
 */
static int mark_direct(struct vbd *v)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = mark_of(v), .l_len = 1 };

	if (v->x.adopted && !fcntl(v->direct_fd, F_OFD_GETLK, &l) && l.l_type != F_UNLCK)
		return -EBUSY;
	l = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = mark_of(v), .l_len = 1 };
	(void)fcntl(v->direct_fd, F_OFD_SETLK, &l);
	return 0;
}

/* Two writers of one disk destroy it; so do a writer and a reader who caches. */
static int lock(struct vbd *v, struct pvctl_error *err)
{
	struct flock l = { .l_type = v->spec.readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET, .l_len = DISK_LOCK_BYTES };
	char holder[200];

	/* A file system without locks is used without. */
	if (!fcntl(v->fd, F_OFD_SETLK, &l) || (errno != EAGAIN && errno != EACCES))
		return 0;
	vbd_say_holder(v, holder, sizeof(holder));
	return fail(err, -EBUSY, "disk \"%.600s\" is in use by %s", v->spec.target, holder);
}

/* A number of the device's queue; otherwise where the kernel does not say. */
static uint64_t or_else(uint64_t number, uint64_t otherwise)
{
	return number == UINT64_MAX ? otherwise : number;
}

static void measure_device(struct vbd *v, const struct disk_opened *o)
{
	uint64_t nowhere[2] = { 1, 1 };
	int n;

	if (!ioctl(v->fd, BLKSSZGET, &n) && n >= (int)BLK_SECTOR)
		v->sector_size = v->physical_size = (uint32_t)n;
	if (!ioctl(v->fd, BLKPBSZGET, &n) && n >= (int)v->sector_size)
		v->physical_size = (uint32_t)n;
	v->direct_align = v->sector_size;
	v->discard_granularity = (uint32_t)or_else(o->granularity, v->physical_size);
	v->discard_alignment = (uint32_t)or_else(o->alignment, 0);
	v->can_discard = or_else(o->discard_max, 1) != 0;
	/* No range at all: a device that can do it says so by its complaint about that. */
	v->can_secure = v->can_discard && ioctl(v->fd, BLKSECDISCARD, nowhere) && errno == EINVAL;
}

static void measure_file(struct vbd *v, const struct stat *st)
{
	struct statx x;

	v->direct_align = PAGE;
#ifdef STATX_DIOALIGN
	if (!statx(v->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) && x.stx_mask & STATX_DIOALIGN && x.stx_dio_offset_align)
		v->direct_align = x.stx_dio_offset_align > x.stx_dio_mem_align ? x.stx_dio_offset_align
										: x.stx_dio_mem_align;
#else
	(void)x;
#endif
	v->can_discard = true;
	/* A hole frees blocks of the file system; what was in them may be found on the medium: can_secure stays false. */
	v->discard_granularity = st->st_blksize >= (blksize_t)BLK_SECTOR ? (uint32_t)st->st_blksize : PAGE;
}

static int choose_sector_size(struct vbd *v, struct pvctl_error *err)
{
	uint32_t want = v->spec.sector_size;

	if (want && want < v->sector_size)
		return fail(err, -EINVAL, "disk \"%.600s\": its sectors have %u bytes, so that sectorsize=%u cannot be",
			    v->spec.target, v->sector_size, want);
	if (want)
		v->sector_size = want;
	if (v->physical_size < v->sector_size)
		v->physical_size = v->sector_size;
	if (v->discard_granularity < v->sector_size)
		v->discard_granularity = v->sector_size;
	if (v->sectors * BLK_SECTOR % v->sector_size)
		return fail(err, -EINVAL, "disk \"%.600s\": its size, %llu, is not a multiple of its sectors' %u",
			    v->spec.target, (unsigned long long)v->sectors * BLK_SECTOR, v->sector_size);
	return 0;
}

int vbd_measured(struct vbd *v, uint64_t bytes, struct pvctl_error *err)
{
	if (!bytes || bytes % BLK_SECTOR)
		return fail(err, -EINVAL, "disk \"%.600s\": its size, %llu, is not a multiple of 512", v->spec.target,
			    (unsigned long long)bytes);
	v->sectors = bytes / BLK_SECTOR;
	if (v->spec.no_discard || v->spec.readonly)
		v->can_discard = v->can_secure = false;
	return choose_sector_size(v, err);
}

static int measure(struct vbd *v, const struct disk_opened *o, struct pvctl_error *err)
{
	struct stat st;
	off_t size;

	if (fstat(v->fd, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return fail(err, -EINVAL, "disk \"%.600s\" is neither a file nor a block device", v->spec.target);
	if (v->spec.backend == DISK_BACKEND_PHY && !S_ISBLK(st.st_mode))
		return fail(err, -EINVAL, "disk \"%.600s\" is no block device, which backendtype=phy asks for", v->spec.target);
	size = lseek(v->fd, 0, SEEK_END);
	v->is_device = S_ISBLK(st.st_mode);
	v->sector_size = v->physical_size = BLK_SECTOR;
	if (v->is_device)
		measure_device(v, o);
	else
		measure_file(v, &st);
	return vbd_measured(v, size > 0 ? (uint64_t)size : 0, err);
}

/*
 * As xl does: devices directly, files through the page cache unless they are
 * said to be safe. A request that is not aligned goes through the cache of the
 * same file, which the kernel keeps coherent.
 */
static int take_direct(struct vbd *v, int fd, struct pvctl_error *err)
{
	v->direct_fd = fd;
	if (fd < 0 && v->spec.direct_io_safe)
		log_line("domain %u: disk %s: no direct I/O here, the page cache is used", v->x.domid, v->x.name);
	if (fd >= 0 && mark_direct(v))
		return fail(err, -EBUSY, "disk \"%.600s\": something is under way yet", v->spec.target);
	return 0;
}

static int ask_open(const struct vbd *v, const char *device, struct disk_opened *o, struct pvctl_error *err)
{
	char text[DISK_SPEC_MAX + 1];
	const struct spawn_ask q = { .text = text, .where = device };
	struct spawn_started a;
	int fds[2], rc;

	if (ask_fd() < 0)
		return disk_open(&v->spec, device, o, err);
	disk_spec_format(&v->spec, text);
	rc = spawn_ask(SPAWN_DISK_OPEN, &q, &a, fds, 2, err);
	if (rc < 0)
		return rc;
	*o = (struct disk_opened){ fds[0], fds[1], a.n[0], a.n[1], a.n[2] };
	return rc ? 0 : fail(err, -EPROTO, "the spawner: %s", strerror(EPROTO));
}

/* One that was there before a restart has more to tell than a new one. */
static void have_witness(struct vbd *v, const char *device)
{
	struct disk_opened o;
	struct pvctl_error e;

	if (v->spec.readonly || (v->x.adopted && vbd_witness_ask(v)) || ask_open(v, device, &o, &e))
		return;
	vbd_witness_put(v, o.fd);
	close(o.fd);
	if (o.direct_fd >= 0)
		close(o.direct_fd);
}

int vbd_open(struct vbd *v, const char *device, struct pvctl_error *err)
{
	struct disk_opened o;
	int rc;

	if (device && device != v->device) {
		free(v->device);
		v->device = strdup(device);
		if (!v->device)
			return fail(err, -ENOMEM, "no memory");
	}
	rc = ask_open(v, device, &o, err);
	if (rc)
		return rc;
	v->fd = o.fd;
	rc = measure(v, &o, err);
	rc = rc ? rc : lock(v, err);
	if (!rc)
		have_witness(v, device);
	if (!rc && (v->is_device || v->spec.direct_io_safe))
		return take_direct(v, o.direct_fd, err);
	if (o.direct_fd >= 0)
		close(o.direct_fd);
	return rc;
}

int vbd_look(const struct disk_spec *s, struct stat *ret, struct pvctl_error *err)
{
	char text[DISK_SPEC_MAX + 1];
	const struct spawn_ask q = { .text = text };
	struct spawn_started a;
	int fd = -1, rc;

	disk_spec_format(s, text);
	rc = ask_fd() < 0 ? disk_look(s, &fd, err) : spawn_ask(SPAWN_DISK_LOOK, &q, &a, &fd, 1, err);
	if (rc < 0)
		return rc;
	rc = fd >= 0 && fstat(fd, ret) ? fail(err, -EIO, "disk \"%.600s\": %s", s->target, strerror(errno)) : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

void vbd_close(struct vbd *v)
{
	if (v->direct_fd >= 0)
		close(v->direct_fd);
	if (v->fd >= 0)
		close(v->fd);
	/* While it is being adopted, it will be opened again. */
	if (v->fd >= 0 && !v->spec.readonly && !v->x.adopted)
		vbd_witness_drop(v);
	v->fd = v->direct_fd = -1;
}
