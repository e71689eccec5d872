/* SPDX-License-Identifier: MIT */
/* The whole daemon but for QEMU, against a fake hypervisor: the test is its clients and its guests. */
#include "tests/unit/daemon/fake_hv.h"
#include "libpvctl/src/transport/proto.h"
#include "libpvctl/src/transport/wire.h"
#include <check.h>
#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

static struct daemon d;
static uint8_t *ram;
static pid_t pid;
static char base[64];

static rlim_t nofile; /* of the daemon; 0: as it is */

static void serve(void)
{
	static struct fake_hv hv;
	struct pvctl_error e;
	pthread_t t;
	int alive[2];
	pid_t qemu;

	if (pipe(alive))
		_exit(2);
	qemu = fork();
	if (nofile)
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){ nofile, nofile });
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
	if (loop_init(&d.loop) || pthread_create(&t, NULL, fake_main, &hv) || daemon_serve(&d, &e))
		_exit(2);
	d.mbox.slow_ns = 1000000000;
	loop_run(&d.loop);
	hv.quit = true;
	pthread_join(t, NULL);
	daemon_finish(&d);
	exit(0); /* for a sanitizer's look at what was not freed */
}

static bool small_disk;

/* A state directory with room for very little. False: it may not be. */
static bool mount_small(const char *dir)
{
	char map[40];
	int fd, uid = (int)getuid(), n = snprintf(map, sizeof(map), "0 %d 1", uid);

	if (uid && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return false;
	if (!uid && unshare(CLONE_NEWNS))
		return false;
	fd = uid ? open("/proc/self/uid_map", O_WRONLY) : -1;
	if (fd >= 0 && write(fd, map, (size_t)n) != n)
		return false;
	close(fd);
	return !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && !mkdir(dir, 0700) &&
	       !mount("small", dir, "tmpfs", 0, "size=64k,mode=700");
}

static void setup(void)
{
	struct pvctl_error e;
	char dir[80];

	signal(SIGPIPE, SIG_IGN);
	snprintf(base, sizeof(base), "/tmp/pvctld-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/run", base);
	setenv("PVCTL_RUN_DIR", dir, 1);
	snprintf(dir, sizeof(dir), "%s/state", base);
	setenv("PVCTL_STATE_DIR", dir, 1);
	if (small_disk)
		small_disk = mount_small(dir);
	memset(&d, 0, sizeof(d));
	d.opt.node = "n";
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

static void teardown(void)
{
	char cmd[100];

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fake_state(ram)->shutdown = 1;
	if (small_disk)
		ck_assert_int_eq(umount2(getenv("PVCTL_STATE_DIR"), MNT_DETACH), 0);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", base);
	ck_assert_int_eq(system(cmd), 0);
}

static int dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	for (unsigned int i = 0; i < 500 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)); i++)
		usleep(10000);
	return fd;
}

/* The answer's code; its body and descriptor where wanted. */
static int ask(int fd, uint32_t type, const void *body, size_t len, void *ret, size_t ret_len, int *ret_fd)
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

static int64_t domctl(int fd, uint32_t cmd, uint32_t *domid)
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

static uint32_t build(int fd, const char *name, const char *json)
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

static uint32_t port_of(uint32_t domid, uint32_t remote)
{
	struct fake_state *f = fake_state(ram);

	for (uint32_t p = 1; p < FAKE_PORTS; p++)
		if (f->port_open[p] && f->port_domid[p] == domid && f->port_remote[p] == remote)
			return p;
	return 0;
}

static void guest_rings(uint32_t domid, uint32_t remote)
{
	fake_raise(ram, d.node.host_efd[NODE_VEC_EVENTS], port_of(domid, remote));
}

static bool within(bool (*true_of)(uint32_t), uint32_t arg)
{
	for (unsigned int i = 0; i < 500; i++) {
		if (true_of(arg))
			return true;
		usleep(10000);
	}
	return false;
}

static bool is_gone(uint32_t domid)
{
	return !fake_state(ram)->flags[domid];
}

static bool is_running(uint32_t domid)
{
	return fake_state(ram)->flags[domid] == XEN_DOMINF_running;
}

static bool nothing_mapped(uint32_t unused)
{
	return !fake_state(ram)->mapped;
}

START_TEST(uncommitted_domains_go_with_their_builder)
{
	int fd = dial(d.control_path);
	uint32_t id = 0;

	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, &id), 0);
	ck_assert_uint_eq(id, 1);
	ck_assert(!is_gone(1));
	close(fd);
	ck_assert(within(is_gone, 1));
}
END_TEST

static int store_write_as_client(int fd, const char *path, const char *value)
{
	struct { struct xsd_sockmsg h; char body[200]; } m = { .h.type = XS_WRITE }, answer;
	size_t n = strlen(path) + 1;

	m.h.len = (uint32_t)(n + strlen(value));
	memcpy(m.body, path, n);
	memcpy(m.body + n, value, strlen(value));
	return ask(fd, PROTO_STORE, &m, sizeof(m.h) + m.h.len, &answer, sizeof(answer.h) + 3, NULL);
}

static int store_read_as_client(int fd, const char *path, uint32_t type, size_t len)
{
	struct { struct xsd_sockmsg h; char body[200]; } m = { .h.type = XS_READ, .h.len = (uint32_t)strlen(path) + 1 }, answer;
	int rc;

	memcpy(m.body, path, m.h.len);
	rc = ask(fd, PROTO_STORE, &m, sizeof(m.h) + m.h.len, &answer, sizeof(answer.h) + len, NULL);
	return rc ? rc : answer.h.type == type ? 0 : -1;
}

