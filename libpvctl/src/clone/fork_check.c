/* SPDX-License-Identifier: MIT */
/* Are a domain's disks at the moment what they were when their overlays were made? */
#include "clone/fork.h"
#include "device/qcow2.h"
#include "util/err.h"
#include <string.h>
#include <sys/stat.h>

/* The domain is suspended for as long as this takes: for the usual formats without a process. */
static int size_of(const struct fork_disk *d, uint64_t *ret, struct pvctl_error *err)
{
	struct pvctl_disk_image_info info = { .size = sizeof(info) };
	int rc;

	if (d->spec.format == DISK_QCOW2) {
		rc = qcow2_bytes(d->path, ret);
		return rc ? err_os(err, -rc, "disk %s: %s", d->spec.vdev_name, d->path) : 0;
	}
	rc = pvctl_disk_image_get(d->path, disk_format_name(d->spec.format), &info, err);
	*ret = info.bytes;
	return rc;
}

int fork_note(struct fork_disk *d, struct pvctl_error *err)
{
	struct stat st;

	if (stat(d->path, &st))
		return err_os(err, errno, "disk %s: %s", d->spec.vdev_name, d->path);
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	return size_of(d, &d->bytes, err);
}

static int changed(const struct fork *f, const struct fork_disk *d, struct pvctl_error *err)
{
	return err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "disk %s of %s was changed meanwhile (another copy or snapshot was made of it, or it has another size "
	               "or image): try again", d->spec.vdev_name, f->name);
}

static int check_disk(const struct fork *f, const struct fork_disk *d, struct pvctl_error *err)
{
	struct fork_disk now = { .spec = d->spec, .path = d->path };
	int rc;

	if (d->how == FORK_SHARED)
		return 0;
	rc = fork_note(&now, err);
	return rc || (now.dev == d->dev && now.ino == d->ino && now.bytes == d->bytes) ? rc : changed(f, d, err);
}

int fork_check(const struct fork *f, struct pvctl_error *err)
{
	struct pvctl_config *now;
	const char *item;
	int rc = pvctl_domain_config(f->ctx, f->domid, &now, err);

	if (rc)
		return rc;
	if (strcmp(pvctl_config_get_str(now, "name"), f->name))
		rc = err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "domain \"%s\" was renamed meanwhile: try again", f->name);
	if (!rc && pvctl_config_get_item(now, "disk", f->n))
		rc = err_set(err, -EBUSY, PVCTL_ORIGIN_LIB, "domain \"%s\" got a disk meanwhile: try again", f->name);
	for (size_t i = 0; i < f->n && !rc; i++) {
		item = pvctl_config_get_item(now, "disk", i);
		rc = !item || strcmp(item, f->disk[i].item) ? changed(f, &f->disk[i], err) : check_disk(f, &f->disk[i], err);
	}
	pvctl_config_free(now);
	return rc;
}
