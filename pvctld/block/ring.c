/* SPDX-License-Identifier: MIT */
#include "pvctld/block/ring.h"
#include "pvctld/state/die.h"
#include <errno.h>
#include <string.h>

_Static_assert(sizeof(union blkif_sring_entry) == 112, "the 64-bit layout");
_Static_assert(sizeof(struct blkif_request_segment) == 8, "512 segments to a page");

uint32_t blk_ring_entries(unsigned int pages)
{
	size_t n = (pages * 4096u - offsetof(blkif_sring_t, ring)) / sizeof(union blkif_sring_entry);

	return 1u << (31 - __builtin_clz((unsigned int)n));
}

void blk_ring_init(struct blk_ring *r, void *shared, unsigned int pages)
{
	r->shared = shared;
	r->size = blk_ring_entries(pages);
	/* A backend that comes later goes on where the last one ended; ours begin with the frontend. */
	r->req_cons = r->rsp_prod = __atomic_load_n(&r->shared->rsp_prod, __ATOMIC_ACQUIRE);
	r->kept = NULL;
	r->taken = BLK_NOT_KEPT;
	r->nr_free = r->nr_redo = 0;
}

static void set_word(struct blk_kept *k, unsigned int at, enum blk_kept_state state, uint32_t index)
{
	__atomic_store_n(&k->request[at].word, (uint64_t)index << 8 | state, __ATOMIC_RELEASE);
}

static uint32_t index_of(const struct blk_kept *k, unsigned int at)
{
	return (uint32_t)(k->request[at].word >> 8);
}

/* What was half done when the other daemon died is done, or undone. */
static void settle(struct blk_kept *k, unsigned int at)
{
	enum blk_kept_state state = k->request[at].word & 0xff;

	if (state == BLK_KEPT_ANSWERED && index_of(k, at) == k->rsp_prod)
		k->rsp_prod++;
	/* It had not been taken yet: it is in the ring. */
	if (state != BLK_KEPT_TAKEN || (int32_t)(index_of(k, at) - k->req_cons) >= 0)
		set_word(k, at, BLK_KEPT_FREE, 0);
}

/* The oldest last. There are few. */
static void add_redo(struct blk_ring *r, unsigned int at)
{
	unsigned int i = r->nr_redo++;

	for (; i && (int32_t)(index_of(r->kept, r->redo[i - 1]) - index_of(r->kept, at)) < 0; i--)
		r->redo[i] = r->redo[i - 1];
	r->redo[i] = (uint16_t)at;
}

void blk_ring_keep(struct blk_ring *r, struct blk_kept *kept, bool resume)
{
	if (!resume) {
		kept->req_cons = r->req_cons;
		kept->rsp_prod = r->rsp_prod;
	}
	r->kept = kept;
	for (unsigned int i = 0; i < BLK_KEPT_MAX; i++) {
		if (resume)
			settle(kept, i);
		else
			set_word(kept, i, BLK_KEPT_FREE, 0);
		if (kept->request[i].word == BLK_KEPT_FREE)
			r->free[r->nr_free++] = (uint16_t)i;
		else
			add_redo(r, i);
	}
	r->req_cons = kept->req_cons;
	r->rsp_prod = kept->rsp_prod;
}

static void note_taken(struct blk_ring *r, const union blkif_sring_entry *e)
{
	r->taken = r->free[--r->nr_free];
	memcpy(&r->kept->request[r->taken].e, e, sizeof(*e));
	set_word(r->kept, r->taken, BLK_KEPT_TAKEN, r->req_cons);
	die_point("blk-take");
	__atomic_store_n(&r->kept->req_cons, r->req_cons + 1, __ATOMIC_RELEASE);
	die_point("blk-taken");
}

