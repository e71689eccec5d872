/* SPDX-License-Identifier: MIT */
/*
 * balancer NODE NODE: moves domains, live, from the node that has more of them to the other, until they differ by one at most.
 * Ctrl-C gives up the move that is under way: the domain goes on where it was.
 */
#include <libpvctl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct node {
	const char *name;
	struct pvctl *ctx;
	struct pvctl_domain_info first; /* of those that can be moved */
	size_t movable;
	int receives;
};
/* One side of a move: a context is of one thread at a time, so that the other side has a thread and a context of its own. */
struct side {
	struct pvctl *ctx;
	int fd, rc;
	struct pvctl_error err;
};
static volatile sig_atomic_t stop;

static void on_signal(int nr)
{
	(void)nr;
	stop = 1;
}

static int progress(void *data, const char *what, uint64_t done, uint64_t total)
{
	const struct node *n = data;

	/* Once the domain runs there nobody may call it back: that side ends when the sender does. */
	if (n->receives)
		return 0;
	if (total)
		fprintf(stderr, "\r%s %3u%%", what, (unsigned int)(done * 100 / total));
	return stop;
}

static int look(struct node *n, struct pvctl_error *err)
{
	struct pvctl_domain_list *list;
	const struct pvctl_domain_info *d;
	int rc = pvctl_domain_list(n->ctx, &list, err);

	if (rc)
		return rc;
	n->movable = 0;
	for (size_t i = 0; (d = pvctl_domain_list_at(list, i)); i++) {
		/* Domain 0 is the node itself; what is paused or has shut down cannot suspend. */
		if (d->domid == 0 || !d->name[0] || (d->state != PVCTL_STATE_RUNNING && d->state != PVCTL_STATE_BLOCKED))
			continue;
		if (!n->movable++)
			memcpy(&n->first, d, d->size < sizeof(n->first) ? d->size : sizeof(n->first));
	}
	pvctl_domain_list_free(list);
	return 0;
}

static void *receive(void *data)
{
	struct side *there = data;
	uint32_t domid;

	there->rc = pvctl_domain_migrate_receive(there->ctx, there->fd, there->fd, NULL, &domid, &there->err);
	return NULL;
}

static const char *where(uint32_t end)
{
	switch (end) {
	case PVCTL_MIGRATE_THERE: return "it runs there";
	case PVCTL_MIGRATE_HERE: return "it runs here, as before";
	default: return "it is here, suspended";
	}
}

static int move(struct node *from, struct node *to, struct pvctl_error *err)
{
	struct pvctl_migrate_result result = { .size = sizeof(result), .end = PVCTL_MIGRATE_HERE };
	struct side there = { .ctx = to->ctx };
	pthread_t receiver;
	int pair[2], rc;

	/* Sockets that do not block let both sides look whether to go on. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		perror("balancer: socketpair");
		return -1;
	}
	there.fd = pair[1];
	from->receives = 0;
	to->receives = 1;
	if (pthread_create(&receiver, NULL, receive, &there)) {
		fprintf(stderr, "balancer: there can be no thread\n");
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	printf("%s: from %s to %s\n", from->first.name, from->name, to->name);
	rc = pvctl_domain_migrate_send(from->ctx, from->first.domid, pair[0], pair[0], NULL, &result, err);
	pthread_join(receiver, NULL);
	if (rc)
		fprintf(stderr, "balancer: %s: %s (%s)\n", from->first.name, err->msg, where(result.end));
	/* Of the two the one that failed by itself knows why. */
	if (there.rc)
		fprintf(stderr, "balancer: %s says: %s\n", to->name, there.err.msg);
	if (!rc)
		printf("%s: moved, it stood still for %.1f ms\n", from->first.name, (double)result.pause_ns / 1e6);
	fflush(stdout);
	return rc;
}

static int balance(struct node *a, struct node *b)
{
	struct pvctl_error err = { 0 };

	while (!stop) {
		struct node *from, *to;

		if (look(a, &err) || look(b, &err)) {
			fprintf(stderr, "balancer: %s\n", err.msg);
			return 1;
		}
		from = a->movable >= b->movable ? a : b;
		to = from == a ? b : a;
		if (from->movable - to->movable <= 1)
			return 0;
		if (move(from, to, &err))
			return 1;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct node nodes[2] = { 0 };
	struct sigaction sa = { .sa_handler = on_signal };
	struct pvctl_error err = { 0 };
	int rc = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: balancer NODE NODE\n");
		return 2;
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN); /* the other side may be gone */
	for (int i = 0; i < 2 && !rc; i++) {
		struct pvctl_open_opts open = { .size = sizeof(open), .node = argv[i + 1], .progress = progress, .progress_data = &nodes[i] };

		nodes[i].name = argv[i + 1];
		rc = pvctl_open(&open, &nodes[i].ctx, &err);
		if (rc)
			fprintf(stderr, "balancer: %s: %s\n", argv[i + 1], err.msg);
	}
	rc = rc || balance(&nodes[0], &nodes[1]);
	pvctl_close(nodes[0].ctx);
	pvctl_close(nodes[1].ctx);
	return rc;
}
