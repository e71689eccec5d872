/* SPDX-License-Identifier: MIT */
/* What a file says, value by value, to whoever keeps it. */
#include "config/schema.h"

#include <errno.h>
#include <stdlib.h>

static int apply_list(const struct cfg_setting *s, const struct cfg_sink *to, void *data, const char **why)
{
	const char **texts = calloc(s->value.n + 1, sizeof(*texts));
	int rc;

	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < s->value.n; i++)
		texts[i] = s->value.items[i].text;
	rc = to->list(data, s->key, texts, s->value.n, why);
	free(texts);
	return rc;
}

static int apply_one(const struct cfg_setting *s, const struct cfg_key *key, const struct cfg_sink *to, void *data, const char **why)
{
	int64_t n;

	if (s->value.type == CFG_LIST)
		return apply_list(s, to, data, why);
	if (key->kind == CFG_KIND_NUMBER && !cfg_value_number(&s->value, &n))
		return to->number(data, s->key, n, why);
	return to->text(data, s->key, s->value.text, why);
}

int cfg_apply(const struct cfg_file *file, const struct cfg_sink *to, void *data, struct cfg_diag *diag)
{
	int failed = 0;

	for (size_t i = 0; i < file->n; i++) {
		const struct cfg_setting *s = &file->settings[i];
		const struct cfg_key *key = cfg_key_find(s->key);
		const char *why = "";
		int rc;

		if (!key || key->status != CFG_STATUS_SUPPORTED)
			continue;
		if (s->value.type != CFG_LIST && !s->value.text[0] && cfg_may_be_empty(key))
			continue;
		rc = apply_one(s, key, to, data, &why);
		if (rc == -ENOMEM)
			return rc;
		if (rc) {
			cfg_report(diag, CFG_ERROR, &file->sources[s->value.pos.source], s->value.pos.offset, NULL, "%s", why);
			failed = -EINVAL;
		}
	}
	return failed;
}