/* The response is in its place. */
static void note_answered(struct blk_ring *r, uint16_t at)
{
	die_point("blk-answer");
	set_word(r->kept, at, BLK_KEPT_ANSWERED, r->rsp_prod);
	die_point("blk-answered");
	__atomic_store_n(&r->kept->rsp_prod, r->rsp_prod + 1, __ATOMIC_RELEASE);
	die_point("blk-counted");
	set_word(r->kept, at, BLK_KEPT_FREE, 0);
	r->free[r->nr_free++] = at;
}

int blk_ring_take(struct blk_ring *r, union blkif_sring_entry *ret)
{
	uint32_t prod = __atomic_load_n(&r->shared->req_prod, __ATOMIC_ACQUIRE);

	/* Also what would leave no room for the answers is impossible. */
	if (prod - r->rsp_prod > r->size || prod - r->req_cons > r->size)
		return -EPROTO;
	if (r->nr_redo) {
		r->taken = r->redo[--r->nr_redo];
		memcpy(ret, &r->kept->request[r->taken].e, sizeof(*ret));
		return 1;
	}
	if (prod == r->req_cons)
		return 0;
	if (r->kept && !r->nr_free)
		return -EAGAIN;
	memcpy(ret, (const void *)&r->shared->ring[r->req_cons & (r->size - 1)], sizeof(*ret));
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (r->kept)
		note_taken(r, ret);
	r->req_cons++;
	return 1;
}

void blk_ring_untake(struct blk_ring *r, uint16_t kept)
{
	if (r->kept && kept < BLK_KEPT_MAX) {
		if (index_of(r->kept, kept) + 1 != r->req_cons) {
			r->redo[r->nr_redo++] = kept;
			return;
		}
		__atomic_store_n(&r->kept->req_cons, r->req_cons - 1, __ATOMIC_RELEASE);
		set_word(r->kept, kept, BLK_KEPT_FREE, 0);
		r->free[r->nr_free++] = kept;
	}
	r->req_cons--;
}

bool blk_ring_waits(const struct blk_ring *r)
{
	return __atomic_load_n(&r->shared->req_prod, __ATOMIC_RELAXED) != r->req_cons;
}

bool blk_ring_idle(struct blk_ring *r)
{
	__atomic_store_n(&r->shared->req_event, r->req_cons + 1, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&r->shared->req_prod, __ATOMIC_SEQ_CST) == r->req_cons;
}

void blk_ring_respond(struct blk_ring *r, uint16_t kept, uint64_t id, uint8_t op, int16_t status)
{
	struct blkif_response rsp = { .id = id, .operation = op, .status = status };

	memcpy((void *)&r->shared->ring[r->rsp_prod & (r->size - 1)], &rsp, sizeof(rsp));
	if (r->kept && kept < BLK_KEPT_MAX)
		note_answered(r, kept);
	r->rsp_prod++;
}

bool blk_ring_push(struct blk_ring *r)
{
	uint32_t old = __atomic_load_n(&r->shared->rsp_prod, __ATOMIC_RELAXED), event;

	die_point("blk-push");
	__atomic_store_n(&r->shared->rsp_prod, r->rsp_prod, __ATOMIC_SEQ_CST);
	die_point("blk-pushed");
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	event = __atomic_load_n(&r->shared->rsp_event, __ATOMIC_SEQ_CST);
	return (uint32_t)(r->rsp_prod - event) < (uint32_t)(r->rsp_prod - old);
}

static int parse_indirect(const struct blkif_request_indirect *i, struct blk_request *q)
{
	/* Linux wants the inner operation in the response. */
	q->op = q->wire_op = i->indirect_op;
	q->sector = i->sector_number;
	if (q->op != BLKIF_OP_READ && q->op != BLKIF_OP_WRITE)
		return BLKIF_RSP_EOPNOTSUPP;
	if (!i->nr_segments || i->nr_segments > BLK_MAX_SEGMENTS)
		return BLKIF_RSP_ERROR;
	q->nr_segments = i->nr_segments;
	q->nr_indirect = (uint16_t)((i->nr_segments + BLK_PAGE_SEGMENTS - 1) / BLK_PAGE_SEGMENTS);
	for (unsigned int n = 0; n < q->nr_indirect; n++)
		q->indirect[n] = i->indirect_grefs[n];
	return BLKIF_RSP_OKAY;
}

