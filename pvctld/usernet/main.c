/* SPDX-License-Identifier: MIT */
#include "libpvctl/src/device/vif_spec.h"
#include "pvctld/usernet/usernet.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ll
#define SEND_TIMEOUT_US 200000
#define FRAMES_PER_ROUND 64
#define MAX_TIMERS 4

struct timer {
	SlirpTimerCb fn;
	void *data;
	int64_t at_ms; /* 0: not set */
};
static Slirp *slirp;
static struct pollfd fds[USERNET_FDS];
static nfds_t nr_fds;
static struct timer timers[MAX_TIMERS];

static void give_up(const char *what, int why)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "%s: %s", what, strerror(why));

	(void)!send(USERNET_FD, text, (size_t)(n < (int)sizeof(text) ? n : (int)sizeof(text) - 1), MSG_NOSIGNAL);
	_exit(1);
}

/* ---- what libslirp asks for ---- */
/* Waits a while where the guest is slow: that slows the senders down, as it should. */
static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	ssize_t n = send(USERNET_FD, buf, len, MSG_NOSIGNAL);

	if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		_exit(0);
	return (ssize_t)len;
}

static void guest_error(const char *msg, void *opaque)
{
}

static int64_t clock_ns(void *opaque)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void *timer_new(SlirpTimerCb fn, void *data, void *opaque)
{
	for (unsigned int i = 0; i < MAX_TIMERS; i++)
		if (!timers[i].fn) {
			timers[i] = (struct timer){ fn, data, 0 };
			return &timers[i];
		}
	_exit(1);
}

static void timer_free(void *timer, void *opaque)
{
	memset(timer, 0, sizeof(struct timer));
}

static void timer_mod(void *timer, int64_t at_ms, void *opaque)
{
	((struct timer *)timer)->at_ms = at_ms > 0 ? at_ms : 1;
}

static void poll_fd_changed(int fd, void *opaque)
{
}

static void notify(void *opaque)
{
}

static int add_poll(int fd, int events, void *opaque)
{
	short want = 0;

	if (nr_fds == USERNET_FDS)
		return -1;
	want |= events & SLIRP_POLL_IN ? POLLIN : 0;
	want |= events & SLIRP_POLL_OUT ? POLLOUT : 0;
	want |= events & SLIRP_POLL_PRI ? POLLPRI : 0;
	fds[nr_fds] = (struct pollfd){ .fd = fd, .events = want };
	return (int)nr_fds++;
}

static int revents_of(int i, void *opaque)
{
	short got = i >= 0 && (nfds_t)i < nr_fds ? fds[i].revents : 0;

	return (got & POLLIN ? SLIRP_POLL_IN : 0) | (got & POLLOUT ? SLIRP_POLL_OUT : 0) |
	       (got & POLLPRI ? SLIRP_POLL_PRI : 0) | (got & POLLERR ? SLIRP_POLL_ERR : 0) |
	       (got & POLLHUP ? SLIRP_POLL_HUP : 0);
}

/* ---- the beginning ---- */
/* libslirp shares UDP ports with others, and does not say why it failed. */
static void check_free(const struct vif_forward *f, const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, f->udp ? SOCK_DGRAM : SOCK_STREAM, 0), one = 1;
	char what[100];

	if (fd >= 0 && !f->udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0) {
		snprintf(what, sizeof(what), "hostfwd %s port %u of %s", f->udp ? "udp" : "tcp", f->host_port,
		         f->host_addr[0] ? f->host_addr : "127.0.0.1");
		give_up(what, errno);
	}
	close(fd);
}

static void add_forward(const struct vif_forward *f)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(f->host_port) };
	const struct in_addr guest = { 0 };

	if (inet_pton(AF_INET, f->host_addr[0] ? f->host_addr : "127.0.0.1", &at.sin_addr) != 1)
		give_up("hostfwd", EINVAL);
	check_free(f, &at);
	if (slirp_add_hostfwd(slirp, f->udp, at.sin_addr, f->host_port, guest, f->guest_port) < 0)
		give_up("hostfwd", EADDRINUSE);
}

