/* SPDX-License-Identifier: MIT */
/* Grants of a domain to itself: map, unmap, copy, versions, and every way to be refused. */
#include "guest.h"

const char test_name[] = "grant";

static struct grant_entry_v1 v1[512] page_aligned;
static union grant_entry_v2 v2[256] page_aligned;
static uint64_t status_page[512] page_aligned;
static uint64_t data[512] page_aligned, window[512] page_aligned, dst[512] page_aligned;
static domid_t self;

#define REF 20u

static int16_t map(uint32_t ref, uint32_t flags, uint64_t addr, uint32_t *handle, uint64_t *bus)
{
	struct gnttab_map_grant_ref m = { .host_addr = addr, .flags = flags, .ref = ref, .dom = self };

	EXPECT(hc_grant_table_op(GNTTABOP_map_grant_ref, &m, 1), 0);
	*handle = m.handle;
	if (bus)
		*bus = m.dev_bus_addr;
	return m.status;
}

static int16_t unmap(uint32_t handle, uint64_t addr, uint64_t bus)
{
	struct gnttab_unmap_grant_ref u = { .host_addr = addr, .dev_bus_addr = bus, .handle = handle };

	EXPECT(hc_grant_table_op(GNTTABOP_unmap_grant_ref, &u, 1), 0);
	return u.status;
}

static int16_t copy(bool sref, uint64_t s, uint16_t soff, bool dref, uint64_t d, uint16_t doff, uint16_t len)
{
	struct gnttab_copy c = { .len = len, .flags = (sref ? GNTCOPY_source_gref : 0) | (dref ? GNTCOPY_dest_gref : 0) };

	if (sref)
		c.source.u.ref = s;
	else
		c.source.u.gmfn = s;
	if (dref)
		c.dest.u.ref = d;
	else
		c.dest.u.gmfn = d;
	c.source.domid = c.dest.domid = DOMID_SELF;
	c.source.offset = soff;
	c.dest.offset = doff;
	EXPECT(hc_grant_table_op(GNTTABOP_copy, &c, 1), 0);
	return c.status;
}

static void offer(uint32_t ref, const void *page, uint16_t flags)
{
	v1[ref].frame = va_to_mfn(page);
	v1[ref].domid = self;
	barrier();
	v1[ref].flags = GTF_permit_access | flags;
}

/* The own domid: the one a loop-back port's status names. */
static domid_t find_self(void)
{
	struct evtchn_alloc_unbound au = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_bind_interdomain bi = { .remote_dom = DOMID_SELF };
	struct evtchn_status st = { .dom = DOMID_SELF };

	EXPECT(hc_event_channel_op(EVTCHNOP_alloc_unbound, &au), 0);
	bi.remote_port = au.port;
	EXPECT(hc_event_channel_op(EVTCHNOP_bind_interdomain, &bi), 0);
	st.port = bi.local_port;
	EXPECT(hc_event_channel_op(EVTCHNOP_status, &st), 0);
	return st.u.interdomain.dom;
}

