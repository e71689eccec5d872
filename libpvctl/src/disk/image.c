/* SPDX-License-Identifier: MIT */
#include "disk/image.h"
#include "device/disk_image.h"
#include "device/qcow2.h"
#include "device/qemu_img.h"
#include "ctx/ctx.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/fd.h"
#include "util/grow.h"
#include "util/json.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define INFO_MAX (1u << 18)
#define INFO_MS 20000u
#define PATIENCE_NS 3000000000ull
#define PATIENCE_STEP_NS 50000000l
#define ENDED_NS 10000000000ull
#define QEMU_LOCKS 100         /* QEMU's lie here, a byte each */

int image_format(const char *name, enum disk_format *ret, struct pvctl_error *err)
{
	if (!disk_format_parse(name ? name : "raw", ret))
		return 0;
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "\"%.40s\" is no format: raw, qcow2, qcow, vhd or qed is wanted", name);
}

static int in_use(const char *path, struct pvctl_error *err)
{
	return err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "disk \"%.600s\" is in use: shut its domain down first (the disk of one that runs "
	               "is named by the domain and its device, as in pvctl disk resize DOMAIN xvda)", path);
}

int image_busy(int rc, const char *path, struct pvctl_error *err)
{
	return rc && err && err_qemu_locked(err->msg) ? in_use(path, err) : rc;
}

/* A domain is gone a moment before the qemu-nbd of its disk, which writes what it was told first: that is not what in use means. */
static bool patient(int rc, uint64_t patience_ns, uint64_t *until_ns)
{
	const struct timespec pause = { .tv_nsec = PATIENCE_STEP_NS };
	uint64_t now = ctx_now_ns();

	if (rc != -EBUSY || (*until_ns && now >= *until_ns))
		return false;
	if (!*until_ns)
		*until_ns = now + patience_ns;
	nanosleep(&pause, NULL);
	return true;
}

int image_run(const struct qemu_img *q, const char *path, struct pvctl_error *err)
{
	char says[1024];
	uint64_t until = 0;
	int rc;

	do
		rc = image_busy(qemu_img_run(q, path, says, sizeof(says) - 1, err), path, err);
	while (patient(rc, PATIENCE_NS, &until) && !(q->tick && q->tick(q->tick_data)));
	return rc;
}

/* QEMU's writers hold read locks on single bytes. */
static bool qemu_writes(int fd)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = QEMU_LOCKS, .l_len = 200 };

	return !fcntl(fd, F_OFD_GETLK, &l) && l.l_type != F_UNLCK && l.l_start >= QEMU_LOCKS;
}

static int open_locked(const char *path, bool write, int *ret_fd, struct pvctl_error *err)
{
	struct flock l = { .l_type = write ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET, .l_len = DISK_LOCK_BYTES };
	CLEANUP_CLOSE int fd = open(path, (write ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return err_os(err, errno, "disk \"%.600s\"", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk \"%.600s\" is neither a file nor a block device", path);
	/* A file system without locks is used without, as the daemon does. */
	if ((!write && qemu_writes(fd)) || (fcntl(fd, F_OFD_SETLK, &l) && (errno == EAGAIN || errno == EACCES)))
		return in_use(path, err);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int open_patiently(const char *path, bool write, uint64_t patience_ns, int *ret_fd, struct pvctl_error *err)
{
	uint64_t until = 0;
	int rc;

	do
		rc = open_locked(path, write, ret_fd, err);
	while (patient(rc, patience_ns, &until));
	return rc;
}

int image_open_locked(const char *path, bool write, int *ret_fd, struct pvctl_error *err)
{
	return open_patiently(path, write, PATIENCE_NS, ret_fd, err);
}

int image_open_ended(const char *path, int *ret_fd, struct pvctl_error *err)
{
	return open_patiently(path, true, ENDED_NS, ret_fd, err);
}

int image_unlocked(const char *path, enum disk_format format, char **ret, struct pvctl_error *err)
{
	struct stat st;
	struct buf b = { 0 };
	bool device = !stat(path, &st) && S_ISBLK(st.st_mode);
	int rc = buf_addf(&b, "driver=%s,file.driver=%s,file.locking=off,file.filename=", disk_format_driver(format),
	                  device ? "host_device" : "file");

	/* A comma in a name is doubled. */
	for (; *path && !rc; path++)
		rc = *path == ',' ? buf_add(&b, ",,", 2) : buf_add(&b, path, 1);
	rc = rc ? rc : buf_add(&b, "", 1);
	if (rc) {
		buf_free(&b);
		return err_nomem(err);
	}
	*ret = (char *)b.data;
	return 0;
}

static int raw_info(const char *path, struct pvctl_disk_image_info *i, struct pvctl_error *err)
{
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	off_t end;

	if (fd < 0 || fstat(fd, &st) || (end = lseek(fd, 0, SEEK_END)) < 0)
		return err_os(err, errno, "disk \"%.600s\"", path);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk \"%.600s\" is neither a file nor a block device", path);
	i->bytes = (uint64_t)end;
	i->allocated_bytes = S_ISBLK(st.st_mode) ? i->bytes : (uint64_t)st.st_blocks * 512;
	i->is_device = S_ISBLK(st.st_mode);
	return 0;
}

/* Without qemu-img, where that would have nothing more to say. */
static bool plain_info(const char *path, const struct stat *st, struct pvctl_disk_image_info *i)
{
	CLEANUP_FREE struct qcow2_plain *p = malloc(sizeof(*p));

	if (!p || qcow2_plain(path, p))
		return false;
	i->bytes = p->bytes;
	i->allocated_bytes = (uint64_t)st->st_blocks * 512;
	i->is_device = S_ISBLK(st->st_mode);
	snprintf(i->base, sizeof(i->base), "%s", p->base);
	return true;
}

static int other_info(const char *path, enum disk_format f, struct pvctl_disk_image_info *i, struct pvctl_error *err)
{
	const char *const args[] = { "info", "--force-share", "--output=json", "--format", disk_format_driver(f), "--", path, NULL };
	const struct qemu_img_file file = { .path = path };
	const struct qemu_img q = { .args = args, .file = &file, .n_files = 1, .need = DISK_NEED, .limit_ms = INFO_MS };
	CLEANUP_FREE char *text = malloc(INFO_MAX + 1);
	char base[DISK_TARGET_MAX + 1], format[16];
	struct stat st;
	long long size;
	yajl_val v;
	int rc;

	if (!text)
		return err_nomem(err);
	if (stat(path, &st))
		return err_os(err, errno, "disk \"%.600s\"", path);
	if (f == DISK_QCOW2 && plain_info(path, &st, i))
		return 0;
	rc = qemu_img_run(&q, path, text, INFO_MAX, err);
	rc = rc ? rc : disk_image_judge(path, text, base, format, err);
	rc = rc ? rc : json_parse_object(text, &v, err);
	if (rc)
		return rc;
	i->bytes = json_int(v, "virtual-size", &size) ? 0 : (uint64_t)size;
	yajl_tree_free(v);
	i->allocated_bytes = (uint64_t)st.st_blocks * 512;
	i->is_device = S_ISBLK(st.st_mode);
	snprintf(i->base, sizeof(i->base), "%s", base);
	return 0;
}

int pvctl_disk_image_get(const char *path, const char *format, struct pvctl_disk_image_info *ret, struct pvctl_error *err)
{
	struct pvctl_disk_image_info i;
	enum disk_format f;
	int rc = grow_check(ret, err);

	rc = rc ? rc : image_format(format, &f, err);
	if (rc)
		return rc;
	memset(&i, 0, sizeof(i));
	rc = f == DISK_RAW ? raw_info(path, &i, err) : other_info(path, f, &i, err);
	if (rc)
		return rc;
	snprintf(i.format, sizeof(i.format), "%s", disk_format_name(f));
	grow_out(ret, &i, sizeof(i));
	return 0;
}

int image_may_resize(enum disk_format format, uint64_t now, uint64_t bytes, bool shrink, struct pvctl_error *err)
{
	if (!bytes || bytes % 512 || bytes > INT64_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "a disk of %" PRIu64 " bytes cannot be: a multiple of 512 is wanted", bytes);
	if (format != DISK_RAW && format != DISK_QCOW2 && format != DISK_QED)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "an image of format %s has the size that it was made with: convert it to "
		               "qcow2 or raw first (pvctl disk convert)", disk_format_name(format));
	if (bytes < now && !shrink)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "the disk has %" PRIu64 " bytes, and %" PRIu64 " are less: what is beyond would be "
		               "lost. If nothing is there (the file system has been made smaller first), --shrink does it", now, bytes);
	if (bytes < now && format == DISK_QED)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "an image of format qed cannot become smaller: convert it first");
	return 0;
}

