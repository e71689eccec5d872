/* SPDX-License-Identifier: MIT */
/* A domain's memory, devices and disks at one moment, to go back to. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/term.h"

#define MIB (1024 * 1024)
#define HOOK "PVCTL_SNAPSHOT_HOOK"

static void say(void *unused, const char *line)
{
	note("%s.", line);
}

static void step(void *unused, const char *name)
{
	test_hook(HOOK, name);
}

/* ---- create ---- */

enum { CREATE_NO_MEMORY, CREATE_DESCRIPTION, CREATE_DISKS, CREATE_TIMEOUT, CREATE_JSON };
static const struct option_def create_options[] = {
	[CREATE_NO_MEMORY] = { 0, "no-memory", NULL, "its disks alone" },
	[CREATE_DESCRIPTION] = { 'd', "description", "TEXT", "for pvctl snapshot list" },
	[CREATE_DISKS] = { 0, "disks", "DIR", "where new files of its disks are to be (default: beside the disk's image)" },
	[CREATE_TIMEOUT] = { 0, "timeout", "SECONDS", "how long its kernel may take to suspend itself (60)" },
	[CREATE_JSON] = { 0, "json", NULL, "print its name and times as JSON" },
	{ 0 }
};

static int report(const char *domain, const struct pvctl_snapshot_stats *s, bool as_json)
{
	struct json *j;

	if (!as_json) {
		if (s->pause_ns)
			note("Snapshot %s of domain %s is made; the domain stood still for %" PRIu64 " ms.", s->name, domain,
			     s->pause_ns / UINT64_C(1000000));
		else
			note("Snapshot %s of domain %s is made.", s->name, domain);
		return EXIT_OK;
	}
	j = json_document();
	if (!j)
		return EXIT_FAILED;
	json_str(j, "domain", domain);
	json_str(j, "name", s->name);
	json_u64(j, "bytes", s->bytes);
	json_u64(j, "rounds", s->rounds);
	json_u64(j, "pause_ns", s->pause_ns);
	json_u64(j, "total_ns", s->total_ns);
	json_end_map(j);
	return json_close(j);
}

/* Defined, and no domain that runs: without a node there are definitions yet. */
static bool is_stopped(const char *domain)
{
	const struct pvctl_open_opts open = { .size = sizeof(open), .node = globals.node, .log = node_log };
	struct pvctl_config *config;
	struct pvctl *ctx = NULL;
	uint32_t domid;
	int rc;

	if (!parse_u32(domain, 0, 0x7fef, &domid) || pvctl_defined_get(globals.node, domain, &config, NULL))
		return false;
	pvctl_config_free(config);
	rc = pvctl_open(&open, &ctx, NULL);
	if (!rc)
		rc = pvctl_domain_lookup(ctx, domain, &domid, NULL);
	pvctl_close(ctx);
	return rc == -ENOENT || rc == -ESRCH;
}

static int create_stopped(const struct parsed *in, const struct pvctl_snapshot_opts *o)
{
	struct pvctl_snapshot_stats s = { .size = sizeof(s) };
	struct pvctl_error err = { 0 };
	int rc;

	if (!o->no_memory)
		note("Domain %s does not run: its disks alone are kept.", in->argv[0]);
	interrupts_catch();
	progress_begin("making the snapshot");
	rc = pvctl_snapshot_create_stopped(globals.node, in->argv[0], in->argc > 1 ? in->argv[1] : NULL, o, &s, &err);
	progress_end();
	if (rc)
		return fail("snapshot", in->argv[0], &err);
	return report(in->argv[0], &s, in->count[CREATE_JSON] > 0);
}

static int create_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_snapshot_opts o = { .size = sizeof(o), .description = in->value[CREATE_DESCRIPTION], .disks = in->value[CREATE_DISKS],
					 .no_memory = in->count[CREATE_NO_MEMORY] > 0, .say = say, .step = step };
	struct pvctl_snapshot_stats s = { .size = sizeof(s) };
	struct pvctl_error err = { 0 };
	struct pvctl *ctx;
	uint32_t domid;
	int rc = EXIT_FAILED;

	if (in->count[CREATE_TIMEOUT] && (parse_seconds(in->value[CREATE_TIMEOUT], &o.suspend_timeout_ms) || !o.suspend_timeout_ms))
		return command_usage(cmd, "--timeout: seconds are wanted");
	if (is_stopped(in->argv[0]))
		return create_stopped(in, &o);
	ctx = node_open();
	if (ctx && !(rc = domain_resolve(ctx, in->argv[0], &domid))) {
		interrupts_catch();
		progress_begin("making the snapshot");
		rc = pvctl_snapshot_create(ctx, domid, in->argc > 1 ? in->argv[1] : NULL, &o, &s, &err);
		progress_end();
		rc = rc ? fail("snapshot", in->argv[0], &err) : report(domain_label(ctx, domid), &s, in->count[CREATE_JSON] > 0);
	}
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_snapshot_create = {
	.group = "snapshot", .name = "create", .args = "DOMAIN [NAME]",
	.summary = "Keep a domain's memory, devices and disks of one moment; without `create', too",
	.example = "  pvctl snapshot web1 before-upgrade\n  pvctl snapshot create --no-memory web1",
	.options = create_options, .args_min = 1, .args_max = 2, .takes_rest = true, .run = create_run,
};

