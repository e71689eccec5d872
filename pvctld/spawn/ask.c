/* SPDX-License-Identifier: MIT */
#include "pvctld/spawn/ask.h"
#include "pvctld/base/log.h"
#include "pvctld/spawn/keep.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int sock = -1;
static uint32_t last_id;

void ask_init(int fd)
{
	sock = fd;
}

int ask_fd(void)
{
	return sock;
}

/* len: of the answer that is wanted. The answer's descriptors are in m. */
static int ask(uint32_t type, struct spawn_head *h, size_t size, const int *fds, unsigned int nr_fds, struct spawn_msg *m, size_t len)
{
	int rc;

	if (sock < 0)
		return -ENOTCONN;
	*h = (struct spawn_head){ .type = type, .len = (uint32_t)size, .id = ++last_id };
	rc = spawn_msg_send(sock, h, fds, nr_fds, 0);
	rc = rc ? rc : spawn_msg_recv(sock, m);
	if (rc <= 0)
		return rc ? rc : -EPIPE;
	if (m->u.h.id == last_id && (m->u.h.rc || m->len == len))
		return m->u.h.rc;
	spawn_msg_close_fds(m);
	return -EPROTO;
}

static int by_name(uint32_t type, const char *name, int fd, struct spawn_msg *m)
{
	struct spawn_name q;

	memset(&q, 0, sizeof(q));
	if (strlen(name) >= sizeof(q.name))
		return -EINVAL;
	strcpy(q.name, name);
	return ask(type, &q.h, sizeof(q), &fd, fd >= 0, m, sizeof(struct spawn_head));
}

int keep_put(const char *name, int fd)
{
	struct spawn_msg m;

	return fd < 0 ? -EBADF : by_name(SPAWN_KEEP_PUT, name, fd, &m);
}

int keep_take(const char *name)
{
	struct spawn_msg m;
	int rc = by_name(SPAWN_KEEP_TAKE, name, -1, &m);

	return rc ? rc : m.nr_fds == 1 ? m.fd[0] : -EPROTO;
}

int keep_drop(const char *name)
{
	struct spawn_msg m;

	return by_name(SPAWN_KEEP_DROP, name, -1, &m);
}

int keep_list(void (*fn)(void *data, const char *name), void *data)
{
	struct spawn_number q = { .n = 0 };
	struct spawn_names names;
	struct spawn_msg m;
	int rc;

	do {
		rc = ask(SPAWN_KEEP_LIST, &q.h, sizeof(q), NULL, 0, &m, sizeof(names));
		if (rc)
			return rc;
		memcpy(&names, m.u.bytes, sizeof(names));
		for (uint32_t i = 0; i < names.nr && i < SPAWN_NAMES; i++, q.n++) {
			names.name[i][SPAWN_NAME - 1] = '\0';
			fn(data, names.name[i]);
		}
	} while (names.nr == SPAWN_NAMES);
	return (int)q.n;
}

/* The spawner's own words, if it has some. */
static int why(const struct spawn_msg *m, int rc, struct pvctl_error *err)
{
	const struct spawn_text *t = (const struct spawn_text *)(const void *)m->u.bytes;

	if (rc == -EMFILE)
		return fail(err, -ENOSPC, "too many open files in pvctld");
	if (rc == -ENOTCONN || rc == -EPIPE || rc == -EPROTO || m->len != sizeof(*t))
		return fail(err, rc, "the spawner: %s", strerror(-rc));
	return fail(err, rc, "%.*s", (int)sizeof(t->text) - 1, t->text);
}

