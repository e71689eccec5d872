/* SPDX-License-Identifier: MIT */
/*
 * epoll-loop DOMAIN: libpvctl inside a program's own epoll loop. The node's events, the domain's console, and signals are
 * descriptors beside each other; no thread, and nothing that waits elsewhere. Ends when the domain is gone.
 */
#include <errno.h>
#include <libpvctl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct loop {
	int epoll, signals, console;
	struct pvctl_events *events;
	uint64_t domain;   /* its unique_id: numbers and names may be another's later */
	int done;
};

static int watch(const struct loop *l, int fd)
{
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e);
}

/* All that is there: the snapshot of pvctl_events_open() makes the descriptor readable no more than what was read. */
static int on_events(struct loop *l, struct pvctl_error *err)
{
	struct pvctl_event e = { .size = sizeof(e) };
	int rc;

	while ((rc = pvctl_events_next(l->events, &e, err)) == 1) {
		printf("event %u domain %u %s\n", e.type, e.domid, e.name);
		if (e.type == PVCTL_EVENT_NODE_DOWN || (e.type == PVCTL_EVENT_DESTROYED && e.unique_id == l->domain))
			l->done = 1;
	}
	fflush(stdout);
	return rc;
}

static void on_console(struct loop *l)
{
	char buf[4096];
	ssize_t n = read(l->console, buf, sizeof(buf));

	if (n > 0) {
		fwrite(buf, 1, (size_t)n, stdout);
		fflush(stdout);
		return;
	}
	/* Its last word; that it is gone is an event. */
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->console, NULL);
}

static int run(struct loop *l, struct pvctl_error *err)
{
	struct epoll_event ready[8];
	int rc = on_events(l, err);

	while (!rc && !l->done) {
		int n = epoll_wait(l->epoll, ready, 8, -1);

		for (int i = 0; i < n && !rc; i++) {
			if (ready[i].data.fd == l->signals)
				l->done = 1;
			else if (ready[i].data.fd == l->console)
				on_console(l);
			else
				rc = on_events(l, err);
		}
	}
	return rc;
}

/* Signals are the program's: the library does not touch them. */
static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int open_all(struct loop *l, struct pvctl *ctx, const char *name, struct pvctl_error *err)
{
	struct pvctl_domain_info info = { .size = sizeof(info) };
	uint32_t domid;
	int rc = pvctl_events_open(ctx, PVCTL_EVENT_ALL, &l->events, err);

	/* The events first: should the domain end between the two, it is among them. */
	rc = rc ? rc : pvctl_domain_lookup(ctx, name, &domid, err);
	rc = rc ? rc : pvctl_domain_get(ctx, domid, &info, err);
	rc = rc ? rc : pvctl_console_attach(ctx, domid, 4096, &l->console, err);
	l->domain = info.unique_id;
	if (!rc && (watch(l, l->signals) || watch(l, pvctl_events_fd(l->events)) || watch(l, l->console))) {
		snprintf(err->msg, sizeof(err->msg), "epoll: %s", strerror(errno));
		rc = -errno;
	}
	return rc;
}

int main(int argc, char **argv)
{
	struct loop l = { .console = -1, .signals = open_signals(), .epoll = epoll_create1(EPOLL_CLOEXEC) };
	struct pvctl_error err = { 0 };
	struct pvctl *ctx = NULL;
	int rc;

	if (argc != 2) {
		fprintf(stderr, "usage: epoll-loop DOMAIN\n");
		return 2;
	}
	rc = pvctl_open(NULL, &ctx, &err);
	rc = rc ? rc : open_all(&l, ctx, argv[1], &err);
	rc = rc ? rc : run(&l, &err);
	if (rc)
		fprintf(stderr, "epoll-loop: %s\n", err.msg);
	if (l.console >= 0)
		close(l.console);
	pvctl_events_close(l.events);
	pvctl_close(ctx);
	close(l.signals);
	close(l.epoll);
	return rc != 0;
}
