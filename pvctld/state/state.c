/* SPDX-License-Identifier: MIT */
#include "pvctld/state/state.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NR_SLOTS 8192u /* most are never touched */
#define SLOT_ALL (STATE_SLOT_KEY + STATE_SLOT_BYTES)
#define SLOT_STEP ((SLOT_ALL + 4095u) & ~4095u)
#define SLOTS_BYTES ((size_t)NR_SLOTS * SLOT_STEP)

enum { R_SET = 1, R_DROP };

struct state_entry {
	struct state_entry *next;
	size_t len;
	void *data;
	char key[];
};

/* ---- records ---- */

static struct state_entry **chain(const struct state *st, const char *key)
{
	uint32_t h = 2166136261u;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 16777619u;
	return (struct state_entry **)&st->hash[h % STATE_HASH];
}

static struct state_entry **find(const struct state *st, const char *key)
{
	struct state_entry **p = chain(st, key);

	while (*p && strcmp((*p)->key, key))
		p = &(*p)->next;
	return p;
}

/* One walk over all records, perhaps within another. */
struct state_walk {
	struct state_walk *outer;
	struct state_entry *next;
};

static void forget(struct state *st, struct state_entry **p)
{
	struct state_entry *e = *p;

	for (struct state_walk *w = st->walks; w; w = w->outer)
		if (w->next == e)
			w->next = e->next;
	*p = e->next;
	free(e->data);
	free(e);
}

/* False: no memory. */
static bool remember(struct state *st, const char *key, const void *data, size_t len)
{
	struct state_entry **p = find(st, key), *e = *p;
	void *copy = malloc(len + 1);

	if (!copy)
		return false;
	if (len)
		memcpy(copy, data, len);
	((char *)copy)[len] = '\0';
	if (!e) {
		e = calloc(1, sizeof(*e) + strlen(key) + 1);
		if (!e) {
			free(copy);
			return false;
		}
		strcpy(e->key, key);
		*p = e;
	}
	free(e->data);
	e->data = copy;
	e->len = len;
	return true;
}

static void rewrite(struct state *st)
{
	state_log_rewrite(&st->records);
	for (unsigned int i = 0; i < STATE_HASH; i++)
		for (const struct state_entry *e = st->hash[i]; e; e = e->next)
			state_log_add(&st->records, R_SET, 0, e->key, e->data, e->len);
	state_log_rewritten(&st->records);
}

void state_set(struct state *st, const char *key, const void *data, size_t len)
{
	if (!state_is_kept(st))
		return;
	state_log_add(&st->records, R_SET, 0, key, data, len);
	state_log_commit(&st->records);
	/* Without memory for our copy it is never written anew: it grows. */
	st->partial |= !remember(st, key, data, len);
	if (!st->partial && state_log_is_long(&st->records))
		rewrite(st);
}

void state_drop(struct state *st, const char *key)
{
	struct state_entry **p = find(st, key);

	if (!*p && !st->partial)
		return;
	state_log_add(&st->records, R_DROP, 0, key, NULL, 0);
	state_log_commit(&st->records);
	if (*p)
		forget(st, p);
}

const void *state_get(const struct state *st, const char *key, size_t *ret_len)
{
	const struct state_entry *e = *find(st, key);

	if (e)
		*ret_len = e->len;
	return e ? e->data : NULL;
}

void state_each(struct state *st, const char *prefix, void (*fn)(void *data, const char *key, const void *value, size_t len),
		void *data)
{
	struct state_walk w = { .outer = st->walks };

	st->walks = &w;
	for (unsigned int i = 0; i < STATE_HASH; i++)
		for (struct state_entry *e = st->hash[i]; e; e = w.next) {
			w.next = e->next;
			if (!strncmp(e->key, prefix, strlen(prefix)))
				fn(data, e->key, e->data, e->len);
		}
	st->walks = w.outer;
}

static int read_records(struct state *st)
{
	struct state_record r;
	size_t pos = 0;

	while (state_log_next(&st->records, &pos, &r)) {
		struct state_entry **p = find(st, r.key);

		if (!r.key_len || r.type < R_SET || r.type > R_DROP)
			return -EPROTO;
		if (r.type == R_DROP && *p)
			forget(st, p);
		else if (r.type == R_SET && !remember(st, r.key, r.data, r.data_len))
			return -ENOMEM;
	}
	return 0;
}

/* ---- slots ---- */

static int map_slots(struct state *st, int fd)
{
	void *p = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	st->slots_used = calloc(NR_SLOTS / 64, sizeof(uint64_t));
	if (p == MAP_FAILED || !st->slots_used) {
		if (p != MAP_FAILED)
			(void)munmap(p, SLOTS_BYTES);
		free(st->slots_used);
		st->slots_used = NULL;
		return -ENOMEM;
	}
	st->slots = p;
	st->slots_fd = fd;
	return 0;
}