int spawn_qemu(int ram_fd, int iv_fd, struct spawned_qemu *ret, struct pvctl_error *err)
{
	const int fds[] = { ram_fd, iv_fd };
	struct spawn_head q;
	struct spawn_qemu a;
	struct spawn_msg m;
	int rc = ask(SPAWN_QEMU, &q, sizeof(q), fds, 2, &m, sizeof(a));

	if (rc)
		return why(&m, rc, err);
	memcpy(&a, m.u.bytes, sizeof(a));
	if (m.nr_fds != (a.jailed ? 3 : 2)) {
		spawn_msg_close_fds(&m);
		return fail(err, -EPROTO, "the spawner: %s", strerror(EPROTO));
	}
	ret->p = (struct spawned){ a.pid, m.fd[QEMU_FD_PIDFD], m.fd[QEMU_FD_STATUS] };
	ret->jail_fd = a.jailed ? m.fd[QEMU_FD_JAIL] : -1;
	ret->version = a.version;
	snprintf(ret->accel, sizeof(ret->accel), "%.7s", a.accel);
	return 0;
}

int spawn_ask(uint32_t type, const struct spawn_ask *q, struct spawn_started *ret, int *ret_fds, unsigned int max,
	      struct pvctl_error *err)
{
	static struct spawn_device device; /* one thread */
	struct spawn_head head;
	struct spawn_msg m;
	unsigned int n;
	int rc;

	if (type >= SPAWN_DISK_OPEN) {
		memset(&device, 0, sizeof(device));
		snprintf(device.where, sizeof(device.where), "%s", q->where ? q->where : "");
		snprintf(device.text, sizeof(device.text), "%s", q->text);
		device.domid = q->domid;
		device.verb = q->verb;
		memcpy(device.n, q->n, sizeof(device.n));
		rc = ask(type, &device.h, sizeof(device), q->fds, q->nr_fds, &m, sizeof(*ret));
	} else {
		rc = ask(type, &head, sizeof(head), q ? q->fds : NULL, q ? q->nr_fds : 0, &m, sizeof(*ret));
	}
	if (rc)
		return why(&m, rc, err);
	memcpy(ret, m.u.bytes, sizeof(*ret));
	ret->where[sizeof(ret->where) - 1] = '\0';
	for (n = 0; n < max; n++)
		ret_fds[n] = spawn_msg_take_fd(&m, n);
	n = m.nr_fds < max ? m.nr_fds : max;
	spawn_msg_close_fds(&m);
	return (int)n;
}

int spawn_start(uint32_t type, const struct spawn_ask *q, pid_t *ret_pid, int *ret_status_fd, struct pvctl_error *err)
{
	struct spawn_started a;
	int rc = spawn_ask(type, q, &a, ret_status_fd, 1, err);

	if (rc < 0)
		return rc;
	*ret_pid = a.pid;
	return rc == 1 ? 0 : fail(err, -EPROTO, "the spawner: %s", strerror(EPROTO));
}

int spawn_kill(pid_t pid, int sig, bool group)
{
	struct spawn_kill q = { .pid = pid, .sig = (uint32_t)sig, .group = group };
	struct spawn_msg m;

	return ask(SPAWN_KILL, &q.h, sizeof(q), NULL, 0, &m, sizeof(struct spawn_head));
}

int spawn_wait(int status_fd)
{
	int status = 0;
	ssize_t n;

	do
		n = read(status_fd, &status, sizeof(status));
	while (n < 0 && errno == EINTR);
	return n == sizeof(status) ? status : 0;
}

int spawn_restart(struct pvctl_error *err)
{
	struct spawn_head q;
	struct spawn_msg m;
	int rc = ask(SPAWN_RESTART, &q, sizeof(q), NULL, 0, &m, sizeof(q));

	return rc ? why(&m, rc, err) : 0;
}

int spawn_up(void)
{
	struct spawn_head q;
	struct spawn_msg m;

	return ask(SPAWN_UP, &q, sizeof(q), NULL, 0, &m, sizeof(q));
}

void spawn_bye(int exit_status)
{
	struct spawn_number q = { .n = (uint32_t)exit_status };
	struct spawn_msg m;

	(void)ask(SPAWN_BYE, &q.h, sizeof(q), NULL, 0, &m, sizeof(struct spawn_head));
}
