/* SPDX-License-Identifier: MIT */
/* Asks each domain that is being made for its first grants, from before there is one of that number, until it is destroyed itself. */
#include "guest.h"

const char test_name[] = "newborn";

#define AHEAD 3u /* numbers, should one come and go unseen */

static uint64_t data[512] page_aligned;

/* It grants us nothing: whatever comes of it but an error is a hole. */
static bool is_there(domid_t id)
{
	struct gnttab_copy c = { .source.domid = id, .dest.domid = DOMID_SELF, .len = 8, .flags = GNTCOPY_source_gref };

	c.dest.u.gmfn = va_to_mfn(data);
	EXPECT(hc_grant_table_op(GNTTABOP_copy, &c, 1), 0);
	CHECK(c.status != GNTST_okay, "domain %u lets us in", id);
	return c.status != GNTST_bad_domain;
}

void test_main(void)
{
	domid_t next = own_domid() + 1;
	unsigned int i = 0, seen = 0;

	printk("waiting for domain %u\n", next);
	for (;; i = (i + 1) % AHEAD)
		if (is_there(next + i)) {
			next += i + 1;
			if (++seen == 1)
				printk("domains come\n");
		}
}
