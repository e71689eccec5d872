/* SPDX-License-Identifier: MIT */
/*
 * Inside the store. tree.c: an immutable tree with path copying, so that a
 * transaction's snapshot is one reference. ops.c: what a request does to a
 * tree, with permissions and quotas. txn.c: conflict detection. watch.c, wire.c.
 */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include "pvctld/store/store.h"

#include <errno.h>
#include <stdio.h>
#include <xen/io/xs_wire.h>

#define STORE_DOMIDS 0x7ff0u

/* Limits of a guest; domain 0 has none but the wire's. xenstored's defaults. */
#define QUOTA_NODES 1000u
#define QUOTA_VALUE 2048u
#define QUOTA_WATCHES 128u
#define QUOTA_TRANSACTIONS 10u
#define QUOTA_PERMS 5u
#define QUOTA_TXN_OPS 1024u
#define QUOTA_BACKLOG (256u * 1024)      /* watch events not yet taken: the connection is given up */
#define INPUT_STOP_BACKLOG (16u * 1024)  /* replies not yet taken: no further request is read */
#define LOCAL_BACKLOG (8u * 1024 * 1024)

enum perm_bits { PERM_NONE = 0, PERM_READ = 1, PERM_WRITE = 2 };
struct perm { uint16_t domid; uint8_t bits; };

struct node {
	uint32_t refs;
	uint32_t nperms, nchildren, vlen;
	uint64_t gen;            /* of the last change to value, permissions or the list of children */
	char *name;              /* last component */
	unsigned char *value;
	struct perm *perms;      /* perms[0]: the owner, and what everybody else may */
	struct node **children;  /* sorted by name */
};

/* tree.c */
struct node *node_ref(struct node *n);
void node_unref(struct node *n);
struct node *node_new(const char *name, const void *value, size_t vlen, const struct perm *perms, unsigned int nperms);
struct node *node_find(struct node *root, const char *path); /* borrowed */
size_t child_index(const struct node *n, const char *name, size_t len, bool *found);
/* A new root in which path's node is repl (NULL: gone). The parent must exist; its gen changes when
 * the set of children does. Takes repl's reference. NULL: out of memory. */
struct node *tree_replace(struct node *root, const char *path, struct node *repl, uint64_t gen);
/* path's parent in buf ("/" at the top). */
void path_parent(const char *path, char *buf, size_t len);
bool path_is_below(const char *path, const char *top); /* or the same */
bool path_valid(const char *path, bool special_ok);

struct watch {
	struct watch *next;
	struct store_conn *conn;
	char *path, *token;
	size_t report_skip;      /* bytes of an event's path left out: the watch was relative */
};

enum op_type { OP_WRITE = 1, OP_MKDIR = 2, OP_RM = 3, OP_PERMS = 4 };
struct op {
	struct op *next;
	enum op_type type;
	char *path;
	void *data;              /* value, or struct perm[] */
	size_t len;
};
struct access { struct access *next; char *path; uint64_t gen; };
struct txn {
	struct txn *next;
	uint32_t id;
	struct node *base;       /* the live tree when it began */
	struct node *root;       /* with what the transaction did */
	struct op *ops, **ops_tail;
	struct access *accesses;
	unsigned int nops;
	int node_delta;          /* nodes the transaction would add to its domain's count */
};

struct store_conn {
	struct store_conn *next;
	struct store *store;
	uint32_t domid;
	const struct store_conn_ops *ops;
	void *data;
	size_t backlog;
	bool dead;               /* given up: broken() was called */
	unsigned int nwatches, ntxns;
	uint32_t next_txn;
	struct txn *txns;
	unsigned char buf[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX + 1];
	size_t have;
};

struct store {
	struct node *root;
	uint64_t gen;
	struct watch *watches;
	struct store_watch *own_watches;
	void (*hear)(void *data, uint32_t domid, const char *path, bool there); /* NULL: nobody */
	void *hear_data;
	struct store_conn *conns;
	const struct store_host_ops *host_ops;
	void *host_data;
	uint32_t nodes[STORE_DOMIDS];     /* owned by each domain */
	uint8_t introduced[STORE_DOMIDS / 8 + 1];
	FILE *journal;
	char *journal_path;
	size_t journal_bytes;
};

/* ops.c: on *root, for a connection's domain. t: inside a transaction, else NULL. */
struct op_ctx { struct store *s; uint32_t domid; struct txn *t; struct node **root; };
struct op_ctx op_ctx(struct store *s, uint32_t domid, struct txn *t);
int op_read(struct op_ctx *c, const char *path, struct node **ret);
int op_apply(struct op_ctx *c, enum op_type type, const char *path, const void *data, size_t len);
unsigned int perm_of(const struct node *n, uint32_t domid);
void store_release_ownership(struct store *s, uint32_t domid);

/* txn.c */
int txn_start(struct store_conn *c, uint32_t *ret_id);
struct txn *txn_find(struct store_conn *c, uint32_t id);
int txn_end(struct store_conn *c, struct txn *t, bool commit);
void txn_abort_all(struct store_conn *c);
int txn_note_access(struct txn *t, const char *path);
int txn_note_op(struct txn *t, enum op_type type, const char *path, const void *data, size_t len);

/* watch.c. removed: the subtree that went away, whose watchers are told, too. */
int watch_add(struct store_conn *c, const char *path, const char *token, size_t report_skip);
int watch_del(struct store_conn *c, const char *path, const char *token);
void watch_drop_all(struct store_conn *c);
void watch_fire(struct store *s, const char *path, struct node *removed);

/* wire.c */
void conn_send(struct store_conn *c, uint32_t type, uint32_t req_id, uint32_t tx_id, const void *body, size_t len);
void conn_send_event(struct store_conn *c, const char *path, const char *token);

/* journal.c */
int journal_open(struct store *s, const char *path);
void journal_note(struct store *s, enum op_type type, const char *path, const void *data, size_t len);

#endif
