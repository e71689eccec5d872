/* SPDX-License-Identifier: MIT */
#include "pvctld/base/tidy.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_ENTRIES 65536u

struct entry {
	struct timespec when;
	uint64_t bytes;
	char *name;
};
struct listing {
	struct entry *entry;
	size_t n, cap;
	uint64_t bytes;
};

/* Without memory the rest is for the next time. */
static bool add(struct listing *l, const struct stat *st, const char *name)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct entry *more = cap <= MAX_ENTRIES ? realloc(l->entry, cap * sizeof(*more)) : NULL;

		if (!more)
			return false;
		l->entry = more;
		l->cap = cap;
	}
	l->entry[l->n] = (struct entry){ st->st_mtim, (uint64_t)st->st_blocks * 512, strdup(name) };
	l->bytes += l->entry[l->n].bytes;
	return l->entry[l->n++].name != NULL;
}

static int by_age(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->when.tv_sec != y->when.tv_sec)
		return x->when.tv_sec < y->when.tv_sec ? -1 : 1;
	return x->when.tv_nsec < y->when.tv_nsec ? -1 : x->when.tv_nsec > y->when.tv_nsec;
}

static unsigned int remove_oldest(int dir, const struct listing *l, const struct tidy *t)
{
	uint64_t bytes = l->bytes, files = l->n, now = (uint64_t)time(NULL);
	unsigned int gone = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->entry[i];
		bool old = t->seconds && (uint64_t)e->when.tv_sec + t->seconds < now;

		if (!old && (!t->bytes || bytes <= t->bytes) && (!t->files || files <= t->files))
			break;
		if (!e->name || (t->in_use && t->in_use(t, e->name)) || unlinkat(dir, e->name, 0))
			continue;
		bytes -= e->bytes;
		files--;
		gone++;
	}
	return gone;
}

unsigned int tidy_dir(const char *path, const struct tidy *t)
{
	struct listing l = { .n = 0 };
	DIR *dir = opendir(path);
	struct dirent *e;
	unsigned int gone = 0;
	struct stat st;

	if (!dir)
		return 0;
	while ((e = readdir(dir)))
		if ((!t->counts || t->counts(t, e->d_name)) && !fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(st.st_mode) && !add(&l, &st, e->d_name))
			break;
	if (l.n) {
		qsort(l.entry, l.n, sizeof(*l.entry), by_age);
		gone = remove_oldest(dirfd(dir), &l, t);
	}
	closedir(dir);
	for (size_t i = 0; i < l.n; i++)
		free(l.entry[i].name);
	free(l.entry);
	return gone;
}
