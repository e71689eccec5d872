/* SPDX-License-Identifier: MIT */
/* pvctl disk resize, clone, convert */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/term.h"

/* ---- resize ---- */

enum { SIZE_FORMAT, SIZE_SHRINK, SIZE_JSON };
static const struct option_def resize_options[] = {
	[SIZE_FORMAT] = { 0, "format", "FORMAT", "of the image FILE: raw (default), qcow2, qed" },
	[SIZE_SHRINK] = { 0, "shrink", NULL, "also make it smaller: what is beyond the new size is lost" },
	[SIZE_JSON] = { 0, "json", NULL, "the new size as JSON" },
	{ 0 }
};

struct resize {
	const struct command *cmd;
	const struct parsed *in;
	const char *size;        /* NULL: as large as what it is of has become */
	uint64_t was, now;
};

/* "+1g": more than it has. 0 or an exit code. */
static int wanted(const struct resize *r, uint64_t *ret)
{
	bool more = r->size[0] == '+';

	if (parse_size(r->size + more, ret) || !*ret || *ret > INT64_MAX - r->was)
		return command_usage(r->cmd, "`%s' is no size: 20g or +512m would be", r->size);
	*ret += more ? r->was : 0;
	return 0;
}

static int resize_file(struct resize *r, const char *path, const char *format)
{
	struct pvctl_disk_image_resize_opts o = { .size = sizeof(o), .format = format, .shrink = r->in->count[SIZE_SHRINK] > 0 };
	struct pvctl_disk_image_info i = { .size = sizeof(i) };
	struct pvctl_error err = { 0 };
	int rc;

	rc = format_needed("disk resize", path, format);
	if (rc)
		return rc;
	if (pvctl_disk_image_get(path, format, &i, &err))
		return fail("disk resize", path, &err);
	r->was = i.bytes;
	rc = wanted(r, &o.bytes);
	if (rc)
		return rc;
	r->now = o.bytes;
	if (o.bytes == r->was)
		return 0;
	return pvctl_disk_image_resize(path, &o, &err) ? fail("disk resize", path, &err) : 0;
}

/* xvda, d0 and 51712 are one disk. */
static bool vdev_number(const char *name, uint32_t *ret)
{
	struct pvctl_disk_spec s = { .size = sizeof(s) };
	char text[80];

	if (strpbrk(name, ",=") || snprintf(text, sizeof(text), "vdev=%s,target=/", name) >= (int)sizeof(text) ||
	    pvctl_disk_parse(text, &s, NULL))
		return false;
	*ret = s.vdev;
	return true;
}

static const struct pvctl_disk_info *disk_of(const struct pvctl_disk_list *l, const char *vdev)
{
	const struct pvctl_disk_info *d;
	uint32_t number;

	if (!vdev_number(vdev, &number))
		return NULL;
	for (size_t i = 0; (d = pvctl_disk_list_at(l, i)); i++)
		if (d->vdev == number)
			return d;
	return NULL;
}

static int resize_running(struct resize *r, struct pvctl *ctx, uint32_t domid, const char *vdev)
{
	const struct pvctl_disk_info *d;
	struct pvctl_error err = { 0 };
	struct pvctl_disk_list *l;
	uint64_t bytes = 0;
	int rc = 0;

	if (r->in->count[SIZE_SHRINK])
		return command_usage(r->cmd, "the disk of a domain that runs can only grow: shut it down first");
	if (pvctl_disk_list(ctx, domid, &l, &err))
		return fail("disk resize", r->in->argv[0], &err);
	d = disk_of(l, vdev);
	r->was = d ? d->bytes : 0;
	pvctl_disk_list_free(l);
	if (r->size)
		rc = wanted(r, &bytes);
	if (rc)
		return rc;
	return pvctl_disk_resize(ctx, domid, vdev, bytes, &r->now, &err) ? fail("disk resize", vdev, &err) : 0;
}

