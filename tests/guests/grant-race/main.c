/* SPDX-License-Identifier: MIT */
/*
 * Grants used by one vCPU while another changes the shared entries and unmaps
 * the same handles: what is mapped is always what was granted, and no use is
 * counted twice or lost.
 */
#include "guest.h"

const char test_name[] = "grant-race";

#define REF 20u
#define ROUNDS 1500u
#define HANDLES 8u

static struct grant_entry_v1 v1[512] page_aligned;
static uint64_t data[512] page_aligned, window[512] page_aligned;
static volatile unsigned int mode;

static int16_t map(uint32_t flags, uint32_t *handle, uint64_t *bus)
{
	struct gnttab_map_grant_ref m = { .host_addr = (uint64_t)window, .flags = flags, .ref = REF, .dom = DOMID_SELF };

	EXPECT(hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
	*handle = m.handle;
	*bus = m.dev_bus_addr;
	return m.status;
}

static int16_t unmap(uint32_t handle)
{
	struct gnttab_unmap_grant_ref u = { .host_addr = (uint64_t)window, .handle = handle };

	EXPECT(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
	return u.status;
}

static void change_entry(unsigned int i, uint64_t good, uint64_t table, uint16_t self)
{
	volatile struct grant_entry_v1 *e = &v1[REF];

	switch (i % 8) {
	case 0:
		e->frame = 0x200; /* the hypervisor's image */
		break;
	case 1:
		e->flags = GTF_permit_access;
		break;
	case 2:
		e->frame = table;
		break;
	case 3:
		e->flags = GTF_permit_access | GTF_readonly;
		break;
	case 4:
		e->domid = self + 1;
		break;
	case 5:
		e->flags = 0;
		break;
	case 6:
		e->domid = self;
		e->frame = good;
		break;
	default:
		e->flags = GTF_permit_access;
	}
}

void secondary_main(uint64_t self)
{
	uint64_t good = va_to_mfn(data), table = l4_mfn();
	unsigned int i;

	self = v1[REF].domid;
	for (i = 0; !secondary_stop; i++) {
		if (mode == 0)
			change_entry(i, good, table, self);
		else
			unmap(i % HANDLES);
	}
	secondary_end();
}

static domid_t setup(void)
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
	v1[REF].domid = st.u.interdomain.dom;
	v1[REF].frame = va_to_mfn(data);
	v1[REF].flags = GTF_permit_access;
	return st.u.interdomain.dom;
}

static void entries_change(void)
{
	uint64_t bus, good = va_to_ma(data), table = l4_mfn() << PAGE_SHIFT;
	unsigned int i, mapped = 0;
	uint32_t h;

	/* The other vCPU may not run for a while, with the entry as it happens to be. */
	for (i = 0; i < ROUNDS || (!mapped && i < 100 * ROUNDS); i++) {
		bool readonly = i & 1;

		if (map(GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0), &h, &bus) != GNTST_okay)
			continue;
		mapped++;
		CHECK(bus == good || (readonly && bus == table), "frame %#lx was mapped", bus);
		if (!readonly)
			WRITE_ONCE(window[i % 512], i);
		CHECK(unmap(h) == GNTST_okay, "unmap of what was mapped");
	}
	CHECK(mapped != 0, "nothing could be mapped");
}

static void handles_go(void)
{
	unsigned int i;
	uint64_t bus;
	uint32_t h;
	int16_t st;

	for (i = 0; i < ROUNDS; i++) {
		if (map(GNTMAP_host_map, &h, &bus) != GNTST_okay) {
			test_failed("map");
			return;
		}
		st = unmap(h);
		CHECK(st == GNTST_okay || st == GNTST_bad_handle || st == GNTST_general_error, "unmap: %d", st);
	}
}

void test_main(void)
{
	domid_t self = setup();
	struct gnttab_set_version sv = { .version = 2 };
	struct mmuext_op pin = { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = va_to_mfn(data) };
	uint32_t h;
	long ret;

	ret = start_secondary(0);
	if (ret == -ENOENT) {
		test_skip("one vCPU only: give it vcpus=2");
		return;
	}
	EXPECT(ret, 0);
	entries_change();
	stop_secondary();

	v1[REF].domid = self;
	v1[REF].frame = va_to_mfn(data);
	v1[REF].flags = GTF_permit_access;
	mode = 1;
	EXPECT(start_secondary(0), 0);
	handles_go();
	stop_secondary();
	/* Where an entry was taken away for another handle than its own, one like it must do. */
	for (h = 0; h < 4000; h++) {
		EXPECT(map_page(window, va_to_ma(data) | PTE_RW), 0);
		unmap(h);
	}
	/* No pin and no reference may be left. */
	CHECK(!(v1[REF].flags & (GTF_reading | GTF_writing)), "flags %#x in the end", v1[REF].flags);
	ret = hc_grant_table_op(GNTTABOP_set_version, &sv, 1);
	CHECK(ret == 0 || ret == -ENOSYS, "set_version in the end: %ld", ret);
	EXPECT(map_page(window, va_to_ma(window) | PTE_RW), 0);
	memset(data, 0, sizeof(data));
	EXPECT(map_page(data, va_to_ma(data) | PTE_RO), 0);
	EXPECT(hc_mmuext_op(&pin, 1, NULL, DOMID_SELF), 0);
}
