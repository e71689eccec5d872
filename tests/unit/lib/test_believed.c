/* SPDX-License-Identifier: MIT */
/* What the library does not believe: a daemon's configuration of a domain, a stream's sizes. */
#include "mock_fixture.h"
#include "hv/hv.h"
#include "save/restore.h"
#include "stream/format.h"
#include "util/err.h"
#include <errno.h>

static struct transport_ops ops;
static char named[20][300];
static unsigned int nr_named;

/* As the spawner does it. */
static int allow(struct transport *with, const char *key, const char *text, struct pvctl_error *e)
{
	char both[300];
	bool ask = key[0] == PROTO_ALLOW_ASK[0];

	snprintf(both, sizeof(both), "%s=%s", key + ask, text);
	for (unsigned int i = 0; i < nr_named; i++)
		if (!strcmp(named[i], both))
			return 0;
	if (ask)
		return err_set(e, -ENOENT, PVCTL_ORIGIN_DAEMON, "%s", both);
	ck_assert_uint_lt(nr_named, 20);
	strcpy(named[nr_named++], both);
	return 0;
}

static void setup_named(void)
{
	setup();
	ops = *t->ops;
	ops.allow = allow;
	t->ops = &ops;
	nr_named = 0;
}

static bool was_named(const char *key, const char *text)
{
	char both[300];

	snprintf(both, sizeof(both), "%s=%s", key, text);
	for (unsigned int i = 0; i < nr_named; i++)
		if (!strcmp(named[i], both))
			return true;
	return false;
}

START_TEST(only_what_was_named)
{
	static const char *const kinds[] = { "disk", "p9", "bootloader_args" };
	struct pvctl_config *c = NULL, *got = NULL;
	const char *item = "--entry=1";
	uint32_t domid = 0;

	ck_assert_int_eq(pvctl_config_new(&c, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "name", "x", &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "memory", 64, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "kernel", kernel, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "ramdisk", ramdisk, &err), 0);
	ck_assert_msg(!pvctl_domain_create(ctx, c, NULL, &domid, &err), "%s", err.msg);
	ck_assert(was_named("kernel", kernel) && was_named("ramdisk", ramdisk));
	ck_assert_msg(!pvctl_domain_config(ctx, domid, &got, &err), "%s", err.msg);
	pvctl_config_free(got);
	got = NULL;
	/* The daemon says something else now: another kernel, a device that was never there. */
	strcpy(named[0], "gone");
	ck_assert_int_eq(pvctl_domain_config(ctx, domid, &got, &err), -EPERM);
	ck_assert_ptr_nonnull(strstr(err.msg, "nobody has named"));
	ck_assert_ptr_null(got);
	for (unsigned int i = 0; i < 3; i++) {
		const char *list[] = { i == 0 ? "/etc/shadow,raw,xvdb,r" : i == 1 ? "tag=t,path=/etc" : item };
		struct pvctl_config *said;

		ck_assert_int_eq(pvctl_config_new(&said, &err), 0);
		ck_assert_int_eq(pvctl_config_set_list(said, kinds[i], list, 1, &err), 0);
		ck_assert_int_eq(create_was_named(ctx, said, &err), -EPERM);
		ck_assert_int_eq(transport_allow(t, kinds[i], list[0], &err), 0);
		ck_assert_int_eq(create_was_named(ctx, said, &err), 0);
		pvctl_config_free(said);
	}
	pvctl_config_free(c);
}
END_TEST

/* A list is named, too: what a restart's bootloader is told. */
START_TEST(lists_are_named)
{
	static const char *const args[] = { "--entry=1", "--quiet" };
	struct create_plan p = { .name = "x" };
	struct pvctl_config *c = NULL;
	uint32_t domid = 0;

	ck_assert_int_eq(pvctl_config_new(&c, &err), 0);
	ck_assert_int_eq(pvctl_config_set_list(c, "bootloader_args", args, 2, &err), 0);
	p.config = c;
	(void)create_commit(ctx, domid, &p, true, &err);
	ck_assert(was_named("bootloader_args", "--entry=1") && was_named("bootloader_args", "--quiet"));
	pvctl_config_free(c);
}
END_TEST

/* A stream whose configuration says that the domain may have a TiB: the tables are no larger than the node is worth. */
START_TEST(tables_of_a_terabyte)
{
	struct xen_sysctl_physinfo host;
	struct restorer s = { .ctx = ctx, .t = t, .plan.maxmem_mib = 1u << 20 };
	struct rec_p2m *p;
	uint64_t most;

	ck_assert_int_eq(hv_physinfo(t, &host, &err), 0);
	most = host.total_pages * 4 + (1u << 20);
	p = calloc(1, sizeof(*p) + (most / 512 + 2) * 8);
	s.r.rec.body = (void *)p;
	s.r.rec.type = LIBXC_PV_P2M_FRAMES;
	p->end = (uint32_t)most;
	ck_assert_int_eq(restore_p2m_record(&s, &err), -EPROTO);
	ck_assert_ptr_null(s.p2m);
	p->end = 1023;
	ck_assert_int_eq(restore_p2m_record(&s, &err), 0);
	ck_assert_uint_eq(s.n, 1024);
	free(s.p2m);
	free(s.origin);
	free(s.type);
	free(s.frame);
	free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("believed");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup_named, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, only_what_was_named);
	tcase_add_test(c, lists_are_named);
	tcase_add_test(c, tables_of_a_terabyte);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
