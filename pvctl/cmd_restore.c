/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/console.h"
#include "pvctl/json.h"
#include "pvctl/libxl_json.h"
#include "pvctl/load.h"
#include "pvctl/term.h"

enum { OPT_CONSOLE, OPT_PAUSED, OPT_EVENTS, OPT_DEBUG, OPT_VNC, OPT_VNC_PASS, OPT_JSON, OPT_FOREGROUND };
static const struct option_def options[] = {
	[OPT_CONSOLE] = { 'c', "console", NULL, "attach to the console" },
	[OPT_PAUSED] = { 'p', "paused", NULL, "leave it paused" },
	[OPT_EVENTS] = { 'e', NULL, NULL, NULL },
	[OPT_DEBUG] = { 'd', "debug", NULL, "print the configuration on standard error, too" },
	[OPT_VNC] = { 'V', "vncviewer", NULL, NULL },
	[OPT_VNC_PASS] = { 'A', "vncviewer-autopass", NULL, NULL },
	[OPT_JSON] = { 0, "json", NULL, "print the new domain's number, times and sizes as JSON" },
	[OPT_FOREGROUND] = { 'F', "foreground", NULL, "stay until the domain has ended" },
	{ 0 }
};

static int print_stats(const struct pvctl_restore_stats *s, uint32_t domid)
{
	struct json *j = json_document();

	if (!j)
		return EXIT_FAILED;
	json_u64(j, "domid", domid);
	json_u64(j, "bytes", s->bytes);
	json_u64(j, "pages", s->pages);
	json_u64(j, "total_ns", s->total_ns);
	json_end_map(j);
	return json_close(j);
}

static int print_config(struct pvctl *ctx, uint32_t domid)
{
	struct pvctl_config *c;
	struct json *j;
	int rc;

	if (pvctl_domain_config(ctx, domid, &c, NULL))
		return EXIT_OK; /* it ended at once */
	j = json_open(true);
	if (j)
		json_config(j, NULL, c, NULL);
	rc = j ? json_close_to(j, stderr) : EXIT_FAILED;
	pvctl_config_free(c);
	return rc;
}

static int restore(struct pvctl *ctx, const struct parsed *in, const char *file, int fd, const struct pvctl_config *config,
		   uint32_t *ret_domid)
{
	struct pvctl_restore_opts o = { .size = sizeof(o), .paused = in->count[OPT_PAUSED] || in->count[OPT_CONSOLE] };
	struct pvctl_restore_stats s = { .size = sizeof(s) };
	struct pvctl_error err = { 0 };
	int rc;

	note("Loading new save file %s", file);
	interrupts_catch();
	progress_begin("restoring");
	rc = pvctl_domain_restore(ctx, fd, config, &o, ret_domid, &s, &err);
	progress_end();
	if (rc == -ECANCELED)
		say_error("restore %s: interrupted; nothing is left of the domain", file);
	else if (rc)
		fail("restore", file, &err);
	if (rc)
		return create_exit_code(rc);
	return in->count[OPT_JSON] ? print_stats(&s, *ret_domid) : EXIT_OK;
}

static int restore_on_node(const struct parsed *in, const char *file, int fd, const struct pvctl_config *config)
{
	struct console_opts console = { .escape = CONSOLE_ESCAPE, .replay = CONSOLE_REPLAY_ALL };
	struct pvctl *ctx = node_open_or_start();
	uint32_t domid;
	int rc;

	if (!ctx)
		return create_exit_code(-EIO);
	rc = restore(ctx, in, file, fd, config, &domid);
	if (!rc && in->count[OPT_DEBUG])
		rc = print_config(ctx, domid);
	if (!rc && in->count[OPT_CONSOLE]) {
		console.unpause = !in->count[OPT_PAUSED];
		rc = console_session(ctx, domid, &console);
	} else if (!rc && in->count[OPT_FOREGROUND]) {
		rc = domain_stay(ctx, domid);
	}
	pvctl_close(ctx);
	return rc;
}

static int restore_run(const struct command *cmd, const struct parsed *in)
{
	struct load_opts load = { .filename = in->argc > 1 ? in->argv[0] : NULL };
	const char *file = in->argv[in->argc - 1];
	struct pvctl_config *config = NULL;
	int rc = EXIT_OK, fd;

	fd = strcmp(file, "-") == 0 ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		say_error("restore %s: %s", file, strerror(errno));
		return create_exit_code(-errno);
	}
	if (load.filename)
		rc = config_load(&load, &config);
	if (!rc)
		rc = restore_on_node(in, file, fd, config);
	pvctl_config_free(config);
	close(fd);
	return rc;
}

const struct command cmd_restore = {
	.name = "restore", .args = "[CONFIG] FILE", .summary = "Make a domain from what pvctl save or xl save wrote",
	.example = "  pvctl restore web1.save\n  pvctl restore -p other.cfg web1.save", .options = options, .args_min = 1, .args_max = 2,
	.run = restore_run,
};
