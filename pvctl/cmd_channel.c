/* SPDX-License-Identifier: MIT */
/* channel-list: the named byte streams of domains. */
#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include <stdio.h>

enum { OPT_JSON };
static const struct option_def list_options[] = {
	[OPT_JSON] = { 0, "json", NULL, "the table as JSON" },
	{ 0 }
};

static void channel_json(struct json *j, const struct pvctl_channel_info *c)
{
	json_map(j, NULL);
	json_u64(j, "domid", c->domid);
	json_u64(j, "devid", c->devid);
	json_str(j, "name", c->name);
	json_u64(j, "state", c->state);
	json_i32(j, "event_channel", c->event_channel);
	json_i32(j, "ring_ref", c->ring_ref);
	json_str(j, "connection", c->connection);
	json_str(j, "path", c->path);
	json_end_map(j);
}

static void channel_line(const struct pvctl_channel_info *c)
{
	printf("%-3u %-2d %-5u %-6d %-8d %-10s %-30s\n", c->devid, 0, c->state, c->event_channel, c->ring_ref, c->connection,
	       c->path);
}

static int list_of(struct pvctl *ctx, const char *arg, struct json *j)
{
	struct pvctl_error err = { 0 };
	struct pvctl_channel_list *l;
	uint32_t domid;
	int rc = domain_resolve(ctx, arg, &domid);

	if (rc)
		return rc;
	if (pvctl_channel_list(ctx, domid, &l, &err))
		return fail("channel-list", arg, &err);
	for (size_t i = 0; i < pvctl_channel_list_count(l); i++) {
		if (j)
			channel_json(j, pvctl_channel_list_at(l, i));
		else
			channel_line(pvctl_channel_list_at(l, i));
	}
	pvctl_channel_list_free(l);
	return 0;
}

static void list_header(void)
{
	printf("%-3s %-2s %-5s %-6s %-8s %-10s %-30s\n", "Idx", "BE", "state", "evt-ch", "ring-ref", "connection", "params");
}

static int run_list(const struct command *cmd, const struct parsed *in)
{
	return list_devices(in, in->count[OPT_JSON] > 0, "channels", list_header, list_of);
}

const struct command cmd_channel_list = {
	.name = "channel-list", .args = "DOMAIN...", .summary = "Show the channels of domains",
	.example = "  pvctl channel-list web1",
	.options = list_options, .args_min = 1, .args_max = -1, .run = run_list,
};
