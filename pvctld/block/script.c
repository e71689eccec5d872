/* SPDX-License-Identifier: MIT */
#include "pvctld/block/script.h"
#include "pvctld/backend/departed.h"
#include "pvctld/base/log.h"
#include "pvctld/block/open.h"
#include "pvctld/block/vbd.h"
#include "pvctld/core/children.h"
#include "pvctld/spawn/ask.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_NS 40000000000ull /* as Xen's toolstack gives them */

/* Lives from "add" to the end of "remove". */
struct blk_script {
	struct list link;        /* of all */
	struct daemon *d;
	struct vbd *v;           /* NULL: the disk has gone */
	void (*done)(struct vbd *v, const char *path, const char *why);
	struct loop_timer timer;
	struct loop_task begin;  /* of "remove", or of an "add" that waits */
	pid_t pid;               /* 0: nothing runs */
	bool late, added, removing;
	bool holds;              /* a departed disk's number */
	bool waiting;            /* for another's "remove" in the same directory of the store */
	bool adopted;            /* "add" was run by a daemon before: what it has said is in the store */
	bool kept;               /* a later daemon finds it */
	pid_t others;            /* of an "add" that a daemon before had begun */
	uint64_t until_ns;       /* that is waited for its end */
	uint32_t domid;
	char path[128], back[64];
	char node[64], device[32], device_path[256]; /* what "add" has said, for "remove" */
	struct disk_spec spec;
};

static struct list scripts = { &scripts, &scripts };

bool blk_scripts_busy(void)
{
	list_for(p, &scripts) {
		const struct blk_script *s = list_entry(p, struct blk_script, link);

		/* One whose "add" runs still has a "remove" to come. */
		if (s->removing || (!s->v && s->pid))
			return true;
	}
	return false;
}

/* ---- for a later daemon: what is to be undone, though nobody has the disk then ---- */

enum stage { ADDING, ADDED, REMOVING };
struct kept_script {
	uint32_t stage;
	int32_t pid;
	char node[64], device[32], device_path[256];
	char text[DISK_SPEC_MAX + 1];
};

static void key_of(const struct blk_script *s, char buf[40])
{
	snprintf(buf, 40, "script/%u/%u", s->domid, s->spec.vdev);
}

static void keep(struct blk_script *s, enum stage stage)
{
	static struct kept_script k; /* one thread */
	char key[40];

	memset(&k, 0, sizeof(k));
	k.stage = stage;
	k.pid = s->pid;
	memcpy(k.node, s->node, sizeof(k.node));
	memcpy(k.device, s->device, sizeof(k.device));
	memcpy(k.device_path, s->device_path, sizeof(k.device_path));
	disk_spec_format(&s->spec, k.text);
	key_of(s, key);
	state_set(&s->d->state, key, &k, sizeof(k));
	s->kept = true;
}

static void keep_not(struct blk_script *s)
{
	char key[40];

	key_of(s, key);
	if (s->kept)
		state_drop(&s->d->state, key);
	s->kept = false;
}

/* One of a disk that has gone uses the directory. */
static bool is_taken(const struct blk_script *s)
{
	list_for(p, &scripts) {
		const struct blk_script *o = list_entry(p, struct blk_script, link);

		if (o != s && (!o->v || o->v->x.gone) && !strcmp(o->back, s->back))
			return true;
	}
	return false;
}

static void put(struct blk_script *s, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", s->back, name);
	if (value[0])
		(void)store_write(s->d->store, path, value, strlen(value));
}

