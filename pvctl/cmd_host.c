/* SPDX-License-Identifier: MIT */
/* info and dmesg. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"

#define MIB (1024 * 1024)

enum { OPT_NUMA, OPT_JSON };
static const struct option_def info_options[] = {
	[OPT_NUMA] = { 'n', "numa", NULL, "also the topology" },
	[OPT_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

struct fields {
	const char *only;  /* NULL: all; else just the values of fields that begin so */
	struct json *j;
	size_t shown;
};

static void field(struct fields *f, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void field(struct fields *f, const char *name, const char *fmt, ...)
{
	char value[512];
	va_list ap;

	if (f->only && strncmp(name, f->only, strlen(f->only)))
		return;
	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	f->shown++;
	if (f->j)
		json_str(f->j, name, value);
	else if (f->only)
		printf("%s\n", value);
	else
		printf("%-23s: %s\n", name, value);
}

static void machine_fields(struct fields *f, const struct pvctl_host_info *h)
{
	struct utsname u = { 0 };
	char caps[9 * 8 + 1];
	int n = 0;

	uname(&u);
	field(f, "host", "%s", u.nodename);
	field(f, "release", "%s", u.release);
	field(f, "version", "%s", u.version);
	field(f, "machine", "%s", u.machine);
	field(f, "nr_cpus", "%u", h->cpus);
	field(f, "max_cpu_id", "%u", h->max_cpu_id);
	field(f, "nr_nodes", "%u", h->nodes);
	field(f, "cores_per_socket", "%u", h->cores_per_socket);
	field(f, "threads_per_core", "%u", h->threads_per_core);
	field(f, "cpu_mhz", "%u.%03u", h->cpu_khz / 1000, h->cpu_khz % 1000);
	for (int i = 0; i < 8; i++)
		n += snprintf(caps + n, sizeof(caps) - (size_t)n, "%s%08x", i ? ":" : "", h->hw_cap[i]);
	field(f, "hw_caps", "%s", caps);
	field(f, "virt_caps", "pv%s%s", h->virt_caps & PVCTL_VIRT_HVM ? " hvm" : "", h->virt_caps & PVCTL_VIRT_HAP ? " hap" : "");
	field(f, "total_memory", "%" PRIu64, h->total_bytes / MIB);
	field(f, "free_memory", "%" PRIu64, (h->free_bytes - h->outstanding_bytes) / MIB);
	field(f, "sharing_freed_memory", "0");
	field(f, "sharing_used_memory", "0");
	field(f, "outstanding_claims", "%" PRIu64, h->outstanding_bytes / MIB);
	field(f, "reclaimable_memory", "%" PRIu64, h->reclaimable_bytes / MIB);
	field(f, "free_cpus", "0");
}

static void hypervisor_fields(struct fields *f, const struct pvctl_host_info *h)
{
	field(f, "xen_major", "%u", h->hv_major);
	field(f, "xen_minor", "%u", h->hv_minor);
	field(f, "xen_extra", "%s", h->hv_extra);
	field(f, "xen_version", "%u.%u%s", h->hv_major, h->hv_minor, h->hv_extra);
	field(f, "xen_caps", "%s", h->hv_caps);
	field(f, "xen_scheduler", "%s", h->scheduler);
	field(f, "xen_pagesize", "%u", h->page_size);
	field(f, "platform_params", "virt_start=0x%" PRIx64, h->virt_start);
	field(f, "xen_changeset", "%s", h->hv_changeset);
	field(f, "xen_commandline", "%s", h->hv_commandline);
	field(f, "cc_compiler", "%s", h->hv_compiler);
	field(f, "cc_compile_by", "%s", "");
	field(f, "cc_compile_domain", "%s", "");
	field(f, "cc_compile_date", "%s", h->hv_date);
	field(f, "build_id", "%s", "");
	field(f, "xend_config_format", "4");
}

/* A hosted node has one socket, and one node unless the hypervisor says otherwise. */
static void print_topology(const struct pvctl_host_info *h)
{
	uint32_t threads = h->threads_per_core ? h->threads_per_core : 1;
	uint32_t cores = h->cores_per_socket ? h->cores_per_socket : 1;

	printf("cpu_topology           :\ncpu:    core    socket     node\n");
	for (uint32_t i = 0; i < h->cpus; i++)
		printf("%3u:    %4u     %4u     %4u\n", i, i / threads % cores, i / (threads * cores), 0u);
	printf("numa_info              :\nnode:    memsize    memfree    distances\n");
	printf("%4u:    %6" PRIu64 "     %6" PRIu64 "      %s\n", 0u, h->total_bytes / MIB, h->free_bytes / MIB, "10");
}

static void json_numbers(struct json *j, const struct pvctl_host_info *h)
{
	json_u64(j, "cpus", h->cpus);
	json_u64(j, "cpu_khz", h->cpu_khz);
	json_u64(j, "total_bytes", h->total_bytes);
	json_u64(j, "free_bytes", h->free_bytes);
	json_u64(j, "outstanding_bytes", h->outstanding_bytes);
	json_u64(j, "scrub_bytes", h->scrub_bytes);
	json_u64(j, "reclaimable_bytes", h->reclaimable_bytes);
	json_array(j, "free_cpu_ns");
	for (uint32_t i = 0; i < h->cpus && i < 64; i++)
		json_u64(j, NULL, h->free_cpu_ns[i]);
	json_end_array(j);
}

static int show_info(const struct pvctl_host_info *h, const struct parsed *in)
{
	struct fields f = { .only = in->argc ? in->argv[0] : NULL };

	if (in->count[OPT_JSON]) {
		f.j = json_open(true);
		if (!f.j)
			return EXIT_FAILED;
		json_map(f.j, NULL);
		json_u64(f.j, "schema", JSON_SCHEMA);
		if (!f.only)
			json_numbers(f.j, h);
		json_map(f.j, "info");
	}
	machine_fields(&f, h);
	hypervisor_fields(&f, h);
	if (f.j) {
		json_end_map(f.j);
		json_end_map(f.j);
		return json_close(f.j);
	}
	if (!f.only && in->count[OPT_NUMA])
		print_topology(h);
	return EXIT_OK;
}

static int info_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	struct pvctl_host_info *host;
	struct pvctl *ctx = node_open();
	int rc;

	if (!ctx)
		return EXIT_FAILED;
	host = calloc(1, sizeof(*host));
	if (host)
		host->size = sizeof(*host);
	if (host && !pvctl_host_get(ctx, host, &err))
		rc = show_info(host, in);
	else
		rc = fail("info", NULL, &err);
	free(host);
	pvctl_close(ctx);
	return rc;
}

