/* SPDX-License-Identifier: MIT */
/* p9 and channel: texts, and lists of them. */
#include "device/channel_spec.h"
#include "device/lists.h"
#include "device/p9_spec.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void p9_refused(const char *text, int code, const char *says)
{
	struct pvctl_error err = { 0 };
	struct p9_spec s;

	ck_assert_int_eq(p9_spec_parse(text, &s, &err), code);
	ck_assert_msg(strstr(err.msg, says) != NULL, "%s: %s", text, err.msg);
}

static void channel_refused(const char *text, int code, const char *says)
{
	struct pvctl_error err = { 0 };
	struct channel_spec s;

	ck_assert_int_eq(channel_spec_parse(text, &s, &err), code);
	ck_assert_msg(strstr(err.msg, says) != NULL, "%s: %s", text, err.msg);
}

START_TEST(p9_texts)
{
	char text[P9_SPEC_MAX + 1];
	struct p9_spec s, again;

	ck_assert_int_eq(p9_spec_parse("tag=share,path=/srv/x,security_model=none", &s, NULL), 0);
	ck_assert_str_eq(s.tag, "share");
	ck_assert_str_eq(s.path, "/srv/x");
	ck_assert(!s.readonly && !s.has_devid);
	ck_assert_int_eq(p9_spec_parse(" path = /a b , tag=t,backend=0,readonly=1,devid=3,type=xen_9pfsd,max-files=0", &s, NULL), 0);
	ck_assert_str_eq(s.path, "/a b");
	ck_assert(s.readonly && s.has_devid && s.devid == 3);
	p9_spec_format(&s, text);
	ck_assert_int_eq(p9_spec_parse(text, &again, NULL), 0);
	ck_assert_mem_eq(&s, &again, sizeof(s));
}
END_TEST

START_TEST(p9_refusals)
{
	char longer[2000];

	p9_refused("path=/x", -EINVAL, "no tag");
	p9_refused("tag=x", -EINVAL, "no path");
	p9_refused("", -EINVAL, "KEY=VALUE");
	p9_refused("tag=x,path=/x,", -EINVAL, "KEY=VALUE");
	p9_refused("tag=,path=/x", -EINVAL, "tag must have 1 to 31");
	p9_refused("tag=x,tag=y,path=/x", -EINVAL, "given twice");
	p9_refused("tag=x,path=/x,security_model=mapped", -EINVAL, "must be none");
	p9_refused("tag=x,path=/x,backend=driver", -ENOSYS, "not supported");
	p9_refused("tag=x,path=/x,max-space=7", -ENOSYS, "not supported");
	p9_refused("tag=x,path=/x,readonly=2", -EINVAL, "0 to 1");
	p9_refused("tag=x,path=/x,devid=16", -EINVAL, "0 to 15");
	p9_refused("tag=x,path=/x,devid=4294967296", -EINVAL, "0 to 15");
	p9_refused("tag=x,path=/x,type=other", -EINVAL, "type must be");
	p9_refused("tag=x,path=/x\n", -EINVAL, "control character");
	p9_refused("tag=x,path=/x,colour=red", -EINVAL, "unknown key \"colour\"");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	p9_refused(longer, -EINVAL, "too long");
}
END_TEST

START_TEST(channel_texts)
{
	char text[CHANNEL_SPEC_MAX + 1];
	struct channel_spec s, again;

	ck_assert_int_eq(channel_spec_parse("name=org.agent,connection=pty", &s, NULL), 0);
	ck_assert(!s.socket && !s.has_devid);
	ck_assert_int_eq(channel_spec_parse("connection=socket,path=/run/a,name=n,devid=9,backend=0", &s, NULL), 0);
	ck_assert(s.socket && s.devid == 9);
	channel_spec_format(&s, text);
	ck_assert_int_eq(channel_spec_parse(text, &again, NULL), 0);
	ck_assert_mem_eq(&s, &again, sizeof(s));
	channel_refused("connection=pty", -EINVAL, "no name");
	channel_refused("name=x", -EINVAL, "no connection");
	channel_refused("name=x,connection=tcp", -EINVAL, "pty or socket");
	channel_refused("name=x,connection=socket", -EINVAL, "needs a path");
	channel_refused("name=x,connection=pty,path=/x", -EINVAL, "for connection=socket only");
	channel_refused("name=x,connection=pty,devid=0", -EINVAL, "1 to 9");
	channel_refused("name=x,connection=pty,backend=1", -ENOSYS, "not supported");
}
END_TEST

START_TEST(numbers)
{
	const char *list[] = { "name=a,connection=pty", "name=b,connection=pty,devid=1", "name=c,connection=pty" };
	struct pvctl_config *c;
	struct pvctl_error err = { 0 };

	ck_assert_int_eq(pvctl_config_new(&c, &err), 0);
	ck_assert_msg(!pvctl_config_set_list(c, "channel", list, 3, &err), "%s", err.msg);
	ck_assert_int_eq(device_list_plan(&channel_list, c, &err), 0);
	ck_assert_str_eq(pvctl_config_get_item(c, "channel", 0), "name=a,connection=pty,devid=2");
	ck_assert_str_eq(pvctl_config_get_item(c, "channel", 1), "name=b,connection=pty,devid=1");
	ck_assert_str_eq(pvctl_config_get_item(c, "channel", 2), "name=c,connection=pty,devid=3");
	/* Planned again, as at a restart: the same. */
	ck_assert_int_eq(device_list_plan(&channel_list, c, &err), 0);
	ck_assert_str_eq(pvctl_config_get_item(c, "channel", 0), "name=a,connection=pty,devid=2");
	pvctl_config_free(c);
}
END_TEST

START_TEST(lists_refused)
{
	const char *names[] = { "name=a,connection=pty", "name=a,connection=socket,path=/x" };
	const char *ids[] = { "tag=a,path=/x,devid=0", "tag=b,path=/y,devid=0" };
	const char *many[10];
	char text[10][40];
	struct pvctl_error err = { 0 };

	ck_assert_int_eq(device_list_check(&channel_list, names, 2, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "two have the name \"a\""));
	ck_assert_int_eq(device_list_check(&p9_list, ids, 2, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "two have devid 0"));
	for (int i = 0; i < 10; i++) {
		snprintf(text[i], sizeof(text[i]), "name=n%d,connection=pty", i);
		many[i] = text[i];
	}
	ck_assert_int_eq(device_list_check(&channel_list, many, 9, &err), 0);
	ck_assert_int_eq(device_list_check(&channel_list, many, 10, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "a domain can have 9"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("specs");
	TCase *t = tcase_create("specs");
	SRunner *r;
	int failed;

	tcase_add_test(t, p9_texts);
	tcase_add_test(t, p9_refusals);
	tcase_add_test(t, channel_texts);
	tcase_add_test(t, numbers);
	tcase_add_test(t, lists_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
