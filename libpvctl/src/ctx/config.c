/* SPDX-License-Identifier: MIT */
#include "ctx/ctx.h"
#include "util/err.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LIST 64
#define MAX_DEVICES 256

int pvctl_config_new(struct pvctl_config **ret, struct pvctl_error *err)
{
	struct pvctl_config *c = calloc(1, sizeof(*c));

	if (!c)
		return err_nomem(err);
	*ret = c;
	return 0;
}

static void free_list(char **list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static void clear(struct config_value *v)
{
	free(v->str);
	free_list(v->list, v->n);
	memset(v, 0, sizeof(*v));
}

void pvctl_config_free(struct pvctl_config *c)
{
	unsigned int i;

	if (!c)
		return;
	for (i = 0; i < CONFIG_KEYS; i++)
		clear(&c->value[i]);
	free(c);
}

int config_find(const char *key, struct pvctl_error *err)
{
	int i;

	for (i = 0; config_keys[i].name; i++)
		if (strcmp(config_keys[i].name, key) == 0)
			return i;
	if (config_key_of_xl(key))
		return err_set(err, -ENOSYS, PVCTL_ORIGIN_LIB, "key \"%s\" is not supported yet", key);
	return err_set(err, -ENOENT, PVCTL_ORIGIN_LIB, "there is no key \"%.80s\"", key);
}

const struct config_value *config_value(const struct pvctl_config *c, const char *key)
{
	int i = config_find(key, NULL);

	return i >= 0 && c->value[i].set ? &c->value[i] : NULL;
}

static int set_number(struct pvctl_config *c, int i, int64_t value, struct pvctl_error *err)
{
	const struct config_key *k = &config_keys[i];
	char text[24];
	int rc;

	if (value < k->min || value > k->max)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s=%lld: must be %lld to %lld", k->name, (long long)value,
		               (long long)k->min, (long long)k->max);
	snprintf(text, sizeof(text), "%lld", (long long)value);
	rc = k->check ? k->check(k->name, text, err) : 0;
	if (rc)
		return rc;
	c->value[i].set = true;
	c->value[i].num = value;
	return 0;
}

int pvctl_config_set_int(struct pvctl_config *c, const char *key, int64_t value, struct pvctl_error *err)
{
	char text[24];
	int i = config_find(key, err);

	if (i < 0)
		return i;
	if (config_keys[i].type == CONFIG_INT)
		return set_number(c, i, value, err);
	if (config_keys[i].type == CONFIG_CPUS) {
		snprintf(text, sizeof(text), "%lld", (long long)value);
		return pvctl_config_set_str(c, key, text, err);
	}
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: a text is expected, not a number", key);
}

/* xl takes memory="512", so a text that is a number all through will do. */
static int set_number_text(struct pvctl_config *c, int i, const char *value, struct pvctl_error *err)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(value, &end, 0);
	if (isspace((unsigned char)value[0]) || end == value || *end || errno)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s=\"%.60s\": not a number", config_keys[i].name, value);
	return set_number(c, i, v, err);
}

/* As xl takes bootloader_args="--entry=1 -q". */
static int set_words(struct pvctl_config *c, const char *key, const char *value, struct pvctl_error *err)
{
	char *copy = strdup(value), *word, *save = NULL;
	const char *words[MAX_LIST];
	size_t n = 0;
	int rc;

	if (!copy)
		return err_nomem(err);
	for (word = strtok_r(copy, " \t\n", &save); word && n < MAX_LIST; word = strtok_r(NULL, " \t\n", &save))
		words[n++] = word;
	rc = word ? err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: more than %d words", key, MAX_LIST) :
	     pvctl_config_set_list(c, key, words, n, err);
	free(copy);
	return rc;
}

int pvctl_config_set_str(struct pvctl_config *c, const char *key, const char *value, struct pvctl_error *err)
{
	int rc = 0, i = config_find(key, err);
	const struct config_key *k;
	uint64_t mask;
	char *copy;

	if (i < 0)
		return i;
	k = &config_keys[i];
	if (k->type == CONFIG_INT)
		return set_number_text(c, i, value, err);
	if (k->type == CONFIG_LIST && k->words)
		return set_words(c, key, value, err);
	if (k->type == CONFIG_LIST)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: a list is expected, [\"...\"]", key);
	if (k->type == CONFIG_CPUS) {
		rc = cpulist_parse(value, &mask, err);
		if (rc)
			return err_wrap(err, rc, "%s", key);
	} else if (k->check) {
		rc = k->check(key, value, err);
	}
	if (rc)
		return rc;
	copy = strdup(value);
	if (!copy)
		return err_nomem(err);
	clear(&c->value[i]);
	c->value[i].set = true;
	c->value[i].str = copy;
	return 0;
}

