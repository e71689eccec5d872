/* SPDX-License-Identifier: MIT */
/*
 * pvctld: the daemon of one hosted node. Started by libpvctl (pvctl_node_start),
 * which learns over --ready-fd whether the node runs: "ok\n" or "error TEXT\n".
 */
#include "libpvctl/src/util/paths.h"
#include "pvctld/base/log.h"
#include "pvctld/block/uring.h"
#include "pvctld/core/daemon.h"
#include "pvctld/core/privileges.h"
#include "pvctld/core/seal.h"
#include "pvctld/jail/clean.h"
#include "pvctld/life/autostart.h"
#include "pvctld/node/node.h"
#include "pvctld/spawn/ask.h"
#include "pvctld/spawn/keep.h"
#include "pvctld/state/die.h"
#include "pvctld/spawner/spawner.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MIN_MEMORY (64ull << 20)
#define MAX_MEMORY (512ull << 30)
#define MAX_CPUS 64u

static struct daemon daemon_state;
static struct loop_fd signals;

enum { OPT_NODE = 1, OPT_MEMORY, OPT_CPUS, OPT_ACCEL, OPT_ICOUNT, OPT_OVERCOMMIT, OPT_HV, OPT_HV_CMDLINE, OPT_QEMU, OPT_READY, OPT_FOREGROUND,
	OPT_SLOW, OPT_LIMITS, OPT_REBUILD, OPT_AUTOSTART, OPT_NO_AUTOSTART, OPT_SPAWNED, OPT_ADOPT, OPT_UID, OPT_STATE_VERSION, OPT_VERSION };

static const struct option options[] = {
	{ "node", required_argument, NULL, OPT_NODE },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "accel", required_argument, NULL, OPT_ACCEL },
	{ "icount", no_argument, NULL, OPT_ICOUNT },
	{ "overcommit", no_argument, NULL, OPT_OVERCOMMIT },
	{ "slow-after", required_argument, NULL, OPT_SLOW },
	{ "limits", required_argument, NULL, OPT_LIMITS },
	{ "hv", required_argument, NULL, OPT_HV },
	{ "hv-cmdline", required_argument, NULL, OPT_HV_CMDLINE },
	{ "qemu", required_argument, NULL, OPT_QEMU },
	{ "ready-fd", required_argument, NULL, OPT_READY },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "rebuild", required_argument, NULL, OPT_REBUILD },
	{ "autostart", required_argument, NULL, OPT_AUTOSTART },
	{ "no-autostart", no_argument, NULL, OPT_NO_AUTOSTART },
	/* The spawner's. */
	{ "spawned", required_argument, NULL, OPT_SPAWNED },
	{ "adopt", no_argument, NULL, OPT_ADOPT },
	{ "state-version", no_argument, NULL, OPT_STATE_VERSION },
	{ "uid", required_argument, NULL, OPT_UID },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

static const char usage[] =
	"usage: pvctld --node NAME --memory BYTES --cpus N [--accel auto|kvm|tcg] [--icount] [--overcommit]\n"
	"              [--slow-after MS] --hv PATH [--hv-cmdline TEXT] [--qemu PATH] [--limits NAME=NUMBER,...]\n"
	"              [--ready-fd N] [--foreground] [--no-autostart]\n"
	"       pvctld --rebuild NODE CONFIGFILE\n"
	"       pvctld --autostart NODE\n";

static bool number(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(s, &end, 10);
	return s[0] >= '0' && s[0] <= '9' && !*end && !errno && *ret >= min && *ret <= max;
}

static bool set_option(struct daemon_opts *o, int c, const char *arg)
{
	struct pvctl_error e;
	uint64_t n = 0;

	switch (c) {
	case OPT_NODE:
		o->node = arg;
		return true;
	case OPT_MEMORY:
		if (!number(arg, MIN_MEMORY, MAX_MEMORY, &o->memory_bytes))
			return false;
		o->memory_bytes &= ~((1ull << 20) - 1);
		return true;
	case OPT_CPUS:
		if (!number(arg, 1, MAX_CPUS, &n))
			return false;
		o->cpus = (uint32_t)n;
		return true;
	case OPT_ACCEL:
		o->accel = arg;
		return true;
	case OPT_ICOUNT:
		o->icount = true;
		return true;
	case OPT_OVERCOMMIT:
		o->overcommit = true;
		return true;
	case OPT_NO_AUTOSTART:
		o->no_autostart = true;
		return true;
	case OPT_SLOW:
		if (!number(arg, 100, 3600000, &n))
			return false;
		o->slow_ms = (uint32_t)n;
		return true;
	case OPT_LIMITS:
		if (!limits_parse(&o->limits, arg, &e))
			return true;
		fprintf(stderr, "pvctld: %s\n", e.msg);
		return false;
	case OPT_HV:
		o->hv_path = arg;
		return true;
	case OPT_HV_CMDLINE:
		o->hv_cmdline = arg;
		return true;
	case OPT_QEMU:
		o->qemu_path = arg;
		return true;
	case OPT_READY:
		if (!number(arg, 3, 1u << 20, &n))
			return false;
		o->ready_fd = (int)n;
		return true;
	case OPT_FOREGROUND:
		o->foreground = true;
		return true;
	case OPT_SPAWNED:
		o->spawned = true;
		o->ready_fd = strcmp(arg, "ready") ? -1 : SPAWN_READY_FD;
		return true;
	case OPT_UID:
		if (!number(arg, 0, UINT32_MAX - 1, &n))
			return false;
		o->uid = (uid_t)n;
		return true;
	case OPT_ADOPT:
		o->adopt = true;
		return true;
	}
	return false;
}

