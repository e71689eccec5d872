/* SPDX-License-Identifier: MIT */
/* A configuration from the text of a config file: the language is config/'s, and what it says is set key by key. */
#include "config/schema.h"
#include "ctx/ctx.h"
#include "util/err.h"
#include <stdlib.h>
#include <string.h>

struct target {
	struct pvctl_config *config;
	struct pvctl_error err;
};

static int set_text(void *data, const char *key, const char *value, const char **ret_why)
{
	struct target *t = data;

	*ret_why = t->err.msg;
	return pvctl_config_set_str(t->config, key, value, &t->err);
}

static int set_number(void *data, const char *key, int64_t value, const char **ret_why)
{
	struct target *t = data;

	*ret_why = t->err.msg;
	return pvctl_config_set_int(t->config, key, value, &t->err);
}

static int set_list(void *data, const char *key, const char *const *values, size_t n, const char **ret_why)
{
	struct target *t = data;

	*ret_why = t->err.msg;
	return pvctl_config_set_list(t->config, key, values, n, &t->err);
}

static const struct cfg_sink sink = { .text = set_text, .number = set_number, .list = set_list };

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
	struct target t = { 0 };
	int rc;

	rc = opts_load(&o, sizeof(o), opts, err);
	if (rc)
		return rc;
	rc = cfg_parse(text, len, o.file ? o.file : "<text>", &file, &diag);
	if (!rc)
		rc = cfg_validate(file, o.strict ? CFG_STRICT : 0, &diag);
	if (!rc)
		rc = pvctl_config_new(&t.config, err);
	if (!rc)
		rc = cfg_apply(file, &sink, &t, &diag);
	tell(&diag, &o);
	if (rc || diag.out_of_memory) {
		rc = failed(rc, &diag, err);
		pvctl_config_free(t.config);
	} else {
		*ret = t.config;
	}
	cfg_diag_fini(&diag);
	cfg_free(file);
	return rc;
}
