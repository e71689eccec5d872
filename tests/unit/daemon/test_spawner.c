/* SPDX-License-Identifier: MIT */
/* The spawner, and a daemon that is not what it was: what it gets, and what it does not. */
#include "pvctld/base/log.h"
#include "pvctld/spawn/keep.h"
#include "pvctld/spawner/spawner.h"
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct daemon d;
static struct spawner s;
static struct spawn_msg m, a;
static char dir[64];

static unsigned int open_files(void)
{
	DIR *p = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(p))
		n++;
	closedir(p);
	return n;
}

static void begin(uint32_t type, size_t len, unsigned int nr_fds)
{
	memset(&m, 0, sizeof(m));
	m.u.h = (struct spawn_head){ .type = type, .len = (uint32_t)len, .id = 7 };
	m.len = len;
	for (m.nr_fds = 0; m.nr_fds < nr_fds; m.nr_fds++)
		m.fd[m.nr_fds] = memfd_create("of the daemon", 0);
}

/* What the answer said; its descriptors stay in a. */
static int done(void)
{
	spawner_do(&s, &m, &a);
	spawn_msg_close_fds(&m);
	ck_assert_uint_eq(a.u.h.id, 7);
	ck_assert_uint_le(a.u.h.len, sizeof(a.u.bytes));
	return a.u.h.rc;
}

static int by_name(uint32_t type, const char *name, unsigned int nr_fds)
{
	begin(type, sizeof(struct spawn_name), nr_fds);
	memcpy(((struct spawn_name *)(void *)m.u.bytes)->name, name, strlen(name));
	return done();
}

static int of_device(uint32_t type, const char *text, const char *where, unsigned int nr_fds)
{
	struct spawn_device *q = (struct spawn_device *)(void *)m.u.bytes;

	begin(type, sizeof(*q), nr_fds);
	snprintf(q->text, sizeof(q->text), "%s", text);
	snprintf(q->where, sizeof(q->where), "%s", where);
	return done();
}

