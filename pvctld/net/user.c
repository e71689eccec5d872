/* SPDX-License-Identifier: MIT */
/* User-mode network: frames go to and from a pvctl-usernet, which is started again when it dies. */
#include "libpvctl/src/device/vif_spec.h"
#include "libpvctl/src/util/paths.h"
#include "pvctld/base/log.h"
#include "pvctld/core/children.h"
#include "pvctld/core/daemon.h"
#include "pvctld/net/links.h"
#include "pvctld/spawn/ask.h"
#include "pvctld/usernet/usernet.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES_PER_EVENT 64
#define RESTART_NS 1000000000ull
#define RESTART_MAX_NS 30000000000ull
#define HURRY_NS 20000000u
#define HURRY_FOR_NS 3000000000ull
#define STEADY_NS 60000000000ull /* one that lived so long begins anew with the shortest pause */

struct user_link;
/* Outlives its link, until the process was seen to end. */
struct helper {
	struct user_link *owner; /* NULL: closed */
	pid_t pid;
};
struct user_link {
	struct net_link link;
	struct daemon *d;
	struct net_link_user user;
	uint32_t domid, devid;
	struct helper *helper;   /* NULL: none */
	struct loop_fd lf;
	struct loop_timer restart;
	uint64_t started_ns, pause_ns;
	uint64_t hurry_until_ns; /* another daemon's helper is about to end, and has the ports yet */
	bool ready, reported, carrier;
	bool ending;             /* it has said why, and nothing else is heard of it */
	uint32_t held_len;
	uint8_t *held;           /* a frame that the guest had no room for */
	char spec[VIF_SPEC_MAX + 1];
};

static void start(void *data);

static void forget_held(struct user_link *u)
{
	free(u->held);
	u->held = NULL;
}

/* The socket's end is what ends the process, too. A frame that waits would keep the next one's first word from being read. */
static void hang_up(struct user_link *u)
{
	int fd = u->lf.fd;

	forget_held(u);
	if (fd < 0)
		return;
	loop_fd_del(&u->d->loop, &u->lf);
	close(fd);
}

static void start_later(struct user_link *u)
{
	uint64_t now = now_ns();

	if (now < u->hurry_until_ns) {
		loop_timer_set(&u->d->loop, &u->restart, HURRY_NS);
		return;
	}
	if (now - u->started_ns > STEADY_NS)
		u->pause_ns = 0;
	u->pause_ns = u->pause_ns ? u->pause_ns * 2 : RESTART_NS;
	if (u->pause_ns > RESTART_MAX_NS)
		u->pause_ns = RESTART_MAX_NS;
	loop_timer_set(&u->d->loop, &u->restart, u->pause_ns);
}

/* Whoever waits for the link is told once; later it is a matter for the log. */
static void failed(struct user_link *u, const char *why)
{
	if (!u->reported)
		net_report(u->d, u->domid, u->devid, why);
	else
		log_line("vif %u of domain %u: user-mode network: %s", u->devid, u->domid, why);
	u->reported = true;
}

/* It ends by itself; but what somebody has taken over may say more, without end. */
static void say_last(struct user_link *u, const char *why)
{
	failed(u, why);
	u->ending = true;
	if (u->helper)
		child_kill(u->helper->pid, SIGKILL, false);
}

static void on_exit_of_helper(void *data, int status)
{
	struct helper *h = data;
	struct user_link *u = h->owner;
	char why[80];

	free(h);
	if (!u)
		return;
	u->helper = NULL;
	if (!u->ending && (!u->reported || u->ready)) {
		if (WIFSIGNALED(status))
			snprintf(why, sizeof(why), "pvctl-usernet was killed by signal %d", WTERMSIG(status));
		else
			snprintf(why, sizeof(why), "pvctl-usernet ended with status %d", WEXITSTATUS(status));
		failed(u, why);
	}
	hang_up(u);
	u->ready = false;
	start_later(u);
}

