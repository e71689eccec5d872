/* SPDX-License-Identifier: MIT */
#include "pvctld/life/history.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/base/log.h"
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <uuid/uuid.h>

#define SECOND_NS 1000000000ull
#define SHORT_LIFE_NS (2 * SECOND_NS) /* of one that reboots: nobody asked it to */
#define MAX_PAUSE_NS (60 * SECOND_NS)

struct history {
	struct list link;
	uint8_t uuid[16];
	unsigned int nr_ends;
	uint64_t ends_ns[RESTART_LIMIT_MAX]; /* within the window, oldest first */
};

static struct history *find(struct daemon *d, const uint8_t uuid[16])
{
	list_for(p, &d->restarts)
		if (!memcmp(list_entry(p, struct history, link)->uuid, uuid, 16))
			return list_entry(p, struct history, link);
	return NULL;
}

bool history_has(struct daemon *d, const uint8_t uuid[16])
{
	return find(d, uuid) != NULL;
}

static void key_of(const struct history *h, char buf[48])
{
	char text[37];

	uuid_unparse_lower(h->uuid, text);
	snprintf(buf, 48, "history/%s", text);
}

static void keep(struct daemon *d, const struct history *h)
{
	char key[48];

	key_of(h, key);
	state_set(&d->state, key, h, sizeof(*h));
}

static void take(void *data, const char *key, const void *value, size_t len)
{
	struct daemon *d = data;
	struct history *h = len == sizeof(*h) ? malloc(sizeof(*h)) : NULL;

	if (!h)
		return;
	memcpy(h, value, sizeof(*h));
	list_init(&h->link);
	if (h->nr_ends > RESTART_LIMIT_MAX)
		h->nr_ends = RESTART_LIMIT_MAX;
	list_add_tail(&d->restarts, &h->link);
}

void history_adopt(struct daemon *d)
{
	state_each(&d->state, "history/", take, d);
}

static void drop(struct daemon *d, struct history *h)
{
	char key[48];

	key_of(h, key);
	state_drop(&d->state, key);
	list_del(&h->link);
	free(h);
}

void history_drop(struct daemon *d, const uint8_t uuid[16])
{
	struct history *h = find(d, uuid);

	if (h)
		drop(d, h);
}

void history_fini(struct daemon *d)
{
	list_for_safe(p, &d->restarts)
		drop(d, list_entry(p, struct history, link));
}

static void forget_old(struct history *h, uint64_t since_ns)
{
	unsigned int old = 0;

	while (old < h->nr_ends && h->ends_ns[old] < since_ns)
		old++;
	h->nr_ends -= old;
	memmove(h->ends_ns, h->ends_ns + old, h->nr_ends * sizeof(h->ends_ns[0]));
}

bool history_may_restart(struct dom *dom, bool failed, uint64_t *ret_pause_ns)
{
	struct history *h = find(dom->d, dom->uuid);
	uint64_t now = now_ns(), window = dom->restart_window * SECOND_NS;

	*ret_pause_ns = 0;
	if (!h) {
		h = calloc(1, sizeof(*h));
		if (!h)
			return false;
		memcpy(h->uuid, dom->uuid, 16);
		list_add_tail(&dom->d->restarts, &h->link);
		keep(dom->d, h);
	}
	if (!dom->restart_limit || (!failed && now - dom->started_ns >= SHORT_LIFE_NS))
		return true;
	forget_old(h, now > window ? now - window : 0);
	if (h->nr_ends >= dom->restart_limit) {
		log_line("domain \"%s\" has ended %u times within %u s: it is kept, and not restarted", dom->name,
			 h->nr_ends + 1, dom->restart_window);
		drop(dom->d, h);
		return false;
	}
	/* The first time at once, then after 1, 2, 4 ... seconds. */
	if (h->nr_ends)
		*ret_pause_ns = h->nr_ends > 6 ? MAX_PAUSE_NS : SECOND_NS << (h->nr_ends - 1);
	h->ends_ns[h->nr_ends++] = now;
	keep(dom->d, h);
	return true;
}
