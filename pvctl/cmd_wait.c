/* SPDX-License-Identifier: MIT */
/* wait: until something is so. Events wake it, and it looks at the state itself, so that it sees what was so before. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/term.h"

/* Beside the usual ones. */
enum { EXIT_TIMEOUT = 3, EXIT_NEVER = 4 };
/* Some things make no event, such as memory that a guest gives back. */
#define LOOK_MS 250
#define TEXT_MAX 1024u
#define DEVICE_CONNECTED 4u

enum { OPT_FOR, OPT_TIMEOUT, OPT_JSON };
static const struct option_def options[] = {
	[OPT_FOR] = { 0, "for", "CONDITION", "running, shutdown (default), gone, console:TEXT, device:NAME or memory" },
	[OPT_TIMEOUT] = { 0, "timeout", "SECONDS", "give up after so long (default: never)" },
	[OPT_JSON] = { 0, "json", NULL, "what came of it as JSON" },
	{ 0 }
};

enum answer { NOT_YET, MET, NEVER };

struct wait {
	struct pvctl *ctx;
	const char *arg;             /* the domain, as the user names it */
	const char *what;            /* the condition's argument; "" where it has none */
	uint32_t domid;
	bool found;                  /* domid and unique_id are known */
	uint64_t unique_id;
	bool there;                  /* it was when it was looked at last: info */
	struct pvctl_domain_info info;
	bool ended;                  /* an event said so */
	int32_t reason;
	int console;                 /* -1: not open */
	char tail[2 * TEXT_MAX];     /* what the console wrote last */
	size_t tail_len;
	const char *why;             /* of NEVER */
};

/* ---- the conditions ---- */
static bool is_over(const struct wait *w)
{
	return w->ended || (w->found && !w->there) || (w->there && w->info.state >= PVCTL_STATE_SHUTDOWN);
}

static enum answer is_running(struct wait *w)
{
	if (is_over(w))
		return w->why = "it has ended", NEVER;
	return w->there && w->info.state <= PVCTL_STATE_BLOCKED ? MET : NOT_YET;
}

static enum answer is_shut_down(struct wait *w)
{
	if (!w->found)
		return w->why = "there is no such domain", NEVER;
	if (!w->ended && w->there && w->info.state == PVCTL_STATE_SHUTDOWN)
		w->reason = w->info.reason;
	return is_over(w) ? MET : NOT_YET;
}

static enum answer is_gone(struct wait *w)
{
	return w->there ? NOT_YET : MET;
}

/* Reads what is there; MET when the text was in it. */
static enum answer read_console(struct wait *w)
{
	size_t len = strlen(w->what);
	struct pollfd p = { .fd = w->console, .events = POLLIN };

	while (poll(&p, 1, 0) > 0) {
		ssize_t n = read(w->console, w->tail + w->tail_len, sizeof(w->tail) - w->tail_len);

		if (n <= 0) {
			if (n < 0 && (errno == EINTR || errno == EAGAIN))
				continue;
			w->why = "its console ended without that";
			return NEVER;
		}
		w->tail_len += (size_t)n;
		if (memmem(w->tail, w->tail_len, w->what, len))
			return MET;
		/* What may be the text's beginning stays. */
		if (w->tail_len >= len) {
			memmove(w->tail, w->tail + w->tail_len - (len - 1), len - 1);
			w->tail_len = len - 1;
		}
	}
	return NOT_YET;
}

static enum answer console_has(struct wait *w)
{
	if (!w->found)
		return NOT_YET;
	if (w->console < 0 && pvctl_console_attach(w->ctx, w->domid, UINT64_MAX, &w->console, NULL))
		return is_over(w) ? (w->why = "it has ended", NEVER) : NOT_YET;
	return read_console(w);
}

static bool disk_is_up(const struct wait *w)
{
	struct pvctl_disk_list *l;
	const struct pvctl_disk_info *d;
	bool up = false;

	if (pvctl_disk_list(w->ctx, w->domid, &l, NULL))
		return false;
	for (size_t i = 0; (d = pvctl_disk_list_at(l, i)); i++)
		up |= !strcmp(d->name, w->what) && d->state == DEVICE_CONNECTED;
	pvctl_disk_list_free(l);
	return up;
}