#define SOME_UUID "61000000-0000-0000-0000-000000000001"

START_TEST(store_nodes_go_with_their_builder)
{
	int fd = dial(d.control_path), second = dial(d.control_path);
	uint32_t id = 0, a;

	/* Domain 1 is whole; its UUID begins with 'a'. */
	a = build(second, "a", "{\"name\":\"a\"}");
	ck_assert_int_eq(store_write_as_client(second, "/vm/61000000-0000-0000-0000-000000000000/name", "a"), 0);
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, &id), 0);
	ck_assert_uint_eq(id, 2);
	ck_assert_int_eq(store_write_as_client(fd, "/local/domain/2/vm", "/vm/" SOME_UUID), 0);
	ck_assert_int_eq(store_write_as_client(fd, "/vm/" SOME_UUID "/name", "half"), 0);
	close(fd);
	ck_assert(within(is_gone, id));
	ck_assert_int_eq(store_read_as_client(second, "/vm/" SOME_UUID, XS_ERROR, sizeof("ENOENT")), 0);

	/* One that claims to be another's takes nothing with it. */
	fd = dial(d.control_path);
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, &id), 0);
	ck_assert_int_eq(store_write_as_client(fd, "/local/domain/2/vm", "/vm/61000000-0000-0000-0000-000000000000"), 0);
	close(fd);
	ck_assert(within(is_gone, id));
	ck_assert_int_eq(store_read_as_client(second, "/vm/61000000-0000-0000-0000-000000000000/name", XS_READ, 1), 0);
	ck_assert_int_eq(domctl(second, XEN_DOMCTL_destroydomain, &a), 0);
}
END_TEST

