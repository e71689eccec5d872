/* SPDX-License-Identifier: MIT */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "tests/unit/config/suites.h"

static struct cfg_file *good(const char *text)
{
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;

	ck_assert_int_eq(cfg_parse(text, strlen(text), "t", &file, &diag), 0);
	ck_assert_uint_eq(diag.errors, 0);
	cfg_diag_fini(&diag);
	return file;
}

/* The place of the first error as line * 100 + column. */
static unsigned int bad(const char *text, size_t len)
{
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = (struct cfg_file *)&diag;
	unsigned int where;

	ck_assert_int_eq(cfg_parse(text, len, "t", &file, &diag), -EINVAL);
	/* Outputs are not touched on failure. */
	ck_assert_ptr_eq(file, (struct cfg_file *)&diag);
	ck_assert_uint_ge(diag.errors, 1);
	ck_assert_uint_ge(diag.n, 1);
	where = diag.messages[0].line * 100 + diag.messages[0].col;
	cfg_diag_fini(&diag);
	return where;
}

static const char *text_of(const struct cfg_file *file, const char *key)
{
	const struct cfg_setting *s = cfg_find(file, key);

	return s && s->value.type != CFG_LIST ? s->value.text : NULL;
}

START_TEST(values)
{
	struct cfg_file *file = good("a=1\nb = \"two\" ; c='three'\n\nd=[]\ne=[ 'x', 2, [\n3\n], ]");

	ck_assert_uint_eq(file->n, 5);
	ck_assert_str_eq(text_of(file, "a"), "1");
	ck_assert_str_eq(text_of(file, "b"), "two");
	ck_assert_str_eq(text_of(file, "c"), "three");
	ck_assert_uint_eq(cfg_find(file, "d")->value.n, 0);
	ck_assert_uint_eq(cfg_find(file, "e")->value.n, 3);
	ck_assert_int_eq(cfg_find(file, "e")->value.items[2].type, CFG_LIST);
	ck_assert_str_eq(cfg_find(file, "e")->value.items[2].items[0].text, "3");
	cfg_free(file);
}
END_TEST

START_TEST(nothing)
{
	static const char *const texts[] = { "", "\n", ";", "#", "# x", "\xef\xbb\xbf", "\r\n\r\n", " \t ", "\r" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct cfg_file *file = good(texts[i]);

		ck_assert_uint_eq(file->n, 0);
		cfg_free(file);
	}
}
END_TEST

START_TEST(places)
{
	ck_assert_uint_eq(bad("a=\n", 3), 103);
	ck_assert_uint_eq(bad("a=1\n\tb = x\n", 11), 206);
	/* Columns count characters, not bytes. */
	ck_assert_uint_eq(bad("a='\xc3\xa4' b", 8), 107);
	ck_assert_uint_eq(bad("\xef\xbb\xbf""A=1", 6), 101);
	ck_assert_uint_eq(bad("a=1\r\nb=?\r\n", 10), 203);
	ck_assert_uint_eq(bad("\r=", 2), 101);
	ck_assert_uint_eq(bad("a=[1,2", 6), 107);
	ck_assert_uint_eq(bad("a=\"\\", 4), 104);
	ck_assert_uint_eq(bad("\0", 1), 101);
}
END_TEST

START_TEST(numbers)
{
	static const struct { const char *text; int64_t n; } goods[] = {
		{ "0", 0 }, { "010", 8 }, { "0xff", 255 }, { "'12'", 12 }, { "'-1'", -1 }, { "' 7'", 7 },
		{ "9223372036854775807", INT64_MAX }, { "'-9223372036854775808'", INT64_MIN },
	};
	static const char *const bads[] = {
		"09", "0b11", "'2x'", "''", "'1 '", "9223372036854775808", "[1]", "1x", "'0x'", "'one'", "2a", "'1.5'"
	};
	char text[64];
	int64_t n;

	for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
		struct cfg_file *file;

		snprintf(text, sizeof(text), "n=%s", goods[i].text);
		file = good(text);
		ck_assert_int_eq(cfg_value_number(&cfg_find(file, "n")->value, &n), 0);
		ck_assert_int_eq(n, goods[i].n);
		cfg_free(file);
	}
	for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		struct cfg_file *file;

		snprintf(text, sizeof(text), "n=%s", bads[i]);
		file = good(text);
		n = 42;
		ck_assert_int_eq(cfg_value_number(&cfg_find(file, "n")->value, &n), -EINVAL);
		ck_assert_int_eq(n, 42);
		cfg_free(file);
	}
}
END_TEST

static struct cfg_file *with_overrides(const char *text, const char *more, int want)
{
	struct cfg_file *file = good(text);
	struct cfg_diag diag = { 0 };

	ck_assert_int_eq(cfg_parse_more(file, more, strlen(more), "m", CFG_BARE_VALUES | CFG_OVERRIDE, &diag), want);
	if (!want)
		ck_assert_uint_eq(diag.n, 0);
	cfg_diag_fini(&diag);
	return file;
}

