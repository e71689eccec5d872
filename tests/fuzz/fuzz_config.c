/* SPDX-License-Identifier: MIT */
/*
 * Config text from anywhere: parsed, checked, formatted. The first byte chooses
 * the flags; a NUL byte, if there is one, divides the file from an argument of
 * the command line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_file(const struct cfg_file *file)
{
	for (size_t i = 0; i < file->n; i++) {
		const struct cfg_setting *s = &file->settings[i];
		int64_t n;

		/* Where messages will point. */
		if (s->pos.source >= file->n_sources || s->pos.offset > file->sources[s->pos.source].len ||
		    s->value.pos.source >= file->n_sources || s->value.pos.offset > file->sources[s->value.pos.source].len)
			abort();
		if ((s->value.type == CFG_LIST) != !s->value.text)
			abort();
		if (cfg_find(file, s->key) != s)
			abort();
		(void)cfg_value_number(&s->value, &n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfg_diag diag = { 0 };
	struct cfg_file *file = NULL;
	const char *text = (const char *)data + 1, *argument;
	size_t len;
	int rc;

	if (!size)
		return 0;
	len = size - 1;
	argument = memchr(text, '\0', len);
	rc = cfg_parse(text, argument ? (size_t)(argument - text) : len, "fuzz.cfg", &file, &diag);
	if (!rc && argument)
		rc = cfg_parse_more(file, argument + 1, len - (size_t)(argument + 1 - text), "argument",
				    CFG_BARE_VALUES | CFG_OVERRIDE, &diag);
	if (!rc != !diag.errors)
		abort();
	if (file) {
		check_file(file);
		rc = cfg_validate(file, data[0] & 1 ? CFG_STRICT : 0, &diag);
		if (!rc && data[0] & 2)
			(void)cfg_validate(file, 0, &diag);
	}
	free(cfg_diag_format(&diag, data[0] & 4 ? CFG_ERROR : CFG_NOTE));
	cfg_diag_fini(&diag);
	cfg_free(file);
	return 0;
}
