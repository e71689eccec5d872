/* SPDX-License-Identifier: MIT */
/* pvctl block-attach, block-detach, block-list */
#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/libxl_json.h"
#include "pvctl/term.h"

static int run_attach(const struct command *cmd, const struct parsed *in)
{
	return globals.dry_run ? attach_device_dry(cmd, in, "disk", json_disk) : attach_device(cmd, in, pvctl_disk_attach);
}

const struct command cmd_block_attach = {
	.name = "block-attach", .args = "DOMAIN SPEC...", .summary = "Give a disk to a running domain",
	.example = "  pvctl block-attach web1 /srv/data.img,raw,xvdb,rw",
	.args_min = 2, .args_max = -1, .can_dry_run = true, .run = run_attach,
};

enum { OPT_FORCE };
static const struct option_def detach_options[] = {
	[OPT_FORCE] = { 0, "force", NULL, "do not wait for the guest to let go of it" },
	{ 0 }
};

static int run_detach(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_disk_detach_opts o = { .size = sizeof(o), .force = in->count[OPT_FORCE] > 0 || globals.force };
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	uint32_t domid;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	if (rc)
		goto out;
	interrupts_say("%s", "the guest may still let go of the disk");
	progress_begin("waiting for the guest to let go");
	rc = pvctl_disk_detach(ctx, domid, in->argv[1], &o, &err);
	progress_end();
	interrupts_quiet();
	if (rc)
		rc = fail("block-detach", in->argv[1], &err);
out:
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_block_detach = {
	.name = "block-detach", .args = "DOMAIN VDEV", .summary = "Take a disk away from a running domain",
	.example = "  pvctl block-detach web1 xvdb",
	.options = detach_options, .args_min = 2, .args_max = 2, .run = run_detach,
};

enum { OPT_JSON };
static const struct option_def list_options[] = {
	[OPT_JSON] = { 0, "json", NULL, "the table as JSON" },
	{ 0 }
};

static void disk_json(struct json *j, const struct pvctl_disk_info *d)
{
	json_map(j, NULL);
	json_u64(j, "domid", d->domid);
	json_u64(j, "vdev", d->vdev);
	json_str(j, "name", d->name);
	json_u64(j, "state", d->state);
	json_i32(j, "event_channel", d->event_channel);
	json_i32(j, "ring_ref", d->ring_ref);
	json_bool(j, "readonly", d->readonly);
	json_bool(j, "cdrom", d->cdrom);
	json_u64(j, "bytes", d->bytes);
	json_str(j, "target", d->target);
	json_str(j, "format", d->format);
	json_u64(j, "sector_size", d->sector_size);
	json_str(j, "backend_path", d->backend_path);
	json_u64(j, "reads", d->reads);
	json_u64(j, "writes", d->writes);
	json_u64(j, "flushes", d->flushes);
	json_u64(j, "discards", d->discards);
	json_u64(j, "errors", d->errors);
	json_bool(j, "failed", d->failed);
	json_u64(j, "read_sectors", d->read_sectors);
	json_u64(j, "write_sectors", d->write_sectors);
	json_u64(j, "discard_sectors", d->discard_sectors);
	json_end_map(j);
}

static void disk_line(const struct pvctl_disk_info *d)
{
	printf("%-5u %-3d %-6u %-5u %-6d %-8d %-30s\n", d->vdev, 0, d->domid, d->state, d->event_channel, d->ring_ref,
	       d->backend_path);
}

static int list_of(struct pvctl *ctx, const char *arg, struct json *j)
{
	struct pvctl_error err = { 0 };
	struct pvctl_disk_list *l;
	uint32_t domid;
	int rc = domain_resolve(ctx, arg, &domid);

	if (rc)
		return rc;
	if (pvctl_disk_list(ctx, domid, &l, &err))
		return fail("block-list", arg, &err);
	for (size_t i = 0; i < pvctl_disk_list_count(l); i++) {
		if (j)
			disk_json(j, pvctl_disk_list_at(l, i));
		else
			disk_line(pvctl_disk_list_at(l, i));
	}
	pvctl_disk_list_free(l);
	return 0;
}

static void list_header(void)
{
	printf("%-5s %-3s %-6s %-5s %-6s %-8s %-30s\n", "Vdev", "BE", "handle", "state", "evt-ch", "ring-ref", "BE-path");
}

static int run_list(const struct command *cmd, const struct parsed *in)
{
	return list_devices(in, in->count[OPT_JSON] > 0, "disks", list_header, list_of);
}

const struct command cmd_block_list = {
	.name = "block-list", .args = "DOMAIN...", .summary = "Show the disks of domains",
	.example = "  pvctl block-list web1",
	.options = list_options, .args_min = 1, .args_max = -1, .run = run_list,
};
