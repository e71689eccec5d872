/* SPDX-License-Identifier: MIT */
/*
 * What a domain may not keep of another's grant: access through the TLB after
 * the unmap, a writable entry behind a read-only handle, hypervisor memory; and
 * what it may not do to the other's table.
 */
#include "guest.h"

const char test_name[] = "grant-abuse";

#define REF 30u
#define REF_RO 31u
#define L2_SLOT 200u
#define WINDOW_AT(slot) (VIRT_BASE + ((uint64_t)(slot) << 21))

static struct grant_entry_v1 v1[512] page_aligned;
static uint64_t data[512] page_aligned, window[512] page_aligned, window2[512] page_aligned;
static uint64_t l1[512] page_aligned;
static domid_t self;

static int16_t map(uint32_t ref, uint32_t flags, uint64_t addr, uint32_t *handle)
{
	struct gnttab_map_grant_ref m = { .host_addr = addr, .flags = GNTMAP_host_map | flags, .ref = ref, .dom = DOMID_SELF };

	EXPECT(hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
	*handle = m.handle;
	return m.status;
}

static int16_t unmap(uint32_t handle, uint64_t addr)
{
	struct gnttab_unmap_grant_ref u = { .host_addr = addr, .handle = handle };

	EXPECT(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
	return u.status;
}

static void setup(void)
{
	struct evtchn_alloc_unbound au = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_bind_interdomain bi = { .remote_dom = DOMID_SELF };
	struct evtchn_status st = { .dom = DOMID_SELF };
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1 };
	xen_pfn_t frame = 0;

	set_xen_guest_handle(s.frame_list, &frame);
	EXPECT(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
	EXPECT(map_page(v1, frame << PAGE_SHIFT | PTE_RW), 0);
	EXPECT(hc_event_channel_op(EVTCHNOP_alloc_unbound, &au), 0);
	bi.remote_port = au.port;
	EXPECT(hc_event_channel_op(EVTCHNOP_bind_interdomain, &bi), 0);
	st.port = bi.local_port;
	EXPECT(hc_event_channel_op(EVTCHNOP_status, &st), 0);
	self = st.u.interdomain.dom;
}

static void offer(uint32_t ref, const void *page, uint16_t flags)
{
	v1[ref].domid = self;
	v1[ref].frame = va_to_mfn(page);
	v1[ref].flags = GTF_permit_access | flags;
}

static long flush_all(void)
{
	struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_ALL };

	return hc_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

/* One L1 seen at two addresses: the unmap names one of them. */
static void second_address(void)
{
	uint64_t *l2 = (uint64_t *)((uint64_t)pte_of(data, 2) & ~4095ul);
	volatile uint64_t *a = (uint64_t *)WINDOW_AT(L2_SLOT), *b = (uint64_t *)WINDOW_AT(L2_SLOT + 1);
	uint32_t h;

	EXPECT(map_page(l1, va_to_ma(l1) | PTE_RO), 0);
	EXPECT(set_pte(&l2[L2_SLOT], va_to_ma(l1) | PTE_RW), 0);
	EXPECT(set_pte(&l2[L2_SLOT + 1], va_to_ma(l1) | PTE_RW), 0);
	offer(REF, data, 0);
	CHECK(map(REF, 0, (uint64_t)a, &h) == GNTST_okay, "map");
	a[1] = 1;
	b[2] = 2;
	CHECK(READ_ONCE(data[1]) == 1 && READ_ONCE(data[2]) == 2, "the two addresses do not show the grant");
	CHECK(unmap(h, (uint64_t)a) == GNTST_okay, "unmap");
	EXPECT_TRAP(14, b[3] = 3);
	EXPECT_TRAP(14, (void)b[2]);
	EXPECT_TRAP(14, a[3] = 3);
	CHECK(READ_ONCE(data[3]) == 0, "a store after the unmap reached the page");
	v1[REF].flags = 0;
	EXPECT(set_pte(&l2[L2_SLOT], 0), 0);
	EXPECT(set_pte(&l2[L2_SLOT + 1], 0), 0);
	EXPECT(flush_all(), 0);
	EXPECT(map_page(l1, va_to_ma(l1) | PTE_RW), 0);
}

/* A writable handle is not given back by way of a read-only entry of the same frame. */
static void wrong_entry(void)
{
	uint32_t h_rw, h_ro;

	offer(REF, data, 0);
	offer(REF_RO, data, GTF_readonly);
	CHECK(map(REF, 0, (uint64_t)window, &h_rw) == GNTST_okay, "map");
	CHECK(map(REF_RO, GNTMAP_readonly, (uint64_t)window2, &h_ro) == GNTST_okay, "read-only map");
	CHECK(unmap(h_rw, (uint64_t)window2) != GNTST_okay, "a writable handle went with a read-only entry");
	CHECK(unmap(h_ro, (uint64_t)window) != GNTST_okay, "a read-only handle went with a writable entry");
	CHECK(unmap(h_rw, (uint64_t)window) == GNTST_okay, "unmap");
	CHECK(unmap(h_ro, (uint64_t)window2) == GNTST_okay, "read-only unmap");
	v1[REF].flags = v1[REF_RO].flags = 0;
	EXPECT(map_page(window, va_to_ma(window) | PTE_RW), 0);
	EXPECT(map_page(window2, va_to_ma(window2) | PTE_RW), 0);
}

/* An attempt to map an entry leaves the bits of a transfer in it alone. */
static void transfer_bits(void)
{
	const uint16_t flags = GTF_accept_transfer | GTF_transfer_committed | GTF_transfer_completed;
	uint32_t h;

	v1[REF].domid = self;
	v1[REF].frame = 0;
	v1[REF].flags = flags;
	CHECK(map(REF, 0, (uint64_t)window, &h) != GNTST_okay, "map of a transfer");
	CHECK(v1[REF].flags == flags, "flags %#x, not %#x, after a map that failed", v1[REF].flags, flags);
	v1[REF].flags = 0;
}

static uint64_t status_frame(void)
{
	struct gnttab_get_status_frames g = { .dom = DOMID_SELF, .nr_frames = 1 };
	uint64_t frame = 0;

	set_xen_guest_handle(g.frame_list, &frame);
	EXPECT(hc_grant_table_op(GNTTABOP_get_status_frames, &g, 1), 0);
	CHECK(g.status == GNTST_okay, "get_status_frames: %d", g.status);
	return frame;
}

/* Each change of the version would cost the hypervisor a page if one that is mapped were replaced. */
static void status_frames(void)
{
	struct gnttab_set_version sv;
	uint64_t frames[16];
	unsigned int i;
	long ret;

	EXPECT(map_page(l1, va_to_ma(l1) | PTE_RW), 0);
	memset(l1, 0, sizeof(l1));
	for (i = 0; i < ARRAY_SIZE(frames); i++) {
		sv.version = 2;
		ret = hc_grant_table_op(GNTTABOP_set_version, &sv, 1);
		if (ret == -ENOSYS)
			return;
		EXPECT(ret, 0);
		frames[i] = status_frame();
		EXPECT(map_page(i % 2 ? window : window2, frames[i] << PAGE_SHIFT | PTE_RO), 0);
		CHECK(i < 2 || frames[i] == frames[i - 2], "status frame %#lx, then %#lx", frames[i - 2], frames[i]);
		sv.version = 1;
		if (hc_grant_table_op(GNTTABOP_set_version, &sv, 1) != 0)
			break; /* refused while mapped: that is safe as well */
	}
	EXPECT(map_page(window, va_to_ma(window) | PTE_RW), 0);
	EXPECT(map_page(window2, va_to_ma(window2) | PTE_RW), 0);
}

void test_main(void)
{
	setup();
	second_address();
	wrong_entry();
	transfer_bits();
	status_frames();
}
