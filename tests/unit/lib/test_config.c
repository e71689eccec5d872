/* SPDX-License-Identifier: MIT */
/* Configuration keys, JSON, CPU lists, options structs, errors, paths. */
#include "domain/private.h"
#include "util/err.h"
#include "util/paths.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct pvctl_error err;
static struct pvctl_config *c;

static void setup(void)
{
	ck_assert_int_eq(pvctl_config_new(&c, &err), 0);
}

static void teardown(void)
{
	pvctl_config_free(c);
}

START_TEST(test_keys)
{
	int64_t v;

	ck_assert_int_eq(pvctl_config_get_int(c, "memory", &v), -ENOENT);
	ck_assert_int_eq(pvctl_config_set_int(c, "memory", 512, &err), 0);
	ck_assert_int_eq(pvctl_config_get_int(c, "memory", &v), 0);
	ck_assert_int_eq(v, 512);
	ck_assert_int_eq(pvctl_config_set_str(c, "memory", "1024", &err), 0);
	ck_assert_int_eq(pvctl_config_get_int(c, "memory", &v), 0);
	ck_assert_int_eq(v, 1024);
	ck_assert_int_eq(pvctl_config_set_str(c, "memory", "2x", &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "memory"));
	ck_assert_int_eq(pvctl_config_set_int(c, "vcpus", 33, &err), -EINVAL);
	ck_assert_int_eq(pvctl_config_set_int(c, "vcpus", 0, &err), -EINVAL);
	ck_assert_int_eq(pvctl_config_set_int(c, "kernel", 1, &err), -EINVAL);
	ck_assert_int_eq(pvctl_config_set_str(c, "memroy", "1", &err), -ENOENT);
	ck_assert_int_eq(pvctl_config_set_str(c, "vfb", "x", &err), -ENOSYS);
	ck_assert_int_eq(pvctl_config_set_str(c, "type", "pvh", &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "type", "auto", &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "type", "hvm", &err), -ENOSYS);
	ck_assert_ptr_nonnull(strstr(err.msg, "\"pvh\""));
	ck_assert_int_eq(pvctl_config_set_str(c, "type", "vm", &err), -EINVAL);
	ck_assert_int_eq(pvctl_config_set_str(c, "on_crash", "preserve", &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "on_crash", "soft-reset", &err), -ENOSYS);
	ck_assert_int_eq(pvctl_config_set_str(c, "on_crash", "ignore", &err), -EINVAL);
	ck_assert_str_eq(pvctl_config_get_str(c, "on_crash"), "preserve");
	ck_assert_int_eq(pvctl_config_set_str(c, "uuid", "not-a-uuid", &err), -EINVAL);
	ck_assert_int_eq(pvctl_config_set_str(c, "extra", "a\nb", &err), -EINVAL);
}
END_TEST

