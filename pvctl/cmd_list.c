/* SPDX-License-Identifier: MIT */
/* list and vm-list. Other programs parse the plain forms: their columns are xl's, to the byte. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/libxl_json.h"

#define MIB (1024 * 1024)

enum { OPT_LONG, OPT_VERBOSE, OPT_JSON, OPT_CONTEXT, OPT_CPUPOOL, OPT_NUMA, OPT_FORMAT, OPT_COLUMNS };
static const struct option_def options[] = {
	[OPT_LONG] = { 'l', "long", NULL, "configuration and state as a JSON array" },
	[OPT_VERBOSE] = { 'v', "verbose", NULL, "also UUID and why it shut down" },
	[OPT_JSON] = { 0, "json", NULL, "the table as JSON" },
	[OPT_CONTEXT] = { 'Z', "context", NULL, "also the security label: none here, as with an xl that has no security module" },
	[OPT_CPUPOOL] = { 'c', "cpupool", NULL, "also the pool of CPUs; before names with commas between them: --columns" },
	[OPT_NUMA] = { 'n', "numa", NULL, "also the NUMA nodes" },
	[OPT_FORMAT] = { 0, "format", "FORMAT", "table, json or csv" },
	[OPT_COLUMNS] = { 'o', "columns", "NAMES", "these columns, such as name,state,mem" },
	{ 0 }
};

/* The domains that a command is about: all, or those named. */
struct selection {
	struct pvctl_domain_list *list;
	const struct pvctl_domain_info **info;
	size_t n;
};

static void selection_fini(struct selection *s)
{
	pvctl_domain_list_free(s->list);
	free(s->info);
}

static const struct pvctl_domain_info *find(struct pvctl_domain_list *list, uint32_t domid)
{
	const struct pvctl_domain_info *info;

	for (size_t i = 0; (info = pvctl_domain_list_at(list, i)); i++)
		if (info->domid == domid)
			return info;
	return NULL;
}

