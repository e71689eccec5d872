/* SPDX-License-Identifier: MIT */
/* Specifications of network interfaces, and what is chosen for them. */
#include "device/vif.h"
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pvctl_error err;

static struct vif_spec good(const char *text)
{
	char again[VIF_SPEC_MAX + 1];
	struct vif_spec s, t;

	memset(&err, 0, sizeof(err));
	ck_assert_msg(!vif_spec_parse(text, &s, &err), "%s: %s", text, err.msg);
	vif_spec_format(&s, again);
	ck_assert_msg(!vif_spec_parse(again, &t, &err), "%s -> %s: %s", text, again, err.msg);
	ck_assert_msg(!memcmp(&s, &t, sizeof(s)), "%s -> %s", text, again);
	return s;
}

static void refused(const char *text, int code, const char *says)
{
	struct vif_spec s;

	memset(&err, 0, sizeof(err));
	ck_assert_msg(vif_spec_parse(text, &s, &err) == code, "%s: %d %s", text, err.code, err.msg);
	ck_assert_msg(strstr(err.msg, says) != NULL, "%s: \"%s\" has no \"%s\"", text, err.msg, says);
}

START_TEST(test_spec_defaults)
{
	struct vif_spec s = good("");

	ck_assert(s.kind == VIF_AUTO && !s.has_devid && !s.has_mac && s.trusted && s.mtu == VIF_DEFAULT_MTU && !s.rate_bytes);
	s = good(" , ,");
	ck_assert(s.kind == VIF_AUTO && s.trusted);
}
END_TEST

START_TEST(test_spec_keys)
{
	struct vif_spec s = good("mac=00:16:3E:a1:02:03, bridge=xenbr0 ,script=/etc/x y,ip=10.0.0.1 fd00::1,vifname=web0.0,"
				 "netdev=eth0,devid=7,mtu=9000,untrusted,accel,type=vif,model=e1000,backend=Domain-0");

	ck_assert(!memcmp(s.mac, "\x00\x16\x3e\xa1\x02\x03", 6) && s.has_mac);
	ck_assert_str_eq(s.bridge, "xenbr0");
	ck_assert_str_eq(s.script, "/etc/x y");
	ck_assert_str_eq(s.ip, "10.0.0.1 fd00::1");
	ck_assert_str_eq(s.vifname, "web0.0");
	ck_assert_str_eq(s.gatewaydev, "eth0");
	ck_assert(s.devid == 7 && s.has_devid && s.mtu == 9000 && !s.trusted && s.has_model);
	ck_assert(good("link=switch,bridge=lan").kind == VIF_SWITCH);
	ck_assert(good("link=tap").kind == VIF_TAP);
	ck_assert(good("backend=0,link=user").kind == VIF_USER);
}
END_TEST

START_TEST(test_spec_refused)
{
	refused("brigde=x", -EINVAL, "did you mean bridge?");
	refused("trustd", -EINVAL, "did you mean trusted?");
	refused("nonsense=1", -EINVAL, "unknown parameter \"nonsense\"");
	refused("mac", -EINVAL, "value is missing");
	refused("trusted=1", -EINVAL, "no value belongs");
	refused("mac=00:16:3e:00:00", -EINVAL, "mac must");
	refused("mac=00:16:3e:00:00:001", -EINVAL, "mac must");
	refused("mac=01:16:3e:00:00:00", -EINVAL, "one interface's");
	refused("mac=00:00:00:00:00:00", -EINVAL, "one interface's");
	refused("bridge=a/b", -EINVAL, "bridge must");
	refused("bridge=abcdefghijklmnop", -EINVAL, "bridge must");
	refused("bridge=", -EINVAL, "bridge must");
	refused("vifname=..", -EINVAL, "vifname must");
	refused("ip=here", -EINVAL, "ip must");
	refused("devid=256", -EINVAL, "devid");
	refused("devid=-1", -EINVAL, "devid");
	refused("devid=1x", -EINVAL, "devid");
	refused("mtu=67", -EINVAL, "mtu");
	refused("mtu=65522", -EINVAL, "mtu");
	refused("script=a\tb,x", -EINVAL, "control");
	refused("backend=netdom", -ENOSYS, "netdom");
	refused("type=tap", -EINVAL, "type");
	refused("vlan=10p", -ENOSYS, "vlan");
	refused("forwarddev=eth1", -ENOSYS, "forwarddev");
	refused("colo_ft0_mirror=x", -ENOSYS, "colo_ft0_mirror");
	refused("mac=00:16:3e:00:00:01,mac=00:16:3e:00:00:02", -EINVAL, "respecified");
	refused("trusted,untrusted", -EINVAL, "respecified");
	refused("gatewaydev=a,netdev=b", -EINVAL, "respecified");
	refused("link=slirp", -EINVAL, "user, switch or tap");
	refused("link=user,bridge=x", -EINVAL, "not for link=user");
	refused("link=switch", -EINVAL, "needs bridge");
	refused("link=switch,bridge=a,script=b", -EINVAL, "not for link=switch");
	refused("bridge=x,hostfwd=tcp:1-1", -EINVAL, "hostfwd is for link=user");
}
END_TEST

