/* SPDX-License-Identifier: MIT */
/*
 * grub.cfg is a shell script. It is run here, with its blocks, functions and
 * loops, but commands other than those about the menu do nothing. Menu entries
 * are run at once, each with its own copy of the variables. Parsing and running
 * go together: what is not taken is parsed with `live` off.
 */
#include "bootloader/grub.h"
#include "util/cleanup.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
	struct grub *g;
	const char *at, *end;
	bool live, status;
};

static int run_list(struct run *r, const char *const *stop, unsigned int *ret_stop);

static bool is_word(const struct grub_token *t, const char *word)
{
	return t->kind == GRUB_WORD && t->len == strlen(word) && memcmp(t->at, word, t->len) == 0;
}

/* A short word may stand for a lot: what its variables cost is counted with the next. */
static int step(struct grub *g, const struct grub_token *t)
{
	g->steps += 1 + t->len / 16 + g->env.work;
	g->env.work = 0;
	return g->steps > GRUB_MAX_STEPS ? -E2BIG : 0;
}

static int loop_round(struct grub *g)
{
	return ++g->rounds > GRUB_MAX_ROUNDS ? -E2BIG : 0;
}

/* Steps over blank tokens to the next word. */
static int next_word(struct run *r, struct grub_token *t)
{
	int rc;

	do {
		rc = grub_token(&r->at, r->end, t);
	} while (!rc && t->kind == GRUB_NEWLINE);
	return rc;
}

/* Up to the } that closes a block whose { was read: *ret_end is before it. Quotes and nested blocks count. */
static int skip_block(struct run *r, const char **ret_end)
{
	struct grub_token t;
	unsigned int depth = 1;
	int rc;

	for (;;) {
		rc = grub_token(&r->at, r->end, &t);
		if (!rc)
			rc = step(r->g, &t);
		if (rc)
			return rc;
		if (t.kind == GRUB_END)
			return -EINVAL;
		depth += is_word(&t, "{");
		depth -= is_word(&t, "}");
		if (depth == 0)
			return *ret_end = t.at, 0;
	}
}

static int run_if(struct run *r)
{
	static const char *const then[] = { "then", NULL };
	static const char *const next[] = { "elif", "else", "fi", NULL };
	static const char *const fi[] = { "fi", NULL };
	bool live = r->live, done = false, take;
	unsigned int which = 0;
	int rc;

	do {
		r->live = live && !done;
		rc = run_list(r, then, NULL);
		if (rc)
			return rc;
		take = live && !done && r->status;
		done = done || take;
		r->live = take;
		rc = run_list(r, next, &which);
	} while (!rc && which == 0);
	if (!rc && which == 1) {
		r->live = live && !done;
		rc = run_list(r, fi, NULL);
	}
	r->live = live;
	return rc;
}

static int run_while(struct run *r, bool until)
{
	static const char *const do_[] = { "do", NULL };
	static const char *const done[] = { "done", NULL };
	const char *start = r->at;
	bool outer = r->live, live = outer;
	int rc;

	for (;;) {
		r->at = start;
		r->live = live;
		rc = run_list(r, do_, NULL);
		if (rc)
			break;
		r->live = live && r->status != until;
		live = r->live;
		rc = run_list(r, done, NULL);
		if (!rc && live)
			rc = loop_round(r->g);
		if (rc || !live)
			break;
	}
	r->live = outer;
	return rc;
}

/* Words up to the end of the command. */
static int read_words(struct run *r, struct grub_words *w)
{
	struct grub_token t;
	int rc;

	for (;;) {
		rc = grub_token(&r->at, r->end, &t);
		if (rc || t.kind != GRUB_WORD)
			return rc;
		rc = step(r->g, &t);
		if (!rc && r->live)
			rc = grub_expand(&r->g->env, t.at, t.len, w);
		if (rc)
			return rc;
	}
}

static int run_for(struct run *r)
{
	static const char *const do_[] = { "do", NULL };
	static const char *const done[] = { "done", NULL };
	struct grub_words w = { .n = 0 };
	const char *body;
	bool live = r->live;
	unsigned int i;
	int rc;

	rc = read_words(r, &w);
	if (!rc)
		rc = run_list(r, do_, NULL);
	body = r->at;
	for (i = 2; i < w.n && !rc; i++) {
		r->at = body;
		rc = grub_env_set(&r->g->env, w.word[0], w.word[i]);
		if (!rc)
			rc = loop_round(r->g);
		if (!rc)
			rc = run_list(r, done, NULL);
	}
	if (!rc && w.n <= 2) {
		r->live = false;
		rc = run_list(r, done, NULL);
		r->live = live;
	}
	grub_words_free(&w);
	return rc;
}

static int define(struct run *r)
{
	struct grub_token name, t;
	struct grub_func *f;
	const char *start, *end;
	int rc;

	rc = next_word(r, &name);
	if (!rc)
		rc = next_word(r, &t);
	if (!rc && !is_word(&t, "{"))
		rc = -EINVAL;
	start = r->at;
	if (!rc)
		rc = skip_block(r, &end);
	if (rc || !r->live)
		return rc;
	if (r->g->n_funcs >= GRUB_MAX_FUNCS)
		return -E2BIG;
	f = &r->g->func[r->g->n_funcs];
	f->name = strndup(name.at, name.len);
	f->at = start;
	f->end = end;
	return f->name ? (r->g->n_funcs++, 0) : -ENOMEM;
}

