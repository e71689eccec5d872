/* SPDX-License-Identifier: MIT */
#include "pvctld/life/history.h"
#include "pvctld/core/daemon.h"
#include "pvctld/domain/domains.h"
#include "pvctld/base/log.h"
#include <stdlib.h>
#include <string.h>

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

static void drop(struct history *h)
{
	list_del(&h->link);
	free(h);
}

void history_drop(struct daemon *d, const uint8_t uuid[16])
{
	struct history *h = find(d, uuid);

	if (h)
		drop(h);
}

void history_fini(struct daemon *d)
{
	list_for_safe(p, &d->restarts)
		drop(list_entry(p, struct history, link));
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
	}
	if (!dom->restart_limit || (!failed && now - dom->started_ns >= SHORT_LIFE_NS))
		return true;
	forget_old(h, now > window ? now - window : 0);
	if (h->nr_ends >= dom->restart_limit) {
		log_line("domain \"%s\" has ended %u times within %u s: it is kept, and not restarted", dom->name,
			 h->nr_ends + 1, dom->restart_window);
		drop(h);
		return false;
	}
	/* The first time at once, then after 1, 2, 4 ... seconds. */
	if (h->nr_ends)
		*ret_pause_ns = h->nr_ends > 6 ? MAX_PAUSE_NS : SECOND_NS << (h->nr_ends - 1);
	h->ends_ns[h->nr_ends++] = now;
	return true;
}
