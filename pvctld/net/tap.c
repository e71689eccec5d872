/* SPDX-License-Identifier: MIT */
/* A tap of the host's: its kernel checks, bridges and segments. Needs CAP_NET_ADMIN. */
#include "pvctld/net/tap.h"
#include "pvctld/base/log.h"
#include "pvctld/net/links.h"
#include "pvctld/spawn/ask.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRAMES_PER_EVENT 64

struct tap_link {
	struct net_link link;
	struct tap t;
	struct net_link_user user;
	struct loop_fd lf;
	struct loop_task online;
	struct tap_run *script;  /* while "online" runs */
	bool carrier, started;   /* started: "online" was; "offline" is due */
	struct net_frame held;   /* data NULL: none */
};

static struct tap_link *of(struct net_link *l)
{
	return list_entry(l, struct tap_link, link);
}

static void forget_held(struct tap_link *t)
{
	free((void *)(uintptr_t)t->held.data);
	t->held.data = NULL;
	loop_fd_want(&t->t.d->loop, &t->lf, EPOLLIN);
}

static void hold(struct tap_link *t, const struct net_frame *f)
{
	uint8_t *copy = t->held.data ? NULL : malloc(f->len);

	/* Of a frame in pieces, those behind the first are lost: TCP sends them again. */
	if (!copy)
		return;
	memcpy(copy, f->data, f->len);
	t->held = *f;
	t->held.data = copy;
	loop_fd_want(&t->t.d->loop, &t->lf, 0);
}

static void deliver(void *data, const struct net_frame *f)
{
	struct tap_link *t = data;

	if (t->held.data || !t->user.deliver(t->user.data, f))
		hold(t, f);
}

/* What was asked of the kernel may have changed since it queued the frame. */
static void take(struct tap_link *t, const struct net_frame *f)
{
	const struct net_link *l = &t->link;
	bool cannot = (f->gso == NET_GSO_TCPV4 && !l->guest_tso4) || (f->gso == NET_GSO_TCPV6 && !l->guest_tso6) ||
		      (f->csum_blank && !l->guest_csum);

	if (!t->carrier)
		return;
	if (cannot)
		(void)net_resolve(f, l->guest_csum, deliver, t);
	else
		deliver(t, f);
}

/* Somebody else deleted the interface; epoll would tell so for good. */
static void lost(struct tap_link *t, int why)
{
	log_line("vif %u of domain %u: tap \"%s\": %s", t->t.spec.devid, t->t.domid, t->t.name, strerror(why));
	loop_fd_del(&t->t.d->loop, &t->lf);
}

static void on_frames(void *data, uint32_t events)
{
	static uint8_t buf[NET_FRAME_MAX]; /* one thread */
	struct tap_link *t = data;

	/* With a frame held nothing is read that would say it. */
	if (t->held.data && events & (EPOLLERR | EPOLLHUP))
		lost(t, EBADFD);
	for (unsigned int i = 0; i < FRAMES_PER_EVENT && !t->held.data; i++) {
		struct virtio_net_hdr h;
		struct iovec iov[2] = { { &h, sizeof(h) }, { buf, sizeof(buf) } };
		ssize_t n = readv(t->t.fd, iov, 2);
		struct net_frame f = { .data = buf };

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			lost(t, errno);
		if (n < 0)
			return;
		if (n < (ssize_t)sizeof(h) + NET_FRAME_MIN)
			continue;
		f.len = (uint32_t)(n - (ssize_t)sizeof(h));
		if (tap_frame(&h, &f))
			take(t, &f);
	}
}

static void write_frame(void *data, const struct net_frame *f)
{
	struct tap_link *t = data;
	struct virtio_net_hdr h;
	const struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)f->data, f->len } };

	/* A full queue drops. */
	if (tap_header(f, &h))
		(void)!writev(t->t.fd, iov, 2);
}

static void tap_send(struct net_link *l, const struct net_frame *f)
{
	struct virtio_net_hdr h;

	if (tap_header(f, &h))
		write_frame(of(l), f);
	else
		(void)net_resolve(f, false, write_frame, of(l));
}

static void tap_ready(struct net_link *l)
{
	struct tap_link *t = of(l);

	if (t->held.data && (!t->carrier || t->user.deliver(t->user.data, &t->held)))
		forget_held(t);
}

static void tap_carrier(struct net_link *l, bool up)
{
	struct tap_link *t = of(l);

	t->carrier = up;
	tap_set_carrier(&t->t, l, up);
	if (t->held.data)
		forget_held(t);
}

static void tap_close(struct net_link *l)
{
	struct tap_link *t = of(l);

	loop_task_cancel(&t->online);
	if (t->held.data)
		forget_held(t);
	loop_fd_del(&t->t.d->loop, &t->lf);
	if (t->started)
		tap_script_offline(&t->t, t->script);
	else if (t->t.fd >= 0)
		close(t->t.fd);
	free(t);
}

static void forget_node(const struct tap *t, const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/local/domain/0/backend/vif/%u/%u/%s", t->domid, t->spec.devid, name);
	(void)store_rm(t->d->store, path);
}

static void tap_begin(struct net_link *l)
{
	struct tap_link *t = of(l);

	/* What the last one's "offline" said, with the same number, is not about this one. */
	forget_node(&t->t, "hotplug-status");
	forget_node(&t->t, "hotplug-error");
	loop_task_post(&t->t.d->loop, &t->online);
}

static const struct net_link_ops tap_ops = {
	.begin = tap_begin, .send = tap_send, .ready = tap_ready, .carrier = tap_carrier, .close = tap_close,
};

static void go_online(void *data)
{
	struct tap_link *t = data;

	if (!t->t.spec.script[0]) {
		net_report(t->t.d, t->t.domid, t->t.spec.devid, NULL);
		return;
	}
	t->started = true;
	t->script = tap_script_online(&t->t, &t->script);
}

static int make(struct tap *t, struct pvctl_error *err)
{
	char text[VIF_SPEC_MAX + 1];
	struct spawn_ask q = { .text = text, .domid = t->domid };
	struct spawn_started a;
	int rc;

	if (ask_fd() < 0) {
		rc = tap_create(t, err);
		return rc || t->spec.script[0] ? rc : tap_plug(t, err);
	}
	vif_spec_format(&t->spec, text);
	rc = spawn_ask(SPAWN_VIF_TAP, &q, &a, &t->fd, 1, err);
	if (rc < 0)
		return rc;
	snprintf(t->name, sizeof(t->name), "%.15s", a.where);
	q.where = t->name;
	rc = t->spec.script[0] ? 0 : spawn_ask(SPAWN_VIF_PLUG, &q, &a, NULL, 0, err);
	return rc < 0 ? rc : 0;
}

int net_tap_open(struct daemon *d, const struct vif_spec *s, uint32_t domid, const struct net_link_user *user,
		 struct net_link **ret, struct pvctl_error *err)
{
	struct tap_link *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return fail(err, -ENOMEM, "no memory");
	t->link.ops = &tap_ops;
	t->t = (struct tap){ .d = d, .spec = *s, .domid = domid, .fd = -1 };
	t->user = *user;
	t->lf.fd = -1;
	loop_task_init(&t->online, go_online, t);
	rc = make(&t->t, err);
	if (!rc && loop_fd_add(&d->loop, &t->lf, t->t.fd, EPOLLIN, on_frames, t))
		rc = fail(err, -EIO, "vif %u: epoll", s->devid);
	if (rc) {
		tap_close(&t->link);
		return rc;
	}
	tap_set_carrier(&t->t, &t->link, false);
	*ret = &t->link;
	return 0;
}
