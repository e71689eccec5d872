/* SPDX-License-Identifier: MIT */
/* A snapshot's manifest; what an image's header says of its base; what is left of who was killed. */
#include "device/qcow2.h"
#include "snapshot/private.h"
#include "util/fd.h"
#include <check.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pvctl_error err;
static char top[64], own[SNAPSHOT_PATH];

/* ---- headers ---- */

static uint8_t head[512];

static void put32(size_t at, uint32_t v)
{
	v = htobe32(v);
	memcpy(head + at, &v, sizeof(v));
}

static void make_head(uint32_t version, const char *base, const char *format)
{
	size_t at = version == 3 ? 104 : 72;

	memset(head, 0, sizeof(head));
	memcpy(head, "QFI\xfb", 4);
	put32(4, version);
	if (version == 3)
		put32(100, 104);
	if (format) {
		put32(at, 0xe2792aca);
		put32(at + 4, (uint32_t)strlen(format));
		memcpy(head + at + 8, format, strlen(format));
	}
	if (base) {
		put32(12, 256);
		put32(16, (uint32_t)strlen(base));
		memcpy(head + 256, base, strlen(base));
	}
}

START_TEST(headers)
{
	char base[DISK_TARGET_MAX + 1];
	enum disk_format f = DISK_QED;

	make_head(3, "/a/base.img", "raw");
	ck_assert_int_eq(qcow2_base_of(head, sizeof(head), "/d/x.qcow2", base, &f), 0);
	ck_assert_str_eq(base, "/a/base.img");
	ck_assert_int_eq(f, DISK_RAW);
	make_head(2, "base.qcow2", "qcow2");
	ck_assert_int_eq(qcow2_base_of(head, sizeof(head), "/d/x.qcow2", base, &f), 0);
	ck_assert_str_eq(base, "/d/base.qcow2");
	ck_assert_int_eq(f, DISK_QCOW2);
	make_head(3, NULL, NULL);
	ck_assert_int_eq(qcow2_base_of(head, sizeof(head), "/d/x.qcow2", base, &f), 0);
	ck_assert_str_eq(base, "");
}
END_TEST

START_TEST(bad_headers)
{
	char base[DISK_TARGET_MAX + 1];
	enum disk_format f;

	/* Without a format what it is based on could be anything. */
	make_head(3, "/a/base.img", NULL);
	ck_assert_int_lt(qcow2_base_of(head, sizeof(head), "/x", base, &f), 0);
	make_head(3, "/a/base.img", "bochs");
	ck_assert_int_lt(qcow2_base_of(head, sizeof(head), "/x", base, &f), 0);
	make_head(3, "/a/base.img", "raw");
	put32(16, 257);
	ck_assert_int_lt(qcow2_base_of(head, sizeof(head), "/x", base, &f), 0);
	put32(16, UINT32_MAX);
	ck_assert_int_lt(qcow2_base_of(head, sizeof(head), "/x", base, &f), 0);
	make_head(3, "/a/base.img", "raw");
	put32(8, UINT32_MAX);
	ck_assert_int_lt(qcow2_base_of(head, sizeof(head), "/x", base, &f), 0);
	make_head(3, "/a/base.img", "raw");
	put32(108, UINT32_MAX);
	ck_assert_int_lt(qcow2_base_of(head, sizeof(head), "/x", base, &f), 0);
	put32(100, UINT32_MAX);
	ck_assert_int_lt(qcow2_base_of(head, sizeof(head), "/x", base, &f), 0);
	/* None of all its beginnings is read beyond its end. */
	make_head(3, "/a/base.img", "raw");
	for (size_t n = 0; n < 256 + 11; n++) {
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, head, n);
		ck_assert_int_lt(qcow2_base_of(copy, n, "/x", base, &f), 0);
		free(copy);
	}
}
END_TEST

/* ---- manifests ---- */

static struct snapshot made(void)
{
	struct snapshot s = { .domain = "web", .name = "one", .description = "a \"test\"", .created_unix_ns = 5, .n_disks = 1 };

