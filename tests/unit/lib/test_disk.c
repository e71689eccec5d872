/* SPDX-License-Identifier: MIT */
/* xl's disk syntax. */
#include "device/disk_image.h"
#include "device/disk_spec.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct disk_spec s;
static struct pvctl_error err;

static int parse(const char *text)
{
	memset(&err, 0, sizeof(err));
	return disk_spec_parse(text, &s, &err);
}

static void good(const char *text, const char *target, const char *vdev, bool readonly)
{
	struct disk_spec again;
	char out[DISK_SPEC_MAX + 1];

	ck_assert_msg(!parse(text), "%s: %s", text, err.msg);
	ck_assert_str_eq(s.target, target);
	ck_assert_str_eq(s.vdev_name, vdev);
	ck_assert_int_eq(s.readonly, readonly);
	disk_spec_format(&s, out);
	ck_assert_int_eq(disk_spec_parse(out, &again, NULL), 0);
	ck_assert_mem_eq(&s, &again, sizeof(s));
}

static void bad(const char *text, int code, const char *word)
{
	ck_assert_int_eq(parse(text), code);
	ck_assert_msg(strstr(err.msg, word) != NULL, "%s: %s", text, err.msg);
}

START_TEST(forms)
{
	good("/dev/vg/guest-volume,,xvda", "/dev/vg/guest-volume", "xvda", false);
	good("/dev/vg/guest-volume,raw,xvda,rw", "/dev/vg/guest-volume", "xvda", false);
	good("format=raw, vdev=xvda, access=rw, target=/dev/vg/guest-volume", "/dev/vg/guest-volume", "xvda", false);
	good("raw:/dev/vg/guest-volume,xvda,w", "/dev/vg/guest-volume", "xvda", false);
	good("phy:/dev/vg/a,sda,r", "/dev/vg/a", "sda", true);
	good("tap:aio:/a,xvda,w", "/a", "xvda", false);
	good("/a.iso,,hdc,cdrom", "/a.iso", "hdc", true);
	good("file:/a.iso,xvdb:cdrom,r", "/a.iso", "xvdb", true);
	good("file:/a.img,ioemu:hda,w", "/a.img", "hda", false);
	good("file:/a.img,xvda ,w ", "/a.img", "xvda", false);
	good(" /a.img , raw , xvda , rw", "/a.img ", "xvda", false);
	good("/a,raw,hdc,rw,cdrom", "/a", "hdc", true);
	good("file:/a.iso,ioemu:hdc:cdrom,r", "/a.iso", "hdc", true);
	good("phy:/dev/a,xvda:disk,r", "/dev/a", "xvda", true);
	good("/a,raw,xvda,ro,direct-io-safe,no-discard", "/a", "xvda", true);
	ck_assert(s.direct_io_safe && s.no_discard);
	good("vdev=d0p3,target=/a,b,c=d", "/a,b,c=d", "d0p3", false);
	good("vdev=xvda1,backendtype=qdisk,backend=0,specification=xen,/a", "/a", "xvda1", false);
	ck_assert_int_eq(s.backend, DISK_BACKEND_QDISK);
	good("/dev/sdx,raw,xvda,rw,backendtype=phy,untrusted,sectorsize=4096", "/dev/sdx", "xvda", false);
	ck_assert(s.backend == DISK_BACKEND_PHY && s.untrusted && s.sector_size == 4096);
}
END_TEST

START_TEST(formats)
{
	static const char *const name[] = { "raw", "qcow", "qcow2", "vhd", "qed" };
	char text[64];

	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "/a,%s,xvda", name[i]);
		good(text, "/a", "xvda", false);
		ck_assert_int_eq((int)s.format, i);
	}
	good("qcow2:/a,xvda,w", "/a", "xvda", false);
	ck_assert_int_eq(s.format, DISK_QCOW2);
	good("tap:qcow:/a,xvda", "/a", "xvda", false);
	ck_assert_int_eq(s.format, DISK_QCOW);
	ck_assert_str_eq(disk_format_driver(DISK_VHD), "vpc");
	/* A drive without a medium. */
	good(",raw,hdc,cdrom", "", "hdc", true);
	good("vdev=xvdc,cdrom,target=", "", "xvdc", true);
	good("nbd:host:10809,xvda,w", "host:10809", "xvda", false);
	ck_assert_str_eq(s.script, "block-nbd");
	good("iqn.2001-05.com.x:a,,xvda,script=block-iscsi", "iqn.2001-05.com.x:a", "xvda", false);
	ck_assert_str_eq(s.script, "block-iscsi");
}
END_TEST