static int select_domains(struct pvctl *ctx, const struct parsed *in, struct selection *s)
{
	struct pvctl_error err = { 0 };
	size_t count;

	*s = (struct selection){ 0 };
	if (pvctl_domain_list(ctx, &s->list, &err))
		return fail("list", NULL, &err);
	count = pvctl_domain_list_count(s->list);
	s->info = calloc(count + (size_t)in->argc + 1, sizeof(s->info[0]));
	if (!s->info) {
		say_error("out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; !in->argc && i < count; i++)
		s->info[s->n++] = pvctl_domain_list_at(s->list, i);
	for (int i = 0; i < in->argc; i++) {
		uint32_t domid;
		int rc = domain_resolve(ctx, in->argv[i], &domid);

		if (rc)
			return rc;
		s->info[s->n] = find(s->list, domid);
		if (!s->info[s->n++]) {
			fprintf(stderr, "Error: Domain '%s' does not exist.\n", in->argv[i]);
			return EXIT_FAILED;
		}
	}
	return 0;
}

static const char *shown_name(const struct pvctl_domain_info *info)
{
	return info->name[0] ? info->name : "(null)";
}

static void state_letters(const struct pvctl_domain_info *info, char ret[7])
{
	static const char reasons[] = "-rscwS";
	bool is_shutdown = info->flags & 8;

	ret[0] = info->flags & 1 ? 'r' : '-';
	ret[1] = info->flags & 2 ? 'b' : '-';
	ret[2] = info->flags & 4 ? 'p' : '-';
	ret[3] = is_shutdown ? 's' : '-';
	ret[4] = '-';
	if (is_shutdown && info->reason >= 0)
		ret[4] = info->reason < (int32_t)sizeof(reasons) - 1 ? reasons[info->reason] : '?';
	ret[5] = info->flags & 16 ? 'd' : '-';
	ret[6] = '\0';
}

/* What is shown beside the usual columns. */
struct columns {
	bool verbose, claims, context, cpupool, numa;
};

static void print_table(const struct selection *s, struct columns show)
{
	printf("Name                                        ID   Mem VCPUs\tState\tTime(s)");
	if (show.verbose)
		printf("   UUID                            Reason-Code\tSecurity Label");
	if (show.context && !show.verbose)
		printf("   Security Label");
	if (show.claims)
		printf("  Claimed");
	if (show.cpupool)
		printf("         Cpupool");
	if (show.numa)
		printf(" NODE Affinity");
	putchar('\n');
	for (size_t i = 0; i < s->n; i++) {
		const struct pvctl_domain_info *info = s->info[i];
		char state[7], uuid[37];

		state_letters(info, state);
		printf("%-40s %5u %5lu %5u     %s  %8.1f", shown_name(info), info->domid,
		       (unsigned long)((info->memory_bytes + info->outstanding_bytes) / MIB), info->vcpus_online, state,
		       (double)info->cpu_ns / 1e9);
		if (show.verbose) {
			uuid_text(info->uuid, uuid);
			printf(" %s", uuid);
			if (info->flags & 8)
				printf(" %8x", (unsigned int)info->reason);
			else
				printf(" %8s", "-");
		}
		if (show.claims)
			printf(" %5lu", (unsigned long)(info->outstanding_bytes / MIB));
		if (show.verbose || show.context)
			printf(" %16s", "-");
		/* A node has one of each. */
		if (show.cpupool)
			printf("%16s", "Pool-0");
		if (show.numa)
			printf(" all");
		putchar('\n');
	}
}

/* Not in the table, whose form is xl's. */
static void tell_kept(const struct selection *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct pvctl_domain_info *info = s->info[i];

		if (info->flags & 64)
			note("%s (%u) ended too often, the last time by %s: it is kept, and not restarted.", shown_name(info),
			     info->domid, reason_name(info->reason) ? reason_name(info->reason) : "its destruction");
	}
}

static void json_state(struct json *j, const struct pvctl_domain_info *info)
{
	char uuid[37];

	uuid_text(info->uuid, uuid);
	json_str(j, "name", info->name[0] ? info->name : NULL);
	json_str(j, "uuid", uuid);
	json_u64(j, "unique_id", info->unique_id);
	json_str(j, "state", state_name(info->state));
	json_str(j, "reason", reason_name(info->reason));
	json_bool(j, "paused", info->flags & 4);
	json_bool(j, "kept", info->flags & 64);
	json_u64(j, "cpu_ns", info->cpu_ns);
	json_u64(j, "memory_bytes", info->memory_bytes);
	json_u64(j, "max_memory_bytes", info->max_memory_bytes);
	json_u64(j, "outstanding_bytes", info->outstanding_bytes);
	json_u64(j, "vcpus_online", info->vcpus_online);
	json_u64(j, "vcpus_max", info->vcpus_max);
	json_u64(j, "created_unix_ns", info->created_unix_ns);
	json_str(j, "type", info->type == PVCTL_TYPE_PVH ? "pvh" : "pv");
}

static int print_json(const struct selection *s)
{
	struct json *j = json_open(true);

	if (!j)
		return EXIT_FAILED;
	json_listing(j, "domains");
	for (size_t i = 0; i < s->n; i++) {
		json_map(j, NULL);
		json_u64(j, "domid", s->info[i]->domid);
		json_state(j, s->info[i]);
		json_end_map(j);
	}
	json_end_listing(j);
	return json_close(j);
}

/* The form of `xl list -l', a bare array, with what it lacks: the state at run time. */
static int print_long(struct pvctl *ctx, const struct selection *s)
{
	struct json *j = json_open(true);

	if (!j)
		return EXIT_FAILED;
	json_array(j, NULL);
	for (size_t i = 0; i < s->n; i++) {
		struct pvctl_config *config = NULL;

		json_map(j, NULL);
		json_u64(j, "domid", s->info[i]->domid);
		/* Domain 0 and a domain on its way out have none: no reason to show nothing at all. */
		if (pvctl_domain_config(ctx, s->info[i]->domid, &config, NULL))
			config = NULL;
		json_config(j, "config", config, s->info[i]);
		json_state(j, s->info[i]);
		json_end_map(j);
		pvctl_config_free(config);
	}
	json_end_array(j);
	return json_close(j);
}

#define COLUMNS_USUAL "name,id,mem,vcpus,state,time"

/* 0: as xl has it; 1: in columns, as lines or CSV; or an exit code + 1. */
static int chosen_form(const struct command *cmd, const struct parsed *in, const struct list_column *columns[], int *ret_n, bool *ret_csv,
		       bool *ret_json)
{
	const char *format = in->count[OPT_FORMAT] ? in->value[OPT_FORMAT] : "table", *bad;
	char names[200];

	*ret_csv = !strcmp(format, "csv");
	*ret_json = in->count[OPT_JSON] || !strcmp(format, "json");
	if (!*ret_csv && !*ret_json && strcmp(format, "table"))
		return command_usage(cmd, "--format: `%s' is none of table, json, csv", format) + 1;
	if ((in->count[OPT_LONG] || *ret_json) && in->count[OPT_COLUMNS])
		return command_usage(cmd, "--columns: JSON has all of them") + 1;
	if (!in->count[OPT_COLUMNS] && !*ret_csv)
		return 0;
	*ret_n = list_columns_parse(in->count[OPT_COLUMNS] ? in->value[OPT_COLUMNS] : COLUMNS_USUAL, columns, &bad);
	if (*ret_n > 0)
		return 1;
	list_columns_names(names, sizeof(names));
	return command_usage(cmd, "--columns: `%.*s' is none of %s", (int)strcspn(bad, ","), bad, names) + 1;
}

/* -c is xl's letter for the pool, and what others take for columns; no domain's name has a comma. */
static void take_columns(struct parsed *in)
{
	for (int i = 0; in->count[OPT_CPUPOOL] && !in->count[OPT_COLUMNS] && i < in->argc; i++) {
		if (!strchr(in->argv[i], ','))
			continue;
		in->count[OPT_COLUMNS] = 1;
		in->value[OPT_COLUMNS] = in->argv[i];
		in->argc--;
		memmove(&in->argv[i], &in->argv[i + 1], (size_t)(in->argc - i) * sizeof(in->argv[0]));
	}
}

static int list_run(const struct command *cmd, const struct parsed *given)
{
	struct parsed with_columns = *given;
	const struct parsed *in = &with_columns;
	const struct list_column *columns[LIST_COLUMNS_MAX];
	int n_columns = 0, form;
	bool csv, as_json;
	struct pvctl *ctx;
	struct selection s;
	int rc;

	take_columns(&with_columns);
	form = chosen_form(cmd, in, columns, &n_columns, &csv, &as_json);
	if (form > 1)
		return form - 1;
	ctx = node_open();

	if (!ctx)
		return EXIT_FAILED;
	rc = select_domains(ctx, in, &s);
	if (!rc && in->count[OPT_LONG])
		rc = print_long(ctx, &s);
	else if (!rc && as_json)
		rc = print_json(&s);
	else if (!rc && form)
		list_columns_print(s.info, s.n, columns, n_columns, csv);
	else if (!rc)
		print_table(&s, (struct columns){ .verbose = in->count[OPT_VERBOSE], .context = in->count[OPT_CONTEXT],
						  .cpupool = in->count[OPT_CPUPOOL], .numa = in->count[OPT_NUMA] });
	if (!rc && !in->count[OPT_LONG] && !as_json && !form)
		tell_kept(&s);
	selection_fini(&s);
	pvctl_close(ctx);
	return rc;
}

enum { VM_OPT_JSON };
static const struct option_def vm_options[] = {
	[VM_OPT_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

static int vm_list_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl *ctx = node_open();
	struct selection s;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = select_domains(ctx, in, &s);
	if (!rc && in->count[VM_OPT_JSON]) {
		rc = print_json(&s);
	} else if (!rc) {
		printf("UUID                                  ID    name\n");
		for (size_t i = 0; i < s.n; i++) {
			char uuid[37];

			uuid_text(s.info[i]->uuid, uuid);
			printf("%s  %d    %-30s\n", uuid, (int)s.info[i]->domid, shown_name(s.info[i]));
		}
	}
	selection_fini(&s);
	pvctl_close(ctx);
	return rc;
}

enum { CLAIMS_OPT_JSON };
static const struct option_def claims_options[] = {
	[CLAIMS_OPT_JSON] = { 0, "json", NULL, "as JSON; the claim is outstanding_bytes" },
	{ 0 }
};

static int claims_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl *ctx = node_open();
	struct selection s;
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	rc = select_domains(ctx, in, &s);
	if (!rc && in->count[CLAIMS_OPT_JSON])
		rc = print_json(&s);
	else if (!rc)
		print_table(&s, (struct columns){ .claims = true });
	selection_fini(&s);
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_claims = {
	.name = "claims", .args = "", .summary = "List domains with the memory that is set aside for them",
	.example = "  pvctl claims", .options = claims_options, .args_min = 0, .args_max = 0, .run = claims_run,
};
const struct command cmd_list = {
	.name = "list", .args = "[DOMAIN ...]", .summary = "List domains and their state",
	.example = "  pvctl list\n  pvctl list --json web1\n  pvctl list --format csv -o name,state,mem,time",
	.options = options, .args_min = 0, .args_max = -1, .run = list_run,
};
const struct command cmd_vm_list = {
	.name = "vm-list", .args = "", .summary = "List UUID, number and name of the domains",
	.example = "  pvctl vm-list", .options = vm_options, .args_min = 0, .args_max = 0, .run = vm_list_run,
};
