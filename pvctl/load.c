/* SPDX-License-Identifier: MIT */
/* From the text of a config file to a pvctl_config. */
#include "pvctl/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "pvctl/cmd.h"

static int read_all(FILE *in, char **ret, size_t *ret_len)
{
	/* One byte more than is taken, so that a longer text is noticed. */
	size_t room = CFG_TEXT_MAX + 1, len;
	char *text = malloc(room);

	if (!text)
		return -ENOMEM;
	len = fread(text, 1, room, in);
	if (ferror(in)) {
		free(text);
		return -EIO;
	}
	*ret = text;
	*ret_len = len;
	return 0;
}

static int read_file(const char *name, char **ret, size_t *ret_len)
{
	bool is_stdin = !strcmp(name, "-");
	FILE *in = is_stdin ? stdin : fopen(name, "re");
	int rc;

	if (!in) {
		fprintf(stderr, "Failed to read config file: %s: %s\n", name, strerror(errno));
		return LOAD_NO_FILE;
	}
	rc = read_all(in, ret, ret_len);
	if (rc)
		fprintf(stderr, "Failed to read config file: %s: %s\n", name, strerror(-rc));
	if (!is_stdin)
		fclose(in);
	return rc ? LOAD_NO_FILE : 0;
}

static int parse_all(const struct load_opts *opts, struct cfg_file **ret, struct cfg_diag *diag)
{
	const char *shown = opts->filename && !strcmp(opts->filename, "-") ? "<stdin>" : opts->filename;
	char *text = NULL;
	size_t len = 0;
	int rc = 0;

	if (opts->filename) {
		if (!opts->quiet)
			fprintf(stderr, "Parsing config from %s\n", shown);
		rc = read_file(opts->filename, &text, &len);
		if (rc)
			return rc;
	}
	rc = cfg_parse(text ? text : "", len, shown ? shown : "<none>", ret, diag);
	free(text);
	for (int i = 0; !rc && i < opts->n_overrides; i++) {
		rc = cfg_parse_more(*ret, opts->overrides[i], strlen(opts->overrides[i]), "<command line>",
				    CFG_BARE_VALUES | CFG_OVERRIDE, diag);
		if (rc) {
			cfg_free(*ret);
			*ret = NULL;
		}
	}
	if (rc == -E2BIG)
		say_error("%s: more than 1 MiB is no config file", shown ? shown : "<command line>");
	else if (rc == -ENOMEM)
		say_error("out of memory");
	return rc;
}

static int set_list(struct pvctl_config *config, const struct cfg_setting *s, struct pvctl_error *err)
{
	const char **texts = calloc(s->value.n + 1, sizeof(*texts));
	int rc;

	if (!texts) {
		snprintf(err->msg, sizeof(err->msg), "out of memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < s->value.n; i++)
		texts[i] = s->value.items[i].text;
	rc = pvctl_config_set_list(config, s->key, texts, s->value.n, err);
	free(texts);
	return rc;
}

static int set_one(struct pvctl_config *config, const struct cfg_key *key, const struct cfg_setting *s,
		   struct pvctl_error *err)
{
	int64_t n;

	if (s->value.type == CFG_LIST)
		return set_list(config, s, err);
	if (key->kind == CFG_KIND_NUMBER && !cfg_value_number(&s->value, &n))
		return pvctl_config_set_int(config, s->key, n, err);
	return pvctl_config_set_str(config, s->key, s->value.text, err);
}

static int apply(const struct cfg_file *file, struct pvctl_config *config, struct cfg_diag *diag)
{
	int failed = 0;

	for (size_t i = 0; i < file->n; i++) {
		const struct cfg_setting *s = &file->settings[i];
		const struct cfg_key *key = cfg_key_find(s->key);
		struct pvctl_error err = { 0 };
		int rc;

		if (!key || key->status != CFG_STATUS_SUPPORTED)
			continue;
		if (s->value.type != CFG_LIST && !s->value.text[0] && cfg_may_be_empty(key))
			continue;
		rc = set_one(config, key, s, &err);
		if (rc) {
			cfg_report(diag, CFG_ERROR, &file->sources[s->value.pos.source], s->value.pos.offset, NULL, "%s",
				   err.msg[0] ? err.msg : strerror(-rc));
			failed = EXIT_FAILED;
		}
	}
	return failed;
}

static void print_messages(struct cfg_diag *diag, bool quiet)
{
	char *text = cfg_diag_format(diag, quiet ? CFG_WARNING : CFG_NOTE);

	if (text)
		fputs(text, stderr);
	free(text);
	if (diag->errors)
		fprintf(stderr, "Failed to parse config: %u error%s\n", diag->errors, diag->errors == 1 ? "" : "s");
	cfg_diag_fini(diag);
}

int config_read(const struct load_opts *opts, struct cfg_file **ret)
{
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;
	int rc = parse_all(opts, &file, &diag);

	if (!rc)
		rc = cfg_validate(file, opts->strict ? CFG_STRICT : 0, &diag);
	print_messages(&diag, opts->quiet);
	if (rc)
		cfg_free(file);
	else
		*ret = file;
	return rc < 0 ? EXIT_FAILED : rc;
}

static int build(const struct cfg_file *file, const struct load_opts *opts, struct pvctl_config **ret,
		 struct cfg_diag *diag)
{
	struct pvctl_error err = { 0 };
	struct pvctl_config *config;
	int rc = cfg_validate(file, opts->strict ? CFG_STRICT : 0, diag);

	if (rc)
		return EXIT_FAILED;
	if (pvctl_config_new(&config, &err))
		return fail("config", NULL, &err);
	rc = apply(file, config, diag);
	if (rc)
		pvctl_config_free(config);
	else
		*ret = config;
	return rc;
}

int config_load(const struct load_opts *opts, struct pvctl_config **ret)
{
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;
	int rc = parse_all(opts, &file, &diag);

	if (!rc)
		rc = build(file, opts, ret, &diag);
	print_messages(&diag, opts->quiet);
	cfg_free(file);
	return rc < 0 ? EXIT_FAILED : rc;
}
