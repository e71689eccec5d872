/* SPDX-License-Identifier: MIT */
/*
 * A flush fails, and its daemon is killed before it has noted that: the next one's descriptors are told nothing by the
 * kernel. Played here: the kernel's part, by a count of failures that each open file has heard of or not, and the spawner's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

static int heard[1024], failures;
static int kept = -1, drops;
static char kept_as[80];

static int fake_sync_file_range(int fd, off_t at, off_t len, unsigned int flags)
{
	if (heard[fd] == failures)
		return 0;
	heard[fd] = failures;
	errno = EIO;
	return -1;
}

static void fake_open_done(int fd)
{
	heard[fd] = failures;
}

#define sync_file_range fake_sync_file_range
#define keep_put fake_keep_put
#define keep_take fake_keep_take
#define keep_drop fake_keep_drop
int fake_keep_put(const char *name, int fd);
int fake_keep_take(const char *name);
int fake_keep_drop(const char *name);
#include "pvctld/block/witness.c"
#include "pvctld/block/disk.c"
#undef sync_file_range
#include <check.h>
#undef fail

int fake_keep_put(const char *name, int fd)
{
	strcpy(kept_as, name);
	if (kept >= 0)
		close(kept);
	kept = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	heard[kept] = heard[fd];
	return 0;
}

int fake_keep_take(const char *name)
{
	int fd = kept < 0 || strcmp(name, kept_as) ? -ENOENT : fcntl(kept, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		heard[fd] = heard[kept];
	return fd;
}

int fake_keep_drop(const char *name)
{
	drops++;
	close(kept);
	kept = -1;
	return 0;
}

static struct daemon d;
static char path[40];

static void begin_vbd(struct vbd *v, bool adopted)
{
	memset(v, 0, sizeof(*v));
	v->x.d = &d;
	v->x.domid = 3;
	v->x.devid = 51712;
	v->x.adopted = adopted;
	v->fd = v->direct_fd = -1;
	strcpy(v->spec.target, path);
	strcpy(v->x.name, "xvda");
}

static void setup(void)
{
	int fd;

	list_init(&d.devices);
	list_init(&d.domains);
	strcpy(path, "/tmp/test-witness.XXXXXX");
	fd = mkstemp(path);
	ck_assert(fd >= 0 && !ftruncate(fd, 1 << 20));
	close(fd);
	failures = drops = 0;
	kept = -1;
}

static void teardown(void)
{
	unlink(path);
}

START_TEST(killed_before_it_was_noted)
{
	struct pvctl_error e = { 0 };
	struct vbd v;

	begin_vbd(&v, false);
	ck_assert_msg(!vbd_open(&v, NULL, &e), "%s", e.msg);
	ck_assert_int_ge(kept, 0);
	ck_assert_int_ne(kept, v.fd);
	/* Its own descriptor is told; then it is killed, and its descriptors are closed. */
	failures = _i;
	fake_open_done(v.fd);
	close(v.fd);
	begin_vbd(&v, true);
	ck_assert_msg(!vbd_open(&v, NULL, &e), "%s", e.msg);
	ck_assert_int_eq(v.unsynced, _i);
	/* Not dropped by those that are tried again, nor while there is a device. */
	vbd_close(&v);
	ck_assert_int_eq(drops, 0);
	ck_assert_msg(!vbd_open(&v, NULL, &e), "%s", e.msg);
	v.x.adopted = false;
	vbd_close(&v);
	ck_assert_int_eq(drops, 1);
	/* Attached anew: what was lost before is not this one's. */
	begin_vbd(&v, false);
	fake_open_done(0);
	ck_assert_msg(!vbd_open(&v, NULL, &e), "%s", e.msg);
	ck_assert(!v.unsynced);
	vbd_close(&v);
}
END_TEST

START_TEST(none_for_what_is_not_written)
{
	struct pvctl_error e = { 0 };
	struct vbd v;

	begin_vbd(&v, false);
	v.spec.readonly = true;
	ck_assert_msg(!vbd_open(&v, NULL, &e), "%s", e.msg);
	ck_assert_int_eq(kept, -1);
	vbd_close(&v);
	ck_assert_int_eq(drops, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("witness");
	TCase *t = tcase_create("witness");
	SRunner *r = srunner_create(s);
	int bad;

	(void)log_open("/dev/null");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, killed_before_it_was_noted, 0, 2);
	tcase_add_test(t, none_for_what_is_not_written);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? 1 : 0;
}