static const char *in_dir(const char *name)
{
	static char path[4][120];
	static unsigned int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static const char *as_written(const char *key, const char *text)
{
	static char buf[ALLOWED_TEXT + 1];

	ck_assert_int_eq(allowed_as_written(key, text, buf), 0);
	return buf;
}

static void setup(void)
{
	int fd;

	ck_assert_int_eq(log_open("/dev/null"), 0);
	snprintf(dir, sizeof(dir), "/tmp/pvctl-spawner-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	fd = open(in_dir("disk"), O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(ftruncate(fd, 65536), 0);
	close(fd);
	d.lock_fd = -1;
	d.opt.node = "n";
	snprintf(d.run_dir, sizeof(d.run_dir), "%s", dir);
	s = (struct spawner){ .d = &d, .sock = -1, .signals = -1, .listeners = { -1, -1 }, .has_qemu = true };
}

static void teardown(void)
{
	char cmd[100];

	spawn_msg_close_fds(&a);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(kept)
{
	struct spawn_names *names = (struct spawn_names *)(void *)a.u.bytes;
	unsigned int before;

	ck_assert_int_eq(by_name(SPAWN_KEEP_PUT, "ram", 1), 0);
	ck_assert_int_eq(by_name(SPAWN_KEEP_PUT, "disk/51712:0", 1), 0);
	before = open_files();
	ck_assert_int_eq(by_name(SPAWN_KEEP_PUT, "ram", 1), 0);
	ck_assert_uint_eq(open_files(), before);
	ck_assert_int_eq(by_name(SPAWN_KEEP_TAKE, "ram", 0), 0);
	ck_assert_uint_eq(a.nr_fds, 1);
	ck_assert(fcntl(a.fd[0], F_GETFD) & FD_CLOEXEC);
	spawn_msg_close_fds(&a);
	begin(SPAWN_KEEP_LIST, sizeof(struct spawn_number), 0);
	ck_assert_int_eq(done(), 0);
	ck_assert_uint_eq(names->nr, 2);
	ck_assert_str_eq(names->name[0], "disk/51712:0");
	ck_assert_int_eq(by_name(SPAWN_KEEP_DROP, "ram", 0), 0);
	ck_assert_int_eq(by_name(SPAWN_KEEP_DROP, "ram", 0), -ENOENT);
	ck_assert_int_eq(by_name(SPAWN_KEEP_TAKE, "ram", 0), -ENOENT);
	ck_assert_int_eq(by_name(SPAWN_KEEP_PUT, "", 1), -EINVAL);
	ck_assert_int_eq(by_name(SPAWN_KEEP_PUT, "a b", 1), -EINVAL);
	ck_assert_int_eq(by_name(SPAWN_KEEP_PUT, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm", 1), -EINVAL);
	ck_assert_int_eq(by_name(SPAWN_KEEP_DROP, "disk/51712:0", 0), 0);
	ck_assert_uint_eq(open_files(), before - 2);
}
END_TEST

START_TEST(wrong_forms)
{
	const unsigned int before = open_files();

	for (uint32_t type = 0; type <= SPAWN_NR_TYPES + 1; type++)
		for (unsigned int fds = 0; fds <= 3; fds++)
			for (size_t len = sizeof(struct spawn_head); len < sizeof(m.u.bytes); len += len < 400 ? 1 : 997) {
				begin(type, len, fds);
				if (!spawn_msg_check(&m)) {
					spawn_msg_close_fds(&m);
					continue; /* it has that form */
				}
				ck_assert_int_lt(done(), 0);
				ck_assert_uint_eq(a.nr_fds, 0);
				/* A length that is not the record's. */
				begin(type, len, fds);
				m.u.h.len++;
				ck_assert_int_eq(done(), -EPROTO);
			}
	ck_assert_uint_eq(open_files(), before);
}
END_TEST

START_TEST(endless_texts)
{
	begin(SPAWN_DISK_OPEN, sizeof(struct spawn_device), 0);
	memset(m.u.bytes + sizeof(struct spawn_head), '/', sizeof(struct spawn_device) - sizeof(struct spawn_head));
	ck_assert_int_eq(done(), -EINVAL);
	begin(SPAWN_KEEP_DROP, sizeof(struct spawn_name), 0);
	memset(m.u.bytes + sizeof(struct spawn_head), 'a', SPAWN_NAME);
	ck_assert_int_eq(done(), -EINVAL);
}
END_TEST

START_TEST(random_bytes)
{
	const unsigned int before = open_files();

	static const size_t forms[] = { sizeof(struct spawn_head), sizeof(struct spawn_name), sizeof(struct spawn_number),
					sizeof(struct spawn_kill), sizeof(struct spawn_device) };

	srandom(1);
	for (unsigned int i = 0; i < 200000; i++) {
		begin((uint32_t)random() % (SPAWN_NR_TYPES + 1), sizeof(struct spawn_head), 0);
		if (m.u.h.type == SPAWN_SOCKETS || m.u.h.type == SPAWN_BYE || m.u.h.type == SPAWN_UP)
			continue;
		m.len = i % 2 ? forms[(size_t)random() % 5] : (size_t)random() % sizeof(m.u.bytes);
		for (size_t n = sizeof(struct spawn_head); n < m.len; n += 4)
			m.u.bytes[n] = (uint8_t)random();
		if (m.len < sizeof(struct spawn_head))
			m.len = sizeof(struct spawn_head);
		m.u.h.len = (uint32_t)m.len;
		(void)done();
		spawn_msg_close_fds(&a);
	}
	ck_assert_uint_eq(open_files(), before);
}
END_TEST

START_TEST(records)
{
	struct spawn_msg in;
	struct spawn_head h = { .type = SPAWN_UP, .len = sizeof(h) };
	const unsigned int before = open_files();
	int sv[2], fds[SPAWN_MAX_FDS];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	ck_assert_int_eq(send(sv[0], &h, 3, 0), 3);
	ck_assert_int_eq(spawn_msg_recv(sv[1], &in), -EPROTO);
	memset(m.u.bytes, 1, sizeof(m.u.bytes));
	ck_assert_int_eq(send(sv[0], &m, sizeof(m), 0), sizeof(m));
	ck_assert_int_eq(spawn_msg_recv(sv[1], &in), -EPROTO);
	for (unsigned int i = 0; i < SPAWN_MAX_FDS; i++)
		fds[i] = sv[0];
	ck_assert_int_eq(spawn_msg_send(sv[0], &h, fds, SPAWN_MAX_FDS, 0), 0);
	ck_assert_int_eq(spawn_msg_recv(sv[1], &in), 1);
	ck_assert_uint_eq(in.nr_fds, SPAWN_MAX_FDS);
	ck_assert_int_ne(spawn_msg_check(&in), 0);
	spawn_msg_close_fds(&in);
	ck_assert_int_eq(spawn_msg_send(sv[0], &h, fds, SPAWN_MAX_FDS + 1, 0), -EMSGSIZE);
	close(sv[0]);
	ck_assert_int_eq(spawn_msg_recv(sv[1], &in), 0);
	close(sv[1]);
	ck_assert_uint_eq(open_files(), before);
}
END_TEST

/* The daemon waits for its answer with all guests behind it. */
START_TEST(no_descriptors_left)
{
	struct spawn_name q = { .h = { .type = SPAWN_KEEP_PUT, .len = sizeof(q), .id = 7 }, .name = "a" };
	struct rlimit old, few;
	int sv[2], spare;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sv), 0);
	s.sock = sv[1];
	ck_assert_int_eq(spawn_msg_send(sv[0], &q.h, sv, 1, 0), 0);
	spare = dup(sv[0]);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = (struct rlimit){ (rlim_t)spare + 1, old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_int_eq(spawner_serve(&s), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(spawn_msg_recv(sv[0], &m), 1);
	ck_assert_int_eq(m.u.h.rc, -ENOSPC);
	ck_assert_uint_eq(m.u.h.id, 7);
	ck_assert_int_eq(kept_get("a"), -ENOENT);
	close(spare);
	close(sv[0]);
	close(sv[1]);
}
END_TEST

START_TEST(only_what_was_named)
{
	char text[300], again[300];

	snprintf(text, sizeof(text), "%s", as_written("disk", "/etc/passwd,raw,xvda,w"));
	ck_assert_int_eq(of_device(SPAWN_DISK_OPEN, text, "", 0), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_DISK_LOOK, text, "", 0), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_P9, as_written("p9", "tag=t,path=/etc,security_model=none"), "", 2), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_CHANNEL, as_written("channel", "connection=socket,name=c,path=/etc/x"), "", 0), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_VIF_TAP, as_written("vif", "bridge=xenbr0"), "", 0), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_DISK_OPEN, "no specification at all", "", 0), -EPERM);

	snprintf(text, sizeof(text), "format=raw,vdev=xvda,access=ro,target=%s", in_dir("disk"));
	ck_assert_int_eq(allowed_add("disk", text), 0);
	/* One key's word is not another's. */
	ck_assert_int_eq(of_device(SPAWN_P9, as_written("disk", text), "", 2), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_DISK_OPEN, as_written("disk", text), "", 0), 0);
	ck_assert_uint_eq(a.nr_fds, 1);
	ck_assert_int_eq(fcntl(a.fd[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	spawn_msg_close_fds(&a);
	/* For reading is not for writing, nor is it another format. */
	snprintf(again, sizeof(again), "format=raw,vdev=xvda,access=rw,target=%s", in_dir("disk"));
	ck_assert_int_eq(of_device(SPAWN_DISK_OPEN, as_written("disk", again), "", 0), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_DISK_NBD, as_written("disk", text), "", 1), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_DISK_SCRIPT, as_written("disk", text), "/local/domain/0/backend/vbd/1/51712", 0), -EPERM);
	/* A target says itself where it is. */
	ck_assert_int_eq(of_device(SPAWN_DISK_OPEN, as_written("disk", text), "/dev/sda", 0), -EPERM);
}
END_TEST

