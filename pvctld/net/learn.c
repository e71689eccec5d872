/* SPDX-License-Identifier: MIT */
#include "pvctld/net/learn.h"
#include <string.h>

static struct learned *find(struct learn_table *t, const uint8_t mac[6])
{
	for (unsigned int i = 0; i < LEARN_MAX; i++)
		if (t->entry[i].used && !memcmp(t->entry[i].mac, mac, 6))
			return &t->entry[i];
	return NULL;
}

void learn_note(struct learn_table *t, const uint8_t mac[6], uint64_t now_ns)
{
	struct learned *e = find(t, mac);

	if (!e) {
		e = &t->entry[0];
		for (unsigned int i = 1; e->used && i < LEARN_MAX; i++)
			if (!t->entry[i].used || t->entry[i].seen_ns < e->seen_ns)
				e = &t->entry[i];
	}
	memcpy(e->mac, mac, 6);
	e->used = true;
	e->seen_ns = now_ns;
}

bool learn_has(const struct learn_table *t, const uint8_t mac[6], uint64_t now_ns)
{
	for (unsigned int i = 0; i < LEARN_MAX; i++) {
		const struct learned *e = &t->entry[i];

		if (e->used && !memcmp(e->mac, mac, 6))
			return now_ns - e->seen_ns <= LEARN_HOLD_NS;
	}
	return false;
}
