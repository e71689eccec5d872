/* SPDX-License-Identifier: MIT */
/* A domain's configuration from one form to another. A new form is a row of the table: what reads it, and what writes it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "pvctl/cmd.h"
#include "pvctl/commands.h"
#include "pvctl/load.h"

enum { OPT_FROM, OPT_TO };
static const struct option_def options[] = {
	[OPT_FROM] = { 0, "from", "FORM", "what FILE is: cfg, json or xml (default: by its name, else cfg)" },
	[OPT_TO] = { 0, "to", "FORM", "what to print: cfg, json or xml (default: json of cfg, else cfg)" },
	{ 0 }
};

static char *read_text(const char *name)
{
	bool is_stdin = !strcmp(name, "-");
	FILE *in = is_stdin ? stdin : fopen(name, "re");
	char *text = in ? malloc(CFG_TEXT_MAX + 1) : NULL;
	size_t len = text ? fread(text, 1, CFG_TEXT_MAX + 1, in) : 0;
	bool good = text && !ferror(in) && len <= CFG_TEXT_MAX && !memchr(text, '\0', len);

	if (!in || (text && ferror(in)))
		say_error("%s: %s", name, strerror(errno));
	else if (!good)
		say_error(text ? "%s: larger than 1 MiB, or no text" : "%s: out of memory", name);
	if (in && !is_stdin)
		fclose(in);
	if (!good) {
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

static int cfg_in(const char *file, struct pvctl_config **ret)
{
	struct load_opts load = { .filename = file, .quiet = true };

	return config_load(&load, ret);
}

static int json_in(const char *file, struct pvctl_config **ret)
{
	struct pvctl_error err = { 0 };
	char *text = read_text(file);
	int rc;

	if (!text)
		return EXIT_FAILED;
	rc = pvctl_config_from_json(text, ret, &err);
	free(text);
	return rc ? fail("config convert", file, &err) : EXIT_OK;
}

/* data: counts errors where what is read has lines; NULL: what is written has none. */
static void say_message(void *data, const struct pvctl_parse_message *m)
{
	static const char *const levels[] = { "error: ", "warning: ", "" };
	unsigned int *errors = data;

	if (!errors) {
		say_error("%s%s", levels[m->level], m->text);
		return;
	}
	*errors += m->level == 0;
	say_error("%s:%u: %s%s", m->file, m->line, levels[m->level], m->text);
}

static int xml_in(const char *file, struct pvctl_config **ret)
{
	unsigned int errors = 0;
	struct pvctl_parse_opts opts = { .size = sizeof(opts), .file = file, .message = say_message, .data = &errors };
	struct pvctl_error err = { 0 };
	char *text = read_text(file);
	int rc;

	if (!text)
		return EXIT_FAILED;
	rc = pvctl_config_from_xml(text, strlen(text), &opts, ret, &err);
	free(text);
	if (!rc)
		return EXIT_OK;
	return errors ? EXIT_FAILED : fail("domxml-to-native", NULL, &err);
}

static int put_items(const struct pvctl_config *config, const char *key)
{
	const char *item;
	int rc = EXIT_OK;

	printf("%s = [", key);
	for (size_t i = 0; !rc && (item = pvctl_config_get_item(config, key, i)); i++) {
		fputs(i ? ", " : " ", stdout);
		rc = put_quoted(item);
	}
	puts(" ]");
	return rc;
}

static int put_key(const struct pvctl_config *config, const struct cfg_key *key)
{
	const char *text;
	int64_t n;
	int rc;

	if (key->kind == CFG_KIND_NUMBER) {
		if (!pvctl_config_get_int(config, key->name, &n))
			printf("%s = %lld\n", key->name, (long long)n);
		return EXIT_OK;
	}
	if (pvctl_config_get_item(config, key->name, 0))
		return put_items(config, key->name);
	text = pvctl_config_get_str(config, key->name);
	if (!text)
		return EXIT_OK;
	printf("%s = ", key->name);
	rc = put_quoted(text);
	putchar('\n');
	return rc;
}