START_TEST(what_a_script_names)
{
	char text[200];

	snprintf(text, sizeof(text), "format=raw,vdev=xvdb,access=rw,script=/bin/true,target=anything");
	ck_assert_int_eq(allowed_add("disk", text), 0);
	ck_assert_int_eq(of_device(SPAWN_DISK_LOOK, as_written("disk", text), "", 0), 0);
	ck_assert_uint_eq(a.nr_fds, 0);
	ck_assert_int_eq(of_device(SPAWN_DISK_OPEN, as_written("disk", text), "", 0), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_DISK_OPEN, as_written("disk", text), in_dir("disk"), 0), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_DISK_OPEN, as_written("disk", text), "/dev/../etc/passwd", 0), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_DISK_OPEN, as_written("disk", text), "/dev/zero", 0), -EINVAL);
	ck_assert_int_eq(of_device(SPAWN_DISK_SCRIPT, as_written("disk", text), "/etc", 0), -EINVAL);
	snprintf(text, sizeof(text), "bridge=b0,script=/bin/true");
	ck_assert_int_eq(allowed_add("vif", text), 0);
	/* No interface of the host's but those that were made here. */
	ck_assert_int_eq(of_device(SPAWN_VIF_SCRIPT, as_written("vif", text), "eth0", 0), -EPERM);
	ck_assert_int_eq(of_device(SPAWN_VIF_PLUG, as_written("vif", text), "lo", 0), -EPERM);
}
END_TEST

