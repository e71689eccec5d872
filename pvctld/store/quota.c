/* SPDX-License-Identifier: MIT */
/*
 * Who may have how much. Two sums a domain: what it has in the live tree, and
 * all versions of its nodes that there are. The second is made by transactions,
 * its own and others'; those are ended (EAGAIN) where it grows too large, its own first:
 * a domain that changes much takes nothing away from the others' transactions unless they last.
 */
#include "pvctld/store/private.h"

#include <stdlib.h>
#include <string.h>

/* fixed: recursion and the wire's messages depend on it. */
static const struct { const char *name; int error; uint32_t own; bool fixed; } quotas[QUOTAS] = {
	[Q_NODES] = { "nodes", -ENOSPC, QUOTA_NODES, false },
	[Q_DEPTH] = { "depth", -E2BIG, QUOTA_DEPTH, true },
	[Q_VALUE] = { "value", -ENOSPC, QUOTA_VALUE, true },
	[Q_BYTES] = { "bytes", -ENOSPC, QUOTA_BYTES, false },
	[Q_MEMORY] = { "memory", -ENOSPC, QUOTA_MEMORY, false },
	[Q_WATCHES] = { "watches", -E2BIG, QUOTA_WATCHES, false },
	[Q_TRANSACTIONS] = { "transactions", -ENOSPC, QUOTA_TRANSACTIONS, false },
	[Q_PERMS] = { "permissions", -ENOSPC, QUOTA_PERMS, false },
	[Q_TXN_PATHS] = { "transaction-paths", -ENOSPC, QUOTA_TXN_PATHS, false },
	[Q_TXN_BYTES] = { "transaction-bytes", -ENOSPC, QUOTA_TXN_BYTES, false },
};

uint32_t quota_limit(const struct store *s, uint32_t domid, enum quota q)
{
	return s->quotas[domid] ? s->quotas[domid]->limit[q] : quotas[q].own;
}

enum quota quota_find(const char *name)
{
	unsigned int q = 0;

	while (q < QUOTAS && strcmp(quotas[q].name, name))
		q++;
	return (enum quota)q;
}

int quota_set(struct store *s, uint32_t domid, enum quota q, uint32_t value)
{
	struct quota_set *set = s->quotas[domid];

	if (q >= QUOTAS || (value && (quotas[q].fixed || value > quotas[q].own * QUOTA_RAISE)))
		return -EINVAL;
	if (!set) {
		set = malloc(sizeof(*set));
		if (!set)
			return -ENOMEM;
		for (unsigned int i = 0; i < QUOTAS; i++)
			set->limit[i] = quotas[i].own;
		s->quotas[domid] = set;
	}
	set->limit[q] = value ? value : quotas[q].own;
	s->told[domid] &= (uint16_t)~(1u << q);
	journal_note_quotas(s, domid);
	return 0;
}

void quota_forget(struct store *s, uint32_t domid)
{
	free(s->quotas[domid]);
	s->quotas[domid] = NULL;
}

static long used(const struct store *s, uint32_t domid, enum quota q)
{
	long n = 0;

	for (const struct store_conn *c = s->conns; c; c = c->next)
		if (c->domid == domid)
			n += q == Q_WATCHES ? c->nwatches : q == Q_TRANSACTIONS ? c->ntxns : 0;
	switch (q) {
	case Q_NODES: return (long)s->nodes[domid];
	case Q_BYTES: return (long)s->live[domid];
	case Q_MEMORY: return (long)s->bytes[domid];
	case Q_WATCHES:
	case Q_TRANSACTIONS: return n;
	default: return -1;
	}
}

bool quota_text(const struct store *s, uint32_t domid, uint32_t i, char *buf, size_t size)
{
	long n;

	if (i >= QUOTAS)
		return false;
	n = used(s, domid, (enum quota)i);
	snprintf(buf, size, "%s %u %u %ld", quotas[i].name, quota_limit(s, domid, (enum quota)i), quotas[i].own, n);
	return true;
}

