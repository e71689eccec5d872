/* SPDX-License-Identifier: MIT */
/*
 * The journal keeps the tree over a restart of the daemon: records of what was
 * done, appended. A record that is cut short or fails its checksum ends the
 * reading: what came before it stands. When it has grown, it is written anew.
 */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define JOURNAL_MAX_BYTES (8u * 1024 * 1024)
#define RECORD_MAX (64u * 1024)

struct record { uint32_t magic, sum, type, path_len, data_len; };
#define RECORD_MAGIC 0x4a545358u

static uint32_t checksum(const struct record *r, const void *path, const void *data)
{
	const unsigned char *parts[3] = { (const unsigned char *)&r->type, path, data };
	size_t lens[3] = { 3 * sizeof(uint32_t), r->path_len, r->data_len };
	uint32_t h = 2166136261u;

	for (int p = 0; p < 3; p++)
		for (size_t i = 0; i < lens[p]; i++)
			h = (h ^ parts[p][i]) * 16777619u;
	return h;
}

static int put_record(FILE *f, enum op_type type, const char *path, const void *data, size_t len)
{
	struct record r = { RECORD_MAGIC, 0, type, strlen(path) + 1, len };

	r.sum = checksum(&r, path, data);
	if (fwrite(&r, sizeof(r), 1, f) != 1 || fwrite(path, r.path_len, 1, f) != 1 ||
	    (len && fwrite(data, len, 1, f) != 1))
		return -EIO;
	return 0;
}

static int put_tree(FILE *f, const struct node *n, char *path, size_t at)
{
	int rc = put_record(f, OP_WRITE, at ? path : "/", n->value, n->vlen);

	if (!rc)
		rc = put_record(f, OP_PERMS, at ? path : "/", n->perms, n->nperms * sizeof(*n->perms));
	for (uint32_t i = 0; !rc && i < n->nchildren; i++) {
		int l = snprintf(path + at, XENSTORE_ABS_PATH_MAX + 1 - at, "/%s", n->children[i]->name);

		rc = put_tree(f, n->children[i], path, at + l);
	}
	return rc;
}

static void rewrite(struct store *s)
{
	char path[XENSTORE_ABS_PATH_MAX + 1] = "", tmp[4096];
	FILE *f;

	snprintf(tmp, sizeof(tmp), "%s.new", s->journal_path);
	f = fopen(tmp, "we");
	if (!f)
		return;
	if (put_tree(f, s->root, path, 0) || fflush(f) || rename(tmp, s->journal_path)) {
		fclose(f);
		remove(tmp);
		return;
	}
	if (s->journal)
		fclose(s->journal);
	s->journal = f;
	s->journal_bytes = ftell(f);
}

void journal_note(struct store *s, enum op_type type, const char *path, const void *data, size_t len)
{
	if (!s->journal)
		return;
	if (put_record(s->journal, type, path, data, len) || fflush(s->journal)) {
		/* A journal with a hole is worse than none. */
		fclose(s->journal);
		s->journal = NULL;
		remove(s->journal_path);
		return;
	}
	s->journal_bytes += sizeof(struct record) + strlen(path) + 1 + len;
	if (s->journal_bytes > JOURNAL_MAX_BYTES)
		rewrite(s);
}

static void note_tree(struct store *s, char *path, size_t at, const struct node *n, bool below)
{
	journal_note(s, OP_WRITE, path, n->value, n->vlen);
	journal_note(s, OP_PERMS, path, n->perms, n->nperms * sizeof(*n->perms));
	for (uint32_t i = 0; below && i < n->nchildren; i++) {
		int l = snprintf(path + at, XENSTORE_ABS_PATH_MAX + 1 - at, "/%s", n->children[i]->name);

		note_tree(s, path, at + l, n->children[i], true);
		path[at] = '\0';
	}
}

void journal_note_change(struct store *s, const char *path, const struct node *n, bool removed)
{
	char buf[XENSTORE_ABS_PATH_MAX + 1];

	if (!s->journal)
		return;
	if (!n || removed)
		journal_note(s, OP_RM, path, "", 0);
	if (n)
		note_tree(s, buf, (size_t)snprintf(buf, sizeof(buf), "%s", path), n, removed);
}

static bool replay_one(struct store *s, FILE *f, char *buf)
{
	struct op_ctx c = op_ctx(s, 0, NULL);
	struct record r;

	if (fread(&r, sizeof(r), 1, f) != 1 || r.magic != RECORD_MAGIC || !r.path_len ||
	    r.path_len > XENSTORE_ABS_PATH_MAX + 1 || r.data_len > RECORD_MAX - XENSTORE_ABS_PATH_MAX - 1)
		return false;
	if (fread(buf, r.path_len, 1, f) != 1 || (r.data_len && fread(buf + r.path_len, r.data_len, 1, f) != 1))
		return false;
	if (buf[r.path_len - 1] || checksum(&r, buf, buf + r.path_len) != r.sum || !path_valid(buf, false))
		return false;
	if (r.type == OP_PERMS && (!r.data_len || r.data_len % sizeof(struct perm)))
		return false;
	op_apply(&c, r.type, buf, buf + r.path_len, r.data_len);
	return true;
}

int journal_open(struct store *s, const char *path)
{
	char *buf = malloc(RECORD_MAX);
	FILE *f = fopen(path, "re");

	s->journal_path = strdup(path);
	if (!buf || !s->journal_path) {
		free(buf);
		if (f)
			fclose(f);
		return -ENOMEM;
	}
	while (f && replay_one(s, f, buf))
		;
	if (f)
		fclose(f);
	free(buf);
	rewrite(s);
	return s->journal ? 0 : -EIO;
}
