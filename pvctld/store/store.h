/* SPDX-License-Identifier: MIT */
/*
 * The store: xenstore's tree, permissions, watches, transactions and quotas,
 * and its wire protocol, as pure code: bytes in, bytes out, no file descriptors. One thread.
 *
 * A connection is a guest's ring or a local client's socket. Watch events and
 * replies come out through ops->output; the owner queues them and may say that
 * it is full (store then stops reading from it and drops its watch events only
 * after the per-connection limit, closing it).
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "pvctld/base/fifo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_conn;
struct state_log;

struct store_conn_ops {
	/* Whole messages, in order. */
	void (*output)(void *data, const void *bytes, size_t len);
	/* Broken framing or hopeless overflow: the owner closes it (later, not from inside). */
	void (*broken)(void *data, const char *why);
	/* Of what output() was given, what has not gone out yet. NULL: it is not to be kept. */
	const void *(*unsent)(void *data, size_t *ret_len);
};
/* Of a guest's connection, in bytes, as its ring counts them: taken by us, and given to output(). */
struct store_position { uint32_t in, out; };
/* What the store asks of the daemon (domain 0 requests XS_INTRODUCE, XS_RELEASE, XS_RESUME by local clients). */
struct store_host_ops {
	int (*introduce)(void *data, uint32_t domid, uint64_t gfn, uint32_t port); /* 0 or -errno */
	int (*release)(void *data, uint32_t domid);
	int (*resume)(void *data, uint32_t domid);
	/* A guest has met a limit for the first time. */
	void (*quota)(void *data, uint32_t domid, const char *name);
	/* store_is_busy() has become true. */
	void (*busy)(void *data);
};

/* journal: keeps it over the daemon's death, and outlives it; what is in there is read first. NULL: none. */
struct store *store_new(struct state_log *journal, const struct store_host_ops *ops, void *data);
void store_free(struct store *s);

/* domid 0: a local client, may do all. */
struct store_conn *store_conn_new(struct store *s, uint32_t domid, const struct store_conn_ops *ops, void *data);
void store_conn_free(struct store_conn *c);
/* A guest's, which a journal is to keep: pos is where its ring is. */
void store_conn_keep(struct store_conn *c, const struct store_position *pos);
/*
 * The connection of that guest as the journal has it, which has an owner from here on; NULL: there is none.
 * *ret_unsent, the caller's, ends at ret_pos->out: its last bytes may have gone out, and the ring knows.
 */
struct store_conn *store_conn_resume(struct store *s, uint32_t domid, const struct store_conn_ops *ops, void *data,
				     struct store_position *ret_pos, struct fifo *ret_unsent);
/* Those of the journal's connections that nobody owns by now; and others' watches hear what they may have missed. */
void store_drop_orphans(struct store *s);
/* It has no watches and no transactions: nothing is lost with it. */
bool store_conn_is_idle(const struct store_conn *c);
/*
 * Bytes as they arrive, in any portions. Returns how many were taken: fewer when output is pending beyond the limit.
 * A guest's next request is not begun after much work in this call, or while the store is busy.
 */
size_t store_conn_input(struct store_conn *c, const void *bytes, size_t len);
/* The owner tells how many output bytes it still holds back. */
void store_conn_backlog(struct store_conn *c, size_t bytes);

/*
 * Work is counted in units of about 50 ns: nodes looked at or copied, watches asked, bytes moved.
 * What many watches are to hear may be too much for one turn: the store is busy until store_go_on, which
 * does some more of it at each call, has done all.
 */
uint64_t store_units(void);
bool store_is_busy(const struct store *s);
void store_go_on(struct store *s);

/* A domain's life: introduce lets it own nodes and fires @introduceDomain; release drops
 * its watches, transactions, nodes' ownership (to domain 0) and fires @releaseDomain. */
void store_domain_introduced(struct store *s, uint32_t domid);
void store_domain_released(struct store *s, uint32_t domid);
bool store_domain_is_introduced(struct store *s, uint32_t domid);
/* Fires the special watches again (a domain shut down): "@releaseDomain". */
void store_fire_special(struct store *s, const char *name);

/* For the daemon itself, as domain 0, outside transactions. 0 or -errno. Values may hold any bytes. */
int store_write(struct store *s, const char *path, const void *value, size_t len);
int store_writef(struct store *s, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int store_mkdir(struct store *s, const char *path);
int store_rm(struct store *s, const char *path);  /* with all below it; 0 when it was not there */
/* The value, NUL-terminated beyond its length, malloc'd; NULL: none. */
char *store_read(struct store *s, const char *path, size_t *ret_len);
/* perms as the wire has them: "n5" "r0"...; the first names the owner. */
int store_set_perms(struct store *s, const char *path, const char *const *perms, unsigned int n);
/*
 * Tells the daemon itself of changes at or below a path, and of its removal with
 * something above it. fn must not call into the store: it notes and returns.
 * The owner keeps the struct and the path until store_unwatch.
 */
struct store_watch {
	struct store_watch *next;
	const char *path;
	void (*fn)(void *data);
	void *data;
};
void store_watch(struct store *s, struct store_watch *w);
void store_unwatch(struct store *s, struct store_watch *w); /* harmless for one that is not set */
/* A domain would hear of a change at path. */
bool store_is_watched(struct store *s, uint32_t domid, const char *path);
/* Tells of what guests look at, outside transactions if it is there. fn as that of a watch. */
void store_hear(struct store *s, void (*fn)(void *data, uint32_t domid, const char *path, bool there), void *data);
#endif