START_TEST(test_names)
{
	static const char *const good[] = { "web1", "a", "_x", "0a", "A.b-c_d+e:f@g", "web1~old" };
	static const char *const bad[] = { "", "a/b", "-x", ".x", "12", "a b", "Domain-0", "\xc3\xa4" };
	char longest[130];
	unsigned int i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_int_eq(pvctl_config_set_str(c, "name", good[i], &err), 0);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(pvctl_config_set_str(c, "name", bad[i], &err), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[128] = '\0';
	ck_assert_int_eq(pvctl_config_set_str(c, "name", longest, &err), -EINVAL);
	longest[127] = '\0';
	ck_assert_int_eq(pvctl_config_set_str(c, "name", longest, &err), 0);
}
END_TEST

START_TEST(test_cmdline)
{
	char *s = config_cmdline(c);

	ck_assert_str_eq(s, "");
	free(s);
	ck_assert_int_eq(pvctl_config_set_str(c, "extra", "quiet ro", &err), 0);
	s = config_cmdline(c);
	ck_assert_str_eq(s, "quiet ro");
	free(s);
	ck_assert_int_eq(pvctl_config_set_str(c, "root", "/dev/xvda", &err), 0);
	s = config_cmdline(c);
	ck_assert_str_eq(s, "root=/dev/xvda quiet ro");
	free(s);
	ck_assert_int_eq(pvctl_config_set_str(c, "cmdline", "single", &err), 0);
	s = config_cmdline(c);
	ck_assert_str_eq(s, "single");
	free(s);
}
END_TEST

START_TEST(test_cpulist)
{
	static const struct { const char *text; uint64_t mask; } good[] = {
		{ "0", 1 }, { "0-3", 15 }, { "0-3,^1", 13 }, { " 1 , 3 ", 10 }, { "all", ~0ull }, { "all,^0", ~1ull },
		{ "63", 1ull << 63 }, { "0-63", ~0ull }, { "node:0", ~0ull }, { "nodes:0-1,^2", ~4ull },
	};
	static const char *const bad[] = { "", ",", "1,", "3-1", "64", "x", "^1", "1 2", "node:1", "1-", "99999999999" };
	const char *list[] = { "0", "1-2" };
	uint64_t mask;
	unsigned int i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(cpulist_parse(good[i].text, &mask, &err) == 0, "%s", good[i].text);
		ck_assert_uint_eq(mask, good[i].mask);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(cpulist_parse(bad[i], &mask, &err) == -EINVAL, "%s", bad[i]);
	ck_assert_uint_eq(config_affinity(c, "cpus", 0), ~0ull);
	ck_assert_int_eq(pvctl_config_set_list(c, "cpus", list, 2, &err), 0);
	ck_assert_uint_eq(config_affinity(c, "cpus", 0), 1);
	ck_assert_uint_eq(config_affinity(c, "cpus", 1), 6);
	ck_assert_uint_eq(config_affinity(c, "cpus", 2), ~0ull);
	ck_assert_int_eq(pvctl_config_set_int(c, "cpus", 3, &err), 0);
	ck_assert_uint_eq(config_affinity(c, "cpus", 2), 8);
	ck_assert_int_eq(pvctl_config_set_list(c, "memory", list, 2, &err), -EINVAL);
}
END_TEST

START_TEST(test_json)
{
	const char *list[] = { "0", "^1,all" };
	struct pvctl_config *d;
	char *a, *b;
	int64_t v;

	ck_assert_int_eq(pvctl_config_set_str(c, "name", "web1", &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "extra", "a=\"b\" \\ \xc3\xa4", &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "memory", 300, &err), 0);
	ck_assert_int_eq(pvctl_config_set_list(c, "cpus", list, 2, &err), 0);
	ck_assert_int_eq(pvctl_config_to_json(c, &a, &err), 0);
	ck_assert_msg(pvctl_config_from_json(a, &d, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(pvctl_config_get_str(d, "extra"), "a=\"b\" \\ \xc3\xa4");
	ck_assert_int_eq(pvctl_config_get_int(d, "memory", &v), 0);
	ck_assert_int_eq(v, 300);
	ck_assert_uint_eq(config_affinity(d, "cpus", 0), 1);
	ck_assert_int_eq(pvctl_config_to_json(d, &b, &err), 0);
	ck_assert_str_eq(a, b);
	pvctl_free(a);
	pvctl_free(b);
	pvctl_config_free(d);
	ck_assert_int_eq(pvctl_config_set_str(c, "extra", "\xff\xfe", &err), 0);
	ck_assert_int_eq(pvctl_config_to_json(c, &a, &err), -EINVAL);
}
END_TEST

START_TEST(test_bad_json)
{
	static const struct { const char *text; int rc; } bad[] = {
		{ "", -EINVAL }, { "[]", -EINVAL }, { "{\"memory\": 1.5}", -EINVAL }, { "{\"memory\": null}", -EINVAL },
		{ "{\"memory\": 0}", -EINVAL }, { "{\"nope\": 1}", -ENOENT }, { "{\"vfb\": []}", -ENOSYS },
		{ "{\"cpus\": [1]}", -EINVAL }, { "{\"cpus\": []}", -EINVAL }, { "{\"name\": \"a\"", -EINVAL },
		{ "{\"memory\": 99999999999999999999999}", -EINVAL },
	};
	struct pvctl_config *d = NULL;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (pvctl_config_from_json(bad[i].text, &d, &err) != bad[i].rc)
			ck_abort_msg("%s: %d %s", bad[i].text, err.code, err.msg);
	ck_assert_ptr_null(d);
}
END_TEST

static void hear(void *data, const struct pvctl_parse_message *m)
{
	char *to = data;

	snprintf(to + strlen(to), 300 - strlen(to), "%d %u:%u %s;", m->level, m->line, m->column, m->source_line);
}

START_TEST(test_parse)
{
	static const char text[] = "name = \"web1\"\nmemory = 0x40\ndisk = [ '/a,raw,xvda,w' ]\nunknown_key = 1\n";
	static const char wrong[] = "name = \"web1\"\n  memory = 0\n";
	char heard[300] = "";
	struct pvctl_parse_opts opts = { .size = sizeof(opts), .file = "web.cfg", .message = hear, .data = heard };
	struct pvctl_config *d = NULL;
	int64_t v;

	ck_assert_msg(pvctl_config_parse(text, strlen(text), &opts, &d, &err) == 0, "%s", err.msg);
	ck_assert_str_eq(pvctl_config_get_str(d, "name"), "web1");
	ck_assert_int_eq(pvctl_config_get_int(d, "memory", &v), 0);
	ck_assert_int_eq(v, 64);
	ck_assert_str_eq(pvctl_config_get_item(d, "disk", 0), "/a,raw,xvda,w");
	ck_assert_str_eq(heard, "1 4:1 unknown_key = 1;");
	pvctl_config_free(d);
	d = NULL;
	opts.strict = 1;
	ck_assert_int_eq(pvctl_config_parse(text, strlen(text), &opts, &d, &err), -EINVAL);
	ck_assert_msg(!strncmp(err.msg, "web.cfg:4:1: ", 13), "%s", err.msg);
	ck_assert_int_eq(pvctl_config_parse(wrong, strlen(wrong), NULL, &d, &err), -EINVAL);
	ck_assert_msg(!strncmp(err.msg, "<text>:2:12: ", 13), "%s", err.msg);
	ck_assert_int_eq(pvctl_config_parse("name = [", 8, NULL, &d, &err), -EINVAL);
	ck_assert_ptr_null(d);
	ck_assert_int_eq(pvctl_config_parse("", 0, NULL, &d, NULL), 0);
	pvctl_config_free(d);
}
END_TEST

START_TEST(test_opts)
{
	struct { size_t size; uint64_t a, later; } newer = { sizeof(newer), 5, 0 };
	struct { size_t size; uint64_t a; } ours;
	struct { size_t size; } older = { sizeof(older) };

	ck_assert_int_eq(opts_load(&ours, sizeof(ours), &newer, &err), 0);
	ck_assert_uint_eq(ours.a, 5);
	newer.later = 1;
	ck_assert_int_eq(opts_load(&ours, sizeof(ours), &newer, &err), -E2BIG);
	ck_assert_int_eq(opts_load(&ours, sizeof(ours), &older, &err), 0);
	ck_assert_uint_eq(ours.a, 0);
	older.size = 0;
	ck_assert_int_eq(opts_load(&ours, sizeof(ours), &older, &err), -EINVAL);
	ck_assert_int_eq(opts_load(&ours, sizeof(ours), NULL, NULL), 0);
}
END_TEST

START_TEST(test_errors)
{
	int i;

	ck_assert_int_eq(err_hv(&err, -ENOMEM, "domain 5: allocating its memory"), -ENOMEM);
	ck_assert_str_eq(err.msg, "domain 5: allocating its memory failed: not enough memory (-ENOMEM)");
	ck_assert_int_eq(err_wrap(&err, -EIO, "outer"), -EIO);
	ck_assert_int_eq(strncmp(err.msg, "outer: domain 5", 15), 0);
	ck_assert_int_eq(err.hv_rc, -ENOMEM);
	for (i = 1; i < 200; i++) {
		int f = err_fold(i);

		ck_assert_int_lt(f, 0);
		ck_assert_int_eq(f, err_fold(f));
		err_os(&err, i, "x");
		ck_assert_int_gt((int)strlen(err.msg), 3);
	}
	ck_assert_int_eq(err_set(NULL, -EIO, 0, "x"), -EIO);
}
END_TEST

START_TEST(test_paths)
{
	char dir[] = "/tmp/pvctl-test-XXXXXX", sub[64], buf[300];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	setenv("PVCTL_RUN_DIR", dir, 1);
	ck_assert_int_eq(paths_run_dir("n1", buf, sizeof(buf), &err), 0);
	snprintf(sub, sizeof(sub), "%s/n1", dir);
	ck_assert_str_eq(buf, sub);
	ck_assert_int_eq(paths_run_dir("../x", buf, sizeof(buf), &err), -EINVAL);
	ck_assert_int_eq(paths_run_dir("-x", buf, sizeof(buf), &err), -EINVAL);
	ck_assert_int_eq(paths_run_dir(NULL, buf, 10, &err), -EINVAL);
	ck_assert_int_eq(paths_make(sub, &err), 0);
	ck_assert_int_eq(paths_make(sub, &err), 0);
	ck_assert_int_eq(chmod(sub, 0777), 0);
	ck_assert_int_eq(paths_make(sub, &err), -EPERM);
	ck_assert_int_eq(rmdir(sub), 0);
	ck_assert_int_eq(symlink("/", sub), 0);
	ck_assert_int_eq(paths_make(sub, &err), -EINVAL);
	unlink(sub);
	rmdir(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *t = tcase_create("config");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_keys);
	tcase_add_test(t, test_names);
	tcase_add_test(t, test_cmdline);
	tcase_add_test(t, test_cpulist);
	tcase_add_test(t, test_json);
	tcase_add_test(t, test_bad_json);
	tcase_add_test(t, test_parse);
	tcase_add_test(t, test_opts);
	tcase_add_test(t, test_errors);
	tcase_add_test(t, test_paths);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
