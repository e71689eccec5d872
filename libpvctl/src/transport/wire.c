/* SPDX-License-Identifier: MIT */
#include "transport/wire.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIRE_MAX_IOV 4

int wire_send(int sock, const struct iovec *iov, int n, int fd)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } control;
	struct iovec v[WIRE_MAX_IOV];
	struct msghdr msg = { .msg_iov = v, .msg_iovlen = (size_t)n };
	struct cmsghdr *c;

	if (n > WIRE_MAX_IOV)
		return -EINVAL;
	memcpy(v, iov, (size_t)n * sizeof(*iov));
	if (fd >= 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	while (msg.msg_iovlen) {
		ssize_t got = sendmsg(sock, &msg, MSG_NOSIGNAL);
		size_t done;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
		for (done = (size_t)got; msg.msg_iovlen && done >= msg.msg_iov->iov_len; msg.msg_iovlen--)
			done -= (msg.msg_iov++)->iov_len;
		if (msg.msg_iovlen) {
			msg.msg_iov->iov_base = (char *)msg.msg_iov->iov_base + done;
			msg.msg_iov->iov_len -= done;
		}
	}
	return 0;
}

static void take_fds(struct msghdr *msg, int *ret_fd)
{
	struct cmsghdr *c;
	size_t i, n;
	int fd;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (ret_fd && *ret_fd < 0)
				*ret_fd = fd;
			else
				close(fd);
		}
	}
}

int wire_recv(int sock, void *p, size_t len, int *ret_fd)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(4 * sizeof(int))]; } control;
	uint8_t *at = p;

	while (len) {
		struct iovec v = { at, len };
		struct msghdr msg = { .msg_iov = &v, .msg_iovlen = 1,
		                      .msg_control = &control, .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		take_fds(&msg, ret_fd);
		if (n == 0)
			return -EPIPE;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}
