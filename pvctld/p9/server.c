/* SPDX-License-Identifier: MIT */
/* The server's process: started when a guest opens a session, killed when the connection ends. */
#include "libpvctl/src/util/paths.h"
#include "pvctld/base/log.h"
#include "pvctld/core/children.h"
#include "pvctld/p9/jail/jail.h"
#include "pvctld/p9/share.h"
#include "pvctld/spawn/ask.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void close_log(struct p9_server *v)
{
	int fd = v->log.fd;

	if (fd < 0)
		return;
	loop_fd_del(&v->d->loop, &v->log);
	close(fd);
}

/* Line by line, and at the pace of log_guest: the guest makes diod talk. */
static void on_log(void *data, uint32_t events)
{
	struct p9_server *v = data;
	char text[400], *line = text, *end;
	ssize_t n = read(v->log.fd, text, sizeof(text) - 1);

	if (n <= 0) {
		if (!n || (errno != EAGAIN && errno != EINTR))
			close_log(v);
		return;
	}
	text[n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		if ((unsigned char)text[i] >= 0x7f || ((unsigned char)text[i] < 0x20 && text[i] != '\n'))
			text[i] = '?';
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		log_guest(v->share->x.domid, "p9 share %s: %s", v->share->x.name, line);
	}
	if (*line)
		log_guest(v->share->x.domid, "p9 share %s: %s", v->share->x.name, line);
}

static void on_sock(void *data, uint32_t events)
{
	struct p9_server *v = data;

	loop_task_post(&v->d->loop, &v->share->task);
	/* The share's turn finds out; until then, which may be when its guest has made room, it would ring for ever. */
	if (events & (EPOLLHUP | EPOLLERR))
		loop_fd_del(&v->d->loop, &v->sock);
}

static void on_exit_status(void *data, int status)
{
	struct p9_server *v = data;

	v->pid = 0;
	if (!v->share)
		free(v);
	else
		log_guest(v->share->x.domid, "p9 share %s: its server ended (status %#x)", v->share->x.name, (unsigned int)status);
}

int p9_server_spawn(const struct p9_spec *s, int sock, int log, pid_t *ret_pid)
{
	const char *argv[] = { "pvctl-p9", s->readonly ? "--readonly" : s->path, s->readonly ? s->path : NULL, NULL };
	char tool[600];
	char *env[] = { NULL };
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, all;
	int rc;

	if (paths_find_tool("pvctl-p9", tool, sizeof(tool)))
		return -ENOENT;
	if (posix_spawn_file_actions_init(&fa))
		return -ENOMEM;
	if (posix_spawnattr_init(&at)) {
		posix_spawn_file_actions_destroy(&fa);
		return -ENOMEM;
	}
	sigemptyset(&none);
	sigfillset(&all);
	rc = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDWR, 0);
	rc = rc ? rc : posix_spawn_file_actions_adddup2(&fa, 0, 1);
	rc = rc ? rc : posix_spawn_file_actions_adddup2(&fa, log, 2);
	rc = rc ? rc : posix_spawn_file_actions_adddup2(&fa, sock, JAIL_SOCKET_FD);
	rc = rc ? rc : posix_spawnattr_setsigmask(&at, &none);
	rc = rc ? rc : posix_spawnattr_setsigdefault(&at, &all);
	rc = rc ? rc : posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	rc = rc ? rc : posix_spawn(ret_pid, tool, &fa, &at, (char *const *)(uintptr_t)argv, env);
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	return -rc;
}

static int spawn(struct p9_server *v, int sock, int log, int *ret_status_fd)
{
	const int fds[] = { sock, log };
	char text[P9_SPEC_MAX + 1];
	const struct spawn_ask q = { .text = text, .fds = fds, .nr_fds = 2 };

	*ret_status_fd = -1;
	if (ask_fd() < 0)
		return p9_server_spawn(&v->share->spec, sock, log, &v->pid);
	p9_spec_format(&v->share->spec, text);
	return spawn_start(SPAWN_P9, &q, &v->pid, ret_status_fd, NULL);
}

static int watch(struct p9_server *v, int sock, int log)
{
	struct loop *l = &v->d->loop;
	int rc = fcntl(sock, F_SETFL, O_NONBLOCK) || fcntl(log, F_SETFL, O_NONBLOCK) ? -EIO : 0;

	v->fd = sock;
	rc = rc ? rc : loop_fd_add(l, &v->sock, sock, EPOLLIN, on_sock, v);
	rc = rc ? rc : loop_fd_add(l, &v->log, log, EPOLLIN, on_log, v);
	if (rc)
		close(log);
	return rc;
}

static int start(struct p9_server *v)
{
	int sv[2], p[2], status_fd, rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return -errno;
	if (pipe2(p, O_CLOEXEC)) {
		close(sv[0]);
		close(sv[1]);
		return -EIO;
	}
	rc = spawn(v, sv[1], p[1], &status_fd);
	close(sv[1]);
	close(p[1]);
	if (rc) {
		close(sv[0]);
		close(p[0]);
		return rc;
	}
	rc = watch(v, sv[0], p[0]);
	/* Kills it when that fails. */
	if (child_watch(v->d, v->pid, status_fd, on_exit_status, v)) {
		v->pid = 0;
		return rc ? rc : -EIO;
	}
	return rc;
}

struct p9_server *p9_server_start(struct share *s)
{
	struct p9_server *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return NULL;
	v->d = s->x.d;
	v->share = s;
	v->fd = v->sock.fd = v->log.fd = -1;
	rc = start(v);
	if (!rc)
		return v;
	log_guest(s->x.domid, "p9 share %s: its server cannot be started: %s", s->x.name, strerror(-rc));
	p9_server_stop(v);
	return NULL;
}

void p9_server_stop(struct p9_server *v)
{
	if (!v)
		return;
	loop_fd_del(&v->d->loop, &v->sock);
	if (v->fd >= 0)
		close(v->fd);
	close_log(v);
	v->share = NULL;
	if (v->pid > 0)
		child_kill(v->pid, SIGKILL, false); /* on_exit_status frees it */
	else
		free(v);
}

/* Nothing is sent, and nothing believed, before the jail is closed. */
static int get_ready(struct p9_server *v)
{
	uint8_t byte;
	ssize_t n;

	if (v->ready)
		return 0;
	n = read(v->fd, &byte, 1);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EIO;
	v->ready = n == 1 && byte == JAIL_READY;
	return v->ready ? 0 : -EIO;
}

static ssize_t moved(ssize_t n)
{
	if (n > 0)
		return n;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

ssize_t p9_server_write(struct p9_server *v, const void *bytes, size_t len)
{
	int rc = get_ready(v);

	if (rc)
		return rc == -EAGAIN ? 0 : -1;
	return moved(send(v->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t p9_server_read(struct p9_server *v, void *bytes, size_t max)
{
	int rc = get_ready(v);

	if (rc)
		return rc == -EAGAIN ? 0 : -1;
	return moved(read(v->fd, bytes, max));
}

void p9_server_want(struct p9_server *v, bool read, bool write)
{
	loop_fd_want(&v->d->loop, &v->sock, (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u));
}
