/* SPDX-License-Identifier: MIT */
/* What a domain may have, in the store and elsewhere. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"

enum { GET_JSON };
static const struct option_def get_options[] = {
	[GET_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

/* bare: without the limit that nobody has set. */
static void put(struct json *j, const struct pvctl_store_quota *q, bool header, bool bare)
{
	char used[24] = "-";

	if (q->used >= 0)
		snprintf(used, sizeof(used), "%lld", (long long)q->used);
	if (!j) {
		if (bare && header)
			printf("%-24s %10s %10s\n", "Limit", "Most", "Used");
		if (bare)
			printf("%-24s %10u %10s\n", q->name, q->limit, used);
		if (bare)
			return;
		if (header)
			printf("%-20s %10s %10s %10s\n", "Quota", "Limit", "Default", "Used");
		printf("%-20s %10u %10u %10s\n", q->name, q->limit, q->own, used);
		return;
	}
	json_map(j, NULL);
	json_str(j, "name", q->name);
	json_u64(j, "limit", q->limit);
	if (!bare)
		json_u64(j, "default", q->own);
	if (q->used >= 0)
		json_u64(j, "used", (uint64_t)q->used);
	else
		json_str(j, "used", NULL);
	json_end_map(j);
}

/* Of one name, or of all (NULL). */
static int get(struct pvctl *ctx, uint32_t domid, const char *name, struct json *j)
{
	struct pvctl_store_quota q = { .size = sizeof(q) };
	struct pvctl_error err = { 0 };
	bool found = false;
	int rc;

	for (uint32_t i = 0; !(rc = pvctl_store_quota_get(ctx, domid, i, &q, &err)); i++) {
		if (name && strcmp(name, q.name))
			continue;
		put(j, &q, !found && !name, false);
		found = true;
	}
	if (rc != -ENOENT)
		return fail("xenstore-quota-get", NULL, &err);
	if (!found) {
		say_error("xenstore-quota-get: there is no quota %s", name);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static int limits(struct pvctl *ctx, uint32_t domid, const char *unused, struct json *j)
{
	struct pvctl_store_quota q = { .size = sizeof(q), .name = "grant-table-pages" };
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl_error err = { 0 };
	char name[24];
	uint32_t used;
	int rc;

	if (pvctl_domain_get(ctx, domid, &info, &err) || pvctl_domain_get_grants(ctx, domid, &used, &q.limit, &err))
		return fail("limits", NULL, &err);
	put(j, &(struct pvctl_store_quota){ .name = "memory-mib", .limit = (uint32_t)(info.max_memory_bytes >> 20),
					    .used = (int64_t)(info.memory_bytes >> 20) }, true, true);
	put(j, &(struct pvctl_store_quota){ .name = "vcpus", .limit = info.vcpus_max, .used = info.vcpus_online }, false, true);
	q.used = used;
	put(j, &q, false, true);
	for (uint32_t i = 0; !(rc = pvctl_store_quota_get(ctx, domid, i, &q, &err)); i++) {
		snprintf(name, sizeof(name), "store-%.17s", q.name);
		memcpy(q.name, name, sizeof(q.name));
		put(j, &q, false, true);
	}
	return rc == -ENOENT ? EXIT_OK : fail("limits", NULL, &err);
}

/* Of the domain that is the first argument: a table, or a listing of that name. */
static int show(const struct parsed *in, const char *listing,
                int (*one)(struct pvctl *ctx, uint32_t domid, const char *name, struct json *j))
{
	struct pvctl *ctx = node_open();
	struct json *j = NULL;
	uint32_t domid;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	if (!rc && in->count[GET_JSON]) {
		j = json_open(true);
		rc = j ? 0 : EXIT_FAILED;
		if (j)
			json_listing(j, listing);
	}
	if (!rc)
		rc = one(ctx, domid, in->argc > 1 ? in->argv[1] : NULL, j);
	if (j && !rc) {
		json_end_listing(j);
		rc = json_close(j);
	} else {
		json_free(j);
	}
	pvctl_close(ctx);
	return rc;
}

static int get_run(const struct command *cmd, const struct parsed *in)
{
	return show(in, "quotas", get);
}

static int limits_run(const struct command *cmd, const struct parsed *in)
{
	return show(in, "limits", limits);
}

/* "nodes=2000" as a name and a number; an exit code. */
static int split(const struct command *cmd, const char *arg, char name[24], uint32_t *ret)
{
	size_t len = strcspn(arg, "=");

	if (!arg[len] || !len || len > 23 || parse_u32(arg + len + 1, 0, UINT32_MAX, ret))
		return command_usage(cmd, "`%s' is not QUOTA=NUMBER", arg);
	snprintf(name, 24, "%.*s", (int)len, arg);
	return 0;
}

static int set_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	uint32_t domid, value;
	struct pvctl *ctx;
	char name[24];
	int rc = 0;

	for (int i = 1; !rc && i < in->argc; i++)
		rc = split(cmd, in->argv[i], name, &value);
	if (rc)
		return rc;
	ctx = node_open();
	if (!ctx)
		return EXIT_FAILED;
	rc = domain_resolve(ctx, in->argv[0], &domid);
	for (int i = 1; !rc && i < in->argc; i++) {
		rc = split(cmd, in->argv[i], name, &value);
		if (!rc && pvctl_store_quota_set(ctx, domid, name, value, &err))
			rc = fail("xenstore-quota-set", in->argv[0], &err);
	}
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_xenstore_quota_get = {
	.name = "xenstore-quota-get", .args = "DOMAIN [QUOTA]", .summary = "Show what a domain may have in the store, and what it has",
	.example = "  pvctl xenstore-quota-get web1\n  pvctl xenstore-quota-get web1 nodes", .options = get_options, .args_min = 1,
	.args_max = 2, .run = get_run,
};
const struct command cmd_xenstore_quota_set = {
	.name = "xenstore-quota-set", .args = "DOMAIN QUOTA=NUMBER ...", .summary = "Set what a domain may have in the store; 0 is the default",
	.example = "  pvctl xenstore-quota-set web1 nodes=2000 watches=256", .args_min = 2, .args_max = -1, .run = set_run,
};
const struct command cmd_limits = {
	.name = "limits", .args = "DOMAIN", .summary = "Show what a domain has, and the most that it may have",
	.example = "  pvctl limits web1", .options = get_options, .args_min = 1, .args_max = 1, .run = limits_run,
};
