/* SPDX-License-Identifier: MIT */
/* What is not about a device: the daemon's listeners, numbers of the host's, building a domain again. */
#include "libpvctl/src/util/fd.h"
#include "libpvctl/src/util/hostmem.h"
#include "pvctld/base/log.h"
#include "pvctld/life/policy.h"
#include "pvctld/node/backing.h"
#include "pvctld/spawner/spawner.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_JSON (1u << 20)

static void give(struct spawn_msg *a, int fd)
{
	a->fd[a->nr_fds++] = fd;
}

int service_sockets(struct spawner *s, struct spawn_msg *a, struct pvctl_error *err)
{
	const char *const path[2] = { s->d->control_path, s->d->store_path };

	/* The store's first: who finds the other may ask for it. */
	for (unsigned int i = 2; i--;)
		if (s->listeners[i] < 0 && (s->listeners[i] = rundir_listen(path[i], SOCK_STREAM, err)) < 0)
			return s->listeners[i];
	for (unsigned int i = 0; i < 2; i++) {
		int fd = fcntl(s->listeners[i], F_DUPFD_CLOEXEC, 0);

		if (fd < 0)
			return fail(err, -errno, "dup: %s", strerror(errno));
		give(a, fd);
	}
	return 0;
}

void service_host(struct spawner *s, struct spawn_started *r)
{
	struct hostmem m;

	if (!hostmem_read("", &m)) {
		r->n[0] = m.total_bytes;
		r->n[1] = m.available_bytes;
		r->n[2] = m.cgroup;
	}
	r->n[3] = backing_resident(s->d->node.qemu_pid);
}

static bool list_is_allowed(const struct pvctl_config *c, const char *key)
{
	char text[ALLOWED_TEXT + 1];
	const char *item;

	for (size_t i = 0; (item = pvctl_config_get_item(c, key, i)); i++)
		if (allowed_as_written(key, item, text) || !allowed_has(key, text)) {
			log_line("restart: %s \"%.600s\" is not what the node's owner named", key, item);
			return false;
		}
	return true;
}

/* All that names a file, a device or a program must be what the owner named: the text comes from the daemon. */
bool service_may_rebuild(const struct pvctl_config *c)
{
	static const char *const lists[] = { "disk", "vif", "p9", "channel" }, *const keys[] = PROTO_ALLOW_KEYS;
	bool ok = true;

	for (unsigned int i = 0; i < sizeof(lists) / sizeof(lists[0]) && ok; i++)
		ok = list_is_allowed(c, lists[i]);
	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]) && ok; i++) {
		const char *value = pvctl_config_get_str(c, keys[i]);

		ok = !value || allowed_has(keys[i], value);
		if (!ok)
			log_line("restart: %s \"%.600s\" is not what the node's owner named", keys[i], value);
		ok = ok && list_is_allowed(c, keys[i]);
	}
	return ok;
}

/* In a process of its own. */
static int rebuild(const struct spawner *s, int fd)
{
	struct pvctl_config *c = NULL;
	struct pvctl_error e = { 0 };
	char *json = NULL;
	int rc;

	if (lseek(fd, 0, SEEK_SET) || fd_read_rest(fd, MAX_JSON, &json))
		return 1;
	rc = pvctl_config_from_json(json, &c, &e);
	if (rc)
		log_line("restart: %s", e.msg);
	rc = rc || !service_may_rebuild(c) ? 1 : rebuild_run(s->d->opt.node, c);
	pvctl_config_free(c);
	free(json);
	return rc;
}

int service_rebuild(struct spawner *s, struct spawn_msg *m, struct spawn_msg *a, struct pvctl_error *err)
{
	struct spawn_started *r = (struct spawn_started *)(void *)a->u.bytes;
	sigset_t none;
	int status_fd, rc;
	pid_t pid;

	pid = fork();
	if (!pid) {
		int fd = fcntl(m->fd[0], F_DUPFD_CLOEXEC, 0);

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		close(s->sock);
		close(s->signals);
		clients_close(s);
		_exit(rebuild(s, fd));
	}
	rc = pid < 0 ? -errno : helper_add(pid, true, &status_fd);
	if (rc)
		return fail(err, rc, "fork: %s", strerror(-rc));
	r->pid = pid;
	give(a, status_fd);
	return 0;
}
