/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/term.h"

#define ALL_EVENTS (PVCTL_EVENT_CREATED | PVCTL_EVENT_SHUTDOWN | PVCTL_EVENT_DESTROYED | PVCTL_EVENT_PAUSED | \
		    PVCTL_EVENT_UNPAUSED | PVCTL_EVENT_NODE_DOWN | PVCTL_EVENT_KEPT | \
		    PVCTL_EVENT_NODE_SLOW | PVCTL_EVENT_NODE_BACK | PVCTL_EVENT_DAEMON_RESTARTED)

enum { OPT_JSON, OPT_COUNT };
static const struct option_def options[] = {
	[OPT_JSON] = { 0, "json", NULL, "a JSON document on each line" },
	[OPT_COUNT] = { 'n', "count", "NUMBER", "end after so many events" },
	{ 0 }
};

static bool is_of_node(uint32_t type)
{
	return type == PVCTL_EVENT_NODE_DOWN || type == PVCTL_EVENT_NODE_SLOW || type == PVCTL_EVENT_NODE_BACK ||
	       type == PVCTL_EVENT_DAEMON_RESTARTED;
}

static const char *event_name(uint32_t type)
{
	switch (type) {
	case PVCTL_EVENT_CREATED: return "created";
	case PVCTL_EVENT_SHUTDOWN: return "shutdown";
	case PVCTL_EVENT_DESTROYED: return "destroyed";
	case PVCTL_EVENT_PAUSED: return "paused";
	case PVCTL_EVENT_UNPAUSED: return "unpaused";
	case PVCTL_EVENT_NODE_DOWN: return "node-down";
	case PVCTL_EVENT_KEPT: return "kept";
	case PVCTL_EVENT_NODE_SLOW: return "node-slow";
	case PVCTL_EVENT_NODE_BACK: return "node-back";
	case PVCTL_EVENT_DAEMON_RESTARTED: return "daemon-restarted";
	default: return "unknown";
	}
}

static void put_text(const struct pvctl_event *ev)
{
	time_t t = (time_t)(ev->time_unix_ns / UINT64_C(1000000000));
	char when[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	printf("%s.%03uZ %-9s", when, (unsigned int)(ev->time_unix_ns / 1000000 % 1000), event_name(ev->type));
	if (!is_of_node(ev->type)) {
		putchar(' ');
		print_clean(stdout, ev->name[0] ? ev->name : "(null)");
		printf(" (%u)", ev->domid);
	}
	if (ev->type == PVCTL_EVENT_SHUTDOWN && reason_name(ev->reason))
		printf(" %s", reason_name(ev->reason));
	putchar('\n');
	fflush(stdout);
}

static void put_json(struct json *j, const struct pvctl_event *ev)
{
	json_map(j, NULL);
	json_u64(j, "schema", JSON_SCHEMA);
	json_u64(j, "time_unix_ns", ev->time_unix_ns);
	json_str(j, "event", event_name(ev->type));
	if (!is_of_node(ev->type)) {
		json_u64(j, "domid", ev->domid);
		json_str(j, "name", ev->name[0] ? ev->name : NULL);
	}
	if (ev->type == PVCTL_EVENT_SHUTDOWN)
		json_str(j, "reason", reason_name(ev->reason));
	json_end_map(j);
	json_flush_line(j);
}

static int stream(struct pvctl_events *events, struct json *j, uint32_t count)
{
	struct pvctl_error err = { 0 };
	struct pvctl_event ev = { .size = sizeof(ev) };
	uint32_t seen = 0;

	while (!interrupted()) {
		struct pollfd p = { .fd = pvctl_events_fd(events), .events = POLLIN };
		int rc = pvctl_events_next(events, &ev, &err);

		if (rc < 0)
			return fail("events", NULL, &err);
		if (rc == 0) {
			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				return EXIT_FAILED;
			continue;
		}
		if (j)
			put_json(j, &ev);
		else
			put_text(&ev);
		/* Nobody listens any more. */
		if (ferror(stdout))
			return EXIT_OK;
		if ((count && ++seen >= count) || ev.type == PVCTL_EVENT_NODE_DOWN)
			return EXIT_OK;
	}
	return EXIT_OK;
}

static int events_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	struct pvctl_events *events = NULL;
	struct json *j = NULL;
	uint32_t count = 0;
	struct pvctl *ctx;
	int rc = EXIT_FAILED;

	if (in->count[OPT_COUNT] && parse_u32(in->value[OPT_COUNT], 1, UINT32_MAX, &count))
		return command_usage(cmd, "`%s' is no number of events", in->value[OPT_COUNT]);
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	if (in->count[OPT_JSON]) {
		j = json_open(false);
		if (!j)
			goto out;
	}
	if (pvctl_events_open(ctx, ALL_EVENTS, &events, &err)) {
		fail("events", NULL, &err);
		goto out;
	}
	interrupts_catch();
	rc = stream(events, j, count);
	pvctl_events_close(events);
out:
	json_free(j);
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_events = {
	.name = "events", .args = "", .summary = "Print what happens to domains, as it happens",
	.example = "  pvctl events --json | jq -r .event",
	.options = options, .args_min = 0, .args_max = 0, .run = events_run,
};
