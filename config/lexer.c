/* SPDX-License-Identifier: MIT */
#include "config/lexer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PYTHON_HINT "this looks like Python: there are only strings in quotes, numbers and [lists]"

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_ident(char c)
{
	return is_lower(c) || is_digit(c) || c == '_' || c == '.';
}

static bool is_number(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || c == 'x';
}

bool lexer_is_word(char c)
{
	return is_ident(c) || is_upper(c);
}

static char peek(const struct lexer *lx, size_t ahead)
{
	size_t at = lx->pos + ahead;

	return at < lx->source->len ? lx->source->text[at] : '\0';
}

static bool at_end(const struct lexer *lx)
{
	return lx->pos >= lx->source->len;
}

void lexer_init(struct lexer *lx, const struct cfg_source *source, struct cfg_diag *diag)
{
	*lx = (struct lexer){ .source = source, .diag = diag };
	/* Editors on other systems put a byte order mark in front. */
	if (source->len >= 3 && !memcmp(source->text, "\xef\xbb\xbf", 3))
		lx->pos = 3;
}

void token_fini(struct token *tok)
{
	free(tok->text);
	tok->text = NULL;
}

static void take_text(struct lexer *lx, struct token *tok)
{
	tok->text = strndup(lx->source->text + tok->start, tok->end - tok->start);
	if (!tok->text) {
		lx->error = -ENOMEM;
		tok->type = TOK_BAD;
	}
}

const char *lexer_foreign_hint(const struct cfg_source *source, size_t offset)
{
	static const struct { const char *word, *hint; } words[] = {
		{ "True", "yes is 1 and no is 0" }, { "False", "yes is 1 and no is 0" },
		{ "true", "yes is 1 and no is 0" }, { "false", "yes is 1 and no is 0" },
		{ "yes", "yes is 1 and no is 0" }, { "no", "yes is 1 and no is 0" },
		{ "None", "leave the key out instead" }, { "import", PYTHON_HINT }, { "from", PYTHON_HINT },
		{ "def", PYTHON_HINT }, { "if", PYTHON_HINT }, { "for", PYTHON_HINT }, { "print", PYTHON_HINT },
		{ "os.path", PYTHON_HINT }, { "dict", PYTHON_HINT },
	};
	const char *p = source->text + offset;
	size_t len = 0, left = source->len - offset;

	while (len < left && lexer_is_word(p[len]))
		len++;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == len && !memcmp(words[i].word, p, len))
			return words[i].hint;
	if (left && strchr("(:+-.{", p[0]) && p[0])
		return PYTHON_HINT;
	return NULL;
}

static const char *number_hint(const char *word, size_t len)
{
	bool upper_hex = len > 2 && word[0] == '0' && word[1] == 'x';

	for (size_t i = 2; upper_hex && i < len; i++)
		upper_hex = is_digit(word[i]) || (word[i] >= 'a' && word[i] <= 'f') || (word[i] >= 'A' && word[i] <= 'F');
	if (upper_hex || (len > 1 && word[1] == 'X'))
		return "hexadecimal numbers are in lower case: 0x1f";
	if (memchr(word, '.', len))
		return "numbers are whole; a text that begins with a digit goes in quotes";
	if (is_upper(word[len - 1]) || strchr("kmgt", word[len - 1]))
		return "numbers have no unit: memory and maxmem are in MiB";
	return "a text that begins with a digit goes in quotes";
}

static void lex_number(struct lexer *lx, struct token *tok)
{
	const char *word = lx->source->text + tok->start;
	size_t len;
	bool good = true;

	while (lexer_is_word(peek(lx, 0))) {
		good = good && is_number(peek(lx, 0));
		lx->pos++;
	}
	tok->end = lx->pos;
	len = tok->end - tok->start;
	tok->type = TOK_NUMBER;
	if (good) {
		take_text(lx, tok);
		return;
	}
	tok->type = TOK_BAD;
	cfg_report(lx->diag, CFG_ERROR, lx->source, tok->start, number_hint(word, len), "`%.*s' is not a number",
		   (int)(len < 64 ? len : 64), word);
}

static char simple_escape(char c)
{
	static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
	const char *p = c ? strchr(from, c) : NULL;

	return p ? to[p - from] : '\0';
}

static bool is_octal(char c) { return c >= '0' && c <= '7'; }

/* At a backslash: 1 and the character, 0 for one that stands for nothing, or -1. */
static int lex_escape(struct lexer *lx, char *ret)
{
	char c = peek(lx, 1);

	*ret = simple_escape(c);
	if (*ret) {
		lx->pos += 2;
		return 1;
	}
	if (is_octal(c) && is_octal(peek(lx, 2)) && is_octal(peek(lx, 3))) {
		/* xl takes it and puts nothing there; files that work with it must not change their meaning. */
		cfg_report(lx->diag, CFG_WARNING, lx->source, lx->pos, NULL,
			   "a number after a backslash stands for nothing, as it does for xl");
		lx->pos += 4;
		return 0;
	}
	cfg_report(lx->diag, CFG_ERROR, lx->source, lx->pos, "known are \\\\ \\' \\\" \\a \\b \\f \\n \\r \\t \\v",
		   "unknown escape in a string");
	return -1;
}