/* ---- list, info ---- */

enum { LIST_JSON };
static const struct option_def list_options[] = {
	[LIST_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

static void json_info(struct json *j, const struct pvctl_snapshot_info *i)
{
	json_str(j, "domain", i->domain);
	json_str(j, "name", i->name);
	json_str(j, "description", i->description);
	json_u64(j, "created_unix_ns", i->created_unix_ns);
	json_bool(j, "memory", i->has_memory);
	json_u64(j, "memory_bytes", i->memory_bytes);
	json_u64(j, "disk_bytes", i->disk_bytes);
}

static void day_of(const struct pvctl_snapshot_info *i, char buf[32])
{
	time_t t = (time_t)(i->created_unix_ns / UINT64_C(1000000000));
	struct tm tm;

	strcpy(buf, "-");
	if (localtime_r(&t, &tm))
		strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm);
}

static void print_row(const struct pvctl_snapshot_info *i)
{
	char day[32], memory[24] = "-";

	day_of(i, day);
	if (i->has_memory)
		snprintf(memory, sizeof(memory), "%" PRIu64, i->memory_bytes / MIB);
	printf("%-20s %-24s %-19s %6s %6" PRIu64 "  ", i->domain, i->name, day, memory, i->disk_bytes / MIB);
	print_clean(stdout, i->description);
	putchar('\n');
}

static int list_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_snapshot_list *list;
	const struct pvctl_snapshot_info *i;
	struct pvctl_error err = { 0 };
	struct json *j = NULL;

	if (pvctl_snapshot_list(globals.node, in->argc ? in->argv[0] : NULL, &list, &err))
		return fail("snapshot list", NULL, &err);
	if (in->count[LIST_JSON]) {
		j = json_open(true);
		if (j)
			json_listing(j, "snapshots");
	} else {
		printf("%-20s %-24s %-19s %6s %6s  %s\n", "Domain", "Name", "Made", "Memory", "Disks", "Description");
	}
	for (size_t n = 0; (i = pvctl_snapshot_list_at(list, n)); n++) {
		if (j) {
			json_map(j, NULL);
			json_info(j, i);
			json_end_map(j);
		} else if (!in->count[LIST_JSON]) {
			print_row(i);
		}
	}
	pvctl_snapshot_list_free(list);
	if (!in->count[LIST_JSON])
		return EXIT_OK;
	if (!j)
		return EXIT_FAILED;
	json_end_listing(j);
	return json_close(j);
}

const struct command cmd_snapshot_list = {
	.group = "snapshot", .name = "list", .args = "[DOMAIN]", .summary = "List the snapshots of a domain, or of all; sizes in MiB",
	.example = "  pvctl snapshot list web1", .options = list_options, .args_min = 0, .args_max = 1, .run = list_run,
};

