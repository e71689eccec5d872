/* SPDX-License-Identifier: MIT */
#include "pvctld/spawn/wire.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control { struct cmsghdr align; char space[CMSG_SPACE(SPAWN_MAX_FDS * sizeof(int))]; };

int spawn_msg_send(int sock, const struct spawn_head *head, const int *fds, unsigned int nr_fds, int flags)
{
	struct iovec iov = { (void *)(uintptr_t)head, head->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control c;

	if (nr_fds > SPAWN_MAX_FDS || head->len > SPAWN_MAX_BYTES)
		return -EMSGSIZE;
	if (nr_fds) {
		memset(&c, 0, sizeof(c));
		msg.msg_control = &c;
		msg.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		c.align.cmsg_level = SOL_SOCKET;
		c.align.cmsg_type = SCM_RIGHTS;
		c.align.cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(&c.align), fds, nr_fds * sizeof(int));
	}
	while (sendmsg(sock, &msg, MSG_NOSIGNAL | flags) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static void take_fds(struct spawn_msg *m, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n && m->nr_fds < SPAWN_MAX_FDS; i++)
			memcpy(&m->fd[m->nr_fds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
}

int spawn_msg_recv(int sock, struct spawn_msg *m)
{
	struct iovec iov = { m->u.bytes, sizeof(m->u.bytes) };
	union control c;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };
	ssize_t n;

	m->nr_fds = 0;
	m->len = 0;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	take_fds(m, &msg);
	/* A record of no bytes looks like the end; the other side sends none. */
	if (!n) {
		spawn_msg_close_fds(m);
		return 0;
	}
	m->len = (size_t)n;
	if (m->len >= sizeof(m->u.h) && !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 1;
	spawn_msg_close_fds(m);
	/* There was no room for its descriptors here; or it has more than any record has. */
	return m->len >= sizeof(m->u.h) && !(msg.msg_flags & MSG_TRUNC) ? -EMFILE : -EPROTO;
}

int spawn_msg_take_fd(struct spawn_msg *m, unsigned int i)
{
	int fd = i < m->nr_fds ? m->fd[i] : -1;

	if (i < m->nr_fds)
		m->fd[i] = -1;
	return fd;
}

void spawn_msg_close_fds(struct spawn_msg *m)
{
	for (unsigned int i = 0; i < m->nr_fds; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	m->nr_fds = 0;
}

static const struct form { uint16_t len; uint8_t nr_fds; } forms[SPAWN_NR_TYPES] = {
	[SPAWN_KEEP_PUT] = { sizeof(struct spawn_name), 1 },
	[SPAWN_KEEP_TAKE] = { sizeof(struct spawn_name), 0 },
	[SPAWN_KEEP_DROP] = { sizeof(struct spawn_name), 0 },
	[SPAWN_KEEP_LIST] = { sizeof(struct spawn_number), 0 },
	[SPAWN_QEMU] = { sizeof(struct spawn_head), 2 },
	[SPAWN_KILL] = { sizeof(struct spawn_kill), 0 },
	[SPAWN_UP] = { sizeof(struct spawn_head), 0 },
	[SPAWN_RESTART] = { sizeof(struct spawn_head), 0 },
	[SPAWN_BYE] = { sizeof(struct spawn_number), 0 },
	[SPAWN_SOCKETS] = { sizeof(struct spawn_head), 0 },
	[SPAWN_HOST] = { sizeof(struct spawn_head), 0 },
	[SPAWN_REBUILD] = { sizeof(struct spawn_head), 1 },
	[SPAWN_DISK_OPEN] = { sizeof(struct spawn_device), 0 },
	[SPAWN_DISK_LOOK] = { sizeof(struct spawn_device), 0 },
	[SPAWN_DISK_NBD] = { sizeof(struct spawn_device), 1 },
	[SPAWN_DISK_SCRIPT] = { sizeof(struct spawn_device), 0 },
	[SPAWN_VIF_TAP] = { sizeof(struct spawn_device), 0 },
	[SPAWN_VIF_PLUG] = { sizeof(struct spawn_device), 0 },
	[SPAWN_VIF_SCRIPT] = { sizeof(struct spawn_device), 0 },
	[SPAWN_VIF_USER] = { sizeof(struct spawn_device), 1 },
	[SPAWN_P9] = { sizeof(struct spawn_device), 2 },
	[SPAWN_CHANNEL] = { sizeof(struct spawn_device), 0 },
	[SPAWN_CHANNEL_CLOSE] = { sizeof(struct spawn_device), 0 },
};

/* Letters, digits and some signs: what can be printed and is no path that leads anywhere. */
static bool name_is_good(const char name[SPAWN_NAME])
{
	size_t n = strnlen(name, SPAWN_NAME);

	return n && n < SPAWN_NAME &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/-") == n;
}

static bool texts_end(const struct spawn_device *q)
{
	return memchr(q->where, 0, sizeof(q->where)) && memchr(q->text, 0, sizeof(q->text));
}

int spawn_msg_check(const struct spawn_msg *m)
{
	const struct spawn_head *h = &m->u.h;

	if (m->len < sizeof(*h) || h->len != m->len || !h->type || h->type >= SPAWN_NR_TYPES)
		return -EPROTO;
	if (h->len != forms[h->type].len || m->nr_fds != forms[h->type].nr_fds)
		return -EPROTO;
	switch (h->type) {
	case SPAWN_KEEP_PUT:
	case SPAWN_KEEP_TAKE:
	case SPAWN_KEEP_DROP:
		return name_is_good((const char *)m->u.bytes + offsetof(struct spawn_name, name)) ? 0 : -EINVAL;
	}
	if (h->type >= SPAWN_DISK_OPEN && !texts_end((const struct spawn_device *)(const void *)m->u.bytes))
		return -EINVAL;
	return 0;
}