static bool vif_is_up(const struct wait *w)
{
	struct pvctl_vif_list *l;
	const struct pvctl_vif_info *v;
	char name[16], mac[18];
	bool up = false;

	if (pvctl_vif_list(w->ctx, w->domid, &l, NULL))
		return false;
	for (size_t i = 0; (v = pvctl_vif_list_at(l, i)); i++) {
		snprintf(name, sizeof(name), "vif%u", v->devid);
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1], v->mac[2], v->mac[3],
			 v->mac[4], v->mac[5]);
		up |= (!strcmp(name, w->what) || !strcasecmp(mac, w->what)) && v->state == DEVICE_CONNECTED;
	}
	pvctl_vif_list_free(l);
	return up;
}

static bool channel_is_up(const struct wait *w)
{
	struct pvctl_channel_list *l;
	const struct pvctl_channel_info *c;
	bool up = false;

	if (pvctl_channel_list(w->ctx, w->domid, &l, NULL))
		return false;
	for (size_t i = 0; (c = pvctl_channel_list_at(l, i)); i++)
		up |= !strcmp(c->name, w->what) && c->state == DEVICE_CONNECTED;
	pvctl_channel_list_free(l);
	return up;
}

static enum answer has_device(struct wait *w)
{
	if (is_over(w))
		return w->why = "it has ended", NEVER;
	return w->there && (disk_is_up(w) || vif_is_up(w) || channel_is_up(w)) ? MET : NOT_YET;
}

static enum answer has_memory(struct wait *w)
{
	char path[64], *text;
	uint64_t kib;

	if (is_over(w))
		return w->why = "it has ended", NEVER;
	if (!w->there)
		return NOT_YET;
	snprintf(path, sizeof(path), "/local/domain/%u/memory/target", w->domid);
	if (pvctl_store_read(w->ctx, path, &text, NULL, NULL))
		return NOT_YET;
	kib = strtoull(text, NULL, 10);
	pvctl_free(text);
	return pvctl_domain_wait_memory(w->ctx, w->domid, kib << 10, 0, NULL) ? NOT_YET : MET;
}

static const struct condition {
	const char *name;
	bool has_text;
	enum answer (*check)(struct wait *w);
} conditions[] = {
	{ "running", false, is_running }, { "shutdown", false, is_shut_down }, { "gone", false, is_gone },
	{ "console", true, console_has }, { "device", true, has_device }, { "memory", false, has_memory },
};

static const struct condition *find_condition(const char *text, const char **ret_what)
{
	size_t len = strcspn(text, ":");

	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		const struct condition *c = &conditions[i];

		if (strlen(c->name) != len || strncmp(text, c->name, len) || c->has_text != (text[len] == ':'))
			continue;
		*ret_what = text[len] ? text + len + 1 : "";
		return c->has_text && (!**ret_what || strlen(*ret_what) > TEXT_MAX) ? NULL : c;
	}
	return NULL;
}

/* ---- the waiting ---- */
/* A name may come to be a domain's later; once found, it is that domain, whatever it is called then. */
static int look(struct wait *w, struct pvctl_error *err)
{
	int rc = 0;

	if (!w->found && parse_u32(w->arg, 0, 0x7fef, &w->domid))
		rc = pvctl_domain_lookup(w->ctx, w->arg, &w->domid, err);
	w->info.size = sizeof(w->info);
	rc = rc ? rc : pvctl_domain_get(w->ctx, w->domid, &w->info, err);
	w->there = !rc && (!w->found || w->info.unique_id == w->unique_id);
	if (w->there && !w->found) {
		w->found = true;
		w->unique_id = w->info.unique_id;
	}
	return rc == -ESRCH ? 0 : rc;
}

/* Ends that policy has cleaned up already are known from events alone. */
static int drain(struct wait *w, struct pvctl_events *events, struct pvctl_error *err)
{
	struct pvctl_event ev = { .size = sizeof(ev) };
	int rc;

	while ((rc = pvctl_events_next(events, &ev, err)) == 1) {
		bool named = !w->found && !strcmp(ev.name, w->arg);

		if (ev.type == PVCTL_EVENT_CREATED && named) {
			w->found = true;
			w->domid = ev.domid;
			w->unique_id = ev.unique_id;
		}
		if (!w->found || ev.unique_id != w->unique_id)
			continue;
		if (ev.type == PVCTL_EVENT_SHUTDOWN || (ev.type == PVCTL_EVENT_DESTROYED && !w->ended)) {
			w->ended = true;
			w->reason = ev.type == PVCTL_EVENT_SHUTDOWN ? ev.reason : PVCTL_REASON_NONE;
		}
	}
	return rc;
}