	s.disk = calloc(1, sizeof(*s.disk));
	s.disk[0] = (struct snapshot_disk){ .vdev = "xvda", .overlay = true, .format = DISK_RAW, .bytes = 4096, .file = "/d/base", .head = "/d/own" };
	ck_assert_int_eq(pvctl_config_new(&s.config, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(s.config, "name", "web", &err), 0);
	return s;
}

START_TEST(round_trip)
{
	struct snapshot s = made(), back;
	char *text, *again;

	strcpy(s.memory.name, SNAPSHOT_MEMORY);
	memset(s.memory.sha256, '0', 64);
	s.memory.bytes = 7;
	s.stopped = true;
	ck_assert_int_eq(snapshot_format(&s, &text, &err), 0);
	ck_assert_int_eq(snapshot_parse(text, &back, &err), 0);
	ck_assert_int_eq(snapshot_format(&back, &again, &err), 0);
	ck_assert_str_eq(text, again);
	ck_assert_uint_eq(back.memory.bytes, 7);
	ck_assert(back.stopped);
	ck_assert_str_eq(back.disk[0].head, "/d/own");
	free(text);
	free(again);
	snapshot_free(&back);
	snapshot_free(&s);
}
END_TEST

START_TEST(bad_manifests)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{\"schema\": 2}", "{\"schema\": 1, \"domain\": \"a\", \"name\": \"b\"}",
		"{\"schema\":1,\"domain\":\"a\",\"name\":\"b\",\"description\":\"\",\"created_unix_ns\":1,\"config\":\"{}\",\"disks\":{}}",
		"{\"schema\":1,\"domain\":\"a\",\"name\":\"b\",\"description\":\"\",\"created_unix_ns\":1,\"config\":\"{}\",\"disks\":[1]}",
		"{\"schema\":1,\"domain\":\"a\",\"name\":\"b\",\"description\":\"\",\"created_unix_ns\":1,\"config\":\"{}\",\"disks\":[{\"vdev\":\"xvda\","
		"\"overlay\":1,\"format\":\"raw\",\"bytes\":1,\"file\":\"rel\",\"disk\":\"/x\"}]}",
		"{\"schema\":1,\"domain\":\"a\",\"name\":\"b\",\"description\":\"\",\"created_unix_ns\":1,\"config\":\"{}\",\"disks\":[],"
		"\"memory\":{\"file\":\"../x\",\"bytes\":1,\"sha256\":\"0\"}}",
	};
	struct snapshot s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(snapshot_parse(bad[i], &s, &err) < 0, "%s", bad[i]);
}
END_TEST

/* ---- what is left ---- */

static void setup(void)
{
	strcpy(top, "/tmp/pvctl-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	setenv("PVCTL_STATE_DIR", top, 1);
	setenv("PVCTL_RUN_DIR", top, 1);
	ck_assert_int_eq(snapshot_domain_dir(NULL, "web", own, &err), 0);
	ck_assert_int_eq(mkdir(own, 0700), 0);
}

static void teardown(void)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	ck_assert_int_eq(system(cmd), 0);
}

static void in_top(char *to, const char *name)
{
	snprintf(to, DISK_TARGET_MAX + 1, "%s/%s", top, name);
}

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static bool is_there(const char *path)
{
	return !access(path, F_OK);
}

static void leave(const char *name, const struct snapshot *s)
{
	char dir[SNAPSHOT_PATH + 20];

	snprintf(dir, sizeof(dir), "%s/%s", own, name);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	ck_assert_int_eq(snapshot_write(s, dir, &err), 0);
}

static bool held_and_clean(void)
{
	struct snapshot_hold h;

	ck_assert_int_eq(snapshot_hold(NULL, "web", true, &h, &err), 0);
	snapshot_release(&h);
	return !is_there(own);
}

/* A qcow2 image: the overlay takes its name. _i 0: before that, 1: after it. */
START_TEST(killed_with_qcow2)
{
	struct snapshot s = made();
	struct snapshot_disk *d = s.disk;

	in_top(d->head, "disk");
	in_top(d->was, "disk");
	in_top(d->file, "base");
	in_top(d->fresh, "fresh");
	touch(d->head);
	ck_assert_int_eq(link(d->head, d->file), 0);
	touch(d->fresh);
	if (_i)
		ck_assert_int_eq(rename(d->fresh, d->head), 0);
	leave(".new-aaaaaa", &s);
	ck_assert(held_and_clean());
	ck_assert(is_there(d->head));
	ck_assert(!is_there(d->fresh));
	ck_assert_int_eq(is_there(d->file), _i);
	snapshot_free(&s);
}
END_TEST