/* Its first word. */
static void greeting(struct user_link *u, const uint8_t *text, size_t len)
{
	char why[200];

	if (len == strlen(USERNET_READY) && !memcmp(text, USERNET_READY, len)) {
		u->ready = true;
		if (!u->reported)
			net_report(u->d, u->domid, u->devid, NULL);
		else
			log_line("vif %u of domain %u: user-mode network is back", u->devid, u->domid);
		u->reported = true;
		return;
	}
	if (len >= sizeof(why))
		len = sizeof(why) - 1;
	memcpy(why, text, len);
	why[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (why[i] < ' ' || why[i] > '~')
			why[i] = '?';
	say_last(u, why);
}

/* Before it ends, in place of a frame. */
static bool refused(struct user_link *u, const uint8_t *text, size_t len)
{
	const size_t head = strlen(USERNET_REFUSED);
	char why[100];
	unsigned long call;

	if (len >= NET_FRAME_MIN || len <= head || memcmp(text, USERNET_REFUSED, head))
		return false;
	snprintf(why, sizeof(why), "%.*s", (int)(len - head), (const char *)text + head);
	call = strtoul(why, NULL, 10);
	snprintf(why, sizeof(why), "pvctl-usernet's sandbox forbids system call %lu", call);
	say_last(u, why);
	return true;
}

static void hold(struct user_link *u, const uint8_t *frame, size_t len)
{
	u->held = malloc(len);
	if (!u->held)
		return;
	memcpy(u->held, frame, len);
	u->held_len = (uint32_t)len;
	loop_fd_want(&u->d->loop, &u->lf, 0);
}

static void take(struct user_link *u, const uint8_t *frame, size_t len)
{
	const struct net_frame f = { .data = frame, .len = (uint32_t)len, .csum_good = true };

	if (u->ending || refused(u, frame, len))
		return;
	if (!u->ready) {
		greeting(u, frame, len);
		return;
	}
	if (len < NET_FRAME_MIN || len > NET_FRAME_MAX || !u->carrier)
		return;
	if (!u->user.deliver(u->user.data, &f))
		hold(u, frame, len);
}

static void on_frames(void *data, uint32_t events)
{
	static uint8_t frame[NET_FRAME_MAX + 1]; /* one thread */
	struct user_link *u = data;

	for (unsigned int i = 0; i < FRAMES_PER_EVENT && (!u->held || events & (EPOLLHUP | EPOLLERR)); i++) {
		ssize_t n = recv(u->lf.fd, frame, sizeof(frame), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			/* It is about to end; or it closed the socket and does not. */
			if (u->helper)
				child_kill(u->helper->pid, SIGKILL, false);
			hang_up(u);
			return;
		}
		if (!u->held)
			take(u, frame, (size_t)n);
	}
}

pid_t net_user_spawn(const char *spec, int sock)
{
	char *const argv[] = { (char *)(uintptr_t)"pvctl-usernet", (char *)(uintptr_t)spec, NULL };
	char *const env[] = { NULL };
	char path[600];

	return paths_find_tool("pvctl-usernet", path, sizeof(path)) ? -ENOENT : net_spawn(path, argv, env, sock, -1);
}

/* Its pid, or -errno. */
static int spawn(const struct user_link *u, int sock, int *ret_status_fd)
{
	const struct spawn_ask q = { .text = u->spec, .fds = &sock, .nr_fds = 1 };
	pid_t pid = 0;
	int rc;

	*ret_status_fd = -1;
	if (ask_fd() < 0)
		return net_user_spawn(u->spec, sock);
	rc = spawn_start(SPAWN_VIF_USER, &q, &pid, ret_status_fd, NULL);
	return rc ? rc : pid;
}

static int launch(struct user_link *u, struct pvctl_error *err)
{
	struct helper *h = calloc(1, sizeof(*h));
	int pair[2], status_fd, rc = 0;

	if (!h)
		return fail(err, -ENOMEM, "no memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		rc = fail(err, -errno, "vif %u: socketpair: %s", u->devid, strerror(errno));
	if (rc) {
		free(h);
		return rc;
	}
	h->owner = u;
	h->pid = spawn(u, pair[1], &status_fd);
	close(pair[1]);
	u->started_ns = now_ns();
	u->ending = false;
	if (h->pid < 0 || child_watch(u->d, h->pid, status_fd, on_exit_of_helper, h)) {
		rc = h->pid;
		close(pair[0]);
		free(h);
		if (rc == -ENOENT)
			return fail(err, rc, "vif %u: the program pvctl-usernet is not installed", u->devid);
		return fail(err, -EIO, "vif %u: pvctl-usernet could not be started", u->devid);
	}
	u->helper = h;
	rc = loop_fd_add(&u->d->loop, &u->lf, pair[0], EPOLLIN, on_frames, u);
	if (rc) {
		close(pair[0]);
		return fail(err, -EIO, "vif %u: epoll", u->devid);
	}
	return 0;
}

static void start(void *data)
{
	struct user_link *u = data;
	struct pvctl_error e = { 0 };

	if (!launch(u, &e))
		return;
	log_line("%s", e.msg);
	/* With a process the timer is set when that is seen to have ended. */
	if (u->helper)
		child_kill(u->helper->pid, SIGKILL, false);
	else
		start_later(u);
}

/* ---- a link ---- */
static struct user_link *of(struct net_link *l)
{
	return list_entry(l, struct user_link, link);
}

static void send_out(void *data, const struct net_frame *f)
{
	struct user_link *u = data;

	/* A full socket drops, as a full queue of a switch does. */
	(void)!send(u->lf.fd, f->data, f->len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void user_send(struct net_link *l, const struct net_frame *f)
{
	struct user_link *u = of(l);
	struct net_frame whole = *f;

	/* A frame that stands for many may stay whole: libslirp takes any length, and it ends there. */
	whole.gso = NET_GSO_NONE;
	whole.gso_size = 0;
	if (u->ready && u->lf.fd >= 0)
		(void)net_resolve(&whole, false, send_out, u);
}

static void user_ready(struct net_link *l)
{
	struct user_link *u = of(l);
	struct net_frame f = { .data = u->held, .len = u->held_len, .csum_good = true };

	if (!u->held || (u->carrier && !u->user.deliver(u->user.data, &f)))
		return;
	forget_held(u);
	if (u->lf.fd >= 0)
		loop_fd_want(&u->d->loop, &u->lf, EPOLLIN);
}

static void user_carrier(struct net_link *l, bool up)
{
	struct user_link *u = of(l);

	u->carrier = up;
	if (up || !u->held)
		return;
	forget_held(u);
	if (u->lf.fd >= 0)
		loop_fd_want(&u->d->loop, &u->lf, EPOLLIN);
}

static void user_close(struct net_link *l)
{
	struct user_link *u = of(l);

	loop_timer_cancel(&u->restart);
	if (u->helper) {
		u->helper->owner = NULL;
		child_kill(u->helper->pid, SIGKILL, false);
	}
	hang_up(u);
	forget_held(u);
	free(u);
}

static const struct net_link_ops user_ops = {
	.send = user_send, .ready = user_ready, .carrier = user_carrier, .close = user_close,
};

int net_user_open(struct daemon *d, const struct vif_spec *s, uint32_t domid, const struct net_link_user *user,
		  struct net_link **ret, struct pvctl_error *err)
{
	struct user_link *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return fail(err, -ENOMEM, "no memory");
	u->link.ops = &user_ops;
	u->d = d;
	u->user = *user;
	u->domid = domid;
	u->devid = s->devid;
	u->lf.fd = -1;
	u->hurry_until_ns = d->adopting ? now_ns() + HURRY_FOR_NS : 0;
	loop_timer_init(&u->restart, start, u);
	vif_spec_format(s, u->spec);
	rc = launch(u, err);
	if (rc)
		user_close(&u->link);
	else
		*ret = &u->link;
	return rc;
}
