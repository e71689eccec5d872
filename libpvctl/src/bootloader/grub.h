/* SPDX-License-Identifier: MIT */
/* What the files of the grub.cfg interpreter share. */
#ifndef BOOTLOADER_GRUB_H
#define BOOTLOADER_GRUB_H

#include "bootloader/menu.h"

#define GRUB_MAX_VARS 512u
#define GRUB_MAX_ENV (128u << 10)  /* bytes of all variables */
#define GRUB_MAX_WORDS 256u        /* of one command */
#define GRUB_MAX_FUNCS 64u
#define GRUB_MAX_NEST 32u
#define GRUB_MAX_STEPS 100000u     /* commands, words and what their variables cost */
#define GRUB_MAX_ROUNDS 1000u      /* of all loops: what boots a machine needs few, and a file can ask for no end of them */

struct grub_var { char *name, *value; };
struct grub_env {
	struct grub_var var[GRUB_MAX_VARS];
	unsigned int n;
	size_t bytes;
	size_t work;               /* done for lookups and values since it was last counted */
};
int grub_env_set(struct grub_env *e, const char *name, const char *value);
void grub_env_unset(struct grub_env *e, const char *name);
const char *grub_env_get(struct grub_env *e, const char *name); /* NULL: not set */
int grub_env_copy(struct grub_env *to, const struct grub_env *from);
void grub_env_free(struct grub_env *e);

/* A piece of the script's text: a word as written, or a separator. */
enum grub_token_kind { GRUB_END, GRUB_WORD, GRUB_NEWLINE /* or ; */ };
struct grub_token { enum grub_token_kind kind; const char *at; size_t len; };
/* The next token from *at; negative for an open quote. */
int grub_token(const char **at, const char *end, struct grub_token *ret);

struct grub_words { char *word[GRUB_MAX_WORDS]; unsigned int n; };
/* Quotes and variables of one word; an unquoted variable may make several words of it, or none. */
int grub_expand(struct grub_env *e, const char *at, size_t len, struct grub_words *w);
char *grub_expand_text(struct grub_env *e, const char *text); /* for BLS: no quotes */
void grub_words_free(struct grub_words *w);

struct grub_func { char *name; const char *at, *end; };
struct grub {
	struct boot_menu *m;
	struct boot_files *files;
	struct grub_env env;
	struct grub_func func[GRUB_MAX_FUNCS];
	unsigned int n_funcs;
	char *kept[BOOT_MAX_FILES];  /* texts that functions point into */
	unsigned int n_kept;
	size_t steps;
	unsigned int rounds, nest;
	int entry, submenu;          /* being read, or -1 */
	const char *dir;
};
int grub_run(struct grub *g, const char *at, const char *end);
/* A command that is no word of the language: *ret_true is its status. */
int grub_command(struct grub *g, struct grub_words *w, bool *ret_true);
bool grub_test(struct grub *g, char **word, unsigned int n);

#endif
