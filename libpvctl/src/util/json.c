/* SPDX-License-Identifier: MIT */
#include "util/json.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

int json_parse_object(const char *text, yajl_val *ret, struct pvctl_error *err)
{
	char why[160] = "";
	yajl_val v;

	if (strlen(text) > JSON_MAX_TEXT)
		return err_set(err, -E2BIG, PVCTL_ORIGIN_LIB, "JSON text of more than %u bytes", JSON_MAX_TEXT);
	v = yajl_tree_parse(text, why, sizeof(why));
	if (!v) {
		why[strcspn(why, "\n")] = '\0';
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "JSON: %s", why[0] ? why : "empty");
	}
	if (!YAJL_IS_OBJECT(v)) {
		yajl_tree_free(v);
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "JSON: an object is expected");
	}
	*ret = v;
	return 0;
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

yajl_gen json_gen_new(void)
{
	yajl_gen g = yajl_gen_alloc(NULL);

	if (g)
		yajl_gen_config(g, yajl_gen_validate_utf8, 1);
	return g;
}

int json_gen_str(yajl_gen g, const char *s)
{
	yajl_gen_status st = yajl_gen_string(g, (const unsigned char *)s, strlen(s));

	return st == yajl_gen_status_ok ? 0 : -EINVAL;
}

int json_gen_take(yajl_gen g, char **ret_text)
{
	const unsigned char *text;
	size_t len;
	char *copy = NULL;

	if (yajl_gen_get_buf(g, &text, &len) == yajl_gen_status_ok)
		copy = strndup((const char *)text, len);
	yajl_gen_free(g);
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}
