/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/json.h"
#include "pvctl/load.h"
#include "pvctl/term.h"

enum { OPT_SSH, OPT_CONFIG, OPT_EXIT, OPT_PAUSED, OPT_PRESERVE, OPT_DEBUG, OPT_JSON, OPT_LIVE };
static const struct option_def options[] = {
	[OPT_SSH] = { 's', "ssh", "COMMAND", "instead of ssh; empty: HOST is the whole command" },
	[OPT_CONFIG] = { 'C', "config", "FILE", "send this configuration instead of the domain's own" },
	[OPT_EXIT] = { 'e', NULL, NULL, NULL },
	[OPT_PAUSED] = { 'p', "paused", NULL, "leave it paused there" },
	[OPT_PRESERVE] = { 'D', NULL, NULL, "it keeps its domain id, or does not move" },
	[OPT_DEBUG] = { 0, "debug", NULL, "say what is done, on both sides" },
	[OPT_JSON] = { 0, "json", NULL, "print the result as JSON" },
	[OPT_LIVE] = { 0, "live", NULL, NULL },
	{ 0 }
};

/* ---- tests ---- */

static void step(void *data, const char *name)
{
	test_hook("PVCTL_MIGRATE_HOOK", name);
}

static void say(void *data, const char *line)
{
	if (globals.verbose || *(const bool *)data)
		note("%s", line);
}

/* ---- the sender ---- */

struct peer { pid_t pid; int in, out; };

/* As xl has it: what a shell makes of it is the user's to say. */
static char *peer_command(const struct parsed *in)
{
	const char *ssh = in->count[OPT_SSH] ? in->value[OPT_SSH] : "ssh";
	char *command = NULL;

	if (!ssh[0])
		return strdup(in->argv[1]);
	if (asprintf(&command, "exec %s %s %s migrate-receive%s%s%s", ssh, in->argv[1], globals.as_xl ? "xl" : "pvctl",
		     in->count[OPT_EXIT] ? " -e" : "", in->count[OPT_DEBUG] ? " -d" : "", in->count[OPT_PAUSED] ? " -p" : "") < 0)
		return NULL;
	return command;
}

