/* SPDX-License-Identifier: MIT */
/*
 * Inside the store. tree.c: the tree, of which a transaction's snapshot is one
 * reference. ops.c: what a request does to a tree, with permissions. quota.c: who
 * may have how much. txn.c: conflict detection. watch.c, wire.c.
 */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include "pvctld/store/store.h"
#include "pvctld/state/log.h"

#include <errno.h>
#include <stdio.h>
#include <xen/io/xs_wire.h>

#define STORE_DOMIDS 0x7ff0u

/* Limits of a guest; domain 0 has none but the wire's. xenstored's defaults, where it has them. */
#define QUOTA_NODES 1000u
#define QUOTA_DEPTH 32u                  /* components of a path that a guest makes: what is used has ten */
#define QUOTA_VALUE 2048u
#define QUOTA_BYTES (512u * 1024)        /* its nodes and watches as they are */
#define QUOTA_MEMORY (4u * QUOTA_BYTES)  /* and with all that transactions keep of them */
#define QUOTA_WATCHES 128u
#define QUOTA_TRANSACTIONS 10u
#define QUOTA_PERMS 5u
#define QUOTA_TXN_PATHS 1024u
#define QUOTA_TXN_BYTES (256u * 1024)    /* of paths looked at and values written */
#define QUOTA_BACKLOG (256u * 1024)      /* watch events not yet taken: the connection is given up */
#define INPUT_STOP_BACKLOG (16u * 1024)  /* replies not yet taken: no further request is read */
#define LOCAL_BACKLOG (8u * 1024 * 1024)
/* Units of work (store_units) after which what watches are to hear waits for the next turn. */
#define FIRE_UNITS 4000u
/* and after which no further request of a guest is begun. */
#define INPUT_UNITS 2000u

enum perm_bits { PERM_NONE = 0, PERM_READ = 1, PERM_WRITE = 2 };
struct perm { uint16_t domid; uint8_t bits; };

struct node {
	uint32_t refs;
	uint32_t nperms, nchildren, room, vlen;
	uint16_t charged_to;     /* whose account, in the store's bytes[] */
	uint64_t gen;            /* of the last change to value, permissions or the list of children */
	char *name;              /* last component */
	unsigned char *value;
	struct perm *perms;      /* perms[0]: the owner, and what everybody else may */
	struct node **children;  /* sorted by name */
	struct store *store;
	size_t charged;
};

/* tree.c */
void count_work(size_t n);
void *dup_bytes(const void *p, size_t len);
struct node *node_ref(struct node *n);
void node_unref(struct node *n);
struct node *node_new(struct store *s, const char *name, size_t nlen, const void *value, size_t vlen,
                      const struct perm *perms, unsigned int nperms);
struct node *node_copy(const struct node *n);         /* with the same children */
size_t node_bytes(const struct node *n);               /* what counts for QUOTA_BYTES */
void node_charge(struct node *n);                      /* its size has changed */
/* Around each change of its permissions: they are counted, and its owner is charged. */
void node_perms_begin(struct node *n);
void node_perms_end(struct node *n);
struct node *node_find(struct node *root, const char *path); /* borrowed */
/* The last node there is on the way to path, whose first bytes name it (0: the root). */
struct node *node_nearest(struct node *root, const char *path, size_t *ret_len);
size_t child_index(const struct node *n, const char *name, size_t len, bool *found);
/* False or NULL: no memory, or no such node. A node given is taken on success only. */
bool node_add_child(struct node *n, struct node *child);
struct node *tree_own(struct node **root, const char *path); /* that may be changed: no snapshot shares it */
bool tree_add(struct node **root, const char *parent, size_t len, struct node *child, uint64_t gen);
bool tree_remove(struct node **root, const char *path, uint64_t gen);
/* path's parent in buf ("/" at the top). */
void path_parent(const char *path, char *buf, size_t len);
bool path_is_below(const char *path, const char *top); /* or the same */
bool path_valid(const char *path, bool special_ok);

struct watch {
	struct watch *next;      /* of its hash bucket */
	struct watch *next_of_conn;
	struct store_conn *conn;
	uint32_t hash;           /* of the path */
	char *path, *token;
	size_t report_skip;      /* bytes of an event's path left out: the watch was relative */
	size_t bytes;
};

