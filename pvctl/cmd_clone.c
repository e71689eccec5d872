/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdlib.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/term.h"

#define MAX_COPIES 256u

enum { OPT_COUNT, OPT_PAUSED, OPT_DISKS, OPT_TIMEOUT, OPT_JSON };
static const struct option_def options[] = {
	[OPT_COUNT] = { 'n', "count", "COUNT", "so many, called NEWNAME-1, NEWNAME-2 and so on" },
	[OPT_PAUSED] = { 'p', "paused", NULL, "leave the new ones paused" },
	[OPT_DISKS] = { 0, "disks", "DIR", "where what each writes from now on is to be (default: beside the disk's image)" },
	[OPT_TIMEOUT] = { 0, "timeout", "SECONDS", "how long its kernel may take to suspend itself (60)" },
	[OPT_JSON] = { 0, "json", NULL, "print numbers of the new domains and times as JSON" },
	{ 0 }
};

static void say(void *unused, const char *line)
{
	note("%s.", line);
}

static int report(struct pvctl *ctx, const uint32_t *domid, uint32_t count, const struct pvctl_clone_stats *s, bool as_json)
{
	struct json *j;

	if (!as_json) {
		for (uint32_t k = 0; k < count; k++)
			note("Domain %s (%u) is a copy.", domain_label(ctx, domid[k]), domid[k]);
		return 0;
	}
	j = json_document();
	if (!j)
		return EXIT_FAILED;
	json_array(j, "domids");
	for (uint32_t k = 0; k < count; k++)
		json_u64(j, NULL, domid[k]);
	json_end_array(j);
	json_u64(j, "bytes", s->bytes);
	json_u64(j, "rounds", s->rounds);
	json_u64(j, "pause_ns", s->pause_ns);
	json_u64(j, "restore_ns", s->restore_ns);
	json_u64(j, "total_ns", s->total_ns);
	json_end_map(j);
	return json_close(j);
}

static int clone_domain(const struct parsed *in, struct pvctl_clone_opts *o)
{
	struct pvctl_clone_stats s = { .size = sizeof(s) };
	uint32_t *copies = calloc(o->count, sizeof(*copies)), domid;
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = copies ? node_open() : NULL;
	int rc = EXIT_FAILED;

	if (ctx && !(rc = domain_resolve(ctx, in->argv[0], &domid))) {
		interrupts_catch();
		progress_begin("cloning");
		rc = pvctl_domain_clone(ctx, domid, in->argv[1], o, copies, &s, &err);
		progress_end();
		rc = rc ? fail("clone", in->argv[0], &err) : report(ctx, copies, o->count, &s, in->count[OPT_JSON] > 0);
	}
	pvctl_close(ctx);
	free(copies);
	return rc;
}

static int clone_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_clone_opts o = { .size = sizeof(o), .count = 1, .paused = in->count[OPT_PAUSED] > 0, .disks = in->value[OPT_DISKS],
				      .say = say };

	if (in->count[OPT_COUNT] && parse_u32(in->value[OPT_COUNT], 1, MAX_COPIES, &o.count))
		return command_usage(cmd, "--count: 1 to %u are made at once", MAX_COPIES);
	if (in->count[OPT_TIMEOUT] && (parse_seconds(in->value[OPT_TIMEOUT], &o.suspend_timeout_ms) || !o.suspend_timeout_ms))
		return command_usage(cmd, "--timeout: seconds are wanted");
	return clone_domain(in, &o);
}

const struct command cmd_clone = {
	.name = "clone", .args = "DOMAIN NEWNAME", .summary = "Make a running domain two, which both go on from the same moment",
	.example = "  pvctl clone web1 web2\n  pvctl clone -n 4 web1 test",
	.options = options, .args_min = 2, .args_max = 2, .run = clone_run,
};
