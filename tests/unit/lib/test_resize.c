/* SPDX-License-Identifier: MIT */
/* Changing a running domain, on the mock node, and each call failing once. */
#include "domain/private.h"
#include "elf_maker.h"
#include "transport/mock.h"
#include "transport/mock_private.h"
#include "util/fd.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>

#define MIB (1ull << 20)

static struct pvctl_error err;
static struct transport *t;
static struct pvctl *ctx;
static uint32_t domid;
static char dir[64];

static void create_running(const char *kernel)
{
	struct pvctl_config *c;

	ck_assert_int_eq(pvctl_config_new(&c, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "name", "web1", &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "kernel", kernel, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "cpus", "0-1", &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "cpus_soft", "1", &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "memory", 32, &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "maxmem", 64, &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "maxvcpus", 3, &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "vcpus", 1, &err), 0);
	ck_assert_msg(pvctl_domain_create(ctx, c, NULL, &domid, &err) == 0, "%s", err.msg);
	pvctl_config_free(c);
}

static void setup(void)
{
	struct pvctl_open_opts o = { .size = sizeof(o) };
	struct iovec v;
	uint8_t *elf = make_elf(&linux_like, &v.iov_len);
	char kernel[100];

	strcpy(dir, "/tmp/pvctl-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("PVCTL_CACHE_DIR", dir, 1);
	v.iov_base = elf;
	ck_assert_int_eq(fd_write_atomic(dir, "vmlinux", &v, 1), 0);
	free(elf);
	snprintf(kernel, sizeof(kernel), "%s/vmlinux", dir);
	t = transport_open_mock();
	ck_assert_int_eq(ctx_new(t, &o, &ctx, &err), 0);
	create_running(kernel);
}

static void teardown(void)
{
	char cmd[100];

	pvctl_close(ctx);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void expect_node(const char *path, const char *value)
{
	char full[100], *got;

	snprintf(full, sizeof(full), "/local/domain/%u/%s", domid, path);
	ck_assert_msg(pvctl_store_read(ctx, full, &got, NULL, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(got, value);
	pvctl_free(got);
}

static uint64_t limit(void)
{
	return mock_of(t)->domain[domid].max_pages << 12;
}

START_TEST(test_memory)
{
	ck_assert_uint_eq(limit(), 32 * MIB);
	ck_assert_uint_eq(mock_of(t)->domain[domid].map_bytes, 64 * MIB);
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 64 * MIB, &err), 0);
	ck_assert_uint_eq(limit(), 64 * MIB);
	expect_node("memory/target", "65536");
	expect_node("memory/static-max", "65536");
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 20 * MIB, &err), 0);
	ck_assert_uint_eq(limit(), 20 * MIB);
	expect_node("memory/target", "20480");
	ck_assert_int_eq(pvctl_domain_set_memory_max(ctx, domid, 100 * MIB, &err), 0);
	ck_assert_uint_eq(limit(), 100 * MIB);
	expect_node("memory/target", "20480");
	expect_node("memory/static-max", "65536");
}
END_TEST

START_TEST(test_memory_refused)
{
	static const uint64_t bad[] = { 0, 1, MIB - 1, 64 * MIB + 1024, 1ull << 51, ~0ull };
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, bad[i], &err), -EINVAL);
		ck_assert_int_ne(err.msg[0], '\0');
	}
	ck_assert_int_eq(pvctl_domain_set_memory_max(ctx, domid, 32 * MIB - 1024, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_set_memory_max(ctx, domid, 0, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, 0, 20 * MIB, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, 55, 20 * MIB, &err), -ESRCH);
	/* More than the node has left. */
	mock_of(t)->free_pages = 100;
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 33 * MIB, &err), -ENOMEM);
	mock_shutdown(t, domid, PVCTL_REASON_CRASH);
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 20 * MIB, &err), -ESRCH);
	ck_assert_uint_eq(limit(), 32 * MIB);
	expect_node("memory/target", "32768");
}
END_TEST

/* After a failure the limit still fits the target. */
START_TEST(test_memory_fails)
{
	enum mock_failure how = _i ? MOCK_FAIL_TRANSPORT : MOCK_FAIL_HV;
	unsigned int n, total = mock_calls(t);

	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 48 * MIB, &err), 0);
	total = mock_calls(t) - total;
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 32 * MIB, &err), 0);
	for (n = 1; n <= total; n++) {
		memset(&err, 0, sizeof(err));
		mock_fail_at(t, n, how);
		ck_assert_int_lt(pvctl_domain_set_memory_target(ctx, domid, 48 * MIB, n % 2 ? &err : NULL), 0);
		mock_fail_at(t, 0, how);
		ck_assert(!(n % 2) || err.msg[0]);
		expect_node("memory/target", "32768");
		ck_assert_uint_eq(limit(), 32 * MIB);
	}
}
END_TEST

