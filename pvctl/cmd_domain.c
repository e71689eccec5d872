/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/term.h"

int on_domain(const struct command *cmd, const struct parsed *in,
	      int (*call)(struct pvctl *, uint32_t, const char *, struct pvctl_error *))
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	char what[80];
	uint32_t domid;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	if (!rc) {
		snprintf(what, sizeof(what), "%s %.60s", cmd->name, in->argv[0]);
		progress_begin(what);
		rc = call(ctx, domid, in->argc > 1 ? in->argv[1] : NULL, &err);
		progress_end();
		if (rc == -ESRCH) {
			fprintf(stderr, "Error: Domain '%s' does not exist.\n", in->argv[0]);
			rc = EXIT_FAILED;
		} else if (rc) {
			rc = fail(cmd->name, in->argv[0], &err);
		}
	}
	pvctl_close(ctx);
	return rc;
}

static int call_pause(struct pvctl *ctx, uint32_t domid, const char *arg, struct pvctl_error *err)
{
	return pvctl_domain_pause(ctx, domid, err);
}

static int pause_run(const struct command *cmd, const struct parsed *in)
{
	return on_domain(cmd, in, call_pause);
}

static int call_unpause(struct pvctl *ctx, uint32_t domid, const char *arg, struct pvctl_error *err)
{
	return pvctl_domain_unpause(ctx, domid, err);
}

static int unpause_run(const struct command *cmd, const struct parsed *in)
{
	return on_domain(cmd, in, call_unpause);
}

static int call_destroy(struct pvctl *ctx, uint32_t domid, const char *arg, struct pvctl_error *err)
{
	struct pvctl_destroy_opts opts = { .size = sizeof(opts) };
	struct pvctl_domain_info info = { .size = sizeof(info) };
	int rc = pvctl_domain_get(ctx, domid, &info, err);

	/* The number may be another domain's by the time the request arrives. */
	if (!rc)
		opts.unique_id = info.unique_id;
	if (!rc && !domid) {
		snprintf(err->msg, sizeof(err->msg), "domain 0 is the host; `pvctl node stop' ends the node");
		return -EPERM;
	}
	/* Half a domain would be left: what is begun is brought to its end. */
	interrupts_catch();
	return rc ? rc : pvctl_domain_destroy(ctx, domid, &opts, err);
}

static int destroy_run(const struct command *cmd, const struct parsed *in)
{
	return on_domain(cmd, in, call_destroy);
}

static int call_rename(struct pvctl *ctx, uint32_t domid, const char *name, struct pvctl_error *err)
{
	return pvctl_domain_rename(ctx, domid, name, err);
}

static int rename_run(const struct command *cmd, const struct parsed *in)
{
	return on_domain(cmd, in, call_rename);
}

enum { NAMED_JSON };
static const struct option_def named_options[] = {
	[NAMED_JSON] = { 0, "json", NULL, "number and name as JSON" },
	{ 0 }
};

static int put_named(const struct pvctl_domain_info *info)
{
	struct json *j = json_document();

	if (!j)
		return EXIT_FAILED;
	json_u64(j, "domid", info->domid);
	json_str(j, "name", info->name[0] ? info->name : NULL);
	json_end_map(j);
	return json_close(j);
}

static int domid_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	uint32_t domid;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = pvctl_domain_lookup(ctx, in->argv[0], &domid, &err);
	if (!rc && in->count[NAMED_JSON])
		rc = pvctl_domain_get(ctx, domid, &info, &err);
	if (!rc && in->count[NAMED_JSON]) {
		rc = put_named(&info);
	} else if (!rc) {
		printf("%u\n", domid);
	} else if (rc == -ESRCH || rc == -ENOENT) {
		fprintf(stderr, "Can't get domid of domain name '%s', maybe this domain does not exist.\n", in->argv[0]);
		rc = EXIT_FAILED;
	} else {
		rc = fail(cmd->name, in->argv[0], &err);
	}
	pvctl_close(ctx);
	return rc;
}

static int domname_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl *ctx;
	uint32_t domid;
	int rc;

	if (parse_u32(in->argv[0], 0, 0x7fef, &domid)) {
		fprintf(stderr, "Invalid domain id.\n");
		return EXIT_FAILED;
	}
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	rc = pvctl_domain_get(ctx, domid, &info, &err);
	if (!rc && info.name[0] && in->count[NAMED_JSON]) {
		rc = put_named(&info);
	} else if (!rc && info.name[0]) {
		print_clean(stdout, info.name);
		putchar('\n');
	} else if (!rc || rc == -ESRCH) {
		fprintf(stderr, "Can't get domain name of domain id '%u', maybe this domain does not exist.\n", domid);
		rc = EXIT_FAILED;
	} else {
		rc = fail(cmd->name, in->argv[0], &err);
	}
	pvctl_close(ctx);
	return rc;
}

enum { OPT_FORCE };
static const struct option_def destroy_options[] = {
	[OPT_FORCE] = { 'f', "force", NULL, NULL },
	{ 0 }
};

const struct command cmd_pause = {
	.name = "pause", .args = "DOMAIN", .summary = "Stop running a domain until it is unpaused",
	.example = "  pvctl pause web1", .args_min = 1, .args_max = 1, .run = pause_run,
};
const struct command cmd_unpause = {
	.name = "unpause", .args = "DOMAIN", .summary = "Run a paused domain again",
	.example = "  pvctl unpause web1", .args_min = 1, .args_max = 1, .run = unpause_run,
};
const struct command cmd_destroy = {
	.name = "destroy", .args = "DOMAIN", .summary = "End a domain at once, like pulling the plug",
	.example = "  pvctl destroy web1", .options = destroy_options, .args_min = 1, .args_max = 1, .run = destroy_run,
};
const struct command cmd_rename = {
	.name = "rename", .args = "DOMAIN NEWNAME", .summary = "Give a domain another name",
	.example = "  pvctl rename web1 web-old", .args_min = 2, .args_max = 2, .run = rename_run,
};
const struct command cmd_domid = {
	.name = "domid", .args = "DOMAIN", .summary = "Print the number of the domain with this name",
	.example = "  pvctl domid web1", .options = named_options, .args_min = 1, .args_max = 1, .run = domid_run,
};
const struct command cmd_domname = {
	.name = "domname", .args = "DOMID", .summary = "Print the name of the domain with this number",
	.example = "  pvctl domname 3", .options = named_options, .args_min = 1, .args_max = 1, .run = domname_run,
};