START_TEST(test_rate)
{
	static const struct { const char *text; uint64_t bytes; uint32_t us; } is[] = {
		{ "rate=10Mb/s", 62500, 50000 }, { "rate=1GB/s@20ms", 20000000, 20000 }, { "rate=250KB/s@1s", 250000, 1000000 },
		{ "rate=800000b/s@500us", 50, 500 }, { "rate=3B/s@1s", 3, 1000000 }, { "rate=7MB/s@3us", 21, 3 },
		{ "rate=1KB/s@3600s", 3600000, 3600000000u },
	};
	struct vif_spec s;

	for (unsigned int i = 0; i < sizeof(is) / sizeof(is[0]); i++) {
		s = good(is[i].text);
		ck_assert_msg(s.rate_bytes == is[i].bytes && s.rate_us == is[i].us, "%s: %llu in %u", is[i].text,
			      (unsigned long long)s.rate_bytes, s.rate_us);
	}
	refused("rate=10", -EINVAL, "rate must");
	refused("rate=10MB", -EINVAL, "rate must");
	refused("rate=-1MB/s", -EINVAL, "rate must");
	refused("rate=10mb/s", -EINVAL, "rate must");
	refused("rate=10MB/s@", -EINVAL, "rate must");
	refused("rate=10MB/s@5", -EINVAL, "rate must");
	refused("rate=10MB/s@0ms", -EINVAL, "rate must");
	refused("rate=0MB/s", -EINVAL, "nothing");
	refused("rate=999999999999GB/s", -EINVAL, "everything");
	refused("rate=1B/s@1ms", -EINVAL, "nothing");
}
END_TEST

START_TEST(test_hostfwd)
{
	struct vif_spec s = good("hostfwd=tcp:2222-22,hostfwd=udp:0.0.0.0:53-10.0.2.15:5353,hostfwd=tcp::80-:8080,"
				 "hostfwd=udp:127.0.0.1:7-7");

	ck_assert_uint_eq(s.nr_forwards, 4);
	ck_assert(!s.forward[0].udp && s.forward[0].host_port == 2222 && s.forward[0].guest_port == 22 && !s.forward[0].host_addr[0]);
	ck_assert(s.forward[1].udp && !strcmp(s.forward[1].host_addr, "0.0.0.0") && s.forward[1].guest_port == 5353);
	ck_assert(s.forward[2].host_port == 80 && s.forward[2].guest_port == 8080);
	ck_assert(!s.forward[3].host_addr[0]);
	refused("hostfwd=", -EINVAL, "hostfwd must");
	refused("hostfwd=2222-22", -EINVAL, "hostfwd must");
	refused("hostfwd=sctp:1-1", -EINVAL, "hostfwd must");
	refused("hostfwd=tcp:0-1", -EINVAL, "hostfwd must");
	refused("hostfwd=tcp:1-0", -EINVAL, "hostfwd must");
	refused("hostfwd=tcp:65536-1", -EINVAL, "hostfwd must");
	refused("hostfwd=tcp:1-1-1", -EINVAL, "hostfwd must");
	refused("hostfwd=tcp:300.0.0.1:1-1", -EINVAL, "hostfwd must");
	refused("hostfwd=tcp:1-10.0.2.16:1", -EINVAL, "hostfwd must");
	refused("hostfwd=tcp:[::1]:1-1", -ENOSYS, "IPv6");
	refused("hostfwd=tcp:1-1,hostfwd=tcp:127.0.0.1:1-2", -EINVAL, "same port");
}
END_TEST

START_TEST(test_largest)
{
	char text[VIF_SPEC_MAX + 1] = "link=user,mac=00:16:3e:01:02:03,devid=255,mtu=65521,untrusted,rate=1000000000000B/s@4000000000us";
	struct vif_spec s;

	for (unsigned int i = 0; i < VIF_MAX_FORWARDS; i++)
		sprintf(text + strlen(text), ",hostfwd=udp:255.255.255.255:%u-65535", 65500 + i);
	s = good(text);
	ck_assert_uint_eq(s.nr_forwards, VIF_MAX_FORWARDS);
	strcat(text, ",hostfwd=tcp:1-1");
	refused(text, -EINVAL, "more than 32");
}
END_TEST

