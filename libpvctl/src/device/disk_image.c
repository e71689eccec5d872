/* SPDX-License-Identifier: MIT */
/*
 * Images come from strangers. One that names its base may name any file of the
 * user's, whose contents its guest would read: a base must be a file of a format
 * that is told, since a guest can write a header of any format into a raw one.
 */
#include "device/disk_image.h"
#include "device/qcow2.h"
#include "device/qemu_img.h"
#include "util/cleanup.h"
#include "util/err.h"
#include "util/json.h"
#include "util/paths.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CHAIN 32
#define MAX_TEXT (1u << 18)
#define TIME_MS 20000

static int bad(const char *path, struct pvctl_error *err, const char *what)
{
	return err_set(err, -EINVAL, PVCTL_ORIGIN_IMAGE, "disk \"%.600s\": %s", path, what);
}

static int describe(const char *path, const char *driver, char *text, struct pvctl_error *err)
{
	const char *const args[] = { "info", "--force-share", "--output=json", "--format", driver, "--", path, NULL };
	const struct qemu_img_file file = { .path = path };
	char need[64];
	const struct qemu_img q = { .args = args, .file = &file, .n_files = 1, .need = need, .limit_ms = TIME_MS };

	snprintf(need, sizeof(need), "disks of format %s need it", driver);
	return qemu_img_run(&q, path, text, MAX_TEXT, err);
}

/* Without qemu-img, where that would have nothing more to say. */
static bool plain(const char *path, const char *driver, const struct stat *st, char *ret_base, char *ret_format)
{
	CLEANUP_FREE struct qcow2_plain *p = malloc(sizeof(*p));

	ret_base[0] = ret_format[0] = '\0';
	if (!strcmp(driver, disk_format_driver(DISK_RAW)))
		return S_ISREG(st->st_mode) && st->st_size > 0 && !access(path, R_OK);
	if (!p || strcmp(driver, disk_format_driver(DISK_QCOW2)) || qcow2_plain(path, p))
		return false;
	strcpy(ret_base, p->base);
	strcpy(ret_format, disk_format_driver(p->base_format));
	return true;
}

static bool known_format(const char *name)
{
	for (int f = DISK_RAW; f <= DISK_QED; f++)
		if (!strcmp(name, disk_format_driver((enum disk_format)f)))
			return true;
	return false;
}

/* What is told of its base. */
static int judge_base(const char *path, yajl_val v, char *ret_base, char *ret_format, struct pvctl_error *err)
{
	const char *base = json_str(v, "full-backing-filename"), *format = json_str(v, "backing-filename-format");

	if (!base)
		base = json_str(v, "backing-filename");
	ret_base[0] = ret_format[0] = '\0';
	if (!base)
		return 0;
	if (base[0] != '/' || strlen(base) > DISK_TARGET_MAX)
		return bad(path, err, "what it is based on is no file of this machine");
	if (!format)
		return bad(path, err, "it does not say the format of the image it is based on: qemu-img rebase -u -F FORMAT -b BASE would");
	if (!known_format(format))
		return bad(path, err, "the image it is based on is of a format that is not known");
	strcpy(ret_base, base);
	strcpy(ret_format, format);
	return 0;
}

int disk_image_judge(const char *path, const char *json, char *ret_base, char *ret_format, struct pvctl_error *err)
{
	static const char *const data[] = { "format-specific", "data", "data-file", NULL };
	long long size;
	yajl_val v = NULL;
	int rc = json_parse_object(json, &v, err);

	if (rc)
		return rc;
	if (json_int(v, "virtual-size", &size) || size <= 0 || size % 512)
		rc = bad(path, err, "its virtual size is not a multiple of 512");
	else if (yajl_tree_get(v, (const char **)(uintptr_t)data, yajl_t_any))
		rc = bad(path, err, "its data is in another file, which is not supported");
	else
		rc = judge_base(path, v, ret_base, ret_format, err);
	yajl_tree_free(v);
	return rc;
}

int disk_image_check(const char *image, enum disk_format format, struct pvctl_error *err)
{
	char path[DISK_TARGET_MAX + 1], base[DISK_TARGET_MAX + 1], base_format[16];
	CLEANUP_FREE char *text = malloc(MAX_TEXT + 1);
	const char *driver = disk_format_driver(format);
	char driver_copy[16];
	struct stat st;
	int rc;

	if (!text)
		return err_nomem(err);
	if (strlen(image) > DISK_TARGET_MAX)
		return bad(image, err, "the path is too long");
	strcpy(path, image);
	for (int i = 0; i < MAX_CHAIN; i++) {
		if (stat(path, &st))
			return err_os(err, errno, "disk \"%.600s\", on which \"%.80s\" is based", path, image);
		if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
			return bad(path, err, "it is neither a file nor a block device");
		rc = 0;
		if (!plain(path, driver, &st, base, base_format)) {
			rc = describe(path, driver, text, err);
			rc = rc ? rc : disk_image_judge(path, text, base, base_format, err);
		}
		if (rc || !base[0])
			return rc;
		strcpy(path, base);
		driver = strcpy(driver_copy, base_format);
	}
	return bad(image, err, "it is based on images without an end");
}

int disk_image_check_alone(const char *image, struct pvctl_error *err)
{
	char base[DISK_TARGET_MAX + 1], base_format[16];
	CLEANUP_FREE char *text = malloc(MAX_TEXT + 1);
	int rc;

	if (!text)
		return err_nomem(err);
	rc = describe(image, disk_format_driver(DISK_QCOW2), text, err);
	rc = rc ? rc : disk_image_judge(image, text, base, base_format, err);
	return rc || !base[0] ? rc : bad(image, err, "it is based on another image, which is not part of the template");
}
