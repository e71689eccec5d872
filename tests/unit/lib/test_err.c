/* SPDX-License-Identifier: MIT */
/* Messages with paths that are longer than any message may be. */
#include "util/err.h"
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct pvctl_error err;
static char path[4001];

static bool ends_in(const char *tail)
{
	size_t n = strlen(err.msg), t = strlen(tail);

	return n < sizeof(err.msg) && n >= t && !strcmp(err.msg + n - t, tail);
}

START_TEST(the_cure_is_never_cut)
{
	for (size_t len = 0; len < sizeof(path); len += 7) {
		memset(path, 'p', sizeof(path));
		path[len] = '\0';
		ck_assert_int_eq(err_set(&err, -EINVAL, PVCTL_ORIGIN_LIB, "cause %s (cure)", path), -EINVAL);
		ck_assert(!strncmp(err.msg, "cause p", 7) || !len);
		ck_assert(ends_in(" (cure)"));
		ck_assert((strstr(err.msg, "...") != NULL) == (len + strlen("cause  (cure)") >= sizeof(err.msg)));
		ck_assert_int_eq(err_wrap(&err, -EIO, "outer"), -EIO);
		ck_assert(!strncmp(err.msg, "outer: cause", 12));
		ck_assert(ends_in(" (cure)"));
		ck_assert_int_eq(err_os(&err, ENOENT, "file %s", path), -ENOENT);
		ck_assert(ends_in(": No such file or directory"));
		ck_assert_int_eq(err_hv(&err, -ENOMEM, "%s", path), -ENOMEM);
		ck_assert(ends_in("(-ENOMEM)"));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("err");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, the_cure_is_never_cut);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
