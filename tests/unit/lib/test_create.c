/* SPDX-License-Identifier: MIT */
/* Whole operations on the mock node, and each of them with every call failing once. */
#include "mock_fixture.h"
#include "store/client.h"
#include <errno.h>
#include <unistd.h>

static struct pvctl_config *config(const char *name)
{
	struct pvctl_config *c;

	ck_assert_int_eq(pvctl_config_new(&c, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "name", name, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "kernel", kernel, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "ramdisk", ramdisk, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "extra", "console=hvc0", &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "cpus", "0-1", &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "memory", 33, &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "maxvcpus", 2, &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "vcpus", 1, &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "cpu_weight", 512, &err), 0);
	return c;
}

static uint32_t create(const char *name)
{
	struct pvctl_config *c = config(name);
	uint32_t domid = 0;

	ck_assert_msg(pvctl_domain_create(ctx, c, NULL, &domid, &err) == 0, "%s", err.msg);
	pvctl_config_free(c);
	return domid;
}

static void expect_node(const char *path, const char *value)
{
	char *got;

	ck_assert_msg(pvctl_store_read(ctx, path, &got, NULL, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(got, value);
	pvctl_free(got);
}

START_TEST(test_life)
{
	uint64_t before = mock_free_pages(t);
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl_config *back;
	uint32_t domid, found;
	int64_t v;

	if (_i)
		mock_fragment(t, true);
	domid = create("web1");
	ck_assert(mock_committed(t, domid));
	ck_assert_int_eq(pvctl_domain_get(ctx, domid, &info, &err), 0);
	ck_assert_str_eq(info.name, "web1");
	ck_assert_uint_eq(info.memory_bytes, 33u << 20);
	ck_assert_uint_eq(info.vcpus_max, 2);
	ck_assert_uint_eq(info.state, PVCTL_STATE_BLOCKED);
	ck_assert_int_eq(info.reason, PVCTL_REASON_NONE);
	expect_node("/local/domain/1/memory/target", "33792");
	expect_node("/local/domain/1/cpu/0/availability", "online");
	expect_node("/local/domain/1/cpu/1/availability", "offline");
	expect_node("/local/domain/1/console/type", "xenconsoled");
	ck_assert_int_eq(pvctl_domain_lookup(ctx, "web1", &found, &err), 0);
	ck_assert_uint_eq(found, domid);
	ck_assert_int_eq(pvctl_domain_lookup(ctx, "web2", &found, &err), -ESRCH);
	ck_assert_int_eq(pvctl_domain_config(ctx, domid, &back, &err), 0);
	ck_assert_int_eq(pvctl_config_get_int(back, "memory", &v), 0);
	ck_assert_int_eq(v, 33);
	ck_assert_ptr_nonnull(pvctl_config_get_str(back, "uuid"));
	pvctl_config_free(back);
	ck_assert_int_eq(pvctl_domain_destroy(ctx, domid, NULL, &err), 0);
	ck_assert_uint_eq(mock_free_pages(t), before);
	ck_assert_uint_eq(mock_store_nodes(t), 0);
	ck_assert_int_eq(pvctl_domain_get(ctx, domid, &info, &err), -ESRCH);
	ck_assert_int_eq(pvctl_domain_destroy(ctx, domid, NULL, &err), -ESRCH);
	ck_assert_int_eq(pvctl_domain_destroy(ctx, 0, NULL, &err), -EINVAL);
}
END_TEST

/* After any failure there is no domain, no memory and no store node left, and
 * the message is not empty. */
START_TEST(test_create_fails)
{
	enum mock_failure how = _i ? MOCK_FAIL_TRANSPORT : MOCK_FAIL_HV;
	struct pvctl_create_opts o = { .size = sizeof(o), .paused = 1 };
	uint64_t before = mock_free_pages(t);
	struct pvctl_config *c = config("web1");
	unsigned int n, total, failures = 0;
	uint32_t domid;
	int rc;

	total = mock_calls(t);
	ck_assert_int_eq(pvctl_domain_create(ctx, c, &o, &domid, &err), 0);
	total = mock_calls(t) - total;
	ck_assert_int_eq(pvctl_domain_destroy(ctx, domid, NULL, &err), 0);
	for (n = 1; n <= total; n++) {
		memset(&err, 0, sizeof(err));
		domid = 4711;
		mock_fail_at(t, n, how);
		/* Every third time without an error struct. */
		rc = pvctl_domain_create(ctx, c, &o, &domid, n % 3 ? &err : NULL);
		mock_fail_at(t, 0, how);
		if (rc == 0) {
			/* Only what may fail: the 2 MiB populate, of which the small pages make up. */
			ck_assert_int_eq(pvctl_domain_destroy(ctx, domid, NULL, &err), 0);
		} else {
			failures++;
			ck_assert_uint_eq(domid, 4711);
			if (n % 3)
				ck_assert_int_ne(err.msg[0], '\0');
		}
		ck_assert_msg(mock_domains(t) == 0, "call %u: a domain is left", n);
		ck_assert_uint_eq(mock_free_pages(t), before);
		ck_assert_msg(mock_store_nodes(t) == 0, "call %u: store nodes are left", n);
	}
	ck_assert_uint_ge(failures + 1, total);
	pvctl_config_free(c);
}
END_TEST

START_TEST(test_checks)
{
	struct pvctl_config *c = config("web1");
	uint32_t domid = create("other");
	unsigned int calls;
	uint32_t ret;

	ck_assert_int_eq(pvctl_config_check(ctx, c, &err), 0);
	ck_assert_int_eq(pvctl_config_check(NULL, c, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "name", "other", &err), 0);
	ck_assert_int_eq(pvctl_domain_create(ctx, c, NULL, &ret, &err), -EEXIST);
	ck_assert_int_eq(pvctl_config_set_str(c, "name", "web1", &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "memory", 5, &err), 0);
	ck_assert_int_eq(pvctl_config_check(ctx, c, &err), -ENOMEM);
	ck_assert_int_eq(pvctl_config_set_int(c, "memory", 5000, &err), 0);
	ck_assert_int_eq(pvctl_config_check(NULL, c, &err), 0);
	ck_assert_int_eq(pvctl_config_check(ctx, c, &err), -ENOMEM);
	ck_assert_int_eq(pvctl_config_set_int(c, "maxmem", 100, &err), 0);
	ck_assert_int_eq(pvctl_config_check(ctx, c, &err), -EINVAL);
	ck_assert_int_eq(pvctl_config_set_int(c, "memory", 64, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "cpus", "7", &err), 0);
	ck_assert_int_eq(pvctl_config_check(ctx, c, &err), -EINVAL);
	ck_assert_int_eq(pvctl_config_set_str(c, "cpus", "all", &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "ramdisk", "/no/such", &err), 0);
	calls = mock_calls(t);
	ck_assert_int_eq(pvctl_domain_create(ctx, c, NULL, &ret, &err), -ENOENT);
	ck_assert_uint_le(mock_calls(t) - calls, 2);
	ck_assert_uint_eq(mock_domains(t), 1);
	pvctl_config_free(c);
	ck_assert_int_eq(pvctl_domain_destroy(ctx, domid, NULL, &err), 0);
}
END_TEST

START_TEST(test_list)
{
	struct pvctl_domain_list *l;
	struct pvctl_vcpu_list *v;
	const struct pvctl_domain_info *i;
	struct pvctl_destroy_opts o = { sizeof(o), 0 };
	unsigned int calls;
	uint32_t a = create("a"), b = create("b");

	calls = mock_calls(t);
	ck_assert_int_eq(pvctl_domain_list(ctx, &l, &err), 0);
	ck_assert_uint_eq(mock_calls(t) - calls, 2);
	ck_assert_uint_eq(pvctl_domain_list_count(l), 3);
	ck_assert_str_eq(pvctl_domain_list_at(l, 0)->name, "Domain-0");
	i = pvctl_domain_list_at(l, 2);
	ck_assert_uint_eq(i->domid, b);
	ck_assert_str_eq(i->name, "b");
	ck_assert_ptr_null(pvctl_domain_list_at(l, 3));
	o.unique_id = i->unique_id;
	ck_assert_int_eq(pvctl_domain_destroy(ctx, a, &o, &err), -ESRCH);
	ck_assert_int_eq(pvctl_domain_destroy(ctx, b, &o, &err), 0);
	pvctl_domain_list_free(l);
	ck_assert_int_eq(pvctl_vcpu_list(ctx, a, &v, &err), 0);
	ck_assert_uint_eq(pvctl_vcpu_list_count(v), 2);
	ck_assert_uint_eq(pvctl_vcpu_list_at(v, 0)->hard_affinity, 3);
	ck_assert_uint_eq(pvctl_vcpu_list_at(v, 0)->soft_affinity, 15);
	ck_assert_uint_eq(pvctl_vcpu_list_at(v, 1)->online, 0);
	pvctl_vcpu_list_free(v);
	ck_assert_int_eq(pvctl_domain_rename(ctx, a, "c", &err), 0);
	ck_assert_int_eq(pvctl_domain_rename(ctx, a, "x/y", &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_rename(ctx, 44, "d", &err), -ESRCH);
	ck_assert_int_eq(pvctl_domain_lookup(ctx, "c", &a, &err), 0);
}
END_TEST

START_TEST(test_requests)
{
	uint32_t domid = create("web1");
	int32_t reason = 99;

	ck_assert_int_eq(pvctl_domain_request(ctx, domid, "sleep", &err), -EINVAL);
	mock_store_set(t, "/local/domain/1/control/feature-poweroff", "0");
	ck_assert_int_eq(pvctl_domain_request(ctx, domid, "poweroff", &err), -ENOSYS);
	ck_assert_int_eq(pvctl_domain_request(ctx, domid, "halt", &err), -ENOSYS);
	/* Not up yet, or one that never says; or one that may or may not. */
	ck_assert_int_eq(pvctl_domain_request(ctx, domid, "reboot", &err), 0);
	expect_node("/local/domain/1/control/shutdown", "reboot");
	mock_store_set(t, "/local/domain/1/control/feature-poweroff", "");
	ck_assert_int_eq(pvctl_domain_request(ctx, domid, "poweroff", &err), 0);
	expect_node("/local/domain/1/control/shutdown", "poweroff");
	mock_store_set(t, "/local/domain/1/control/feature-reboot", "1");
	ck_assert_int_eq(pvctl_domain_request(ctx, domid, "reboot", &err), 0);
	ck_assert_int_eq(pvctl_domain_request(ctx, 55, "reboot", &err), -ESRCH);
	ck_assert_int_eq(pvctl_domain_wait(ctx, domid, 20, &reason, &err), -ETIMEDOUT);
	ck_assert_int_eq(reason, 99);
	mock_shutdown(t, domid, PVCTL_REASON_REBOOT);
	ck_assert_int_eq(pvctl_domain_wait(ctx, domid, 1000, &reason, &err), 0);
	ck_assert_int_eq(reason, PVCTL_REASON_REBOOT);
	ck_assert_int_eq(pvctl_domain_request(ctx, domid, "poweroff", &err), -ESRCH);
	ck_assert_int_eq(pvctl_domain_wait(ctx, 44, 10, &reason, &err), -ESRCH);
}
END_TEST

START_TEST(test_host)
{
	struct pvctl_host_info h = { .size = sizeof(h) };
	char *log;

	ck_assert_int_eq(pvctl_host_get(ctx, &h, &err), 0);
	ck_assert_str_eq(h.hv_version, "4.17.mock");
	ck_assert_uint_eq(h.cpus, 4);
	ck_assert_str_eq(h.scheduler, "credit");
	ck_assert_int_eq(pvctl_host_dmesg(ctx, 1, &log, &err), 0);
	ck_assert_str_eq(log, "mock: hello\n");
	pvctl_free(log);
}
END_TEST

START_TEST(test_store)
{
	char big[5000], *v;
	size_t n;

	ck_assert_int_eq(pvctl_store_read(ctx, "/a", &v, &n, &err), -ENOENT);
	ck_assert_uint_eq(err.origin, PVCTL_ORIGIN_STORE);
	ck_assert_int_eq(pvctl_store_read(ctx, "a", &v, &n, &err), -EINVAL);
	ck_assert_int_eq(pvctl_store_write(ctx, "/a", "x\0y", 3, &err), 0);
	ck_assert_int_eq(pvctl_store_read(ctx, "/a", &v, &n, &err), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(memcmp(v, "x\0y", 4), 0);
	pvctl_free(v);
	ck_assert_int_eq(pvctl_store_rm(ctx, "/a", &err), 0);
	ck_assert_int_eq(pvctl_store_rm(ctx, "/a", &err), -ENOENT);
	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(pvctl_store_write(ctx, "/a", big, sizeof(big), &err), -E2BIG);
	big[4999] = '\0';
	big[0] = '/';
	ck_assert_int_eq(pvctl_store_write(ctx, big, "", 0, &err), -EINVAL);
}
END_TEST

static int cancel(void *data, const char *what, uint64_t done, uint64_t total)
{
	return 1;
}

START_TEST(test_cancel)
{
	struct pvctl_config *c = config("web1");
	uint32_t domid;

	ctx->progress = cancel;
	ck_assert_int_eq(pvctl_domain_create(ctx, c, NULL, &domid, &err), -ECANCELED);
	ck_assert_uint_eq(mock_domains(t), 0);
	pvctl_config_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("create");
	TCase *c = tcase_create("create");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 300);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, test_life, 0, 2);
	tcase_add_loop_test(c, test_create_fails, 0, 2);
	tcase_add_test(c, test_checks);
	tcase_add_test(c, test_list);
	tcase_add_test(c, test_requests);
	tcase_add_test(c, test_host);
	tcase_add_test(c, test_store);
	tcase_add_test(c, test_cancel);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
