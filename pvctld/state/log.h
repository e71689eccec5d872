/* SPDX-License-Identifier: MIT */
/*
 * A log in shared memory that outlives the process: a memfd, of which somebody else holds a descriptor, too. What was
 * added counts once it is committed, by one store to memory: a process that is killed anywhere leaves all of a commit
 * or nothing. There are two areas: one is in use, the other for what is written anew when the first has grown.
 */
#ifndef STATE_LOG_H
#define STATE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of everything that is kept for the next daemon. One that finds another number does not touch it. */
#define STATE_VERSION 2u

struct state_log_head;
struct state_log {
	int fd;                  /* -1: not open, and nothing is kept */
	uint8_t *map;
	struct state_log_head *head;
	size_t at;               /* where the next record goes: behind what is not committed yet */
	size_t live;             /* committed bytes when it was written anew last */
	bool rewriting, failed;
};
struct state_record {
	uint32_t type, domid;
	uint32_t key_len, data_len;
	const char *key;         /* with a NUL within key_len, or of no length */
	const void *data;
};

/* -errno. */
int state_log_new(struct state_log *l, const char *name);
/* A log of another process's: fd is taken on success. -EPROTO: it is none, or of another version. */
int state_log_open(struct state_log *l, int fd);
void state_log_close(struct state_log *l);
/* A log that could not take a record is failed: it is worth nothing from then on, and says so to who opens it. */
void state_log_add(struct state_log *l, uint32_t type, uint32_t domid, const char *key, const void *data, size_t len);
void state_log_commit(struct state_log *l);
/* It has grown to where it should be written anew. */
bool state_log_is_long(const struct state_log *l);
/* What is added between these two takes the place of all that was there. Nothing may wait for its commit. */
void state_log_rewrite(struct state_log *l);
void state_log_rewritten(struct state_log *l);
/* *pos from 0. False: that was all. */
bool state_log_next(const struct state_log *l, size_t *pos, struct state_record *ret);
/* One word that belongs to it. */
void state_log_set_flag(struct state_log *l, uint32_t flag);
uint32_t state_log_flag(const struct state_log *l);

#endif
