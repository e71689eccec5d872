/* SPDX-License-Identifier: MIT */
/* What the spawner started and has not heard the end of: only that can be signalled, and by its number. */
#include "pvctld/base/log.h"
#include "pvctld/spawner/spawner.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS 3000000000ull
#define NAP_NS 5000000
#define MAX_HELPERS 4096u

struct helper { struct list link; pid_t pid; int status_fd; bool daemons; };

static struct list helpers = { &helpers, &helpers };
static unsigned int nr;

static struct helper *find(pid_t pid)
{
	list_for(p, &helpers)
		if (list_entry(p, struct helper, link)->pid == pid)
			return list_entry(p, struct helper, link);
	return NULL;
}

int helper_add(pid_t pid, bool daemons, int *ret_status_fd)
{
	struct helper *h = nr < MAX_HELPERS ? calloc(1, sizeof(*h)) : NULL;
	int p[2];

	if (!h || pipe2(p, O_CLOEXEC)) {
		free(h);
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return -ENOMEM;
	}
	h->pid = pid;
	h->daemons = daemons;
	h->status_fd = p[1];
	list_add_tail(&helpers, &h->link);
	nr++;
	*ret_status_fd = p[0];
	return 0;
}

bool helper_ended(pid_t pid, int status)
{
	struct helper *h = find(pid);

	if (!h)
		return false;
	(void)!write(h->status_fd, &status, sizeof(status));
	close(h->status_fd);
	list_del(&h->link);
	nr--;
	free(h);
	return true;
}

int helper_kill(pid_t pid, int sig, bool group)
{
	if (sig != SIGTERM && sig != SIGKILL)
		return -EPERM;
	/* It is not reaped yet: its number, and its group's, are its own. */
	if (pid <= 1 || !find(pid))
		return -ESRCH;
	return kill(group ? -pid : pid, sig) ? -errno : 0;
}

static void reap(void)
{
	int status;
	pid_t pid;

	list_for_safe(p, &helpers) {
		pid = list_entry(p, struct helper, link)->pid;
		if (waitpid(pid, &status, WNOHANG) == pid)
			helper_ended(pid, status);
	}
}

static void signal_all(int sig)
{
	list_for(p, &helpers)
		kill(list_entry(p, struct helper, link)->pid, sig);
}

static bool some_are_daemons(void)
{
	list_for(p, &helpers)
		if (list_entry(p, struct helper, link)->daemons)
			return true;
	return false;
}

void helpers_end_daemons(void)
{
	const struct timespec nap = { 0, NAP_NS };
	uint64_t until = now_ns() + PATIENCE_NS;

	list_for(p, &helpers)
		if (list_entry(p, struct helper, link)->daemons)
			kill(list_entry(p, struct helper, link)->pid, SIGKILL);
	for (reap(); some_are_daemons() && now_ns() < until; reap())
		nanosleep(&nap, NULL);
}

void helpers_end(pid_t qemu)
{
	const struct timespec nap = { 0, NAP_NS };
	uint64_t until = now_ns() + PATIENCE_NS;

	if (qemu > 0 && find(qemu))
		kill(qemu, SIGKILL);
	signal_all(SIGTERM);
	for (reap(); !list_empty(&helpers) && now_ns() < until; reap())
		nanosleep(&nap, NULL);
	signal_all(SIGKILL);
	for (reap(); !list_empty(&helpers) && now_ns() < until + PATIENCE_NS; reap())
		nanosleep(&nap, NULL);
}
