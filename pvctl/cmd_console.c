/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/console.h"

#define ENDED_SHOWN_S 60

enum { OPT_TYPE, OPT_NUMBER, OPT_ESCAPE, OPT_REPLAY, OPT_QUIET, OPT_STATUS };
static const struct option_def options[] = {
	[OPT_TYPE] = { 't', "type", "TYPE", "kind of console: pv" },
	[OPT_NUMBER] = { 'n', "num", "NUMBER", "number of the console: 0" },
	[OPT_ESCAPE] = { 'e', "escape", "CHAR", "what leaves the console, such as ^A; none: nothing (default ^])" },
	[OPT_REPLAY] = { 0, "replay", "BYTES", "how much of what was missed is shown first (default: all that is kept)" },
	[OPT_QUIET] = { 'q', "quiet", NULL, "only what the domain writes" },
	[OPT_STATUS] = { 0, "status", NULL, "exit with 3 when the domain crashed, with 4 when its watchdog ended it" },
	{ 0 }
};

/* True: it is gone, and what it wrote is kept yet. By name for a minute only: another may be meant. */
static bool has_ended(struct pvctl *ctx, const char *arg, struct pvctl_ended *ret)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct timespec now;
	uint32_t domid;

	if (!parse_u32(arg, 0, 0x7fef, &domid))
		return pvctl_domain_get(ctx, domid, &info, NULL) == -ESRCH && !pvctl_domain_ended(ctx, NULL, domid, ret, NULL);
	if (pvctl_domain_lookup(ctx, arg, &domid, NULL) != -ESRCH || pvctl_domain_ended(ctx, arg, 0, ret, NULL))
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec < ret->ended_unix_ns / UINT64_C(1000000000) + ENDED_SHOWN_S;
}

static int console_run(const struct command *cmd, const struct parsed *in)
{
	struct console_opts opts = { .escape = CONSOLE_ESCAPE, .replay = CONSOLE_REPLAY_ALL };
	struct pvctl_ended ended = { .size = sizeof(ended) };
	struct pvctl *ctx;
	uint32_t domid, number = 0;
	int rc;

	opts.quiet = in->count[OPT_QUIET];
	opts.on_crash = in->count[OPT_STATUS] ? CONSOLE_CRASH_REASON : CONSOLE_CRASH_OK;
	if (in->count[OPT_TYPE] && strcmp(in->value[OPT_TYPE], "pv"))
		return command_usage(cmd, "there are only consoles of type pv");
	if (in->count[OPT_NUMBER] && (parse_u32(in->value[OPT_NUMBER], 0, UINT32_MAX, &number) || number))
		return command_usage(cmd, "there is only console 0");
	if (in->count[OPT_ESCAPE] && console_parse_escape(in->value[OPT_ESCAPE], &opts.escape))
		return command_usage(cmd, "`%s' is no character", in->value[OPT_ESCAPE]);
	if (in->count[OPT_REPLAY]) {
		uint32_t bytes;

		if (parse_u32(in->value[OPT_REPLAY], 0, UINT32_MAX, &bytes))
			return command_usage(cmd, "`%s' is no number of bytes", in->value[OPT_REPLAY]);
		opts.replay = bytes;
	}
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	if (has_ended(ctx, in->argv[0], &ended)) {
		rc = console_show_ended(ctx, &ended, &opts);
	} else {
		rc = domain_resolve(ctx, in->argv[0], &domid);
		if (!rc)
			rc = console_session(ctx, domid, &opts);
	}
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_console = {
	.name = "console", .args = "DOMAIN", .summary = "Attach to a domain's console",
	.example = "  pvctl console web1           # Ctrl-] leaves",
	.options = options, .args_min = 1, .args_max = 1, .run = console_run,
};