static int check_list(const struct config_key *k, const char *const *values, size_t n, struct pvctl_error *err)
{
	uint64_t mask;
	int rc = 0;

	if (k->type != CONFIG_CPUS && k->type != CONFIG_LIST && k->type != CONFIG_EITHER)
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: one value is expected, not a list", k->name);
	if (n < (k->type == CONFIG_CPUS) || n > (k->type == CONFIG_CPUS ? MAX_LIST : MAX_DEVICES))
		return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s: a list of %zu items; 1 to %d are allowed", k->name, n,
		               k->type == CONFIG_CPUS ? MAX_LIST : MAX_DEVICES);
	if (k->type != CONFIG_CPUS)
		return k->check_list(k->name, values, n, err);
	for (size_t j = 0; j < n && !rc; j++)
		rc = cpulist_parse(values[j], &mask, err);
	return rc ? err_wrap(err, rc, "%s", k->name) : 0;
}

int pvctl_config_set_list(struct pvctl_config *c, const char *key, const char *const *values, size_t n,
                          struct pvctl_error *err)
{
	int rc, i = config_find(key, err);
	char **list;
	size_t j;

	if (i < 0)
		return i;
	rc = check_list(&config_keys[i], values, n, err);
	if (rc)
		return rc;
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return err_nomem(err);
	for (j = 0; j < n; j++) {
		list[j] = strdup(values[j]);
		if (!list[j]) {
			free_list(list, j);
			return err_nomem(err);
		}
	}
	clear(&c->value[i]);
	c->value[i].set = true;
	c->value[i].list = list;
	c->value[i].n = n;
	return 0;
}

const char *pvctl_config_get_str(const struct pvctl_config *c, const char *key)
{
	const struct config_value *v = config_value(c, key);

	return v ? v->str : NULL;
}

const char *pvctl_config_get_item(const struct pvctl_config *c, const char *key, size_t i)
{
	const struct config_value *v = config_value(c, key);

	return v && i < v->n ? v->list[i] : NULL;
}

int pvctl_config_get_int(const struct pvctl_config *c, const char *key, int64_t *ret)
{
	int i = config_find(key, NULL);

	if (i < 0)
		return i;
	if (config_keys[i].type != CONFIG_INT)
		return -EINVAL;
	if (!c->value[i].set)
		return -ENOENT;
	*ret = c->value[i].num;
	return 0;
}

int64_t config_int_or(const struct pvctl_config *c, const char *key, int64_t otherwise)
{
	const struct config_value *v = config_value(c, key);

	return v ? v->num : otherwise;
}

int config_copy(const struct pvctl_config *c, struct pvctl_config **ret, struct pvctl_error *err)
{
	struct pvctl_config *n;
	int rc, i;

	rc = pvctl_config_new(&n, err);
	if (rc)
		return rc;
	for (i = 0; config_keys[i].name && !rc; i++) {
		const struct config_value *v = &c->value[i];

		if (v->list)
			rc = pvctl_config_set_list(n, config_keys[i].name, (const char *const *)v->list, v->n, err);
		else if (v->str)
			rc = pvctl_config_set_str(n, config_keys[i].name, v->str, err);
		else
			n->value[i] = *v;
	}
	if (rc)
		pvctl_config_free(n);
	else
		*ret = n;
	return rc;
}

char *config_cmdline(const struct pvctl_config *c)
{
	const char *all = pvctl_config_get_str(c, "cmdline");
	const char *root = pvctl_config_get_str(c, "root");
	const char *extra = pvctl_config_get_str(c, "extra");
	char *text;

	if (all)
		return strdup(all);
	if (asprintf(&text, "%s%s%s%s", root ? "root=" : "", root ? root : "", root && extra ? " " : "",
	             extra ? extra : "") < 0)
		return NULL;
	return text;
}

uint64_t config_affinity(const struct pvctl_config *c, const char *key, unsigned int vcpu)
{
	const struct config_value *v = config_value(c, key);
	const char *text = !v ? NULL : v->str ? v->str : vcpu < v->n ? v->list[vcpu] : NULL;
	uint64_t mask;

	return text && !cpulist_parse(text, &mask, NULL) ? mask : ~0ull;
}
