/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/lexer.h"
#include "config/value.h"

struct parser {
	struct lexer lx;
	struct token tok;
	struct cfg_file *file;
	const struct cfg_source *source;
	uint32_t source_index;
	unsigned int flags;
	unsigned int depth;     /* of brackets open now */
	size_t statement_start;
	size_t list_start;      /* the outermost bracket */
};

static void advance(struct parser *p)
{
	token_fini(&p->tok);
	lexer_next(&p->lx, &p->tok);
}

static struct cfg_pos pos_at(const struct parser *p, size_t offset)
{
	return (struct cfg_pos){ p->source_index, (uint32_t)offset };
}

static void describe(const struct parser *p, char *buf, size_t size)
{
	const struct token *tok = &p->tok;
	unsigned char c;
	size_t len;

	switch (tok->type) {
	case TOK_EOF:
		snprintf(buf, size, "the end of the file");
		return;
	case TOK_NEWLINE:
		snprintf(buf, size, "the end of the line");
		return;
	case TOK_STRANGE:
		c = (unsigned char)p->source->text[tok->start];
		for (len = 0; tok->start + len < p->source->len && lexer_is_word(p->source->text[tok->start + len]); len++)
			;
		if (len > 1)
			snprintf(buf, size, "`%.*s'", (int)(len < 40 ? len : 40), p->source->text + tok->start);
		else if (c > 0x20 && c < 0x7f)
			snprintf(buf, size, "`%c'", c);
		else
			snprintf(buf, size, "byte 0x%02x", c);
		return;
	default:
		snprintf(buf, size, "`%.*s'", (int)(tok->end - tok->start < 40 ? tok->end - tok->start : 40),
			 p->source->text + tok->start);
	}
}

static int unexpected(struct parser *p, const char *expected, const char *hint)
{
	char found[64];

	if (p->lx.error)
		return p->lx.error;
	if (p->tok.type == TOK_BAD)
		return -EINVAL;
	describe(p, found, sizeof(found));
	if (!hint)
		hint = lexer_foreign_hint(p->source, p->tok.start);
	cfg_report(p->lx.diag, CFG_ERROR, p->source, p->tok.start, hint, "expected %s, found %s", expected, found);
	return -EINVAL;
}

static void skip_newlines(struct parser *p)
{
	while (p->tok.type == TOK_NEWLINE)
		advance(p);
}

static int parse_value(struct parser *p, struct cfg_value *value);

/* Where a list goes on into the next statement, the mistake is where it began. */
static int unexpected_in_list(struct parser *p, const char *expected)
{
	char hint[96];
	unsigned int line = 1;

	for (size_t i = 0; i < p->list_start; i++)
		line += p->source->text[i] == '\n';
	snprintf(hint, sizeof(hint), "the list that began on line %u is not closed", line);
	return unexpected(p, expected, hint);
}

static int parse_list(struct parser *p, struct cfg_value *list)
{
	int rc;

	if (p->depth == CFG_DEPTH_MAX) {
		cfg_report(p->lx.diag, CFG_ERROR, p->source, p->tok.start, NULL, "lists are nested too deeply");
		return -EINVAL;
	}
	if (!p->depth++)
		p->list_start = p->tok.start;
	list->type = CFG_LIST;
	list->pos = pos_at(p, p->tok.start);
	advance(p);
	skip_newlines(p);
	while (p->tok.type != TOK_CLOSE) {
		struct cfg_value item = { 0 };

		rc = parse_value(p, &item);
		if (!rc)
			rc = value_append(list, &item);
		if (rc) {
			value_fini(&item);
			return rc;
		}
		skip_newlines(p);
		if (p->tok.type == TOK_COMMA) {
			advance(p);
			skip_newlines(p);
		} else if (p->tok.type != TOK_CLOSE) {
			return p->tok.type == TOK_EOF || p->tok.type == TOK_IDENT ? unexpected_in_list(p, "`,' or `]'") :
				unexpected(p, "`,' or `]'", NULL);
		}
	}
	p->depth--;
	advance(p);
	return 0;
}

static const char *value_hint(const struct parser *p)
{
	const char *hint = lexer_foreign_hint(p->source, p->tok.start);
	char c = p->source->text[p->tok.start];

	if (hint && c != '-' && c != '+')
		return hint;
	if (p->tok.type == TOK_STRANGE && (c == '-' || c == '+'))
		return "numbers have no sign here; \"-1\" in quotes is taken";
	if (p->tok.type == TOK_IDENT || (p->tok.type == TOK_STRANGE && lexer_is_word(c)))
		return "texts are in quotes";
	if (p->tok.type == TOK_STRANGE && c == '/')
		return "paths are in quotes";
	return hint;
}

static int parse_value(struct parser *p, struct cfg_value *value)
{
	struct token *tok = &p->tok;

	if (tok->type == TOK_OPEN)
		return parse_list(p, value);
	if (tok->type == TOK_EOF && p->depth)
		return unexpected_in_list(p, "a value or `]'");
	if (tok->type != TOK_STRING && tok->type != TOK_NUMBER)
		return unexpected(p, "a value", tok->start < p->source->len ? value_hint(p) : NULL);
	value->type = tok->type == TOK_STRING ? CFG_STRING : CFG_NUMBER;
	value->pos = pos_at(p, tok->start);
	value->text = tok->text;
	tok->text = NULL;
	advance(p);
	return 0;
}

