/* SPDX-License-Identifier: MIT */
/*
 * The whole daemon but for QEMU, in a process of its own, against a fake
 * hypervisor: the test is its clients and its guests.
 */
#ifndef DAEMON_FIXTURE_H
#define DAEMON_FIXTURE_H

#include "tests/unit/daemon/fake_hv.h"
#include "libpvctl/src/transport/proto.h"
#include "libpvctl/src/transport/wire.h"
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <xen/io/xs_wire.h>

static struct daemon d;
static uint8_t *ram;
static pid_t pid;
static char base[64];

static void (*in_daemon)(void); /* what a test does in the daemon's process before it serves */
static void *(*hv_main)(void *) = fake_main;

static inline void serve(void)
{
	static struct fake_hv hv;
	struct pvctl_error e;
	pthread_t t;
	int alive[2];
	pid_t qemu;

	if (pipe(alive))
		_exit(2);
	qemu = fork();
	/* What stands for QEMU only has to be there, and to end when the node does. */
	if (!qemu) {
		while (!fake_state(d.node.ram)->shutdown && !fake_state(d.node.ram)->killed)
			usleep(5000);
		_exit(33);
	}
	d.node.qemu_pid = qemu;
	close(alive[1]);
	/* What valgrind does not know: the end of a pipe tells the same. */
	d.node.qemu_pidfd = (int)syscall(SYS_pidfd_open, qemu, 0);
	if (d.node.qemu_pidfd < 0)
		d.node.qemu_pidfd = alive[0];
	else
		close(alive[0]);
	hv = (struct fake_hv){ d.node.ram, d.node.hv_efd[NODE_VEC_MAILBOX], d.node.hv_efd[NODE_VEC_SEND],
			       d.node.host_efd[NODE_VEC_DONE], false };
	if (in_daemon)
		in_daemon();
	if (loop_init(&d.loop) || pthread_create(&t, NULL, hv_main, &hv) || daemon_serve(&d, &e))
		_exit(2);
	loop_run(&d.loop);
	hv.quit = true;
	pthread_join(t, NULL);
	daemon_finish(&d);
	exit(0); /* for a sanitizer's look at what was not freed */
}

static inline void make_dirs(void)
{
	char dir[80];

	signal(SIGPIPE, SIG_IGN);
	snprintf(base, sizeof(base), "/tmp/pvctld-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/run", base);
	setenv("PVCTL_RUN_DIR", dir, 1);
	snprintf(dir, sizeof(dir), "%s/state", base);
	setenv("PVCTL_STATE_DIR", dir, 1);
}

/* slow_ms: how long a silence is long; 0: as usual. */
static inline void start_daemon(uint32_t slow_ms)
{
	struct pvctl_error e;

	memset(&d, 0, sizeof(d));
	d.opt.node = "n";
	d.opt.slow_ms = slow_ms;
	daemon_init(&d);
	ck_assert_msg(!rundir_take(&d, &e), "%s", e.msg);
	d.node.ram_bytes = 8u << 20;
	d.node.cpus = 2;
	ck_assert(!node_make_memory(&d.node, &e));
	ram = d.node.ram;
	fake_boot(&d.node);
	pid = fork();
	if (!pid)
		serve();
}

static inline void stop_daemon(void)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fake_state(ram)->shutdown = 1;
}

static inline void remove_dirs(void)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", base);
	ck_assert_int_eq(system(cmd), 0);
}

static inline void setup(void)
{
	make_dirs();
	start_daemon(1000);
}

static inline void teardown(void)
{
	stop_daemon();
	remove_dirs();
}

static inline int dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t len = strlen(path);

	ck_assert_uint_lt(len, sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, len);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	for (unsigned int i = 0; i < 500 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)); i++)
		usleep(10000);
	return fd;
}

/* The answer's code; its body and descriptor where wanted. */
static inline int ask(int fd, uint32_t type, const void *body, size_t len, void *ret, size_t ret_len, int *ret_fd)
{
	struct proto_header h = { .type = type, .len = (uint32_t)len, .id = 7 };
	struct iovec v[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)body, len } };
	static char buf[PROTO_MAX_BODY];

	if (ret_fd)
		*ret_fd = -1;
	ck_assert_int_eq(wire_send(fd, v, len ? 2 : 1, -1), 0);
	ck_assert_int_eq(wire_recv(fd, &h, sizeof(h), ret_fd), 0);
	ck_assert_uint_eq(h.type, type | PROTO_REPLY);
	ck_assert_uint_eq(h.id, 7);
	ck_assert_int_eq(wire_recv(fd, buf, h.len, NULL), 0);
	if (!h.code && ret) {
		ck_assert_uint_eq(h.len, ret_len);
		memcpy(ret, buf, ret_len);
	}
	return h.code;
}