enum { INFO_VERIFY, INFO_JSON };
static const struct option_def info_options[] = {
	[INFO_VERIFY] = { 0, "verify", NULL, "look at its checksums and disks, too" },
	[INFO_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

static void info_disk(struct json *j, const struct pvctl_snapshot_disk_info *d)
{
	if (!j) {
		printf("%-13s: %s, %" PRIu64 " MiB, %s\n", d->vdev, d->format, d->bytes / MIB, d->file);
		printf("%-13s: %s %s\n", "", d->overlay ? "base of" : "copy of", d->disk);
		return;
	}
	json_map(j, NULL);
	json_str(j, "vdev", d->vdev);
	json_str(j, "format", d->format);
	json_str(j, "kind", d->overlay ? "base" : "copy");
	json_str(j, "file", d->file);
	json_str(j, "disk", d->disk);
	json_u64(j, "bytes", d->bytes);
	json_u64(j, "allocated_bytes", d->allocated_bytes);
	json_end_map(j);
}

static int info_disks(struct json *j, const struct parsed *in, struct pvctl_error *err)
{
	struct pvctl_snapshot_disk_info *d = calloc(1, sizeof(*d));
	int rc = d ? 0 : -ENOMEM;

	for (size_t i = 0; !rc; i++) {
		d->size = sizeof(*d);
		rc = pvctl_snapshot_get_disk(globals.node, in->argv[0], in->argv[1], i, d, err);
		if (!rc)
			info_disk(j, d);
	}
	free(d);
	return rc == -ENOENT ? 0 : rc;
}

static void print_info(const struct pvctl_snapshot_info *i)
{
	char day[32];

	day_of(i, day);
	printf("%-13s: %s\n%-13s: %s\n%-13s: %s\n", "domain", i->domain, "name", i->name, "made", day);
	printf("%-13s: ", "description");
	print_clean(stdout, i->description);
	printf("\n%-13s: ", "memory");
	if (i->has_memory)
		printf("%" PRIu64 " MiB\n", i->memory_bytes / MIB);
	else
		puts("-");
}

static int info_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_snapshot_info info = { .size = sizeof(info) };
	struct pvctl_error err = { 0 };
	struct json *j = NULL;

	if (pvctl_snapshot_get(globals.node, in->argv[0], in->argv[1], &info, &err) ||
	    (in->count[INFO_VERIFY] && pvctl_snapshot_verify(globals.node, in->argv[0], in->argv[1], &err)))
		return fail("snapshot info", in->argv[1], &err);
	if (!in->count[INFO_JSON]) {
		print_info(&info);
		return info_disks(NULL, in, &err) ? fail("snapshot info", in->argv[1], &err) : EXIT_OK;
	}
	j = json_document();
	if (!j)
		return EXIT_FAILED;
	json_info(j, &info);
	json_array(j, "disks");
	if (info_disks(j, in, &err)) {
		json_free(j);
		return fail("snapshot info", in->argv[1], &err);
	}
	json_end_array(j);
	json_end_map(j);
	return json_close(j);
}

const struct command cmd_snapshot_info = {
	.group = "snapshot", .name = "info", .args = "DOMAIN SNAPSHOT", .summary = "Show a snapshot and the files of its disks",
	.example = "  pvctl snapshot info --verify web1 before-upgrade", .options = info_options, .args_min = 2, .args_max = 2, .run = info_run,
};

/* ---- revert, delete ---- */

enum { REVERT_YES, REVERT_PAUSED, REVERT_JSON };
static const struct option_def revert_options[] = {
	[REVERT_YES] = { 'y', "yes", NULL, "do not ask" },
	[REVERT_PAUSED] = { 'p', "paused", NULL, "leave it paused" },
	[REVERT_JSON] = { 0, "json", NULL, "print the domain's number as JSON" },
	{ 0 }
};

static bool agrees(const char *domain)
{
	char line[16];

	if (!isatty(STDIN_FILENO)) {
		say_error("snapshot revert %s: what it did since then would be lost: --yes says that this is wanted", domain);
		return false;
	}
	fprintf(stderr, "What %s did since then is lost, and it ends at once if it runs. Go on? [y/N] ", domain);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static int reverted(const char *domain, uint32_t domid, bool as_json)
{
	struct json *j;

	if (!as_json) {
		if (domid)
			note("Domain %s (%u) is what it was.", domain, domid);
		else
			note("The disks of %s are what they were; it does not run.", domain);
		return EXIT_OK;
	}
	j = json_document();
	if (!j)
		return EXIT_FAILED;
	json_u64(j, "domid", domid);
	json_end_map(j);
	return json_close(j);
}

static int revert_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_snapshot_revert_opts o = { .size = sizeof(o), .paused = in->count[REVERT_PAUSED] > 0, .step = step };
	struct pvctl_snapshot_info info = { .size = sizeof(info) };
	struct pvctl_error err = { 0 };
	struct pvctl *ctx;
	uint32_t domid;
	int rc;

	if (pvctl_snapshot_get(globals.node, in->argv[0], in->argv[1], &info, &err))
		return fail("snapshot revert", in->argv[0], &err);
	if (!in->count[REVERT_YES] && !agrees(in->argv[0]))
		return EXIT_FAILED;
	interrupts_catch();
	ctx = node_open_or_start();
	if (!ctx)
		return EXIT_FAILED;
	progress_begin("going back");
	rc = pvctl_snapshot_revert(ctx, in->argv[0], in->argv[1], &o, &domid, &err);
	progress_end();
	pvctl_close(ctx);
	return rc ? fail("snapshot revert", in->argv[0], &err) : reverted(in->argv[0], domid, in->count[REVERT_JSON] > 0);
}

const struct command cmd_snapshot_revert = {
	.group = "snapshot", .name = "revert", .args = "DOMAIN SNAPSHOT", .summary = "Make a domain, running or not, what it was at a snapshot",
	.example = "  pvctl snapshot revert web1 before-upgrade\n  pvctl snapshot revert --yes web1 before-upgrade",
	.options = revert_options, .args_min = 2, .args_max = 2, .run = revert_run,
};

static int delete_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_snapshot_delete_opts o = { .size = sizeof(o), .progress = progress_step, .step = step };
	struct pvctl_error err = { 0 };
	int rc;

	interrupts_catch();
	progress_begin("deleting the snapshot");
	rc = pvctl_snapshot_delete(globals.node, in->argv[0], in->argv[1], &o, &err);
	progress_end();
	return rc ? fail("snapshot delete", in->argv[1], &err) : EXIT_OK;
}

const struct command cmd_snapshot_delete = {
	.group = "snapshot", .name = "delete", .args = "DOMAIN SNAPSHOT", .summary = "Delete a snapshot; later ones and the domain's disks stay right",
	.example = "  pvctl snapshot delete web1 before-upgrade", .args_min = 2, .args_max = 2, .run = delete_run,
};