START_TEST(crowd)
{
	struct proto_header h = { .type = PROTO_HYPERCALL, .len = 1000 };
	static int fds[700];
	int old = dial(d.control_path), fresh;

	ck_assert_int_eq(ask(old, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	for (unsigned int i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fds[i] = dial(d.control_path);
		ck_assert_int_gt(write(fds[i], &h, i % sizeof(h) + 1), 0);
	}
	/* Who was served before stays, and who comes is served. */
	ck_assert_int_eq(ask(old, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	fresh = dial(d.control_path);
	ck_assert_int_eq(ask(fresh, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	ck_assert_int_eq(ask(old, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
}
END_TEST

/* Each was served, and asks for nothing more. */
START_TEST(idle_crowd)
{
	static int fds[700];
	int fresh, builder = dial(d.control_path);
	uint32_t id = 0;

	ck_assert_int_eq(domctl(builder, XEN_DOMCTL_createdomain, &id), 0);
	for (unsigned int i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fds[i] = dial(d.control_path);
		ck_assert_int_eq(ask(fds[i], PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	}
	fresh = dial(d.control_path);
	ck_assert_int_eq(ask(fresh, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
	/* Who builds a domain is not idle, however long he says nothing. */
	ck_assert(!is_gone(id));
	ck_assert_int_eq(ask(builder, PROTO_NODE_INFO, NULL, 0, NULL, 0, NULL), 0);
}
END_TEST

static void setup_few(void)
{
	nofile = 96;
	setup();
	nofile = 0;
}

/* Of processor time, in ticks. */
static unsigned long spent(void)
{
	unsigned long user = 0, system = 0;
	char path[40];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
	fclose(f);
	return user + system;
}

START_TEST(few_descriptors)
{
	int fds[100];

	/* Idle ones make room. */
	for (unsigned int i = 0; i < 100; i++) {
		fds[i] = dial(d.control_path);
		ck_assert_int_eq(ask(fds[i], PROTO_HELLO, NULL, 0, NULL, 0, NULL), 0);
	}
}
END_TEST

START_TEST(no_descriptors)
{
	struct proto_events want = { .mask = ~0u };
	int fd = dial(d.control_path), ev[100], late[20], code = 0;
	unsigned long before;
	unsigned int n = 0;

	/* What is in use makes none: who comes is refused, with a word. */
	while (n < 100 && !(code = ask(fd, PROTO_EVENTS, &want, sizeof(want), NULL, 0, &ev[n])))
		n++;
	ck_assert_int_eq(code, -ENOSPC);
	/* There may be one yet, where two were wanted. */
	(void)dial(d.control_path);
	for (unsigned int i = 0; i < 20; i++)
		late[i] = dial(d.control_path);
	before = spent();
	usleep(1000000);
	ck_assert_uint_lt(spent() - before, (unsigned long)sysconf(_SC_CLK_TCK) / 2);
	for (unsigned int i = 0; i < 20; i++) {
		struct proto_header h;

		ck_assert_int_eq(wire_recv(late[i], &h, sizeof(h), NULL), 0);
		ck_assert_uint_eq(h.type, PROTO_HELLO | PROTO_REPLY);
		ck_assert_uint_eq(h.id, 1);
		ck_assert_int_eq(h.code, -ENOSPC);
	}
	while (n)
		close(ev[--n]);
	ck_assert_int_eq(ask(fd, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	usleep(500000);
	late[0] = dial(d.control_path);
	ck_assert_int_eq(ask(late[0], PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
}
END_TEST

START_TEST(committed_domains_stay)
{
	int fd = dial(d.control_path), second = dial(d.control_path);
	struct { struct proto_domid d; char name[8]; } r = { .name = "b" };
	struct proto_domain_row row;
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	close(fd);
	ck_assert_int_eq(ask(second, PROTO_DOMAINS, NULL, 0, &row, sizeof(row), NULL), 0);
	ck_assert_str_eq(row.name, "a");
	ck_assert_uint_eq(row.domid, id);
	r.d.domid = id;
	ck_assert_int_eq(ask(second, PROTO_RENAME, &r, sizeof(r.d) + 1, NULL, 0, NULL), 0);
	ck_assert_int_eq(ask(second, PROTO_DOMAINS, NULL, 0, &row, sizeof(row), NULL), 0);
	ck_assert_str_eq(row.name, "b");
	ck_assert_int_eq(ask(second, PROTO_RENAME, &r, sizeof(r.d), NULL, 0, NULL), -EINVAL);
	ck_assert_uint_eq(fake_state(ram)->mapped, 2);
	ck_assert_int_eq(domctl(second, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert(within(nothing_mapped, 0));
	ck_assert_int_eq(ask(second, PROTO_FORGET, &r.d, sizeof(r.d), NULL, 0, NULL), -ESRCH);
}
END_TEST

/* Its builder is killed when he has said his last word: it runs. */
START_TEST(committed_domains_run)
{
	struct { struct proto_header h; struct proto_commit c; char json[12]; } m = {
		{ PROTO_COMMIT, sizeof(m.c) + sizeof(m.json), 7, 0 }, { .flags = PROTO_COMMIT_UNPAUSE, .name = "a" }, "{\"name\":\"a\"}",
	};
	int fd = dial(d.control_path);

	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, &m.c.domid), 0);
	ck_assert_uint_eq(fake_state(ram)->flags[m.c.domid], XEN_DOMINF_paused);
	ck_assert_int_gt(write(fd, &m, sizeof(m.h) + m.h.len), 0);
	close(fd);
	ck_assert(within(is_running, m.c.domid));
}
END_TEST

static size_t get(int fd, char *buf, size_t want)
{
	return wire_recv(fd, buf, want, NULL) ? 0 : want;
}

START_TEST(console)
{
	int fd = dial(d.control_path), view, late;
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");
	struct xencons_interface *r = fake_page(ram, id, 0);
	struct proto_console c = { .domid = id, .replay_bytes = ~0ull };
	char buf[64], path[400];
	FILE *f;

	memcpy(r->out, "hello ", 6);
	r->out_prod = 6;
	guest_rings(id, 2);
	ck_assert_int_eq(ask(fd, PROTO_CONSOLE, &c, sizeof(c), NULL, 0, &view), 0);
	ck_assert_uint_eq(get(view, buf, 6), 6);
	ck_assert_mem_eq(buf, "hello ", 6);
	ck_assert_int_eq(write(view, "ls\n", 3), 3);
	for (unsigned int i = 0; i < 500 && r->in_prod != 3; i++)
		usleep(10000);
	ck_assert_mem_eq(r->in, "ls\n", 3);
	/* The last words: in the ring when it dies. */
	memcpy(r->out + 6, "world", 5);
	r->out_prod = 11;
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert_uint_eq(get(view, buf, 5), 5);
	ck_assert_mem_eq(buf, "world", 5);
	ck_assert_int_eq(read(view, buf, 1), 0);
	ck_assert_int_eq(ask(fd, PROTO_CONSOLE, &c, sizeof(c), NULL, 0, &late), 0);
	ck_assert_uint_eq(get(late, buf, 11), 11);
	ck_assert_int_eq(read(late, buf, 1), 0);
	snprintf(path, sizeof(path), "%s/state/n/console/a.log", base);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(buf, 1, sizeof(buf), f), 11);
	fclose(f);
}
END_TEST

START_TEST(guest_store)
{
	int fd = dial(d.control_path), raw;
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");
	struct xenstore_domain_interface *r = fake_page(ram, id, 1);
	struct xsd_sockmsg m = { .type = XS_READ, .req_id = 9, .len = 21 }, got;

	memcpy(r->req, &m, sizeof(m));
	memcpy(r->req + sizeof(m), "/local/domain/0/domid", 22);
	r->req_prod = sizeof(m) + 21;
	guest_rings(id, 1);
	usleep(50000);
	ck_assert_uint_eq(r->req_cons, 0 + sizeof(m) + 21);
	memcpy(&got, r->rsp, sizeof(got));
	ck_assert_uint_eq(got.req_id, 9);
	/* Nonsense: its connection ends, the daemon and the others go on. */
	r->req_prod += 5000;
	guest_rings(id, 1);
	usleep(50000);
	ck_assert_uint_eq(r->error, XENSTORE_ERROR_RINGIDX);
	raw = dial(d.store_path);
	m.len = 22;
	ck_assert_int_eq(write(raw, &m, sizeof(m)), sizeof(m));
	ck_assert_int_eq(write(raw, "/local/domain/0/domid", 22), 22);
	ck_assert_int_eq(wire_recv(raw, &got, sizeof(got), NULL), 0);
	ck_assert_uint_eq(got.type, XS_READ);
	ck_assert_uint_eq(got.len, 1);
}
END_TEST

static void shut(uint32_t id, uint32_t reason)
{
	fake_state(ram)->flags[id] = XEN_DOMINF_shutdown | reason << XEN_DOMINF_shutdownshift;
	fake_raise(ram, d.node.host_efd[NODE_VEC_EVENTS], 1);
}

START_TEST(policy_and_events)
{
	int fd = dial(d.control_path), ev;
	struct proto_events want = { .mask = ~0u };
	uint32_t a = build(fd, "a", "{\"name\":\"a\"}");
	uint32_t b = build(fd, "b", "{\"name\":\"b\",\"on_crash\":\"preserve\"}");
	struct pvctl_event e;

	ck_assert_int_eq(ask(fd, PROTO_EVENTS, &want, sizeof(want), NULL, 0, &ev), 0);
	shut(b, 3);
	ck_assert_int_eq(recv(ev, &e, sizeof(e), 0), sizeof(e));
	ck_assert_uint_eq(e.type, PVCTL_EVENT_SHUTDOWN);
	ck_assert_int_eq(e.reason, PVCTL_REASON_CRASH);
	shut(a, 0);
	ck_assert_int_eq(recv(ev, &e, sizeof(e), 0), sizeof(e));
	ck_assert_uint_eq(e.domid, a);
	ck_assert_int_eq(recv(ev, &e, sizeof(e), 0), sizeof(e));
	ck_assert_uint_eq(e.type, PVCTL_EVENT_DESTROYED);
	ck_assert_str_eq(e.name, "a");
	ck_assert(is_gone(a));
	ck_assert(!is_gone(b));
}
END_TEST

static uint32_t next_event(int ev, uint32_t domid)
{
	struct pvctl_event e;

	do
		ck_assert_int_eq(recv(ev, &e, sizeof(e), 0), sizeof(e));
	while (e.domid != domid);
	return e.type;
}

static int events_of(int fd)
{
	struct proto_events want = { .mask = ~0u };
	struct timeval tv = { .tv_sec = 10 };
	int ev;

	ck_assert_int_eq(ask(fd, PROTO_EVENTS, &want, sizeof(want), NULL, 0, &ev), 0);
	setsockopt(ev, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return ev;
}

static uint32_t xs_resume(int fd, const char *domid)
{
	struct { struct xsd_sockmsg h; char body[8]; } m = { .h.type = XS_RESUME, .h.len = (uint32_t)strlen(domid) + 1 };
	struct { struct xsd_sockmsg h; char body[3]; } a = { 0 };

	memcpy(m.body, domid, m.h.len);
	(void)ask(fd, PROTO_STORE, &m, sizeof(m.h) + m.h.len, m.h.len > 2 ? NULL : &a, sizeof(a.h) + 3, NULL);
	return a.h.type;
}

/* A save that was given up: each later end counts again, whoever says that it runs. */
START_TEST(resumed_domains_end_again)
{
	int fd = dial(d.control_path), ev = events_of(fd);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_CREATED);
	shut(id, 2);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_SHUTDOWN);
	/* It is told to the store first, which is not believed. */
	ck_assert_uint_eq(xs_resume(fd, "1"), XS_RESUME);
	ck_assert_uint_eq(xs_resume(fd, "77"), 0);
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_resumedomain, &id), 0);
	shut(id, 2);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_SHUTDOWN);
	/* Resumed by somebody who has the hypervisor's ear otherwise. */
	fake_state(ram)->flags[id] = XEN_DOMINF_running;
	ck_assert_uint_eq(xs_resume(fd, "1"), XS_RESUME);
	shut(id, 0);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_SHUTDOWN);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_DESTROYED);
}
END_TEST

/* How often @releaseDomain fires until nothing more comes for a while. */
static unsigned int releases(int raw, int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct xsd_sockmsg h;
	char body[100];
	unsigned int n = 0;

	setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	while (!wire_recv(raw, &h, sizeof(h), NULL)) {
		ck_assert_int_eq(wire_recv(raw, body, h.len, NULL), 0);
		n += h.type == XS_WATCH_EVENT;
	}
	return n;
}

START_TEST(zombies_are_told_of)
{
	int fd = dial(d.control_path), raw = dial(d.store_path);
	struct { struct xsd_sockmsg h; char body[17]; } w = { { XS_WATCH, 1, 0, 17 }, "@releaseDomain\0t" };
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}"), other = build(fd, "b", "{\"name\":\"b\"}");

	ck_assert_int_eq(write(raw, &w, sizeof(w.h) + 17), sizeof(w.h) + 17);
	ck_assert_uint_eq(releases(raw, 200), 1);
	fake_state(ram)->held[id] = 1;
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert_uint_eq(releases(raw, 1000), 1);
	/* The one after it is what the hypervisor tells of now. */
	fake_state(ram)->flags[id] = 0;
	ck_assert_uint_eq(releases(raw, 2000), 1);
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, &other), 0);
	/* Its nodes, then itself. */
	ck_assert_uint_eq(releases(raw, 1000), 2);
}
END_TEST

/* The child of a restart leaves a byte instead of building a domain. Beside the state directory, which may be full. */
static int rebuilt(const char *state_dir, bool add)
{
	char path[120];
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "%s/../rebuilt", state_dir);
	f = add ? fopen(path, "a") : NULL;
	if (f) {
		fputc('x', f);
		fclose(f);
	}
	return stat(path, &st) ? 0 : (int)st.st_size;
}

static bool is_rebuilt(uint32_t times)
{
	return rebuilt(getenv("PVCTL_STATE_DIR"), false) == (int)times;
}

static void storm(const char *config, uint32_t reason, uint32_t limit)
{
	int fd = dial(d.control_path), ev = events_of(fd);
	struct proto_domain_row row;
	uint32_t id;

	for (uint32_t i = 1; i <= limit; i++) {
		id = build(fd, "a", config);
		shut(id, reason);
		ck_assert(within(is_gone, id));
		ck_assert(within(is_rebuilt, i));
		while (next_event(ev, id) != PVCTL_EVENT_DESTROYED)
			;
	}
	id = build(fd, "a", config);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_CREATED);
	shut(id, reason);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_SHUTDOWN);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_KEPT);
	ck_assert_int_eq(ask(fd, PROTO_DOMAINS, NULL, 0, &row, sizeof(row), NULL), 0);
	ck_assert_uint_eq(row.kept, 1);
	ck_assert(!is_gone(id) && is_rebuilt(limit));
	/* One that is made by hand begins anew. */
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, &id), 0);
	id = build(fd, "a", config);
	shut(id, reason);
	ck_assert(within(is_rebuilt, limit + 1));
}

