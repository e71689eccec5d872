/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/term.h"

#define MIB (1024 * 1024)
#define STOP_TIMEOUT_MS 15000
#define SHUTDOWN_TIMEOUT_MS 300000

enum { OPT_MEMORY, OPT_CPUS, OPT_ACCEL, OPT_ICOUNT, OPT_OVERCOMMIT, OPT_LIMITS, OPT_TIMEOUT, OPT_SLOW, OPT_HV, OPT_HV_CMDLINE, OPT_DAEMON, OPT_NO_AUTOSTART, OPT_QEMU };
static const struct option_def start_options[] = {
	[OPT_MEMORY] = { 'm', "memory", "SIZE", "RAM for the node, in MiB or with k, m, g, t (default: half of the host's)" },
	[OPT_CPUS] = { 'c', "cpus", "NUMBER", "CPUs (default: as the host has, at most 8)" },
	[OPT_ACCEL] = { 'a', "accel", "NAME", "kvm, tcg or auto (default)" },
	[OPT_ICOUNT] = { 0, "icount", NULL, "count instructions instead of time, for measurements" },
	[OPT_OVERCOMMIT] = { 0, "overcommit", NULL, "domains may have more memory than the host can back" },
	[OPT_LIMITS] = { 0, "limits", "NAME=NUMBER,...", "what logs and core dumps may take (see pvctld(8))" },
	[OPT_TIMEOUT] = { 0, "timeout", "SECONDS", "give up after so long (default: 30)" },
	[OPT_SLOW] = { 0, "slow-after", "SECONDS", "say that the hypervisor does not answer after so long (default: 10)" },
	[OPT_HV] = { 0, "hypervisor", "FILE", "the hypervisor's image (default: as installed)" },
	[OPT_HV_CMDLINE] = { 0, "hypervisor-options", "TEXT", "more for the hypervisor's command line" },
	[OPT_DAEMON] = { 0, "daemon", "FILE", "the daemon (default: as installed)" },
	[OPT_NO_AUTOSTART] = { 0, "no-autostart", NULL, "no defined domain starts with it" },
	[OPT_QEMU] = { 0, "qemu", "FILE", "the QEMU program (default: qemu-system-x86_64 on the PATH)" },
	{ 0 }
};

static const char *chosen(const struct parsed *in)
{
	return in->argc ? in->argv[0] : globals.node;
}

static int start_run(const struct command *cmd, const struct parsed *in)
{
	struct pvctl_node_start_opts opts = {
		.size = sizeof(opts), .name = chosen(in), .accel = in->value[OPT_ACCEL],
		.icount = in->count[OPT_ICOUNT] > 0, .overcommit = in->count[OPT_OVERCOMMIT] > 0, .no_autostart = in->count[OPT_NO_AUTOSTART] > 0, .hv_path = in->value[OPT_HV],
		.hv_cmdline = in->value[OPT_HV_CMDLINE], .daemon_path = in->value[OPT_DAEMON],
		.qemu_path = in->value[OPT_QEMU],
		.limits = in->value[OPT_LIMITS],
	};
	struct pvctl_node_info info = { .size = sizeof(info) };
	struct pvctl_error err = { 0 };

	if (in->count[OPT_MEMORY] && parse_size(in->value[OPT_MEMORY], &opts.memory_bytes))
		return command_usage(cmd, "`%s' is no size of memory", in->value[OPT_MEMORY]);
	if (in->count[OPT_CPUS] && parse_u32(in->value[OPT_CPUS], 1, 64, &opts.cpus))
		return command_usage(cmd, "`%s' is no number of CPUs from 1 to 64", in->value[OPT_CPUS]);
	if (opts.accel && strcmp(opts.accel, "auto") && strcmp(opts.accel, "kvm") && strcmp(opts.accel, "tcg"))
		return command_usage(cmd, "`%s' is not kvm, tcg or auto", opts.accel);
	if (in->count[OPT_TIMEOUT] && parse_seconds(in->value[OPT_TIMEOUT], &opts.timeout_ms))
		return command_usage(cmd, "`%s' is no time in seconds", in->value[OPT_TIMEOUT]);
	if (in->count[OPT_SLOW] && parse_seconds(in->value[OPT_SLOW], &opts.slow_after_ms))
		return command_usage(cmd, "`%s' is no time in seconds", in->value[OPT_SLOW]);
	if (node_start_reported(&opts, &err))
		return fail("node start", opts.name, &err);
	if (!pvctl_node_get(opts.name, &info, NULL))
		note("Node %s runs: %u CPUs, %" PRIu64 " MiB, %s.", info.name, info.cpus, info.memory_bytes / MIB, info.accel);
	return EXIT_OK;
}

