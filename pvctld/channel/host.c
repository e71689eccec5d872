/* SPDX-License-Identifier: MIT */
/* A channel's end on the host: a pty, or a listening socket with one client at a time. */
#include "pvctld/base/log.h"
#include "pvctld/channel/channel.h"
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

/* The slave is kept open: its modes stay, and the master does not hang up while nobody else has it. */
static int open_pty(struct channel_host *h)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	struct termios t;

	if (master < 0)
		return -errno;
	if (grantpt(master) || unlockpt(master) || ptsname_r(master, h->path, sizeof(h->path)))
		goto failed;
	h->slave_fd = open(h->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (h->slave_fd < 0 || fchmod(h->slave_fd, 0600) || tcgetattr(h->slave_fd, &t))
		goto failed;
	cfmakeraw(&t);
	if (tcsetattr(h->slave_fd, TCSANOW, &t) || loop_fd_add(h->loop, &h->peer, master, 0, on_peer, h))
		goto failed;
	return 0;
failed:
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

static int open_socket(struct channel_host *h, const char *path, struct pvctl_error *err)
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
	h->listen_fd = fd;
	snprintf(h->path, sizeof(h->path), "%s", path);
	if (!lstat(path, &st)) {
		h->dev = st.st_dev;
		h->ino = st.st_ino;
	}
	/* No more wait than the one that is next. */
	if (listen(fd, 1) || loop_fd_add(h->loop, &h->listener, fd, EPOLLIN, on_listener, h))
		return fail(err, -EIO, "channel path \"%s\": %s", path, strerror(errno));
	return 0;
}

int channel_host_open(struct channel_host *h, struct loop *loop, const struct channel_spec *s, struct pvctl_error *err)
{
	int rc;

	memset(h, 0, sizeof(*h));
	h->loop = loop;
	h->peer.fd = h->listener.fd = h->listen_fd = h->slave_fd = -1;
	loop_timer_init(&h->pause, pause_over, h);
	if (s->socket) {
		rc = open_socket(h, s->path, err);
	} else {
		rc = open_pty(h);
		if (rc)
			fail(err, rc, "channel \"%.63s\": no pty can be had", s->name);
	}
	if (rc)
		channel_host_close(h);
	return rc;
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
	struct stat st;

	drop_peer(h);
	if (h->slave_fd >= 0)
		close(h->slave_fd);
	if (h->listen_fd >= 0) {
		loop_timer_cancel(&h->pause);
		if (h->listener.fd >= 0)
			loop_fd_del(h->loop, &h->listener);
		close(h->listen_fd);
		if (!lstat(h->path, &st) && st.st_dev == h->dev && st.st_ino == h->ino)
			(void)unlink(h->path);
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
