/* SPDX-License-Identifier: MIT */
/*
 * What takes the right to open and start devices. The text must be one that the owner named, and it alone says which
 * file, bridge, script or directory it is; what else the daemon says is checked here.
 */
#include "pvctld/base/log.h"
#include "pvctld/block/nbd.h"
#include "pvctld/block/open.h"
#include "pvctld/block/script.h"
#include "pvctld/channel/channel.h"
#include "pvctld/net/links.h"
#include "pvctld/net/tap.h"
#include "pvctld/p9/share.h"
#include "pvctld/spawner/spawner.h"
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_TAPS 4096u
#define MAX_DOMID 0x7ff0u

/*
 * Those that were made here: a script is run of no other. They are the host's, and few. A name is one of them for as long as
 * the interface is that: when it is gone, another's may be called so, as the other node's of a user, and has another number.
 */
static struct { char name[16]; unsigned int index; } *taps;
static unsigned int nr_taps;

struct work {
	struct spawner *s;
	const struct spawn_device *q;
	struct spawn_msg *m;       /* of the request: its descriptors */
	struct spawn_started *r;
	struct spawn_msg *a;
	struct pvctl_error e;
	union { struct disk_spec disk; struct vif_spec vif; struct p9_spec p9; struct channel_spec channel; } spec;
};

static void give(struct work *w, int fd)
{
	w->a->fd[w->a->nr_fds++] = fd;
}

/* rc: what a start returned, 0 or -errno. */
static int started(struct work *w, pid_t pid, int rc)
{
	int status_fd;

	if (rc || pid <= 0)
		return fail(&w->e, rc ? rc : -EIO, "%s", strerror(rc ? -rc : EIO));
	rc = helper_add(pid, false, &status_fd);
	if (rc)
		return fail(&w->e, rc, "no memory");
	w->r->pid = pid;
	give(w, status_fd);
	return 0;
}

static int disk_do_open(struct work *w)
{
	const char *device = w->q->where[0] ? w->q->where : NULL;
	struct disk_opened o;
	int rc;

	if (!device != !w->spec.disk.script[0] || (device && (strncmp(device, "/dev/", 5) || strstr(device, "/../"))))
		return fail(&w->e, -EPERM, "disk %s: that is not what its script may name", w->spec.disk.vdev_name);
	if (!device && w->spec.disk.format != DISK_RAW)
		return fail(&w->e, -EPERM, "disk %s is not raw", w->spec.disk.vdev_name);
	rc = disk_open(&w->spec.disk, device, &o, &w->e);
	if (rc)
		return rc;
	give(w, o.fd);
	if (o.direct_fd >= 0)
		give(w, o.direct_fd);
	w->r->n[0] = o.granularity;
	w->r->n[1] = o.alignment;
	w->r->n[2] = o.discard_max;
	return 0;
}

static int disk_do_look(struct work *w)
{
	int fd, rc = disk_look(&w->spec.disk, &fd, &w->e);

	if (!rc && fd >= 0)
		give(w, fd);
	return rc;
}

static int disk_do_nbd(struct work *w)
{
	int sock = -1;
	pid_t pid;
	int rc;

	if (w->spec.disk.format == DISK_RAW || w->spec.disk.script[0])
		return fail(&w->e, -EPERM, "disk %s is raw", w->spec.disk.vdev_name);
	pid = nbd_spawn(w->s->d->run_dir, &w->spec.disk, w->m->fd[0], &sock, &w->e);
	if (pid < 0)
		return (int)pid;
	rc = started(w, pid, 0);
	if (rc)
		close(sock);
	else
		give(w, sock);
	return rc;
}

static int disk_do_script(struct work *w)
{
	unsigned int domid, devid;
	char back[64];

	if (!w->spec.disk.script[0])
		return fail(&w->e, -EPERM, "disk %s has no script", w->spec.disk.vdev_name);
	/* A name below the backend's own directory, and none of several words for a script to read. */
	if (sscanf(w->q->where, "/local/domain/0/backend/vbd/%u/%u", &domid, &devid) != 2)
		return fail(&w->e, -EINVAL, "no directory of a disk's");
	snprintf(back, sizeof(back), "/local/domain/0/backend/vbd/%u/%u", domid, devid);
	return started(w, blk_script_spawn(&w->spec.disk, w->q->verb != 0, back, w->s->d->store_path), 0);
}

static void forget_gone(void)
{
	for (unsigned int i = 0; i < nr_taps;) {
		if (if_nametoindex(taps[i].name) == taps[i].index)
			i++;
		else
			taps[i] = taps[--nr_taps];
	}
}

static bool is_tap(const char *name)
{
	forget_gone();
	for (unsigned int i = 0; i < nr_taps; i++)
		if (!strcmp(taps[i].name, name))
			return true;
	return false;
}

static int note_tap(const char *name)
{
	unsigned int index = if_nametoindex(name);

	forget_gone();
	if (!taps)
		taps = calloc(MAX_TAPS, sizeof(*taps));
	if (!taps || !index || nr_taps == MAX_TAPS)
		return -ENOSPC;
	snprintf(taps[nr_taps].name, sizeof(taps->name), "%s", name);
	taps[nr_taps++].index = index;
	return 0;
}

static struct tap tap_of(struct work *w)
{
	struct tap t = { .d = w->s->d, .spec = w->spec.vif, .domid = w->q->domid, .fd = -1 };