static int parse_direct(const struct blkif_request *d, struct blk_request *q)
{
	q->sector = d->sector_number;
	if (d->nr_segments > BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return BLKIF_RSP_ERROR;
	/* Only a flush may come without data. */
	if (!d->nr_segments && q->op != BLKIF_OP_FLUSH_DISKCACHE)
		return BLKIF_RSP_ERROR;
	q->nr_segments = d->nr_segments;
	for (unsigned int n = 0; n < q->nr_segments; n++)
		q->segment[n] = (struct blk_segment){ d->seg[n].gref, d->seg[n].first_sect, d->seg[n].last_sect };
	return BLKIF_RSP_OKAY;
}

int blk_request_parse(const union blkif_sring_entry *e, struct blk_request *q)
{
	const struct blkif_request_discard *discard = (const void *)&e->req;

	memset(q, 0, offsetof(struct blk_request, segment));
	q->wire_op = q->op = e->req.operation;
	q->id = e->req.id;
	switch (q->op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
	case BLKIF_OP_FLUSH_DISKCACHE:
		return parse_direct(&e->req, q);
	case BLKIF_OP_INDIRECT:
		return parse_indirect((const void *)&e->req, q);
	case BLKIF_OP_DISCARD:
		q->sector = discard->sector_number;
		q->nr_sectors = discard->nr_sectors;
		q->discard_flag = discard->flag;
		return BLKIF_RSP_OKAY;
	}
	return BLKIF_RSP_EOPNOTSUPP;
}

void blk_request_indirect(struct blk_request *q, unsigned int n, const void *page)
{
	const struct blkif_request_segment *s = page;
	unsigned int at = n * BLK_PAGE_SEGMENTS;

	for (unsigned int i = 0; i < BLK_PAGE_SEGMENTS && at + i < q->nr_segments; i++)
		q->segment[at + i] = (struct blk_segment){ s[i].gref, s[i].first_sect, s[i].last_sect };
}

/* A read into the same sectors of a page twice is no request that makes sense. */
static bool overlaps(const struct blk_request *q)
{
	for (unsigned int i = 1; i < q->nr_segments; i++)
		for (unsigned int k = 0; k < i; k++)
			if (q->segment[i].ref == q->segment[k].ref && q->segment[i].first <= q->segment[k].last &&
			    q->segment[k].first <= q->segment[i].last)
				return true;
	return false;
}

int blk_request_check(struct blk_request *q, uint64_t disk_sectors, bool readonly)
{
	if (readonly && q->op != BLKIF_OP_READ && !(q->op == BLKIF_OP_FLUSH_DISKCACHE && !q->nr_segments))
		return BLKIF_RSP_ERROR;
	if (q->op != BLKIF_OP_DISCARD) {
		q->nr_sectors = 0;
		for (unsigned int i = 0; i < q->nr_segments; i++) {
			const struct blk_segment *s = &q->segment[i];

			if (s->first > s->last || s->last >= BLK_PAGE_SECTORS)
				return BLKIF_RSP_ERROR;
			q->nr_sectors += s->last - s->first + 1u;
		}
		if (!q->nr_sectors)
			return BLKIF_RSP_OKAY; /* a flush without data has no place */
	}
	if (q->nr_sectors > disk_sectors || q->sector > disk_sectors - q->nr_sectors)
		return BLKIF_RSP_ERROR;
	return q->op == BLKIF_OP_READ && overlaps(q) ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
}

bool blk_request_aligned(const struct blk_request *q, uint32_t sector_size)
{
	uint32_t n = sector_size / BLK_SECTOR;

	return !q->nr_sectors || (q->sector % n == 0 && q->nr_sectors % n == 0);
}
