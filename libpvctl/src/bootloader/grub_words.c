/* SPDX-License-Identifier: MIT */
/* grub.cfg: variables, words and quoting. */
#include "bootloader/grub.h"
#include "util/buf.h"
#include "util/cleanup.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct grub_var *find_var(struct grub_env *e, const char *name)
{
	unsigned int i;

	e->work += 1 + e->n / 16;
	for (i = 0; i < e->n; i++)
		if (strcmp(e->var[i].name, name) == 0)
			return &e->var[i];
	return NULL;
}

void grub_env_unset(struct grub_env *e, const char *name)
{
	struct grub_var *v = find_var(e, name);

	if (!v)
		return;
	e->bytes -= strlen(v->name) + strlen(v->value);
	free(v->name);
	free(v->value);
	*v = e->var[--e->n];
}

static int append_var(struct grub_env *e, const char *name, const char *value)
{
	struct grub_var *v;

	if (e->n >= GRUB_MAX_VARS || e->bytes + strlen(name) + strlen(value) > GRUB_MAX_ENV)
		return -E2BIG;
	v = &e->var[e->n];
	v->name = strdup(name);
	v->value = strdup(value);
	if (!v->name || !v->value) {
		free(v->name);
		free(v->value);
		return -ENOMEM;
	}
	e->bytes += strlen(name) + strlen(value);
	e->n++;
	return 0;
}

int grub_env_set(struct grub_env *e, const char *name, const char *value)
{
	if (strlen(name) > 255 || strlen(value) > BOOT_MAX_STRING)
		return -E2BIG;
	grub_env_unset(e, name);
	return append_var(e, name, value);
}

const char *grub_env_get(struct grub_env *e, const char *name)
{
	struct grub_var *v = find_var(e, name);

	return v ? v->value : NULL;
}

int grub_env_copy(struct grub_env *to, const struct grub_env *from)
{
	unsigned int i;
	int rc = 0;

	to->n = 0;
	to->bytes = 0;
	to->work = from->work + from->n;
	for (i = 0; i < from->n && !rc; i++)
		rc = append_var(to, from->var[i].name, from->var[i].value);
	return rc;
}

void grub_env_free(struct grub_env *e)
{
	while (e->n)
		grub_env_unset(e, e->var[0].name);
}

static bool separates(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';' || c == '\0';
}

/* Past the end of a quoted part that begins at p, or NULL. */
static const char *skip_quote(const char *p, const char *end)
{
	char q = *p++;

	for (; p < end; p++) {
		if (*p == q)
			return p + 1;
		if (q == '"' && *p == '\\' && p + 1 < end)
			p++;
	}
	return NULL;
}

int grub_token(const char **at, const char *end, struct grub_token *ret)
{
	const char *p = *at;

	for (;;) {
		while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\0'))
			p++;
		if (p + 1 < end && *p == '\\' && p[1] == '\n') {
			p += 2;
			continue;
		}
		if (p >= end || *p != '#')
			break;
		while (p < end && *p != '\n')
			p++;
	}
	ret->at = p;
	ret->kind = p >= end ? GRUB_END : *p == '\n' || *p == ';' ? GRUB_NEWLINE : GRUB_WORD;
	if (ret->kind == GRUB_NEWLINE)
		p++;
	while (ret->kind == GRUB_WORD && p < end && !separates(*p)) {
		if (*p == '\'' || *p == '"') {
			p = skip_quote(p, end);
			if (!p)
				return -EINVAL;
		} else {
			p += *p == '\\' && p + 1 < end ? 2 : 1;
		}
	}
	ret->len = (size_t)(p - ret->at);
	*at = p;
	return 0;
}

void grub_words_free(struct grub_words *w)
{
	while (w->n)
		free(w->word[--w->n]);
}

/* The name behind a $ at p, and where it ends; false: the $ stands for itself. */
static bool var_name(const char **p, const char *end, char name[64])
{
	const char *s = *p + 1;
	bool braces = s < end && *s == '{';
	size_t n = 0;

	s += braces;
	if (s < end && !braces && strchr("?#@*", *s) && *s) {
		name[n++] = *s++;
	} else {
		while (s < end && n < 63 && (isalnum((unsigned char)*s) || *s == '_' ||
		                             (braces && *s != '}' && *s > ' ')))
			name[n++] = *s++;
	}
	if (n == 0 || (braces && (s >= end || *s != '}')))
		return false;
	name[n] = '\0';
	*p = s + braces;
	return true;
}

static int end_word(struct buf *b, struct grub_words *w)
{
	if (w->n >= GRUB_MAX_WORDS || buf_add(b, "", 1))
		return -E2BIG;
	w->word[w->n] = strdup((char *)b->data);
	b->len = 0;
	return w->word[w->n] ? (w->n++, 0) : -ENOMEM;
}

/* A value outside of quotes is cut at its blanks. */
static int add_split(struct buf *b, struct grub_words *w, const char *value)
{
	int rc = 0;

	for (; *value && !rc; value++) {
		if (*value != ' ' && *value != '\t')
			rc = buf_add(b, value, 1);
		else if (b->len)
			rc = end_word(b, w);
	}
	return rc;
}

static int add_var(struct grub_env *e, const char **p, const char *end, bool quoted, struct buf *b,
                   struct grub_words *w)
{
	const char *value;
	char name[64];

	if (!var_name(p, end, name))
		return buf_add(b, (*p)++, 1);
	value = grub_env_get(e, name);
	if (!value)
		return 0;
	e->work += strlen(value) / (quoted ? 64 : 8);
	return quoted ? buf_add(b, value, strlen(value)) : add_split(b, w, value);
}

int grub_expand(struct grub_env *e, const char *at, size_t len, struct grub_words *w)
{
	CLEANUP_BUF struct buf b = { .limit = 2 * BOOT_MAX_STRING };
	const char *p = at, *end = at + len;
	bool any = false; /* "" is a word, too */
	char quote = 0;
	int rc = 0;

	while (p < end && !rc) {
		if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = quote ? 0 : *p;
			any = true;
			p++;
		} else if (*p == '$' && quote != '\'') {
			rc = add_var(e, &p, end, quote, &b, w);
		} else if (*p == '\\' && quote != '\'' && p + 1 < end) {
			p++;
			if (quote && !strchr("$\"\\", *p))
				rc = buf_add(&b, "\\", 1);
			if (!rc && *p != '\n')
				rc = buf_add(&b, p, 1);
			p++;
		} else {
			const char *plain = p++;

			while (p < end && !strchr("'\"$\\", *p))
				p++;
			rc = buf_add(&b, plain, (size_t)(p - plain));
		}
	}
	return rc ? rc : b.len || any ? end_word(&b, w) : 0;
}

char *grub_expand_text(struct grub_env *e, const char *text)
{
	CLEANUP_BUF struct buf b = { .limit = 2 * BOOT_MAX_STRING };
	const char *p = text, *end = text + strlen(text);
	int rc = 0;

	while (p < end && !rc)
		rc = *p == '$' ? add_var(e, &p, end, true, &b, NULL) : buf_add(&b, p++, 1);
	return rc || buf_add(&b, "", 1) ? NULL : strdup((char *)b.data);
}
