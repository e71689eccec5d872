/* SPDX-License-Identifier: MIT */
#include "device/disk.h"
#include "device/disk_image.h"
#include "device/disk_spec.h"
#include "device/request.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/paths.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512
#define SCRIPTS "/etc/xen/scripts"
#define POLL_MS 50

struct pvctl_disk_list {
	struct pvctl_disk_info *row;
	size_t n;
};

int disk_check_list(const char *key, const char *const *values, size_t n, struct pvctl_error *err)
{
	uint32_t *vdev = calloc(n + 1, sizeof(*vdev));
	struct disk_spec s;
	int rc = 0;

	if (!vdev)
		return err_nomem(err);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = disk_spec_parse(values[i], &s, err);
		vdev[i] = s.vdev;
		for (size_t k = 0; k < i && !rc; k++)
			if (vdev[k] == s.vdev)
				rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: two are named %s", key, s.vdev_name);
	}
	free(vdev);
	return rc;
}

static int make_absolute(struct disk_spec *s, struct pvctl_error *err)
{
	CLEANUP_FREE char *full = NULL;
	int rc;

	/* A script's target need not be a path. */
	if (s->target[0] == '/' || !s->target[0] || s->script[0])
		return 0;
	/* xl looks in /dev; what is beside the caller comes first. */
	if (access(s->target, F_OK) && asprintf(&full, "/dev/%s", s->target) > 0 && access(full, F_OK)) {
		free(full);
		full = NULL;
	}
	rc = full ? 0 : paths_absolute("disk ", s->target, &full, err);
	if (rc)
		return rc;
	if (strlen(full) > DISK_TARGET_MAX)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk \"%.600s\": the path is too long", s->target);
	strcpy(s->target, full);
	return 0;
}

/* What the daemon would refuse later, when a domain would have to be undone. */
static int check_target(const struct disk_spec *s, struct pvctl_error *err)
{
	int fd = open(s->target, (s->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	off_t size;
	int rc = 0;

	if (fd < 0)
		return err_os(err, errno, "disk \"%.600s\"", s->target);
	size = lseek(fd, 0, SEEK_END);
	if (fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk \"%.600s\" is neither a file nor a block device", s->target);
	else if (s->backend == DISK_BACKEND_PHY && !S_ISBLK(st.st_mode))
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk \"%.600s\" is no block device, which backendtype=phy asks for",
		             s->target);
	else if (s->format == DISK_RAW && (size <= 0 || size % SECTOR))
		rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "disk \"%.600s\": its size, %lld, is not a multiple of %d "
		             "(an image of another format needs that said: format=qcow2)",
		             s->target, (long long)size, SECTOR);
	close(fd);
	return rc || s->format == DISK_RAW ? rc : disk_image_check(s->target, s->format, err);
}

static int check_script(const struct disk_spec *s, struct pvctl_error *err)
{
	char path[sizeof(s->script) + sizeof(SCRIPTS)];

	snprintf(path, sizeof(path), "%s%s", s->script[0] == '/' ? "" : SCRIPTS "/", s->script);
	if (access(path, X_OK))
		return err_os(err, errno, "disk %s: script \"%s\" cannot be run", s->vdev_name, path);
	return 0;
}

/* spec: any form; text: ours, which the daemon takes. */
int disk_plan_one(const char *spec, char *text, struct pvctl_error *err)
{
	struct disk_spec s;
	int rc = disk_spec_parse(spec, &s, err);

	rc = rc ? rc : make_absolute(&s, err);
	/* There is nothing to look at in a drive without a medium; a target of a script's is the script's to find. */
	if (!rc && s.target[0])
		rc = s.script[0] ? check_script(&s, err) : check_target(&s, err);
	if (!rc)
		disk_spec_format(&s, text);
	return rc;
}

int disk_plan(struct pvctl_config *c, struct pvctl_error *err)
{
	char text[DISK_SPEC_MAX + 1], **list;
	size_t n = 0;
	int rc = 0;

	while (pvctl_config_get_item(c, "disk", n))
		n++;
	if (!n)
		return 0;
	list = calloc(n, sizeof(*list));
	if (!list)
		return err_nomem(err);
	for (size_t i = 0; i < n && !rc; i++) {
		rc = disk_plan_one(pvctl_config_get_item(c, "disk", i), text, err);
		if (!rc && !(list[i] = strdup(text)))
			rc = err_nomem(err);
	}
	if (!rc)
		rc = pvctl_config_set_list(c, "disk", (const char *const *)list, n, err);
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
	return rc;
}

