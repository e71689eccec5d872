/* SPDX-License-Identifier: MIT */
/* The spawner's life: it waits for the daemon's requests, for ends, and for whoever wants the node to end. */
#include "pvctld/base/log.h"
#include "pvctld/spawner/spawner.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 2000
#define MAX_RESTARTS 5u
#define STEADY_NS 500000000ull

void spawner_end(struct spawner *s, int status)
{
	s->ended = true;
	s->status = status;
	/* First the names, so that the next node of this name is not in our way, nor we in its. */
	state_take_back(s->d);
	rundir_release(s->d);
	helpers_end(s->d->node.qemu_pid);
}

static bool may_restart(struct spawner *s)
{
	/* One that took over, and served for a while, is no part of a row. */
	if (s->up_ns && now_ns() - s->up_ns > STEADY_NS)
		s->restarts = 0;
	s->up_ns = 0;
	return s->up && ++s->restarts <= MAX_RESTARTS;
}

static void daemon_ended(struct spawner *s, int status)
{
	const struct timespec pause = { .tv_sec = 1 };
	struct pvctl_error e;

	s->daemon = 0;
	if (s->sock >= 0)
		close(s->sock);
	s->sock = -1;
	if (s->ended)
		return;
	if (s->restarting)
		log_line("the daemon is started again");
	else
		log_line("the daemon ended without having said so (status %#x)", (unsigned int)status);
	if (!s->restarting && !may_restart(s)) {
		spawner_end(s, 1);
		return;
	}
	helpers_end_daemons();
	s->restarting = false;
	while (spawner_start_daemon(s, true, &e)) {
		log_line("the daemon cannot be started again: %s", e.msg);
		if (!may_restart(s)) {
			spawner_end(s, 1);
			return;
		}
		nanosleep(&pause, NULL);
	}
}

static void reap(struct spawner *s)
{
	int status;
	pid_t pid;

	while (!s->ended && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->daemon)
			daemon_ended(s, status);
		else
			(void)helper_ended(pid, status);
	}
}

static void on_signal(struct spawner *s)
{
	struct signalfd_siginfo si;

	if (read(s->signals, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGCHLD)
		reap(s);
	else if (s->daemon > 0)
		kill(s->daemon, (int)si.ssi_signo);
	else
		spawner_end(s, 1);
}

/* It may be about to end; and if it is not, it is beyond talking to. */
static void hang_up(struct spawner *s)
{
	close(s->sock);
	s->sock = -1;
	if (s->daemon > 0)
		kill(s->daemon, SIGKILL);
}

static int prepare(struct spawner *s, struct pvctl_error *err)
{
	ssize_t n = readlink("/proc/self/exe", s->program, sizeof(s->program) - 1);
	sigset_t set;

	if (n <= 0)
		return fail(err, -EIO, "/proc/self/exe: %s", strerror(errno));
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? fail(err, -EIO, "signalfd: %s", strerror(errno)) : 0;
}

/* Without its sockets nobody could stop the node, and a second one could take its name. */
static void look_at_rundir(struct spawner *s)
{
	uint64_t now = now_ns();

	if (s->daemon <= 0 || s->orphaned || now - s->looked_ns < LOOK_MS * 1000000ull)
		return;
	s->looked_ns = now;
	if (rundir_is_ours(s->d))
		return;
	log_line("%s was removed: nobody can find this node any more, and it ends", s->d->run_dir);
	s->orphaned = true;
	kill(s->daemon, SIGTERM);
}

static void loop(struct spawner *s)
{
	while (!s->ended) {
		struct pollfd p[2 + SPAWNER_CLIENTS] = {
			{ .fd = s->signals, .events = POLLIN },
			{ .fd = s->sock, .events = POLLIN },
		};
		unsigned int n = s->nr_clients;

		for (unsigned int i = 0; i < n; i++)
			p[2 + i] = (struct pollfd){ .fd = s->client[i], .events = POLLIN };
		if (poll(p, 2 + n, LOOK_MS) < 0 && errno != EINTR)
			break;
		look_at_rundir(s);
		for (unsigned int i = 0; i < n; i++)
			if (p[2 + i].revents)
				clients_event(s, p[2 + i].fd);
		if (p[1].revents && spawner_serve(s))
			hang_up(s);
		if (p[0].revents)
			on_signal(s);
	}
}

int spawner_run(struct daemon *d, char *const *argv, struct pvctl_error *err)
{
	static struct spawner s;
	int rc;

	s = (struct spawner){ .d = d, .argv = argv, .sock = -1, .signals = -1, .listeners = { -1, -1 } };
	rc = prepare(&s, err);
	rc = rc ? rc : clients_open(&s, err);
	if (!rc)
		state_give(d);
	rc = rc ? rc : spawner_start_daemon(&s, false, err);
	if (rc) {
		clients_close(&s);
		rundir_release(d);
		return rc;
	}
	if (d->opt.ready_fd >= 0)
		close(d->opt.ready_fd);
	d->opt.ready_fd = -1;
	loop(&s);
	return s.status;
}
