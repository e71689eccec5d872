/* SPDX-License-Identifier: MIT */
#ifndef PVCTL_COMPLETE_H
#define PVCTL_COMPLETE_H

#include "pvctl/cmd.h"

/*
 * What could stand instead of the last of words, those behind "pvctl" on a command line: each on a line with a tab
 * and a description, then ":files" where a file could, and ":nospace" where no blank should follow.
 */
void complete_words(char *const *words, int n);
/* For one argument as the tables name it, which begins with cur. first: the command's first argument, or NULL. */
void complete_argument(const char *name, const char *option, const char *prefix, const char *cur, const char *first);
/* One candidate, printed if it begins with cur; prefix is put in front. */
void complete_offer(const char *prefix, const char *cur, const char *word, const char *about);
void complete_files(void);

#endif