int disk_attach_all(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *c, struct pvctl_error *err)
{
	const char *item;
	int rc = 0;

	for (size_t i = 0; !rc && (item = pvctl_config_get_item(c, "disk", i)); i++)
		rc = device_request_attach(ctx, PROTO_CLASS_DISK, domid, item, err);
	return rc;
}

int pvctl_disk_attach(struct pvctl *ctx, uint32_t domid, const char *spec, struct pvctl_error *err)
{
	char text[DISK_SPEC_MAX + 1];
	int rc = disk_plan_one(spec, text, err);

	return rc ? rc : device_request_attach(ctx, PROTO_CLASS_DISK, domid, text, err);
}

int pvctl_disk_list(struct pvctl *ctx, uint32_t domid, struct pvctl_disk_list **ret, struct pvctl_error *err)
{
	struct pvctl_disk_list *l = calloc(1, sizeof(*l));
	void *rows;
	int rc;

	if (!l)
		return err_nomem(err);
	rc = device_request_rows(ctx, PROTO_CLASS_DISK, domid, sizeof(*l->row), "disks", &rows, &l->n, err);
	if (rc) {
		free(l);
		return rc;
	}
	l->row = rows;
	*ret = l;
	return 0;
}

size_t pvctl_disk_list_count(const struct pvctl_disk_list *l)
{
	return l->n;
}

const struct pvctl_disk_info *pvctl_disk_list_at(const struct pvctl_disk_list *l, size_t i)
{
	return i < l->n ? &l->row[i] : NULL;
}

void pvctl_disk_list_free(struct pvctl_disk_list *l)
{
	if (!l)
		return;
	free(l->row);
	free(l);
}

int disk_find(struct pvctl *ctx, uint32_t domid, uint32_t vdev, struct pvctl_disk_info *ret, struct pvctl_error *err)
{
	struct pvctl_disk_list *l;
	int rc = pvctl_disk_list(ctx, domid, &l, err);
	bool there = false;

	if (rc)
		return rc;
	for (size_t i = 0; i < l->n && !there; i++) {
		there = l->row[i].vdev == vdev;
		if (there)
			*ret = l->row[i];
	}
	pvctl_disk_list_free(l);
	return there ? 0 : err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "domain %u has no such disk: a vdev of block-list is wanted", domid);
}

static int wait_gone(struct pvctl *ctx, uint32_t domid, uint32_t vdev, uint32_t timeout_ms, struct pvctl_error *err)
{
	const struct timespec pause = { 0, POLL_MS * 1000000l };
	uint64_t until = ctx_now_ns() + timeout_ms * 1000000ull;
	struct pvctl_disk_info row;
	int rc;

	for (;;) {
		rc = disk_find(ctx, domid, vdev, &row, err);
		if (rc == -ENOENT)
			return 0;
		if (rc)
			return rc;
		if (ctx_now_ns() > until)
			return err_set(err, -ETIMEDOUT, PVCTL_ORIGIN_LIB,
			               "domain %u does not let go of the disk: it may be in use (it can be forced)", domid);
		nanosleep(&pause, NULL);
	}
}

int pvctl_disk_detach(struct pvctl *ctx, uint32_t domid, const char *vdev, const struct pvctl_disk_detach_opts *opts,
                      struct pvctl_error *err)
{
	struct pvctl_disk_detach_opts o;
	struct proto_device d = { .domid = domid, .class_id = PROTO_CLASS_DISK };
	int rc = opts_load(&o, sizeof(o), opts, err);

	if (rc)
		return rc;
	if (disk_vdev_parse(vdev, &d.devid))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "\"%.40s\" does not name a disk: xvda or 51712 would", vdev);
	d.force = o.force != 0;
	rc = ctx_request(ctx, PROTO_DEVICE_DETACH, &d, sizeof(d), err);
	return rc ? rc : wait_gone(ctx, domid, d.devid, o.timeout_ms ? o.timeout_ms : 10000, err);
}