static int resize_file(const char *path, int fd, uint64_t bytes, bool shrink, struct pvctl_error *err)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk \"%.600s\" is a device: what it belongs to resizes it (lvextend, say)", path);
	rc = image_may_resize(DISK_RAW, (uint64_t)st.st_size, bytes, shrink, err);
	if (rc)
		return rc;
	if (ftruncate(fd, (off_t)bytes) || fsync(fd))
		return err_os(err, errno, "disk \"%.600s\"", path);
	return 0;
}

static int resize_raw(const char *path, uint64_t bytes, bool shrink, struct pvctl_error *err)
{
	int fd = -1, rc = image_open_locked(path, true, &fd, err);

	rc = rc ? rc : resize_file(path, fd, bytes, shrink, err);
	fd_unlock_close(fd);
	return rc;
}

static int resize_other(const char *path, enum disk_format f, uint64_t bytes, bool shrink, struct pvctl_error *err)
{
	struct pvctl_disk_image_info i = { .size = sizeof(i) };
	char size[24];
	const char *const args[] = { "resize", "-q", "-f", disk_format_driver(f), shrink ? "--shrink" : "--", shrink ? "--" : path,
				     shrink ? path : size, shrink ? size : NULL, NULL };
	struct qemu_img_file file[] = { { .path = path, .write = true }, { .image = true } };
	/* It must not be stopped half way. */
	struct qemu_img q = { .args = args, .file = file, .n_files = 1, .need = DISK_NEED };
	int rc = pvctl_disk_image_get(path, disk_format_name(f), &i, err);

	rc = rc ? rc : image_may_resize(f, i.bytes, bytes, shrink, err);
	/* What it is based on is opened with it. */
	if (!rc && i.base[0])
		rc = disk_image_check(path, f, err);
	if (rc)
		return rc;
	file[1].path = i.base;
	q.n_files += i.base[0] != '\0';
	snprintf(size, sizeof(size), "%" PRIu64, bytes);
	return image_run(&q, path, err);
}

int pvctl_disk_image_resize(const char *path, const struct pvctl_disk_image_resize_opts *opts, struct pvctl_error *err)
{
	struct pvctl_disk_image_resize_opts o;
	struct pvctl_error own;
	enum disk_format f;
	int rc = opts_load(&o, sizeof(o), opts, err);

	rc = rc ? rc : image_format(o.format, &f, err);
	if (rc)
		return rc;
	/* What qemu-img says must be there to be judged. */
	err = err ? err : &own;
	return f == DISK_RAW ? resize_raw(path, o.bytes, o.shrink != 0, err) : resize_other(path, f, o.bytes, o.shrink != 0, err);
}
