/* SPDX-License-Identifier: MIT */
/*
 * A boot menu as a guest's disk has it. The parsers of bootloader/ fill it from
 * text that the guest controls: each is pure, bounded in time and memory, and
 * fails with a negative errno (-E2BIG: a limit). Most run in the helper's
 * sandbox, none needs it to be safe.
 */
#ifndef BOOTLOADER_MENU_H
#define BOOTLOADER_MENU_H

#include "libpvctl.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_MAX_TEXT (1u << 20)  /* of one config file */
#define BOOT_MAX_NODES 512u
#define BOOT_MAX_INITRD 8u
#define BOOT_MAX_STRING 4096u
#define BOOT_MAX_FILES 64u        /* read for one menu */
#define BOOT_MAX_DEPTH 8u         /* of included files */
#define BOOT_MAX_REFUSED 32u

#define BOOT_ROOT_LOOP "LOOP="    /* in an image, a file of the disk: not read */

struct boot_node {
	bool submenu;
	int parent;          /* a submenu's index, or -1 */
	unsigned int pos;    /* among its parent's, as GRUB counts */
	char *title, *id;    /* id may be NULL, as all below */
	char *root;          /* where the files are: "UUID=...", "LABEL=...", "FILE=...", "hd0,gpt1", "LOOP=..."; NULL: beside the config */
	char *kernel, *cmdline;
	char *initrd[BOOT_MAX_INITRD];
	unsigned int n_initrd;
	const char *instead; /* without a kernel: the key that stands there; static */
};

/* An entry that starts no kernel: a wish for it deserves a better answer than "not there". */
struct boot_refused { char *title, *id; int pos; const char *why; };

struct boot_menu {
	struct boot_node *node;
	unsigned int n;
	char *choice;        /* the default, in the words of the file; NULL: the first */
	bool flat_choice;    /* choice is a label, never a number */
	bool waits;          /* the file says how long: */
	unsigned int wait_s;
	struct boot_refused refused[BOOT_MAX_REFUSED];
	unsigned int n_refused;
};

/* What a parser may ask about the disk. Any may be NULL. Paths are absolute, with "(dev)" cut off. */
struct boot_files {
	int (*load)(void *data, const char *path, char **ret_text, size_t *ret_len); /* free() it */
	bool (*exists)(void *data, const char *path);
	int (*list)(void *data, const char *dir, int (*each)(void *arg, const char *name), void *arg);
	void *data;
	unsigned int loaded; /* counts against BOOT_MAX_FILES */
};
int files_load(struct boot_files *f, const char *path, char **ret_text, size_t *ret_len);

/* The index, or a negative errno. Strings are copied, cut at BOOT_MAX_STRING. */
int menu_add(struct boot_menu *m, int parent, bool submenu, const char *title, const char *id);
int menu_set(char **where, const char *value);
int menu_add_initrd(struct boot_node *n, const char *path);
/* Drops entries that have no kernel; the first of them are remembered as refused. */
void menu_prune(struct boot_menu *m);
void menu_free(struct boot_menu *m);

/* Entries without the submenus, from 0 on: the node's index, or -1. */
int menu_at(const struct boot_menu *m, unsigned int flat);
unsigned int menu_count(const struct boot_menu *m);
/* What boots by itself: a flat index; 0 when what the file says is not there. */
unsigned int menu_default(const struct boot_menu *m);
/* The user's wish: a flat index, GRUB's "a>b", an id or a title; -ENOENT. */
int menu_pick(const struct boot_menu *m, const char *wish);
/* What a wish names instead of a kernel ("localboot"), or NULL. */
const char *menu_refused(const struct boot_menu *m, const char *wish, bool numbers); /* numbers: as GRUB counts */
/* A number of units, `per_second' of which make a second; what is none, or negative, is "no timeout". */
void menu_set_wait(struct boot_menu *m, const char *text, unsigned int per_second);

/* dir is where the config file is. */
int grubcfg_parse(const char *text, size_t len, const char *dir, struct boot_files *files, struct boot_menu *m);
int syslinux_parse(const char *text, size_t len, const char *dir, struct boot_files *files, struct boot_menu *m);
int legacy_parse(const char *text, size_t len, struct boot_menu *m);

/* Calls set for each name=value of a grubenv file. */
int grubenv_parse(const char *text, size_t len, int (*set)(void *arg, const char *name, const char *value), void *arg);

/* All *.conf of dir, newest version first; expand turns $x into its value (NULL: kept) and returns malloced text. */
int bls_load(struct boot_files *files, const char *dir, char *(*expand)(void *arg, const char *text), void *arg,
             int parent, struct boot_menu *m);
/* systemd-boot's loader.conf: default, which may be a pattern, and timeout. */
int bls_loader_conf(const char *text, size_t len, struct boot_menu *m);
int bls_parse(const char *text, size_t len, const char *name, char *(*expand)(void *arg, const char *text), void *arg,
              int parent, struct boot_menu *m);

/* "(hd0,gpt2)/vmlinuz" into "hd0,gpt2" (or "") and "/vmlinuz"; a pointer into path. */
const char *path_split(const char *path, char *dev, size_t size);
/* One line of text, without its end; NULL: no more. A line longer than max is -E2BIG in *rc. */
struct lines { const char *at, *end; };
bool lines_next(struct lines *l, char *buf, size_t size, int *rc);
/* The first word of a line, lower case, and the rest; false for an empty line or a comment. */
bool line_key(char *line, char **ret_key, char **ret_rest);

#endif
