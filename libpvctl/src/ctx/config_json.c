/* SPDX-License-Identifier: MIT */
/* A configuration as one JSON object: {"name": "web1", "memory": 256, "cpus": ["0", "1"]}. */
#include "ctx/ctx.h"
#include "util/err.h"
#include "util/json.h"
#include <stdlib.h>
#include <string.h>

static void put_value(struct json_out *o, const struct config_value *v)
{
	size_t j;

	if (v->list) {
		json_out_open(o, '[');
		for (j = 0; j < v->n; j++)
			json_out_str(o, v->list[j]);
		json_out_close(o, ']');
	} else if (v->str) {
		json_out_str(o, v->str);
	} else {
		json_out_int(o, v->num);
	}
}

int pvctl_config_to_json(const struct pvctl_config *c, char **ret_text, struct pvctl_error *err)
{
	struct json_out o = { .rc = 0 };
	const char *last = "";
	int rc, i;

	json_out_open(&o, '{');
	for (i = 0; config_keys[i].name && !o.rc; i++) {
		if (!c->value[i].set)
			continue;
		last = config_keys[i].name;
		json_out_key(&o, last);
		put_value(&o, &c->value[i]);
	}
	json_out_close(&o, '}');
	rc = json_out_take(&o, ret_text);
	if (rc == -EINVAL)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "%s: the value is not UTF-8", last);
	return rc ? err_nomem(err) : 0;
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
