/* SPDX-License-Identifier: MIT */
/*
 * What a PVH domain is started with: its layout, the page with hvm_start_info, ACPI tables; and whole domains on the mock node.
 * "test_pvh --acpi DIR VCPUS" writes the tables there for iasl, one file each (tests/static/acpi.t).
 */
#include "mock_fixture.h"
#include "build/acpi.h"
#include "build/build.h"
#include "build/pvh_info.h"
#include <errno.h>
#include <unistd.h>
#include <xen/arch-x86/hvm/start_info.h>

#define ACPI_PADDR ((uint64_t)PVH_ACPI_GFN << 12)

static const struct pvh_layout_in small = {
	.kernel_start = 0x1000000, .kernel_end = 0x3456789, .entry = 0x1000200, .nr_pages = 32768, .ramdisk_bytes = 12345,
};

static void check_regions(const struct pvh_layout *l)
{
	uint64_t at = 0;

	for (unsigned int i = 0; i < PVH_REGIONS; i++) {
		ck_assert_uint_eq(l->region[i].index, at);
		at += l->region[i].pages;
	}
	ck_assert_uint_eq(at, l->nr_pages);
	ck_assert_uint_le(l->used_pages, l->region[PVH_LOW].pages);
	ck_assert_uint_le(l->region[PVH_LOW].pages, PVH_LOW_END_GFN);
	ck_assert(!l->region[PVH_HIGH].pages || l->region[PVH_LOW].pages == PVH_LOW_END_GFN);
}

START_TEST(test_layout)
{
	struct pvh_layout_in in = small;
	struct hv_map_entry map[PVH_MAP_MAX];
	struct pvh_layout l;
	unsigned int n;

	ck_assert_int_eq(pvh_layout_make(&in, &l, &err), 0);
	check_regions(&l);
	ck_assert_uint_eq(l.info_paddr, 0x3457000);
	ck_assert_uint_eq(l.ramdisk_paddr, 0x3458000);
	ck_assert_uint_eq(l.used_pages, 0x345c);
	ck_assert_uint_eq(l.region[PVH_LOW].pages, 32768 - PVH_APART_PAGES);
	ck_assert_uint_eq(l.region[PVH_HIGH].pages, 0);
	ck_assert_uint_eq(pvh_memory_map(&l, map), 3);
	in.nr_pages = 3u << 20;
	ck_assert_int_eq(pvh_layout_make(&in, &l, &err), 0);
	check_regions(&l);
	n = pvh_memory_map(&l, map);
	ck_assert_uint_eq(n, 4);
	for (unsigned int i = 1; i < n; i++)
		ck_assert_uint_le(map[i - 1].addr + map[i - 1].size, map[i].addr);
	ck_assert_uint_eq(map[3].addr, 4ull << 30);
	ck_assert_uint_eq(map[0].size + map[3].size, (in.nr_pages - PVH_APART_PAGES) << 12);
}
END_TEST

START_TEST(test_layout_refused)
{
	static const struct { struct pvh_layout_in in; int rc; } bad[] = {
		{ { 0x1000000, 0x3000000, 0x1000000, 0x3001, 0 }, -ENOMEM },
		{ { 0x1000000, 0x3000000, 0x1000000, 3, 0 }, -EINVAL },
		{ { 0x1000000, 0x3000000, 0x1000000, LAYOUT_MAX_PAGES + 1, 0 }, -EINVAL },
		{ { 0x1000000, 0x3000000, 0x3000000, 65536, 0 }, -EINVAL },
		{ { 0x1000000, 0x3000000, 0xffffff, 65536, 0 }, -EINVAL },
		{ { 0x1000000, 0xfc000001, 0x1000000, 3u << 20, 0 }, -EINVAL },
		{ { 0x1000000, ~0ull, 0x1000000, 3u << 20, 0 }, -EINVAL },
		{ { 0x3000000, 0x1000000, 0x1000000, 3u << 20, 0 }, -EINVAL },
		{ { 0x1000000, 0x3000000, 0x1000000, 3u << 20, 4ull << 30 }, -EINVAL },
		{ { 0x1000000, 0x3000000, 0x1000000, 65536, 300u << 20 }, -ENOMEM },
	};
	struct pvh_layout l;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.msg[0] = '\0';
		ck_assert_msg(pvh_layout_make(&bad[i].in, &l, &err) == bad[i].rc, "%u", i);
		ck_assert_int_ne(err.msg[0], '\0');
	}
	/* The message's own number is enough. */
	struct pvh_layout_in in = { 0x1000000, 0x3000000, 0x1000000, 49u << 8, 0 };

	ck_assert_int_eq(pvh_layout_make(&in, &l, &err), 0);
}
END_TEST

