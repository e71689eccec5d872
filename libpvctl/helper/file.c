/* SPDX-License-Identifier: MIT */
/* A whole file, of whatever kind of file system. */
#include "helper.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct gather { char *text; size_t len; };

static int gather(void *arg, const void *p, size_t len)
{
	struct gather *g = arg;
	char *more = realloc(g->text, g->len + len + 1);

	if (!more)
		return -ENOMEM;
	g->text = more;
	memcpy(more + g->len, p, len);
	g->len += len;
	more[g->len] = '\0';
	return 0;
}

int fs_load(struct fs *fs, const char *path, size_t max, char **ret, size_t *ret_len)
{
	struct gather g = { .text = calloc(1, 1) };
	int rc = g.text ? fs->ops->each_piece(fs, path, max, gather, &g) : -ENOMEM;

	if (rc) {
		free(g.text);
		return rc;
	}
	*ret = g.text;
	*ret_len = g.len;
	return 0;
}

struct target { int fd; uint64_t *at; };

static int to_file(void *arg, const void *p, size_t len)
{
	struct target *t = arg;
	int rc = write_at(t->fd, p, len, *t->at);

	*t->at += len;
	return rc;
}

int fs_copy(struct fs *fs, const char *path, int fd, uint64_t *at, uint64_t max)
{
	struct target t = { fd, at };

	return fs->ops->each_piece(fs, path, max, to_file, &t);
}
