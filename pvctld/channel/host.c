/* SPDX-License-Identifier: MIT */
/* A channel's end on the host: a pty, or a listening socket with one client at a time. */
#include "pvctld/base/log.h"
#include "pvctld/channel/channel.h"
#include "pvctld/spawn/ask.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define PAUSE_NS 200000000u

static void on_peer(void *data, uint32_t events);
static void on_listener(void *data, uint32_t events);
static void pause_over(void *data);

int channel_open_pty(int *ret_master, int *ret_slave, char *path, size_t size)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), slave = -1;
	struct termios t;

	if (master < 0)
		return -errno;
	if (grantpt(master) || unlockpt(master) || ptsname_r(master, path, size))
		goto failed;
	slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || fchmod(slave, 0600) || tcgetattr(slave, &t))
		goto failed;
	cfmakeraw(&t);
	if (tcsetattr(slave, TCSANOW, &t))
		goto failed;
	*ret_master = master;
	*ret_slave = slave;
	return 0;
failed:
	if (slave >= 0)
		close(slave);
	close(master);
	return -EIO;
}

/* A file that nobody listens at any more, of the same user: the last daemon's, which was killed. */
static int remove_stale(const struct sockaddr_un *sa, struct pvctl_error *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(sa->sun_path, &st))
		return errno == ENOENT ? 0 : fail(err, -EIO, "channel path \"%s\": %s", sa->sun_path, strerror(errno));
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return fail(err, -EEXIST, "channel path \"%s\" exists, and is not a socket of ours", sa->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, -EIO, "socket: %s", strerror(errno));
	rc = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) ? errno : 0;
	close(fd);
	if (rc != ECONNREFUSED)
		return fail(err, -EBUSY, "channel path \"%s\" is in use: somebody listens there", sa->sun_path);
	return unlink(sa->sun_path) ? fail(err, -EIO, "channel path \"%s\": %s", sa->sun_path, strerror(errno)) : 0;
}