START_TEST(test_info)
{
	const struct hvm_start_info *si;
	const struct hvm_memmap_table_entry *map;
	const struct hvm_modlist_entry *mod;
	struct pvh_layout l;
	char text[1200];
	uint8_t page[4096];

	ck_assert_int_eq(pvh_layout_make(&small, &l, &err), 0);
	ck_assert_int_eq(pvh_info_make(&l, "console=hvc0", page, &err), 0);
	si = (const void *)page;
	ck_assert_uint_eq(si->magic, XEN_HVM_START_MAGIC_VALUE);
	ck_assert_uint_eq(si->version, 1);
	ck_assert_uint_eq(si->nr_modules, 1);
	ck_assert_uint_eq(si->rsdp_paddr, ACPI_PADDR);
	mod = (const void *)(page + (si->modlist_paddr - l.info_paddr));
	ck_assert_uint_eq(mod->paddr, l.ramdisk_paddr);
	ck_assert_uint_eq(mod->size, 12345);
	ck_assert_str_eq((const char *)page + (si->cmdline_paddr - l.info_paddr), "console=hvc0");
	map = (const void *)(page + (si->memmap_paddr - l.info_paddr));
	ck_assert_uint_eq(si->memmap_entries, 3);
	ck_assert_uint_eq(map[0].addr, 0);
	ck_assert_uint_eq(map[0].type, XEN_HVM_MEMMAP_TYPE_RAM);
	ck_assert_uint_eq(map[1].addr, ACPI_PADDR);
	ck_assert_uint_eq(map[1].type, XEN_HVM_MEMMAP_TYPE_ACPI);
	memset(text, 'x', sizeof(text));
	text[1023] = '\0';
	ck_assert_int_eq(pvh_info_make(&l, text, page, &err), 0);
	text[1023] = 'x';
	text[1024] = '\0';
	ck_assert_int_eq(pvh_info_make(&l, text, page, &err), -E2BIG);
	l.ramdisk_bytes = 0;
	ck_assert_int_eq(pvh_info_make(&l, NULL, page, &err), 0);
	ck_assert_uint_eq(si->nr_modules, 0);
	ck_assert_uint_eq(si->cmdline_paddr, 0);
}
END_TEST

static uint64_t word(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

static void check_sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	ck_assert_uint_eq(s, 0);
}

static const uint8_t *table_of(const uint8_t *buf, uint64_t paddr, const char *sign)
{
	const uint8_t *p = buf + (paddr - ACPI_PADDR);

	ck_assert(paddr >= ACPI_PADDR && paddr < ACPI_PADDR + 4096);
	ck_assert_int_eq(memcmp(p, sign, 4), 0);
	check_sum(p, word(p + 4, 4));
	return p;
}

START_TEST(test_acpi)
{
	uint8_t buf[4096] = { 0 };
	const uint8_t *xsdt, *fadt, *madt, *e;

	ck_assert_uint_gt(acpi_tables_make(buf, sizeof(buf), ACPI_PADDR, 32), 0);
	ck_assert_int_eq(memcmp(buf, "RSD PTR ", 8), 0);
	check_sum(buf, 20);
	check_sum(buf, 36);
	xsdt = table_of(buf, word(buf + 24, 8), "XSDT");
	fadt = table_of(buf, word(xsdt + 36, 8), "FACP");
	madt = table_of(buf, word(xsdt + 44, 8), "APIC");
	table_of(buf, word(fadt + 140, 8), "DSDT");
	ck_assert_uint_ne(word(fadt + 112, 4) & 1u << 20, 0);
	ck_assert_uint_eq(word(madt + 4, 4), 44 + 32 * 16);
	for (unsigned int v = 0; v < 32; v++) {
		e = madt + 44 + 16 * v;
		ck_assert_uint_eq(e[0], 9);
		ck_assert_uint_eq(word(e + 4, 4), v);
		ck_assert_uint_eq(word(e + 12, 4), v);
	}
	memset(buf, 0, sizeof(buf));
	ck_assert_uint_eq(acpi_tables_make(buf, 600, ACPI_PADDR, 32), 0);
	ck_assert_uint_eq(acpi_tables_make(buf, sizeof(buf), ACPI_PADDR, ACPI_MAX_VCPUS + 1), 0);
}
END_TEST