START_TEST(overrides)
{
	struct cfg_file *file = with_overrides("name='a'\ncpus=['0']\nextra='x'", "name=b; memory=0x10;vcpus = 2", 0);

	ck_assert_str_eq(text_of(file, "name"), "b");
	ck_assert_int_eq(cfg_find(file, "memory")->value.type, CFG_NUMBER);
	ck_assert_str_eq(text_of(file, "vcpus"), "2");
	cfg_free(file);

	file = with_overrides("cpus=['0']\nextra='x'", "cpus+=['1',2]; extra+= y=z # w", 0);
	ck_assert_uint_eq(cfg_find(file, "cpus")->value.n, 3);
	ck_assert_str_eq(text_of(file, "extra"), "xy=z # w");
	cfg_free(file);

	file = with_overrides("", "kernel=/boot/a b;extra='q; \\'r'", 0);
	ck_assert_str_eq(text_of(file, "kernel"), "/boot/a b");
	ck_assert_str_eq(text_of(file, "extra"), "q; 'r");
	cfg_free(file);

	/* What was good stays when more is bad. */
	file = with_overrides("name='a'", "Memory=1", -EINVAL);
	ck_assert_str_eq(text_of(file, "name"), "a");
	cfg_free(file);
	cfg_free(with_overrides("", "name=", -EINVAL));
	cfg_free(with_overrides("", "name", -EINVAL));
}
END_TEST

START_TEST(bare_values_only_where_asked)
{
	ck_assert_uint_eq(bad("name=x", 6), 106);
}
END_TEST

START_TEST(limits)
{
	struct cfg_diag diag = { .limit = 3 };
	struct cfg_file *file = NULL;
	char *big = malloc(CFG_TEXT_MAX + 1);

	memset(big, '\n', CFG_TEXT_MAX + 1);
	ck_assert_int_eq(cfg_parse(big, CFG_TEXT_MAX + 1, "t", &file, &diag), -E2BIG);
	ck_assert_int_eq(cfg_parse(big, CFG_TEXT_MAX, "t", &file, &diag), 0);
	cfg_free(file);
	for (size_t i = 0; i + 2 < CFG_TEXT_MAX; i += 2)
		big[i] = '?';
	ck_assert_int_eq(cfg_parse(big, CFG_TEXT_MAX, "t", &file, &diag), -EINVAL);
	ck_assert_uint_eq(diag.n, 3);
	ck_assert(diag.full);
	cfg_diag_fini(&diag);
	free(big);
}
END_TEST

START_TEST(notes_do_not_hide_errors)
{
	char text[4096] = "";
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;

	for (int i = 0; i < 100; i++)
		strcat(text, "a=1\n");
	strcat(text, "?\n");
	ck_assert_int_eq(cfg_parse(text, strlen(text), "t", &file, &diag), -EINVAL);
	ck_assert_uint_eq(diag.messages[diag.n - 1].severity, CFG_ERROR);
	ck_assert_uint_eq(diag.messages[diag.n - 1].line, 101);
	cfg_diag_fini(&diag);
}
END_TEST

START_TEST(message_text)
{
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;
	char *text;

	ck_assert_int_eq(cfg_parse("a=1\n\tb = \x1b[0m\n", 14, "dir/f.cfg", &file, &diag), -EINVAL);
	text = cfg_diag_format(&diag, CFG_NOTE);
	/* No escape sequences of the file's reach the terminal, and the caret stands under the place. */
	ck_assert_ptr_null(strchr(text, 0x1b));
	ck_assert_ptr_nonnull(strstr(text, "dir/f.cfg:2:6: error: expected a value"));
	ck_assert_ptr_nonnull(strstr(text, "    \tb = ?[0m\n    \t    ^\n"));
	free(text);
	cfg_diag_fini(&diag);
}
END_TEST

static const char *next_word(const void *data, size_t i)
{
	const char *const *words = data;

	return words[i];
}

START_TEST(suggestions)
{
	static const char *const words[] = { "memory", "maxmem", "vcpus", "cpus", "kernel", "nx", "hap", NULL };

	ck_assert_str_eq(cfg_suggest("memroy", next_word, words), "memory");
	ck_assert_str_eq(cfg_suggest("vcpu", next_word, words), "vcpus");
	ck_assert_str_eq(cfg_suggest("kernal", next_word, words), "kernel");
	ck_assert_str_eq(cfg_suggest("cups", next_word, words), "cpus");
	ck_assert_ptr_null(cfg_suggest("dhcp", next_word, words));
	ck_assert_ptr_null(cfg_suggest("kennel_x", next_word, words));
	ck_assert_ptr_null(cfg_suggest("n", next_word, words));
	ck_assert_ptr_null(cfg_suggest("", next_word, words));
	ck_assert_ptr_null(cfg_suggest("something_else", next_word, words));
	ck_assert_ptr_null(cfg_suggest("a_very_long_word_that_does_not_fit_into_the_table_at_all", next_word, words));
}
END_TEST

TCase *parse_tests(void)
{
	TCase *tc = tcase_create("parse");

	tcase_add_test(tc, values);
	tcase_add_test(tc, nothing);
	tcase_add_test(tc, places);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, overrides);
	tcase_add_test(tc, bare_values_only_where_asked);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, notes_do_not_hide_errors);
	tcase_add_test(tc, message_text);
	tcase_add_test(tc, suggestions);
	return tc;
}