enum { STOP_FORCE, STOP_TIMEOUT, STOP_SHUTDOWN };
static const struct option_def stop_options[] = {
	[STOP_FORCE] = { 'f', "force", NULL, "even when domains run on it" },
	[STOP_TIMEOUT] = { 0, "timeout", "SECONDS", "how long it may take (default: 15), or the domains with -s (300)" },
	[STOP_SHUTDOWN] = { 's', "shutdown", NULL, "ask the domains to power off first, the last that start first" },
	{ 0 }
};

/* Who has just shut down may not have been taken away yet: a few looks. An exit code where they cannot be counted. */
static int domains_of(const char *name, uint32_t *ret)
{
	struct pvctl_node_info info = { .size = sizeof(info) };
	struct pvctl_error err = { 0 };

	*ret = 0;
	for (unsigned int i = 0; i < 4; i++) {
		int rc;

		if (i)
			usleep(100000);
		rc = pvctl_node_get(name, &info, &err);
		if (rc && rc != -ENOENT) {
			fail("node stop", name, &err);
			note("Whether domains run on it is not known: --force stops it all the same.");
			return EXIT_FAILED;
		}
		if (rc || !info.domains)
			return 0;
	}
	*ret = info.domains;
	return 0;
}

static int stop_run(const struct command *cmd, const struct parsed *in)
{
	const char *name = chosen(in);
	uint32_t timeout_ms = STOP_TIMEOUT_MS;
	struct pvctl_error err = { 0 };
	uint32_t domains = 0;
	int rc;

	if (in->count[STOP_TIMEOUT] && parse_seconds(in->value[STOP_TIMEOUT], &timeout_ms))
		return command_usage(cmd, "`%s' is no time in seconds", in->value[STOP_TIMEOUT]);
	if (in->count[STOP_SHUTDOWN]) {
		rc = node_shut_domains(name, in->count[STOP_TIMEOUT] ? timeout_ms : SHUTDOWN_TIMEOUT_MS);
		if (rc)
			return rc;
		timeout_ms = STOP_TIMEOUT_MS;
	}
	if (!in->count[STOP_FORCE] && !in->count[STOP_SHUTDOWN] && !globals.force && domains_of(name, &domains))
		return EXIT_FAILED;
	if (domains) {
		say_error("node stop %s: %u domain%s on it would end at once; shut down first "
			  "(`pvctl shutdown -a -w'), or give --force", name ? name : "default", domains,
			  domains == 1 ? "" : "s");
		return EXIT_FAILED;
	}
	interrupts_say("the node goes on stopping");
	progress_begin("stopping the node");
	rc = pvctl_node_stop(name, timeout_ms, &err);
	progress_end();
	interrupts_quiet();
	if (rc == -ENOENT) {
		say_error("the node `%s' does not run", name ? name : "default");
		return EXIT_FAILED;
	}
	return rc ? fail("node stop", name, &err) : EXIT_OK;
}

enum { RESTART_TIMEOUT };
static const struct option_def restart_options[] = {
	[RESTART_TIMEOUT] = { 0, "timeout", "SECONDS", "how long it may take (default: 30)" },
	{ 0 }
};

