/* SPDX-License-Identifier: MIT */
/* pvctl cd-insert, cd-eject */
#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/term.h"

enum { OPT_FORCE };
static const struct option_def options[] = {
	[OPT_FORCE] = { 0, "force", NULL, "do not wait for the guest to let go of the medium" },
	{ 0 }
};

static int change(const struct command *cmd, const struct parsed *in, const char *target)
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
	interrupts_say("the drive has no medium once the guest has let go of the old one");
	progress_begin("waiting for the guest to let go");
	rc = pvctl_disk_change(ctx, domid, in->argv[1], target, &o, &err);
	progress_end();
	interrupts_quiet();
	if (rc)
		rc = fail(cmd->name, in->argv[1], &err);
out:
	pvctl_close(ctx);
	return rc;
}

static int run_insert(const struct command *cmd, const struct parsed *in)
{
	return change(cmd, in, in->argv[2]);
}

static int run_eject(const struct command *cmd, const struct parsed *in)
{
	return change(cmd, in, NULL);
}

const struct command cmd_cd_insert = {
	.name = "cd-insert", .args = "DOMAIN VDEV FILE", .summary = "Put a medium into a cdrom drive",
	.example = "  pvctl cd-insert web1 xvdc /srv/debian.iso",
	.options = options, .args_min = 3, .args_max = 3, .run = run_insert,
};

const struct command cmd_cd_eject = {
	.name = "cd-eject", .args = "DOMAIN VDEV", .summary = "Take the medium out of a cdrom drive",
	.example = "  pvctl cd-eject web1 xvdc",
	.options = options, .args_min = 2, .args_max = 2, .run = run_eject,
};
