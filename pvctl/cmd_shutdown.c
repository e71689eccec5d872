/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/term.h"

#define WAIT_POLL_NS 50000000L

enum { OPT_ALL, OPT_WAIT, OPT_TIMEOUT, OPT_FALLBACK };
static const struct option_def options[] = {
	[OPT_ALL] = { 'a', "all", NULL, "all domains but domain 0" },
	[OPT_WAIT] = { 'w', "wait", NULL, "wait until it has shut down; twice: until it is gone" },
	[OPT_TIMEOUT] = { 0, "timeout", "SECONDS", "wait so long at most (implies --wait)" },
	[OPT_FALLBACK] = { 'F', "fallback", NULL, NULL },
	{ 0 }
};

struct targets {
	uint32_t *domid;
	size_t n;
};

static int all_domains(struct pvctl *ctx, struct targets *t)
{
	struct pvctl_domain_list *list;
	struct pvctl_error err = { 0 };
	size_t n;

	if (pvctl_domain_list(ctx, &list, &err))
		return fail("list", NULL, &err);
	n = pvctl_domain_list_count(list);
	t->domid = calloc(n + 1, sizeof(*t->domid));
	for (size_t i = 0; t->domid && i < n; i++) {
		const struct pvctl_domain_info *info = pvctl_domain_list_at(list, i);

		if (info->domid && info->state != PVCTL_STATE_DYING && info->state != PVCTL_STATE_SHUTDOWN)
			t->domid[t->n++] = info->domid;
	}
	pvctl_domain_list_free(list);
	return t->domid ? 0 : EXIT_FAILED;
}

static int one_domain(struct pvctl *ctx, const char *arg, struct targets *t)
{
	t->domid = calloc(1, sizeof(*t->domid));
	if (!t->domid)
		return EXIT_FAILED;
	t->n = 1;
	return domain_resolve(ctx, arg, &t->domid[0]);
}

static int ask(struct pvctl *ctx, const struct command *cmd, const char *what, uint32_t domid)
{
	struct pvctl_error err = { 0 };
	char label[16];
	int rc;

	snprintf(label, sizeof(label), "%u", domid);
	if (!domid) {
		say_error("%s 0: domain 0 is the host; `pvctl node stop' ends the node", cmd->name);
		return EXIT_FAILED;
	}
	note("%s domain %u", !strcmp(what, "reboot") ? "Rebooting" : "Shutting down", domid);
	rc = pvctl_domain_request(ctx, domid, what, &err);
	if (!rc)
		return 0;
	if (rc == -ESRCH) {
		fprintf(stderr, "Error: Domain '%u' does not exist.\n", domid);
		return EXIT_FAILED;
	}
	fail(cmd->name, label, &err);
	if (rc == -ENOSYS)
		note("`pvctl destroy %u' ends it at once.", domid);
	return EXIT_FAILED;
}

static bool time_left(uint64_t deadline, uint32_t *ret_ms)
{
	uint64_t now = now_ns();

	*ret_ms = 0;
	if (!deadline)
		return true;
	if (now >= deadline)
		return false;
	*ret_ms = (uint32_t)((deadline - now) / 1000000) + 1;
	return true;
}

/* There is no call for "until it is gone": the shutdown may be followed by an action that takes a while. */
static int wait_gone(struct pvctl *ctx, uint32_t domid, uint64_t unique_id, uint64_t deadline, struct pvctl_error *err)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	uint32_t ms;

	for (;;) {
		int rc = pvctl_domain_get(ctx, domid, &info, err);

		if (rc == -ESRCH || (!rc && info.unique_id != unique_id))
			return 0;
		if (rc)
			return rc;
		if (interrupted())
			return -ECANCELED;
		if (!time_left(deadline, &ms))
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){ .tv_nsec = WAIT_POLL_NS }, NULL);
	}
}