static void say_ready(struct daemon *d, const struct pvctl_error *e)
{
	char line[sizeof(e->msg) + 16];
	int n;

	if (d->opt.ready_fd >= 0) {
		n = e ? snprintf(line, sizeof(line), "error %s\n", e->msg) : snprintf(line, sizeof(line), "ok\n");
		(void)!write(d->opt.ready_fd, line, (size_t)n);
		close(d->opt.ready_fd);
		d->opt.ready_fd = -1;
	} else if (e) {
		fprintf(stderr, "pvctld: %s\n", e->msg);
	}
}

/* Of its own session, without the caller's terminal, directory and descriptors. */
static int detach(struct daemon *d)
{
	int null;

	if (d->opt.ready_fd > 3)
		(void)close_range(3, (unsigned int)d->opt.ready_fd - 1, 0);
	(void)close_range(d->opt.ready_fd < 3 ? 3 : (unsigned int)d->opt.ready_fd + 1, ~0u, 0);
	if (d->opt.ready_fd >= 0)
		(void)fcntl(d->opt.ready_fd, F_SETFD, FD_CLOEXEC);
	umask(077);
	/* A starter that waits to hear made a process for us alone, knows it by its id, and gave it a stderr. */
	if (d->opt.foreground || d->opt.ready_fd >= 0)
		return chdir("/") ? -errno : 0;
	switch (fork()) {
	case -1:
		return -errno;
	case 0:
		break;
	default:
		_exit(0);
	}
	setsid();
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || chdir("/"))
		return -EIO;
	if (null > 2)
		close(null);
	return 0;
}

static void on_signal(void *data, uint32_t events)
{
	struct signalfd_siginfo si;

	if (read(signals.fd, &si, sizeof(si)) != sizeof(si))
		return;
	log_line("signal %u", si.ssi_signo);
	if (daemon_state.stop && si.ssi_signo == SIGINT)
		daemon_quit(&daemon_state); /* asked for twice from a terminal */
	stop_begin(&daemon_state);
}

static int watch_signals(struct daemon *d, struct pvctl_error *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || loop_fd_add_urgent(&d->loop, &signals, fd, EPOLLIN, on_signal, d))
		return fail(err, -EIO, "signalfd: %s", strerror(errno));
	return 0;
}

static int open_log(struct daemon *d, struct pvctl_error *err)
{
	char log[300];

	snprintf(log, sizeof(log), "%s/daemon.log", d->state_dir);
	log_limit(d->opt.limits.log);
	if (!d->opt.foreground && log_open(log))
		return fail(err, -EIO, "%s: %s", log, strerror(errno));
	return 0;
}

/* Of its own, or another daemon's. */
static int begin_state(struct daemon *d, struct pvctl_error *err)
{
	static const char *const names[] = { "state-store", "state-records", "state-rings" };
	int fds[3], rc = 0;

	for (unsigned int i = 0; i < 3 && d->opt.adopt && !rc; i++) {
		fds[i] = keep_take(names[i]);
		rc = fds[i] < 0 ? fds[i] : 0;
	}
	if (d->opt.adopt)
		rc = rc ? rc : state_open(&d->state, fds[0], fds[1], fds[2]);
	else
		rc = state_new(&d->state);
	if (rc)
		return fail(err, rc, "what is known of the node cannot be %s: %s", d->opt.adopt ? "taken over" : "kept",
			    rc == -EPROTO ? "another version of pvctld wrote it, or it is damaged" : strerror(-rc));
	if (d->opt.adopt)
		return 0;
	rc = keep_put(names[0], d->state.store.fd);
	rc = rc ? rc : keep_put(names[1], d->state.records.fd);
	rc = rc ? rc : keep_put(names[2], d->state.slots_fd);
	return rc ? fail(err, rc, "the spawner: %s", strerror(-rc)) : 0;
}

static int begin_node(struct daemon *d, struct pvctl_error *err)
{
	int rc;

	d->adopting = d->opt.adopt;
	if (d->opt.adopt)
		return node_adopt(d, err);
	rc = node_start(d, err);
	return rc ? rc : node_keep(d, err);
}

