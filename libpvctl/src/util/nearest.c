/* SPDX-License-Identifier: MIT */
#include "util/nearest.h"
#include <string.h>

#define LEN_MAX 32u

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Inserted, missing and other letters cost 1 each. */
static unsigned int distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned int row[LEN_MAX + 1], diagonal, up;

	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		diagonal = row[0];
		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= lb; j++) {
			up = row[j];
			row[j] = least(least(up, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[lb];
}

const char *nearest_word(const char *word, const char *const *words, size_t n)
{
	size_t len = strlen(word);
	unsigned int best = len < 4 ? 2 : 3, d;
	const char *found = NULL;

	if (len < 2 || len > LEN_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t other = strlen(words[i]);

		if (other > LEN_MAX)
			continue;
		d = distance(word, len, words[i], other);
		/* One that shares nothing with the word is noise. */
		if (d < best && d < other) {
			best = d;
			found = words[i];
		}
	}
	return found;
}
