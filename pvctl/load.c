/* SPDX-License-Identifier: MIT */
/* From the text of a config file to a pvctl_config. */
#include "pvctl/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "pvctl/cmd.h"
#include "pvctl/conf.h"

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

static bool names(const char *spec, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = spec; *p; p += strcspn(p, ","), p += *p == ',') {
		p += strspn(p, " \t");
		if (!strncmp(p, key, len) && strspn(p + len, " \t") + len == strcspn(p, "="))
			return true;
	}
	return false;
}

/* What pvctl.conf has for one that does not say; one with a link= of its own does. */
static char *complete_vif(const char *spec)
{
	const char *bridge = names(spec, "bridge") ? NULL : conf_text("vif.default.bridge");
	const char *script = names(spec, "script") ? NULL : conf_text("vif.default.script");
	char *ret;

	if (names(spec, "link"))
		bridge = script = NULL;
	return asprintf(&ret, "%s%s%s%s%s%s", spec, bridge && spec[0] ? "," : "", bridge ? "bridge=" : "", bridge ? bridge : "",
			script ? spec[0] || bridge ? ",script=" : "script=" : "", script ? script : "") < 0 ? NULL : ret;
}

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

static int set_vifs(struct target *t, const char *const *specs, size_t n)
{
	char **whole = calloc(n + 1, sizeof(*whole));
	int rc = whole ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < n; i++) {
		whole[i] = complete_vif(specs[i]);
		rc = whole[i] ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = pvctl_config_set_list(t->config, "vif", (const char *const *)whole, n, &t->err);
	for (size_t i = 0; whole && i < n; i++)
		free(whole[i]);
	free(whole);
	return rc;
}

static int set_list(void *data, const char *key, const char *const *values, size_t n, const char **ret_why)
{
	struct target *t = data;

	*ret_why = t->err.msg;
	if (!strcmp(key, "vif") && (conf_text("vif.default.bridge") || conf_text("vif.default.script")))
		return set_vifs(t, values, n);
	return pvctl_config_set_list(t->config, key, values, n, &t->err);
}

static const struct cfg_sink sink = { .text = set_text, .number = set_number, .list = set_list };

/* pvctl.conf's, for keys that the config does not have. Their ranges were checked when it was read. */
static int apply_conf(const struct cfg_file *file, struct pvctl_config *config)
{
	struct pvctl_error err = { 0 };
	const char *key;

	for (unsigned int i = 0; (key = conf_domain_key_at(i)); i++) {
		const char *text = conf_text(key);

		/* builder is the old name of type. */
		if (!text || cfg_find(file, key) || (!strcmp(key, "type") && cfg_find(file, "builder")))
			continue;
		if (conf_is_number(key) ? pvctl_config_set_int(config, key, conf_number(key, 0), &err) :
		                          pvctl_config_set_str(config, key, text, &err))
			return fail("pvctl.conf", key, &err);
	}
	return EXIT_OK;
}

static void print_messages(struct cfg_diag *diag, bool quiet)
{
	char *text = cfg_diag_format(diag, quiet || (globals.as_xl && !globals.verbose) ? CFG_WARNING : CFG_NOTE);

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
	struct target t = { 0 };
	int rc = cfg_validate(file, opts->strict ? CFG_STRICT : 0, diag);

	if (rc || conf_load())
		return EXIT_FAILED;
	if (pvctl_config_new(&t.config, &t.err))
		return fail("config", NULL, &t.err);
	rc = cfg_apply(file, &sink, &t, diag);
	if (rc == -ENOMEM)
		say_error("out of memory");
	if (!rc)
		rc = apply_conf(file, t.config);
	if (rc)
		pvctl_config_free(t.config);
	else
		*ret = t.config;
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
