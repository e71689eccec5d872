/* SPDX-License-Identifier: MIT */
/*
 * What a daemon that comes after this one, which may be killed at any moment, has to know, and can learn neither from
 * the hypervisor nor from guests' memory. All zero is a state that nobody keeps: it works the same.
 */
#ifndef STATE_STATE_H
#define STATE_STATE_H

#include "pvctld/base/list.h"
#include "pvctld/state/log.h"

#define STATE_SLOT_BYTES 40960u
#define STATE_SLOT_KEY 64u
#define STATE_HASH 256u

struct state {
	struct state_log store;   /* the store's journal */
	struct state_log records;
	int slots_fd;
	bool partial;             /* there was no memory for a record below: the log alone has all */
	uint8_t *slots;           /* NULL: not kept */
	uint64_t *slots_used;     /* a bit each */
	struct state_entry *hash[STATE_HASH];
	struct state_walk *walks; /* of state_each */
};

/* -errno. */
int state_new(struct state *st);
/* Another process's: the descriptors are taken on success. -EPROTO: not of this version, or broken. */
int state_open(struct state *st, int store_fd, int records_fd, int slots_fd);
void state_close(struct state *st);
bool state_is_kept(const struct state *st);

/* Records: by key, of any bytes. One call is done whole or not at all. */
void state_set(struct state *st, const char *key, const void *data, size_t len);
void state_drop(struct state *st, const char *key);
/* NULL: there is none. Until it is set or dropped. */
const void *state_get(const struct state *st, const char *key, size_t *ret_len);
/* In no order. fn may set and drop any record: one that it drops is not told of any more, one that it adds perhaps. */
void state_each(struct state *st, const char *prefix, void (*fn)(void *data, const char *key, const void *value, size_t len),
		void *data);

/*
 * Slots: memory of STATE_SLOT_BYTES that is written directly, zero when it is new. The daemon may die between any two
 * stores to it. NULL: there is no room.
 */
void *state_slot(struct state *st, const char *key, bool *ret_is_new);
void state_slot_free(struct state *st, void *slot);
/* Frees those of which fn says so. */
void state_slots_sweep(struct state *st, bool (*fn)(void *data, const char *key), void *data);

#endif