static int kill_it(pid_t pid, int sig)
{
	struct spawn_kill *k = (struct spawn_kill *)(void *)m.u.bytes;

	begin(SPAWN_KILL, sizeof(*k), 0);
	k->pid = pid;
	k->sig = (uint32_t)sig;
	return done();
}

START_TEST(signals)
{
	pid_t child = fork(), other = fork();
	int status_fd, status = 0;

	if (!child || !other) {
		pause();
		_exit(0);
	}
	ck_assert_int_eq(helper_add(child, false, &status_fd), 0);
	ck_assert_int_eq(kill_it(1, SIGKILL), -ESRCH);
	ck_assert_int_eq(kill_it(0, SIGKILL), -ESRCH);
	ck_assert_int_eq(kill_it(-1, SIGKILL), -ESRCH);
	ck_assert_int_eq(kill_it(-child, SIGKILL), -ESRCH);
	ck_assert_int_eq(kill_it(other, SIGKILL), -ESRCH);
	ck_assert_int_eq(kill_it(child, SIGSTOP), -EPERM);
	ck_assert_int_eq(kill_it(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(helper_ended(child, status));
	ck_assert_int_eq(read(status_fd, &status, sizeof(status)), sizeof(status));
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	/* Its number may be another's by now. */
	ck_assert_int_eq(kill_it(child, SIGKILL), -ESRCH);
	close(status_fd);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}
END_TEST

static pid_t sleeper(bool daemons, int *ret_status_fd)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	ck_assert_int_eq(helper_add(pid, daemons, ret_status_fd), 0);
	return pid;
}

/* Two of them would build one domain, each for another daemon. */
START_TEST(what_worked_for_a_daemon)
{
	int fd, other_fd, status;
	pid_t builds = sleeper(true, &fd), other = sleeper(false, &other_fd);

	helpers_end_daemons();
	ck_assert_int_eq(read(fd, &status, sizeof(status)), sizeof(status));
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_int_eq(kill(builds, 0), -1);
	ck_assert_int_eq(kill_it(other, SIGKILL), 0);
	ck_assert_int_eq(waitpid(other, &status, 0), other);
	ck_assert(helper_ended(other, status));
	close(fd);
	close(other_fd);
}
END_TEST

START_TEST(many_names)
{
	char text[100];

	for (unsigned int i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "/boot/vmlinuz-%u", i);
		ck_assert_int_eq(allowed_add("kernel", text), 0);
	}
	for (unsigned int i = 0; i < 200000; i++) {
		snprintf(text, sizeof(text), "/boot/vmlinuz-%u", i);
		ck_assert(allowed_has("kernel", text) == (i < 100000));
		ck_assert(!allowed_has("ramdisk", text));
	}
	/* Where one ends and the other begins is part of it. */
	ck_assert_int_eq(allowed_add("kernel", "a"), 0);
	ck_assert(!allowed_has("kernela", ""));
}
END_TEST

static bool may(const char *kernel, const char *disk)
{
	struct pvctl_config *c;
	struct pvctl_error e;
	char json[600];
	bool ok;

	snprintf(json, sizeof(json), "{\"name\":\"x\",\"kernel\":\"%s\",\"memory\":64,\"disk\":[\"%s\"]}", kernel, disk);
	ck_assert_msg(!pvctl_config_from_json(json, &c, &e), "%s: %s", json, e.msg);
	ok = service_may_rebuild(c);
	pvctl_config_free(c);
	return ok;
}

START_TEST(restarts)
{
	ck_assert_int_eq(allowed_add("kernel", "/boot/vmlinuz"), 0);
	ck_assert_int_eq(allowed_add("disk", "/srv/a.img,raw,xvda,w"), 0);
	ck_assert(may("/boot/vmlinuz", "/srv/a.img,raw,xvda,w"));
	/* The same, said in another way. */
	ck_assert(may("/boot/vmlinuz", "format=raw,vdev=xvda,access=rw,target=/srv/a.img"));
	ck_assert(!may("/etc/shadow", "/srv/a.img,raw,xvda,w"));
	ck_assert(!may("/boot/vmlinuz", "/etc/shadow,raw,xvda,w"));
	ck_assert(!may("/srv/a.img,raw,xvda,w", "/srv/a.img,raw,xvda,w"));
}
END_TEST

