/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LIMIT 20
#define SHOWN_LINE_MAX 160

static const char *const severity_names[] = { "note", "warning", "error" };

static bool is_utf8_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* A file's bytes go to somebody's terminal: control characters must not. */
static void copy_printable(char *to, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)from[i];

		to[i] = (c < 0x20 && c != '\t') || c == 0x7f ? '?' : (char)c;
	}
	to[len] = '\0';
}

/* Where the line begins is returned. */
static size_t locate_in(const struct cfg_source *source, size_t offset, uint32_t *ret_line, uint32_t *ret_col)
{
	size_t line_start = 0;

	*ret_line = 1;
	*ret_col = 1;
	for (size_t i = 0; i < offset; i++) {
		if (source->text[i] == '\n') {
			++*ret_line;
			line_start = i + 1;
		}
	}
	if (line_start == 0 && source->len >= 3 && !memcmp(source->text, "\xef\xbb\xbf", 3))
		line_start = 3;
	for (size_t i = line_start; i < offset; i++)
		*ret_col += !is_utf8_tail(source->text[i]);
	return line_start;
}

void cfg_where(const struct cfg_source *source, size_t offset, uint32_t *ret_line, uint32_t *ret_col)
{
	locate_in(source, offset < source->len ? offset : source->len, ret_line, ret_col);
}

static void locate(struct cfg_message *m, const struct cfg_source *source, size_t offset)
{
	size_t line_start, end;

	if (offset > source->len)
		offset = source->len;
	line_start = locate_in(source, offset, &m->line, &m->col);
	for (end = line_start; end < source->len && source->text[end] != '\n'; end++)
		;
	if (end > line_start && source->text[end - 1] == '\r')
		end--;
	if (end - line_start > SHOWN_LINE_MAX)
		end = line_start + SHOWN_LINE_MAX;
	m->source_line = malloc(end - line_start + 1);
	if (m->source_line)
		copy_printable(m->source_line, source->text + line_start, end - line_start);
}

static void message_fini(struct cfg_message *m)
{
	free(m->file);
	free(m->text);
	free(m->source_line);
	free(m->hint);
}

static size_t errors_kept(const struct cfg_diag *diag)
{
	size_t n = 0;

	for (size_t i = 0; i < diag->n; i++)
		n += diag->messages[i].severity == CFG_ERROR;
	return n;
}

void cfg_report(struct cfg_diag *diag, enum cfg_severity severity, const struct cfg_source *source, size_t offset,
		const char *hint, const char *fmt, ...)
{
	struct cfg_message m = { .severity = severity }, *more;
	unsigned int limit = diag->limit ? diag->limit : DEFAULT_LIMIT;
	va_list ap;

	diag->errors += severity == CFG_ERROR;
	diag->warnings += severity == CFG_WARNING;
	/* Counted apart, so that many notes do not hide an error. */
	if ((severity == CFG_ERROR ? diag->errors : diag->n - errors_kept(diag)) > limit) {
		diag->full = diag->full || severity == CFG_ERROR;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&m.text, fmt, ap) < 0)
		m.text = NULL;
	va_end(ap);
	if (m.text)
		copy_printable(m.text, m.text, strlen(m.text));
	m.file = strdup(source->name);
	m.hint = hint ? strdup(hint) : NULL;
	locate(&m, source, offset);
	more = reallocarray(diag->messages, diag->n + 1, sizeof(*more));
	if (more)
		diag->messages = more;
	if (!more || !m.text || !m.file || !m.source_line) {
		diag->out_of_memory = true;
		message_fini(&m);
		return;
	}
	diag->messages[diag->n++] = m;
}

/* The caret lines up whatever the width of a tab is, because the blanks before it repeat the tabs. */
static void print_caret(FILE *out, const struct cfg_message *m)
{
	const char *p = m->source_line;
	uint32_t col = 1;

	for (; *p && col < m->col; p++) {
		if (is_utf8_tail(*p))
			continue;
		fputc(*p == '\t' ? '\t' : ' ', out);
		col++;
	}
	/* The place is beyond what is shown of a very long line: a caret would point at the wrong one. */
	if (col == m->col)
		fputs("^\n", out);
	else
		fputs("...\n", out);
}

char *cfg_diag_format(const struct cfg_diag *diag, enum cfg_severity least)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < diag->n; i++) {
		const struct cfg_message *m = &diag->messages[i];

		if (m->severity < least)
			continue;
		fprintf(out, "%s:%u:%u: %s: %s\n", m->file, m->line, m->col, severity_names[m->severity], m->text);
		if (m->source_line[0]) {
			fprintf(out, "    %s\n    ", m->source_line);
			print_caret(out, m);
		}
		if (m->hint)
			fprintf(out, "    %s\n", m->hint);
	}
	if (diag->full)
		fputs("there are more errors; these come first\n", out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

void cfg_diag_fini(struct cfg_diag *diag)
{
	for (size_t i = 0; i < diag->n; i++)
		message_fini(&diag->messages[i]);
	free(diag->messages);
	*diag = (struct cfg_diag){ .limit = diag->limit };
}