/* What it may grow by is claimed for it, no more, and dropped when it is not wanted any more. */
START_TEST(test_memory_claim)
{
	struct mock_domain *d = &mock_of(t)->domain[domid];

	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 48 * MIB, &err), 0);
	ck_assert_uint_eq(d->claim, 48 * MIB >> 12);
	d->claim = 0;
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 24 * MIB, &err), 0);
	ck_assert_uint_eq(d->claim, 0);
}
END_TEST

/* The host refuses: nothing has changed, in the limit as little as in the target. */
START_TEST(test_memory_host)
{
	mock_of(t)->host_full = true;
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 48 * MIB, &err), -ENOMEM);
	ck_assert_ptr_nonnull(strstr(err.msg, "host"));
	ck_assert_int_eq(pvctl_domain_set_memory_max(ctx, domid, 48 * MIB, &err), -ENOMEM);
	ck_assert_uint_eq(limit(), 32 * MIB);
	expect_node("memory/target", "32768");
	/* Less needs no leave. */
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 24 * MIB, &err), 0);
	ck_assert_uint_eq(limit(), 24 * MIB);
}
END_TEST

START_TEST(test_memory_wait)
{
	ck_assert_int_eq(pvctl_domain_wait_memory(ctx, domid, 32 * MIB, 0, &err), 0);
	ck_assert_int_eq(pvctl_domain_wait_memory(ctx, domid, 33 * MIB - 4096, 0, &err), 0);
	ck_assert_int_eq(pvctl_domain_wait_memory(ctx, domid, 20 * MIB, 60, &err), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(err.msg, "holds 32 MiB, its target is 20 MiB"));
	mock_shutdown(t, domid, PVCTL_REASON_CRASH);
	ck_assert_int_eq(pvctl_domain_wait_memory(ctx, domid, 20 * MIB, 1000, &err), -ESRCH);
	ck_assert_int_eq(pvctl_domain_wait_memory(ctx, 55, 20 * MIB, 1000, &err), -ESRCH);
	ck_assert_int_eq(pvctl_domain_wait_memory(ctx, 0, 20 * MIB, 1000, &err), -EINVAL);
}
END_TEST

START_TEST(test_reclaimable)
{
	struct pvctl_host_info h = { .size = sizeof(h) };

	ck_assert_int_eq(pvctl_host_get(ctx, &h, &err), 0);
	ck_assert_uint_eq(h.reclaimable_bytes, h.scrub_bytes);
	ck_assert_int_eq(pvctl_domain_set_memory_target(ctx, domid, 24 * MIB, &err), 0);
	ck_assert_int_eq(pvctl_host_get(ctx, &h, &err), 0);
	ck_assert_uint_eq(h.reclaimable_bytes, h.scrub_bytes + 8 * MIB);
}
END_TEST