/* A list that is no device's: an argument that nobody named is the daemon's. */
START_TEST(lists_of_a_restart)
{
	struct pvctl_config *c;
	struct pvctl_error e;

	ck_assert_msg(!pvctl_config_from_json("{\"name\":\"x\",\"bootloader_args\":[\"--entry=1\",\"--quiet\"]}", &c, &e), "%s", e.msg);
	ck_assert_int_eq(allowed_add("bootloader_args", "--entry=1"), 0);
	ck_assert(!service_may_rebuild(c));
	ck_assert_int_eq(allowed_add("bootloader_args", "--quiet"), 0);
	ck_assert(service_may_rebuild(c));
	pvctl_config_free(c);
}
END_TEST

/* To be asked is not to be told. */
START_TEST(asked)
{
	ck_assert_int_eq(allowed_asked("disk", "/srv/q.img,raw,xvda,w"), -ENOENT);
	ck_assert_int_eq(allowed_asked("disk", "/srv/q.img,raw,xvda,w"), -ENOENT);
	ck_assert_int_eq(allowed_add("disk", "format=raw,vdev=xvda,access=rw,target=/srv/q.img"), 0);
	ck_assert_int_eq(allowed_asked("disk", "/srv/q.img,raw,xvda,w"), 0);
}
END_TEST

static void add_tap(int *fd, const char *name)
{
	struct ifreq req = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	*fd = open("/dev/net/tun", O_RDWR);
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	ck_assert_int_eq(ioctl(*fd, TUNSETIFF, &req), 0);
}

/* Its name is no longer ours when it is another's. */
START_TEST(a_tap_that_is_gone)
{
	char text[ALLOWED_TEXT + 1];
	int fd;

	if (unshare(CLONE_NEWNET) || (fd = open("/dev/net/tun", O_RDWR)) < 0)
		return; /* only root has taps */
	close(fd);
	snprintf(text, sizeof(text), "%s", as_written("vif", "link=tap,vifname=pvgone,script=/bin/true"));
	ck_assert_int_eq(allowed_add("vif", text), 0);
	ck_assert_int_eq(of_device(SPAWN_VIF_TAP, text, "", 0), 0);
	ck_assert_uint_eq(a.nr_fds, 1);
	fd = fcntl(a.fd[0], F_DUPFD_CLOEXEC, 0);
	spawn_msg_close_fds(&a);
	ck_assert_int_eq(of_device(SPAWN_VIF_SCRIPT, text, "pvgone", 0), 0);
	spawn_msg_close_fds(&a);
	/* Before it executes it has the tap, too. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(fd);
	ck_assert_int_eq(of_device(SPAWN_VIF_SCRIPT, text, "pvgone", 0), -EPERM);
	add_tap(&fd, "pvgone");
	ck_assert_int_eq(of_device(SPAWN_VIF_SCRIPT, text, "pvgone", 0), -EPERM);
	close(fd);
}
END_TEST

START_TEST(one_qemu)
{
	begin(SPAWN_QEMU, sizeof(struct spawn_head), 2);
	ck_assert_int_eq(done(), -EEXIST);
	ck_assert_uint_eq(a.nr_fds, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("spawner");
	TCase *t = tcase_create("spawner");
	SRunner *r;
	int bad;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, kept);
	tcase_add_test(t, wrong_forms);
	tcase_add_test(t, endless_texts);
	tcase_add_test(t, random_bytes);
	tcase_add_test(t, records);
	tcase_add_test(t, no_descriptors_left);
	tcase_add_test(t, only_what_was_named);
	tcase_add_test(t, what_a_script_names);
	tcase_add_test(t, signals);
	tcase_add_test(t, what_worked_for_a_daemon);
	tcase_add_test(t, many_names);
	tcase_add_test(t, restarts);
	tcase_add_test(t, lists_of_a_restart);
	tcase_add_test(t, asked);
	tcase_add_test(t, a_tap_that_is_gone);
	tcase_add_test(t, one_qemu);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? 1 : 0;
}
