/* SPDX-License-Identifier: MIT */
/* Takes pages from the domain that the command line names, and gives them back, until it is destroyed. */
#include "guest.h"

const char test_name[] = "xfer-dst";

#define ROOM 600u
#define FIRST_REF 8u
#define ENOUGH 100u

static uint64_t frames[ROOM];
static uint64_t table_page[512] page_aligned;
static struct grant_entry_v1 *const table = (struct grant_entry_v1 *)table_page;

static long give_back(uint64_t *list, uint64_t n)
{
	struct xen_memory_reservation r = { .nr_extents = n, .domid = DOMID_SELF };

	set_xen_guest_handle(r.extent_start, list);
	return hc_memory_op(XENMEM_decrease_reservation, &r);
}

static bool make_room(void)
{
	uint64_t *mfn_list = (uint64_t *)start_info->mfn_list, top = start_info->nr_pages;
	unsigned int i;

	for (i = 0; i < ROOM; i++) {
		void *va = (void *)(VIRT_BASE + ((top - 1 - i) << PAGE_SHIFT));
		uint64_t *e = pte_of(va, 2);

		frames[i] = mfn_list[top - 1 - i];
		if (e && (*e & PTE_P) && map_page(va, 0) != 0)
			return false;
	}
	return give_back(frames, ROOM) == (long)ROOM;
}

static bool map_table(void)
{
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
	uint64_t frame = 0;

	set_xen_guest_handle(s.frame_list, &frame);
	return hc_grant_table_op(GNTTABOP_setup_table, &s, 1) == 0 && s.status == GNTST_okay &&
	       map_page(table_page, frame << PAGE_SHIFT | PTE_RW) == 0;
}

/* True: a page came. */
static bool turn(struct grant_entry_v1 *e, domid_t from)
{
	uint16_t flags = READ_ONCE(e->flags);
	bool came = flags & GTF_transfer_completed;

	if (came) {
		uint64_t frame = e->frame;

		came = frame && give_back(&frame, 1) == 1;
		flags = 0;
	}
	if (!(flags & GTF_transfer_committed) && (flags & GTF_type_mask) != GTF_accept_transfer) {
		e->domid = from;
		mb();
		WRITE_ONCE(e->flags, GTF_accept_transfer);
	}
	return came;
}

void test_main(void)
{
	const char *c = (const char *)start_info->cmd_line;
	unsigned int i, got = 0;
	domid_t from = 0;

	for (; *c; c++)
		if (*c >= '0' && *c <= '9')
			from = (domid_t)(from * 10 + (*c - '0'));
	if (!map_table() || !make_room()) {
		test_error("setting up");
		return;
	}
	for (;;)
		for (i = FIRST_REF; i < 512; i++)
			if (turn(&table[i], from) && ++got == ENOUGH)
				printk("pages come\n");
}
