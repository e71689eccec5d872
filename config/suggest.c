/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <string.h>

#define WORD_MAX 48

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Optimal string alignment: insert, delete, replace, and swap of neighbours, each costs 1. */
static unsigned int edit_distance(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned int d[3][WORD_MAX + 1];

	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned int *row = d[i % 3], *up = d[(i - 1) % 3], *up2 = d[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= lb; j++) {
			row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < row[j])
				row[j] = up2[j - 2] + 1;
		}
	}
	return d[la % 3][lb];
}

const char *cfg_suggest(const char *word, const char *(*next)(const void *data, size_t i), const void *data)
{
	size_t len = strlen(word);
	/* A letter in four may be wrong, at most three: dhcp is no mistyped hap. */
	unsigned int best = (unsigned int)(len < 6 ? 1 : len < 10 ? 2 : 3) + 1;
	const char *found = NULL, *candidate;

	if (len < 2 || len > WORD_MAX)
		return NULL;
	for (size_t i = 0; (candidate = next(data, i)); i++) {
		size_t clen = strlen(candidate);
		unsigned int d;

		if (clen > WORD_MAX)
			continue;
		d = edit_distance(word, len, candidate, clen);
		/* A suggestion that shares nothing with the word is noise. */
		if (d < best && d < clen) {
			best = d;
			found = candidate;
		}
	}
	return found;
}