START_TEST(test_vcpus)
{
	expect_node("cpu/2/availability", "offline");
	ck_assert_int_eq(pvctl_domain_set_vcpus(ctx, domid, 3, &err), 0);
	expect_node("cpu/0/availability", "online");
	expect_node("cpu/2/availability", "online");
	ck_assert_int_eq(pvctl_domain_set_vcpus(ctx, domid, 1, &err), 0);
	expect_node("cpu/0/availability", "online");
	expect_node("cpu/1/availability", "offline");
	ck_assert_int_eq(pvctl_domain_set_vcpus(ctx, domid, 0, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_set_vcpus(ctx, domid, 4, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_set_vcpus(ctx, 0, 1, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_set_vcpus(ctx, 9, 1, &err), -ESRCH);
}
END_TEST

START_TEST(test_affinity)
{
	const uint64_t hard = 2, soft = 0xc, none = 0x10, high = 0x12;
	struct mock_domain *d = &mock_of(t)->domain[domid];
	uint64_t mask;

	ck_assert_uint_eq(d->affinity[2], 3);
	ck_assert_uint_eq(d->soft[2], 2);
	ck_assert_int_eq(pvctl_vcpu_set_affinity(ctx, domid, 1, &hard, NULL, &err), 0);
	ck_assert_uint_eq(d->affinity[1], 2);
	ck_assert_uint_eq(d->soft[1], 2);
	ck_assert_int_eq(pvctl_vcpu_set_affinity(ctx, domid, 1, NULL, &soft, &err), 0);
	ck_assert_uint_eq(d->affinity[1], 2);
	ck_assert_uint_eq(d->soft[1], 0xc);
	ck_assert_int_eq(pvctl_vcpu_set_affinity(ctx, domid, 1, &high, NULL, &err), 0);
	ck_assert_int_eq(pvctl_vcpu_set_affinity(ctx, domid, 1, NULL, NULL, &err), -EINVAL);
	ck_assert_int_eq(pvctl_vcpu_set_affinity(ctx, domid, 1, &none, NULL, &err), -EINVAL);
	ck_assert_int_eq(pvctl_vcpu_set_affinity(ctx, domid, 1, &hard, &none, &err), -EINVAL);
	ck_assert_int_eq(pvctl_vcpu_set_affinity(ctx, domid, 3, &hard, NULL, &err), -EINVAL);
	ck_assert_int_eq(pvctl_vcpu_set_affinity(ctx, 0, 0, &hard, NULL, &err), -EINVAL);
	ck_assert_int_eq(pvctl_cpus_parse("0-3,^1", &mask, &err), 0);
	ck_assert_uint_eq(mask, 0xd);
	ck_assert_int_eq(pvctl_cpus_parse("x", &mask, &err), -EINVAL);
}
END_TEST

START_TEST(test_sched)
{
	uint32_t weight, cap;

	ck_assert_int_eq(pvctl_domain_get_sched(ctx, domid, &weight, &cap, &err), 0);
	ck_assert_uint_eq(weight, 256);
	ck_assert_int_eq(pvctl_domain_set_sched(ctx, domid, 512, -1, &err), 0);
	ck_assert_int_eq(pvctl_domain_set_sched(ctx, domid, -1, 300, &err), 0);
	ck_assert_int_eq(pvctl_domain_get_sched(ctx, domid, &weight, &cap, &err), 0);
	ck_assert_uint_eq(weight, 512);
	ck_assert_uint_eq(cap, 300);
	ck_assert_int_eq(pvctl_domain_set_sched(ctx, domid, -1, 0, &err), 0);
	ck_assert_int_eq(pvctl_domain_get_sched(ctx, domid, &weight, &cap, &err), 0);
	ck_assert_uint_eq(cap, 0);
	ck_assert_int_eq(pvctl_domain_set_sched(ctx, domid, 0, -1, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_set_sched(ctx, domid, 65536, -1, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_set_sched(ctx, domid, -1, 301, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_set_sched(ctx, domid, -1, -2, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_get_sched(ctx, 0, &weight, &cap, &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_get_sched(ctx, 9, &weight, &cap, &err), -ESRCH);
}
END_TEST

START_TEST(test_keys)
{
	char many[66] = { 0 };

	ck_assert_int_eq(pvctl_domain_sysrq(ctx, domid, 't', &err), 0);
	expect_node("control/sysrq", "t");
	ck_assert_int_eq(pvctl_domain_sysrq(ctx, domid, ' ', &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_sysrq(ctx, domid, '\xe4', &err), -EINVAL);
	ck_assert_int_eq(pvctl_domain_sysrq(ctx, 0, 't', &err), -EINVAL);
	ck_assert_int_eq(pvctl_host_debug_keys(ctx, "hq", &err), 0);
	ck_assert_int_eq(pvctl_host_debug_keys(ctx, "", &err), -EINVAL);
	ck_assert_int_eq(pvctl_host_debug_keys(ctx, "a\n", &err), -EINVAL);
	memset(many, 'h', 65);
	ck_assert_int_eq(pvctl_host_debug_keys(ctx, many, &err), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("resize");
	TCase *c = tcase_create("resize");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(c, 120);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_memory);
	tcase_add_test(c, test_memory_refused);
	tcase_add_loop_test(c, test_memory_fails, 0, 2);
	tcase_add_test(c, test_memory_claim);
	tcase_add_test(c, test_memory_host);
	tcase_add_test(c, test_memory_wait);
	tcase_add_test(c, test_reclaimable);
	tcase_add_test(c, test_vcpus);
	tcase_add_test(c, test_affinity);
	tcase_add_test(c, test_sched);
	tcase_add_test(c, test_keys);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
