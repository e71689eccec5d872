/* SPDX-License-Identifier: MIT */
/*
 * A hostile block frontend. Wants xvda (read-write, at least 1 MiB) and xvdb
 * (read-only); the host looks at what is left of the daemon and of the other
 * domains. With "forever" on the command line it never ends.
 */
#include "blkfront.h"
#include "abuse.h"

const char test_name[] = "blk-abuse";

static uint8_t ring_pages[2][PAGE_SIZE << BLKFRONT_MAX_ORDER] page_aligned;
uint8_t abuse_data[ABUSE_PAGES][PAGE_SIZE] page_aligned;
uint32_t abuse_ref[ABUSE_PAGES], abuse_ro_ref;
struct blkfront rw, ro;

bool abuse_connect(struct blkfront *f, unsigned int order, bool persistent)
{
	bool ok = blkfront_connect(f, order, persistent);

	CHECK(ok, "%s: an honest connection, order %u, persistent %d: backend state %d", f->dev, order, persistent,
	      backend_state(f->dev));
	return ok;
}

void abuse_alive(struct blkfront *f)
{
	memset(abuse_data[0], 0xee, PAGE_SIZE);
	EXPECT(blkfront_one(f, BLKIF_OP_READ, 0, abuse_ref[0], 0, 7), BLKIF_RSP_OKAY);
	CHECK(abuse_data[0][0] != 0xee || abuse_data[0][511] != 0xee, "nothing was read");
}

static uint64_t random64(void)
{
	static uint64_t s = 88172645463325252ull;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s;
}

/* Every state there is, and some that are none, in any order; with what an honest frontend wrote in place. */
static void states(void)
{
	static const char *const odd[] = { "", "-1", "foo", "99", "4294967296", " 4", "4x" };
	char path[80];

	blkfront_prepare(&rw, 0, true);
	snprintf(path, sizeof(path), "%s/state", rw.dev);
	for (unsigned int i = 0; i < 300; i++) {
		unsigned int n = random64() % 16;

		if (n < 9)
			frontend_state(rw.dev, (enum xenbus_state)n);
		else
			xs_write(path, odd[n - 9]);
		if (!(random64() % 4))
			nap();
		rw.req_prod += (uint32_t)random64() % 3;
		blkfront_push(&rw);
	}
	CHECK(blkfront_reset(&rw), "the backend is lost among states");
}

/* Ring and requests change while the backend reads them: a second vCPU writes everywhere in them. */
void secondary_main(uint64_t arg)
{
	uint64_t *p = (uint64_t *)ring_pages[0], n = 1;

	while (!READ_ONCE(secondary_stop)) {
		n = n * 6364136223846793005ull + 1442695040888963407ull;
		/* Not the producers, so that it goes on for a while. */
		WRITE_ONCE(p[8 + (n >> 33) % 504], n % 5 ? n >> (n & 31) : abuse_ref[n % ABUSE_PAGES]);
	}
	secondary_end();
}

static void changing(bool persistent)
{
	unsigned int rounds = 0;

	if (!abuse_connect(&rw, 0, persistent))
		return;
	/* No zeros: grants 0 and 1 are the console's and the store's rings, which dom0 has in use. */
	for (unsigned int i = 8; i < 512; i++)
		((uint64_t *)ring_pages[0])[i] = abuse_ref[i % ABUSE_PAGES];
	if (start_secondary(0)) {
		printk("one vCPU only: the ring does not change by itself\n");
		CHECK(blkfront_reset(&rw), "reset");
		return;
	}
	for (; rounds < 400; rounds++) {
		if (READ_ONCE(rw.ring->req_prod) - READ_ONCE(rw.ring->rsp_prod) < 24) {
			rw.req_prod += 8;
			blkfront_push(&rw);
		}
		rw.rsp_cons = READ_ONCE(rw.ring->rsp_prod);
		if (!(rounds % 16))
			nap();
	}
	stop_secondary();
	CHECK(blkfront_reset(&rw), "the backend is lost after a ring that changed");
}

/* Requests are under way while the frontend leaves, in each way there is. */
static void leaving(bool persistent)
{
	for (unsigned int round = 0; round < 12; round++) {
		if (!abuse_connect(&rw, round % 3, persistent))
			return;
		for (unsigned int i = 0; i < 24; i++) {
			struct blkif_request *q = &blkfront_slot(&rw)->req;

			q->operation = i % 3 ? BLKIF_OP_WRITE : BLKIF_OP_READ;
			q->id = i;
			q->sector_number = i * 8;
			q->nr_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
			for (unsigned int k = 0; k < q->nr_segments; k++)
				q->seg[k] = (struct blkif_request_segment){ .gref = abuse_ref[k], .last_sect = 7 };
		}
		blkfront_push(&rw);
		frontend_state(rw.dev, round % 4 == 0 ? XenbusStateInitialising :
				       round % 4 == 1 ? XenbusStateClosed :
				       round % 4 == 2 ? XenbusStateUnknown : XenbusStateClosing);
		CHECK(blkfront_reset(&rw), "leaving, round %u: backend state %d", round, backend_state(rw.dev));
	}
}

/* Everything that was lent comes back: what cannot be ended is still mapped. */
static void all_ends(void)
{
	unsigned int mapped = 0;

	for (unsigned int i = 0; i < ABUSE_PAGES; i++)
		mapped += !grant_end(abuse_ref[i]);
	mapped += !grant_end(abuse_ro_ref);
	for (unsigned int i = 0; i < ARRAY_SIZE(rw.ref); i++)
		mapped += !grant_end(rw.ref[i]) + !grant_end(ro.ref[i]);
	CHECK(!mapped, "%u pages are still mapped by the backend", mapped);
}

static void round_of_all(bool persistent)
{
	if (abuse_connect(&rw, 0, persistent)) {
		abuse_requests(&rw, persistent);
		abuse_indirect(&rw);
		abuse_discard(&rw);
		CHECK(blkfront_reset(&rw), "reset after requests");
	}
	if (abuse_connect(&ro, 0, persistent)) {
		abuse_readonly(&ro);
		CHECK(blkfront_reset(&ro), "reset of the read-only disk");
	}
	abuse_ring(&rw, persistent);
	abuse_store(&rw);
	leaving(persistent);
	changing(persistent);
	states();
	if (abuse_connect(&rw, 2, persistent)) {
		abuse_alive(&rw);
		CHECK(blkfront_reset(&rw), "the last reset");
	}
}

void test_main(void)
{
	bool forever = strncmp((const char *)start_info->cmd_line, "forever", 7) == 0;

	xenbus_setup();
	blkfront_init(&rw, 51712, ring_pages[0]);
	blkfront_init(&ro, 51728, ring_pages[1]);
	if (!blkfront_exists(&rw) || !blkfront_exists(&ro)) {
		test_skip("no disks: the block tests run it with two");
		return;
	}
	for (unsigned int i = 0; i < ABUSE_PAGES; i++)
		abuse_ref[i] = grant_page(abuse_data[i], false);
	abuse_ro_ref = grant_page(abuse_data[0], true);
	do {
		round_of_all(true);
		round_of_all(false);
		printk("a round is done\n");
	} while (forever);
	all_ends();
	frontend_state(rw.dev, XenbusStateClosed);
	xs_rm(rw.dev);
	EXPECT(xs_rm(ro.dev), 0);
}
