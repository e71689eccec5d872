/* SPDX-License-Identifier: MIT */
/* Reaching a node, and turning what people write into domain numbers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/conf.h"
#include "pvctl/term.h"

void node_log(void *data, int level, const char *msg)
{
	static const char *const levels[] = { "error", "warning", "info", "debug" };
	char when[32] = "";

	/* Warnings are for all; the rest of the log is for those who ask. */
	if (level > (globals.verbose ? globals.verbose : 1))
		return;
	if (globals.timestamps) {
		time_t t = time(NULL);
		struct tm tm;

		localtime_r(&t, &tm);
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %Z ", &tm);
		fprintf(stderr, "%s[%d] ", when, (int)getpid());
	}
	fprintf(stderr, "libpvctl: %s: ", level >= 0 && level < 4 ? levels[level] : "log");
	print_clean(stderr, msg);
	fputc('\n', stderr);
}

static void step(void *unused, const char *name)
{
	test_hook(STEP_HOOK, name);
}

static int open_node(struct pvctl **ret, struct pvctl_error *err)
{
	struct pvctl_open_opts opts = {
		.size = sizeof(opts), .node = globals.node, .log = node_log, .progress = progress_step, .step = step,
	};

	return pvctl_open(&opts, ret, err);
}

static const char *node_name(void)
{
	return globals.node ? globals.node : "default";
}

static void report_open(int rc, const struct pvctl_error *err)
{
	bool is_default = !strcmp(node_name(), "default");

	if (rc == -ENOENT)
		say_error("the node `%s' does not run; start it with `pvctl node start%s%s'", node_name(),
			  is_default ? "" : " ", is_default ? "" : node_name());
	else
		fail("node", node_name(), err);
}

static struct pvctl *open_running(void)
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = NULL;
	int rc = open_node(&ctx, &err);

	if (!rc)
		return ctx;
	report_open(rc, &err);
	return NULL;
}

struct pvctl *node_open(void)
{
	return globals.as_xl ? node_open_or_start() : open_running();
}

int node_start_reported(const struct pvctl_node_start_opts *opts, struct pvctl_error *err)
{
	struct pvctl_node_start_opts o = *opts;
	char what[80];
	int rc;

	if (conf_load()) {
		err->code = -EINVAL;
		snprintf(err->msg, sizeof(err->msg), "pvctl.conf has a mistake");
		return err->code;
	}
	if (!o.qemu_path)
		o.qemu_path = conf_text("qemu_path");
	snprintf(what, sizeof(what), "starting node %s", opts->name ? opts->name : "default");
	interrupts_say("the node goes on starting; `pvctl node stop' ends it");
	progress_begin(what);
	rc = pvctl_node_start(&o, err);
	progress_end();
	interrupts_quiet();
	return rc;
}

struct pvctl *node_open_or_start(void)
{
	struct pvctl_node_start_opts opts = { .size = sizeof(opts) };
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = NULL;
	int rc = open_node(&ctx, &err);

	if (!rc)
		return ctx;
	/* A name is somebody's own node: whether it should run, and how large, is theirs to say. */
	if (rc != -ENOENT || strcmp(node_name(), "default")) {
		report_open(rc, &err);
		return NULL;
	}
	note("No node runs: starting the default one.");
	err = (struct pvctl_error){ 0 };
	rc = node_start_reported(&opts, &err);
	/* Somebody else may have started it at the same moment. */
	if (rc && rc != -EEXIST) {
		fail("node start", NULL, &err);
		return NULL;
	}
	return open_running();
}

/* Its unit ends with it, and stops whatever has the name then. */
static bool of_systemd(uint32_t pid)
{
	char path[64], line[512];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "/pvctl@") != NULL;
	if (f)
		fclose(f);
	return found;
}

/* To its domains it is what a machine's reset is. The node is then as large as it was. */
int node_reboot(void)
{
	struct pvctl_node_info n = { .size = sizeof(n) };
	struct pvctl_node_start_opts opts = { .size = sizeof(opts), .name = globals.node };
	struct pvctl_error err = { 0 };
	int rc = pvctl_node_get(globals.node, &n, &err);
	bool unit = !rc && of_systemd(n.pid);

	if (!rc)
		rc = pvctl_node_stop(globals.node, 0, &err);
	if (rc) {
		report_open(rc, &err);
		return EXIT_FAILED;
	}
	if (unit) {
		note("The node has ended, and its unit with it: `systemctl start pvctl@%s' starts it.", node_name());
		return EXIT_OK;
	}
	opts.memory_bytes = n.memory_bytes;
	opts.cpus = n.cpus;
	opts.accel = n.accel;
	opts.overcommit = n.overcommit;
	rc = node_start_reported(&opts, &err);
	return rc ? fail("node start", node_name(), &err) : EXIT_OK;
}

bool is_no_domain(int rc)
{
	return rc == -ESRCH || rc == -ENOENT || rc == -EINVAL;
}

int domain_runs(const char *what, const char *name, bool *ret)
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = NULL;
	uint32_t domid;
	int rc = open_node(&ctx, &err);

	*ret = false;
	if (!rc) {
		rc = pvctl_domain_lookup(ctx, name, &domid, &err);
		*ret = !rc;
		rc = is_no_domain(rc) ? 0 : rc;
	} else if (rc == -ENOENT) {
		rc = 0;
	}
	pvctl_close(ctx);
	return rc ? fail(what, name, &err) : 0;
}

static bool all_digits(const char *s)
{
	return s[0] && strspn(s, "0123456789") == strlen(s);
}

/* xl has no such domains: what it says alone would make one look for a wrong name. */
static void say_if_defined(const char *name)
{
	struct pvctl_config *config;

	if (globals.as_xl || pvctl_defined_get(globals.node, name, &config, NULL))
		return;
	pvctl_config_free(config);
	say_error("domain %s is defined, and does not run: `pvctl start %s' starts it", name, name);
}

int domain_resolve(struct pvctl *ctx, const char *arg, uint32_t *ret_domid)
{
	struct pvctl_error err = { 0 };
	int rc;

	if (all_digits(arg)) {
		/* A number is a domain's even when a domain has such a name: xl's rule. */
		if (!parse_u32(arg, 0, 0x7fef, ret_domid))
			return 0;
		rc = -ESRCH;
	} else {
		rc = pvctl_domain_lookup(ctx, arg, ret_domid, &err);
	}
	if (!rc)
		return 0;
	if (!is_no_domain(rc))
		return fail("domain", arg, &err);
	/* Programs look for this line, to the letter. */
	fprintf(stderr, "%s is an invalid domain identifier (rc=-6)\n", arg);
	say_if_defined(arg);
	return EXIT_FAILED;
}

const char *domain_label(struct pvctl *ctx, uint32_t domid)
{
	static char label[160];
	struct pvctl_domain_info info = { .size = sizeof(info) };

	if (!pvctl_domain_get(ctx, domid, &info, NULL) && info.name[0])
		snprintf(label, sizeof(label), "%s (%u)", info.name, domid);
	else
		snprintf(label, sizeof(label), "%u", domid);
	return label;
}