static inline int64_t domctl(int fd, uint32_t cmd, uint32_t *domid)
{
	struct { struct proto_hypercall h; struct xen_domctl op; } q = { .h.op = __HYPERVISOR_domctl };
	struct { struct proto_hypercall_reply r; struct xen_domctl op; } a;

	q.h.args[0] = NODE_ARENA_BASE;
	q.op.cmd = cmd;
	q.op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	q.op.domain = (domid_t)*domid;
	ck_assert_int_eq(ask(fd, PROTO_HYPERCALL, &q, sizeof(q.h) + sizeof(q.op), &a, sizeof(a.r) + sizeof(a.op), NULL), 0);
	*domid = a.op.domain;
	return a.r.ret;
}

static inline bool is_running(uint32_t domid)
{
	return fake_state(ram)->flags[domid] == XEN_DOMINF_running;
}

static inline uint32_t build(int fd, const char *name, const char *json)
{
	struct { struct proto_commit c; char json[500]; } b = { 0 };
	struct proto_introduce in = { .store_port = 1, .console_port = 2 };
	uint32_t id = 0;

	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, &id), 0);
	memset(fake_page(ram, id, 0), 0, 8192);
	in.domid = id;
	ck_assert_int_eq(ask(fd, PROTO_INTRODUCE, &in, sizeof(in), NULL, 0, NULL), 0);
	b.c.domid = id;
	snprintf(b.c.name, sizeof(b.c.name), "%s", name);
	b.c.uuid[0] = (uint8_t)name[0];
	snprintf(b.json, sizeof(b.json), "%s", json);
	ck_assert_int_eq(ask(fd, PROTO_COMMIT, &b, sizeof(b.c) + strlen(json), NULL, 0, NULL), 0);
	return id;
}

static inline uint32_t port_of(uint32_t domid, uint32_t remote)
{
	struct fake_state *f = fake_state(ram);

	for (uint32_t p = 1; p < FAKE_PORTS; p++)
		if (f->port_open[p] && f->port_domid[p] == domid && f->port_remote[p] == remote)
			return p;
	return 0;
}

static inline void guest_rings(uint32_t domid, uint32_t remote)
{
	fake_raise(ram, d.node.host_efd[NODE_VEC_EVENTS], port_of(domid, remote));
}

static inline bool within(bool (*true_of)(uint32_t), uint32_t arg)
{
	for (unsigned int i = 0; i < 500; i++) {
		if (true_of(arg))
			return true;
		usleep(10000);
	}
	return false;
}

static inline bool is_gone(uint32_t domid)
{
	return !fake_state(ram)->flags[domid];
}

static inline bool nothing_mapped(uint32_t unused)
{
	return !fake_state(ram)->mapped;
}

static inline int store_write_as_client(int fd, const char *path, const char *value)
{
	struct { struct xsd_sockmsg h; char body[200]; } m = { .h.type = XS_WRITE }, answer;
	size_t n = strlen(path) + 1;

	m.h.len = (uint32_t)(n + strlen(value));
	memcpy(m.body, path, n);
	memcpy(m.body + n, value, strlen(value));
	return ask(fd, PROTO_STORE, &m, sizeof(m.h) + m.h.len, &answer, sizeof(answer.h) + 3, NULL);
}

static inline int store_read_as_client(int fd, const char *path, uint32_t type, size_t len)
{
	struct { struct xsd_sockmsg h; char body[200]; } m = { .h.type = XS_READ, .h.len = (uint32_t)strlen(path) + 1 }, answer;
	int rc;

	memcpy(m.body, path, m.h.len);
	rc = ask(fd, PROTO_STORE, &m, sizeof(m.h) + m.h.len, &answer, sizeof(answer.h) + len, NULL);
	return rc ? rc : answer.h.type == type ? 0 : -1;
}

static inline size_t get(int fd, char *buf, size_t want)
{
	return wire_recv(fd, buf, want, NULL) ? 0 : want;
}

static inline void shut(uint32_t id, uint32_t reason)
{
	fake_state(ram)->flags[id] = XEN_DOMINF_shutdown | reason << XEN_DOMINF_shutdownshift;
	fake_raise(ram, d.node.host_efd[NODE_VEC_EVENTS], 1);
}

static inline uint32_t next_event(int ev, uint32_t domid)
{
	struct pvctl_event e = { .size = sizeof(e) };

	do
		ck_assert_int_eq(recv(ev, &e, sizeof(e), 0), sizeof(e));
	while (e.domid != domid);
	return e.type;
}

static inline int events_of(int fd)
{
	struct proto_events want = { .mask = 0x1ff };
	struct timeval tv = { .tv_sec = 10 };
	int ev;

	ck_assert_int_eq(ask(fd, PROTO_EVENTS, &want, sizeof(want), NULL, 0, &ev), 0);
	setsockopt(ev, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return ev;
}

#endif
