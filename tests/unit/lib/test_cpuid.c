/* SPDX-License-Identifier: MIT */
/* cpuid=: both forms of the text, and what they do to a policy. */
#include "cpuid/cpuid.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AVX (1u << 28)
#define XSAVE (1u << 26)
#define AES (1u << 25)
#define SSE42 (1u << 20)
#define SSE41 (1u << 19)

static struct pvctl_error err;
static struct cpuid_edits edits;
static struct hv_policy p;

/* An AMD one, which repeats leaf 1's edx. */
static void setup(void)
{
	static const xen_cpuid_leaf_t leaves[] = {
		{ 0, XEN_CPUID_NO_SUBLEAF, 0xd, 1, 2, 3 },
		{ 1, XEN_CPUID_NO_SUBLEAF, 0x00600f12, 0x0800, AVX | XSAVE | AES | SSE42 | SSE41 | 1 << 9 | 1, 0x078bfbff },
		{ 7, 0, 1, 1 << 5 | 1 << 3, 1 << 9, 0 },
		{ 0xd, 0, 7, 832, 832, 0 }, { 0xd, 1, 7, 832, 0, 0 }, { 0xd, 2, 256, 576, 0, 0 },
		{ 0x80000001, XEN_CPUID_NO_SUBLEAF, 0, 0, 1 << 16 | 1, 0x2193fbff },
	};

	memset(&p, 0, sizeof(p));
	p.n_leaves = sizeof(leaves) / sizeof(leaves[0]);
	memcpy(p.leaf, leaves, sizeof(leaves));
}

static int apply(const char *text)
{
	int rc = cpuid_parse_text("cpuid", text, &edits, &err);

	ck_assert_msg(!rc, "%s: %s", text, err.msg);
	return cpuid_apply("cpuid", &edits, &p, &err);
}

static int apply_list(const char *text)
{
	ck_assert_msg(!cpuid_parse_list("cpuid", &text, 1, &edits, &err), "%s: %s", text, err.msg);
	return cpuid_apply("cpuid", &edits, &p, &err);
}

static xen_cpuid_leaf_t *leaf(uint32_t n, uint32_t sub)
{
	for (uint32_t i = 0; i < p.n_leaves; i++)
		if (p.leaf[i].leaf == n && (p.leaf[i].subleaf == sub || p.leaf[i].subleaf == XEN_CPUID_NO_SUBLEAF))
			return &p.leaf[i];
	ck_abort_msg("no leaf 0x%x", n);
}

START_TEST(nothing_asked_is_nothing_changed)
{
	struct hv_policy was = p;

	ck_assert_int_eq(apply("host"), 0);
	ck_assert_int_eq(apply("host,aes=x,avx=k, sse4.1=s,aes=1,family=x,vmx=0,rdcl-no=0"), 0);
	ck_assert_int_eq(apply_list("0x40000000:eax=00000000000000000000000000000000"), 0);
	ck_assert_mem_eq(&was, &p, sizeof(p));
}
END_TEST

START_TEST(bits_go)
{
	ck_assert_int_eq(apply("host,aes=0"), 0);
	ck_assert_uint_eq(leaf(1, 0)->c, AVX | XSAVE | SSE42 | SSE41 | 1 << 9 | 1);
	/* and what needs them: VAES has gone with AES. */
	ck_assert_uint_eq(leaf(7, 0)->c, 0);
	setup();
	ck_assert_int_eq(apply_list("1:ecx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxxx"), 0);
	ck_assert_uint_eq(leaf(1, 0)->c, AVX | XSAVE | SSE42 | SSE41 | 1 << 9 | 1);
	setup();
	ck_assert_int_eq(apply("host,pae=0"), 0);
	ck_assert_uint_eq(leaf(1, 0)->d, 0x078bfbffu & ~(1u << 6));
	ck_assert_uint_eq(leaf(0x80000001, 0)->d, 0x2193fbffu & ~(1u << 6));
}
END_TEST

START_TEST(no_avx)
{
	ck_assert_int_eq(apply("host,avx=0"), 0);
	ck_assert_uint_eq(leaf(1, 0)->c & AVX, 0);
	ck_assert_uint_eq(leaf(7, 0)->b, 1 << 3);
	ck_assert_uint_eq(leaf(0x80000001, 0)->c, 1); /* FMA4 */
	ck_assert_uint_eq(leaf(0xd, 0)->a, 3);
	ck_assert_uint_eq(leaf(0xd, 0)->c, 576);
	ck_assert_uint_eq(leaf(0xd, 1)->a, 7);
	ck_assert_uint_eq(leaf(0xd, 2)->a, 0);
	setup();
	ck_assert_int_eq(apply("host,xsave=0"), 0);
	ck_assert_uint_eq(leaf(1, 0)->c & (AVX | XSAVE), 0);
	ck_assert_uint_eq(leaf(0xd, 0)->a | leaf(0xd, 0)->b | leaf(0xd, 1)->a | leaf(0xd, 2)->a, 0);
}
END_TEST

