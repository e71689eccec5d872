/* SPDX-License-Identifier: MIT */
/* xen_version: numbers, strings padded with zeroes, features of a PV guest; and the hypercall page. */
#include "guest.h"

const char test_name[] = "version";

static bool padded(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i])
		i++;
	if (i == n)
		return false;
	for (; i < n; i++)
		if (s[i])
			return false;
	return true;
}

static void strings(void)
{
	static xen_extraversion_t extra;
	static xen_compile_info_t info;
	static xen_capabilities_info_t caps;
	static xen_changeset_info_t cset;
	static xen_commandline_t cmd;

	memset(extra, 0xaa, sizeof(extra));
	memset(&info, 0xaa, sizeof(info));
	memset(caps, 0xaa, sizeof(caps));
	memset(cset, 0xaa, sizeof(cset));
	memset(cmd, 0xaa, sizeof(cmd));
	EXPECT(hc_version(XENVER_extraversion, extra), 0);
	CHECK(padded(extra, sizeof(extra)), "extraversion is not padded");
	EXPECT(hc_version(XENVER_compile_info, &info), 0);
	CHECK(padded(info.compiler, sizeof(info.compiler)), "compiler is not padded");
	EXPECT(hc_version(XENVER_capabilities, caps), 0);
	CHECK(padded(caps, sizeof(caps)), "capabilities are not padded");
	EXPECT(hc_version(XENVER_changeset, cset), 0);
	CHECK(padded(cset, sizeof(cset)), "changeset is not padded");
	if (hc_version(XENVER_commandline, cmd) == 0)
		CHECK(padded(cmd, sizeof(cmd)), "command line is not padded");
}

static void by_page(void)
{
	unsigned long nr = __HYPERVISOR_xen_version;
	long ret;

	if ((uint8_t)hypercall_page[nr * 32] == 0xcc) {
		test_failed("the hypercall page was not filled");
		return;
	}
	__asm__ volatile("call *%1"
			 : "=a"(ret)
			 : "r"(hypercall_page + nr * 32), "D"(XENVER_version), "S"(0)
			 : "rcx", "r11", "rdx", "r10", "r8", "memory");
	CHECK(ret == hc_version(XENVER_version, NULL), "the hypercall page gives %ld", ret);
}

void test_main(void)
{
	struct xen_platform_parameters plat;
	struct xen_feature_info fi = { .submap_idx = 0 };
	long v = hc_version(XENVER_version, NULL);

	CHECK(v >> 16 >= 3, "version %#lx", v);
	EXPECT(hc_version(XENVER_platform_parameters, &plat), 0);
	CHECK(plat.virt_start == HV_START, "virt_start %#lx", plat.virt_start);
	EXPECT(hc_version(XENVER_pagesize, NULL), 4096);
	EXPECT(hc_version(XENVER_get_features, &fi), 0);
	CHECK(!(fi.submap & 1u << XENFEAT_auto_translated_physmap), "features say auto-translated");
	CHECK(!(fi.submap & 1u << XENFEAT_dom0), "features say domain 0");
	fi.submap_idx = 1000;
	CHECK(hc_version(XENVER_get_features, &fi) != 0 || fi.submap == 0, "features of submap 1000: %#x", fi.submap);
	EXPECT(hc_version(XENVER_extraversion, HV_START + 0x1000), -EFAULT);
	EXPECT(hc_version(XENVER_extraversion, NULL), -EFAULT);
	EXPECT_ERROR(hc_version(9999, NULL));
	strings();
	by_page();
}
