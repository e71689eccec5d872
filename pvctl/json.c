/* SPDX-License-Identifier: MIT */
#include "pvctl/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_parse.h>

#include "pvctl/cmd.h"

struct json {
	yajl_gen gen;
	bool failed;
};

/* yajl writes through what its allocator gives without a look: it gives something, or the program ends. */
static void *must_realloc(void *ctx, void *p, size_t size)
{
	p = realloc(p, size ? size : 1);
	if (!p) {
		say_error("out of memory");
		exit(EXIT_FAILED);
	}
	return p;
}

static void *must_alloc(void *ctx, size_t size)
{
	return must_realloc(ctx, NULL, size);
}

static void give_back(void *ctx, void *p)
{
	free(p);
}

static yajl_alloc_funcs allocs = { must_alloc, must_realloc, give_back, NULL };

struct json *json_open(bool beautiful)
{
	struct json *j = calloc(1, sizeof(*j));

	if (!j) {
		say_error("out of memory");
		return NULL;
	}
	j->gen = yajl_gen_alloc(&allocs);
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

static void text_of(struct json *j, const char *s, size_t len)
{
	yajl_gen_status status = yajl_gen_string(j->gen, (const unsigned char *)s, len);
	char *ascii;

	if (status != yajl_gen_invalid_string) {
		check(j, status);
		return;
	}
	/* Names from elsewhere need not be UTF-8; the document has to be. */
	ascii = must_alloc(NULL, len);
	memcpy(ascii, s, len);
	for (size_t i = 0; i < len; i++)
		if (ascii[i] & 0x80)
			ascii[i] = '?';
	check(j, yajl_gen_string(j->gen, (const unsigned char *)ascii, len));
	free(ascii);
}

static void text(struct json *j, const char *s)
{
	text_of(j, s, strlen(s));
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

void json_bytes(struct json *j, const char *key, const char *value, size_t len)
{
	key_text(j, key);
	text_of(j, value, len);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);

	key_text(j, key);
	check(j, yajl_gen_number(j->gen, digits, (size_t)n));
}

void json_i32(struct json *j, const char *key, int32_t value)
{
	if (value < 0)
		json_str(j, key, NULL);
	else
		json_u64(j, key, (uint64_t)value);
}

void json_bool(struct json *j, const char *key, bool value)
{
	key_text(j, key);
	check(j, yajl_gen_bool(j->gen, value));
}

/* ---- another text: as it is read, it is written ---- */
struct copy {
	struct json *j;
	unsigned int depth;
	bool members; /* of a map that is open already: its own brackets are left out */
};

static int go_on(const struct copy *c)
{
	return c->depth || !c->members;
}

static int on_null(void *ctx)
{
	struct copy *c = ctx;

	check(c->j, yajl_gen_null(c->j->gen));
	return go_on(c);
}

static int on_bool(void *ctx, int value)
{
	struct copy *c = ctx;

	check(c->j, yajl_gen_bool(c->j->gen, value));
	return go_on(c);
}

static int on_number(void *ctx, const char *digits, size_t len)
{
	struct copy *c = ctx;

	check(c->j, yajl_gen_number(c->j->gen, digits, len));
	return go_on(c);
}

static int on_string(void *ctx, const unsigned char *s, size_t len)
{
	struct copy *c = ctx;

	text_of(c->j, (const char *)s, len);
	return go_on(c);
}

static int on_start_map(void *ctx)
{
	struct copy *c = ctx;

	if (c->depth++ || !c->members)
		json_map(c->j, NULL);
	return 1;
}

static int on_end_map(void *ctx)
{
	struct copy *c = ctx;

	if (--c->depth || !c->members)
		json_end_map(c->j);
	return 1;
}

static int on_start_array(void *ctx)
{
	struct copy *c = ctx;

	if (!go_on(c))
		return 0;
	json_array(c->j, NULL);
	c->depth++;
	return 1;
}

static int on_end_array(void *ctx)
{
	struct copy *c = ctx;

	json_end_array(c->j);
	c->depth--;
	return 1;
}

/* c NULL: it is looked at only. */
static bool copy_text(struct copy *c, const char *json_text)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null, .yajl_boolean = on_bool, .yajl_number = on_number, .yajl_string = on_string,
		.yajl_start_map = on_start_map, .yajl_map_key = on_string, .yajl_end_map = on_end_map,
		.yajl_start_array = on_start_array, .yajl_end_array = on_end_array,
	};
	yajl_handle h = yajl_alloc(c ? &callbacks : NULL, &allocs, c);
	bool ok = yajl_parse(h, (const unsigned char *)json_text, strlen(json_text)) == yajl_status_ok &&
		  yajl_complete_parse(h) == yajl_status_ok;

	yajl_free(h);
	return ok;
}

void json_embed(struct json *j, const char *key, const char *json_text)
{
	struct copy c = { .j = j };

	if (!copy_text(NULL, json_text)) {
		json_str(j, key, NULL);
		return;
	}
	key_text(j, key);
	(void)copy_text(&c, json_text);
}

void json_members(struct json *j, const char *json_text)
{
	struct copy c = { .j = j, .members = true };

	if (!copy_text(&c, json_text))
		j->failed = true;
}

static void begin(struct json *j)
{
	json_map(j, NULL);
	json_u64(j, "schema", JSON_SCHEMA);
}

struct json *json_document(void)
{
	struct json *j = json_open(true);

	if (j)
		begin(j);
	return j;
}

void json_listing(struct json *j, const char *name)
{
	begin(j);
	json_array(j, name);
}

void json_end_listing(struct json *j)
{
	json_end_array(j);
	json_end_map(j);
}
