/* SPDX-License-Identifier: MIT */
/* MemAvailable, and the memory limits of the control groups around us (version 1 or 2), each of which holds. */
#include "util/hostmem.h"
#include "util/cleanup.h"
#include "util/fd.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX 65536u
#define PATH_LEN 512
#define NO_LIMIT (1ull << 60) /* version 1 says "none" with about 2^63 */

struct flavour {
	const char *mount, *limit, *usage, *stat_key;
};
static const struct flavour v2 = { "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file" };
static const struct flavour v1 = { "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
	"total_inactive_file" };

/* The number after a line's first word; false: no such line. */
static bool number_of(const char *text, const char *word, uint64_t *ret)
{
	size_t len = strlen(word);
	char *end;

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, word, len) != 0 || (p[len] != ' ' && p[len] != '\t'))
			continue;
		*ret = strtoull(p + len, &end, 10);
		return end != p + len;
	}
	return false;
}

static bool read_number(const char *dir, const char *name, uint64_t *ret)
{
	CLEANUP_FREE char *text = NULL;
	char path[PATH_LEN + 64], *end;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (fd_read_text(path, FILE_MAX, &text))
		return false;
	*ret = strtoull(text, &end, 10);
	return end != text; /* "max": none */
}

/* Cached file pages go when memory is wanted. */
static uint64_t droppable(const char *dir, const struct flavour *f)
{
	CLEANUP_FREE char *text = NULL;
	char path[PATH_LEN + 64];
	uint64_t n;

	snprintf(path, sizeof(path), "%s/memory.stat", dir);
	return !fd_read_text(path, FILE_MAX, &text) && number_of(text, f->stat_key, &n) ? n : 0;
}

static void apply(const char *dir, const struct flavour *f, struct hostmem *m)
{
	uint64_t limit, used, cache, left;

	if (!read_number(dir, f->limit, &limit) || limit >= NO_LIMIT || !read_number(dir, f->usage, &used))
		return;
	cache = droppable(dir, f);
	used -= cache < used ? cache : used;
	left = limit > used ? limit - used : 0;
	if (limit < m->total_bytes)
		m->total_bytes = limit;
	if (left < m->available_bytes) {
		m->available_bytes = left;
		m->cgroup = true;
	}
}

/* Our group and those around it. In a container the mount's root is the group, whatever the path says. */
static void walk(const char *root, const char *path, size_t len, const struct flavour *f, struct hostmem *m)
{
	char dir[PATH_LEN], *slash;
	size_t base = (size_t)snprintf(dir, sizeof(dir), "%s%s", root, f->mount);

	if (base + len >= sizeof(dir))
		return;
	memcpy(dir + base, path, len);
	dir[base + len] = '\0';
	if (strstr(dir + base, ".."))
		dir[base] = '\0';
	for (;;) {
		apply(dir, f, m);
		slash = strrchr(dir + base, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
}

/* "0::/path" is version 2's group, "4:memory:/path" version 1's for memory. */
static void cgroups(const char *root, const char *text, struct hostmem *m)
{
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t line = strcspn(p, "\n");
		const char *list = memchr(p, ':', line), *path = list ? memchr(list + 1, ':', line - (size_t)(list + 1 - p)) : NULL;
		size_t len;

		if (!path)
			continue;
		list++;
		len = (size_t)(path - list);
		path++;
		if (len == 0)
			walk(root, path, line - (size_t)(path - p), &v2, m);
		else if (memmem(list, len, "memory", 6))
			walk(root, path, line - (size_t)(path - p), &v1, m);
	}
}

int hostmem_read(const char *root, struct hostmem *ret)
{
	CLEANUP_FREE char *text = NULL, *groups = NULL;
	struct hostmem m = { 0 };
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/proc/meminfo", root);
	if (fd_read_text(path, FILE_MAX, &text) || !number_of(text, "MemTotal:", &m.total_bytes) ||
	    !number_of(text, "MemAvailable:", &m.available_bytes) || m.total_bytes >= NO_LIMIT >> 10)
		return -ENODATA;
	m.total_bytes <<= 10;
	m.available_bytes = m.available_bytes << 10 > m.total_bytes ? m.total_bytes : m.available_bytes << 10;
	snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
	if (!fd_read_text(path, FILE_MAX, &groups))
		cgroups(root, groups, &m);
	*ret = m;
	return 0;
}
