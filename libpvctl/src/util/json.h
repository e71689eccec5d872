/* SPDX-License-Identifier: MIT */
/*
 * The few JSON needs of the library. Text is parsed by yajl, whose own code
 * writes through what its allocator gives without a look: here it gives
 * something or does not return. Text is written without yajl, for the same reason.
 */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include "libpvctl.h"
#include "util/buf.h"
#include <yajl/yajl_tree.h>

#define JSON_MAX_TEXT (1u << 20)
#define JSON_MAX_DEPTH 32u

/* The object in text; free with yajl_tree_free. -ENOMEM, -E2BIG or -EINVAL. */
int json_parse_object(const char *text, yajl_val *ret, struct pvctl_error *err);
/* Members of an object; NULL or false where absent or of another type. */
const char *json_str(yajl_val obj, const char *key);
int json_int(yajl_val obj, const char *key, long long *ret);

/* The first failure is kept in rc: -ENOMEM, or -EINVAL for a text that is not UTF-8. All zeroes is an empty one. */
struct json_out {
	struct buf b;
	int rc;
};
void json_out_open(struct json_out *o, char bracket);  /* { or [ */
void json_out_close(struct json_out *o, char bracket); /* } or ] */
void json_out_key(struct json_out *o, const char *key);
void json_out_str(struct json_out *o, const char *s);
void json_out_int(struct json_out *o, long long v);
/* rc; the text is malloc'd. o is empty again. */
int json_out_take(struct json_out *o, char **ret_text);

#endif