/* What is defined and does not run. */
static int resize_defined(struct resize *r, const char *name, const char *vdev)
{
	struct pvctl_disk_spec s = { .size = sizeof(s) };
	struct pvctl_config *config;
	struct pvctl_error err = { 0 };
	const char *item;
	int rc = EXIT_FAILED;
	uint32_t number;
	size_t i;

	if (pvctl_defined_get(globals.node, name, &config, &err)) {
		say_error("disk resize: `%s' is no file, no domain that runs, and none that is defined", name);
		return rc;
	}
	for (i = 0; (item = pvctl_config_get_item(config, "disk", i)); i++)
		if (vdev_number(vdev, &number) && !pvctl_disk_parse(item, &s, NULL) && s.vdev == number)
			break;
	if (!item)
		say_error("disk resize: domain %s has no disk %s", name, vdev);
	else if (!r->size)
		say_error("disk resize: %s does not run: a size is wanted", name);
	else if (s.script[0] || !s.target[0])
		say_error("disk resize: disk %s is no image: a script knows what it is, or it is a drive without a medium", vdev);
	else
		rc = resize_file(r, s.target, s.format);
	pvctl_config_free(config);
	return rc;
}

static int resize_domain(struct resize *r, const char *name, const char *vdev)
{
	struct pvctl_open_opts open = { .size = sizeof(open), .node = globals.node, .log = node_log };
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = NULL;
	uint32_t domid;
	int rc;

	if (r->in->count[SIZE_FORMAT])
		return command_usage(r->cmd, "a domain's disk has the format that its configuration says");
	/* Without a node there are definitions yet. */
	rc = pvctl_open(&open, &ctx, &err);
	if (rc == -ENOENT)
		return resize_defined(r, name, vdev);
	if (!rc && parse_u32(name, 0, 0x7fef, &domid))
		rc = pvctl_domain_lookup(ctx, name, &domid, &err);
	if (!rc)
		rc = resize_running(r, ctx, domid, vdev);
	else
		rc = ctx && is_no_domain(rc) ? resize_defined(r, name, vdev) : fail("disk resize", name, &err);
	pvctl_close(ctx);
	return rc;
}

static int resize_report(const struct resize *r)
{
	struct json *j;

	if (!r->in->count[SIZE_JSON]) {
		note("It has %" PRIu64 " MiB now; it had %" PRIu64 ".", r->now >> 20, r->was >> 20);
		return 0;
	}
	j = json_document();
	if (!j)
		return EXIT_FAILED;
	json_u64(j, "bytes_before", r->was);
	json_u64(j, "bytes", r->now);
	json_end_map(j);
	return json_close(j);
}

static int resize_run(const struct command *cmd, const struct parsed *in)
{
	struct resize r = { .cmd = cmd, .in = in };
	bool file = in->argc == 2 && !access(in->argv[0], F_OK);
	int rc;

	r.size = file ? in->argv[1] : in->argc == 3 ? in->argv[2] : NULL;
	if (!file && in->argc == 2 && strchr(in->argv[0], '/')) {
		say_error("disk resize: %s: %s", in->argv[0], strerror(ENOENT));
		return EXIT_FAILED;
	}
	rc = file ? resize_file(&r, in->argv[0], in->value[SIZE_FORMAT]) : resize_domain(&r, in->argv[0], in->argv[1]);
	return rc ? rc : resize_report(&r);
}

const struct command cmd_disk_resize = {
	.group = "disk", .name = "resize", .args = "FILE|DOMAIN [VDEV] [SIZE]",
	.summary = "Change the size of a disk, which a running domain's guest is told",
	.example = "  pvctl disk resize /srv/web1.img 20g\n  pvctl disk resize web1 xvda +5g",
	.options = resize_options, .args_min = 2, .args_max = 3, .run = resize_run,
};

/* ---- clone, convert ---- */

