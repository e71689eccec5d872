/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "tests/unit/config/suites.h"

struct outcome {
	int rc;
	unsigned int errors, warnings, messages;
};

static struct outcome validate(const char *text, unsigned int flags)
{
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;
	struct outcome o;

	ck_assert_int_eq(cfg_parse(text, strlen(text), "t", &file, &diag), 0);
	o.rc = cfg_validate(file, flags, &diag);
	o.errors = diag.errors;
	o.warnings = diag.warnings;
	o.messages = (unsigned int)diag.n;
	cfg_diag_fini(&diag);
	cfg_free(file);
	return o;
}

START_TEST(table_is_consistent)
{
	const struct cfg_key *key;

	for (size_t i = 0; (key = cfg_key_at(i)); i++) {
		ck_assert_msg(key->help && key->help[0], "%s has no help", key->name);
		ck_assert_msg(cfg_key_find(key->name) == key, "%s is hidden by a row above", key->name);
		if (key->kind == CFG_KIND_CHOICE)
			ck_assert_msg(key->choices != NULL, "%s has no choices", key->name);
		if (key->status == CFG_STATUS_SUPPORTED && key->kind == CFG_KIND_NUMBER)
			ck_assert_msg(key->min < key->max, "%s has no range", key->name);
	}
}
END_TEST

/* Each value that the help shows as the default must be one that is taken. */
START_TEST(defaults_are_valid)
{
	const struct cfg_key *key;
	char text[128];

	for (size_t i = 0; (key = cfg_key_at(i)); i++) {
		if (!key->fallback || key->status != CFG_STATUS_SUPPORTED || cfg_key_find(key->fallback))
			continue;
		snprintf(text, sizeof(text), "%s='%s'", key->name, key->fallback);
		ck_assert_msg(!validate(text, CFG_STRICT).messages, "%s", text);
	}
}
END_TEST

START_TEST(range_ends)
{
	const struct cfg_key *key;
	char text[128];

	for (size_t i = 0; (key = cfg_key_at(i)); i++) {
		if (key->kind != CFG_KIND_NUMBER || key->status != CFG_STATUS_SUPPORTED)
			continue;
		snprintf(text, sizeof(text), "%s=%lld", key->name, (long long)key->min);
		ck_assert_int_eq(validate(text, 0).rc, 0);
		snprintf(text, sizeof(text), "%s='%lld'", key->name, (long long)key->max);
		ck_assert_int_eq(validate(text, 0).rc, 0);
		snprintf(text, sizeof(text), "%s='%lld'", key->name, (long long)key->min - 1);
		ck_assert_int_eq(validate(text, 0).rc, -EINVAL);
		snprintf(text, sizeof(text), "%s=%lld", key->name, (long long)key->max + 1);
		ck_assert_int_eq(validate(text, 0).rc, -EINVAL);
	}
}
END_TEST

START_TEST(statuses)
{
	ck_assert_int_eq(validate("nonsense=1", 0).rc, 0);
	ck_assert_uint_eq(validate("nonsense=1", 0).warnings, 1);
	ck_assert_int_eq(validate("nonsense=1", CFG_STRICT).rc, -EINVAL);
	ck_assert_uint_eq(validate("acpi=1", 0).warnings, 1);
	ck_assert_int_eq(validate("acpi=1", CFG_STRICT).rc, -EINVAL);
	ck_assert_int_eq(validate("vfb=['x']", 0).rc, 0);
	ck_assert_uint_eq(validate("vfb=['x']\nvnc=1\nsdl=1", 0).warnings, 3);
	ck_assert_int_eq(validate("vfb=['x']", CFG_STRICT).rc, -EINVAL);
	ck_assert_int_eq(validate("pci=['x']", 0).rc, -EINVAL);
	ck_assert_uint_eq(validate("e820_host=0\nsdl=0\nvkb=[]", CFG_STRICT).messages, 0);
	ck_assert_int_eq(validate("pool='Pool-0'", CFG_STRICT).rc, 0);
	ck_assert_uint_eq(validate("vfb=[]", CFG_STRICT).messages, 0);
	ck_assert_uint_eq(validate("vnc='0'", CFG_STRICT).messages, 0);
	/* A text "0" is a name, not a no. */
	ck_assert_int_eq(validate("pool='0'", 0).rc, -EINVAL);
	ck_assert_int_eq(validate("builder='linux'", CFG_STRICT).rc, 0);
	ck_assert_uint_eq(validate("builder='linux'", CFG_STRICT).messages, 1);
	ck_assert_int_eq(validate("builder='hvm'", 0).rc, -EINVAL);
	ck_assert_int_eq(validate("type='hvm'", 0).rc, -EINVAL);
	ck_assert_int_eq(validate("type='pvh'", CFG_STRICT).messages, 0);
	ck_assert_int_eq(validate("type='auto'", CFG_STRICT).messages, 0);
	ck_assert_int_eq(validate("pvh=1", 0).rc, -EINVAL);
	ck_assert_int_eq(validate("maxmem=4\nmemory=4", 0).rc, 0);
	ck_assert_int_eq(validate("maxmem=3\nmemory=4", 0).rc, -EINVAL);
	ck_assert_uint_eq(validate("maxmem=3\nmemory='x'", 0).errors, 1);
	ck_assert_int_eq(validate("kernel=''", 0).rc, -EINVAL);
	ck_assert_int_eq(validate("cpus=[['1']]", 0).rc, -EINVAL);
	ck_assert_int_eq(validate("cpus=['1',2]", 0).rc, 0);
	ck_assert_int_eq(validate("cpus=1", 0).rc, 0);
}
END_TEST

TCase *schema_tests(void)
{
	TCase *tc = tcase_create("schema");

	tcase_add_test(tc, table_is_consistent);
	tcase_add_test(tc, defaults_are_valid);
	tcase_add_test(tc, range_ends);
	tcase_add_test(tc, statuses);
	return tc;
}
