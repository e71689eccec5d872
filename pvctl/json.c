/* SPDX-License-Identifier: MIT */
#include "pvctl/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "pvctl/cmd.h"

struct json {
	yajl_gen gen;
	bool failed;
};

struct json *json_open(bool beautiful)
{
	struct json *j = calloc(1, sizeof(*j));

	if (j)
		j->gen = yajl_gen_alloc(NULL);
	if (!j || !j->gen) {
		say_error("out of memory");
		free(j);
		return NULL;
	}
	yajl_gen_config(j->gen, yajl_gen_beautify, beautiful);
	yajl_gen_config(j->gen, yajl_gen_indent_string, "    ");
	yajl_gen_config(j->gen, yajl_gen_validate_utf8, 1);
	return j;
}

static void check(struct json *j, yajl_gen_status status)
{
	if (status != yajl_gen_status_ok)
		j->failed = true;
}

static int write_out(struct json *j, FILE *out)
{
	const unsigned char *text;
	size_t len;

	if (yajl_gen_get_buf(j->gen, &text, &len) != yajl_gen_status_ok || j->failed) {
		say_error("writing JSON failed");
		return EXIT_FAILED;
	}
	fwrite(text, 1, len, out);
	if (!len || text[len - 1] != '\n')
		fputc('\n', out);
	return EXIT_OK;
}

void json_free(struct json *j)
{
	if (!j)
		return;
	yajl_gen_free(j->gen);
	free(j);
}

int json_close_to(struct json *j, FILE *out)
{
	int rc = write_out(j, out);

	json_free(j);
	return rc;
}

int json_close(struct json *j)
{
	return json_close_to(j, stdout);
}

int json_flush_line(struct json *j)
{
	int rc = write_out(j, stdout);

	yajl_gen_clear(j->gen);
	yajl_gen_reset(j->gen, "");
	fflush(stdout);
	return rc;
}

static void text(struct json *j, const char *s)
{
	size_t len = strlen(s);
	yajl_gen_status status = yajl_gen_string(j->gen, (const unsigned char *)s, len);
	char *ascii;

	if (status != yajl_gen_invalid_string) {
		check(j, status);
		return;
	}
	/* Names from elsewhere need not be UTF-8; the document has to be. */
	ascii = strdup(s);
	if (!ascii) {
		j->failed = true;
		return;
	}
	for (char *p = ascii; *p; p++)
		if (*p & 0x80)
			*p = '?';
	check(j, yajl_gen_string(j->gen, (const unsigned char *)ascii, len));
	free(ascii);
}

static void key_text(struct json *j, const char *key)
{
	if (key)
		text(j, key);
}

void json_map(struct json *j, const char *key)
{
	key_text(j, key);
	check(j, yajl_gen_map_open(j->gen));
}

void json_array(struct json *j, const char *key)
{
	key_text(j, key);
	check(j, yajl_gen_array_open(j->gen));
}

void json_end_map(struct json *j)
{
	check(j, yajl_gen_map_close(j->gen));
}

void json_end_array(struct json *j)
{
	check(j, yajl_gen_array_close(j->gen));
}

void json_str(struct json *j, const char *key, const char *value)
{
	key_text(j, key);
	if (value)
		text(j, value);
	else
		check(j, yajl_gen_null(j->gen));
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);

	key_text(j, key);
	check(j, yajl_gen_number(j->gen, digits, (size_t)n));
}

void json_bool(struct json *j, const char *key, bool value)
{
	key_text(j, key);
	check(j, yajl_gen_bool(j->gen, value));
}

static void put_tree(struct json *j, yajl_val v);

static void put_members(struct json *j, yajl_val v)
{
	for (size_t i = 0; i < v->u.object.len; i++) {
		text(j, v->u.object.keys[i]);
		put_tree(j, v->u.object.values[i]);
	}
}

static void put_tree(struct json *j, yajl_val v)
{
	switch (v->type) {
	case yajl_t_object:
		json_map(j, NULL);
		put_members(j, v);
		json_end_map(j);
		break;
	case yajl_t_array:
		json_array(j, NULL);
		for (size_t i = 0; i < v->u.array.len; i++)
			put_tree(j, v->u.array.values[i]);
		json_end_array(j);
		break;
	case yajl_t_string:
		text(j, v->u.string);
		break;
	case yajl_t_number:
		check(j, yajl_gen_number(j->gen, v->u.number.r, strlen(v->u.number.r)));
		break;
	case yajl_t_true:
	case yajl_t_false:
		check(j, yajl_gen_bool(j->gen, v->type == yajl_t_true));
		break;
	default:
		check(j, yajl_gen_null(j->gen));
	}
}

void json_embed(struct json *j, const char *key, const char *json_text)
{
	yajl_val tree = yajl_tree_parse(json_text, NULL, 0);

	if (!tree) {
		json_str(j, key, NULL);
		return;
	}
	key_text(j, key);
	put_tree(j, tree);
	yajl_tree_free(tree);
}

void json_members(struct json *j, const char *json_text)
{
	yajl_val tree = yajl_tree_parse(json_text, NULL, 0);

	if (YAJL_IS_OBJECT(tree))
		put_members(j, tree);
	else
		j->failed = true;
	yajl_tree_free(tree);
}

void json_listing(struct json *j, const char *name)
{
	json_map(j, NULL);
	json_u64(j, "schema", JSON_SCHEMA);
	json_array(j, name);
}

void json_end_listing(struct json *j)
{
	json_end_array(j);
	json_end_map(j);
}
