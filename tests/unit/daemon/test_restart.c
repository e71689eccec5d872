/* SPDX-License-Identifier: MIT */
/* Domains that are built again after they end: how often, when, and with a full disk. */
#include "tests/unit/daemon/daemon_fixture.h"
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <xen/io/console.h>

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

static void setup_small(void)
{
	make_dirs();
	small_disk = mount_small(getenv("PVCTL_STATE_DIR"));
	start_daemon(1000);
}

static void teardown_small(void)
{
	stop_daemon();
	if (small_disk)
		ck_assert_int_eq(umount2(getenv("PVCTL_STATE_DIR"), MNT_DETACH), 0);
	remove_dirs();
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
	TCase *all, *small;
	SRunner *r;
	Suite *s;
	int failed;

	if (argc == 4 && !strcmp(argv[1], "--rebuild"))
		return config_came(argv[3]) && rebuilt(getenv("PVCTL_STATE_DIR"), true) ? 0 : 1;
	s = suite_create("restart");
	all = tcase_create("all");
	small = tcase_create("small");
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 30);
	tcase_add_test(all, restart_and_storm);
	tcase_add_test(all, crash_storm);
	tcase_add_test(all, pause_before_restart);
	suite_add_tcase(s, all);
	tcase_add_checked_fixture(small, setup_small, teardown_small);
	tcase_set_timeout(small, 30);
	tcase_add_test(small, disk_full);
	suite_add_tcase(s, small);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
