/* SPDX-License-Identifier: MIT */
/* Each key with its value and where that is from. The table is a config file itself: what a key has by default is a comment. */
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/conf.h"
#include "pvctl/json.h"
#include "pvctl/load.h"

enum { OPT_SET, OPT_JSON };
static const struct option_def options[] = {
	[OPT_SET] = { 's', "set", NULL, "only what is set, no defaults" },
	[OPT_JSON] = { 0, "json", NULL, "as JSON" },
	{ 0 }
};

struct origin {
	const char *name, *file; /* file NULL: it is in none */
	uint32_t line, col;
};

static struct origin origin_of(const struct cfg_file *file, const struct cfg_setting *s)
{
	const struct cfg_source *source = &file->sources[s->value.pos.source];
	struct origin o = { .name = "command line" };

	/* The first text is the file's; the command line's follow, each a text of its own. */
	if (!s->value.pos.source) {
		o.name = "file";
		o.file = source->name;
		cfg_where(source, s->value.pos.offset, &o.line, &o.col);
	}
	return o;
}

static int put_value(const struct cfg_value *v)
{
	int rc = EXIT_OK;

	if (v->type == CFG_NUMBER)
		fputs(v->text, stdout);
	else if (v->type == CFG_STRING)
		return put_quoted(v->text);
	if (v->type != CFG_LIST)
		return EXIT_OK;
	fputs("[", stdout);
	for (size_t i = 0; !rc && i < v->n; i++) {
		fputs(i ? ", " : " ", stdout);
		rc = put_value(&v->items[i]);
	}
	fputs(v->n ? " ]" : "]", stdout);
	return rc;
}

static void json_value(struct json *j, const char *key, const struct cfg_value *v)
{
	int64_t n;

	if (v->type == CFG_LIST) {
		json_array(j, key);
		for (size_t i = 0; i < v->n; i++)
			json_value(j, NULL, &v->items[i]);
		json_end_array(j);
	} else if (v->type == CFG_NUMBER && !cfg_value_number(v, &n) && n >= 0) {
		json_u64(j, key, (uint64_t)n);
	} else {
		json_str(j, key, v->text);
	}
}

static void json_origin(struct json *j, const struct origin *o)
{
	json_str(j, "origin", o->name);
	if (!o->file)
		return;
	json_str(j, "file", o->file);
	json_u64(j, "line", o->line);
	json_u64(j, "column", o->col);
}

static int show_setting(struct json *j, const struct cfg_file *file, const struct cfg_setting *s)
{
	const struct cfg_key *key = cfg_key_find(s->key);
	struct origin o = origin_of(file, s);
	int rc;

	if (j) {
		json_map(j, NULL);
		json_str(j, "name", s->key);
		json_value(j, "value", &s->value);
		json_str(j, "status", key ? cfg_status_name(key->status) : "unknown");
		json_origin(j, &o);
		json_end_map(j);
		return EXIT_OK;
	}
	printf("%s = ", s->key);
	rc = put_value(&s->value);
	if (o.file)
		printf("  # %s:%u", o.file, o.line);
	else
		printf("  # %s", o.name);
	printf(key && key->status == CFG_STATUS_SUPPORTED ? "\n" : ", %s\n", key ? cfg_status_name(key->status) : "unknown");
	return rc;
}

static void show_default(struct json *j, const struct cfg_key *key)
{
	if (j) {
		json_map(j, NULL);
		json_str(j, "name", key->name);
		json_str(j, "value", key->fallback);
		json_str(j, "status", cfg_status_name(key->status));
		json_str(j, "origin", "default");
		json_end_map(j);
	} else {
		printf("#%s = %s  # default\n", key->name, key->fallback);
	}
}

static void show_conf(struct json *j, const char *key)
{
	struct origin o = { .name = "pvctl.conf" };

	if (!conf_where(key, &o.file, &o.line, &o.col))
		return;
	if (j) {
		json_map(j, NULL);
		json_str(j, "name", key);
		if (conf_is_number(key))
			json_u64(j, "value", (uint64_t)conf_number(key, 0));
		else
			json_str(j, "value", conf_text(key));
		json_str(j, "status", cfg_status_name(CFG_STATUS_SUPPORTED));
		json_origin(j, &o);
		json_end_map(j);
	} else if (conf_is_number(key)) {
		printf("%s = %lld  # %s:%u\n", key, (long long)conf_number(key, 0), o.file, o.line);
	} else {
		printf("%s = \"%s\"  # %s:%u\n", key, conf_text(key), o.file, o.line);
	}
}

static int show_all(struct json *j, const struct cfg_file *file, bool defaults)
{
	const struct cfg_key *key;
	const char *name;
	int rc = EXIT_OK;

	for (size_t i = 0; !rc && i < file->n; i++)
		rc = show_setting(j, file, &file->settings[i]);
	for (unsigned int i = 0; !rc && (name = conf_domain_key_at(i)); i++)
		if (!cfg_find(file, name))
			show_conf(j, name);
	for (size_t i = 0; !rc && defaults && (key = cfg_key_at(i)); i++)
		if (key->status == CFG_STATUS_SUPPORTED && key->fallback && !cfg_find(file, key->name) && !conf_text(key->name))
			show_default(j, key);
	return rc;
}

static int show_run(const struct command *cmd, const struct parsed *in)
{
	struct load_opts load = {
		.filename = in->argv[0], .overrides = in->argv + 1, .n_overrides = in->argc - 1, .quiet = true,
	};
	struct json *j = NULL;
	struct cfg_file *file;
	int rc = conf_load();

	if (!rc)
		rc = config_read(&load, &file);
	if (rc)
		return rc;
	if (in->count[OPT_JSON]) {
		j = json_open(true);
		if (!j) {
			cfg_free(file);
			return EXIT_FAILED;
		}
		json_listing(j, "keys");
	}
	rc = show_all(j, file, !in->count[OPT_SET]);
	cfg_free(file);
	if (!j)
		return rc;
	json_end_listing(j);
	return json_close(j);
}

const struct command cmd_config_show = {
	.group = "config", .name = "show", .args = "FILE [KEY=VALUE ...]",
	.summary = "Show each key of a config file, its value, and where that is from",
	.example = "  pvctl config show web1.cfg memory=512",
	.options = options, .args_min = 1, .args_max = -1, .run = show_run,
};
