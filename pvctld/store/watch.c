/* SPDX-License-Identifier: MIT */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

int watch_add(struct store_conn *c, const char *path, const char *token, size_t report_skip)
{
	struct watch *w;

	for (w = c->store->watches; w; w = w->next)
		if (w->conn == c && !strcmp(w->path, path) && !strcmp(w->token, token))
			return -EEXIST;
	if (c->domid != 0 && c->nwatches >= QUOTA_WATCHES)
		return -E2BIG;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->conn = c;
	w->path = strdup(path);
	w->token = strdup(token);
	w->report_skip = report_skip;
	if (!w->path || !w->token) {
		free(w->path);
		free(w->token);
		free(w);
		return -ENOMEM;
	}
	w->next = c->store->watches;
	c->store->watches = w;
	c->nwatches++;
	return 0;
}

static void watch_free(struct watch **p)
{
	struct watch *w = *p;

	*p = w->next;
	w->conn->nwatches--;
	free(w->path);
	free(w->token);
	free(w);
}

int watch_del(struct store_conn *c, const char *path, const char *token)
{
	for (struct watch **p = &c->store->watches; *p; p = &(*p)->next)
		if ((*p)->conn == c && !strcmp((*p)->path, path) && !strcmp((*p)->token, token)) {
			watch_free(p);
			return 0;
		}
	return -ENOENT;
}

void watch_drop_all(struct store_conn *c)
{
	struct watch **p = &c->store->watches;

	while (*p) {
		if ((*p)->conn == c)
			watch_free(p);
		else
			p = &(*p)->next;
	}
}

/* What a connection may not read it is not told of. For what is gone, the nearest that is left decides. */
static bool may_see(struct store *s, struct store_conn *c, const char *path, struct node *removed)
{
	char buf[XENSTORE_ABS_PATH_MAX + 1];
	struct node *n;

	if (c->domid == 0)
		return true;
	if (path[0] == '@')
		return false;
	if (removed && perm_of(removed, c->domid) & PERM_READ)
		return true;
	snprintf(buf, sizeof(buf), "%s", path);
	while (!(n = node_find(s->root, buf)))
		path_parent(buf, buf, sizeof(buf));
	return perm_of(n, c->domid) & PERM_READ;
}

void store_watch(struct store *s, struct store_watch *w)
{
	w->next = s->own_watches;
	s->own_watches = w;
}

void store_unwatch(struct store *s, struct store_watch *w)
{
	for (struct store_watch **p = &s->own_watches; *p; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			return;
		}
}

bool store_is_watched(struct store *s, uint32_t domid, const char *path)
{
	for (struct watch *w = s->watches; w; w = w->next)
		if (w->conn->domid == domid && path_is_below(path, w->path))
			return true;
	return false;
}

void store_hear(struct store *s, void (*fn)(void *data, uint32_t domid, const char *path, bool there), void *data)
{
	s->hear = fn;
	s->hear_data = data;
}

static void fire_own(struct store *s, const char *path, bool removed)
{
	for (struct store_watch *w = s->own_watches; w; w = w->next)
		if (path_is_below(path, w->path) || (removed && path_is_below(w->path, path)))
			w->fn(w->data);
}

void watch_fire(struct store *s, const char *path, struct node *removed)
{
	fire_own(s, path, removed != NULL);
	for (struct watch *w = s->watches; w; w = w->next) {
		struct node *gone = removed;
		const char *report = path;

		if (removed && strcmp(w->path, path) && path_is_below(w->path, path)) {
			/* A watch below what was removed hears of its own path, if that existed. */
			gone = node_find(removed, w->path + strlen(path));
			if (!gone)
				continue;
			report = w->path;
		} else if (!path_is_below(path, w->path)) {
			continue;
		}
		if (may_see(s, w->conn, report, gone))
			conn_send_event(w->conn, report + w->report_skip, w->token);
	}
}
