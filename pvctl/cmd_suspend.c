/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/term.h"

enum { OPT_TIMEOUT };
static const struct option_def options[] = {
	[OPT_TIMEOUT] = { 0, "timeout", "SECONDS", "wait so long for the guest at most (default: 60)" },
	{ 0 }
};

static int suspend_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	uint32_t domid, timeout_ms = 0;
	struct pvctl *ctx;
	int rc;

	if (in->count[OPT_TIMEOUT] && parse_seconds(in->value[OPT_TIMEOUT], &timeout_ms))
		return command_usage(cmd, "`%s' is no time in seconds", in->value[OPT_TIMEOUT]);
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	if (!rc) {
		interrupts_catch();
		progress_begin("suspending");
		rc = pvctl_domain_suspend(ctx, domid, timeout_ms, &err);
		if (!rc)
			rc = pvctl_domain_keep_suspended(ctx, domid, &err);
		progress_end();
		if (rc)
			rc = fail(cmd->name, in->argv[0], &err);
	}
	pvctl_close(ctx);
	return rc;
}

static int resume(struct pvctl *ctx, uint32_t domid, const char *arg, struct pvctl_error *err)
{
	return pvctl_domain_resume(ctx, domid, err);
}

static int resume_run(const struct command *cmd, const struct parsed *in)
{
	return on_domain(cmd, in, resume);
}

const struct command cmd_suspend = {
	.name = "suspend", .args = "DOMAIN", .summary = "Suspend a domain: it stays in memory and does not run",
	.example = "  pvctl suspend web1", .options = options, .args_min = 1, .args_max = 1, .run = suspend_run,
};
const struct command cmd_resume = {
	.name = "resume", .args = "DOMAIN", .summary = "Let a suspended domain go on",
	.example = "  pvctl resume web1", .args_min = 1, .args_max = 1, .run = resume_run,
};