static void setup(uint32_t nr)
{
	xen_pfn_t frames[4] = { 0 };
	struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = nr };
	struct gnttab_query_size q = { .dom = DOMID_SELF };

	set_xen_guest_handle(s.frame_list, frames);
	EXPECT(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK(s.status == GNTST_okay, "setup_table: %d", s.status);
	EXPECT(map_page(v1, frames[0] << PAGE_SHIFT | PTE_RW), 0);
	EXPECT(map_page(v2, frames[0] << PAGE_SHIFT | PTE_RW), 0);
	EXPECT(hc_grant_table_op(GNTTABOP_query_size, &q, 1), 0);
	CHECK(q.status == 0 && q.nr_frames >= nr && q.max_nr_frames >= q.nr_frames, "query_size: %d %u %u", q.status,
	      q.nr_frames, q.max_nr_frames);
	s.nr_frames = q.max_nr_frames + 1;
	EXPECT(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK(s.status != GNTST_okay, "a table beyond its maximum");
	s.nr_frames = 0xffffffff;
	EXPECT(hc_grant_table_op(GNTTABOP_setup_table, &s, 1), 0);
	CHECK(s.status != GNTST_okay, "a table of 2^32 frames");
}

static void host_maps(void)
{
	uint64_t own = va_to_ma(window), bus;
	uint32_t h, h2;

	data[7] = 0x1234567;
	offer(REF, data, 0);
	CHECK(map(REF, GNTMAP_host_map, (uint64_t)window, &h, &bus) == GNTST_okay, "map");
	CHECK(bus == va_to_ma(data), "bus address %#lx", bus);
	CHECK(READ_ONCE(window[7]) == 0x1234567, "the mapping shows something else");
	WRITE_ONCE(window[8], 99);
	CHECK(READ_ONCE(data[8]) == 99, "a write through the mapping is lost");
	CHECK((v1[REF].flags & (GTF_reading | GTF_writing)) == (GTF_reading | GTF_writing), "flags %#x", v1[REF].flags);
	CHECK(unmap(h + 1000, (uint64_t)window, 0) == GNTST_bad_handle, "unmap of a wrong handle");
	CHECK(unmap(0xffffffff, (uint64_t)window, 0) == GNTST_bad_handle, "unmap of a wild handle");
	CHECK(unmap(h, (uint64_t)dst, 0) != GNTST_okay, "unmap at a wrong address");
	CHECK(unmap(h, (uint64_t)window, 0) == GNTST_okay, "unmap");
	CHECK(unmap(h, (uint64_t)window, 0) == GNTST_bad_handle, "unmap twice");
	CHECK(!(v1[REF].flags & (GTF_reading | GTF_writing)), "flags %#x after unmap", v1[REF].flags);
	EXPECT_TRAP(14, (void)READ_ONCE(window[0]));

	CHECK(map(REF, GNTMAP_host_map | GNTMAP_readonly, (uint64_t)window, &h, NULL) == GNTST_okay, "read-only map");
	EXPECT_TRAP(14, WRITE_ONCE(window[0], 1));
	CHECK(map(REF, GNTMAP_device_map, 0, &h2, &bus) == GNTST_okay, "device map");
	CHECK(unmap(h2, 0, bus + 4096) != GNTST_okay, "device unmap at a wrong address");
	CHECK(unmap(h2, 0, bus) == GNTST_okay, "device unmap");
	CHECK(!(v1[REF].flags & GTF_writing) && (v1[REF].flags & GTF_reading), "flags %#x", v1[REF].flags);
	CHECK(unmap(h, (uint64_t)window, 0) == GNTST_okay, "read-only unmap");

	/* By the machine address of an entry. */
	CHECK(map(REF, GNTMAP_host_map | GNTMAP_contains_pte, va_to_ma(pte_of(window, 1)), &h, NULL) == GNTST_okay,
	      "map by entry");
	CHECK(READ_ONCE(window[7]) == 0x1234567, "the mapping by entry shows something else");
	CHECK(unmap(h, va_to_ma(pte_of(window, 1)), 0) == GNTST_okay, "unmap by entry");
	CHECK(map(REF, GNTMAP_host_map | GNTMAP_contains_pte, va_to_ma(pte_of(window, 1)) + 4, &h, NULL) != GNTST_okay,
	      "map by a misaligned entry");
	CHECK(map(REF, GNTMAP_host_map | GNTMAP_contains_pte, va_to_ma(dst), &h, NULL) != GNTST_okay,
	      "map into a page that is no page table");
	CHECK(map(REF, GNTMAP_host_map | GNTMAP_contains_pte, 0x200000, &h, NULL) != GNTST_okay,
	      "map into the hypervisor's memory");
	CHECK(map(REF, GNTMAP_host_map, HV_START, &h, NULL) != GNTST_okay, "map over the hypervisor");
	CHECK(map(REF, GNTMAP_host_map, 0x0000800000000000, &h, NULL) != GNTST_okay, "map at a bad address");
	CHECK(!(v1[REF].flags & (GTF_reading | GTF_writing)), "flags %#x after refusals", v1[REF].flags);
	EXPECT(map_page(window, own | PTE_RW), 0);
}

static void bad_grants(void)
{
	uint32_t h;

	CHECK(map(REF + 1, GNTMAP_host_map, (uint64_t)window, &h, NULL) != GNTST_okay, "map of an empty entry");
	CHECK(map(0xffffffff, GNTMAP_host_map, (uint64_t)window, &h, NULL) == GNTST_bad_gntref, "map of a wild ref");
	CHECK(map(512 * 64, GNTMAP_host_map, (uint64_t)window, &h, NULL) == GNTST_bad_gntref, "map beyond the table");
	CHECK(map(REF, 0, (uint64_t)window, &h, NULL) != GNTST_okay, "map of no kind");
	offer(REF, data, GTF_readonly);
	CHECK(map(REF, GNTMAP_host_map, (uint64_t)window, &h, NULL) != GNTST_okay, "writable map of a read-only grant");
	offer(REF, data, 0);
	v1[REF].domid = self + 1;
	CHECK(map(REF, GNTMAP_host_map, (uint64_t)window, &h, NULL) != GNTST_okay, "map of another's grant");
	offer(REF, data, 0);
	v1[REF].frame = 0x200; /* the hypervisor's */
	CHECK(map(REF, GNTMAP_host_map, (uint64_t)window, &h, NULL) != GNTST_okay, "map of a hypervisor frame");
	v1[REF].frame = 0xffffffff;
	CHECK(map(REF, GNTMAP_host_map | GNTMAP_readonly, (uint64_t)window, &h, NULL) != GNTST_okay, "map of no frame");
	v1[REF].frame = l4_mfn();
	CHECK(map(REF, GNTMAP_host_map, (uint64_t)window, &h, NULL) != GNTST_okay, "writable map of a page table");
	CHECK(!(v1[REF].flags & (GTF_reading | GTF_writing)), "flags %#x after refusals", v1[REF].flags);
	v1[REF].flags = 0;
}

static void copies(void)
{
	uint64_t s = va_to_mfn(data), d = va_to_mfn(dst);

	memset(dst, 0, sizeof(dst));
	data[0] = 0x1111;
	data[511] = 0x2222;
	CHECK(copy(false, s, 0, false, d, 0, 4096) == GNTST_okay, "copy of a page");
	CHECK(dst[0] == 0x1111 && dst[511] == 0x2222, "the copy differs");
	CHECK(copy(false, s, 1, false, d, 0, 4096) == GNTST_bad_copy_arg, "copy over the end of the source");
	CHECK(copy(false, s, 0, false, d, 1, 4096) == GNTST_bad_copy_arg, "copy over the end of the target");
	CHECK(copy(false, s, 65535, false, d, 0, 65535) == GNTST_bad_copy_arg, "copy with wild numbers");
	CHECK(copy(false, 0x200, 0, false, d, 0, 8) != GNTST_okay, "copy from the hypervisor");
	CHECK(copy(false, s, 0, false, 0x200, 0, 8) != GNTST_okay, "copy into the hypervisor");
	CHECK(copy(false, ~0ul, 0, false, d, 0, 8) != GNTST_okay, "copy from no frame");
	CHECK(copy(false, s, 0, false, l4_mfn(), 0, 8) != GNTST_okay, "copy into a page table");
	offer(REF, data, GTF_readonly);
	data[0] = 0x3333;
	CHECK(copy(true, REF, 0, false, d, 8, 8) == GNTST_okay, "copy from a grant");
	CHECK(dst[1] == 0x3333, "the copy from a grant differs");
	CHECK(copy(false, d, 0, true, REF, 0, 8) != GNTST_okay, "copy into a read-only grant");
	offer(REF, data, 0);
	dst[2] = 0x4444;
	CHECK(copy(false, d, 16, true, REF, 24, 8) == GNTST_okay && data[3] == 0x4444, "copy into a grant");
	CHECK(!(v1[REF].flags & (GTF_reading | GTF_writing)), "flags %#x after copies", v1[REF].flags);
	v1[REF].flags = 0;
}

static long set_version(uint32_t version)
{
	struct gnttab_set_version s = { .version = version };

	return hc_grant_table_op(GNTTABOP_set_version, &s, 1);
}

static void versions(void)
{
	struct gnttab_get_status_frames g = { .dom = DOMID_SELF, .nr_frames = 1 };
	struct gnttab_get_version gv = { .dom = DOMID_SELF };
	uint64_t frame = 0, own = va_to_ma(status_page) | PTE_RW;
	uint32_t h;

	offer(REF, data, 0);
	CHECK(map(REF, GNTMAP_device_map, 0, &h, NULL) == GNTST_okay, "device map");
	EXPECT(set_version(2), -EBUSY);
	CHECK(unmap(h, 0, va_to_ma(data)) == GNTST_okay, "device unmap");
	EXPECT(set_version(3), -EINVAL);
	EXPECT(set_version(0), -EINVAL);
	if (set_version(2) != 0) {
		test_skip("no version 2");
		return;
	}
	EXPECT(hc_grant_table_op(GNTTABOP_get_version, &gv, 1), 0);
	CHECK(gv.version == 2, "get_version says %u", gv.version);
	CHECK(v2[REF].hdr.flags == 0, "an entry survived the change of version");
	set_xen_guest_handle(g.frame_list, &frame);
	EXPECT(hc_grant_table_op(GNTTABOP_get_status_frames, &g, 1), 0);
	CHECK(g.status == GNTST_okay && frame != 0, "get_status_frames: %d", g.status);
	EXPECT(map_page(status_page, frame << PAGE_SHIFT | PTE_RO), 0);

	v2[REF].full_page.frame = va_to_mfn(data);
	v2[REF].hdr.domid = self;
	barrier();
	v2[REF].hdr.flags = GTF_permit_access;
	CHECK(map(REF, GNTMAP_device_map, 0, &h, NULL) == GNTST_okay, "map of version 2");
	CHECK(((uint16_t *)status_page)[REF] == (GTF_reading | GTF_writing), "status %#x",
	      ((uint16_t *)status_page)[REF]);
	EXPECT(set_version(1), -EBUSY);
	CHECK(unmap(h, 0, va_to_ma(data)) == GNTST_okay, "unmap of version 2");
	CHECK(((uint16_t *)status_page)[REF] == 0, "status %#x after unmap", ((uint16_t *)status_page)[REF]);

	v2[REF].hdr.flags = 0;
	v2[REF].sub_page.page_off = 64;
	v2[REF].sub_page.length = 128;
	barrier();
	v2[REF].hdr.flags = GTF_permit_access | GTF_sub_page;
	CHECK(map(REF, GNTMAP_device_map, 0, &h, NULL) != GNTST_okay, "map of a part of a page");
	CHECK(copy(true, REF, 64, false, va_to_mfn(dst), 0, 128) == GNTST_okay, "copy of the part");
	CHECK(copy(true, REF, 63, false, va_to_mfn(dst), 0, 128) != GNTST_okay, "copy from before the part");
	CHECK(copy(true, REF, 64, false, va_to_mfn(dst), 0, 129) != GNTST_okay, "copy beyond the part");
	v2[REF].hdr.flags = 0;
	/* Version 1 has no status frames: not while one is mapped. */
	EXPECT(set_version(1), -EBUSY);
	EXPECT(hc_grant_table_op(GNTTABOP_get_version, &gv, 1), 0);
	CHECK(gv.version == 2, "a refused set_version left version %u", gv.version);
	EXPECT(map_page(status_page, own), 0);
	EXPECT(set_version(1), 0);
}

static void others(void)
{
	struct gnttab_swap_grant_ref sw = { .ref_a = REF, .ref_b = REF + 1 };
	struct gnttab_transfer tr = { .mfn = 0x200, .domid = self, .ref = REF };
	struct gnttab_cache_flush cf = { .a.dev_bus_addr = 0x200000, .length = 64, .op = GNTTAB_CACHE_CLEAN };

	offer(REF, data, 0);
	v1[REF + 1].flags = 0;
	EXPECT(hc_grant_table_op(GNTTABOP_swap_grant_ref, &sw, 1), 0);
	CHECK(sw.status == GNTST_okay && v1[REF].flags == 0 && v1[REF + 1].flags == GTF_permit_access, "swap: %d",
	      sw.status);
	sw.ref_b = 0xffffffff;
	EXPECT(hc_grant_table_op(GNTTABOP_swap_grant_ref, &sw, 1), 0);
	CHECK(sw.status == GNTST_bad_gntref, "swap with a wild ref: %d", sw.status);
	EXPECT(hc_grant_table_op(GNTTABOP_transfer, &tr, 1), 0);
	CHECK(tr.status != GNTST_okay, "a hypervisor frame was given away");
	tr.mfn = va_to_mfn(data); /* mapped: cannot be given away */
	EXPECT(hc_grant_table_op(GNTTABOP_transfer, &tr, 1), 0);
	CHECK(tr.status != GNTST_okay, "a mapped frame was given away");
	EXPECT_ERROR(hc_grant_table_op(GNTTABOP_cache_flush, &cf, 1));
	cf.a.dev_bus_addr = va_to_ma(data);
	EXPECT(hc_grant_table_op(GNTTABOP_cache_flush, &cf, 1), 0);
	cf.offset = 4095;
	EXPECT(hc_grant_table_op(GNTTABOP_cache_flush, &cf, 1), -EINVAL);
	EXPECT(hc_grant_table_op(999, &cf, 1), -ENOSYS);
	EXPECT(hc_grant_table_op(GNTTABOP_set_version, &cf, 2), -EINVAL);
}

/* Handles run out with an error, and all come back. */
static void many(void)
{
	static uint32_t handle[3000];
	unsigned int i, n;

	offer(REF, data, 0);
	for (n = 0; n < ARRAY_SIZE(handle); n++)
		if (map(REF, GNTMAP_device_map | GNTMAP_readonly, 0, &handle[n], NULL) != GNTST_okay)
			break;
	CHECK(n > 100, "%u mappings only", n);
	for (i = 0; i < n; i++)
		CHECK(unmap(handle[i], 0, va_to_ma(data)) == GNTST_okay, "unmap %u of %u", i, n);
	CHECK(!(v1[REF].flags & (GTF_reading | GTF_writing)), "flags %#x in the end", v1[REF].flags);
	v1[REF].flags = 0;
}

void test_main(void)
{
	self = find_self();
	setup(2);
	host_maps();
	bad_grants();
	copies();
	versions();
	others();
	many();
}
