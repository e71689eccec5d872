/* SPDX-License-Identifier: MIT */
/* Which images may become how large. */
#include "disk/image.h"
#include <check.h>
#include <errno.h>
#include <string.h>

#define MIB (1ull << 20)

static struct pvctl_error err;

START_TEST(sizes)
{
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 16 * MIB, false, &err), 0);
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 8 * MIB, false, &err), 0);
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 0, true, &err), -EINVAL);
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 16 * MIB + 1, false, &err), -EINVAL);
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, ~511ull, false, &err), -EINVAL);
}
END_TEST

START_TEST(smaller)
{
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 4 * MIB, false, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "--shrink"));
	ck_assert_int_eq(image_may_resize(DISK_RAW, 8 * MIB, 4 * MIB, true, &err), 0);
	ck_assert_int_eq(image_may_resize(DISK_QCOW2, 8 * MIB, 4 * MIB, true, &err), 0);
	ck_assert_int_eq(image_may_resize(DISK_QED, 8 * MIB, 4 * MIB, true, &err), -EINVAL);
}
END_TEST

START_TEST(formats)
{
	enum disk_format f;

	ck_assert_int_eq(image_may_resize(DISK_VHD, 8 * MIB, 16 * MIB, false, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "pvctl disk convert"));
	ck_assert_int_eq(image_may_resize(DISK_QCOW, 8 * MIB, 16 * MIB, false, &err), -EINVAL);
	ck_assert_int_eq(image_format(NULL, &f, &err), 0);
	ck_assert_int_eq(f, DISK_RAW);
	ck_assert_int_eq(image_format("vhd", &f, &err), 0);
	ck_assert_int_eq(f, DISK_VHD);
	ck_assert_int_eq(image_format("vmdk", &f, &err), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("disk sizes");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(c, sizes);
	tcase_add_test(c, smaller);
	tcase_add_test(c, formats);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
