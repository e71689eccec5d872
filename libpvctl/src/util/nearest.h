/* SPDX-License-Identifier: MIT */
/* What a mistyped word may have meant. */
#ifndef UTIL_NEAREST_H
#define UTIL_NEAREST_H

#include <stddef.h>

/* Of n words; NULL: none is near enough to be worth naming. */
const char *nearest_word(const char *word, const char *const *words, size_t n);

#endif
