/* SPDX-License-Identifier: MIT */
#include "util/json.h"
#include "util/err.h"
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

/* What yajl has, so that it can be freed when yajl is left by a jump. */
struct piece {
	struct piece *next, *prev;
	_Alignas(max_align_t) uint8_t bytes[];
};
struct parser {
	jmp_buf no_memory;
	struct piece pieces;         /* a ring */
	yajl_val root, at[JSON_MAX_DEPTH];
	unsigned int depth;
	char *key;                   /* of the next value */
	int rc;
};

static void enlist(struct parser *p, struct piece *m)
{
	m->next = &p->pieces;
	m->prev = p->pieces.prev;
	m->prev->next = m->next->prev = m;
}

static void unlist(struct piece *m)
{
	m->prev->next = m->next;
	m->next->prev = m->prev;
}

static struct piece *piece_of(void *bytes)
{
	return bytes ? (struct piece *)(void *)((uint8_t *)bytes - offsetof(struct piece, bytes)) : NULL;
}

static void *piece_realloc(void *ctx, void *bytes, size_t size)
{
	struct piece *old = piece_of(bytes), *m;
	struct parser *p = ctx;

	if (old)
		unlist(old);
	m = realloc(old, sizeof(*m) + size);
	if (!m) {
		if (old)
			enlist(p, old);
		longjmp(p->no_memory, 1);
	}
	enlist(p, m);
	return m->bytes;
}

static void *piece_alloc(void *ctx, size_t size)
{
	return piece_realloc(ctx, NULL, size);
}

static void piece_free(void *ctx, void *bytes)
{
	if (!bytes)
		return;
	unlist(piece_of(bytes));
	free(piece_of(bytes));
}

/* One more place at the end of an array; the old array stays valid where there is none. */
static bool grow(void *array, size_t n, size_t size)
{
	void *old, *more;

	if (n & (n - 1)) /* its room is a power of two */
		return true;
	memcpy(&old, array, sizeof(old));
	more = realloc(old, (n ? n * 2 : 1) * size);
	if (more)
		memcpy(array, &more, sizeof(more));
	return more != NULL;
}

/* The tree is whole at any time, so that yajl_tree_free() can have it. */
static bool attach(struct parser *p, yajl_val v)
{
	yajl_val to = p->depth ? p->at[p->depth - 1] : NULL;

	if (!to) {
		p->root = v;
		return true;
	}
	if (to->type == yajl_t_array) {
		if (!grow(&to->u.array.values, to->u.array.len, sizeof(yajl_val)))
			return false;
		to->u.array.values[to->u.array.len++] = v;
		return true;
	}
	if (!grow(&to->u.object.keys, to->u.object.len, sizeof(char *)) ||
	    !grow(&to->u.object.values, to->u.object.len, sizeof(yajl_val)))
		return false;
	to->u.object.keys[to->u.object.len] = p->key;
	to->u.object.values[to->u.object.len++] = v;
	p->key = NULL;
	return true;
}

/* As yajl's callbacks answer: 0 ends it. v is taken. */
static int add(struct parser *p, yajl_val v)
{
	if (v && attach(p, v))
		return 1;
	yajl_tree_free(v);
	p->rc = -ENOMEM;
	return 0;
}

static yajl_val new_value(yajl_type type)
{
	yajl_val v = calloc(1, sizeof(*v));

	if (v)
		v->type = type;
	return v;
}

static int on_null(void *ctx)
{
	return add(ctx, new_value(yajl_t_null));
}

static int on_bool(void *ctx, int on)
{
	return add(ctx, new_value(on ? yajl_t_true : yajl_t_false));
}

static int on_text(struct parser *p, yajl_type type, const char *s, size_t len)
{
	yajl_val v = new_value(type);
	char *copy = v ? strndup(s, len) : NULL;

	if (!copy) {
		free(v);
		return add(p, NULL);
	}
	if (type == yajl_t_string) {
		v->u.string = copy;
		return add(p, v);
	}
	v->u.number.r = copy;
	errno = 0;
	v->u.number.i = strtoll(copy, NULL, 10);
	if (!errno && !copy[strspn(copy, "-0123456789")])
		v->u.number.flags |= YAJL_NUMBER_INT_VALID;
	return add(p, v);
}