/* The kernel of the fixture takes the place of another. */
static void use(const struct maker *m)
{
	struct iovec v;
	size_t len;

	v.iov_base = make_elf(m, &len);
	v.iov_len = len;
	ck_assert_int_eq(fd_write_atomic(dir, "vmlinux", &v, 1), 0);
	free(v.iov_base);
}

static struct pvctl_config *config(const char *type)
{
	struct pvctl_config *c;

	ck_assert_int_eq(pvctl_config_new(&c, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "name", "vm", &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "kernel", kernel, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "ramdisk", ramdisk, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "type", type, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "extra", "console=hvc0", &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "memory", 33, &err), 0);
	ck_assert_int_eq(pvctl_config_set_int(c, "vcpus", 2, &err), 0);
	return c;
}

static bool is_pvh(uint32_t domid)
{
	struct xen_domctl_getdomaininfo info;

	ck_assert_int_eq(hv_domain_info(t, domid, &info, &err), 0);
	return info.flags & XEN_DOMINF_hvm_guest;
}

START_TEST(test_life)
{
	const struct pvctl_save_opts live = { .size = sizeof(live), .live = 1 };
	struct pvctl_domain_info info = { .size = sizeof(info) };
	uint64_t before = mock_free_pages(t);
	struct pvctl_config *c = config("pvh");
	uint32_t domid, eip, ebx;

	use(_i ? &linux_pvh : &linux_both);
	if (_i)
		mock_fragment(t, true);
	ck_assert_msg(pvctl_domain_create(ctx, c, NULL, &domid, &err) == 0, "%s", err.msg);
	ck_assert(is_pvh(domid));
	ck_assert_int_eq(pvctl_domain_get(ctx, domid, &info, &err), 0);
	ck_assert_uint_eq(info.memory_bytes, 33u << 20);
	mock_pvh_start(t, domid, &eip, &ebx);
	ck_assert_uint_eq(eip, 0x1000200);
	ck_assert_uint_eq(ebx, 0x1000000 + ((500000 + 4095) & ~4095u));
	ck_assert_int_eq(mock_guest_byte(t, domid, ebx), 0x78);
	ck_assert_int_eq(mock_guest_byte(t, domid, 0x1000000), 1);
	ck_assert_int_eq(mock_guest_byte(t, domid, ebx + 4096 + 9999), 'r');
	ck_assert_int_eq(mock_guest_byte(t, domid, ACPI_PADDR), 'R');
	ck_assert_int_eq(mock_guest_byte(t, domid, (uint64_t)PVH_STORE_GFN << 12), 0);
	ck_assert_int_eq(mock_guest_byte(t, domid, 0xfec00000), -1);
	ck_assert_int_eq(pvctl_domain_save(ctx, domid, 1, &live, NULL, &err), -ENOSYS);
	ck_assert_ptr_nonnull(strstr(err.msg, "PVH"));
	ck_assert_int_eq(pvctl_domain_destroy(ctx, domid, NULL, &err), 0);
	ck_assert_uint_eq(mock_free_pages(t), before);
	ck_assert_uint_eq(mock_store_nodes(t), 0);
	pvctl_config_free(c);
}
END_TEST

START_TEST(test_create_fails)
{
	enum mock_failure how = _i ? MOCK_FAIL_TRANSPORT : MOCK_FAIL_HV;
	struct pvctl_create_opts o = { .size = sizeof(o), .paused = 1 };
	uint64_t before = mock_free_pages(t);
	struct pvctl_config *c = config("pvh");
	unsigned int n, total;
	uint32_t domid;

	use(&linux_both);
	total = mock_calls(t);
	ck_assert_int_eq(pvctl_domain_create(ctx, c, &o, &domid, &err), 0);
	total = mock_calls(t) - total;
	ck_assert_int_eq(pvctl_domain_destroy(ctx, domid, NULL, &err), 0);
	for (n = 1; n <= total; n++) {
		memset(&err, 0, sizeof(err));
		mock_fail_at(t, n, how);
		if (!pvctl_domain_create(ctx, c, &o, &domid, &err)) {
			mock_fail_at(t, 0, how);
			ck_assert_int_eq(pvctl_domain_destroy(ctx, domid, NULL, &err), 0);
		} else {
			ck_assert_int_ne(err.msg[0], '\0');
		}
		mock_fail_at(t, 0, how);
		ck_assert_msg(mock_domains(t) == 0, "call %u: a domain is left", n);
		ck_assert_uint_eq(mock_free_pages(t), before);
		ck_assert_msg(mock_store_nodes(t) == 0, "call %u: store nodes are left", n);
	}
	pvctl_config_free(c);
}
END_TEST