static int cfg_out(const struct pvctl_config *config)
{
	const struct cfg_key *key;
	int rc = EXIT_OK;

	for (size_t i = 0; !rc && (key = cfg_key_at(i)); i++)
		if (key->status == CFG_STATUS_SUPPORTED)
			rc = put_key(config, key);
	return rc;
}

static int json_out(const struct pvctl_config *config)
{
	struct pvctl_error err = { 0 };
	char *text;

	if (pvctl_config_to_json(config, &text, &err))
		return fail("config convert", NULL, &err);
	puts(text);
	pvctl_free(text);
	return EXIT_OK;
}

static int xml_out(const struct pvctl_config *config)
{
	struct pvctl_parse_opts opts = { .size = sizeof(opts), .message = say_message };
	struct pvctl_error err = { 0 };
	char *text;

	if (pvctl_config_to_xml(config, &opts, &text, &err))
		return fail("domxml-from-native", NULL, &err);
	fputs(text, stdout);
	pvctl_free(text);
	return EXIT_OK;
}

static const struct form {
	const char *name, *suffix;
	int (*in)(const char *file, struct pvctl_config **ret); /* an exit code; what is wrong was said */
	int (*out)(const struct pvctl_config *);
} forms[] = {
	{ "cfg", ".cfg", cfg_in, cfg_out },
	{ "json", ".json", json_in, json_out },
	{ "xml", ".xml", xml_in, xml_out },
};
#define NR_FORMS (sizeof(forms) / sizeof(forms[0]))

static const struct form *by_name(const char *name)
{
	for (size_t i = 0; i < NR_FORMS; i++)
		if (!strcmp(forms[i].name, name))
			return &forms[i];
	return NULL;
}

static const struct form *by_suffix(const char *file)
{
	size_t len = strlen(file), n;

	for (size_t i = 0; i < NR_FORMS; i++) {
		n = strlen(forms[i].suffix);
		if (len > n && !strcmp(file + len - n, forms[i].suffix))
			return &forms[i];
	}
	return &forms[0];
}

static int pass_on(const struct form *from, const struct form *to, const char *file)
{
	struct pvctl_config *config;
	int rc = from->in(file, &config);

	if (rc)
		return rc;
	rc = to->out(config);
	pvctl_config_free(config);
	return rc;
}

/* As virsh calls them. */
static int to_native_run(const struct command *cmd, const struct parsed *in)
{
	return pass_on(by_name("xml"), by_name("cfg"), in->argv[0]);
}

static int from_native_run(const struct command *cmd, const struct parsed *in)
{
	return pass_on(by_name("cfg"), by_name("xml"), in->argv[0]);
}

static int convert_run(const struct command *cmd, const struct parsed *in)
{
	const struct form *from = in->value[OPT_FROM] ? by_name(in->value[OPT_FROM]) : by_suffix(in->argv[0]), *to;

	if (in->value[OPT_TO])
		to = by_name(in->value[OPT_TO]);
	else
		to = by_name(from == &forms[0] ? "json" : "cfg");
	if (!from || !to)
		return command_usage(cmd, "%s is none of cfg, json, xml", from ? in->value[OPT_TO] : in->value[OPT_FROM]);
	return pass_on(from, to, in->argv[0]);
}

const struct command cmd_domxml_to_native = {
	.name = "domxml-to-native", .args = "FILE", .summary = "Print a config file made of libvirt's XML",
	.example = "  virsh dumpxml web1 >web1.xml && pvctl domxml-to-native web1.xml >web1.cfg",
	.args_min = 1, .args_max = 1, .run = to_native_run,
};
const struct command cmd_domxml_from_native = {
	.name = "domxml-from-native", .args = "FILE", .summary = "Print libvirt's XML made of a config file",
	.example = "  pvctl domxml-from-native web1.cfg >web1.xml",
	.args_min = 1, .args_max = 1, .run = from_native_run,
};
const struct command cmd_config_convert = {
	.group = "config", .name = "convert", .args = "FILE",
	.summary = "Print a config file in another form",
	.example = "  pvctl config convert web1.cfg >web1.json && pvctl config convert web1.json >again.cfg",
	.options = options, .args_min = 1, .args_max = 1, .run = convert_run,
};