/* Without this, one bad escape would make the rest of the string look like statements. */
static void skip_string(struct lexer *lx, char quote)
{
	while (!at_end(lx) && peek(lx, 0) != '\n' && peek(lx, 0) != quote)
		lx->pos += peek(lx, 0) == '\\' && peek(lx, 1) != '\n' ? 2 : 1;
	if (at_end(lx))
		lx->pos = lx->source->len;
	else if (peek(lx, 0) == quote)
		lx->pos++;
}

static void unterminated(struct lexer *lx, const struct token *tok, char quote)
{
	const char *start = lx->source->text + tok->start;
	const char *hint = "a string ends on the line where it began; \\n is a line feed";

	/* Three quotes: an empty string and then one that never ends on this line. */
	if (tok->start >= 2 && start[-1] == quote && start[-2] == quote)
		hint = PYTHON_HINT;
	cfg_report(lx->diag, CFG_ERROR, lx->source, tok->start, hint, "this string has no end");
}

static void lex_string(struct lexer *lx, struct token *tok, char quote)
{
	size_t n = 0;
	char *text;

	tok->type = TOK_BAD;
	lx->pos++;
	for (size_t end = lx->pos; end < lx->source->len && lx->source->text[end] != '\n'; end++)
		n++;
	text = malloc(n + 1);
	if (!text) {
		lx->error = -ENOMEM;
		return;
	}
	for (n = 0; peek(lx, 0) != quote;) {
		int got = 1;
		char c = peek(lx, 0);

		if (at_end(lx) || c == '\n') {
			unterminated(lx, tok, quote);
			goto bad;
		}
		if (c == '\0') {
			cfg_report(lx->diag, CFG_ERROR, lx->source, lx->pos, NULL, "there is a NUL byte in this string");
			skip_string(lx, quote);
			goto bad;
		}
		if (c == '\\')
			got = lex_escape(lx, &c);
		else
			lx->pos++;
		if (got < 0) {
			skip_string(lx, quote);
			goto bad;
		}
		if (got)
			text[n++] = c;
	}
	lx->pos++;
	text[n] = '\0';
	tok->type = TOK_STRING;
	tok->text = text;
	tok->end = lx->pos;
	return;
bad:
	tok->end = lx->pos;
	free(text);
}

static void lex_ident(struct lexer *lx, struct token *tok)
{
	while (is_ident(peek(lx, 0)))
		lx->pos++;
	tok->end = lx->pos;
	tok->type = TOK_IDENT;
	take_text(lx, tok);
}

static void skip_blanks(struct lexer *lx)
{
	for (;;) {
		char c = peek(lx, 0);

		if (at_end(lx))
			return;
		if (c == ' ' || c == '\t' ||
		    (c == '\r' && (peek(lx, 1) == '\n' || lx->pos + 1 == lx->source->len))) {
			lx->pos++;
		} else if (c == '#') {
			while (!at_end(lx) && peek(lx, 0) != '\n')
				lx->pos++;
		} else {
			return;
		}
	}
}

static void one_char(struct lexer *lx, struct token *tok, enum token_type type, size_t len)
{
	lx->pos += len;
	tok->end = lx->pos;
	tok->type = type;
}

void lexer_next(struct lexer *lx, struct token *tok)
{
	char c;

	skip_blanks(lx);
	*tok = (struct token){ .start = lx->pos, .end = lx->pos };
	if (at_end(lx)) {
		tok->type = TOK_EOF;
		return;
	}
	c = peek(lx, 0);
	if (is_lower(c))
		lex_ident(lx, tok);
	else if (is_digit(c))
		lex_number(lx, tok);
	else if (c == '"' || c == '\'')
		lex_string(lx, tok, c);
	else if (c == '\n')
		one_char(lx, tok, TOK_NEWLINE, 1);
	else if (c == ';')
		one_char(lx, tok, TOK_SEMICOLON, 1);
	else if (c == '=')
		one_char(lx, tok, TOK_ASSIGN, 1);
	else if (c == '+' && peek(lx, 1) == '=')
		one_char(lx, tok, TOK_APPEND, 2);
	else if (c == '[')
		one_char(lx, tok, TOK_OPEN, 1);
	else if (c == ']')
		one_char(lx, tok, TOK_CLOSE, 1);
	else if (c == ',')
		one_char(lx, tok, TOK_COMMA, 1);
	else
		one_char(lx, tok, TOK_STRANGE, 1);
}

bool lexer_bare_value(struct lexer *lx, struct token *tok)
{
	bool number;

	while (peek(lx, 0) == ' ' || peek(lx, 0) == '\t')
		lx->pos++;
	if (at_end(lx) || strchr("\"'[;\n", peek(lx, 0)))
		return false;
	*tok = (struct token){ .start = lx->pos };
	number = is_digit(peek(lx, 0));
	while (!at_end(lx) && !strchr(";\n", peek(lx, 0))) {
		number = number && is_number(peek(lx, 0));
		lx->pos++;
	}
	tok->end = lx->pos;
	while (tok->end > tok->start && strchr(" \t\r", lx->source->text[tok->end - 1]))
		tok->end--;
	tok->type = number ? TOK_NUMBER : TOK_STRING;
	take_text(lx, tok);
	return true;
}
