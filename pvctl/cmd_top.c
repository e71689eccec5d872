/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/term.h"
#include "pvctl/top.h"

#define DELAY_MS 3000

enum { OPT_BATCH, OPT_ITERATIONS, OPT_DELAY, OPT_SORT, OPT_FULL, OPT_NETWORKS, OPT_VBDS, OPT_VCPUS, OPT_REPEAT, OPT_JSON };
static const struct option_def options[] = {
	[OPT_BATCH] = { 'b', "batch", NULL, "lines on standard output, as xentop prints them" },
	[OPT_ITERATIONS] = { 'i', "iterations", "NUMBER", "end after so many looks" },
	[OPT_DELAY] = { 'd', "delay", "SECONDS", "between two looks (default: 3)" },
	[OPT_SORT] = { 's', "sort", "NAME", "by id (default), name, cpu, time, mem, net or disk" },
	[OPT_FULL] = { 'f', "full-name", NULL, "names longer than ten letters, too" },
	[OPT_NETWORKS] = { 'n', "networks", NULL, "also each network interface" },
	[OPT_VBDS] = { 'x', "vbds", NULL, "also each disk" },
	[OPT_VCPUS] = { 'v', "vcpus", NULL, "also each vCPU" },
	[OPT_REPEAT] = { 'r', "repeat-header", NULL, "the header above each domain" },
	[OPT_JSON] = { 0, "json", NULL, "a JSON document for each look, on a line" },
	{ 0 }
};

static void print_batch(const struct top *t, bool repeat)
{
	char line[600];

	for (size_t i = 0; i < t->n; i++) {
		if (!i || repeat) {
			top_header(line, sizeof(line));
			puts(line);
		}
		top_line(t, &t->row[i], line, sizeof(line));
		print_clean(stdout, line);
		putchar('\n');
		for (unsigned int k = 0; top_detail(t, &t->row[i], k, line, sizeof(line)); k++)
			puts(line);
	}
	fflush(stdout);
}

static void put_json(struct json *j, const struct top *t)
{
	json_map(j, NULL);
	json_u64(j, "schema", JSON_SCHEMA);
	json_u64(j, "total_bytes", t->host.total_bytes);
	json_u64(j, "free_bytes", t->host.free_bytes);
	json_array(j, "domains");
	for (size_t i = 0; i < t->n; i++) {
		const struct top_row *r = &t->row[i];

		json_map(j, NULL);
		json_u64(j, "domid", r->info.domid);
		json_str(j, "name", r->info.name[0] ? r->info.name : NULL);
		json_str(j, "state", state_name(r->info.state));
		json_str(j, "reason", reason_name(r->info.reason));
		json_u64(j, "cpu_ns", r->info.cpu_ns);
		json_u64(j, "cpu_permille", (uint64_t)(r->cpu_percent * 10 + 0.5));
		json_u64(j, "memory_bytes", r->info.memory_bytes);
		json_u64(j, "max_memory_bytes", r->info.max_memory_bytes);
		json_u64(j, "vcpus_online", r->info.vcpus_online);
		json_u64(j, "vifs", r->nets);
		json_u64(j, "tx_bytes", r->net_tx);
		json_u64(j, "rx_bytes", r->net_rx);
		json_u64(j, "disks", r->disks);
		json_u64(j, "reads", r->reads);
		json_u64(j, "writes", r->writes);
		json_u64(j, "read_sectors", r->read_sectors);
		json_u64(j, "write_sectors", r->write_sectors);
		json_u64(j, "errors", r->errors);
		json_end_map(j);
	}
	json_end_array(j);
	json_end_map(j);
	json_flush_line(j);
}

static int in_lines(struct top *t, uint32_t delay_ms, uint32_t iterations, bool repeat, bool as_json)
{
	struct json *j = as_json ? json_open(false) : NULL;
	int rc = as_json && !j ? EXIT_FAILED : EXIT_OK;

	interrupts_catch();
	for (uint32_t i = 0; !rc && !interrupted() && (!iterations || i < iterations) && !ferror(stdout); i++) {
		if (i)
			usleep(delay_ms * 1000u);
		if (!interrupted())
			rc = top_look(t);
		if (!rc && j)
			put_json(j, t);
		else if (!rc)
			print_batch(t, repeat);
	}
	json_free(j);
	return rc;
}

static int parse_sort(const char *text, enum top_sort *ret)
{
	for (unsigned int i = 0; i < TOP_SORTS; i++)
		if (!strcmp(text, top_sort_names[i])) {
			*ret = (enum top_sort)i;
			return 0;
		}
	return -1;
}

static int top_run(const struct command *cmd, const struct parsed *in)
{
	struct top t = { .full_name = in->count[OPT_FULL], .networks = in->count[OPT_NETWORKS], .vbds = in->count[OPT_VBDS],
			 .vcpus = in->count[OPT_VCPUS] };
	uint32_t delay_ms = DELAY_MS, iterations = 0;
	bool lines = in->count[OPT_BATCH] || in->count[OPT_JSON];
	int rc;

	if (in->count[OPT_ITERATIONS] && parse_u32(in->value[OPT_ITERATIONS], 1, UINT32_MAX, &iterations))
		return command_usage(cmd, "`%s' is no number of looks", in->value[OPT_ITERATIONS]);
	if (in->count[OPT_DELAY] && (parse_seconds(in->value[OPT_DELAY], &delay_ms) || delay_ms > 3600000))
		return command_usage(cmd, "`%s' is no time of at most an hour", in->value[OPT_DELAY]);
	if (in->count[OPT_SORT] && parse_sort(in->value[OPT_SORT], &t.sort))
		return command_usage(cmd, "--sort: `%s' is none of id, name, cpu, time, mem, net, disk", in->value[OPT_SORT]);
	if (!lines && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		return command_usage(cmd, "this is no terminal: -b prints lines");
	t.ctx = node_open();
	if (!t.ctx)
		return EXIT_FAILED;
	rc = lines ? in_lines(&t, delay_ms, iterations, in->count[OPT_REPEAT] > 0, in->count[OPT_JSON] > 0) :
		     top_screen(&t, delay_ms, iterations);
	top_fini(&t);
	pvctl_close(t.ctx);
	return rc;
}

const struct command cmd_top = {
	.name = "top", .args = "", .summary = "Show what domains use, as it changes",
	.example = "  pvctl top\n  pvctl top -b -i 2 -d 1 -f", .options = options, .args_max = 0, .run = top_run,
};
