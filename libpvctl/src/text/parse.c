/* SPDX-License-Identifier: MIT */
/* A configuration from the text of a config file: the language is config/'s, and what it says is set key by key. */
#include "config/schema.h"
#include "ctx/ctx.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

static int set_list(struct pvctl_config *c, const struct cfg_setting *s, struct pvctl_error *err)
{
	const char **texts = calloc(s->value.n + 1, sizeof(*texts));
	size_t i;
	int rc;

	if (!texts)
		return err_nomem(err);
	for (i = 0; i < s->value.n; i++)
		texts[i] = s->value.items[i].text;
	rc = pvctl_config_set_list(c, s->key, texts, s->value.n, err);
	free(texts);
	return rc;
}

static int set_one(struct pvctl_config *c, const struct cfg_key *key, const struct cfg_setting *s, struct pvctl_error *err)
{
	int64_t n;

	if (s->value.type == CFG_LIST)
		return set_list(c, s, err);
	if (key->kind == CFG_KIND_NUMBER && !cfg_value_number(&s->value, &n))
		return pvctl_config_set_int(c, s->key, n, err);
	return pvctl_config_set_str(c, s->key, s->value.text, err);
}

/* All that is wrong goes to diag. */
static int set_all(struct pvctl_config *c, const struct cfg_file *file, struct cfg_diag *diag)
{
	int failed = 0;
	size_t i;

	for (i = 0; i < file->n; i++) {
		const struct cfg_setting *s = &file->settings[i];
		const struct cfg_key *key = cfg_key_find(s->key);
		struct pvctl_error err = { 0 };
		int rc;

		if (!key || key->status != CFG_STATUS_SUPPORTED)
			continue;
		if (s->value.type != CFG_LIST && !s->value.text[0] && cfg_may_be_empty(key))
			continue;
		rc = set_one(c, key, s, &err);
		if (rc == -ENOMEM)
			return rc;
		if (rc) {
			cfg_report(diag, CFG_ERROR, &file->sources[s->value.pos.source], s->value.pos.offset, NULL, "%s", err.msg);
			failed = -EINVAL;
		}
	}
	return failed;
}

static void tell(const struct cfg_diag *diag, const struct pvctl_parse_opts *opts)
{
	static const int32_t levels[] = { [CFG_NOTE] = 2, [CFG_WARNING] = 1, [CFG_ERROR] = 0 };
	size_t i;

	for (i = 0; opts->message && i < diag->n; i++) {
		const struct cfg_message *m = &diag->messages[i];
		struct pvctl_parse_message told = { .size = sizeof(told), .level = levels[m->severity], .line = m->line,
			.column = m->col, .file = m->file, .text = m->text, .source_line = m->source_line ? m->source_line : "",
			.hint = m->hint };

		opts->message(opts->data, &told);
	}
}

/* The first thing that is wrong is what err says. */
static int failed(int rc, const struct cfg_diag *diag, struct pvctl_error *err)
{
	size_t i;

	if (rc == -ENOMEM || diag->out_of_memory)
		return err_nomem(err);
	if (rc == -E2BIG)
		return err_set(err, rc, PVCTL_ORIGIN_LIB, "more than %u bytes is no config file", CFG_TEXT_MAX);
	for (i = 0; i < diag->n; i++) {
		const struct cfg_message *m = &diag->messages[i];

		if (m->severity == CFG_ERROR)
			return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "%s:%u:%u: %s", m->file, m->line, m->col, m->text);
	}
	return err_set(err, -EINVAL, PVCTL_ORIGIN_LIB, "this is no config file");
}

int pvctl_config_parse(const char *text, size_t len, const struct pvctl_parse_opts *opts, struct pvctl_config **ret, struct pvctl_error *err)
{
	struct pvctl_parse_opts o;
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;
	struct pvctl_config *c = NULL;
	int rc;

	rc = opts_load(&o, sizeof(o), opts, err);
	if (rc)
		return rc;
	rc = cfg_parse(text, len, o.file ? o.file : "<text>", &file, &diag);
	if (!rc)
		rc = cfg_validate(file, o.strict ? CFG_STRICT : 0, &diag);
	if (!rc)
		rc = pvctl_config_new(&c, err);
	if (!rc)
		rc = set_all(c, file, &diag);
	tell(&diag, &o);
	if (rc || diag.out_of_memory) {
		rc = failed(rc, &diag, err);
		pvctl_config_free(c);
	} else {
		*ret = c;
	}
	cfg_diag_fini(&diag);
	cfg_free(file);
	return rc;
}