static void start(const struct vif_spec *s)
{
	static const SlirpCb callbacks = {
		.send_packet = send_packet, .guest_error = guest_error, .clock_get_ns = clock_ns, .timer_new = timer_new,
		.timer_free = timer_free, .timer_mod = timer_mod, .register_poll_fd = poll_fd_changed,
		.unregister_poll_fd = poll_fd_changed, .notify = notify,
	};
	SlirpConfig c = {
		.version = 1, .in_enabled = true, .in6_enabled = true, .vprefix_len = 64, .vhostname = "pvctl",
		.if_mtu = s->mtu, .if_mru = s->mtu, .disable_host_loopback = true,
	};

	c.vnetwork.s_addr = htonl(0x0a000200);
	c.vnetmask.s_addr = htonl(0xffffff00);
	c.vhost.s_addr = htonl(0x0a000202);
	c.vnameserver.s_addr = htonl(0x0a000203);
	c.vdhcp_start.s_addr = htonl(0x0a00020f);
	inet_pton(AF_INET6, "fd00::", &c.vprefix_addr6);
	inet_pton(AF_INET6, "fd00::2", &c.vhost6);
	inet_pton(AF_INET6, "fd00::3", &c.vnameserver6);
	slirp = slirp_new(&c, &callbacks, NULL);
	if (!slirp)
		give_up("libslirp", ENOMEM);
	for (unsigned int i = 0; i < s->nr_forwards; i++)
		add_forward(&s->forward[i]);
}

/* ---- the loop ---- */
static void take_frames(void)
{
	static uint8_t frame[USERNET_FRAME_MAX + 1];

	for (unsigned int i = 0; i < FRAMES_PER_ROUND; i++) {
		ssize_t n = recv(USERNET_FD, frame, sizeof(frame), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			_exit(0);
		if (usernet_may_pass(frame, (size_t)n))
			slirp_input(slirp, frame, (int)n);
	}
}

static int run_timers(uint32_t timeout)
{
	int64_t now = clock_ns(NULL) / MS;

	for (unsigned int i = 0; i < MAX_TIMERS; i++) {
		struct timer *t = &timers[i];

		if (t->at_ms && t->at_ms <= now) {
			t->at_ms = 0;
			t->fn(t->data);
		}
		if (t->at_ms && t->at_ms - now < timeout)
			timeout = t->at_ms > now ? (uint32_t)(t->at_ms - now) : 0;
	}
	return timeout > 60000 ? 60000 : (int)timeout;
}

static void loop(void)
{
	for (;;) {
		uint32_t timeout = UINT32_MAX;
		int n;

		nr_fds = 1;
		fds[0] = (struct pollfd){ .fd = USERNET_FD, .events = POLLIN };
		slirp_pollfds_fill(slirp, &timeout, add_poll, NULL);
		n = poll(fds, nr_fds, run_timers(timeout));
		slirp_pollfds_poll(slirp, n < 0, revents_of, NULL);
		if (n > 0 && fds[0].revents)
			take_frames();
	}
}

int main(int argc, char **argv)
{
	const struct timeval patience = { .tv_usec = SEND_TIMEOUT_US };
	struct pvctl_error err = { 0 };
	struct vif_spec s;

	if (argc != 2 || vif_spec_parse(argv[1], &s, &err) || s.kind != VIF_USER) {
		fprintf(stderr, "pvctl-usernet: is started by pvctld. %s\n", err.msg);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	setsockopt(USERNET_FD, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	usernet_keep_resolv_conf();
	start(&s);
	usernet_sandbox();
	if (send(USERNET_FD, USERNET_READY, strlen(USERNET_READY), MSG_NOSIGNAL) < 0)
		return 1;
	loop();
}