	snprintf(t.name, sizeof(t.name), "%.15s", w->q->where);
	return t;
}

static int vif_do_tap(struct work *w)
{
	struct tap t = tap_of(w);
	int rc;

	if (t.spec.kind != VIF_TAP || t.domid >= MAX_DOMID)
		return fail(&w->e, -EPERM, "vif %u is no tap", t.spec.devid);
	rc = tap_create(&t, &w->e);
	rc = rc ? rc : note_tap(t.name);
	if (rc) {
		if (t.fd >= 0)
			close(t.fd);
		return rc;
	}
	give(w, t.fd);
	snprintf(w->r->where, sizeof(w->r->where), "%s", t.name);
	return 0;
}

static int vif_do_plug(struct work *w)
{
	struct tap t = tap_of(w);

	return is_tap(w->q->where) && !t.spec.script[0] ? tap_plug(&t, &w->e) : fail(&w->e, -EPERM, "no tap of ours");
}

static int vif_do_script(struct work *w)
{
	char back[80];

	if (!w->spec.vif.script[0] || !is_tap(w->q->where) || w->q->domid >= MAX_DOMID)
		return fail(&w->e, -EPERM, "no tap of ours, or none with a script");
	snprintf(back, sizeof(back), "/local/domain/0/backend/vif/%u/%u", w->q->domid, w->spec.vif.devid);
	return started(w, tap_script_spawn(&w->spec.vif, w->q->where, w->q->verb != 0, back, w->s->d->store_path), 0);
}

static int vif_do_user(struct work *w)
{
	pid_t pid;

	if (w->spec.vif.kind != VIF_USER)
		return fail(&w->e, -EPERM, "vif %u is no user-mode network", w->spec.vif.devid);
	pid = net_user_spawn(w->q->text, w->m->fd[0]);
	return started(w, pid, pid < 0 ? (int)pid : 0);
}

static int p9_do_serve(struct work *w)
{
	pid_t pid = 0;
	int rc = p9_server_spawn(&w->spec.p9, w->m->fd[0], w->m->fd[1], &pid);

	return started(w, pid, rc);
}

static int channel_do_open(struct work *w)
{
	const struct channel_spec *s = &w->spec.channel;
	int fds[2] = { -1, -1 }, rc;

	snprintf(w->r->where, sizeof(w->r->where), "%s", s->path);
	if (s->socket) {
		rc = channel_open_socket(s->path, &fds[0], w->r->n, &w->e);
	} else {
		rc = channel_open_pty(&fds[0], &fds[1], w->r->where, CHANNEL_PATH_MAX + 1);
		if (rc)
			fail(&w->e, rc, "channel \"%.63s\": no pty can be had", s->name);
	}
	for (unsigned int i = 0; i < 2 && !rc; i++)
		if (fds[i] >= 0)
			give(w, fds[i]);
	return rc;
}

static int channel_do_close(struct work *w)
{
	if (w->spec.channel.socket)
		channel_remove_socket(w->spec.channel.path, w->q->n);
	return 0;
}

static const struct { const char *key; int (*fn)(struct work *w); } kinds[SPAWN_NR_TYPES] = {
	[SPAWN_DISK_OPEN] = { "disk", disk_do_open }, [SPAWN_DISK_LOOK] = { "disk", disk_do_look },
	[SPAWN_DISK_NBD] = { "disk", disk_do_nbd }, [SPAWN_DISK_SCRIPT] = { "disk", disk_do_script },
	[SPAWN_VIF_TAP] = { "vif", vif_do_tap }, [SPAWN_VIF_PLUG] = { "vif", vif_do_plug },
	[SPAWN_VIF_SCRIPT] = { "vif", vif_do_script }, [SPAWN_VIF_USER] = { "vif", vif_do_user },
	[SPAWN_P9] = { "p9", p9_do_serve },
	[SPAWN_CHANNEL] = { "channel", channel_do_open }, [SPAWN_CHANNEL_CLOSE] = { "channel", channel_do_close },
};

static int parse(struct work *w, const char *key)
{
	switch (key[0]) {
	case 'd':
		return disk_spec_parse(w->q->text, &w->spec.disk, &w->e);
	case 'v':
		return vif_spec_parse(w->q->text, &w->spec.vif, &w->e);
	case 'p':
		return p9_spec_parse(w->q->text, &w->spec.p9, &w->e);
	}
	return channel_spec_parse(w->q->text, &w->spec.channel, &w->e);
}

int device_do(struct spawner *s, struct spawn_msg *m, struct spawn_msg *a, struct pvctl_error *err)
{
	static struct work w;
	const char *key = kinds[m->u.h.type].key;
	int rc;

	memset(&w, 0, sizeof(w));
	w.s = s;
	w.m = m;
	w.a = a;
	w.q = (const struct spawn_device *)(const void *)m->u.bytes;
	w.r = (struct spawn_started *)(void *)a->u.bytes;
	/* Its parser sees nothing that the owner has not said. */
	if (!allowed_has(key, w.q->text)) {
		log_line("the daemon asked the spawner for %s \"%.200s\", which nobody named", key, w.q->text);
		return fail(err, -EPERM, "%s \"%.600s\": the node's owner has not named it", key, w.q->text);
	}
	rc = parse(&w, key);
	rc = rc ? rc : kinds[m->u.h.type].fn(&w);
	if (rc)
		*err = w.e;
	return rc;
}
