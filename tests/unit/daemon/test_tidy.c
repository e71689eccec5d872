/* SPDX-License-Identifier: MIT */
/* Logs and core dumps stay within their limits, whatever is written. */
#include "pvctld/base/limits.h"
#include "pvctld/base/log.h"
#include "pvctld/base/logfile.h"
#include "pvctld/console/console.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/life/tidy.h"
#include "pvctld/node/hvlog.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct daemon d;

static void setup(void)
{
	static const char *const sub[] = { "console", "dump" };
	char path[300];

	memset(&d, 0, sizeof(d));
	list_init(&d.domains);
	strcpy(d.state_dir, "/tmp/pvctld-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(d.state_dir));
	for (unsigned int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", d.state_dir, sub[i]);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
}

static void teardown(void)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", d.state_dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void make(const char *name, size_t bytes, time_t age)
{
	struct timespec when[2] = { { time(NULL) - age, 0 }, { time(NULL) - age, 0 } };
	char path[500];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", d.state_dir, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	while (bytes) {
		char page[4096] = "x";

		ck_assert_int_eq(write(fd, page, sizeof(page)), sizeof(page));
		bytes -= sizeof(page);
	}
	ck_assert_int_eq(futimens(fd, when), 0);
	close(fd);
}

static off_t size_of(const char *name)
{
	char path[500];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", d.state_dir, name);
	return stat(path, &st) ? -1 : st.st_size;
}

START_TEST(texts)
{
	struct limits l;
	struct pvctl_error e;
	static const char *const bad[] = { "cores", "cores=", "cores=x", "cores=1x", "cores=-1", "cores=1kk", "core=1",
					   "cores=99999999999999999999", "cores=2000000t", "cores=1,,log=1", "=1", "cores =1" };

	limits_default(&l);
	ck_assert_int_eq(limits_parse(&l, "cores=2k,console-days=7,domain-cores=0,log=1M", &e), 0);
	ck_assert_uint_eq(l.cores, 2048);
	ck_assert_uint_eq(l.console_days, 7);
	ck_assert_uint_eq(l.domain_cores, 0);
	ck_assert_uint_eq(l.log, 1u << 20);
	ck_assert_uint_eq(l.core_files, 16);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(limits_parse(&l, bad[i], &e) == -EINVAL, "%s", bad[i]);
	ck_assert_uint_eq(l.cores, 2048);
}
END_TEST

START_TEST(consoles)
{
	struct console con = { .log.fd = 1 };
	struct dom dom = { .d = &d, .console = &con };

	dom_enlist(&dom);
	snprintf(con.log.path, sizeof(con.log.path), "%s/console/live.log", d.state_dir);
	d.opt.limits = (struct limits){ .console_days = 2, .console_files = 3 };
	make("console/live.log", 4096, 5 * 86400);
	make("console/gone.log", 4096, 3 * 86400);
	make("console/a.log", 4096, 50);
	make("console/b.log", 4096, 40);
	make("console/c.log", 4096, 30);
	tidy_consoles(&d);
	/* One by its age, one by the number of files; not the one that is written. */
	ck_assert_int_eq(size_of("console/gone.log"), -1);
	ck_assert_int_eq(size_of("console/live.log"), 4096);
	ck_assert_int_eq(size_of("console/a.log"), -1);
	ck_assert_int_eq(size_of("console/b.log"), 4096);
	d.opt.limits = (struct limits){ .consoles = 8192 };
	tidy_consoles(&d);
	ck_assert_int_eq(size_of("console/b.log"), -1);
	ck_assert_int_eq(size_of("console/c.log"), 4096);
	ck_assert_int_eq(size_of("console/live.log"), 4096);
	dom_delist(&dom);
}
END_TEST

START_TEST(cores)
{
	d.opt.limits = (struct limits){ .domain_cores = 2, .core_files = 4, .cores = 16384 };
	make("dump/web-20200101-000000-1.core", 4096, 90);
	make("dump/web-20200102-000000-2.core", 4096, 80);
	make("dump/web-20200103-000000-20200103-000000-3.core", 4096, 100); /* of "web-20200103-000000" */
	make("dump/notes.txt", 4096, 200);
	ck_assert_int_eq(tidy_cores(&d, "web", 4096), 0);
	ck_assert_int_eq(size_of("dump/web-20200101-000000-1.core"), -1);
	ck_assert_int_eq(size_of("dump/web-20200102-000000-2.core"), 4096);
	ck_assert_int_eq(size_of("dump/web-20200103-000000-20200103-000000-3.core"), 4096);
	ck_assert_int_eq(tidy_cores(&d, "other", 12288), 0);
	ck_assert_int_eq(size_of("dump/web-20200103-000000-20200103-000000-3.core"), -1);
	ck_assert_int_eq(size_of("dump/web-20200102-000000-2.core"), 4096);
	ck_assert_int_eq(tidy_cores(&d, "other", 20480), -EFBIG);
	ck_assert_int_eq(size_of("dump/notes.txt"), 4096);
}
END_TEST

START_TEST(rotation)
{
	struct logfile f = { .fd = -1, .max = 10000 };
	char path[300], text[100];
	struct stat is, is_named;
	int fd;

	snprintf(path, sizeof(path), "%s/daemon.log", d.state_dir);
	log_limit(10000);
	ck_assert_int_eq(log_open(path), 0);
	fd = log_fd();
	ck_assert_int_eq(logfile_open(&f, d.state_dir, "con"), 0);
	memset(text, 'x', sizeof(text));
	for (unsigned int i = 0; i < 1000; i++) {
		log_line("line %u of many, which together are more than the file may have", i);
		logfile_write(&f, text, sizeof(text));
	}
	logfile_close(&f);
	/* Who noted the descriptor writes to the new file, and not to what has the number by now. */
	ck_assert_int_eq(log_fd(), fd);
	ck_assert(!fstat(fd, &is) && !stat(path, &is_named) && is.st_ino == is_named.st_ino);
	ck_assert_int_le(size_of("daemon.log"), 10000);
	ck_assert_int_gt(size_of("daemon.log.1"), 9000);
	ck_assert_int_le(size_of("daemon.log.1"), 10000);
	ck_assert_int_le(size_of("con.log"), 10000);
	ck_assert_int_le(size_of("con.log.1"), 10000);
	make("hv.log", 40960, 0);
	d.opt.limits.log = 8192;
	hvlog_tidy(&d);
	ck_assert_int_eq(size_of("hv.log"), 0);
	ck_assert_int_eq(size_of("hv.log.1"), 8192);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tidy");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, texts);
	tcase_add_test(c, consoles);
	tcase_add_test(c, cores);
	tcase_add_test(c, rotation);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