START_TEST(refusals)
{
	bad("", -EINVAL, "vdev");
	bad("/a", -EINVAL, "vdev");
	bad("/a,raw,xvda,rw,/b", -EINVAL, "too many positional");
	bad("/a,raw,xvda,rw,target=/b", -EINVAL, "target respecified");
	bad("/a,raw,xvda,rw,access=rw", -EINVAL, "access respecified");
	bad("/a,raw,xvda,backendtype=tap", -ENOSYS, "tap");
	bad("/a,raw,xvda,backendtype=standalone", -ENOSYS, "standalone");
	bad("/a,raw,xvda,specification=virtio", -ENOSYS, "virtio");
	bad("/a,raw,xvda,grant_usage=1", -ENOSYS, "grant_usage");
	bad("/a,qcow2,xvda,backendtype=phy", -EINVAL, "phy");
	bad("/a,qcow2,xvda,script=block-x", -EINVAL, "script");
	bad("/a,raw,xvda,script=../x", -EINVAL, "script");
	bad("/a,raw,xvda,script=a b", -EINVAL, "script");
	bad("/a,raw,xvda,sectorsize=2048", -EINVAL, "sectorsize");
	bad("/a,raw,xvda,trusted,untrusted", -EINVAL, "trusted respecified");
	bad(",qcow2,hdc,cdrom", -EINVAL, "medium");
	bad("/a,vmdk,xvda", -EINVAL, "vmdk");
	bad("/a,raw,xvda,x", -EINVAL, "access");
	bad("/a,raw,vda", -EINVAL, "vdev");
	bad("http:/a,xvda", -EINVAL, "prefix");
	bad("/a,raw,xvda,shade=red", -EINVAL, "unknown parameter");
	bad("/a,raw,xvda,backend=disks", -ENOSYS, "backend");
	bad(",raw,hdc", -EINVAL, "no target");
	bad("/a,raw,xvdb:tape,r", -EINVAL, "devtype");
	bad("/a,raw,ioemu:,r", -EINVAL, "vdev");
	bad("/a,raw,xvda:ioemu:xvdb,r", -EINVAL, "devtype");
	bad("/a\n,raw,hdc", -EINVAL, "control");
}
END_TEST

START_TEST(vdevs)
{
	static const struct { const char *name; uint32_t n; } want[] = {
		{ "xvda", 51712 }, { "xvdb", 51728 }, { "xvda1", 51713 }, { "xvdp15", 51967 }, { "xvdq", 1u << 28 | 16 << 8 },
		{ "xvdaa", 1u << 28 | 26 << 8 }, { "xvda16", 1u << 28 | 16 }, { "sda", 2048 }, { "sdb2", 2066 },
		{ "hda", 768 }, { "hdb1", 833 }, { "hdc", 5632 }, { "hdd", 5696 }, { "d0", 51712 }, { "d2p3", 51747 },
		{ "51712", 51712 }, { "0xca00", 51712 }, { "0x0", 0 }, { "0x1", 1 }, { "0", 0 },
	};
	static const char *const wrong[] = { "", "xvd", "xvdA", "xvda0", "xvda01", "sdq", "hde", "xvda256", "d", "dp1", "d0p",
		"d01", "12x", "0x", "99999999999", "xvdzzzzzzzz", "xvda1p", "sda16" };
	uint32_t n;

	for (unsigned int i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		ck_assert_msg(!disk_vdev_parse(want[i].name, &n), "%s", want[i].name);
		ck_assert_uint_eq(n, want[i].n);
	}
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(disk_vdev_parse(wrong[i], &n) == -EINVAL, "%s", wrong[i]);
}
END_TEST

/* What qemu-img tells of an image. */
START_TEST(images)
{
	static char base[DISK_TARGET_MAX + 1], format[16];
	static const struct { const char *json, *word; } wrong[] = {
		{ "{\"virtual-size\": 1000}", "multiple of 512" },
		{ "{\"virtual-size\": -512}", "multiple of 512" },
		{ "{\"virtual-size\": \"512\"}", "multiple of 512" },
		{ "{}", "multiple of 512" },
		{ "[]", "" },
		{ "", "" },
		{ "{\"virtual-size\": 512, \"backing-filename\": \"nbd:h:1\"}", "no file of this machine" },
		{ "{\"virtual-size\": 512, \"full-backing-filename\": \"json:{}\", \"backing-filename\": \"/a\"}", "no file" },
		{ "{\"virtual-size\": 512, \"full-backing-filename\": \"/a\"}", "does not say the format" },
		{ "{\"virtual-size\": 512, \"full-backing-filename\": \"/a\", \"backing-filename-format\": \"ssh\"}", "not known" },
		{ "{\"virtual-size\": 512, \"format-specific\": {\"data\": {\"data-file\": \"x\"}}}", "another file" },
	};

	ck_assert_int_eq(disk_image_judge("/i", "{\"virtual-size\": 1024}", base, format, &err), 0);
	ck_assert_str_eq(base, "");
	ck_assert_int_eq(disk_image_judge("/i", "{\"virtual-size\": 512, \"full-backing-filename\": \"/a\", "
	                                  "\"backing-filename-format\": \"vpc\"}", base, format, &err), 0);
	ck_assert_str_eq(base, "/a");
	ck_assert_str_eq(format, "vpc");
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		memset(&err, 0, sizeof(err));
		ck_assert_msg(disk_image_judge("/i", wrong[i].json, base, format, &err) < 0, "%s", wrong[i].json);
		ck_assert_msg(strstr(err.msg, wrong[i].word) != NULL, "%s: %s", wrong[i].json, err.msg);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("disk");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_test(c, forms);
	tcase_add_test(c, formats);
	tcase_add_test(c, refusals);
	tcase_add_test(c, images);
	tcase_add_test(c, vdevs);
	suite_add_tcase(suite, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