int quota_reached(struct store *s, uint32_t domid, enum quota q)
{
	if (!(s->told[domid] & 1u << q) && s->host_ops && s->host_ops->quota)
		s->host_ops->quota(s->host_data, domid, quotas[q].name);
	s->told[domid] |= 1u << q;
	return quotas[q].error;
}

/* The domain's own, or (own false) another guest's, or at last a local client's. */
static struct txn *oldest(struct op_ctx *c, bool own)
{
	struct txn *best = NULL;

	for (struct store_conn *conn = c->s->conns; conn; conn = conn->next)
		for (struct txn *t = conn->txns; t; t = t->next) {
			count_work(1);
			if (t->doomed || t == c->t || (t->domid == c->domid) != own)
				continue;
			if (!best || (!best->domid && t->domid) || (!best->domid == !t->domid && t->started < best->started))
				best = t;
		}
	return best;
}

static bool memory_fits(struct op_ctx *c, size_t bytes)
{
	for (int own = 1; own >= 0; own--)
		while (c->s->bytes[c->domid] + bytes > quota_limit(c->s, c->domid, Q_MEMORY)) {
			struct txn *t = oldest(c, own);

			if (!t)
				break;
			quota_reached(c->s, c->domid, Q_MEMORY);
			txn_doom(t);
		}
	return c->s->bytes[c->domid] + bytes <= quota_limit(c->s, c->domid, Q_MEMORY);
}

static const struct delta *delta_of(const struct txn *t, uint32_t domid)
{
	static const struct delta none;

	for (unsigned int i = 0; t && i < t->ndeltas; i++)
		if (t->deltas[i].domid == domid)
			return &t->deltas[i];
	return &none;
}

int quota_check(struct op_ctx *c, size_t nodes, size_t bytes)
{
	const struct delta *d = delta_of(c->t, c->domid);

	/* What fitted once is not refused when it is read again: a limit may have been lowered since. */
	if (c->domid == 0 || c->s->replaying)
		return 0;
	if (nodes && (long)(c->s->nodes[c->domid] + nodes) + d->nodes > (long)quota_limit(c->s, c->domid, Q_NODES))
		return quota_reached(c->s, c->domid, Q_NODES);
	if (bytes && (long)(c->s->live[c->domid] + bytes) + d->bytes > (long)quota_limit(c->s, c->domid, Q_BYTES))
		return quota_reached(c->s, c->domid, Q_BYTES);
	return memory_fits(c, bytes) ? 0 : quota_reached(c->s, c->domid, Q_MEMORY);
}

int account(struct op_ctx *c, uint32_t owner, long nodes, long bytes)
{
	struct delta *d;

	if (!c->t) {
		c->s->nodes[owner] += nodes;
		c->s->live[owner] += bytes;
		return 0;
	}
	for (unsigned int i = 0; i < c->t->ndeltas; i++)
		if (c->t->deltas[i].domid == owner) {
			c->t->deltas[i].nodes += nodes;
			c->t->deltas[i].bytes += bytes;
			return 0;
		}
	d = realloc(c->t->deltas, (c->t->ndeltas + 1) * sizeof(*d));
	if (!d) {
		c->t->failed = true;
		return -ENOMEM;
	}
	c->t->deltas = d;
	d[c->t->ndeltas++] = (struct delta){ owner, nodes, bytes };
	return 0;
}

int account_tree(struct op_ctx *c, const struct node *n, int sign)
{
	int rc = account(c, n->perms[0].domid, sign, sign * (long)node_bytes(n));

	count_work(1);
	for (uint32_t i = 0; !rc && i < n->nchildren; i++)
		rc = account_tree(c, n->children[i], sign);
	return rc;
}

void account_commit(struct store *s, const struct txn *t)
{
	for (unsigned int i = 0; i < t->ndeltas; i++) {
		s->nodes[t->deltas[i].domid] += t->deltas[i].nodes;
		s->live[t->deltas[i].domid] += t->deltas[i].bytes;
	}
}