START_TEST(restart_and_storm)
{
	storm("{\"name\":\"a\",\"restart_limit\":2}", 1, 2);
}
END_TEST

START_TEST(crash_storm)
{
	storm("{\"name\":\"a\",\"on_crash\":\"restart\",\"restart_limit\":3}", 3, 3);
}
END_TEST

/* In the pause before a restart the domain is there, and can be destroyed. */
START_TEST(pause_before_restart)
{
	static const char config[] = "{\"name\":\"a\",\"on_crash\":\"restart\"}";
	int fd = dial(d.control_path);
	uint32_t id = build(fd, "a", config);

	shut(id, 3);
	ck_assert(within(is_rebuilt, 1));
	ck_assert(within(is_gone, id));
	id = build(fd, "a", config);
	shut(id, 3);
	usleep(300000);
	ck_assert(!is_gone(id) && is_rebuilt(1));
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, &id), 0);
	usleep(1500000);
	ck_assert(is_rebuilt(1));
}
END_TEST

static void setup_small(void)
{
	small_disk = true;
	setup();
}

static int fill_disk(void)
{
	static const char zeros[4096];
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/filler", d.state_dir);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	ck_assert_int_eq(errno, ENOSPC);
	return fd;
}

/* Nothing that a guest has needs a file: it reboots, talks, uses the store, and is restarted after a crash without a core. */
START_TEST(disk_full)
{
	static const char json[] = "{\"name\":\"a\",\"on_crash\":\"coredump-restart\"}";
	struct proto_console c = { .replay_bytes = ~0ull };
	struct xencons_interface *r;
	int fd = dial(d.control_path), view;
	char buf[16], pattern[300];
	glob_t g;

	if (!small_disk) {
		fprintf(stderr, "disk_full: no mount is permitted here: skipped\n");
		return;
	}
	close(fill_disk());
	c.domid = build(fd, "a", json);
	r = fake_page(ram, c.domid, 0);
	memcpy(r->out, "hello ", 6);
	r->out_prod = 6;
	guest_rings(c.domid, 2);
	ck_assert_int_eq(ask(fd, PROTO_CONSOLE, &c, sizeof(c), NULL, 0, &view), 0);
	ck_assert_uint_eq(get(view, buf, 6), 6);
	ck_assert_int_eq(store_write_as_client(fd, "/tool/x", "value"), 0);
	shut(c.domid, 1);
	ck_assert(within(is_rebuilt, 1));
	ck_assert(within(is_gone, c.domid));
	c.domid = build(fd, "a", json);
	shut(c.domid, 3);
	ck_assert(within(is_rebuilt, 2));
	snprintf(pattern, sizeof(pattern), "%s/dump/*", d.state_dir);
	ck_assert_int_eq(glob(pattern, 0, NULL, &g), GLOB_NOMATCH);
}
END_TEST

