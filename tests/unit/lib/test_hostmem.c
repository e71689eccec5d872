/* SPDX-License-Identifier: MIT */
/* What the host can give, by a /proc and a /sys/fs/cgroup made for the purpose. */
#include "util/hostmem.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1ull << 20)

static char dir[64];

static void put(const char *path, const char *text)
{
	char cmd[400], full[300];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", dir, path);
	snprintf(cmd, sizeof(cmd), "mkdir -p \"$(dirname '%s')\"", full);
	ck_assert_int_eq(system(cmd), 0);
	f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static void setup(void)
{
	strcpy(dir, "/tmp/pvctl-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	put("/proc/meminfo", "MemTotal:        8388608 kB\nMemFree:  1 kB\nMemAvailable:    4194304 kB\n");
}

static void teardown(void)
{
	char cmd[100];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void expect(uint64_t total_mib, uint64_t available_mib, bool cgroup)
{
	struct hostmem m;

	ck_assert_int_eq(hostmem_read(dir, &m), 0);
	ck_assert_uint_eq(m.total_bytes / MIB, total_mib);
	ck_assert_uint_eq(m.available_bytes / MIB, available_mib);
	ck_assert_int_eq(m.cgroup, cgroup);
}

START_TEST(the_machine_alone)
{
	expect(8192, 4096, false);
	put("/proc/self/cgroup", "0::/\n");
	expect(8192, 4096, false);
	put("/proc/self/cgroup", "");
	expect(8192, 4096, false);
}
END_TEST

START_TEST(version_2)
{
	put("/proc/self/cgroup", "0::/user.slice/session 4.scope\n");
	put("/sys/fs/cgroup/user.slice/session 4.scope/memory.max", "max\n");
	put("/sys/fs/cgroup/user.slice/session 4.scope/memory.current", "123\n");
	expect(8192, 4096, false);
	/* The group around it has a limit. */
	put("/sys/fs/cgroup/user.slice/memory.max", "1073741824\n");
	put("/sys/fs/cgroup/user.slice/memory.current", "536870912\n");
	expect(1024, 512, true);
	put("/sys/fs/cgroup/user.slice/memory.stat", "anon 5\ninactive_file 104857600\nactive_file 9\n");
	expect(1024, 612, true);
	/* The tighter one holds. */
	put("/sys/fs/cgroup/user.slice/session 4.scope/memory.max", "104857600\n");
	expect(100, 99, true);
	put("/sys/fs/cgroup/user.slice/session 4.scope/memory.current", "209715200\n");
	expect(100, 0, true);
}
END_TEST

START_TEST(version_1)
{
	put("/proc/self/cgroup", "9:name=systemd:/\n4:memory:/box/a\n3:cpuset:/\n0::/\n");
	put("/sys/fs/cgroup/memory/box/a/memory.limit_in_bytes", "9223372036854771712\n");
	put("/sys/fs/cgroup/memory/box/a/memory.usage_in_bytes", "1404772352\n");
	expect(8192, 4096, false);
	put("/sys/fs/cgroup/memory/box/a/memory.limit_in_bytes", "2147483648\n");
	put("/sys/fs/cgroup/memory/box/a/memory.usage_in_bytes", "1073741824\n");
	put("/sys/fs/cgroup/memory/box/a/memory.stat", "inactive_file 1\ntotal_inactive_file 2097152\n");
	expect(2048, 1026, true);
}
END_TEST

/* In a container the group's path is the host's; the mount is the group itself. */
START_TEST(container)
{
	put("/proc/self/cgroup", "0::/../../elsewhere\n");
	put("/sys/fs/cgroup/memory.max", "1073741824\n");
	put("/sys/fs/cgroup/memory.current", "0\n");
	expect(1024, 1024, true);
	put("/proc/self/cgroup", "0::/not/seen/here\n");
	expect(1024, 1024, true);
}
END_TEST

START_TEST(nonsense)
{
	static const char *const groups[] = { "\n", ":", "::", "0:", "0::", "4:memory", "4:memory:", "a\n\n:::\n0::/x" };
	char huge[2000];
	struct hostmem m;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		put("/proc/self/cgroup", groups[i]);
		expect(8192, 4096, false);
	}
	memset(huge, 'x', sizeof(huge) - 1);
	memcpy(huge, "0::/", 4);
	huge[sizeof(huge) - 1] = '\0';
	put("/proc/self/cgroup", huge);
	expect(8192, 4096, false);
	put("/proc/meminfo", "MemTotal: 5 kB\n");
	ck_assert_int_eq(hostmem_read(dir, &m), -ENODATA);
	put("/proc/meminfo", "MemTotal:\nMemAvailable: x\n");
	ck_assert_int_eq(hostmem_read(dir, &m), -ENODATA);
	put("/proc/meminfo", "MemTotal: 99999999999999999999 kB\nMemAvailable: 1 kB\n");
	ck_assert_int_eq(hostmem_read(dir, &m), -ENODATA);
	strcpy(huge, "/does/not/exist");
	ck_assert_int_eq(hostmem_read(huge, &m), -ENODATA);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hostmem");
	TCase *t = tcase_create("hostmem");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_machine_alone);
	tcase_add_test(t, version_2);
	tcase_add_test(t, version_1);
	tcase_add_test(t, container);
	tcase_add_test(t, nonsense);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