/* Finds out why a statement does not begin with a key, for the message. */
static const char *key_hint(const struct parser *p)
{
	const char *text = p->source->text;
	size_t i = p->tok.start;

	if (i >= p->source->len || !lexer_is_word(text[i]))
		return NULL;
	for (; i < p->source->len && lexer_is_word(text[i]); i++)
		;
	for (; i < p->source->len && (text[i] == ' ' || text[i] == '\t'); i++)
		;
	if (i < p->source->len && (text[i] == '=' || text[i] == '+'))
		return "keys begin with a letter and are in lower case";
	return NULL;
}

/* Whether the token stands right behind a letter or digit, as in `memorY' and `12-34'. */
static bool touches_word(const struct parser *p)
{
	return p->tok.type == TOK_STRANGE && p->tok.start > 0 && lexer_is_word(p->source->text[p->tok.start - 1]);
}

static int end_of_statement(struct parser *p, bool *again)
{
	*again = true;
	switch (p->tok.type) {
	case TOK_EOF:
		*again = false;
		return 0;
	case TOK_NEWLINE:
	case TOK_SEMICOLON:
		advance(p);
		return 0;
	case TOK_STRING:
		return unexpected(p, "the end of the line or `;'", "two strings side by side are not joined");
	default:
		return unexpected(p, "the end of the line or `;'",
				  touches_word(p) ? "a text that begins with a digit goes in quotes" : NULL);
	}
}

static int parse_assignment(struct parser *p)
{
	struct cfg_setting setting = { .key = p->tok.text, .pos = pos_at(p, p->tok.start) };
	bool append;
	int rc;

	p->tok.text = NULL;
	advance(p);
	append = p->tok.type == TOK_APPEND;
	if (!append && p->tok.type != TOK_ASSIGN) {
		rc = unexpected(p, "`=' or `+='", touches_word(p) ? "keys are in lower case" :
				lexer_foreign_hint(p->source, setting.pos.offset));
		goto out;
	}
	token_fini(&p->tok);
	if (!(p->flags & CFG_BARE_VALUES) || !lexer_bare_value(&p->lx, &p->tok))
		lexer_next(&p->lx, &p->tok);
	rc = parse_value(p, &setting.value);
	if (!rc && p->tok.type != TOK_EOF && p->tok.type != TOK_NEWLINE && p->tok.type != TOK_SEMICOLON) {
		bool again;

		rc = end_of_statement(p, &again);
	}
	if (!rc)
		rc = file_store(p->file, &setting, append, p->flags, p->lx.diag);
out:
	setting_fini(&setting);
	return rc;
}

/* Whether `key =' stands there, which nothing inside a list looks like. */
static bool assignment_at(const struct cfg_source *source, size_t at)
{
	const char *t = source->text;
	size_t n = source->len, word;

	for (; at < n && (t[at] == ' ' || t[at] == '\t'); at++)
		;
	for (word = at; at < n && lexer_is_word(t[at]); at++)
		;
	if (word == at)
		return false;
	for (; at < n && (t[at] == ' ' || t[at] == '\t'); at++)
		;
	return at < n && (t[at] == '=' || (t[at] == '+' && at + 1 < n && t[at + 1] == '='));
}

/* Goes on where the next statement seems to begin, so that one run shows several mistakes. */
static void recover(struct parser *p)
{
	const char *t = p->source->text;
	size_t at = p->tok.start, line = at;

	while (line > 0 && t[line - 1] != '\n')
		line--;
	if (p->depth && line > p->statement_start && assignment_at(p->source, line)) {
		at = line;
	} else {
		/* A bad token may have crossed lines: never go back before its end. */
		if (at < p->lx.pos && p->tok.type == TOK_BAD)
			at = p->lx.pos;
		for (; at < p->source->len; at++)
			if (t[at] == '\n' && (!p->depth || assignment_at(p->source, at + 1)))
				break;
	}
	token_fini(&p->tok);
	p->depth = 0;
	p->lx.pos = at;
	advance(p);
}

static int parse_statements(struct parser *p)
{
	bool again = true, failed = false;
	int rc;

	advance(p);
	while (again) {
		p->statement_start = p->tok.start;
		if (p->tok.type == TOK_IDENT)
			rc = parse_assignment(p);
		else if (p->tok.type == TOK_EOF || p->tok.type == TOK_NEWLINE || p->tok.type == TOK_SEMICOLON)
			rc = 0;
		else
			rc = unexpected(p, "a key", key_hint(p));
		if (!rc)
			rc = end_of_statement(p, &again);
		if (p->lx.error || rc == -ENOMEM)
			return -ENOMEM;
		if (rc) {
			failed = true;
			if (p->lx.diag->full)
				return -EINVAL;
			recover(p);
		}
	}
	return failed ? -EINVAL : 0;
}

int cfg_parse_more(struct cfg_file *file, const char *text, size_t len, const char *filename, unsigned int flags,
		   struct cfg_diag *diag)
{
	struct parser p = { .file = file, .flags = flags };
	int rc;

	if (len > CFG_TEXT_MAX)
		return -E2BIG;
	rc = file_add_source(file, text, len, filename);
	if (rc)
		return rc;
	p.source_index = (uint32_t)(file->n_sources - 1);
	p.source = &file->sources[p.source_index];
	lexer_init(&p.lx, p.source, diag);
	rc = parse_statements(&p);
	token_fini(&p.tok);
	if (!rc && diag->out_of_memory)
		rc = -ENOMEM;
	return rc;
}

int cfg_parse(const char *text, size_t len, const char *filename, struct cfg_file **ret, struct cfg_diag *diag)
{
	struct cfg_file *file = calloc(1, sizeof(*file));
	int rc;

	if (!file)
		return -ENOMEM;
	rc = cfg_parse_more(file, text, len, filename, 0, diag);
	if (rc) {
		cfg_free(file);
		return rc;
	}
	*ret = file;
	return 0;
}