static bool lib_takes(const char *action)
{
	struct pvctl_config *c;
	struct pvctl_error e;
	bool ok;

	ck_assert(!pvctl_config_new(&c, &e));
	ok = !pvctl_config_set_str(c, "on_crash", action, &e);
	pvctl_config_free(c);
	if (!ok)
		fprintf(stderr, "skipped: libpvctl: %s\n", e.msg);
	return ok;
}

START_TEST(core_dump)
{
	int fd = lib_takes("coredump-destroy") ? dial(d.control_path) : -1;
	uint64_t *m2p = (void *)(ram + FAKE_M2P), mfn;
	uint32_t id;
	struct { Elf64_Ehdr e; Elf64_Phdr p[2]; } h;
	char path[200], bytes[4];
	glob_t g;
	FILE *f;

	if (fd < 0)
		return;
	id = build(fd, "a", "{\"name\":\"a\",\"on_crash\":\"coredump-destroy\"}");
	mfn = (FAKE_PAGES >> 12) + id * 2;
	memcpy(fake_page(ram, id, 1), "two", 3);
	m2p[mfn] = 5;
	m2p[mfn + 1] = 2;
	shut(id, 3);
	ck_assert(within(is_gone, id));
	snprintf(path, sizeof(path), "%s/n/dump/a-*.core", getenv("PVCTL_STATE_DIR"));
	ck_assert_int_eq(glob(path, 0, NULL, &g), 0);
	f = fopen(g.gl_pathv[0], "r");
	ck_assert_uint_eq(fread(&h, sizeof(h), 1, f), 1);
	ck_assert_uint_eq(h.e.e_phnum, 2);
	ck_assert_uint_eq(h.p[0].p_paddr, 2 * 4096);
	ck_assert_uint_eq(h.p[1].p_paddr, 5 * 4096);
	fseek(f, (long)h.p[0].p_offset, SEEK_SET);
	ck_assert_uint_eq(fread(bytes, 1, 3, f), 3);
	ck_assert_mem_eq(bytes, "two", 3);
	fseek(f, 0, SEEK_END);
	ck_assert_int_eq(ftell(f), (long)(h.p[1].p_offset + 4096));
	fclose(f);
	globfree(&g);
}
END_TEST

