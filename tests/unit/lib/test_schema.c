/* SPDX-License-Identifier: MIT */
/* The schema of config files says the same as the library's keys: names, ranges, choices. */
#include "config/schema.h"
#include "domain/private.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pvctl_error err;
static struct pvctl_config *c;

static void setup(void) { ck_assert_int_eq(pvctl_config_new(&c, &err), 0); }
static void teardown(void) { pvctl_config_free(c); }

#define for_each_key(key) for (size_t key##_i = 0; (key = cfg_key_at(key##_i)); key##_i++)

/* What the library takes as a number. */
static bool is_int(const char *key)
{
	return pvctl_config_get_int(c, key, &(int64_t){ 0 }) != -EINVAL;
}

static void want_int(const char *key, int64_t value, int want)
{
	int64_t got;

	ck_assert_msg(pvctl_config_set_int(c, key, value, &err) == want, "%s=%lld: %s", key, (long long)value, err.msg);
	if (want)
		return;
	ck_assert_int_eq(pvctl_config_get_int(c, key, &got), 0);
	ck_assert_int_eq(got, value);
}

START_TEST(numbers)
{
	const struct cfg_key *key;
	unsigned int n = 0;

	for_each_key(key) {
		if (key->status != CFG_STATUS_SUPPORTED || key->kind != CFG_KIND_NUMBER ||
		    !strcmp(key->name, "bootloader_restrict")) /* 0 is known, and refused */
			continue;
		want_int(key->name, key->min, 0);
		want_int(key->name, key->max, 0);
		want_int(key->name, key->min - 1, -EINVAL);
		want_int(key->name, key->max + 1, -EINVAL);
		want_int(key->name, INT64_MAX, -EINVAL);
		want_int(key->name, INT64_MIN, -EINVAL);
		n++;
	}
	ck_assert_uint_ge(n, 9);
}
END_TEST

START_TEST(texts)
{
	const struct cfg_key *key;
	char text[4096];
	int rc;

	for_each_key(key) {
		if (key->status != CFG_STATUS_SUPPORTED || (key->kind != CFG_KIND_STRING && key->kind != CFG_KIND_PATH) ||
		    !strcmp(key->name, "uuid"))
			continue;
		ck_assert_int_gt(key->max, 0);
		memset(text, 'a', sizeof(text));
		text[key->max] = '\0';
		if (!strcmp(key->name, "bootloader")) /* a path, that of a bootloader */
			memcpy(text + key->max - strlen("/pygrub"), "/pygrub", strlen("/pygrub"));
		rc = pvctl_config_set_str(c, key->name, text, &err);
		ck_assert_msg(!rc, "%s of %d: %s", key->name, (int)key->max, err.msg);
		text[key->max] = 'a';
		text[key->max + 1] = '\0';
		ck_assert_msg(pvctl_config_set_str(c, key->name, text, &err) == -EINVAL, "%s of %d", key->name, (int)key->max + 1);
		ck_assert_int_eq(pvctl_config_set_str(c, key->name, "\x01", &err), -EINVAL);
	}
}
END_TEST

static void each_word(const char *key, const char *words, int want)
{
	char copy[256], *word, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", words);
	while ((word = strsep(&rest, " ")))
		ck_assert_msg(pvctl_config_set_str(c, key, word, &err) == want, "%s=%s: %s", key, word, err.msg);
}

START_TEST(choices)
{
	const struct cfg_key *key;

	for_each_key(key) {
		if (key->status != CFG_STATUS_SUPPORTED || key->kind != CFG_KIND_CHOICE)
			continue;
		each_word(key->name, key->choices, 0);
		if (key->later)
			each_word(key->name, key->later, -ENOSYS);
		ck_assert_int_eq(pvctl_config_set_str(c, key->name, "nonsense", &err), -EINVAL);
	}
}
END_TEST

/* A key that one side has and the other does not would be an error in the middle of a create. */
START_TEST(names)
{
	const struct cfg_key *key;
	unsigned int n = 0;
	int rc;

	for_each_key(key) {
		if (strchr(key->name, '*'))
			continue;
		rc = pvctl_config_set_str(c, key->name, "0", &err);
		if (key->status == CFG_STATUS_SUPPORTED) {
			ck_assert_msg(rc != -ENOENT, "%s: unknown to the library", key->name);
			ck_assert_msg(rc != -ENOSYS, "%s: not supported by the library", key->name);
			ck_assert_int_eq(is_int(key->name), key->kind == CFG_KIND_NUMBER);
			n++;
		} else {
			ck_assert_msg(rc == -ENOENT || rc == -ENOSYS, "%s: the library takes it, the schema does not", key->name);
		}
	}
	for (unsigned int i = 0; config_keys[i].name; i++, n--) {
		key = cfg_key_find(config_keys[i].name);
		ck_assert_msg(key && key->status == CFG_STATUS_SUPPORTED, "%s", config_keys[i].name);
	}
	ck_assert_uint_eq(n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("schema");
	TCase *t = tcase_create("schema");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, numbers);
	tcase_add_test(t, texts);
	tcase_add_test(t, choices);
	tcase_add_test(t, names);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
