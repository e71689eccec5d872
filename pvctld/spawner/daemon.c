/* SPDX-License-Identifier: MIT */
/* Starting the daemon: this program once more, with three descriptors and nothing else. */
#include "pvctld/base/log.h"
#include "pvctld/spawner/spawner.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MORE_ARGS 3

extern char **environ;

static int high(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

static void __attribute__((noreturn)) child(const struct spawner *s, char *const *argv, int sock, int ready)
{
	int lock = high(s->d->lock_fd);
	sigset_t none;

	sock = high(sock);
	ready = high(ready);
	if (dup2(sock, SPAWN_FD) < 0 || dup2(lock, SPAWN_LOCK_FD) < 0 || (ready >= 0 && dup2(ready, SPAWN_READY_FD) < 0))
		_exit(127);
	(void)close_range(ready >= 0 ? SPAWN_READY_FD + 1 : SPAWN_READY_FD, ~0u, CLOSE_RANGE_CLOEXEC);
	/* A terminal's signals come from the spawner, once. */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(s->program, argv, environ);
	_exit(127);
}

int spawner_start_daemon(struct spawner *s, bool adopt, struct pvctl_error *err)
{
	int sv[2], n = 0, ready = adopt ? -1 : s->d->opt.ready_fd;
	char **argv, uid[24];

	while (s->argv[n])
		n++;
	argv = calloc((size_t)n + MORE_ARGS + 1, sizeof(*argv));
	if (!argv)
		return fail(err, -ENOMEM, "no memory");
	memcpy(argv, s->argv, (size_t)n * sizeof(*argv));
	argv[n++] = (char *)(uintptr_t)(ready >= 0 ? "--spawned=ready" : "--spawned=quiet");
	snprintf(uid, sizeof(uid), "--uid=%u", (unsigned int)s->d->opt.uid);
	argv[n++] = uid;
	if (adopt)
		argv[n++] = (char *)(uintptr_t)"--adopt";
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv)) {
		free(argv);
		return fail(err, -errno, "socketpair: %s", strerror(errno));
	}
	s->daemon = fork();
	if (!s->daemon)
		child(s, argv, sv[1], ready);
	free(argv);
	close(sv[1]);
	if (s->daemon < 0) {
		close(sv[0]);
		s->daemon = 0;
		return fail(err, -EIO, "fork: %s", strerror(errno));
	}
	s->sock = sv[0];
	return 0;
}
