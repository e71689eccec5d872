/* SPDX-License-Identifier: MIT */
/* The daemon's requests. What is wrong with one costs that request, and is not looked into further. */
#include "pvctld/base/log.h"
#include "pvctld/jail/clean.h"
#include "pvctld/life/autostart.h"
#include "pvctld/node/node.h"
#include "pvctld/spawner/spawner.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AS(type, m) ((type *)(void *)(m)->u.bytes)

static void answer(struct spawn_msg *a, int rc, size_t len)
{
	a->u.h.rc = rc;
	a->u.h.len = (uint32_t)len;
}

static void refuse(struct spawn_msg *a, int rc, const struct pvctl_error *e)
{
	snprintf(AS(struct spawn_text, a)->text, sizeof(e->msg), "%s", e->msg);
	answer(a, rc, sizeof(struct spawn_text));
}

static void put_fd(struct spawn_msg *a, int fd)
{
	a->fd[a->nr_fds++] = fd;
}

static const char *name_of(struct spawn_msg *m)
{
	return AS(struct spawn_name, m)->name;
}

static void keep_take(struct spawn_msg *m, struct spawn_msg *a)
{
	int fd = kept_get(name_of(m));

	fd = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		put_fd(a, fd);
	answer(a, fd < 0 ? fd == -1 ? -errno : fd : 0, sizeof(struct spawn_head));
}

static void keep_list(struct spawn_msg *m, struct spawn_msg *a)
{
	struct spawn_names *names = AS(struct spawn_names, a);

	names->nr = kept_names(AS(struct spawn_number, m)->n, names->name, SPAWN_NAMES);
	answer(a, 0, sizeof(*names));
}

/* Once in a node's life: nothing of it comes from the daemon but the two descriptors, which QEMU gets as they are. */
static int start_qemu(struct spawner *s, struct spawn_msg *m, struct spawn_msg *a, struct pvctl_error *err)
{
	struct spawn_qemu *r = AS(struct spawn_qemu, a);
	struct node *n = &s->d->node;
	int status_fd, rc;

	if (s->has_qemu)
		return fail(err, -EEXIST, "a node has one QEMU");
	n->ram_fd = m->fd[0];
	rc = qemu_start(s->d, m->fd[1], err);
	n->ram_fd = -1;
	if (rc)
		return rc;
	rc = helper_add(n->qemu_pid, false, &status_fd);
	if (rc) {
		close(n->qemu_pidfd);
		return fail(err, rc, "no memory");
	}
	s->has_qemu = true;
	put_fd(a, n->qemu_pidfd);
	put_fd(a, status_fd);
	r->jailed = n->jail_fd >= 0;
	if (r->jailed)
		put_fd(a, n->jail_fd);
	n->qemu_pidfd = n->jail_fd = -1;
	r->pid = n->qemu_pid;
	r->version = n->qemu_version;
	memcpy(r->accel, n->accel, sizeof(r->accel));
	answer(a, 0, sizeof(*r));
	return 0;
}

static void bye(struct spawner *s, struct spawn_msg *m, struct spawn_msg *a)
{
	spawner_end(s, (int)AS(struct spawn_number, m)->n);
	answer(a, 0, sizeof(struct spawn_head));
}

static int is_up(struct spawner *s)
{
	struct pvctl_error e;
	int status_fd, rc = rundir_write_info(s->d, s->daemon, &e);
	bool again = s->up;
	pid_t pid = again ? 0 : autostart_spawn(s->d);

	if (!s->up)
		clean_unmap();
	s->up = true;
	if (rc)
		log_line("%s", e.msg);
	if (pid > 0 && !helper_add(pid, false, &status_fd))
		close(status_fd);
	/* No domain ends because there is no room for a file. */
	return again ? 0 : rc;
}

static int start(struct spawner *s, struct spawn_msg *m, struct spawn_msg *a, struct pvctl_error *err)
{
	switch (m->u.h.type) {
	case SPAWN_SOCKETS:
		return service_sockets(s, a, err);
	case SPAWN_HOST:
		service_host(s, AS(struct spawn_started, a));
		return 0;
	case SPAWN_REBUILD:
		return service_rebuild(s, m, a, err);
	}
	return device_do(s, m, a, err);
}

void spawner_do(struct spawner *s, struct spawn_msg *m, struct spawn_msg *a)
{
	const struct spawn_kill *k = AS(struct spawn_kill, m);
	struct pvctl_error e;
	int rc = spawn_msg_check(m);

	memset(a, 0, sizeof(*a));
	a->u.h.type = m->u.h.type;
	a->u.h.id = m->u.h.id;
	if (rc) {
		answer(a, rc, sizeof(struct spawn_head));
		return;
	}
	switch (m->u.h.type) {
	case SPAWN_KEEP_PUT:
		answer(a, kept_put(name_of(m), spawn_msg_take_fd(m, 0)), sizeof(struct spawn_head));
		break;
	case SPAWN_KEEP_TAKE:
		keep_take(m, a);
		break;
	case SPAWN_KEEP_DROP:
		answer(a, kept_drop(name_of(m)), sizeof(struct spawn_head));
		break;
	case SPAWN_KEEP_LIST:
		keep_list(m, a);
		break;
	case SPAWN_QEMU:
		rc = start_qemu(s, m, a, &e);
		if (rc)
			refuse(a, rc, &e);
		break;
	case SPAWN_KILL:
		answer(a, helper_kill(k->pid, (int)k->sig, k->group), sizeof(struct spawn_head));
		break;
	case SPAWN_UP:
		s->up_ns = now_ns();
		rc = is_up(s);
		answer(a, rc, sizeof(struct spawn_head));
		break;
	case SPAWN_RESTART:
		rc = spawner_check_program(s, &e);
		s->restarting = !rc;
		if (rc)
			refuse(a, rc, &e);
		else
			answer(a, 0, sizeof(struct spawn_head));
		break;
	case SPAWN_BYE:
		bye(s, m, a);
		break;
	default:
		rc = start(s, m, a, &e);
		if (rc)
			refuse(a, rc, &e);
		else
			answer(a, 0, sizeof(struct spawn_started));
	}
}

static void no_room(const struct spawn_msg *m, struct spawn_msg *a)
{
	struct pvctl_error e;

	memset(a, 0, sizeof(*a));
	a->u.h.type = m->u.h.type;
	a->u.h.id = m->u.h.id;
	log_line("the spawner has too many open files (see `ulimit -n')");
	refuse(a, fail(&e, -ENOSPC, "too many open files in the spawner"), &e);
}

int spawner_serve(struct spawner *s)
{
	static struct spawn_msg m, a;
	int rc = spawn_msg_recv(s->sock, &m);

	if (rc == -EPROTO) {
		log_line("the daemon sent the spawner what is no request");
		return 0;
	}
	/* It waits for an answer. */
	if (rc == -EMFILE)
		no_room(&m, &a);
	else if (rc <= 0)
		return rc ? rc : -EPIPE;
	else
		spawner_do(s, &m, &a);
	spawn_msg_close_fds(&m);
	/* One that does not take its answers must not hold the spawner up. */
	rc = spawn_msg_send(s->sock, &a.u.h, a.fd, a.nr_fds, MSG_DONTWAIT);
	spawn_msg_close_fds(&a);
	return rc;
}
