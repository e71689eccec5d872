/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "pvctl/bootmenu.h"
#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/console.h"
#include "pvctl/json.h"
#include "pvctl/libxl_json.h"
#include "pvctl/load.h"
#include "pvctl/term.h"

enum { OPT_CONSOLE, OPT_PAUSED, OPT_DRY_RUN, OPT_QUIET, OPT_DEBUG, OPT_FILE, OPT_STRICT, OPT_FOREGROUND,
	OPT_ENTRY, OPT_MENU, OPT_TEMPLATE, OPT_COLD, OPT_EVENTS, OPT_VNC, OPT_VNC_PASS, OPT_IGNORE_MASKS };
static const struct option_def options[] = {
	[OPT_CONSOLE] = { 'c', "console", NULL, "attach to the console before the domain starts" },
	[OPT_PAUSED] = { 'p', "paused", NULL, "leave it paused" },
	[OPT_DRY_RUN] = { 'n', "dryrun", NULL, "create nothing, print the configuration as JSON" },
	[OPT_QUIET] = { 'q', "quiet", NULL, "only warnings and errors" },
	[OPT_DEBUG] = { 'd', "debug", NULL, "print the configuration on standard error, too" },
	[OPT_FILE] = { 'f', "defconfig", "FILE", "the config file" },
	[OPT_STRICT] = { 0, "strict", NULL, "refuse unknown and ignored keys" },
	[OPT_FOREGROUND] = { 'F', "foreground", NULL, "stay until the domain has ended" },
	[OPT_ENTRY] = { 0, "entry", "N|TITLE", "with bootloader: start this entry of the disk's boot menu, this time" },
	[OPT_MENU] = { 0, "menu", NULL, "with bootloader: show the disk's boot menu and ask" },
	[OPT_TEMPLATE] = { 't', "template", "NAME", "of this template; KEY=VALUE arguments say what is other than there" },
	[OPT_COLD] = { 0, "cold", NULL, "with --template: boot it, though the template is warm" },
	[OPT_EVENTS] = { 'e', NULL, NULL, NULL },
	[OPT_VNC] = { 'V', "vncviewer", NULL, NULL },
	[OPT_VNC_PASS] = { 'A', "vncviewer-autopass", NULL, NULL },
	[OPT_IGNORE_MASKS] = { 0, "ignore-global-affinity-masks", NULL, NULL },
	{ 0 }
};

static int print_config(const struct pvctl_config *config, FILE *out)
{
	struct json *j = json_open(true);

	if (!j)
		return EXIT_FAILED;
	json_config(j, NULL, config, NULL);
	return json_close_to(j, out);
}

static int create_domain(struct pvctl *ctx, const struct pvctl_config *config, bool paused, const char *entry,
			 uint32_t *ret_domid)
{
	struct pvctl_create_opts opts = { .size = sizeof(opts), .paused = paused, .boot_entry = entry };
	const char *name = pvctl_config_get_str(config, "name");
	struct pvctl_error err = { 0 };
	char what[80];
	int rc;

	snprintf(what, sizeof(what), "creating %.60s", name ? name : "the domain");
	interrupts_catch();
	progress_begin(what);
	rc = pvctl_domain_create(ctx, config, &opts, ret_domid, &err);
	progress_end();
	if (!rc && interrupted())
		note("Interrupted too late: domain %u was created.", *ret_domid);
	if (!rc)
		return 0;
	if (rc == -ECANCELED)
		say_error("create %s: interrupted; the domain was not created, and nothing is left of it", name ? name : "");
	else
		fail("create", name, &err);
	return create_exit_code(rc);
}

int domain_stay(struct pvctl *ctx, uint32_t domid)
{
	struct pvctl_error err = { 0 };
	int32_t reason;
	int rc = pvctl_domain_wait(ctx, domid, 0, &reason, &err);

	if (rc == -ECANCELED) {
		say_error("interrupted; domain %u goes on", domid);
		return EXIT_FAILED;
	}
	if (rc && rc != -ESRCH)
		return fail("create", "waiting", &err);
	if (!rc && reason != PVCTL_REASON_NONE)
		note("Domain %u has been shut down, reason code %d", domid, reason);
	return !rc && (reason == PVCTL_REASON_CRASH || reason == PVCTL_REASON_WATCHDOG) ? EXIT_FAILED : EXIT_OK;
}