static int start(struct daemon *d, struct pvctl_error *err)
{
	int rc = rundir_share(d, SPAWN_LOCK_FD, err);

	rc = rc ? rc : open_log(d, err);
	die_read(d->state_dir);
	rc = rc ? rc : privileges_forget(err);
	blk_uring_prepare();
	rc = rc ? rc : seal(d->opt.uid, d->state_dir, err);
	if (rc)
		return rc;
	log_line("pvctld %s, node %s, process %d%s", PVCTL_VERSION, d->opt.node, (int)getpid(),
		 d->opt.adopt ? ", takes over from one that ended" : "");
	if (loop_init(&d->loop))
		return fail(err, -EIO, "epoll: %s", strerror(errno));
	rc = watch_signals(d, err);
	rc = rc ? rc : begin_state(d, err);
	rc = rc ? rc : begin_node(d, err);
	rc = rc ? rc : daemon_serve(d, err);
	if (!rc && (rc = spawn_up()))
		fail(err, rc, "the spawner: %s", strerror(-rc));
	return rc;
}

/*
 * Domains run, and nothing of what they need is lost: what is wanting, as memory or descriptors, may be there in a while.
 * The spawner starts the next one, a few times.
 */
static void __attribute__((noreturn)) leave_to_another(const struct pvctl_error *e)
{
	const struct timespec pause = { .tv_sec = 1 };

	log_line("cannot take over: %s", e->msg);
	nanosleep(&pause, NULL);
	_exit(1);
}

static int run(struct daemon *d)
{
	struct pvctl_error e = { 0 };
	int rc;

	daemon_init(d);
	rc = start(d, &e);
	if (rc && d->opt.adopt)
		leave_to_another(&e);
	d->exit_status = rc ? 1 : 0;
	if (rc)
		log_line("cannot start: %s", e.msg);
	else
		say_ready(d, NULL);
	clean_unmap();
	if (!rc)
		loop_run(&d->loop);
	daemon_finish(d);
	if (rc)
		say_ready(d, &e);
	return d->exit_status;
}

/* The directory will be left. A path that leads nowhere is told of later. */
static void make_absolute(const char **path)
{
	char *full = **path != '/' ? realpath(*path, NULL) : NULL;

	if (full)
		*path = full;
}

/* The spawner's part of the start: who holds the lock is there for as long as the node is. */
static int spawn(struct daemon *d, char *const *argv)
{
	struct pvctl_error e = { 0 };
	int rc = detach(d);

	if (rc) {
		fprintf(stderr, "pvctld: %s\n", strerror(-rc));
		return 1;
	}
	daemon_init(d);
	node_set_size(d);
	rc = paths_check_node(d->opt.node, &e);
	rc = rc ? rc : rundir_take(d, &e);
	/* What a spawner that was killed has not taken back. */
	if (!rc)
		state_take_back(d);
	rc = rc ? rc : open_log(d, &e);
	rc = rc ? rc : spawner_run(d, argv, &e);
	if (rc >= 0)
		return rc;
	rundir_release(d);
	say_ready(d, &e);
	return 1;
}

int main(int argc, char **argv)
{
	struct daemon *d = &daemon_state;
	struct rlimit rl;
	int c;

	d->opt = (struct daemon_opts){ .ready_fd = -1, .accel = "auto" };
	limits_default(&d->opt.limits);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == OPT_REBUILD && optind == argc - 1)
			return rebuild_main(optarg, argv[optind]);
		if (c == OPT_STATE_VERSION) {
			puts(SPAWNER_VERSIONS);
			return 0;
		}
		if (c == OPT_AUTOSTART && optind == argc)
			return autostart_main(optarg);
		if (c == OPT_VERSION) {
			puts("pvctld " PVCTL_VERSION);
			return 0;
		}
		if (!set_option(&d->opt, c, optarg)) {
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind != argc || !d->opt.node || !d->opt.hv_path || !d->opt.memory_bytes || !d->opt.cpus) {
		fputs(usage, stderr);
		return 2;
	}
	if (d->opt.spawned) {
		(void)close_range(SPAWN_FD, SPAWN_READY_FD, CLOSE_RANGE_CLOEXEC);
		ask_init(SPAWN_FD);
	} else {
		privileges_drop();
	}
	/* Several descriptors for each domain and viewer. */
	if (!getrlimit(RLIMIT_NOFILE, &rl)) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
	make_absolute(&d->opt.hv_path);
	/* A name without a slash is looked for on the PATH. */
	if (d->opt.qemu_path && strchr(d->opt.qemu_path, '/'))
		make_absolute(&d->opt.qemu_path);
	return d->opt.spawned ? run(d) : spawn(d, argv);
}
