/* SPDX-License-Identifier: MIT */
/*
 * cfgdump [--strict] FILE: what was read from it, one setting a line, and the
 * messages below. cfgdump --dict: all keys, as a dictionary for the fuzzer.
 * cfgdump --names: those that are supported.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

static void dump_text(const char *text)
{
	putchar('"');
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == '"' || *p == '\\')
			printf("\\x%02x", (unsigned char)*p);
		else
			putchar(*p);
	}
	putchar('"');
}

static void dump_value(const struct cfg_value *v)
{
	if (v->type != CFG_LIST) {
		if (v->type == CFG_NUMBER)
			fputs(v->text, stdout);
		else
			dump_text(v->text);
		return;
	}
	putchar('[');
	for (size_t i = 0; i < v->n; i++) {
		if (i)
			fputs(", ", stdout);
		dump_value(&v->items[i]);
	}
	putchar(']');
}

static int dump_keys(const char *before, const char *after, bool all)
{
	const struct cfg_key *key;

	for (size_t i = 0; (key = cfg_key_at(i)); i++)
		if (all || key->status == CFG_STATUS_SUPPORTED)
			printf("%s%.*s%s\n", before, (int)strcspn(key->name, "*"), key->name, after);
	return 0;
}

static int dump_file(const char *name, unsigned int flags)
{
	static char text[CFG_TEXT_MAX + 1];
	const char *base = strrchr(name, '/');
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;
	FILE *in = fopen(name, "r");
	char *messages;
	size_t len;
	int rc;

	if (!in) {
		perror(name);
		return 2;
	}
	len = fread(text, 1, sizeof(text), in);
	fclose(in);
	rc = cfg_parse(text, len, base ? base + 1 : name, &file, &diag);
	for (size_t i = 0; !rc && i < file->n; i++) {
		printf("%s = ", file->settings[i].key);
		dump_value(&file->settings[i].value);
		putchar('\n');
	}
	if (!rc)
		rc = cfg_validate(file, flags, &diag);
	messages = cfg_diag_format(&diag, CFG_NOTE);
	fputs(messages ? messages : "out of memory\n", stdout);
	free(messages);
	cfg_diag_fini(&diag);
	cfg_free(file);
	printf("%s\n", rc ? "FAIL" : "PASS");
	return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--dict"))
		return dump_keys("\"", "\"", true);
	if (argc == 2 && !strcmp(argv[1], "--names"))
		return dump_keys("", "", false);
	if (argc == 3 && !strcmp(argv[1], "--strict"))
		return dump_file(argv[2], CFG_STRICT);
	if (argc == 2)
		return dump_file(argv[1], 0);
	fputs("usage: cfgdump [--strict] FILE | --dict | --names\n", stderr);
	return 2;
}