int channel_open_socket(const char *path, int *ret_fd, uint64_t ret_id[2], struct pvctl_error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t mask;
	int fd, rc;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	rc = remove_stale(&sa, err);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, -EIO, "socket: %s", strerror(errno));
	mask = umask(0177);
	rc = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ? errno : 0;
	umask(mask);
	if (rc) {
		close(fd);
		return fail(err, rc == ENOENT ? -ENOENT : rc == EACCES ? -EPERM : -EIO, "channel path \"%s\": %s", path, strerror(rc));
	}
	if (!lstat(path, &st)) {
		ret_id[0] = st.st_dev;
		ret_id[1] = st.st_ino;
	}
	/* No more wait than the one that is next. */
	if (listen(fd, 1)) {
		rc = fail(err, -EIO, "channel path \"%s\": %s", path, strerror(errno));
		channel_remove_socket(path, ret_id);
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

void channel_remove_socket(const char *path, const uint64_t id[2])
{
	struct stat st;

	if (!lstat(path, &st) && S_ISSOCK(st.st_mode) && st.st_dev == id[0] && st.st_ino == id[1])
		(void)unlink(path);
}

/* What takes the right to: the spawner's part. A pty's master and slave, or a listener and -1. */
static int open_ends(struct channel_host *h, const struct channel_spec *s, int fds[2], struct pvctl_error *err)
{
	const struct spawn_ask q = { .text = h->spec };
	struct spawn_started a;
	int rc;

	if (ask_fd() >= 0) {
		rc = spawn_ask(SPAWN_CHANNEL, &q, &a, fds, 2, err);
		if (rc < 0)
			return rc;
		snprintf(h->path, sizeof(h->path), "%.107s", a.where);
		memcpy(h->id, a.n, sizeof(h->id));
		return rc ? 0 : fail(err, -EPROTO, "the spawner: %s", strerror(EPROTO));
	}
	snprintf(h->path, sizeof(h->path), "%s", s->path);
	if (s->socket)
		return channel_open_socket(s->path, &fds[0], h->id, err);
	rc = channel_open_pty(&fds[0], &fds[1], h->path, sizeof(h->path));
	return rc ? fail(err, rc, "channel \"%.63s\": no pty can be had", s->name) : 0;
}

int channel_host_open(struct channel_host *h, struct loop *loop, const struct channel_spec *s, struct pvctl_error *err)
{
	int fds[2] = { -1, -1 }, rc;

	memset(h, 0, sizeof(*h));
	h->loop = loop;
	h->peer.fd = h->listener.fd = h->listen_fd = h->slave_fd = -1;
	loop_timer_init(&h->pause, pause_over, h);
	channel_spec_format(s, h->spec);
	rc = open_ends(h, s, fds, err);
	if (rc)
		return rc;
	/* The slave is kept open: its modes stay, and the master does not hang up while nobody else has it. */
	h->slave_fd = fds[1];
	if (s->socket)
		h->listen_fd = fds[0];
	rc = s->socket ? loop_fd_add(loop, &h->listener, fds[0], EPOLLIN, on_listener, h)
		       : loop_fd_add(loop, &h->peer, fds[0], 0, on_peer, h);
	if (!rc)
		return 0;
	if (!s->socket)
		close(fds[0]);
	channel_host_close(h);
	return fail(err, -EIO, "channel \"%.63s\": epoll", s->name);
}

static void drop_peer(struct channel_host *h)
{
	int fd = h->peer.fd;

	if (fd < 0)
		return;
	loop_fd_del(h->loop, &h->peer);
	close(fd);
}

void channel_host_close(struct channel_host *h)
{
	const struct spawn_ask q = { .text = h->spec, .n = { h->id[0], h->id[1] } };
	struct spawn_started a;

	drop_peer(h);
	if (h->slave_fd >= 0)
		close(h->slave_fd);
	if (h->listen_fd >= 0) {
		loop_timer_cancel(&h->pause);
		if (h->listener.fd >= 0)
			loop_fd_del(h->loop, &h->listener);
		close(h->listen_fd);
		if (ask_fd() < 0)
			channel_remove_socket(h->path, h->id);
		else
			(void)spawn_ask(SPAWN_CHANNEL_CLOSE, &q, &a, NULL, 0, NULL);
	}
	h->listen_fd = h->slave_fd = -1;
}

/* The next may come. */
static void lost(struct channel_host *h)
{
	drop_peer(h);
	if (h->listen_fd >= 0 && h->listener.fd < 0)
		(void)loop_fd_add(h->loop, &h->listener, h->listen_fd, EPOLLIN, on_listener, h);
}

static void on_peer(void *data, uint32_t events)
{
	struct channel_host *h = data;

	/* What a client that is gone has sent still counts; reading finds its end. Without a reader it would ring for ever. */
	if ((events & (EPOLLERR | EPOLLHUP)) && !(h->peer.events & EPOLLIN)) {
		lost(h);
		return;
	}
	h->ready(h->data, events & EPOLLOUT ? CHANNEL_WRITABLE : 0);
}

static void pause_over(void *data)
{
	struct channel_host *h = data;

	loop_fd_want(h->loop, &h->listener, EPOLLIN);
}

static void on_listener(void *data, uint32_t events)
{
	struct channel_host *h = data;
	int fd = accept4(h->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		/* It would be found ready without end. */
		loop_fd_want(h->loop, &h->listener, 0);
		loop_timer_set(h->loop, &h->pause, PAUSE_NS);
	}
	if (fd < 0)
		return;
	if (loop_fd_add(h->loop, &h->peer, fd, 0, on_peer, h)) {
		close(fd);
		return;
	}
	loop_fd_del(h->loop, &h->listener);
	h->ready(h->data, CHANNEL_NEW_CLIENT);
}

size_t channel_host_write(struct channel_host *h, const void *bytes, size_t len)
{
	ssize_t n;

	if (h->peer.fd < 0 || !len)
		return 0;
	n = h->listen_fd >= 0 ? send(h->peer.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) : write(h->peer.fd, bytes, len);
	if (n >= 0)
		return (size_t)n;
	if (errno != EAGAIN && errno != EINTR)
		lost(h);
	return 0;
}

size_t channel_host_read(struct channel_host *h, void *bytes, size_t max)
{
	ssize_t n;

	if (h->peer.fd < 0 || !max)
		return 0;
	n = read(h->peer.fd, bytes, max);
	if (n > 0)
		return (size_t)n;
	if (!n || (errno != EAGAIN && errno != EINTR))
		lost(h);
	return 0;
}

void channel_host_want(struct channel_host *h, bool read, bool write)
{
	if (h->peer.fd >= 0)
		loop_fd_want(h->loop, &h->peer, (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u));
}
