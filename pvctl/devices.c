/* SPDX-License-Identifier: MIT */
/* What the commands about a domain's devices share. */
#include "pvctl/cmd.h"
#include "pvctl/json.h"
#include "pvctl/term.h"

static int join_spec(const struct parsed *in, int first, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (int i = first; i < in->argc; i++) {
		int n = snprintf(buf + len, size - len, "%s%s", i > first ? "," : "", in->argv[i]);

		if (n < 0 || (size_t)n >= size - len) {
			say_error("the device's specification is longer than %zu characters", size - 1);
			return EXIT_FAILED;
		}
		len += (size_t)n;
	}
	return 0;
}

int attach_device(const struct command *cmd, const struct parsed *in,
		  int (*attach)(struct pvctl *, uint32_t, const char *, struct pvctl_error *))
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	char spec[4096];
	uint32_t domid;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	if (!rc)
		rc = join_spec(in, 1, spec, sizeof(spec));
	if (rc)
		goto out;
	interrupts_say("domain %u may still get the device", domid);
	progress_begin("waiting for the device");
	rc = attach(ctx, domid, spec, &err);
	progress_end();
	interrupts_quiet();
	if (rc)
		rc = fail(cmd->name, in->argv[0], &err);
out:
	pvctl_close(ctx);
	return rc;
}

int attach_device_dry(const struct command *cmd, const struct parsed *in, const char *what,
		      int (*put)(struct json *, const char *, struct pvctl_error *))
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	struct json *j = NULL;
	char spec[4096];
	uint32_t domid;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	pvctl_close(ctx);
	rc = rc ? rc : join_spec(in, 1, spec, sizeof(spec));
	if (rc)
		return rc;
	j = json_open(true);
	if (!j)
		return EXIT_FAILED;
	if (put(j, spec, &err)) {
		json_free(j);
		return fail(cmd->name, in->argv[0], &err);
	}
	printf("%s: ", what);
	return json_close(j);
}

int list_devices(const struct parsed *in, bool as_json, const char *key, void (*header)(void),
		 int (*one)(struct pvctl *ctx, const char *arg, struct json *j))
{
	struct pvctl *ctx = node_open();
	struct json *j = NULL;
	int rc = 0;

	if (!ctx)
		return EXIT_FAILED;
	if (as_json) {
		j = json_open(true);
		if (!j) {
			pvctl_close(ctx);
			return EXIT_FAILED;
		}
		json_listing(j, key);
	} else {
		header();
	}
	for (int i = 0; i < in->argc && !rc; i++)
		rc = one(ctx, in->argv[i], j);
	pvctl_close(ctx);
	if (j && !rc) {
		json_end_listing(j);
		return json_close(j);
	}
	json_free(j);
	return rc;
}