/* What watches are still to hear of, in order. */
struct fire {
	struct fire *next;
	struct node *removed;    /* the subtree that went away with path, or NULL */
	bool exact;              /* watches of path alone: those above have heard */
	bool begun;
	size_t at;               /* this prefix of path has its turn; the whole comes last */
	uint32_t hash;           /* of that prefix */
	struct watch *pos;       /* the next one of its bucket */
	char path[];
};

enum op_type { OP_WRITE = 1, OP_MKDIR = 2, OP_RM = 3, OP_PERMS = 4 };
/* A path that a transaction looked at or changed. */
struct touch {
	struct touch *next, *next_change, *next_hash;
	uint32_t hash;
	bool changed, removed;
	uint64_t gen;            /* in the tree that the transaction began with; 0: none */
	char path[];
};
/* What a transaction adds to a domain's accounts. */
struct delta { uint32_t domid; long nodes, bytes; };
#define TOUCH_BUCKETS 64u
struct txn {
	struct txn *next;
	uint32_t id, domid;
	uint64_t started;
	bool doomed;             /* given up for its memory: ends with EAGAIN */
	bool failed;             /* no memory for its accounts */
	bool again;              /* another's changes, which were within the limits, done again */
	struct node *base;       /* the live tree when it began */
	struct node *root;       /* with what the transaction did */
	struct touch *touches, *changes, **changes_tail;
	struct touch *hashed[TOUCH_BUCKETS];
	unsigned int ntouches;
	size_t bytes;
	size_t *account, charged;
	struct delta *deltas;
	unsigned int ndeltas;
};

enum quota {
	Q_NODES, Q_DEPTH, Q_VALUE, Q_BYTES, Q_MEMORY, Q_WATCHES, Q_TRANSACTIONS, Q_PERMS, Q_TXN_PATHS, Q_TXN_BYTES,
	QUOTAS,
};
#define QUOTA_RAISE 4u   /* so many times its own value is the most that one may be set to: work and memory are bounded by them */
struct quota_set { uint32_t limit[QUOTAS]; };

struct store_conn {
	struct store_conn *next;
	struct store *store;
	uint32_t domid;
	const struct store_conn_ops *ops;
	void *data;
	size_t backlog;
	bool dead;               /* given up: broken() was called */
	bool kept;               /* a guest's: it goes on with another daemon */
	struct store_position pos; /* of one that is kept */
	struct fifo unsent;      /* read from the journal, until somebody owns it */
	unsigned int nwatches, ntxns;
	uint32_t next_txn;
	struct txn *txns;
	struct watch *watches;
	unsigned char buf[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX + 1];
	size_t have;
};

#define WATCH_BUCKETS 1024u
struct store {
	struct node *root;
	uint64_t gen;
	struct watch *watches[WATCH_BUCKETS];
	struct fire *fires, **fires_tail;
	struct store_watch *own_watches;
	void (*hear)(void *data, uint32_t domid, const char *path, bool there); /* NULL: nobody */
	void *hear_data;
	struct store_conn *conns;
	const struct store_host_ops *host_ops;
	void *host_data;
	uint32_t nodes[STORE_DOMIDS];     /* owned by each domain */
	size_t live[STORE_DOMIDS];        /* bytes of those, and of its watches */
	size_t bytes[STORE_DOMIDS];       /* of all its nodes there are, in snapshots as well, and of its transactions */
	uint32_t mentions[STORE_DOMIDS];  /* in permissions of all nodes there are, in snapshots as well */
	uint16_t told[STORE_DOMIDS];      /* quotas that were said to be reached */
	struct quota_set *quotas[STORE_DOMIDS]; /* NULL: none was set for it */
	uint8_t introduced[STORE_DOMIDS / 8 + 1];
	struct state_log *journal; /* NULL: none */
	bool replaying;
	bool must_fire;          /* events may have been lost: all guests' watches are to hear */
	unsigned int depth;      /* of what is one commit */
};

