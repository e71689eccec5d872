/* SPDX-License-Identifier: MIT */
/* A template that is deleted while something is made of it. */
#include "disk/image.h"
#include "template/private.h"
#include "util/fd.h"
#include "util/fresh.h"
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pvctl_error err;
static char base[64], dir[TEMPLATE_PATH];

static void make(void)
{
	static const char text[] = "{\"template\": 1, \"name\": \"t\"}";
	struct iovec v = { (void *)(uintptr_t)text, sizeof(text) - 1 };

	ck_assert_int_eq(template_dir("t", dir, &err), 0);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(fd_write_atomic(dir, TEMPLATE_MANIFEST, &v, 1), 0);
}

static void setup(void)
{
	strcpy(base, "/tmp/pvctl-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(base));
	setenv("PVCTL_DATA_DIR", base, 1);
	make();
}

static void teardown(void)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", base);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(not_while_it_is_used)
{
	int one, two, alone;

	ck_assert_int_eq(template_hold("t", false, &one, &err), 0);
	ck_assert_int_eq(template_hold("t", false, &two, &err), 0);
	ck_assert_int_eq(pvctl_template_delete("t", &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.msg, "being made of it"));
	close(one);
	ck_assert_int_eq(pvctl_template_delete("t", &err), -EBUSY);
	close(two);
	ck_assert_int_eq(template_hold("t", true, &alone, &err), 0);
	ck_assert_int_eq(access(dir, F_OK), 0);
	close(alone);
}
END_TEST

/* Who waited for one that deletes finds that it is gone, or has the one that took its name. */
START_TEST(gone_meanwhile)
{
	int alone, fd = -1, status = 0, ready[2];
	struct stat held, there;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	ck_assert_int_eq(template_hold("t", true, &alone, &err), 0);
	pid = fork();
	if (!pid) {
		int rc;

		close(alone);
		(void)!write(ready[1], "x", 1);
		rc = template_hold("t", false, &fd, &err);
		if (!_i)
			_exit(rc == -ENOENT ? 0 : 1);
		_exit(rc || fstat(fd, &held) || stat(dir, &there) || held.st_ino != there.st_ino ? 2 : 0);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	usleep(100000);
	ck_assert_int_eq(template_remove_dir(dir), 0);
	if (_i)
		make();
	close(alone);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

/* What is left of one that somebody began to delete, or whose files are lost, can be deleted. */
START_TEST(one_that_is_not_whole)
{
	char gone[TEMPLATE_PATH + 20], file[TEMPLATE_PATH + 40];
	struct pvctl_template_info info = { .size = sizeof(info) };

	snprintf(gone, sizeof(gone), "%s/templates/.gone-t", base);
	snprintf(file, sizeof(file), "%s/xvda.qcow2", gone);
	ck_assert_int_eq(mkdir(gone, 0700), 0);
	ck_assert_int_eq(mknod(file, S_IFREG | 0400, 0), 0);
	ck_assert_int_lt(pvctl_template_get("t", &info, &err), 0);
	ck_assert_msg(!pvctl_template_delete("t", &err), "%s", err.msg);
	ck_assert_int_ne(access(dir, F_OK), 0);
	ck_assert_int_ne(access(gone, F_OK), 0);
	ck_assert_int_eq(pvctl_template_delete("t", &err), -ENOENT);
}
END_TEST

static void file_in(const char *disks, const char *name)
{
	char path[TEMPLATE_FILE_PATH];

	template_path(disks, name, path);
	ck_assert_int_eq(mknod(path, S_IFREG | 0600, 0), 0);
}

/* A domain that was made anew of another template may have snapshots on the old one yet. */
START_TEST(all_templates_that_are_needed)
{
	char disks[TEMPLATE_PATH], of[64];

	ck_assert_int_eq(template_disks_dir("web", disks, &err), 0);
	ck_assert_int_eq(mkdir(disks, 0700), 0);
	ck_assert_int_eq(template_note(disks, "t", true, &err), 0);
	ck_assert_int_eq(pvctl_template_delete("t", &err), -EBUSY);
	ck_assert_int_eq(template_note(disks, "other", false, &err), 0);
	ck_assert_int_eq(template_of_domain("web", of, &err), 0);
	ck_assert_str_eq(of, "other");
	ck_assert(template_is_of("web", "other") && template_is_of("web", "t") && !template_is_of("web", "the") && !template_is_of("web", ""));
	ck_assert_int_eq(pvctl_template_delete("t", &err), -EBUSY);
	ck_assert_int_eq(template_note(disks, "other", true, &err), 0);
	ck_assert_int_eq(pvctl_template_delete("t", &err), 0);
}
END_TEST

/* What others' disks are, or are based on, does not go with the domain that it was made of. */
START_TEST(disks_of_others)
{
	static const char *const copies[] = { "web-xvda-20261128184718889-base.qcow2", "copy-xvda-20261128184718889.qcow2",
		"web-snap-xvda-20261128184718889.img", "web-xvda-20261128184718889-base.img" };
	char disks[TEMPLATE_PATH], path[TEMPLATE_FILE_PATH];

	ck_assert_int_eq(template_disks_dir("web", disks, &err), 0);
	ck_assert_int_eq(mkdir(disks, 0700), 0);
	ck_assert_int_eq(template_note(disks, "t", true, &err), 0);
	file_in(disks, "xvda.qcow2");
	file_in(disks, "data-20261128.qcow2");
	for (size_t i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		file_in(disks, copies[i]);
		ck_assert_int_eq(pvctl_template_disks_remove("web", &err), -EBUSY);
		ck_assert_ptr_nonnull(strstr(err.msg, copies[i]));
		template_path(disks, copies[i], path);
		ck_assert_int_eq(unlink(path), 0);
	}
	ck_assert_int_eq(pvctl_template_disks_remove("web", &err), 0);
	ck_assert_int_eq(pvctl_template_disks_remove("web", &err), -ENOENT);
	/* Who made it was killed before there was anything. */
	ck_assert_int_eq(mkdir(disks, 0700), 0);
	ck_assert_int_eq(pvctl_template_disks_remove("web", &err), 0);
}
END_TEST

static bool is_there(const char *what, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s/%s", base, what, name);
	return !access(path, F_OK);
}

static void make_dir(const char *what, const char *name, const char *file, const char *text)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", base, what);
	ck_assert(!mkdir(path, 0700) || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/%s/%s", base, what, name);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	if (!file)
		return;
	snprintf(path, sizeof(path), "%s/%s/%s/%s", base, what, name, file);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* What somebody is making stays; what a process left that was killed goes, and nothing else. */
START_TEST(what_is_left)
{
	struct pvctl_template_list *l;
	char fresh[TEMPLATE_PATH], parent[80];
	int mine;

	make_dir("templates", ".new-killed", "kernel", "x");
	make_dir("templates", ".gone-killed", "kernel", "x");
	make_dir("templates", ".other", "kernel", "x");
	snprintf(parent, sizeof(parent), "%s/templates", base);
	ck_assert_int_eq(fresh_make(parent, TEMPLATE_NEW, fresh, sizeof(fresh), &mine), 0);
	ck_assert_int_eq(pvctl_template_list(&l, &err), 0);
	pvctl_template_list_free(l);
	ck_assert(!is_there("templates", ".new-killed"));
	ck_assert(!is_there("templates", ".gone-killed"));
	ck_assert(is_there("templates", ".other"));
	ck_assert(is_there("templates", "t"));
	ck_assert_int_eq(access(fresh, F_OK), 0);
	fd_unlock_close(mine);
	template_sweep();
	ck_assert_int_ne(access(fresh, F_OK), 0);
}
END_TEST

/* Disks that were being made for a domain: finished ones are the domain's, whatever became of it. */
START_TEST(disks_that_are_left)
{
	char disks[TEMPLATE_PATH];
	int mine;

	setenv("PVCTL_STATE_DIR", base, 1);
	make_dir("disks", "killed", "unfinished", "default");
	make_dir("disks", "empty", NULL, NULL);
	make_dir("disks", "whole", "template", "t\n");
	ck_assert_int_eq(template_disks_dir("mine", disks, &err), 0);
	ck_assert_int_eq(template_disks_begin(disks, "default", &mine, &err), 0);
	ck_assert_int_eq(template_disks_begin(disks, "default", &mine, &err), -EEXIST);
	template_sweep_disks();
	ck_assert(!is_there("disks", "killed"));
	ck_assert(!is_there("disks", "empty"));
	ck_assert(is_there("disks", "whole"));
	ck_assert(is_there("disks", "mine"));
	template_disks_finished(disks);
	ck_assert_int_eq(template_note(disks, "t", true, &err), 0);
	fd_unlock_close(mine);
	template_sweep_disks();
	ck_assert(is_there("disks", "mine"));
}
END_TEST

/* A disk that somebody writes is not copied while he does. */
START_TEST(a_disk_in_use)
{
	char image[80], copy[80];
	int writer;

	snprintf(image, sizeof(image), "%s/disk.img", base);
	snprintf(copy, sizeof(copy), "%s/copy.qcow2", base);
	ck_assert_int_eq(mknod(image, S_IFREG | 0600, 0), 0);
	ck_assert_int_eq(truncate(image, 65536), 0);
	ck_assert_int_eq(image_open_locked(image, true, &writer, &err), 0);
	ck_assert_int_eq(template_flatten(NULL, image, DISK_RAW, false, copy, &err), -EBUSY);
	ck_assert_int_ne(access(copy, F_OK), 0);
	close(writer);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("template");
	TCase *t = tcase_create("delete");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, not_while_it_is_used);
	tcase_add_loop_test(t, gone_meanwhile, 0, 2);
	tcase_add_test(t, one_that_is_not_whole);
	tcase_add_test(t, all_templates_that_are_needed);
	tcase_add_test(t, disks_of_others);
	tcase_add_test(t, a_disk_in_use);
	tcase_add_test(t, what_is_left);
	tcase_add_test(t, disks_that_are_left);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