START_TEST(test_check_list)
{
	const char *same_mac[] = { "mac=00:16:3e:00:00:01", "", "mac=00:16:3E:00:00:01" };
	const char *same_devid[] = { "devid=1", "devid=1" };
	const char *fine[] = { "", "", "mac=00:16:3e:00:00:01" };

	ck_assert_int_eq(vif_check_list("vif", fine, 3, &err), 0);
	ck_assert_int_eq(vif_check_list("vif", same_mac, 3, &err), -EINVAL);
	ck_assert(strstr(err.msg, "same mac"));
	ck_assert_int_eq(vif_check_list("vif", same_devid, 2, &err), -EINVAL);
	ck_assert(strstr(err.msg, "same devid"));
}
END_TEST

START_TEST(test_mac)
{
	uint8_t a[6], b[6];

	/* Written down: a guest's names for its interfaces hang on it. */
	vif_make_mac("web1", 0, 0, a);
	ck_assert_msg(!memcmp(a, "\x00\x16\x3e", 3), "not Xen's");
	vif_make_mac("web1", 0, 0, b);
	ck_assert(!memcmp(a, b, 6));
	vif_make_mac("web1", 1, 0, b);
	ck_assert(memcmp(a, b, 6));
	vif_make_mac("web2", 0, 0, b);
	ck_assert(memcmp(a, b, 6));
	vif_make_mac("web1", 0, 1, b);
	ck_assert(memcmp(a, b, 6));
	ck_assert_msg(a[3] == 0x42 && a[4] == 0x36 && a[5] == 0xba, "%02x:%02x:%02x", a[3], a[4], a[5]);
}
END_TEST

START_TEST(test_assign)
{
	struct vif_spec s[4];
	struct vif_others o = { 0 };
	uint8_t first[6];

	for (unsigned int i = 0; i < 4; i++)
		s[i] = good(i == 1 ? "devid=0" : "");
	o.devid[2] = true;
	/* Somebody has what would be the first one's. */
	vif_make_mac("web1", 1, 0, first);
	ck_assert_int_eq(vif_others_add(&o, first, &err), 0);
	ck_assert_int_eq(vif_assign(s, 4, "web1", &o, &err), 0);
	ck_assert(s[0].devid == 1 && s[1].devid == 0 && s[2].devid == 3 && s[3].devid == 4);
	ck_assert(memcmp(s[0].mac, first, 6));
	for (unsigned int i = 0; i < 4; i++)
		for (unsigned int k = 0; k < i; k++)
			ck_assert(memcmp(s[i].mac, s[k].mac, 6));
	vif_others_free(&o);
	o.devid[5] = true;
	s[0] = good("devid=5");
	ck_assert_int_eq(vif_assign(s, 1, "web1", &o, &err), -EEXIST);
	memset(o.devid, true, sizeof(o.devid));
	s[0] = good("");
	ck_assert_int_eq(vif_assign(s, 1, "web1", &o, &err), -E2BIG);
	vif_others_free(&o);
}
END_TEST

START_TEST(test_resolve)
{
	struct vif_spec s = good("");

	ck_assert_int_eq(vif_resolve(&s, NULL, &err), 0);
	ck_assert_int_eq(s.kind, VIF_USER);
	s = good("bridge=no-such-bridge");
	ck_assert_int_eq(vif_resolve(&s, NULL, &err), 0);
	ck_assert_int_eq(s.kind, VIF_SWITCH);
	/* Without the privilege it is refused for that; with it, because the bridge is not there. */
	s = good("bridge=no-such-bridge,link=tap");
	ck_assert_int_lt(vif_resolve(&s, NULL, &err), 0);
	s = good("script=/no/such/script");
	ck_assert_int_lt(vif_resolve(&s, NULL, &err), 0);
	ck_assert_int_eq(s.kind, VIF_TAP);
}
END_TEST

START_TEST(test_config)
{
	struct pvctl_config *c;
	const char *two[] = { "", "bridge=lan,link=switch" };

	ck_assert_int_eq(pvctl_config_new(&c, &err), 0);
	ck_assert_int_eq(pvctl_config_set_str(c, "name", "web1", &err), 0);
	ck_assert_int_eq(pvctl_config_set_list(c, "vif", two, 2, &err), 0);
	ck_assert_int_eq(vif_plan(NULL, NULL, c, &err), 0);
	ck_assert(strstr(pvctl_config_get_item(c, "vif", 0), "link=user,devid=0,mac=00:16:3e:"));
	ck_assert(strstr(pvctl_config_get_item(c, "vif", 1), "link=switch,devid=1,mac=00:16:3e:"));
	pvctl_config_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vif");
	TCase *t = tcase_create("vif");
	SRunner *r;
	int failed;

	tcase_add_test(t, test_spec_defaults);
	tcase_add_test(t, test_spec_keys);
	tcase_add_test(t, test_spec_refused);
	tcase_add_test(t, test_rate);
	tcase_add_test(t, test_hostfwd);
	tcase_add_test(t, test_largest);
	tcase_add_test(t, test_check_list);
	tcase_add_test(t, test_mac);
	tcase_add_test(t, test_assign);
	tcase_add_test(t, test_resolve);
	tcase_add_test(t, test_config);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
