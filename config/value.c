/* SPDX-License-Identifier: MIT */
#include "config/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void value_fini(struct cfg_value *value)
{
	for (size_t i = 0; i < value->n; i++)
		value_fini(&value->items[i]);
	free(value->items);
	free(value->text);
	*value = (struct cfg_value){ 0 };
}

void setting_fini(struct cfg_setting *setting)
{
	free(setting->key);
	value_fini(&setting->value);
	*setting = (struct cfg_setting){ 0 };
}

/* Room for one more: grows at each power of two, so that hostile lists cost linear time. */
static void *grow(void *array, size_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return reallocarray(array, n ? n * 2 : 1, size);
}

int value_append(struct cfg_value *list, struct cfg_value *item)
{
	struct cfg_value *more = grow(list->items, list->n, sizeof(*more));

	if (!more)
		return -ENOMEM;
	list->items = more;
	list->items[list->n++] = *item;
	*item = (struct cfg_value){ 0 };
	return 0;
}

int file_add_source(struct cfg_file *file, const char *text, size_t len, const char *name)
{
	struct cfg_source source = { .len = len };
	struct cfg_source *more = reallocarray(file->sources, file->n_sources + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	file->sources = more;
	source.name = strdup(name);
	source.text = malloc(len + 1);
	if (!source.name || !source.text) {
		free(source.name);
		free(source.text);
		return -ENOMEM;
	}
	if (len)
		memcpy(source.text, text, len);
	source.text[len] = '\0';
	file->sources[file->n_sources++] = source;
	return 0;
}

static int join_lists(struct cfg_value *to, struct cfg_value *from)
{
	for (size_t i = 0; i < from->n; i++) {
		int rc = value_append(to, &from->items[i]);

		if (rc)
			return rc;
	}
	return 0;
}

static int join_texts(struct cfg_value *to, const struct cfg_value *from)
{
	char *text;

	if (asprintf(&text, "%s%s", to->text, from->text) < 0)
		return -ENOMEM;
	free(to->text);
	to->text = text;
	return 0;
}

static int store_append(struct cfg_file *file, struct cfg_setting *old, struct cfg_setting *setting,
			struct cfg_diag *diag)
{
	const struct cfg_source *source = &file->sources[setting->pos.source];
	bool was_list = old->value.type == CFG_LIST, is_list = setting->value.type == CFG_LIST;
	int rc;

	if (was_list != is_list) {
		cfg_report(diag, CFG_ERROR, source, setting->value.pos.offset, NULL,
			   was_list ? "`%s' is a list: only a list can be added to it"
				    : "`%s' is not a list: no list can be added to it", setting->key);
		return -EINVAL;
	}
	if (!is_list && strlen(old->value.text) + strlen(setting->value.text) > CFG_JOINED_MAX) {
		cfg_report(diag, CFG_ERROR, source, setting->pos.offset, NULL, "`%s' is too long", setting->key);
		return -EINVAL;
	}
	rc = is_list ? join_lists(&old->value, &setting->value) : join_texts(&old->value, &setting->value);
	if (rc)
		return rc;
	if (old->value.type == CFG_NUMBER && setting->value.type == CFG_NUMBER)
		cfg_report(diag, CFG_WARNING, source, setting->pos.offset, NULL,
			   "`+=' joins texts and does not add: `%s' is now %s", setting->key, old->value.text);
	else if (!is_list)
		old->value.type = CFG_STRING;
	setting_fini(setting);
	return 0;
}

int file_store(struct cfg_file *file, struct cfg_setting *setting, bool append, unsigned int flags,
	       struct cfg_diag *diag)
{
	struct cfg_setting *old = (struct cfg_setting *)cfg_find(file, setting->key), *more;

	if (old && append)
		return store_append(file, old, setting, diag);
	if (old) {
		if (!(flags & CFG_OVERRIDE))
			cfg_report(diag, CFG_NOTE, &file->sources[setting->pos.source], setting->pos.offset, NULL,
				   "`%s' was set before: this one counts", setting->key);
		setting_fini(old);
		*old = *setting;
		*setting = (struct cfg_setting){ 0 };
		return 0;
	}
	if (file->n == CFG_SETTINGS_MAX) {
		cfg_report(diag, CFG_ERROR, &file->sources[setting->pos.source], setting->pos.offset, NULL, "too many keys");
		return -EINVAL;
	}
	more = grow(file->settings, file->n, sizeof(*more));
	if (!more)
		return -ENOMEM;
	file->settings = more;
	file->settings[file->n++] = *setting;
	*setting = (struct cfg_setting){ 0 };
	return 0;
}

const struct cfg_setting *cfg_find(const struct cfg_file *file, const char *key)
{
	for (size_t i = 0; i < file->n; i++)
		if (!strcmp(file->settings[i].key, key))
			return &file->settings[i];
	return NULL;
}

int cfg_value_number(const struct cfg_value *value, int64_t *ret)
{
	char *end;
	long long n;

	if (value->type == CFG_LIST || !value->text[0])
		return -EINVAL;
	/* Newer C libraries take 0b11, which xl never did. */
	if (value->text[0] == '0' && (value->text[1] == 'b' || value->text[1] == 'B'))
		return -EINVAL;
	errno = 0;
	n = strtoll(value->text, &end, 0);
	if (errno || *end)
		return -EINVAL;
	*ret = n;
	return 0;
}

void cfg_free(struct cfg_file *file)
{
	if (!file)
		return;
	for (size_t i = 0; i < file->n; i++)
		setting_fini(&file->settings[i]);
	for (size_t i = 0; i < file->n_sources; i++) {
		free(file->sources[i].name);
		free(file->sources[i].text);
	}
	free(file->settings);
	free(file->sources);
	free(file);
}

char *cfg_quote(const char *text)
{
	static const char special[] = "\\\"\a\b\f\n\r\t\v", letters[] = "\\\"abfnrtv";
	char *ret = malloc(2 * strlen(text) + 3), *to = ret;

	if (!ret)
		return NULL;
	*to++ = '"';
	for (; *text; text++) {
		const char *at = strchr(special, *text);

		if (at)
			*to++ = '\\';
		*to++ = at ? letters[at - special] : *text;
	}
	*to++ = '"';
	*to = '\0';
	return ret;
}