static int report(const struct wait *w, const char *condition, const char *outcome, bool as_json)
{
	struct json *j;

	if (!as_json) {
		if (!strcmp(condition, "shutdown") && reason_name(w->reason))
			puts(reason_name(w->reason));
		return EXIT_OK;
	}
	j = json_document();
	if (!j)
		return EXIT_FAILED;
	json_str(j, "domain", w->arg);
	json_str(j, "for", condition);
	json_str(j, "outcome", outcome);
	json_str(j, "state", w->there ? state_name(w->info.state) : NULL);
	json_str(j, "reason", reason_name(w->reason));
	json_end_map(j);
	return json_close(j);
}

static void nap(const struct wait *w, struct pvctl_events *events, uint64_t end)
{
	struct pollfd p[2] = { { .fd = pvctl_events_fd(events), .events = POLLIN }, { .fd = w->console, .events = POLLIN } };
	uint64_t now = now_ns(), ms = LOOK_MS;

	if (end && end > now && (end - now) / 1000000 < ms)
		ms = (end - now) / 1000000 + 1;
	(void)poll(p, 2, (int)ms);
}

static int wait_for(struct wait *w, const struct condition *c, struct pvctl_events *events, uint64_t end, bool as_json)
{
	struct pvctl_error err = { 0 };
	enum answer a;

	for (;;) {
		/* In this order: what ends between the two is seen by the second, and told by an event at the next turn. */
		if (drain(w, events, &err) < 0 || look(w, &err)) {
			progress_end();
			return fail("wait", w->arg, &err);
		}
		a = c->check(w);
		if (a == NOT_YET && !interrupted() && (!end || now_ns() < end)) {
			nap(w, events, end);
			continue;
		}
		progress_end();
		/* An end that was seen and not told yet has its reason on the way. */
		if (c->check == is_shut_down && a == MET && !w->ended && drain(w, events, &err) < 0)
			return fail("wait", w->arg, &err);
		break;
	}
	if (a == NEVER)
		say_error("wait %s: %s", w->arg, w->why);
	if (report(w, c->name, a == MET ? "met" : a == NEVER ? "never" : "timeout", as_json))
		return EXIT_FAILED;
	return a == MET ? EXIT_OK : a == NEVER ? EXIT_NEVER : interrupted() ? EXIT_FAILED : EXIT_TIMEOUT;
}

static int wait_run(const struct command *cmd, const struct parsed *in)
{
	const char *text = in->count[OPT_FOR] ? in->value[OPT_FOR] : "shutdown";
	struct wait *w;
	struct pvctl_events *events;
	const struct condition *c;
	struct pvctl_error err = { 0 };
	uint32_t timeout_ms = 0;
	const char *what;
	int rc;

	c = find_condition(text, &what);
	if (!c)
		return command_usage(cmd, "--for: `%s' is none of running, shutdown, gone, console:TEXT, device:NAME, memory", text);
	if (in->count[OPT_TIMEOUT] && parse_seconds(in->value[OPT_TIMEOUT], &timeout_ms))
		return command_usage(cmd, "`%s' is no time in seconds", in->value[OPT_TIMEOUT]);
	w = calloc(1, sizeof(*w));
	if (!w) {
		say_error("out of memory");
		return EXIT_FAILED;
	}
	w->arg = in->argv[0];
	w->what = what;
	w->console = -1;
	w->reason = PVCTL_REASON_NONE;
	w->ctx = node_open();
	rc = EXIT_FAILED;
	if (w->ctx && pvctl_events_open(w->ctx, PVCTL_EVENT_ALL & ~(uint32_t)PVCTL_EVENT_PRESENT, &events, &err)) {
		fail("wait", w->arg, &err);
	} else if (w->ctx) {
		interrupts_catch();
		progress_begin("waiting");
		rc = wait_for(w, c, events, timeout_ms ? now_ns() + timeout_ms * UINT64_C(1000000) : 0, in->count[OPT_JSON] > 0);
		pvctl_events_close(events);
	}
	if (w->console >= 0)
		close(w->console);
	pvctl_close(w->ctx);
	free(w);
	return rc;
}

const struct command cmd_wait = {
	.name = "wait", .args = "DOMAIN", .summary = "Wait until a domain is what it should be",
	.example = "  pvctl wait web1 --for console:'login: ' --timeout 60\n  pvctl wait web1 --for device:xvdb\n"
		   "  pvctl mem-set web1 512 && pvctl wait web1 --for memory --timeout 10",
	.options = options, .args_min = 1, .args_max = 1, .run = wait_run,
};
