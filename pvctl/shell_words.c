/* SPDX-License-Identifier: MIT */
#include "pvctl/shell_words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c && strchr(" \t\r\n", c);
}

/* One word, to `to'; where it ends. *open: in a quote that has no end. */
static const char *take(const char *p, char *to, bool *open)
{
	char quote = 0;

	for (; *p && (quote || !is_blank(*p)); p++) {
		if (!quote && (*p == '"' || *p == '\'')) {
			quote = *p;
		} else if (quote && *p == quote) {
			quote = 0;
		} else {
			if (*p == '\\' && quote != '\'' && p[1])
				p++;
			*to++ = *p;
		}
	}
	*to = '\0';
	*open = quote;
	return p;
}

const char *words_split(struct words *ret, const char *line, const char *last)
{
	size_t room = strlen(line) / 2 + 4;
	char **v = calloc(room, sizeof(*v)), *word = malloc(strlen(line) + 1);
	const char *wrong = NULL;
	bool open = false, behind_blank = true;

	*ret = (struct words){ .v = v ? v + 1 : NULL };
	if (!v || !word)
		wrong = "out of memory";
	while (!wrong) {
		while (is_blank(*line))
			line++, behind_blank = true;
		if (!*line || *line == '#')
			break;
		line = take(line, word, &open);
		behind_blank = false;
		ret->v[ret->n] = strdup(word);
		if (!ret->v[ret->n])
			wrong = "out of memory";
		else
			ret->n++;
		if (open && !last)
			wrong = "a quote has no end";
	}
	/* What is completed now is a word of its own where nothing of it is there. */
	if (!wrong && last && behind_blank && !open) {
		ret->v[ret->n] = strdup("");
		ret->n += ret->v[ret->n] != NULL;
	}
	free(word);
	return wrong;
}

void words_free(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i]);
	if (w->v)
		free(w->v - 1);
	*w = (struct words){ 0 };
}
