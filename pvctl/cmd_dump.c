/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/savefile.h"
#include "pvctl/term.h"

enum { OPT_LIVE, OPT_CRASH, OPT_RESET };
static const struct option_def options[] = {
	[OPT_LIVE] = { 'L', "live", NULL, "let the domain run meanwhile" },
	[OPT_CRASH] = { 'C', "crash", NULL, "then end it as if it had crashed: on_crash= says what becomes of it" },
	[OPT_RESET] = { 'R', "reset", NULL, "then reset it: on_reboot= does" },
	{ 0 }
};

/* As the daemon does it. */
static void clean_name(char *name)
{
	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_+-", *p) && (*p != '.' || p == name))
			*p = '_';
}

/* Where the daemon leaves those of domains that crash, by a name that its limits count: NAME-DATE-TIME-ID.core. */
static int own_path(struct pvctl *ctx, uint32_t domid, char *buf, size_t size)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl_paths paths = { .size = sizeof(paths) };
	struct pvctl_error err = { 0 };
	time_t now = time(NULL);
	char when[40];
	struct tm tm;

	if (pvctl_paths_get(globals.node, &paths, &err) || pvctl_domain_get(ctx, domid, &info, &err))
		return fail("dump-core", NULL, &err);
	clean_name(info.name);
	localtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
	snprintf(buf, size, "%s/dump", paths.state_dir);
	if (mkdir(buf, 0700) && errno != EEXIST) {
		say_error("dump-core: %s: %s", buf, strerror(errno));
		return EXIT_FAILED;
	}
	snprintf(buf, size, "%s/dump/%s-%s-%u.core", paths.state_dir, info.name[0] ? info.name : "domain", when, domid);
	return 0;
}

/* The daemon of root's node is a user of its own, as the directory's group is, and removes old ones: it has to be its. */
static void give_to_daemon(int fd, const char *path)
{
	char dir[700];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s", path);
	if (!geteuid() && !stat(dirname(dir), &st) && st.st_gid)
		(void)!fchown(fd, st.st_gid, st.st_gid);
}

static int dump(struct pvctl *ctx, uint32_t domid, const struct parsed *in, const char *path)
{
	const struct pvctl_dump_opts o = {
		.size = sizeof(o), .live = in->count[OPT_LIVE] != 0,
		.then = in->count[OPT_CRASH] ? PVCTL_DUMP_CRASH : in->count[OPT_RESET] ? PVCTL_DUMP_RESET : PVCTL_DUMP_NOTHING,
	};
	struct pvctl_error err = { 0 };
	struct savefile file;
	char what[200];
	int rc = savefile_open(&file, path, &err);

	if (rc)
		return fail("dump-core", in->argv[0], &err);
	if (in->argc < 2)
		give_to_daemon(file.fd, path);
	snprintf(what, sizeof(what), "dumping %.60s", domain_label(ctx, domid));
	interrupts_catch();
	progress_begin(what);
	rc = pvctl_domain_dump_core(ctx, domid, file.fd, &o, &err);
	savefile_name_in(&file, rc, &err);
	rc = rc ? rc : savefile_sync(&file, &err);
	if (!rc)
		rc = savefile_commit(&file, &err);
	progress_end();
	savefile_close(&file);
	if (rc == -ECANCELED)
		say_error("dump-core %s: interrupted; the domain goes on", in->argv[0]);
	else if (rc)
		fail("dump-core", in->argv[0], &err);
	else if (in->argc < 2)
		printf("%s\n", path);
	return rc ? EXIT_FAILED : EXIT_OK;
}

static int dump_run(const struct command *cmd, const struct parsed *in)
{
	char own[700];
	struct pvctl *ctx;
	uint32_t domid;
	int rc;

	if (in->count[OPT_CRASH] && in->count[OPT_RESET])
		return command_usage(cmd, "-C and -R: one of them");
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	if (!rc && in->argc < 2)
		rc = own_path(ctx, domid, own, sizeof(own));
	if (!rc)
		rc = dump(ctx, domid, in, in->argc < 2 ? own : in->argv[1]);
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_dump_core = {
	.name = "dump-core", .args = "DOMAIN [FILE]", .summary = "Write a domain's memory and registers to a file, for a debugger",
	.example = "  pvctl dump-core web1 web1.core\n  pvctl dump-core -C web1", .options = options, .args_min = 1, .args_max = 2,
	.run = dump_run,
};