/* A raw one, of a domain of which nobody tells: it may be either. A copy goes. */
START_TEST(killed_with_raw)
{
	struct snapshot s = made();
	struct snapshot_disk *d = s.disk;

	d->overlay = _i;
	in_top(d->head, _i ? "own" : "disk");
	in_top(d->file, "base");
	if (_i) {
		in_top(d->was, "disk");
		in_top(d->fresh, "own");
		touch(d->was);
	}
	touch(d->head);
	touch(d->file);
	leave(".new-aaaaaa", &s);
	ck_assert(held_and_clean());
	ck_assert(is_there(d->head));
	ck_assert_int_eq(is_there(d->file), _i);
	if (_i)
		ck_assert(is_there(d->was));
	snapshot_free(&s);
}
END_TEST

/* It was gone already; its files follow, but what another stands on. */
START_TEST(killed_while_deleting)
{
	struct snapshot s = made(), t = made();
	FILE *f;

	in_top(s.disk->file, "base");
	in_top(s.disk->head, "own");
	touch(s.disk->file);
	if (_i) {
		strcpy(t.disk->file, s.disk->head);
		t.disk->format = DISK_QCOW2;
		make_head(3, s.disk->file, "raw");
		f = fopen(s.disk->head, "w");
		ck_assert_ptr_nonnull(f);
		ck_assert_uint_eq(fwrite(head, sizeof(head), 1, f), 1);
		fclose(f);
		leave("later", &t);
	}
	leave(".gone-one", &s);
	ck_assert_int_eq(held_and_clean(), !_i);
	ck_assert_int_eq(is_there(s.disk->file), _i);
	snapshot_free(&s);
	snapshot_free(&t);
}
END_TEST

START_TEST(one_at_a_time)
{
	struct snapshot_hold h, other, more;

	ck_assert_int_eq(snapshot_hold(NULL, "web", false, &h, &err), 0);
	ck_assert_int_eq(snapshot_hold(NULL, "web", false, &other, &err), -EBUSY);
	ck_assert_int_eq(snapshot_hold(NULL, "db", false, &more, &err), 0);
	snapshot_release(&more);
	snapshot_release(&h);
	ck_assert_int_eq(snapshot_hold(NULL, "web", true, &h, &err), 0);
	snapshot_release(&h);
}
END_TEST

/* Another thread's, that has not come to its exec yet: it has all descriptors. */
START_TEST(a_child_holds_nothing)
{
	struct snapshot_hold h, again;
	char keep[SNAPSHOT_FILE_PATH], c;
	int until[2];
	pid_t child;

	ck_assert_int_eq(snapshot_hold(NULL, "web", false, &h, &err), 0);
	snapshot_path(h.dir, "keep", keep);
	ck_assert_int_eq(close(open(keep, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	ck_assert_int_eq(pipe(until), 0);
	child = fork();
	if (!child) {
		close(until[1]);
		_exit(read(until[0], &c, 1) < 0);
	}
	ck_assert_int_gt(child, 0);
	snapshot_release(&h);
	ck_assert_int_eq(snapshot_hold(NULL, "web", false, &again, &err), 0);
	ck_assert_int_eq(unlink(keep), 0);
	snapshot_release(&again);
	close(until[1]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("snapshot");
	TCase *t = tcase_create("text"), *u = tcase_create("left");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, headers);
	tcase_add_test(t, bad_headers);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, bad_manifests);
	tcase_add_checked_fixture(u, setup, teardown);
	tcase_add_loop_test(u, killed_with_qcow2, 0, 2);
	tcase_add_loop_test(u, killed_with_raw, 0, 2);
	tcase_add_loop_test(u, killed_while_deleting, 0, 2);
	tcase_add_test(u, one_at_a_time);
	tcase_add_test(u, a_child_holds_nothing);
	suite_add_tcase(s, t);
	suite_add_tcase(s, u);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