static int wait_one(struct pvctl *ctx, uint32_t domid, bool gone, uint64_t deadline)
{
	struct pvctl_error err = { 0 };
	struct pvctl_domain_info info = { .size = sizeof(info) };
	int32_t reason = PVCTL_REASON_NONE;
	uint32_t ms;
	int rc = pvctl_domain_get(ctx, domid, &info, &err);

	if (!rc)
		rc = time_left(deadline, &ms) ? pvctl_domain_wait(ctx, domid, ms, &reason, &err) : -ETIMEDOUT;
	if (!rc && gone)
		rc = wait_gone(ctx, domid, info.unique_id, deadline, &err);
	progress_end();
	if (rc == -ESRCH)
		rc = 0;
	if (!rc && reason == PVCTL_REASON_NONE)
		note("Domain %u has been destroyed.", domid);
	else if (!rc)
		note("Domain %u has been shut down, reason code %d", domid, reason);
	else if (rc == -ETIMEDOUT)
		say_error("domain %u has not shut down in time; it may yet, and `pvctl destroy %u' ends it at once", domid, domid);
	else if (rc == -ECANCELED)
		say_error("interrupted; domain %u may still shut down", domid);
	else
		fail("waiting for domain", "", &err);
	return rc;
}

static int wait_all(struct pvctl *ctx, const struct targets *t, bool gone, uint32_t timeout_ms)
{
	uint64_t deadline = timeout_ms ? now_ns() + (uint64_t)timeout_ms * 1000000 : 0;
	int code = EXIT_OK;

	note("Waiting for %zu domain%s", t->n, t->n == 1 && !globals.as_xl ? "" : "s");
	for (size_t i = 0; i < t->n; i++) {
		char what[64];
		int rc;

		snprintf(what, sizeof(what), "waiting for domain %u", t->domid[i]);
		progress_begin(what);
		rc = wait_one(ctx, t->domid[i], gone, deadline);
		if (rc)
			code = EXIT_FAILED;
		if (rc == -ECANCELED)
			break;
	}
	return code;
}

static int request_run(const struct command *cmd, const struct parsed *in, const char *what)
{
	struct targets t = { 0 };
	uint32_t timeout_ms = 0;
	struct pvctl *ctx;
	size_t asked = 0;
	int rc;

	if (!in->count[OPT_ALL] == !in->argc)
		return command_usage(cmd, "give either a DOMAIN or --all");
	if (in->count[OPT_TIMEOUT] && parse_seconds(in->value[OPT_TIMEOUT], &timeout_ms))
		return command_usage(cmd, "`%s' is no time in seconds", in->value[OPT_TIMEOUT]);
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	interrupts_catch();
	rc = in->count[OPT_ALL] ? all_domains(ctx, &t) : one_domain(ctx, in->argv[0], &t);
	if (!rc) {
		/* One that refuses must not keep the others running. */
		for (size_t i = 0; i < t.n; i++) {
			if (ask(ctx, cmd, what, t.domid[i]))
				rc = EXIT_FAILED;
			else
				t.domid[asked++] = t.domid[i];
		}
		t.n = asked;
		if (t.n && (in->count[OPT_WAIT] || timeout_ms) &&
		    wait_all(ctx, &t, in->count[OPT_WAIT] > 1, timeout_ms))
			rc = EXIT_FAILED;
	}
	free(t.domid);
	pvctl_close(ctx);
	return rc;
}

static int shutdown_run(const struct command *cmd, const struct parsed *in)
{
	return request_run(cmd, in, "poweroff");
}

static int reboot_run(const struct command *cmd, const struct parsed *in)
{
	return request_run(cmd, in, "reboot");
}

const struct command cmd_shutdown = {
	.name = "shutdown", .args = "DOMAIN", .summary = "Ask a domain to power off",
	.example = "  pvctl shutdown -w --timeout 60 web1\n  pvctl shutdown -a",
	.options = options, .args_min = 0, .args_max = 1, .run = shutdown_run,
};
const struct command cmd_reboot = {
	.name = "reboot", .args = "DOMAIN", .summary = "Ask a domain to reboot",
	.example = "  pvctl reboot web1", .options = options, .args_min = 0, .args_max = 1, .run = reboot_run,
};