/* Runs a block with its own copy of the variables, as a menu entry or submenu is run. */
static int run_apart(struct grub *g, const char *at, const char *end)
{
	CLEANUP_FREE struct grub_env *saved = malloc(sizeof(*saved));
	int rc;

	if (!saved)
		return -ENOMEM;
	rc = grub_env_copy(saved, &g->env);
	if (!rc)
		rc = grub_run(g, at, end);
	grub_env_free(&g->env);
	g->env = *saved;
	return rc;
}

static int open_entry(struct grub *g, bool submenu, struct grub_words *w)
{
	const char *title = NULL, *id = NULL;
	unsigned int i;

	for (i = 1; i < w->n; i++) {
		const char *a = w->word[i];

		if (strncmp(a, "--id=", 5) == 0)
			id = a + 5;
		else if (strcmp(a, "--id") == 0 && i + 1 < w->n)
			id = w->word[++i];
		else if ((strcmp(a, "--class") == 0 || strcmp(a, "--users") == 0 || strcmp(a, "--hotkey") == 0) && i + 1 < w->n)
			i++;
		else if (a[0] != '-' && !title)
			title = a;
	}
	return menu_add(g->m, g->submenu, submenu, title ? title : "", id);
}

static int run_entry(struct run *r, bool submenu, struct grub_words *w, const char *at, const char *end)
{
	struct grub *g = r->g;
	int outer = g->submenu, node, rc;

	if (g->entry >= 0) /* GRUB has no entry within an entry */
		return -EINVAL;
	node = open_entry(g, submenu, w);
	if (node < 0)
		return node;
	*(submenu ? &g->submenu : &g->entry) = node;
	rc = run_apart(g, at, end);
	g->submenu = outer;
	g->entry = -1;
	return rc;
}

/* menuentry WORDS { BLOCK } */
static int menu_block(struct run *r, const struct grub_token *first)
{
	struct grub_words w = { .n = 0 };
	struct grub_token t = *first;
	const char *start, *end;
	int rc = 0;

	while (!rc && !is_word(&t, "{")) {
		if (t.kind == GRUB_WORD && r->live)
			rc = grub_expand(&r->g->env, t.at, t.len, &w);
		if (!rc)
			rc = t.kind == GRUB_END ? -EINVAL : grub_token(&r->at, r->end, &t);
		if (!rc)
			rc = step(r->g, &t);
	}
	start = r->at;
	if (!rc)
		rc = skip_block(r, &end);
	if (!rc && r->live)
		rc = run_entry(r, is_word(first, "submenu"), &w, start, end);
	grub_words_free(&w);
	return rc;
}

static int set_args(struct grub *g, const struct grub_words *w)
{
	char name[2] = "0";
	unsigned int i;
	int rc = 0;

	for (i = 1; i < 10 && !rc; i++) {
		name[0] = (char)('0' + i);
		grub_env_unset(&g->env, name);
		if (i < w->n)
			rc = grub_env_set(&g->env, name, w->word[i]);
	}
	return rc;
}

static int call(struct run *r, struct grub_words *w)
{
	struct grub *g = r->g;
	unsigned int i;
	int rc;

	for (i = g->n_funcs; i-- > 0;) {
		if (strcmp(g->func[i].name, w->word[0]) != 0)
			continue;
		rc = set_args(g, w);
		r->status = true;
		return rc ? rc : grub_run(g, g->func[i].at, g->func[i].end);
	}
	return grub_command(g, w, &r->status);
}

static int simple(struct run *r, const struct grub_token *first)
{
	struct grub_words w = { .n = 0 };
	int rc = 0;

	if (r->live)
		rc = grub_expand(&r->g->env, first->at, first->len, &w);
	if (!rc)
		rc = read_words(r, &w);
	if (!rc && r->live && w.n)
		rc = call(r, &w);
	grub_words_free(&w);
	return rc;
}

static int one_command(struct run *r, const struct grub_token *t)
{
	if (is_word(t, "if"))
		return run_if(r);
	if (is_word(t, "while") || is_word(t, "until"))
		return run_while(r, is_word(t, "until"));
	if (is_word(t, "for"))
		return run_for(r);
	if (is_word(t, "function"))
		return define(r);
	if (is_word(t, "menuentry") || is_word(t, "submenu"))
		return menu_block(r, t);
	if (is_word(t, "{") || is_word(t, "}"))
		return 0;
	return simple(r, t);
}

/* Commands up to one of the words of stop (NULL: up to the end). */
static int run_list(struct run *r, const char *const *stop, unsigned int *ret_stop)
{
	struct grub_token t;
	bool negate = false;
	unsigned int i;
	int rc;

	if (++r->g->nest > GRUB_MAX_NEST)
		return -E2BIG;
	for (;;) {
		rc = next_word(r, &t);
		if (!rc)
			rc = step(r->g, &t);
		if (rc || t.kind == GRUB_END)
			break;
		for (i = 0; stop && stop[i]; i++) {
			if (!is_word(&t, stop[i]))
				continue;
			if (ret_stop)
				*ret_stop = i;
			r->g->nest--;
			return 0;
		}
		if (is_word(&t, "!")) {
			negate = true;
			continue;
		}
		rc = one_command(r, &t);
		if (rc)
			break;
		r->status = r->status != negate;
		negate = false;
	}
	r->g->nest--;
	return rc ? rc : stop ? -EINVAL : 0;
}

int grub_run(struct grub *g, const char *at, const char *end)
{
	struct run r = { .g = g, .at = at, .end = end, .live = true, .status = true };

	return run_list(&r, NULL, NULL);
}