START_TEST(numbers)
{
	ck_assert_int_eq(apply("host,family=0x17,model=0x31,stepping=2,clflush=4,maxleaf=7"), 0);
	ck_assert_uint_eq(leaf(1, 0)->a, 0x00830f12);
	ck_assert_uint_eq(leaf(1, 0)->b, 0x0400);
	ck_assert_uint_eq(leaf(0, 0)->a, 7);
	ck_assert_int_eq(apply("host,family=6,model=3"), 0);
	ck_assert_uint_eq(leaf(1, 0)->a, 0x00000632);
}
END_TEST

START_TEST(the_last_one_counts)
{
	struct hv_policy was = p;

	ck_assert_int_eq(apply("host,vmx=1,aes=0,vmx=0,aes=x"), 0);
	ck_assert_mem_eq(&was, &p, sizeof(p));
}
END_TEST

static void not_had(int rc, const char *says)
{
	ck_assert_int_eq(rc, -EINVAL);
	ck_assert_msg(strstr(err.msg, says) != NULL, "%s", err.msg);
	setup();
}

START_TEST(what_cannot_be_had)
{
	not_had(apply("host,vmx=1"), "vmx is to be 1");
	not_had(apply("host,AVX512F=1"), "avx512f is to be 1");
	not_had(apply("host,svm_npt=1"), "bit 0 of leaf 0x8000000a's edx");
	not_had(apply("host,rdcl-no=1"), "rdcl-no is to be 1");
	not_had(apply("host,maxleaf=0xe"), "0xd is the last one");
	not_had(apply_list("0:ebx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0"), "ebx cannot be changed");
	not_had(apply_list("0xd:eax=xxxxxxxxxxxxxxxxxxxxxxxxxxxxx0xx"), "eax cannot be changed");
	not_had(apply_list("0x14:eax=1xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), "bit 31 of leaf 0x14's eax");
}
END_TEST

START_TEST(texts_that_are_wrong)
{
	static const char *const bad[] = { "", "aes=0", "hosts,aes=0", "host,aes", "host,=0", "host,aes=", "host,aes=00", "host,aes=2",
		"host,model=", "host,model=-1", "host,model=+1", "host,model=256", "host,model=1y", "host,proccount=1", "host,maxhvleaf=1",
		"host,no-such=0", "host,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=0" };
	static const char *const bad_list[] = { "", "1", "1:", ":ecx=0", "x:ecx=0", "1,:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		"-1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "0x100000000:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "host,aes=0",
		"1:ecx=", "1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		"1:ecx=2xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "1:esi=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(cpuid_check_text("cpuid", bad[i], &err) == -EINVAL, "%s", bad[i]);
	for (size_t i = 0; i < sizeof(bad_list) / sizeof(bad_list[0]); i++)
		ck_assert_msg(cpuid_check_list("cpuid", &bad_list[i], 1, &err) == -EINVAL, "%s", bad_list[i]);
	ck_assert_int_eq(cpuid_check_text("cpuid", "host,clfush=0", &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.msg, "did you mean \"clflush\"?"));
}
END_TEST

START_TEST(too_many_registers)
{
	static const char all[] = ":eax=11111111111111111111111111111111,ebx=11111111111111111111111111111111";
	const char *list[CPUID_EDITS_MAX];
	char text[CPUID_EDITS_MAX][96];

	for (unsigned int i = 0; i < CPUID_EDITS_MAX; i++) {
		snprintf(text[i], sizeof(text[i]), "%u%s", i, all);
		list[i] = text[i];
	}
	ck_assert_int_eq(cpuid_check_list("cpuid", list, CPUID_EDITS_MAX / 2, &err), 0);
	ck_assert_int_eq(cpuid_check_list("cpuid", list, CPUID_EDITS_MAX / 2 + 1, &err), -EINVAL);
}
END_TEST

/* Whatever a name is, it is found again by the name that messages give it. */
START_TEST(names)
{
	char (*all)[FEATURE_NAME_MAX] = calloc(FEATURES_MAX, sizeof(*all)), name[FEATURE_NAME_MAX];
	size_t n = feature_names(all);
	struct cpuid_bit a, b;

	ck_assert_uint_gt(n, 200);
	for (size_t i = 0; i < n; i++) {
		ck_assert_msg(!feature_find(all[i], &a), "%s", all[i]);
		if (feature_name(&a, name))
			continue;
		ck_assert_msg(!feature_find(name, &b), "%s", name);
		ck_assert_msg(a.leaf == b.leaf && a.sub == b.sub && a.reg == b.reg && a.bit == b.bit, "%s: %s", all[i], name);
	}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; feature_needs(all[i], k); k++)
			ck_assert_msg(!feature_find(feature_needs(all[i], k), &a), "%s", feature_needs(all[i], k));
	free(all);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpuid");
	TCase *t = tcase_create("cpuid");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, nothing_asked_is_nothing_changed);
	tcase_add_test(t, bits_go);
	tcase_add_test(t, no_avx);
	tcase_add_test(t, numbers);
	tcase_add_test(t, the_last_one_counts);
	tcase_add_test(t, what_cannot_be_had);
	tcase_add_test(t, texts_that_are_wrong);
	tcase_add_test(t, too_many_registers);
	tcase_add_test(t, names);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
