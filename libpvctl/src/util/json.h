/* SPDX-License-Identifier: MIT */
/* The few JSON needs of the library, over yajl. */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include "libpvctl.h"
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#define JSON_MAX_TEXT (1u << 20)

/* The object in text; free with yajl_tree_free. */
int json_parse_object(const char *text, yajl_val *ret, struct pvctl_error *err);
/* Members of an object; NULL or false where absent or of another type. */
const char *json_str(yajl_val obj, const char *key);
int json_int(yajl_val obj, const char *key, long long *ret);

yajl_gen json_gen_new(void);
int json_gen_str(yajl_gen g, const char *s);          /* 0 or -EINVAL (not UTF-8), -ENOMEM */
int json_gen_take(yajl_gen g, char **ret_text);       /* a malloc'd copy; frees g */

#endif