enum { DMESG_CLEAR, DMESG_JSON };
static const struct option_def dmesg_options[] = {
	[DMESG_CLEAR] = { 'c', "clear", NULL, "forget what was printed" },
	[DMESG_JSON] = { 0, "json", NULL, "its lines as JSON" },
	{ 0 }
};

static int dmesg_json(char *text)
{
	struct json *j = json_document();
	char *line, *rest = text;

	if (!j)
		return EXIT_FAILED;
	json_array(j, "lines");
	while ((line = strsep(&rest, "\n")))
		if (rest || line[0])
			json_str(j, NULL, line);
	json_end_array(j);
	json_end_map(j);
	return json_close(j);
}

static int dmesg_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = node_open();
	char *text;
	int rc = EXIT_OK;

	if (!ctx)
		return EXIT_FAILED;
	if (pvctl_host_dmesg(ctx, in->count[DMESG_CLEAR], &text, &err)) {
		rc = fail("dmesg", NULL, &err);
	} else if (in->count[DMESG_JSON]) {
		rc = dmesg_json(text);
		pvctl_free(text);
	} else {
		/* Guests can cause lines in it. */
		if (isatty(STDOUT_FILENO))
			print_clean(stdout, text);
		else
			fputs(text, stdout);
		if (text[0] && text[strlen(text) - 1] != '\n')
			putchar('\n');
		pvctl_free(text);
	}
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_info = {
	.name = "info", .args = "[FIELD]", .summary = "Print facts about the node, or one of them",
	.example = "  pvctl info free_memory", .options = info_options, .args_min = 0, .args_max = 1, .run = info_run,
};
const struct command cmd_dmesg = {
	.name = "dmesg", .args = "", .summary = "Print the hypervisor's log",
	.example = "  pvctl dmesg", .options = dmesg_options, .args_min = 0, .args_max = 0, .run = dmesg_run,
};
