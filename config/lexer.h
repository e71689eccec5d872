/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_LEXER_H
#define CONFIG_LEXER_H

#include "config/config.h"

enum token_type {
	TOK_EOF, TOK_NEWLINE, TOK_SEMICOLON, TOK_IDENT, TOK_STRING, TOK_NUMBER, TOK_ASSIGN, TOK_APPEND,
	TOK_OPEN, TOK_CLOSE, TOK_COMMA,
	TOK_BAD,    /* reported already */
	TOK_STRANGE /* a character that no rule begins with; not reported, the parser knows what it expected */
};

struct token {
	enum token_type type;
	size_t start, end;
	char *text; /* owned by the token: of IDENT, STRING and NUMBER */
};

struct lexer {
	const struct cfg_source *source;
	struct cfg_diag *diag;
	size_t pos;
	int error; /* -ENOMEM, sticky */
};

void lexer_init(struct lexer *lx, const struct cfg_source *source, struct cfg_diag *diag);
void lexer_next(struct lexer *lx, struct token *tok);
/* The rest up to `;' or the end as a value, unless it begins with a quote or bracket: then false. */
bool lexer_bare_value(struct lexer *lx, struct token *tok);
void token_fini(struct token *tok);

bool lexer_is_word(char c);
/* What the word at offset would be in Python or another language, as a hint; NULL: nothing known. */
const char *lexer_foreign_hint(const struct cfg_source *source, size_t offset);

#endif