static int on_number(void *ctx, const char *s, size_t len)
{
	return on_text(ctx, yajl_t_number, s, len);
}

static int on_string(void *ctx, const unsigned char *s, size_t len)
{
	return on_text(ctx, yajl_t_string, (const char *)s, len);
}

static int on_key(void *ctx, const unsigned char *s, size_t len)
{
	struct parser *p = ctx;

	p->key = strndup((const char *)s, len);
	if (!p->key)
		p->rc = -ENOMEM;
	return p->key != NULL;
}

static int go_in(struct parser *p, yajl_type type)
{
	yajl_val v;

	if (p->depth == JSON_MAX_DEPTH) {
		p->rc = -E2BIG;
		return 0;
	}
	v = new_value(type);
	if (!add(p, v))
		return 0;
	p->at[p->depth++] = v;
	return 1;
}

static int on_map(void *ctx)
{
	return go_in(ctx, yajl_t_object);
}

static int on_array(void *ctx)
{
	return go_in(ctx, yajl_t_array);
}

static int on_end(void *ctx)
{
	((struct parser *)ctx)->depth--;
	return 1;
}

/* 0, or why there is no tree; what yajl says of the text goes to why. */
static int parse(struct parser *p, const char *text, char *why, size_t size)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null, .yajl_boolean = on_bool, .yajl_number = on_number, .yajl_string = on_string,
		.yajl_start_map = on_map, .yajl_map_key = on_key, .yajl_end_map = on_end,
		.yajl_start_array = on_array, .yajl_end_array = on_end,
	};
	yajl_alloc_funcs alloc = { piece_alloc, piece_realloc, piece_free, p };
	const unsigned char *bytes = (const unsigned char *)text;
	size_t len = strlen(text);
	yajl_handle h;
	yajl_status st;

	if (setjmp(p->no_memory))
		return -ENOMEM;
	h = yajl_alloc(&callbacks, &alloc, p);
	if (!h)
		return -ENOMEM;
	yajl_config(h, yajl_allow_comments, 1);
	st = yajl_parse(h, bytes, len);
	if (st == yajl_status_ok)
		st = yajl_complete_parse(h);
	if (st == yajl_status_ok)
		return 0;
	if (p->rc)
		return p->rc;
	strncpy(why, (const char *)yajl_get_error(h, 1, bytes, len), size - 1);
	return -EINVAL;
}

static void drop_pieces(struct parser *p)
{
	while (p->pieces.next != &p->pieces)
		piece_free(p, p->pieces.next->bytes);
	free(p->key);
}

int json_parse_object(const char *text, yajl_val *ret, struct pvctl_error *err)
{
	struct parser p = { .depth = 0 };
	char why[160] = "";
	int rc;

	if (strlen(text) > JSON_MAX_TEXT)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "JSON text of more than %u bytes", JSON_MAX_TEXT);
	p.pieces.next = p.pieces.prev = &p.pieces;
	rc = parse(&p, text, why, sizeof(why));
	drop_pieces(&p);
	if (!rc && YAJL_IS_OBJECT(p.root)) {
		*ret = p.root;
		return 0;
	}
	yajl_tree_free(p.root);
	if (rc == -ENOMEM)
		return err_nomem(err);
	if (rc == -E2BIG)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "JSON: nested deeper than %u", JSON_MAX_DEPTH);
	why[strcspn(why, "\n")] = '\0';
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "JSON: %s", !rc ? "an object is expected" : why[0] ? why : "empty");
}

static yajl_val member(yajl_val obj, const char *key, yajl_type type)
{
	const char *path[] = { key, NULL };

	return yajl_tree_get(obj, path, type);
}

const char *json_str(yajl_val obj, const char *key)
{
	return YAJL_GET_STRING(member(obj, key, yajl_t_string));
}

int json_int(yajl_val obj, const char *key, long long *ret)
{
	yajl_val v = member(obj, key, yajl_t_number);

	if (!YAJL_IS_INTEGER(v))
		return -ENOENT;
	*ret = YAJL_GET_INTEGER(v);
	return 0;
}