static void __attribute__((noreturn)) peer_exec(const char *command, int in, int out)
{
	/* A terminal's interrupt is for us: what is undecided must not lose its connection to it. */
	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static int peer_start(const char *command, struct peer *p)
{
	int there[2], back[2];

	if (pipe2(there, O_CLOEXEC))
		return -errno;
	if (pipe2(back, O_CLOEXEC)) {
		close(there[0]);
		close(there[1]);
		return -EIO;
	}
	p->pid = fork();
	if (!p->pid)
		peer_exec(command, there[0], back[1]);
	close(there[0]);
	close(back[1]);
	p->in = back[0];
	p->out = there[1];
	/* The larger, the fewer changes of processes. */
	(void)fcntl(p->out, F_SETPIPE_SZ, 1 << 20);
	return p->pid < 0 ? -EIO : 0;
}

static void peer_end(const struct peer *p)
{
	int status = 0;

	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		say_error("the receiving side was killed by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		say_error("the receiving side ended with status %d", WEXITSTATUS(status));
}

static const char *const end_names[] = { "there", "here", "suspended", "unknown" };

static int print_result(const char *name, const struct pvctl_migrate_result *r)
{
	struct json *j = json_document();

	if (!j)
		return EXIT_FAILED;
	json_str(j, "domain", name);
	json_str(j, "end", end_names[r->end]);
	json_u64(j, "rounds", r->rounds);
	json_u64(j, "bytes", r->bytes);
	json_u64(j, "pages", r->pages);
	json_u64(j, "total_ns", r->total_ns);
	json_u64(j, "pause_ns", r->pause_ns);
	json_end_map(j);
	return json_close(j);
}

/* Started here with its node it would be a second one, on the same disks. */
static void stays_away(const char *name)
{
	const struct pvctl_autostart_opts off = { .size = sizeof(off), .order = -1, .delay_ms = -1 };
	const struct pvctl_defined_info *i;
	struct pvctl_defined_list *list;

	if (pvctl_defined_list(globals.node, &list, NULL))
		return;
	for (size_t n = 0; (i = pvctl_defined_list_at(list, n)); n++)
		if (!strcmp(i->name, name) && i->autostart && !pvctl_defined_autostart(globals.node, name, &off, NULL))
			note("%s is still defined here, but does not start with this node any more.", name);
	pvctl_defined_list_free(list);
}

static void explain(const struct pvctl_migrate_result *r, const char *name)
{
	if (r->end != PVCTL_MIGRATE_HERE && r->end != PVCTL_MIGRATE_STUCK)
		stays_away(name);
	switch (r->end) {
	case PVCTL_MIGRATE_HERE:
		note("Migration failed, domain %s goes on here.", name);
		break;
	case PVCTL_MIGRATE_STUCK:
		note("Migration failed, and domain %s is suspended: `pvctl resume %s' lets it go on once what is said above is cured.",
		     name, name);
		break;
	case PVCTL_MIGRATE_UNKNOWN:
		note("** Migration failed during final handshake **\n"
		     "It is not known whether the domain runs at the other side; here it is suspended, as %s--migratedaway.\n"
		     "Look there first. If it does not run there, `pvctl resume %s--migratedaway' lets it go on here; two of\n"
		     "them would destroy what is on its disks.", name, name);
		break;
	default:
		note("Migration successful.");
	}
}

static int send_domain(struct pvctl *ctx, uint32_t domid, const struct pvctl_config *config, const struct parsed *in)
{
	bool debug = in->count[OPT_DEBUG] != 0;
	const struct pvctl_migrate_opts o = { .size = sizeof(o), .config = config, .say = say, .step = step, .data = &debug,
					      .keep_domid = in->count[OPT_PRESERVE] != 0 };
	struct pvctl_migrate_result r = { .size = sizeof(r) };
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl_error err = { 0 };
	char *command = peer_command(in), name[160];
	struct peer p = { .pid = -1, .in = -1, .out = -1 };
	int rc;

	snprintf(name, sizeof(name), "%s", pvctl_domain_get(ctx, domid, &info, &err) ? in->argv[0] : info.name);
	rc = command ? peer_start(command, &p) : -ENOMEM;
	free(command);
	if (rc) {
		say_error("migrate %s: the receiving side cannot be started: %s", name, strerror(-rc));
		return EXIT_FAILED;
	}
	interrupts_catch();
	signal(SIGPIPE, SIG_IGN);
	progress_begin("migrating");
	progress_unit(4096);
	rc = pvctl_domain_migrate_send(ctx, domid, p.in, p.out, &o, &r, &err);
	progress_end();
	peer_end(&p);
	if (rc)
		fail("migrate", name, &err);
	explain(&r, name);
	if (in->count[OPT_JSON] && print_result(name, &r))
		return EXIT_FAILED;
	return rc ? EXIT_FAILED : EXIT_OK;
}

static int migrate_run(const struct command *cmd, const struct parsed *in)
{
	struct load_opts load = { .filename = in->value[OPT_CONFIG], .quiet = true };
	struct pvctl_config *config = NULL;
	struct pvctl *ctx;
	uint32_t domid;
	int rc;

	if (in->count[OPT_CONFIG]) {
		rc = config_load(&load, &config);
		if (rc)
			return rc;
	}
	ctx = node_open();
	rc = ctx ? domain_resolve(ctx, in->argv[0], &domid) : EXIT_FAILED;
	if (!rc)
		rc = send_domain(ctx, domid, config, in);
	pvctl_close(ctx);
	pvctl_config_free(config);
	return rc;
}

/* ---- the receiver ---- */

enum { R_OPT_DEBUG, R_OPT_PAUSED, R_OPT_EXIT, R_OPT_LIVE, R_OPT_PRESERVE };
static const struct option_def receive_options[] = {
	[R_OPT_DEBUG] = { 'd', "debug", NULL, "say what is done" },
	[R_OPT_PAUSED] = { 'p', "paused", NULL, "leave it paused" },
	[R_OPT_EXIT] = { 'e', NULL, NULL, NULL },
	[R_OPT_LIVE] = { 0, "live", NULL, NULL },
	[R_OPT_PRESERVE] = { 'D', NULL, NULL, NULL },
	{ 0 }
};

/* What is printed must not come between the messages. */
static int own_output(void)
{
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	if (out >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
		close(out);
		return -1;
	}
	return out;
}

static int receive_run(const struct command *cmd, const struct parsed *in)
{
	bool debug = in->count[R_OPT_DEBUG] != 0;
	const struct pvctl_migrate_opts o = { .size = sizeof(o), .paused = in->count[R_OPT_PAUSED] != 0, .say = say, .step = step,
					      .data = &debug };
	struct pvctl_error err = { 0 };
	int in_fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), out_fd = own_output(), rc;
	struct pvctl *ctx;
	uint32_t domid;

	if (in_fd < 0 || out_fd < 0) {
		say_error("migrate-receive: standard input and output are to be the connection: %s", strerror(errno));
		return EXIT_FAILED;
	}
	signal(SIGPIPE, SIG_IGN);
	ctx = node_open_or_start();
	if (!ctx)
		return EXIT_FAILED;
	rc = pvctl_domain_migrate_receive(ctx, in_fd, out_fd, &o, &domid, &err);
	if (rc)
		rc = fail(cmd->name, "", &err);
	pvctl_close(ctx);
	return rc;
}

const struct command cmd_migrate = {
	.name = "migrate", .args = "DOMAIN HOST", .summary = "Move a running domain to another host",
	.example = "  pvctl migrate web1 host2\n  pvctl migrate -s '' web1 'ssh -p 2222 host2 pvctl migrate-receive'",
	.options = options, .args_min = 2, .args_max = 2, .run = migrate_run,
};
const struct command cmd_migrate_receive = {
	.name = "migrate-receive", .args = "", .summary = "Receive a domain that is sent by migrate, on standard input",
	.example = "  socat TCP-LISTEN:8002 EXEC:'pvctl migrate-receive'", .options = receive_options, .args_min = 0, .args_max = 0, .run = receive_run,
};
