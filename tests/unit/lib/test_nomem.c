/* SPDX-License-Identifier: MIT */
/* Everything with each of its allocations failing, alone and with all after it: -ENOMEM, and nothing is left behind. */
#include "config/config.h"
#include "fail_alloc.h"
#include "mock_fixture.h"

#define MAX_ALLOCS 5000u

/* What one does, until it does it without a failure. */
static void each_allocation(int (*one)(void), bool on)
{
	unsigned long n;
	bool failed = true;
	int rc;

	for (n = 1; failed; n++) {
		ck_assert_uint_lt(n, MAX_ALLOCS);
		memset(&err, 0, sizeof(err));
		fail_alloc_from(n, on);
		rc = one();
		failed = fail_alloc_stop();
		/* Some can do without, what keeps a copy for the next time for one. */
		ck_assert_msg(rc == 0 || (failed && rc == -ENOMEM), "allocation %lu: %d: %s", n, rc, err.msg);
		if (rc == -ENOMEM && err.code)
			ck_assert_msg(err.code == rc && err.msg[0], "allocation %lu: %d: \"%s\"", n, err.code, err.msg);
	}
	ck_assert_uint_gt(n, 2);
}

static const char config_json[] = "{\"name\": \"web1\", \"memory\": 33, \"vcpus\": 2, \"cpus\": [\"0-1\", \"1\"], "
	"\"cpuid\": \"host,aes=0\", \"bootloader_args\": [\"--entry=1\", \"--quiet\"], \"extra\": \"x=\\\"1\\\"\\u00e9\", \"kernel\": \"/k\"}";

static int json_in(void)
{
	struct pvctl_config *c;
	int rc = pvctl_config_from_json(config_json, &c, &err);

	if (!rc)
		pvctl_config_free(c);
	return rc;
}

static struct pvctl_config *given;

static int json_out(void)
{
	char *text;
	int rc = pvctl_config_to_json(given, &text, &err);

	if (!rc)
		pvctl_free(text);
	return rc;
}

START_TEST(test_json)
{
	each_allocation(json_in, _i);
	ck_assert_int_eq(pvctl_config_from_json(config_json, &given, &err), 0);
	each_allocation(json_out, _i);
	pvctl_config_free(given);
}
END_TEST

/* What is wrong is told from what was not given memory. */
static int bad_json(void)
{
	struct pvctl_config *c;
	int rc = pvctl_config_from_json("{\"name\": \"web1\", \"memory\": [\"x\",}", &c, &err);

	if (rc == -EINVAL && strstr(err.msg, "JSON"))
		return 0;
	return rc ? rc : -EPROTO;
}

START_TEST(test_bad_json)
{
	each_allocation(bad_json, _i);
}
END_TEST

static int parse_config(void)
{
	static const char text[] = "name = \"a\"\nmemory=64 # of\ndisk = [ 'a,raw,xvda', \"b\",\n]\n"
		"disk += ['c']\nmemroy = 5\nname='again'\nextra = \"x y\"\n";
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;
	char *said;
	int rc = cfg_parse(text, strlen(text), "t", &file, &diag);

	if (!rc) {
		said = cfg_diag_format(&diag, CFG_NOTE);
		rc = said || fail_alloc->count < fail_alloc->at ? 0 : -ENOMEM;
		free(said);
	}
	cfg_free(file);
	cfg_diag_fini(&diag);
	return rc;
}

START_TEST(test_parse)
{
	each_allocation(parse_config, _i);
}
END_TEST

static uint64_t free_pages;

static void nothing_left(void)
{
	fail_alloc_exempt = true; /* Check's own */
	ck_assert_uint_eq(mock_domains(t), 0);
	ck_assert_uint_eq(mock_store_nodes(t), 0);
	ck_assert_uint_eq(mock_free_pages(t), free_pages);
	fail_alloc_exempt = false;
}

static int fill_config(struct pvctl_config *c)
{
	int rc = pvctl_config_set_str(c, "name", "web1", &err);

	rc = rc ? rc : pvctl_config_set_str(c, "kernel", kernel, &err);
	rc = rc ? rc : pvctl_config_set_str(c, "ramdisk", ramdisk, &err);
	rc = rc ? rc : pvctl_config_set_str(c, "extra", "console=hvc0", &err);
	rc = rc ? rc : pvctl_config_set_str(c, "cpus", "0-1", &err);
	rc = rc ? rc : pvctl_config_set_int(c, "memory", 33, &err);
	return rc ? rc : pvctl_config_set_int(c, "vcpus", 2, &err);
}

static int look(uint32_t domid)
{
	struct pvctl_domain_list *list = NULL;
	struct pvctl_domain_info info = { .size = sizeof(info) };
	struct pvctl_config *back = NULL;
	char *name = NULL;
	uint32_t found;
	int rc = pvctl_domain_list(ctx, &list, &err);

	rc = rc ? rc : pvctl_domain_get(ctx, domid, &info, &err);
	rc = rc ? rc : pvctl_domain_lookup(ctx, "web1", &found, &err);
	rc = rc ? rc : pvctl_domain_config(ctx, domid, &back, &err);
	rc = rc ? rc : pvctl_store_read(ctx, "/local/domain/0/name", &name, NULL, &err) == -ENOMEM ? -ENOMEM : 0;
	rc = rc ? rc : pvctl_domain_rename(ctx, domid, "web2", &err);
	rc = rc ? rc : pvctl_store_write(ctx, "/local/domain/1/x", "y", 1, &err);
	pvctl_free(name);
	pvctl_config_free(back);
	pvctl_domain_list_free(list);
	return rc;
}

static int life(void)
{
	struct pvctl_config *c = NULL;
	uint32_t domid = 0;
	int rc = pvctl_config_new(&c, &err), gone;

	rc = rc ? rc : fill_config(c);
	rc = rc ? rc : pvctl_domain_create(ctx, c, NULL, &domid, &err);
	pvctl_config_free(c);
	if (!domid) {
		nothing_left();
		return rc;
	}
	rc = look(domid);
	/* What has no memory can still be ended. */
	gone = pvctl_domain_destroy(ctx, domid, NULL, &err);
	fail_alloc_exempt = true;
	ck_assert_msg(!gone, "%s", err.msg);
	nothing_left();
	return rc;
}

START_TEST(test_life)
{
	free_pages = mock_free_pages(t);
	each_allocation(life, _i);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nomem");
	TCase *tc = tcase_create("nomem");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, test_json, 0, 2);
	tcase_add_loop_test(tc, test_bad_json, 0, 2);
	tcase_add_loop_test(tc, test_parse, 0, 2);
	tcase_add_loop_test(tc, test_life, 0, 2);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
