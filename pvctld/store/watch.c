/* SPDX-License-Identifier: MIT */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

uint32_t path_hash(uint32_t h, const char *path, size_t len)
{
	count_work(len / 64);
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)path[i]) * 16777619u;
	return h;
}

static struct watch **bucket(struct store *s, uint32_t hash)
{
	return &s->watches[hash % WATCH_BUCKETS];
}

static struct watch *watch_new(struct store_conn *c, const char *path, const char *token, size_t report_skip)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->conn = c;
	w->path = strdup(path);
	w->token = strdup(token);
	w->hash = path_hash(PATH_HASH_START, path, strlen(path));
	w->report_skip = report_skip;
	w->bytes = sizeof(*w) + strlen(path) + strlen(token);
	if (w->path && w->token)
		return w;
	free(w->path);
	free(w->token);
	free(w);
	return NULL;
}

int watch_add(struct store_conn *c, const char *path, const char *token, size_t report_skip)
{
	struct op_ctx ctx = op_ctx(c->store, c->domid, NULL);
	struct watch *w, **head;
	int rc;

	count_work(c->nwatches);
	for (w = c->watches; w; w = w->next_of_conn)
		if (!strcmp(w->path, path) && !strcmp(w->token, token))
			return -EEXIST;
	if (c->domid != 0 && !c->store->replaying && c->nwatches >= quota_limit(c->store, c->domid, Q_WATCHES))
		return quota_reached(c->store, c->domid, Q_WATCHES);
	rc = quota_check(&ctx, 0, sizeof(*w) + strlen(path) + strlen(token));
	if (rc)
		return rc;
	w = watch_new(c, path, token, report_skip);
	if (!w)
		return -ENOMEM;
	head = bucket(c->store, w->hash);
	w->next = *head;
	*head = w;
	w->next_of_conn = c->watches;
	c->watches = w;
	c->nwatches++;
	c->store->live[c->domid] += w->bytes;
	c->store->bytes[c->domid] += w->bytes;
	journal_note_watch(c, path, token, report_skip);
	return 0;
}

static void watch_free(struct watch **of_conn)
{
	struct watch *w = *of_conn, **p;
	struct store *s = w->conn->store;

	*of_conn = w->next_of_conn;
	for (p = bucket(s, w->hash); *p != w; p = &(*p)->next)
		count_work(1);
	*p = w->next;
	if (s->fires && s->fires->pos == w)
		s->fires->pos = w->next;
	w->conn->nwatches--;
	s->live[w->conn->domid] -= w->bytes;
	s->bytes[w->conn->domid] -= w->bytes;
	free(w->path);
	free(w->token);
	free(w);
}

int watch_del(struct store_conn *c, const char *path, const char *token)
{
	count_work(c->nwatches);
	for (struct watch **p = &c->watches; *p; p = &(*p)->next_of_conn)
		if (!strcmp((*p)->path, path) && !strcmp((*p)->token, token)) {
			watch_free(p);
			journal_note_unwatch(c, path, token);
			return 0;
		}
	return -ENOENT;
}

void watch_drop_all(struct store_conn *c)
{
	journal_note_no_watches(c);
	while (c->watches)
		watch_free(&c->watches);
}

/* What a connection may not read it is not told of. For what is gone, the nearest that is left decides. */
static bool may_see(struct store *s, struct store_conn *c, const char *path, struct node *removed)
{
	size_t len;

	if (c->domid == 0)
		return true;
	if (path[0] == '@')
		return false;
	if (removed && perm_of(removed, c->domid) & PERM_READ)
		return true;
	return perm_of(node_nearest(s->root, path, &len), c->domid) & PERM_READ;
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
	for (struct store_conn *c = s->conns; c; c = c->next)
		for (struct watch *w = c->domid == domid ? c->watches : NULL; w; w = w->next_of_conn)
			if (path_is_below(path, w->path))
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
	for (struct store_watch *w = s->own_watches; w; w = w->next) {
		count_work(1);
		if (path_is_below(path, w->path) || (removed && path_is_below(w->path, path)))
			w->fn(w->data);
	}
}

static void fire_init(struct fire *f, const char *path, struct node *removed, bool exact)
{
	strcpy(f->path, path);
	f->removed = removed ? node_ref(removed) : NULL;
	f->exact = exact;
	f->hash = PATH_HASH_START;
}

static struct fire *fire_new(const char *path, struct node *removed, bool exact)
{
	struct fire *f = calloc(1, sizeof(*f) + strlen(path) + 1);

	if (f)
		fire_init(f, path, removed, exact);
	return f;
}

static void fire_free(struct fire *f)
{
	node_unref(f->removed);
	free(f);
}