/* The RAM file is 8 MiB. */
START_TEST(memory_is_allocated_when_asked)
{
	static const struct { struct proto_range r[2]; unsigned int n; int code; } cases[] = {
		{ { { 4u << 20, 1u << 20 }, { 6u << 20, 4096 } }, 2, 0 },
		{ { { 4u << 20, 0 } }, 1, -EINVAL },
		{ { { 4096, 100 } }, 1, -EINVAL },
		{ { { 100, 4096 } }, 1, -EINVAL },
		{ { { 8u << 20, 4096 } }, 1, -EINVAL },
		{ { { 7u << 20, 2u << 20 } }, 1, -EINVAL },
		{ { { NODE_HIGH_PADDR, 4096 } }, 1, -EINVAL },
		{ { { -4096ull, 8192 } }, 1, -EINVAL },
		{ { { 4096, -4096ull } }, 1, -EINVAL },
		{ { { 4096, 4096 }, { 4096, PROTO_BACK_BYTES } }, 2, -EINVAL },
		{ { { 0 } }, 0, -EINVAL },
	};
	struct proto_memory_check check = { .domid = 9, .bytes = ~0ull };
	struct pvctl_node_info before, after;
	int fd = dial(d.control_path);

	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, &before, sizeof(before), NULL), 0);
	ck_assert_uint_ne(before.host_available_bytes, 0);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(ask(fd, PROTO_MEMORY_BACK, cases[i].r, cases[i].n * sizeof(cases[i].r[0]), NULL, 0, NULL) ==
			      cases[i].code, "case %u", i);
	ck_assert_int_eq(ask(fd, PROTO_MEMORY_BACK, cases[0].r, 17, NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, &after, sizeof(after), NULL), 0);
	ck_assert_uint_ge(after.backed_bytes, before.backed_bytes + (1u << 20));
	ck_assert_uint_le(after.backed_bytes, before.backed_bytes + (2u << 20));
	/* A domain cannot be larger than the node: that is the hypervisor's to refuse. */
	ck_assert_int_eq(ask(fd, PROTO_MEMORY_CHECK, &check, sizeof(check), NULL, 0, NULL), 0);
	ck_assert_int_eq(ask(fd, PROTO_MEMORY_CHECK, &check, sizeof(check) - 1, NULL, 0, NULL), -EINVAL);
	close(fd);
}
END_TEST