static void refused(struct pvctl_config *c, int rc, const char *says)
{
	unsigned int calls = mock_domains(t);
	uint32_t domid;

	ck_assert_int_eq(pvctl_domain_create(ctx, c, NULL, &domid, &err), rc);
	ck_assert_msg(strstr(err.msg, says) != NULL, "%s", err.msg);
	ck_assert_uint_eq(mock_domains(t), calls);
	pvctl_config_free(c);
}

START_TEST(test_refused)
{
	struct pvctl_config *c = config("pvh");

	refused(c, -EINVAL, "PHYS32_ENTRY");
	use(&linux_pvh);
	refused(config("pv"), -EINVAL, "type=\"pvh\"");
	c = config("pvh");
	ck_assert_int_eq(pvctl_config_set_int(c, "maxmem", 64, &err), 0);
	refused(c, -ENOSYS, "maxmem=64");
	c = config("pvh");
	ck_assert_int_eq(pvctl_config_set_str(c, "cpuid", "host,avx2=0", &err), 0);
	refused(c, -ENOSYS, "cpuid");
	c = config("pvh");
	ck_assert_int_eq(pvctl_config_check(NULL, c, &err), 0);
	mock_no_pvh(t);
	refused(c, -ENOSYS, "cannot run PVH domains");
	/* It cannot be PV either. */
	refused(config("auto"), -EINVAL, "not a Xen PV kernel");
}
END_TEST

START_TEST(test_auto)
{
	static const struct maker *const kernels[] = { &linux_like, &linux_both, &linux_both, &linux_both };
	static const bool pvh[] = { false, true, false, false };
	struct pvctl_config *c = config("auto");
	uint32_t domid;

	use(kernels[_i]);
	if (_i == 2)
		mock_no_pvh(t);
	if (_i == 3)
		ck_assert_int_eq(pvctl_config_set_int(c, "maxmem", 64, &err), 0);
	ck_assert_msg(pvctl_domain_create(ctx, c, NULL, &domid, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(is_pvh(domid), pvh[_i]);
	pvctl_config_free(c);
}
END_TEST

static void put_file(const char *to, const char *name, const uint8_t *p, size_t len)
{
	struct iovec v = { (void *)(uintptr_t)p, len };

	if (fd_write_atomic(to, name, &v, 1))
		exit(1);
}

static int write_tables(const char *to, unsigned int vcpus)
{
	static const char *const name[] = { "facp.aml", "apic.aml" };
	uint8_t buf[4096] = { 0 };
	const uint8_t *xsdt, *p;

	if (!acpi_tables_make(buf, sizeof(buf), ACPI_PADDR, vcpus))
		return 1;
	xsdt = buf + (word(buf + 24, 8) - ACPI_PADDR);
	put_file(to, "rsdp.aml", buf, 36);
	put_file(to, "xsdt.aml", xsdt, word(xsdt + 4, 4));
	for (unsigned int i = 0; i < 2; i++) {
		p = buf + (word(xsdt + 36 + 8 * i, 8) - ACPI_PADDR);
		put_file(to, name[i], p, word(p + 4, 4));
		if (!i)
			p = buf + (word(p + 140, 8) - ACPI_PADDR);
		if (!i)
			put_file(to, "dsdt.aml", p, word(p + 4, 4));
	}
	return 0;
}

int main(int argc, char **argv)
{
	TCase *pure, *mock;
	SRunner *r;
	Suite *s;
	int failed;

	if (argc == 4 && !strcmp(argv[1], "--acpi"))
		return write_tables(argv[2], (unsigned int)atoi(argv[3]));
	s = suite_create("pvh");
	pure = tcase_create("pure");
	mock = tcase_create("mock");
	tcase_add_test(pure, test_layout);
	tcase_add_test(pure, test_layout_refused);
	tcase_add_test(pure, test_info);
	tcase_add_test(pure, test_acpi);
	suite_add_tcase(s, pure);
	tcase_add_checked_fixture(mock, setup, teardown);
	tcase_set_timeout(mock, 120);
	tcase_add_loop_test(mock, test_life, 0, 2);
	tcase_add_loop_test(mock, test_create_fails, 0, 2);
	tcase_add_test(mock, test_refused);
	tcase_add_loop_test(mock, test_auto, 0, 4);
	suite_add_tcase(s, mock);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