/* ops.c: on *root, for a connection's domain. t: inside a transaction, else NULL. */
struct op_ctx { struct store *s; uint32_t domid; struct txn *t; struct node **root; };
struct op_ctx op_ctx(struct store *s, uint32_t domid, struct txn *t);
int op_read(struct op_ctx *c, const char *path, struct node **ret);
int op_apply(struct op_ctx *c, enum op_type type, const char *path, const void *data, size_t len);
unsigned int perm_of(const struct node *n, uint32_t domid);
void store_release_ownership(struct store *s, uint32_t domid);


/* quota.c */
int quota_reached(struct store *s, uint32_t domid, enum quota q); /* says so, once; the error */
uint32_t quota_limit(const struct store *s, uint32_t domid, enum quota q);
/* Its index, or QUOTAS: there is none of that name. */
enum quota quota_find(const char *name);
/* value 0: its own again. -EINVAL: it cannot be set, or not to that. */
int quota_set(struct store *s, uint32_t domid, enum quota q, uint32_t value);
void quota_forget(struct store *s, uint32_t domid);
/* "nodes 1000 1000 17": name, limit, the limit's own value, what it has (-1: that is not counted). False: past the end. */
bool quota_text(const struct store *s, uint32_t domid, uint32_t i, char *buf, size_t size);
/* There is room for so many more nodes and bytes. May end transactions. */
int quota_check(struct op_ctx *c, size_t nodes, size_t bytes);
/* Adds to a domain's nodes, in c's tree. */
int account(struct op_ctx *c, uint32_t owner, long nodes, long bytes);
int account_tree(struct op_ctx *c, const struct node *n, int sign);
void account_commit(struct store *s, const struct txn *t);

/* txn.c */
int txn_start(struct store_conn *c, uint32_t *ret_id);
struct txn *txn_find(struct store_conn *c, uint32_t id);
int txn_end(struct store_conn *c, struct txn *t, bool commit);
void txn_abort_all(struct store_conn *c);
void txn_doom(struct txn *t);
bool txn_lost(struct store_conn *c, uint32_t id); /* one of a daemon before, of which nothing is left: doomed */
int txn_note_access(struct store *s, struct txn *t, const char *path);
int txn_spend(struct store *s, struct txn *t, size_t bytes);
void txn_note_change(struct txn *t, const char *path, bool removed);

/* watch.c. removed: the subtree that went away, whose watchers are told, too. */
int watch_add(struct store_conn *c, const char *path, const char *token, size_t report_skip);
int watch_del(struct store_conn *c, const char *path, const char *token);
void watch_drop_all(struct store_conn *c);
/* Is told to those who watch when watch_run is called, or as soon after it as there is time. */
void watch_fire(struct store *s, const char *path, struct node *removed);
void watch_run(struct store *s);
void watch_fires_drop(struct store *s);
uint32_t path_hash(uint32_t h, const char *path, size_t len);
#define PATH_HASH_START 2166136261u

/* wire.c */
void conn_send(struct store_conn *c, uint32_t type, uint32_t req_id, uint32_t tx_id, const void *body, size_t len);
void conn_send_event(struct store_conn *c, const char *path, const char *token);

/* journal.c */
int journal_open(struct store *s, struct state_log *log);
void journal_note(struct op_ctx *c, enum op_type type, const char *path, const void *data, size_t len);
/* path is now as n (NULL: gone); removed: nothing below it is older. */
void journal_note_change(struct store *s, const char *path, const struct node *n, bool removed);
void journal_note_watch(struct store_conn *c, const char *path, const char *token, size_t skip);
void journal_note_unwatch(struct store_conn *c, const char *path, const char *token);
void journal_note_no_watches(struct store_conn *c);
void journal_note_txn(struct store_conn *c, uint32_t id, bool ended);
void journal_note_domain(struct store *s, uint32_t domid, bool released);
void journal_note_quotas(struct store *s, uint32_t domid);
void journal_note_conn(struct store_conn *c);
void journal_note_closed(struct store_conn *c);
void journal_note_in(struct store_conn *c);
void journal_note_out(struct store_conn *c, const void *bytes, size_t len);
/* What was noted since the last one counts from here on, unless something goes on that is to be one with it. */
void journal_commit(struct store *s);

#endif