static int restart_run(const struct command *cmd, const struct parsed *in)
{
	const char *name = chosen(in);
	struct pvctl_error err = { 0 };
	uint32_t timeout_ms = 0;
	int rc;

	if (in->count[RESTART_TIMEOUT] && parse_seconds(in->value[RESTART_TIMEOUT], &timeout_ms))
		return command_usage(cmd, "`%s' is no time in seconds", in->value[RESTART_TIMEOUT]);
	progress_begin("waiting for the new daemon");
	rc = pvctl_node_restart_daemon(name, timeout_ms, &err);
	progress_end();
	if (rc == -ENOENT) {
		say_error("the node `%s' does not run", name ? name : "default");
		return EXIT_FAILED;
	}
	return rc ? fail("node restart-daemon", name, &err) : EXIT_OK;
}

enum { LIST_JSON };
static const struct option_def list_options[] = {
	[LIST_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

static const char *state_of(const struct pvctl_node_info *n)
{
	return !n->running ? "stopped" : n->silent_ns ? "slow" : "running";
}

static void json_node(struct json *j, const struct pvctl_node_info *n)
{
	json_str(j, "name", n->name);
	json_bool(j, "running", n->running);
	json_u64(j, "pid", n->pid);
	json_u64(j, "qemu_pid", n->qemu_pid);
	json_u64(j, "cpus", n->cpus);
	json_u64(j, "memory_bytes", n->memory_bytes);
	json_str(j, "accel", n->accel);
	json_u64(j, "domains", n->domains);
	json_u64(j, "uptime_ns", n->uptime_ns);
	json_bool(j, "overcommit", n->overcommit);
	json_u64(j, "backed_bytes", n->backed_bytes);
	json_u64(j, "qemu_resident_bytes", n->qemu_resident_bytes);
	json_u64(j, "host_available_bytes", n->host_available_bytes);
	json_u64(j, "silent_ns", n->silent_ns);
	json_str(j, "qemu_confinement", n->qemu_confinement);
	json_str(j, "daemon_confinement", n->daemon_confinement);
	json_str(j, "store_socket", n->store_socket);
	json_str(j, "state_dir", n->state_dir);
	json_u64(j, "spawner_pid", n->spawner_pid);
	json_u64(j, "daemon_restarts", n->daemon_restarts);
	json_u64(j, "daemon_restarted_unix_ns", n->daemon_restarted_unix_ns);
}

static int list_json(const struct pvctl_node_list *list)
{
	const struct pvctl_node_info *n;
	struct json *j = json_open(true);

	if (!j)
		return EXIT_FAILED;
	json_listing(j, "nodes");
	for (size_t i = 0; (n = pvctl_node_list_at(list, i)); i++) {
		json_map(j, NULL);
		json_node(j, n);
		json_end_map(j);
	}
	json_end_listing(j);
	return json_close(j);
}

static int list_run(const struct command *cmd, const struct parsed *in)
{
	const struct pvctl_node_info *n;
	struct pvctl_node_list *list;
	struct pvctl_error err = { 0 };
	int rc = EXIT_OK;

	if (pvctl_node_list(&list, &err))
		return fail("node list", NULL, &err);
	if (in->count[LIST_JSON]) {
		rc = list_json(list);
	} else {
		printf("%-24s %-8s %7s %5s %8s %-5s %7s\n", "Name", "State", "PID", "CPUs", "Mem", "Accel", "Domains");
		for (size_t i = 0; (n = pvctl_node_list_at(list, i)); i++)
			printf("%-24s %-8s %7u %5u %8" PRIu64 " %-5s %7u\n", n->name, state_of(n),
			       n->pid, n->cpus, n->memory_bytes / MIB, n->accel[0] ? n->accel : "-", n->domains);
	}
	pvctl_node_list_free(list);
	return rc;
}

static void put_restarts(const struct pvctl_node_info *n)
{
	time_t t = (time_t)(n->daemon_restarted_unix_ns / UINT64_C(1000000000));
	char when[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf("%-23s: %u, the last at %s\n", "daemon_restarts", n->daemon_restarts, when);
}

static int info_run(const struct command *cmd, const struct parsed *in)
{
	const char *name = chosen(in);
	struct pvctl_error err = { 0 };
	struct pvctl_node_info n = { .size = sizeof(n) };
	int rc = pvctl_node_get(name, &n, &err);

	if (rc == -ENOENT) {
		say_error("there is no node `%s'", name ? name : "default");
		return EXIT_FAILED;
	}
	if (rc)
		return fail("node info", name, &err);
	if (in->count[LIST_JSON]) {
		struct json *j = json_document();

		if (!j)
			return EXIT_FAILED;
		json_node(j, &n);
		json_end_map(j);
		return json_close(j);
	}
	printf("%-23s: %s\n%-23s: %s\n", "name", n.name, "state", state_of(&n));
	if (n.silent_ns)
		printf("%-23s: the hypervisor has not answered for %" PRIu64 " s; QEMU is stopped, or the host is overloaded\n",
		       "slow", n.silent_ns / UINT64_C(1000000000));
	printf("%-23s: %u\n%-23s: %u\n", "pid", n.pid, "qemu_pid", n.qemu_pid);
	if (n.spawner_pid)
		printf("%-23s: %u\n", "spawner_pid", n.spawner_pid);
	if (n.daemon_restarts)
		put_restarts(&n);
	printf("%-23s: %u\n%-23s: %" PRIu64 "\n", "cpus", n.cpus, "memory", n.memory_bytes / MIB);
	if (n.running) {
		printf("%-23s: %" PRIu64 "\n%-23s: %" PRIu64 "\n", "backed_memory", n.backed_bytes / MIB,
		       "qemu_resident", n.qemu_resident_bytes / MIB);
		printf("%-23s: %" PRIu64 "\n%-23s: %u\n", "host_available", n.host_available_bytes / MIB,
		       "overcommit", n.overcommit);
		printf("%-23s: %s\n%-23s: %s\n", "qemu_confinement", n.qemu_confinement,
		       "daemon_confinement", n.daemon_confinement);
	}
	printf("%-23s: %s\n%-23s: %u\n", "accel", n.accel, "domains", n.domains);
	printf("%-23s: %" PRIu64 "\n", "uptime", n.uptime_ns / UINT64_C(1000000000));
	printf("%-23s: %s\n%-23s: %s\n", "store_socket", n.store_socket, "state_dir", n.state_dir);
	return EXIT_OK;
}

const struct command cmd_node_start = {
	.group = "node", .name = "start", .args = "[NODE]", .summary = "Start a node",
	.example = "  pvctl node start --memory 4g --cpus 2", .options = start_options, .args_max = 1, .run = start_run,
};
const struct command cmd_node_stop = {
	.group = "node", .name = "stop", .args = "[NODE]", .summary = "Stop a node",
	.example = "  pvctl shutdown -a -w && pvctl node stop", .options = stop_options, .args_max = 1, .run = stop_run,
};
const struct command cmd_node_restart_daemon = {
	.group = "node", .name = "restart-daemon", .args = "[NODE]", .summary = "Replace a node's daemon while its domains run",
	.example = "  pvctl node restart-daemon", .options = restart_options, .args_max = 1, .run = restart_run,
};
const struct command cmd_node_list = {
	.group = "node", .name = "list", .args = "", .summary = "List the nodes of this user",
	.example = "  pvctl node list", .options = list_options, .args_max = 0, .run = list_run,
};
const struct command cmd_node_info = {
	.group = "node", .name = "info", .args = "[NODE]", .summary = "Print facts about a node",
	.example = "  XENSTORED_PATH=$(pvctl node info | sed -n 's/^store_socket *: //p')",
	.options = list_options, .args_max = 1, .run = info_run,
};
