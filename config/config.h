/* SPDX-License-Identifier: MIT */
/*
 * The xl.cfg grammar, as pure code: text in, settings and messages out. Nothing
 * here reads files, prints or knows what a domain is.
 *
 * Returns: 0, -EINVAL (the messages say what is wrong), -E2BIG or -ENOMEM.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CFG_TEXT_MAX (1024 * 1024)
#define CFG_DEPTH_MAX 32
#define CFG_SETTINGS_MAX 1024
#define CFG_JOINED_MAX (64 * 1024) /* bytes of a text put together with += */

/* ---- what was read ---- */
enum cfg_type { CFG_STRING, CFG_NUMBER, CFG_LIST };

struct cfg_pos {
	uint32_t source; /* index in cfg_file.sources */
	uint32_t offset; /* in bytes */
};

struct cfg_value {
	enum cfg_type type;
	struct cfg_pos pos;
	char *text;      /* a number's, too: it is read as one only when it is asked for */
	struct cfg_value *items;
	size_t n;
};

struct cfg_setting {
	char *key;
	struct cfg_pos pos;
	struct cfg_value value;
};

struct cfg_source {
	char *name;
	char *text;
	size_t len;
};

struct cfg_file {
	struct cfg_source *sources;
	size_t n_sources;
	struct cfg_setting *settings; /* one for each key, in order of first appearance */
	size_t n;
};

/* ---- messages ---- */
enum cfg_severity { CFG_NOTE, CFG_WARNING, CFG_ERROR };

struct cfg_message {
	enum cfg_severity severity;
	uint32_t line, col; /* from 1; col counts characters */
	char *file;
	char *text;
	char *source_line;
	char *hint;         /* NULL: none */
};

struct cfg_diag {
	struct cfg_message *messages;
	size_t n;
	unsigned int errors, warnings;
	unsigned int limit;  /* of errors kept, and of other messages; 0: 20 */
	bool full;           /* there were more errors */
	bool out_of_memory;
};

/* hint may be NULL. */
void cfg_report(struct cfg_diag *diag, enum cfg_severity severity, const struct cfg_source *source, size_t offset,
		const char *hint, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* All messages from `least` up, as text for a person; NULL: out of memory. Free with free(). */
char *cfg_diag_format(const struct cfg_diag *diag, enum cfg_severity least);
void cfg_diag_fini(struct cfg_diag *diag);

/* ---- reading ---- */
#define CFG_BARE_VALUES 1u /* name=x for name="x": for arguments of a command line */
#define CFG_OVERRIDE    2u /* setting a key again is meant: no note */

int cfg_parse(const char *text, size_t len, const char *filename, struct cfg_file **ret, struct cfg_diag *diag);
/* Reads more text as if it stood at the end of the first one. On failure the file keeps what was good. */
int cfg_parse_more(struct cfg_file *file, const char *text, size_t len, const char *filename, unsigned int flags,
		   struct cfg_diag *diag);
void cfg_free(struct cfg_file *file);
const struct cfg_setting *cfg_find(const struct cfg_file *file, const char *key);
/* From 1; columns are of characters. */
void cfg_where(const struct cfg_source *source, size_t offset, uint32_t *ret_line, uint32_t *ret_col);
/* In quotes, as the grammar reads it back; NULL: out of memory. Free with free(). */
char *cfg_quote(const char *text);
/* Base 0 like strtol: 0x1f, 010 = 8. Text in quotes may be a number. -EINVAL: it is none. */
int cfg_value_number(const struct cfg_value *value, int64_t *ret);

/* ---- guessing what was meant ---- */
/* The candidate nearest to word, or NULL if none is near. next(data, i) gives candidates until NULL. */
const char *cfg_suggest(const char *word, const char *(*next)(const void *data, size_t i), const void *data);

#endif
