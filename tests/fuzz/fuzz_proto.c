/* SPDX-License-Identifier: MIT */
/*
 * A client of control.sock that sends any bytes: the daemon's own code from
 * accept to the answers, without a hypervisor behind it. The first byte says in
 * what portions they come and whether a domain is there.
 */
#include "pvctld/console/console.h"
#include "pvctld/client/control.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/domain/events.h"
#include "pvctld/base/log.h"
#include "pvctld/life/policy.h"
#include "pvctld/client/stop.h"
#include "pvctld/xenstore/glue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROUNDS 400u

static struct node node;
static char dir[64];

struct client {
	struct daemon *d;
	const uint8_t *data;
	size_t size, step;
	int fd;
	unsigned int rounds;
	bool seen;
};

static void remove_dir(void)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	(void)!system(cmd);
}

static void prepare(void)
{
	char path[100];

	snprintf(dir, sizeof(dir), "/tmp/pvctl-fuzz-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	atexit(remove_dir);
	snprintf(path, sizeof(path), "%s/domains", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/console", dir);
	mkdir(path, 0700);
	log_open("/dev/null");
	node_init(&node);
	node.ram_bytes = 2u << 20;
	node.cpus = 1;
	if (node_make_memory(&node, NULL))
		abort();
}

/* Between two rounds of the loop: the client reads answers and sends on. */
static int between(void *data)
{
	struct client *c = data;
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } control;
	char bytes[65536];
	size_t n;

	for (;;) {
		struct iovec v = { bytes, sizeof(bytes) };
		struct msghdr msg = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
		int fd;

		if (recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
			break;
		if (!msg.msg_controllen)
			continue;
		memcpy(&fd, CMSG_DATA(&control.h), sizeof(fd));
		close(fd);
	}
	n = c->size < c->step ? c->size : c->step;
	if (n && send(c->fd, c->data, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n) {
		c->data += n;
		c->size -= n;
	}
	if (!c->size)
		shutdown(c->fd, SHUT_WR);
	c->seen = c->seen || c->d->control->nr;
	if (++c->rounds > ROUNDS || (c->seen && !c->d->control->nr))
		daemon_quit(c->d);
	return 1;
}

static void finish(struct daemon *d)
{
	policy_fini(d);
	dom_free_all(d);
	console_free_dead(d);
	events_close(d);
	control_close(d);
	store_glue_fini(d);
	stop_free(d);
	loop_fini(&d->loop);
	(void)unlink(d->control_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct daemon d;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct client c = { .d = &d };
	struct pvctl_error e;

	if (!size)
		return 0;
	if (!dir[0])
		prepare();
	memset(&d, 0, sizeof(d));
	d.opt.node = "fuzz";
	daemon_init(&d);
	d.node = node;
	list_init(&d.mbox.queue);
	d.mbox.daemon = &d;
	d.mbox.down = true;
	d.mbox.queue_bytes = 65536;
	snprintf(d.state_dir, sizeof(d.state_dir), "%s", dir);
	snprintf(d.control_path, sizeof(d.control_path), "%s/control.sock", dir);
	if (loop_init(&d.loop) || store_glue_init(&d, &e) || control_open(&d, &e))
		abort();
	if (data[0] & 1)
		dom_created(dom_new(&d), 5, NULL);
	c.data = data + 1;
	c.size = size - 1;
	c.step = data[0] & 2 ? 3 : data[0] & 4 ? 61 : 65536;
	c.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.107s", d.control_path);
	if (connect(c.fd, (struct sockaddr *)&sa, sizeof(sa)))
		abort();
	d.loop.before_sleep = between;
	d.loop.before_sleep_data = &c;
	loop_run(&d.loop);
	close(c.fd);
	finish(&d);
	return 0;
}