/* The entry to start this time: given, chosen in the menu, or "". */
static int boot_entry(const struct pvctl_config *config, const struct parsed *in, char *buf, size_t size)
{
	const char *given = in->value[OPT_ENTRY];
	const char *boot = pvctl_config_get_str(config, "bootloader");

	buf[0] = '\0';
	if (!given)
		return in->count[OPT_MENU] || in->count[OPT_CONSOLE] ? bootmenu_ask(config, in->count[OPT_MENU], buf, size) : EXIT_OK;
	if (!boot || !boot[0] || pvctl_config_get_str(config, "kernel")) {
		say_error("create: --entry: the configuration has no bootloader");
		return create_exit_code(-EINVAL);
	}
	if (snprintf(buf, size, "%s", given) < (int)size && given[0])
		return EXIT_OK;
	say_error("create: --entry: a number from 0 on, an id or a title is needed");
	return create_exit_code(-EINVAL);
}

static int of_template(struct pvctl *ctx, const struct pvctl_config *config, const struct parsed *in, bool paused, uint32_t *ret_domid)
{
	struct pvctl_template_create_opts opts = { .size = sizeof(opts), .paused = paused, .cold = in->count[OPT_COLD] > 0 };
	const char *name = pvctl_config_get_str(config, "name");
	struct pvctl_error err = { 0 };
	int rc;

	interrupts_catch();
	progress_begin("creating the domain");
	rc = pvctl_template_create(ctx, in->value[OPT_TEMPLATE], config, &opts, ret_domid, &err);
	progress_end();
	if (rc)
		fail("create", name, &err);
	return rc ? create_exit_code(rc) : 0;
}

static int create_on_node(const struct pvctl_config *config, const struct parsed *in, const char *entry)
{
	struct console_opts console = { .escape = CONSOLE_ESCAPE, .replay = CONSOLE_REPLAY_ALL };
	bool with_console = in->count[OPT_CONSOLE], paused = in->count[OPT_PAUSED];
	struct pvctl *ctx = node_open_or_start();
	uint32_t domid;
	int rc;

	if (!ctx)
		return create_exit_code(-EIO);
	rc = in->count[OPT_TEMPLATE] ? of_template(ctx, config, in, paused || with_console, &domid) :
				       create_domain(ctx, config, paused || with_console, entry, &domid);
	if (!rc && with_console) {
		console.unpause = !paused;
		console.quiet = in->count[OPT_QUIET];
		rc = console_session(ctx, domid, &console);
	} else if (!rc && in->count[OPT_FOREGROUND]) {
		rc = domain_stay(ctx, domid);
	}
	pvctl_close(ctx);
	return rc;
}

static int create_run(const struct command *cmd, const struct parsed *in)
{
	struct load_opts load = { .filename = in->value[OPT_FILE], .overrides = in->argv, .n_overrides = in->argc };
	bool dry_run = in->count[OPT_DRY_RUN] || globals.dry_run;
	struct pvctl_config *config;
	char entry[600] = "";
	int rc;

	/* As for xl: the first argument without `=' is the file. */
	if (!load.filename && in->argc && !strchr(in->argv[0], '=')) {
		load.filename = in->argv[0];
		load.overrides++;
		load.n_overrides--;
	}
	if (!load.filename && !load.n_overrides)
		return command_usage(cmd, "a config file, or KEY=VALUE arguments, are missing");
	if (in->count[OPT_TEMPLATE] && (in->count[OPT_ENTRY] || in->count[OPT_MENU]))
		return command_usage(cmd, "--template: --entry and --menu are for `pvctl start' and config files");
	if (in->count[OPT_ENTRY] && in->count[OPT_MENU])
		return command_usage(cmd, "--entry and --menu: only one of them can choose");
	load.quiet = in->count[OPT_QUIET];
	load.strict = in->count[OPT_STRICT];
	rc = config_load(&load, &config);
	if (rc)
		return rc;
	if (dry_run || in->count[OPT_DEBUG])
		rc = print_config(config, dry_run ? stdout : stderr);
	if (!rc && !dry_run)
		rc = in->count[OPT_TEMPLATE] ? 0 : boot_entry(config, in, entry, sizeof(entry));
	if (!rc && !dry_run)
		rc = create_on_node(config, in, entry[0] ? entry : NULL);
	pvctl_config_free(config);
	return rc;
}

const struct command cmd_create = {
	.name = "create", .args = "FILE [KEY=VALUE ...]", .summary = "Create a domain from a config file and start it",
	.example = "  pvctl create -c config/examples/hello.cfg memory=512\n"
		   "  pvctl create name=web1 memory=256 kernel=vmlinuz ramdisk=initrd.gz\n"
		   "  pvctl create --template debian name=web2",
	.options = options, .args_min = 0, .args_max = -1, .can_dry_run = true, .run = create_run,
};
