/* SPDX-License-Identifier: MIT */
/* What a copy of a domain has of its own. */
#include "clone/identity.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct pvctl_error err;
static struct pvctl_config *c;

static void setup(void)
{
	static const char *const vifs[] = { "mac=00:16:3e:00:00:01,bridge=lan,vifname=web,ip=10.0.0.1", "mac=00:16:3e:00:00:02,link=user" };

	ck_assert_int_eq(pvctl_config_new(&c, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "name", "web", &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "uuid", "11111111-2222-3333-4444-555555555555", &err), 0);
	ck_assert_int_eq(pvctl_config_set_list(c, "vif", vifs, 2, &err), 0);
}

static void teardown(void)
{
	pvctl_config_free(c);
}

START_TEST(names)
{
	char *one = identity_name("web", 1, 0), *third = identity_name("web", 4, 2);

	ck_assert_str_eq(one, "web");
	ck_assert_str_eq(third, "web-3");
	free(one);
	free(third);
}
END_TEST

START_TEST(renewed)
{
	ck_assert_int_eq(identity_renew(c, "copy", &err), 0);
	ck_assert_str_eq(pvctl_config_get_str(c, "name"), "copy");
	ck_assert_str_ne(pvctl_config_get_str(c, "uuid"), "11111111-2222-3333-4444-555555555555");
	for (size_t i = 0; i < 2; i++) {
		ck_assert_ptr_null(strstr(pvctl_config_get_item(c, "vif", i), "00:16:3e"));
		ck_assert_ptr_null(strstr(pvctl_config_get_item(c, "vif", i), "web"));
		ck_assert_ptr_null(strstr(pvctl_config_get_item(c, "vif", i), "10.0.0.1"));
	}
	ck_assert_ptr_nonnull(strstr(pvctl_config_get_item(c, "vif", 0), "lan"));
	ck_assert_ptr_null(pvctl_config_get_item(c, "vif", 2));
}
END_TEST

START_TEST(once)
{
	static const char *const pty[] = { "connection=pty,name=a" }, *const sock[] = { "connection=socket,path=/tmp/x,name=a" };

	ck_assert_int_eq(identity_check(c, &err), 0);
	ck_assert_int_eq(pvctl_config_set_list(c, "channel", pty, 1, &err), 0);
	ck_assert_int_eq(identity_check(c, &err), 0);
	ck_assert_int_eq(pvctl_config_set_list(c, "channel", sock, 1, &err), 0);
	ck_assert_int_eq(identity_check(c, &err), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("identity");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, names);
	tcase_add_test(t, renewed);
	tcase_add_test(t, once);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
