/* SPDX-License-Identifier: MIT */
/* A configuration as one JSON object: {"name": "web1", "memory": 256, "cpus": ["0", "1"]}. */
#include "ctx/ctx.h"
#include "util/err.h"
#include "util/json.h"
#include <stdlib.h>
#include <string.h>

static int put_value(yajl_gen g, const struct config_value *v)
{
	size_t j;
	int rc = 0;

	if (v->list) {
		yajl_gen_array_open(g);
		for (j = 0; j < v->n && !rc; j++)
			rc = json_gen_str(g, v->list[j]);
		yajl_gen_array_close(g);
	} else if (v->str) {
		rc = json_gen_str(g, v->str);
	} else {
		yajl_gen_integer(g, v->num);
	}
	return rc;
}

int pvctl_config_to_json(const struct pvctl_config *c, char **ret_text, struct pvctl_error *err)
{
	yajl_gen g = json_gen_new();
	int rc = 0, i;

	if (!g)
		return err_nomem(err);
	yajl_gen_map_open(g);
	for (i = 0; config_keys[i].name && !rc; i++) {
		if (!c->value[i].set)
			continue;
		rc = json_gen_str(g, config_keys[i].name);
		if (!rc)
			rc = put_value(g, &c->value[i]);
		if (rc)
			err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: the value is not UTF-8", config_keys[i].name);
	}
	yajl_gen_map_close(g);
	if (rc) {
		yajl_gen_free(g);
		return -EINVAL;
	}
	return json_gen_take(g, ret_text) ? err_nomem(err) : 0;
}

static int set_array(struct pvctl_config *c, const char *key, yajl_val v, struct pvctl_error *err)
{
	size_t n = v->u.array.len, i;
	const char **values;
	int rc = 0;

	if (n > 1024)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: a list of %zu items is too long", key, n);
	values = calloc(n + 1, sizeof(*values));
	if (!values)
		return err_nomem(err);
	for (i = 0; i < n && !rc; i++) {
		values[i] = YAJL_GET_STRING(v->u.array.values[i]);
		if (!values[i])
			rc = err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: item %zu is not a text", key, i + 1);
	}
	if (!rc)
		rc = pvctl_config_set_list(c, key, values, n, err);
	free(values);
	return rc;
}

static int set_member(struct pvctl_config *c, const char *key, yajl_val v, struct pvctl_error *err)
{
	if (YAJL_IS_STRING(v))
		return pvctl_config_set_str(c, key, YAJL_GET_STRING(v), err);
	if (YAJL_IS_INTEGER(v))
		return pvctl_config_set_int(c, key, YAJL_GET_INTEGER(v), err);
	if (YAJL_IS_ARRAY(v))
		return set_array(c, key, v, err);
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%.80s: a text, a whole number or a list is expected", key);
}

int pvctl_config_from_json(const char *text, struct pvctl_config **ret, struct pvctl_error *err)
{
	struct pvctl_config *c;
	yajl_val obj;
	size_t i;
	int rc;

	rc = json_parse_object(text, &obj, err);
	if (rc)
		return rc;
	rc = pvctl_config_new(&c, err);
	if (!rc) {
		for (i = 0; i < obj->u.object.len && !rc; i++)
			rc = set_member(c, obj->u.object.keys[i], obj->u.object.values[i], err);
		if (rc)
			pvctl_config_free(c);
		else
			*ret = c;
	}
	yajl_tree_free(obj);
	return rc;
}