static char *key_of(const struct state *st, unsigned int i)
{
	return (char *)st->slots + (size_t)i * SLOT_STEP;
}

static bool is_used(const struct state *st, unsigned int i)
{
	return st->slots_used[i / 64] >> (i % 64) & 1;
}

static void *take_slot(struct state *st, unsigned int i, const char *key)
{
	st->slots_used[i / 64] |= 1ull << (i % 64);
	snprintf(key_of(st, i), STATE_SLOT_KEY, "%s", key);
	return key_of(st, i) + STATE_SLOT_KEY;
}

void *state_slot(struct state *st, const char *key, bool *ret_is_new)
{
	unsigned int spare = NR_SLOTS;

	*ret_is_new = true;
	if (!st->slots)
		return calloc(1, STATE_SLOT_BYTES);
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		if (!is_used(st, i)) {
			if (spare == NR_SLOTS)
				spare = i;
			continue;
		}
		if (strcmp(key_of(st, i), key))
			continue;
		*ret_is_new = false;
		return key_of(st, i) + STATE_SLOT_KEY;
	}
	return spare < NR_SLOTS ? take_slot(st, spare, key) : NULL;
}

void state_slot_free(struct state *st, void *slot)
{
	size_t i;

	if (!slot)
		return;
	if (!st->slots) {
		free(slot);
		return;
	}
	i = (size_t)((uint8_t *)slot - st->slots) / SLOT_STEP;
	key_of(st, (unsigned int)i)[0] = '\0';
	if (madvise(st->slots + i * SLOT_STEP, SLOT_STEP, MADV_REMOVE))
		memset(st->slots + i * SLOT_STEP, 0, SLOT_STEP);
	st->slots_used[i / 64] &= ~(1ull << (i % 64));
}

void state_slots_sweep(struct state *st, bool (*fn)(void *data, const char *key), void *data)
{
	for (unsigned int i = 0; st->slots && i < NR_SLOTS; i++)
		if (is_used(st, i) && fn(data, key_of(st, i)))
			state_slot_free(st, key_of(st, i) + STATE_SLOT_KEY);
}

/* Only those parts of the file that there are. */
static int read_slots(struct state *st)
{
	off_t at = 0;

	while ((at = lseek(st->slots_fd, at, SEEK_DATA)) >= 0) {
		unsigned int i = (unsigned int)((size_t)at / SLOT_STEP);

		key_of(st, i)[STATE_SLOT_KEY - 1] = '\0';
		if (key_of(st, i)[0])
			st->slots_used[i / 64] |= 1ull << (i % 64);
		at = (off_t)(i + 1) * SLOT_STEP;
	}
	return 0;
}

/* ---- all ---- */

bool state_is_kept(const struct state *st)
{
	return st->records.map != NULL;
}

int state_new(struct state *st)
{
	int fd, rc;

	memset(st, 0, sizeof(*st));
	rc = state_log_new(&st->store, "pvctl-store");
	rc = rc ? rc : state_log_new(&st->records, "pvctl-records");
	if (!rc) {
		fd = memfd_create("pvctl-rings", MFD_CLOEXEC);
		if (fd < 0)
			rc = -errno;
		else if (ftruncate(fd, (off_t)SLOTS_BYTES))
			rc = -errno;
		else
			rc = map_slots(st, fd);
		if (rc && fd >= 0)
			close(fd);
	}
	if (rc)
		state_close(st);
	return rc;
}

int state_open(struct state *st, int store_fd, int records_fd, int slots_fd)
{
	struct stat s;
	int rc;

	memset(st, 0, sizeof(*st));
	if (fstat(slots_fd, &s) || s.st_size != (off_t)SLOTS_BYTES)
		return -EPROTO;
	rc = state_log_open(&st->store, store_fd);
	rc = rc ? rc : state_log_open(&st->records, records_fd);
	rc = rc ? rc : map_slots(st, slots_fd);
	rc = rc ? rc : read_records(st);
	return rc ? rc : read_slots(st);
}

void state_close(struct state *st)
{
	for (unsigned int i = 0; i < STATE_HASH; i++)
		while (st->hash[i])
			forget(st, &st->hash[i]);
	if (st->slots) {
		(void)munmap(st->slots, SLOTS_BYTES);
		close(st->slots_fd);
	}
	free(st->slots_used);
	state_log_close(&st->records);
	state_log_close(&st->store);
	memset(st, 0, sizeof(*st));
}