static void get(struct blk_script *s, const char *name, char *buf, size_t len)
{
	char path[128], *text;

	snprintf(path, sizeof(path), "%s/%s", s->back, name);
	text = store_read(s->d->store, path, NULL);
	snprintf(buf, len, "%s", text ? text : "");
	for (char *p = buf; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	free(text);
}

static void put_nodes(struct blk_script *s)
{
	char domid[16];

	snprintf(domid, sizeof(domid), "%u", s->domid);
	put(s, "frontend-id", domid);
	put(s, "script", s->path);
	put(s, "type", "phy");
	put(s, "mode", s->spec.readonly ? "r" : "w");
	put(s, "params", s->spec.target);
	put(s, "dev", s->spec.vdev_name);
	put(s, "node", s->node);
	put(s, "physical-device", s->device);
	put(s, "physical-device-path", s->device_path);
}

pid_t blk_script_spawn(const struct disk_spec *spec, bool add, const char *back, const char *store_path)
{
	char path[80], store[320], script[160], file[128];
	const char *const argv[] = { file, add ? "add" : "remove", NULL };
	const char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
				    "XENBUS_TYPE=vbd", "XENBUS_BASE_PATH=backend", path, store, script, NULL };
	int log = log_fd();
	sigset_t none;
	pid_t pid;

	disk_script_path(spec, file, sizeof(file));
	snprintf(path, sizeof(path), "XENBUS_PATH=%s", back);
	snprintf(store, sizeof(store), "XENSTORED_PATH=%s", store_path);
	snprintf(script, sizeof(script), "script=%s", file);
	pid = fork();
	if (pid)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	if (dup2(open("/dev/null", O_RDONLY), 0) < 0 || (log >= 0 && log != 2 && (dup2(log, 1) < 0 || dup2(log, 2) < 0)))
		_exit(125);
	(void)close_range(3, ~0u, 0);
	execve(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
	_exit(127);
}

static int spawn(struct blk_script *s, bool add, int *ret_status_fd)
{
	char text[DISK_SPEC_MAX + 1];
	const struct spawn_ask q = { .text = text, .where = s->back, .verb = add };

	*ret_status_fd = -1;
	if (ask_fd() < 0) {
		s->pid = blk_script_spawn(&s->spec, add, s->back, s->d->store_path);
		return s->pid < 0 ? -EIO : 0;
	}
	disk_spec_format(&s->spec, text);
	return spawn_start(SPAWN_DISK_SCRIPT, &q, &s->pid, ret_status_fd, NULL);
}

static void destroy(struct blk_script *s)
{
	loop_timer_cancel(&s->timer);
	loop_task_cancel(&s->begin);
	list_del(&s->link);
	keep_not(s);
	if (s->holds)
		departed_release(s->d, &vbd_ops, s->domid, s->spec.vdev);
	list_for(p, &scripts)
		if (list_entry(p, struct blk_script, link)->waiting)
			loop_task_post(&s->d->loop, &list_entry(p, struct blk_script, link)->begin);
	free(s);
}

/* NULL: what "add" has made is in s. */
static const char *judge(struct blk_script *s, int status, char *why, size_t len)
{
	unsigned int major, minor;
	char state[32], said[160];

	get(s, "hotplug-status", state, sizeof(state));
	get(s, "hotplug-error", said, sizeof(said));
	get(s, "node", s->node, sizeof(s->node));
	get(s, "physical-device", s->device, sizeof(s->device));
	get(s, "physical-device-path", s->device_path, sizeof(s->device_path));
	if (s->late)
		snprintf(why, len, "script %s did not end in %llu s", s->path, LIMIT_NS / 1000000000);
	else if (said[0] || !strcmp(state, "error"))
		snprintf(why, len, "script %s: %s", s->path, said[0] ? said : "error");
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		snprintf(why, len, "script %s cannot be run", s->path);
	else if (status)
		snprintf(why, len, "script %s ended with status %d", s->path, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	else if (s->device_path[0] == '/')
		return NULL;
	else if (sscanf(s->device, "%x:%x", &major, &minor) == 2)
		return snprintf(s->device_path, sizeof(s->device_path), "/dev/block/%u:%u", major, minor), NULL;
	else
		snprintf(why, len, "script %s wrote no physical-device", s->path);
	return why;
}

static void begin_remove(struct blk_script *s);

static void ended(void *data, int status)
{
	struct blk_script *s = data;
	const char *bad;
	char why[400];

	s->pid = 0;
	loop_timer_cancel(&s->timer);
	if (!s->d->store || s->d->node.down) {
		if (!s->v)
			destroy(s);
		return;
	}
	if (s->removing) {
		if (status)
			log_line("disk %s of domain %u: script %s remove failed", s->spec.vdev_name, s->domid, s->path);
		(void)store_rm(s->d->store, s->back);
		destroy(s);
		return;
	}
	bad = judge(s, status, why, sizeof(why));
	s->added = !bad;
	if (s->added)
		keep(s, ADDED);
	if (!s->v) {
		begin_remove(s); /* it was not waited for */
		return;
	}
	if (bad)
		keep_not(s);
	s->done(s->v, bad ? NULL : s->device_path, bad);
}

static void too_late(void *data)
{
	struct blk_script *s = data;

	s->late = true;
	child_kill(s->pid, SIGKILL, true);
}

static int start(struct blk_script *s, bool add)
{
	int status_fd;

	if (spawn(s, add, &status_fd) || child_watch(s->d, s->pid, status_fd, ended, s)) {
		s->pid = 0;
		return -EIO;
	}
	loop_timer_set(&s->d->loop, &s->timer, LIMIT_NS);
	return 0;
}

/* Once more "add" would make a second device, of which the first is nobody's any more; or it would be refused. */
static void take_over(struct blk_script *s)
{
	char why[400];
	const char *bad = judge(s, 0, why, sizeof(why));

	s->done(s->v, bad ? NULL : s->device_path, bad);
}

static void begin_add(struct blk_script *s)
{
	if (s->d->node.down || (!s->adopted && is_taken(s)))
		return;
	s->waiting = false;
	if (s->adopted) {
		take_over(s);
		return;
	}
	put_nodes(s);
	keep(s, ADDING);
	if (start(s, true)) {
		keep_not(s);
		(void)store_rm(s->d->store, s->back);
		s->done(s->v, NULL, "it could not be started");
	} else {
		keep(s, ADDING); /* with its process */
	}
}

static void begin(void *data)
{
	struct blk_script *s = data;

	if (s->waiting)
		begin_add(s);
	else
		begin_remove(s);
}

static void begin_remove(struct blk_script *s)
{
	s->removing = true;
	s->late = false;
	/* The backend's nodes are gone by now, and scripts read them. */
	put_nodes(s);
	/* Before it: twice would be worse than never, as the device's name may be another's by then. */
	keep(s, REMOVING);
	if (start(s, false)) {
		log_line("disk %s of domain %u: script %s could not be started", s->spec.vdev_name, s->domid, s->path);
		(void)store_rm(s->d->store, s->back);
		destroy(s);
	}
}

int blk_script_add(struct vbd *v, void (*done)(struct vbd *v, const char *path, const char *why), struct pvctl_error *err)
{
	struct blk_script *s = calloc(1, sizeof(*s));
	char why[400];
	struct stat st;
	int rc;

	if (!s)
		return fail(err, -ENOMEM, "no memory");
	s->d = v->x.d;
	s->v = v;
	s->done = done;
	s->domid = v->x.domid;
	s->spec = v->spec;
	disk_script_path(&v->spec, s->path, sizeof(s->path));
	snprintf(s->back, sizeof(s->back), "%s", v->x.back);
	loop_timer_init(&s->timer, too_late, s);
	loop_task_init(&s->begin, begin, s);
	/* A device is in the records when its script has ended. */
	s->adopted = v->x.adopted;
	rc = s->adopted ? 0 : vbd_look(&v->spec, &st, err);
	if (rc) {
		free(s);
		return rc;
	}
	list_add_tail(&scripts, &s->link);
	if (s->adopted) {
		(void)judge(s, 0, why, sizeof(why));
		s->added = true;
		keep(s, ADDED);
	}
	/* Later, as another disk's nodes may be there. */
	s->waiting = true;
	loop_task_post(&s->d->loop, &s->begin);
	v->script = s;
	return 0;
}

void blk_script_remove(struct blk_script *s)
{
	if (!s)
		return;
	s->v = NULL;
	if (!s->d->store || s->d->node.down) {
		if (!s->pid)
			destroy(s);
		return;
	}
	/* Nobody else's nodes may be where a script works. */
	s->holds = (s->pid || s->added) && departed_hold(s->d, &vbd_ops, s->domid, s->spec.vdev);
	if (s->pid)
		return; /* "add" ends first */
	if (!s->added) {
		if (!s->waiting)
			(void)store_rm(s->d->store, s->back);
		destroy(s);
		return;
	}
	s->removing = true;
	s->waiting = false;
	/* Not now: whoever frees the disk takes its nodes away. */
	loop_task_post(&s->d->loop, &s->begin);
}

/* ---- what another daemon has left: "add" for a disk that nobody has, or one that was to be undone ---- */

#define LOOK_NS 200000000u

static void wait_for_add(void *data)
{
	struct blk_script *s = data;
	char status[32], error[160], why[400];

	get(s, "hotplug-status", status, sizeof(status));
	get(s, "hotplug-error", error, sizeof(error));
	if (!status[0] && !error[0] && now_ns() < s->until_ns) {
		loop_timer_set(&s->d->loop, &s->timer, LOOK_NS);
		return;
	}
	if (!status[0] && !error[0] && s->others > 0)
		child_kill(s->others, SIGKILL, true);
	(void)judge(s, 0, why, sizeof(why));
	loop_timer_init(&s->timer, too_late, s);
	begin_remove(s);
}

static void undo(struct blk_script *s, const struct kept_script *k)
{
	log_line("disk %s of domain %u: script %s had been run for a daemon that has ended: it is undone", s->spec.vdev_name, s->domid,
		 s->path);
	s->kept = s->removing = true;
	s->holds = departed_hold(s->d, &vbd_ops, s->domid, s->spec.vdev);
	if (k->stage == ADDED) {
		memcpy(s->node, k->node, sizeof(s->node));
		memcpy(s->device, k->device, sizeof(s->device));
		memcpy(s->device_path, k->device_path, sizeof(s->device_path));
		loop_task_post(&s->d->loop, &s->begin);
		return;
	}
	s->others = k->pid;
	s->until_ns = now_ns() + LIMIT_NS;
	loop_timer_init(&s->timer, wait_for_add, s);
	loop_timer_set(&s->d->loop, &s->timer, 0);
}

static bool is_ours(uint32_t domid, uint32_t vdev)
{
	list_for(p, &scripts) {
		const struct blk_script *s = list_entry(p, struct blk_script, link);

		if (s->domid == domid && s->spec.vdev == vdev)
			return true;
	}
	return false;
}

static void look_at_kept(void *data, const char *key, const void *value, size_t len)
{
	const struct kept_script *k = value;
	struct daemon *d = data;
	struct blk_script *s;
	uint32_t domid, vdev;

	if (sscanf(key, "script/%u/%u", &domid, &vdev) == 2 && is_ours(domid, vdev))
		return;
	s = len == sizeof(*k) && k->stage != REMOVING ? calloc(1, sizeof(*s)) : NULL;
	/* Its "remove" ends by itself. */
	if (!s || disk_spec_parse(k->text, &s->spec, NULL)) {
		free(s);
		state_drop(&d->state, key);
		return;
	}
	s->d = d;
	s->domid = domid;
	disk_script_path(&s->spec, s->path, sizeof(s->path));
	snprintf(s->back, sizeof(s->back), "/local/domain/0/backend/vbd/%u/%u", domid, vdev);
	loop_timer_init(&s->timer, too_late, s);
	loop_task_init(&s->begin, begin, s);
	list_add_tail(&scripts, &s->link);
	undo(s, k);
}

void blk_scripts_adopt(struct daemon *d)
{
	state_each(&d->state, "script/", look_at_kept, d);
}