static bool is_watched(struct store *s, const char *path, uint32_t hash)
{
	struct watch *w = *bucket(s, hash);

	for (; w; w = w->next) {
		count_work(1);
		if (w->hash == hash && !strcmp(w->path, path))
			return true;
	}
	return false;
}

/* A watch below what was removed hears of its own path, if that existed: a fire each, behind f. */
static struct fire **add_below(struct store *s, struct fire **at, char *path, size_t len, uint32_t hash,
                               const struct node *n)
{
	for (uint32_t i = 0; i < n->nchildren; i++) {
		struct node *child = n->children[i];
		size_t l = len + (size_t)snprintf(path + len, XENSTORE_ABS_PATH_MAX + 1 - len, "/%s", child->name);
		uint32_t h = path_hash(hash, path + len, l - len);
		struct fire *f = is_watched(s, path, h) ? fire_new(path, child, true) : NULL;

		count_work(1);
		if (f) {
			f->next = *at;
			if (s->fires_tail == at)
				s->fires_tail = &f->next;
			*at = f;
			at = &f->next;
		}
		at = add_below(s, at, path, l, h, child);
		path[len] = '\0';
	}
	return at;
}

static void begin(struct store *s, struct fire *f)
{
	char path[XENSTORE_ABS_PATH_MAX + 1];

	f->begun = true;
	if (f->exact)
		return;
	fire_own(s, f->path, f->removed != NULL);
	if (f->removed) {
		size_t len = (size_t)snprintf(path, sizeof(path), "%s", f->path);

		add_below(s, &f->next, path, len, path_hash(PATH_HASH_START, path, len), f->removed);
	}
}

/* To the next prefix of the path that somebody may watch; false: there is none. */
static bool next_prefix(struct store *s, struct fire *f)
{
	size_t from = f->at;

	if (from && !f->path[from])
		return false;
	if (f->exact || f->path[0] == '@')
		f->at = strlen(f->path);
	else if (!from)
		f->at = 1;
	else
		f->at += (f->path[from] == '/') + strcspn(f->path + from + (f->path[from] == '/'), "/");
	f->hash = path_hash(f->hash, f->path + from, f->at - from);
	f->pos = *bucket(s, f->hash);
	count_work(1);
	return true;
}

static void tell(struct store *s, const struct fire *f, struct watch *w)
{
	count_work(1);
	if (w->hash != f->hash || w->conn->dead || strncmp(w->path, f->path, f->at) || w->path[f->at])
		return;
	if (may_see(s, w->conn, f->path, f->removed))
		conn_send_event(w->conn, f->path + w->report_skip, w->token);
}

/* True: all have heard of it. */
static bool go_on(struct store *s, struct fire *f, uint64_t until)
{
	if (!f->begun)
		begin(s, f);
	while (store_units() < until) {
		struct watch *w = f->pos;

		if (w) {
			f->pos = w->next;
			tell(s, f, w);
		} else if (!next_prefix(s, f)) {
			return true;
		}
	}
	return false;
}

void store_go_on(struct store *s)
{
	uint64_t until = store_units() + FIRE_UNITS;

	while (s->fires && store_units() < until) {
		struct fire *f = s->fires;

		if (!go_on(s, f, until))
			break;
		s->fires = f->next;
		if (!s->fires)
			s->fires_tail = &s->fires;
		fire_free(f);
	}
	journal_commit(s);
}

bool store_is_busy(const struct store *s)
{
	return s->fires != NULL;
}

void watch_run(struct store *s)
{
	store_go_on(s);
	if (s->fires && s->host_ops && s->host_ops->busy)
		s->host_ops->busy(s->host_data);
}

void watch_fires_drop(struct store *s)
{
	while (s->fires) {
		struct fire *f = s->fires;

		s->fires = f->next;
		fire_free(f);
	}
	s->fires_tail = &s->fires;
}

/* Without memory: out of turn, and without an end to the work. */
static void fire_now(struct store *s, const char *path, struct node *removed)
{
	union {
		struct fire f;
		char room[sizeof(struct fire) + XENSTORE_ABS_PATH_MAX + 1];
	} u = { 0 };

	fire_init(&u.f, path, removed, false);
	for (struct fire *f = &u.f; f; f = f->next)
		while (!go_on(s, f, UINT64_MAX))
			;
	while (u.f.next) {
		struct fire *f = u.f.next;

		u.f.next = f->next;
		fire_free(f);
	}
	node_unref(removed);
}

void watch_fire(struct store *s, const char *path, struct node *removed)
{
	struct fire *f = s->replaying ? NULL : fire_new(path, removed, false);

	if (s->replaying)
		return;
	if (!f) {
		fire_now(s, path, removed);
		return;
	}
	*s->fires_tail = f;
	s->fires_tail = &f->next;
}
