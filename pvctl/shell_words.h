/* SPDX-License-Identifier: MIT */
/* A line as words: blanks divide; 'x', "x" and \x are as they stand; # begins a comment where a word could. */
#ifndef PVCTL_SHELL_WORDS_H
#define PVCTL_SHELL_WORDS_H

#include <stddef.h>

struct words {
	char **v;    /* v[-1] is there for the program's name, v[n] is NULL */
	size_t n;
};

/*
 * What is wrong, or NULL. With last, the line is not finished: it ends with that word, which may be empty, and may
 * stand behind a quote that is still open. *ret is to be freed in any case.
 */
const char *words_split(struct words *ret, const char *line, const char *last);
void words_free(struct words *w);

#endif