START_TEST(rude_clients)
{
	struct proto_header h = { .type = PROTO_HYPERCALL, .len = 0xffffffffu };
	int fd = dial(d.control_path), half = dial(d.control_path), ok = dial(d.control_path);
	struct proto_hello_reply r;
	char c;

	ck_assert_int_eq(write(half, &h, 7), 7);
	ck_assert_int_eq(write(fd, &h, sizeof(h)), sizeof(h));
	ck_assert_int_eq(read(fd, &c, 1), 0);
	ck_assert_int_eq(ask(ok, PROTO_HYPERCALL, "x", 1, NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(ask(ok, 99, NULL, 0, NULL, 0, NULL), -ENOSYS);
	ck_assert_int_eq(ask(ok, PROTO_CONSOLE, NULL, 0, NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(ask(ok, PROTO_HELLO, NULL, 0, &r, sizeof(r), &fd), 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(r.ram_bytes, 8u << 20);
}
END_TEST

static void freeze(bool frozen)
{
	__atomic_store_n(&fake_state(ram)->frozen, frozen, __ATOMIC_SEQ_CST);
}

/* Of the node itself, or 0: the daemon is gone. */
static uint32_t node_event(int ev)
{
	struct pvctl_event e;

	do
		if (recv(ev, &e, sizeof(e), 0) != sizeof(e))
			return 0;
	while (!(e.type & (PVCTL_EVENT_NODE_SLOW | PVCTL_EVENT_NODE_BACK | PVCTL_EVENT_NODE_DOWN)));
	return e.type;
}

static uint64_t silent_ns(void)
{
	struct pvctl_node_info i;
	int fd = dial(d.control_path);

	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, &i, sizeof(i), NULL), 0);
	close(fd);
	return i.silent_ns;
}

static bool is_counted(uint32_t times)
{
	return __atomic_load_n(&fake_state(ram)->counted, __ATOMIC_SEQ_CST) == times;
}

static void send_count(int fd)
{
	struct { struct proto_header h; struct proto_hypercall q; } m = {
		{ PROTO_HYPERCALL, sizeof(m.q), 7, 0 }, { .op = FAKE_COUNT },
	};

	ck_assert_int_eq(write(fd, &m, sizeof(m)), sizeof(m));
}

static int code_of_answer(int fd, char *text, size_t size)
{
	struct proto_header h;

	ck_assert_int_eq(wire_recv(fd, &h, sizeof(h), NULL), 0);
	ck_assert_uint_lt(h.len, size);
	ck_assert_int_eq(wire_recv(fd, text, h.len, NULL), 0);
	text[h.len] = 0;
	return h.code;
}

/* Of two who ask, one's call is in the mailbox, the other's waits for it. Each is told what became of his. */
START_TEST(silence_is_told)
{
	int fd = dial(d.control_path), ev = events_of(fd), first = dial(d.control_path), second = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");
	char text[400];

	freeze(true);
	send_count(first);
	usleep(100000);
	send_count(second);
	ck_assert_int_eq(code_of_answer(first, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(text, "may yet be done"));
	ck_assert_int_eq(code_of_answer(second, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(text, "has not answered for 1 s"));
	ck_assert_ptr_null(strstr(text, "may yet be done"));
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_SLOW);
	/* Others are told at once; what needs no hypervisor works. */
	ck_assert_uint_ge(silent_ns(), 1000000000u);
	send_count(second);
	ck_assert_int_eq(code_of_answer(second, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_int_eq(store_read_as_client(second, "/local/domain/0/domid", XS_READ, 1), 0);
	ck_assert(!is_gone(id) && is_counted(0));
	freeze(false);
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_BACK);
	ck_assert_uint_eq(silent_ns(), 0);
	ck_assert(within(is_counted, 1));
	usleep(100000);
	ck_assert(is_counted(1) && !is_gone(id));
	ck_assert_int_eq(domctl(second, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert(within(nothing_mapped, 0));
}
END_TEST

/* Its rings are let go of before it is destroyed: so it is destroyed, though another's call was before it. */
START_TEST(destruction_is_not_half_done)
{
	struct { struct proto_header h; struct proto_hypercall q; struct xen_domctl op; } m = {
		.h = { PROTO_HYPERCALL, sizeof(m.q) + sizeof(m.op), 7, 0 }, .q.op = __HYPERVISOR_domctl,
	};
	int fd = dial(d.control_path), ev = events_of(fd), first = dial(d.control_path), second = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}"), bare = 0;
	char text[400];

	/* One without rings: nothing of ours is in the way of the queue. */
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, &bare), 0);
	m.q.args[0] = NODE_ARENA_BASE;
	m.op.cmd = XEN_DOMCTL_destroydomain;
	m.op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	m.op.domain = (domid_t)bare;
	freeze(true);
	send_count(first);
	usleep(100000);
	ck_assert_int_eq(write(second, &m, sizeof(m)), sizeof(m));
	ck_assert_int_eq(code_of_answer(second, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(text, "may yet be done"));
	freeze(false);
	while (node_event(ev) != PVCTL_EVENT_NODE_BACK)
		;
	ck_assert(within(is_gone, bare));
	ck_assert(!is_gone(id));
}
END_TEST

/* The daemon's own call, in the midst of a request: others are served all the same, and it is done when it can be. */
START_TEST(silence_in_an_own_call)
{
	struct { struct proto_header h; struct proto_introduce in; } m = { .h = { PROTO_INTRODUCE, sizeof(m.in), 7, 0 } };
	int fd = dial(d.control_path), ev = events_of(fd), other = dial(d.control_path), builder = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}"), half = 0;
	struct proto_domain_row rows[2];
	char text[400];

	ck_assert_int_eq(domctl(builder, XEN_DOMCTL_createdomain, &half), 0);
	memset(fake_page(ram, half, 0), 0, 8192);
	m.in = (struct proto_introduce){ .domid = half, .store_port = 1, .console_port = 2 };
	freeze(true);
	ck_assert_int_eq(write(builder, &m, sizeof(m)), sizeof(m));
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_SLOW);
	ck_assert_int_eq(code_of_answer(builder, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(text, "may yet be done"));
	for (unsigned int i = 0; i < 1000; i++) {
		int fresh = dial(d.control_path);

		ck_assert_int_eq(ask(fresh, PROTO_DOMAINS, NULL, 0, rows, sizeof(rows), NULL), 0);
		ck_assert_int_eq(ask(fresh, PROTO_STORE, NULL, 0, NULL, 0, NULL), -ETIMEDOUT);
		close(fresh);
	}
	send_count(other);
	ck_assert_int_eq(code_of_answer(other, text, sizeof(text)), -ETIMEDOUT);
	ck_assert_uint_ge(silent_ns(), 1000000000u);
	freeze(false);
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_BACK);
	/* Whose builder was told that it failed goes; who was whole stays. */
	ck_assert(within(is_gone, half));
	ck_assert(!is_gone(id) && is_counted(0));
	ck_assert_int_eq(domctl(other, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert(within(nothing_mapped, 0));
}
END_TEST

static bool is_created(uint32_t times)
{
	return __atomic_load_n(&fake_state(ram)->created, __ATOMIC_SEQ_CST) == times;
}

/* Who asked for a domain leaves; it comes, once, and goes. */
START_TEST(late_answer_to_nobody)
{
	struct { struct proto_header h; struct proto_hypercall q; struct xen_domctl op; } m = {
		.h = { PROTO_HYPERCALL, sizeof(m.q) + sizeof(m.op), 7, 0 }, .q.op = __HYPERVISOR_domctl,
	};
	int fd = dial(d.control_path), ev = events_of(fd), builder = dial(d.control_path);

	m.q.args[0] = NODE_ARENA_BASE;
	m.op.cmd = XEN_DOMCTL_createdomain;
	m.op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	freeze(true);
	ck_assert_int_eq(write(builder, &m, sizeof(m)), sizeof(m));
	usleep(100000);
	/* Half of the times he waits to be told. */
	if (_i)
		close(builder);
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_SLOW);
	ck_assert_int_eq(ask(fd, PROTO_DOMAINS, NULL, 0, NULL, 0, NULL), 0);
	ck_assert(is_created(0));
	freeze(false);
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_BACK);
	ck_assert(within(is_created, 1));
	ck_assert(within(is_gone, 1));
	ck_assert(is_created(1));
}
END_TEST

/* What really ended is found at once. Bit 0: in an own call; bit 1: before the silence is long. */
START_TEST(death_while_slow)
{
	struct { struct proto_header h; struct proto_domid b; } m = { .h = { PROTO_FORGET, sizeof(m.b), 7, 0 } };
	int fd = dial(d.control_path), ev = events_of(fd), asking = dial(d.control_path), status;

	m.b.domid = build(fd, "a", "{\"name\":\"a\"}");
	freeze(true);
	if (_i & 1)
		ck_assert_int_eq(write(asking, &m, sizeof(m)), sizeof(m));
	else
		send_count(asking);
	if (_i & 2)
		usleep(100000);
	else
		ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_SLOW);
	if (_i & 4)
		d.node.shared->hv_state = NODE_STATE_PANIC;
	else
		fake_state(ram)->killed = 1;
	ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_DOWN);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	ck_assert_int_eq(access(d.run_dir, F_OK), -1);
}
END_TEST

/* Who wants it to end need not wait. */
START_TEST(stop_while_slow)
{
	struct { struct proto_header h; struct proto_domid b; } m = { .h = { PROTO_FORGET, sizeof(m.b), 7, 0 } };
	int fd = dial(d.control_path), ev = events_of(fd), asking = dial(d.control_path), status;

	m.b.domid = build(fd, "a", "{\"name\":\"a\"}");
	freeze(true);
	if (_i & 1)
		ck_assert_int_eq(write(asking, &m, sizeof(m)), sizeof(m));
	else
		send_count(asking);
	/* Before it is known to be slow, or after. */
	if (!(_i & 2))
		ck_assert_uint_eq(node_event(ev), PVCTL_EVENT_NODE_SLOW);
	ck_assert_int_eq(ask(fd, PROTO_NODE_STOP, NULL, 0, NULL, 0, NULL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	ck_assert_int_eq(access(d.run_dir, F_OK), -1);
}
END_TEST

/* A daemon that was stopped itself has not waited. */
START_TEST(only_own_time_counts)
{
	int fd = dial(d.control_path), asking = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");
	char text[400];

	freeze(true);
	send_count(asking);
	usleep(100000);
	kill(pid, SIGSTOP);
	usleep(2500000);
	kill(pid, SIGCONT);
	usleep(100000);
	freeze(false);
	ck_assert_int_eq(code_of_answer(asking, text, sizeof(text)), 0);
	ck_assert(is_counted(1) && !is_gone(id));
}
END_TEST

/* Nobody can reach it any more: it ends, its domains with it, and leaves alone what another made in its place. */
START_TEST(run_dir_is_removed)
{
	int fd = dial(d.control_path), status;
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");
	char cmd[1000], path[300];

	snprintf(path, sizeof(path), "%s/lock", d.run_dir);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'; [ %d = 0 ] || { mkdir '%s' && touch '%s'; }", d.run_dir, _i, d.run_dir, path);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	ck_assert(is_gone(id) && nothing_mapped(0));
	ck_assert_int_eq(access(path, F_OK), _i - 1);
}
END_TEST

START_TEST(stop)
{
	int fd = dial(d.control_path), status;

	build(fd, "a", "{\"name\":\"a\"}");
	build(fd, "b", "{\"name\":\"b\"}");
	ck_assert_int_eq(ask(fd, PROTO_NODE_STOP, NULL, 0, NULL, 0, NULL), 0);
	ck_assert(is_gone(1) && is_gone(2));
	ck_assert_int_eq(access(d.run_dir, F_OK), -1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
}
END_TEST

static bool config_came(const char *path)
{
	struct pvctl_config *c;
	char text[1000] = "";

	if (strcmp(path, "-") || read(0, text, sizeof(text) - 1) <= 0 || pvctl_config_from_json(text, &c, NULL))
		return false;
	pvctl_config_free(c);
	return true;
}

int main(int argc, char **argv)
{
	TCase *c, *few, *small;
	SRunner *r;
	Suite *s;
	int failed;

	if (argc == 4 && !strcmp(argv[1], "--rebuild"))
		return config_came(argv[3]) && rebuilt(getenv("PVCTL_STATE_DIR"), true) ? 0 : 1;
	s = suite_create("daemon");
	c = tcase_create("all");
	few = tcase_create("few");
	small = tcase_create("small");
	r = srunner_create(s);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 30);
	tcase_add_test(c, uncommitted_domains_go_with_their_builder);
	tcase_add_test(c, store_nodes_go_with_their_builder);
	tcase_add_test(c, crowd);
	tcase_add_test(c, idle_crowd);
	tcase_add_test(c, committed_domains_stay);
	tcase_add_test(c, committed_domains_run);
	tcase_add_test(c, console);
	tcase_add_test(c, guest_store);
	tcase_add_test(c, policy_and_events);
	tcase_add_test(c, resumed_domains_end_again);
	tcase_add_test(c, zombies_are_told_of);
	tcase_add_test(c, restart_and_storm);
	tcase_add_test(c, crash_storm);
	tcase_add_test(c, pause_before_restart);
	tcase_add_test(c, core_dump);
	tcase_add_test(c, memory_is_allocated_when_asked);
	tcase_add_test(c, rude_clients);
	tcase_add_test(c, silence_is_told);
	tcase_add_test(c, destruction_is_not_half_done);
	tcase_add_test(c, silence_in_an_own_call);
	tcase_add_loop_test(c, late_answer_to_nobody, 0, 2);
	tcase_add_loop_test(c, death_while_slow, 0, 8);
	tcase_add_loop_test(c, stop_while_slow, 0, 4);
	tcase_add_test(c, only_own_time_counts);
	tcase_add_loop_test(c, run_dir_is_removed, 0, 2);
	tcase_add_test(c, stop);
	suite_add_tcase(s, c);
	tcase_add_checked_fixture(few, setup_few, teardown);
	tcase_set_timeout(few, 30);
	tcase_add_test(few, few_descriptors);
	tcase_add_test(few, no_descriptors);
	suite_add_tcase(s, few);
	tcase_add_checked_fixture(small, setup_small, teardown);
	tcase_set_timeout(small, 30);
	tcase_add_test(small, disk_full);
	suite_add_tcase(s, small);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
