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

enum { OPT_JSON, OPT_COUNT, OPT_SNAPSHOT };
static const struct option_def options[] = {
	[OPT_JSON] = { 0, "json", NULL, "a JSON document on each line" },
	[OPT_COUNT] = { 'n', "count", "NUMBER", "end after so many events" },
	[OPT_SNAPSHOT] = { 's', "snapshot", NULL, "first the node and each domain there is; nothing is lost in between" },
	{ 0 }
};

static bool is_of_node(uint32_t type)
{
	return type & (PVCTL_EVENT_NODE_DOWN | PVCTL_EVENT_NODE_SLOW | PVCTL_EVENT_NODE_BACK | PVCTL_EVENT_NODE_UP |
		       PVCTL_EVENT_LOST | PVCTL_EVENT_DAEMON_RESTARTED);
}

static const char *event_name(uint32_t type)
{
	static const struct { uint32_t type; const char *name; } names[] = {
		{ PVCTL_EVENT_CREATED, "created" }, { PVCTL_EVENT_SHUTDOWN, "shutdown" }, { PVCTL_EVENT_DESTROYED, "destroyed" },
		{ PVCTL_EVENT_PAUSED, "paused" }, { PVCTL_EVENT_UNPAUSED, "unpaused" }, { PVCTL_EVENT_NODE_DOWN, "node-down" },
		{ PVCTL_EVENT_KEPT, "kept" }, { PVCTL_EVENT_NODE_SLOW, "node-slow" }, { PVCTL_EVENT_NODE_BACK, "node-back" },
		{ PVCTL_EVENT_RENAMED, "renamed" }, { PVCTL_EVENT_MEMORY, "memory" }, { PVCTL_EVENT_VCPUS, "vcpus" },
		{ PVCTL_EVENT_DEVICE_ATTACHED, "device-attached" }, { PVCTL_EVENT_DEVICE_DETACHED, "device-detached" },
		{ PVCTL_EVENT_DEVICE_FAILED, "device-failed" }, { PVCTL_EVENT_CONSOLE, "console" },
		{ PVCTL_EVENT_NODE_UP, "node-up" }, { PVCTL_EVENT_PRESENT, "present" }, { PVCTL_EVENT_LOST, "lost" },
		{ PVCTL_EVENT_RESUMED, "resumed" }, { PVCTL_EVENT_DAEMON_RESTARTED, "daemon-restarted" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].type == type)
			return names[i].name;
	return "unknown";
}

#define DEVICE_EVENTS (PVCTL_EVENT_DEVICE_ATTACHED | PVCTL_EVENT_DEVICE_DETACHED | PVCTL_EVENT_DEVICE_FAILED)
#define REASON_EVENTS (PVCTL_EVENT_SHUTDOWN | PVCTL_EVENT_PRESENT)

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
	if (ev->type == PVCTL_EVENT_PRESENT)
		printf(" %s", state_name(ev->state));
	if (ev->type & REASON_EVENTS && reason_name(ev->reason))
		printf(" %s", reason_name(ev->reason));
	if (ev->type & DEVICE_EVENTS)
		printf(" %s %s", ev->device_kind, ev->device);
	if (ev->type == PVCTL_EVENT_MEMORY)
		printf(" %" PRIu64 " MiB", ev->value >> 20);
	if (ev->type == PVCTL_EVENT_VCPUS)
		printf(" %" PRIu64, ev->value);
	if (ev->detail[0]) {
		fputs(ev->type == PVCTL_EVENT_RENAMED ? " from " : ": ", stdout);
		print_clean(stdout, ev->detail);
	}
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
		json_u64(j, "unique_id", ev->unique_id);
		json_str(j, "name", ev->name[0] ? ev->name : NULL);
	}
	if (ev->type & REASON_EVENTS)
		json_str(j, "reason", reason_name(ev->reason));
	if (ev->type == PVCTL_EVENT_PRESENT)
		json_str(j, "state", state_name(ev->state));
	if (ev->type & DEVICE_EVENTS) {
		json_str(j, "device_kind", ev->device_kind);
		json_str(j, "device", ev->device);
	}
	if (ev->type == PVCTL_EVENT_MEMORY)
		json_u64(j, "memory_bytes", ev->value);
	if (ev->type == PVCTL_EVENT_VCPUS)
		json_u64(j, "vcpus_online", ev->value);
	if (ev->type == PVCTL_EVENT_RENAMED)
		json_str(j, "old_name", ev->detail);
	if (ev->type == PVCTL_EVENT_DEVICE_FAILED)
		json_str(j, "why", ev->detail);
	json_end_map(j);
	json_flush_line(j);
}

/* A domain by its number, or by the name it has then; NULL: all. What is said of the node is for all. */
static bool is_about(const struct pvctl_event *ev, const char *arg)
{
	uint32_t domid;

	if (!arg || is_of_node(ev->type))
		return true;
	if (!parse_u32(arg, 0, 0x7fef, &domid))
		return ev->domid == domid;
	return !strcmp(ev->name, arg) || (ev->type == PVCTL_EVENT_RENAMED && !strcmp(ev->detail, arg));
}

static int stream(struct pvctl_events *events, struct json *j, uint32_t count, const char *arg)
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
		if (!is_about(&ev, arg))
			continue;
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
	uint32_t count = 0, mask = PVCTL_EVENT_ALL;
	struct pvctl *ctx;
	int rc = EXIT_FAILED;

	if (in->count[OPT_COUNT] && parse_u32(in->value[OPT_COUNT], 1, UINT32_MAX, &count))
		return command_usage(cmd, "`%s' is no number of events", in->value[OPT_COUNT]);
	if (!in->count[OPT_SNAPSHOT])
		mask &= ~(uint32_t)(PVCTL_EVENT_PRESENT | PVCTL_EVENT_NODE_UP);
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	if (in->count[OPT_JSON]) {
		j = json_open(false);
		if (!j)
			goto out;
	}
	if (pvctl_events_open(ctx, mask, &events, &err)) {
		fail("events", NULL, &err);
		goto out;
	}
	interrupts_catch();
	rc = stream(events, j, count, in->argc ? in->argv[0] : NULL);
	pvctl_events_close(events);
out:
	json_free(j);
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_events = {
	.name = "events", .args = "[DOMAIN]", .summary = "Print what happens to domains, as it happens",
	.example = "  pvctl events --json | jq -r .event\n  pvctl events --snapshot web1",
	.options = options, .args_min = 0, .args_max = 1, .run = events_run,
};