static int copy(const char *what, const struct parsed *in, struct pvctl_disk_copy_opts *o, bool as_json)
{
	struct pvctl_disk_image_info i = { .size = sizeof(i) };
	const char *format = o->overlay ? "qcow2" : o->to_format ? o->to_format : o->format;
	struct pvctl_error err = { 0 };
	struct json *j;
	int rc;

	rc = format_needed(what, in->argv[0], o->format);
	if (rc)
		return rc;
	o->progress = progress_step;
	interrupts_catch();
	progress_begin("copying the disk");
	progress_unit(1);
	rc = pvctl_disk_image_copy(in->argv[0], in->argv[1], o, &err);
	progress_end();
	if (rc)
		return fail(what, in->argv[0], &err);
	if (!as_json)
		return 0;
	if (pvctl_disk_image_get(in->argv[1], format, &i, &err))
		return fail(what, in->argv[1], &err);
	j = json_document();
	if (!j)
		return EXIT_FAILED;
	json_str(j, "format", i.format);
	json_u64(j, "bytes", i.bytes);
	json_u64(j, "allocated_bytes", i.allocated_bytes);
	json_str(j, "base", i.base[0] ? i.base : NULL);
	json_end_map(j);
	return json_close(j);
}

enum { CLONE_FORMAT, CLONE_OVERLAY, CLONE_JSON };
static const struct option_def clone_options[] = {
	[CLONE_FORMAT] = { 0, "format", "FORMAT", "of FILE: raw (default), qcow2, qcow, vhd, qed" },
	[CLONE_OVERLAY] = { 0, "overlay", NULL, "copy nothing: a qcow2 image that is based on FILE and holds what differs" },
	[CLONE_JSON] = { 0, "json", NULL, "what was made, as JSON" },
	{ 0 }
};

static int clone_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_disk_copy_opts o = { .size = sizeof(o), .format = in->value[CLONE_FORMAT], .overlay = in->count[CLONE_OVERLAY] > 0 };

	return copy("disk clone", in, &o, in->count[CLONE_JSON] > 0);
}

const struct command cmd_disk_clone = {
	.group = "disk", .name = "clone", .args = "FILE NEWFILE", .summary = "Make another disk of the same contents",
	.example = "  pvctl disk clone /srv/web1.img /srv/web2.img",
	.options = clone_options, .args_min = 2, .args_max = 2, .run = clone_run,
};

enum { CONVERT_FORMAT, CONVERT_TO, CONVERT_COMPRESS, CONVERT_JSON };
static const struct option_def convert_options[] = {
	[CONVERT_FORMAT] = { 0, "format", "FORMAT", "of FILE: raw (default), qcow2, qcow, vhd, qed" },
	[CONVERT_TO] = { 0, "to", "FORMAT", "of NEWFILE" },
	[CONVERT_COMPRESS] = { 0, "compress", NULL, "compressed, with --to qcow2" },
	[CONVERT_JSON] = { 0, "json", NULL, "what was made, as JSON" },
	{ 0 }
};

static int convert_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_disk_copy_opts o = { .size = sizeof(o), .format = in->value[CONVERT_FORMAT], .to_format = in->value[CONVERT_TO],
					  .compress = in->count[CONVERT_COMPRESS] > 0 };

	if (!o.to_format)
		return command_usage(cmd, "--to is missing: the format of %s", in->argv[1]);
	return copy("disk convert", in, &o, in->count[CONVERT_JSON] > 0);
}

const struct command cmd_disk_convert = {
	.group = "disk", .name = "convert", .args = "FILE NEWFILE", .summary = "Make a disk of another format of one",
	.example = "  pvctl disk convert --to qcow2 /srv/web1.img /srv/web1.qcow2",
	.options = convert_options, .args_min = 2, .args_max = 2, .run = convert_run,
};

/* ---- flatten ---- */

static int flatten_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_disk_flatten_opts o = { .size = sizeof(o), .progress = progress_step };
	struct pvctl_error err = { 0 };
	int rc;

	interrupts_catch();
	progress_begin("copying what it is based on");
	rc = pvctl_disk_image_flatten(in->argv[0], &o, &err);
	progress_end();
	return rc ? fail("disk flatten", in->argv[0], &err) : EXIT_OK;
}

const struct command cmd_disk_flatten = {
	.group = "disk", .name = "flatten", .args = "FILE", .summary = "Make an overlay (qcow2) stand alone, with all that it has of its base",
	.example = "  pvctl disk flatten /srv/web2-xvda-20260101120000000.qcow2", .args_min = 1, .args_max = 1, .run = flatten_run,
};
