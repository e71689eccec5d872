/* SPDX-License-Identifier: MIT */
/* A tap's "offline" for which there is no process: nothing of it stays. */
#include <sys/types.h>

#define net_spawn fake_spawn
pid_t fake_spawn(const char *path, char *const *argv, char *const *env, int fd, int log);
#include "pvctld/net/tap_script.c"
#include <check.h>
#include <fcntl.h>
#undef fail

#define BACK "/local/domain/0/backend/vif/5/1"

static struct daemon d;
static unsigned int asked;

/* Its nodes are there for it to read. */
pid_t fake_spawn(const char *path, char *const *argv, char *const *env, int fd, int log)
{
	char *mac = store_read(d.store, BACK "/mac", NULL);

	ck_assert_str_eq(argv[1], "offline");
	ck_assert_ptr_nonnull(mac);
	free(mac);
	asked++;
	return -EAGAIN;
}

static void quit(void *data)
{
	d.loop.quit = true;
}

START_TEST(no_process)
{
	struct tap t = { .d = &d, .domid = 5, .spec = { .devid = 1, .script = "/bin/true", .bridge = "br0" } };
	struct loop_task end;
	char *left;

	memset(&d, 0, sizeof(d));
	ck_assert_int_eq(loop_init(&d.loop), 0);
	d.store = store_new(NULL, &(const struct store_host_ops){ 0 }, NULL);
	ck_assert_ptr_nonnull(d.store);
	list_init(&d.domains);
	list_init(&d.children);
	t.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	tap_script_offline(&t, NULL);
	ck_assert(net_scripts_busy());
	loop_task_init(&end, quit, NULL);
	loop_task_post(&d.loop, &end);
	loop_run(&d.loop);
	ck_assert_uint_eq(asked, 1);
	ck_assert(!net_scripts_busy());
	left = store_read(d.store, BACK, NULL);
	ck_assert_ptr_null(left);
	left = store_read(d.store, "/local/domain/0/backend/vif/5", NULL);
	ck_assert_ptr_null(left);
	ck_assert_int_eq(fcntl(t.fd, F_GETFD), -1);
	store_free(d.store);
	loop_fini(&d.loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tap_script");
	TCase *t = tcase_create("tap_script");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, no_process);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
