/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor leaves what freed pages hold in place; holes in the RAM file
 * take it away and return the memory at once. It goes in small batches with
 * pauses between them. No other hypercall of ours comes between taking a batch
 * and giving it back, so that none can find memory missing.
 */
#include "pvctld/node/giveback.h"
#include "pvctld/base/log.h"
#include "pvctld/core/daemon.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define WAIT_NS 100000000u /* a domain that is created next may use the pages as they are */
#define PAUSE_NS 1000000u
#define BATCH 64u

/* Now they read as zero; false: the hypervisor named what is no memory. */
static bool make_zero(struct daemon *d, const struct node_pages *p)
{
	struct node *n = &d->node;
	uint64_t len = p->nr_pages << 12;
	uint8_t *at;

	if (p->mfn >> 40 || p->nr_pages >> 40)
		return false;
	at = node_map(n, p->mfn << 12, len);
	if (!at)
		return false;
	if (fallocate(n->ram_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(at - n->ram), (off_t)len))
		memset(at, 0, len);
	return true;
}

/* How many chunks were dealt with. */
static int64_t one_batch(struct daemon *d)
{
	struct node_pages pages[BATCH];
	int64_t n, rc;

	memset(pages, 0, sizeof(pages));
	n = mbox_call(&d->mbox, NODE_OP_DIRTY_TAKE, 0, BATCH, 0, 0, pages, sizeof(pages));
	if (n <= 0 || n > BATCH)
		return 0;
	for (int64_t i = 0; i < n; i++)
		if (!make_zero(d, &pages[i])) {
			log_line("the hypervisor gave frame %llx, which is no memory, back",
				 (unsigned long long)pages[i].mfn);
			return 0;
		}
	rc = mbox_call(&d->mbox, NODE_OP_DIRTY_DONE, 0, (uint64_t)n, 0, 0, pages, (size_t)n * sizeof(pages[0]));
	if (rc) {
		log_line("free memory cannot be given back: %s", strerror((int)-rc));
		return 0;
	}
	return n;
}

static void work_now(struct mbox_call *call, int64_t ret, bool down)
{
	struct daemon *d = call->data;

	if (!down && !d->stop && one_batch(d) > 0)
		loop_timer_set(&d->loop, &d->giveback, PAUSE_NS);
}

static void work(void *data)
{
	struct daemon *d = data;

	if (!d->node.down && !d->stop && !d->mbox.down)
		mbox_ask_once(&d->mbox, &d->giveback_call, work_now, d);
}

void giveback_soon(struct daemon *d)
{
	if (!d->node.down && !d->stop && !loop_timer_armed(&d->giveback))
		loop_timer_set(&d->loop, &d->giveback, WAIT_NS);
}

void giveback_init(struct daemon *d)
{
	loop_timer_init(&d->giveback, work, d);
	list_init(&d->giveback_call.link);
}

void giveback_fini(struct daemon *d)
{
	loop_timer_cancel(&d->giveback);
}
