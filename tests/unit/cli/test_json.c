/* SPDX-License-Identifier: MIT */
/* The program's JSON with each of its allocations failing: it says so and ends, it does not crash inside yajl. */
#include "../lib/fail_alloc.h"
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#undef fail /* Check's; the program has its own */
/* A sanitizer that looks for leaks at the end has nothing to say here. */
#define exit(code) _exit(code)
#define json_str cli_json_str /* the library has one, too */
#include "pvctl/json.c"
#include "pvctl/libxl_json.c"
#undef exit

#define MAX_ALLOCS 3000u

static unsigned int *said; /* seen by the parent */

void say_error(const char *fmt, ...)
{
	++*said;
}

void uuid_text(const uint8_t uuid[16], char ret[37])
{
	strcpy(ret, "-");
}

static struct pvctl_config *make_config(void)
{
	static const char text[] = "{\"name\": \"web1\", \"memory\": 33, \"cpus\": [\"0-1\", \"1\"], \"kernel\": \"/k\","
		" \"extra\": \"\\u00e9\", \"disk\": [\"/x,raw,xvda,w\", \",,hdc,cdrom\"], \"vif\": [\"mac=00:16:3e:00:00:01,link=user\"]}";
	struct pvctl_config *c;
	struct pvctl_error err = { 0 };

	ck_assert_msg(!pvctl_config_from_json(text, &c, &err), "%s", err.msg);
	return c;
}

static int print(const struct pvctl_config *c, FILE *out)
{
	struct json *j = json_open(true);

	if (!j)
		return EXIT_FAILED;
	json_config(j, NULL, c, NULL);
	return json_close_to(j, out);
}

/* The child's status. */
static int print_failing(const struct pvctl_config *c, unsigned long n, bool on, bool *ret_reached)
{
	static char buf[4096];
	FILE *out = fopen("/dev/null", "w");
	int status, rc;
	pid_t pid;

	ck_assert_ptr_nonnull(out);
	setvbuf(out, buf, _IOFBF, sizeof(buf));
	*said = 0;
	pid = fork();
	if (!pid) {
		fail_alloc_from(n, on);
		rc = print(c, out);
		_exit(fail_alloc_stop() ? rc : 100);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	fclose(out);
	*ret_reached = !WIFEXITED(status) || WEXITSTATUS(status) != 100;
	return status;
}

START_TEST(each_allocation)
{
	struct pvctl_config *c = make_config();
	bool reached = true;
	unsigned long n;
	int status;

	for (n = 1; reached; n++) {
		ck_assert_uint_lt(n, MAX_ALLOCS);
		status = print_failing(c, n, _i, &reached);
		/* A sanitizer makes an exit of a crash. */
		ck_assert_msg(WIFEXITED(status) && (!reached || WEXITSTATUS(status) == EXIT_OK || *said),
			      "allocation %lu: status %#x, and nothing was said", n, status);
	}
	/* Those of yajl are among them: it was given our allocator. */
	ck_assert_uint_gt(n, 12);
	pvctl_config_free(c);
}
END_TEST

START_TEST(libxl_shape)
{
	struct pvctl_config *c = make_config();
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_int_eq(print(c, out), EXIT_OK);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "\"pdev_path\": \"/x\""));
	ck_assert_ptr_nonnull(strstr(text, "\"format\": \"empty\""));
	ck_assert_ptr_nonnull(strstr(text, "\"mac\": \"00:16:3e:00:00:01\""));
	free(text);
	pvctl_config_free(c);
}
END_TEST

START_TEST(what_is_no_map)
{
	static const char *const texts[] = { "", "1", "[1]", "\"x\"", "{\"a\": 1", "{} {}", "{\"a\": 1}}", "null", "{\"a\": [}" };

	for (unsigned int i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json *j = json_open(false);

		json_map(j, NULL);
		json_members(j, texts[i]);
		ck_assert_msg(j->failed, "%s", texts[i]);
		json_free(j);
	}
}
END_TEST

START_TEST(embedded)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "{\"a\": [1, {\"b\": null}], \"c\": true}", "{\"x\":{\"a\":[1,{\"b\":null}],\"c\":true}}\n" },
		{ "[]", "{\"x\":[]}\n" }, { "-1.5e3", "{\"x\":-1.5e3}\n" }, { "{", "{\"x\":null}\n" }, { "", "{\"x\":null}\n" },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json *j = json_open(false);
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		json_map(j, NULL);
		json_embed(j, "x", cases[i].in);
		json_end_map(j);
		ck_assert_int_eq(json_close_to(j, out), EXIT_OK);
		fclose(out);
		ck_assert_str_eq(text, cases[i].out);
		free(text);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cli_json");
	TCase *t = tcase_create("json");
	SRunner *r = srunner_create(s);
	int failed;

	said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, each_allocation, 0, 2);
	tcase_add_test(t, libxl_shape);
	tcase_add_test(t, what_is_no_map);
	tcase_add_test(t, embedded);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
