/* SPDX-License-Identifier: MIT */
/* The node's switch: who gets a frame, and who cannot get another's. */
#include "libpvctl/src/device/vif_spec.h"
#include "pvctld/net/learn.h"
#include "pvctld/net/links.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PORTS 4u

static struct net_link *port[PORTS];
static unsigned int got[PORTS], index_of[PORTS] = { 0, 1, 2, 3 };
static bool full;

static bool deliver(void *data, const struct net_frame *f)
{
	if (full)
		return false;
	got[*(unsigned int *)data]++;
	return true;
}

static void mac_of(unsigned int n, uint8_t mac[6])
{
	static const uint8_t base[6] = { 0x00, 0x16, 0x3e, 0, 0, 0 };

	memcpy(mac, base, 6);
	mac[5] = (uint8_t)n;
}

static int open_port(unsigned int n, const char *name, unsigned int mac, struct net_link **ret)
{
	struct net_link_user user = { .deliver = deliver, .data = &index_of[n] };
	struct vif_spec s = { .kind = VIF_SWITCH, .devid = 0 };
	struct pvctl_error e;

	strcpy(s.bridge, name);
	mac_of(mac, s.mac);
	return net_switch_open(NULL, &s, n + 1, &user, ret, &e);
}

static void setup(void)
{
	for (unsigned int i = 0; i < PORTS; i++) {
		ck_assert_int_eq(open_port(i, i < 3 ? "lan" : "other", i + 1, &port[i]), 0);
		port[i]->ops->carrier(port[i], true);
	}
	full = false;
	memset(got, 0, sizeof(got));
}

static void teardown(void)
{
	for (unsigned int i = 0; i < PORTS; i++)
		if (port[i])
			port[i]->ops->close(port[i]);
	memset(port, 0, sizeof(port));
}

/* From a port, with these addresses: bit n is set for port n that got it. */
static unsigned int send_raw(unsigned int from, const uint8_t *dst, const uint8_t *src)
{
	uint8_t data[60] = { 0 };
	struct net_frame f = { .data = data, .len = sizeof(data) };
	unsigned int mask = 0;

	memcpy(data, dst, 6);
	memcpy(data + 6, src, 6);
	memset(got, 0, sizeof(got));
	port[from]->ops->send(port[from], &f);
	for (unsigned int i = 0; i < PORTS; i++) {
		ck_assert_uint_le(got[i], 1);
		mask |= got[i] << i;
	}
	return mask;
}

static unsigned int send_to(unsigned int from, unsigned int dst, unsigned int src)
{
	uint8_t d[6], s[6];

	mac_of(dst, d);
	mac_of(src, s);
	return send_raw(from, d, s);
}

START_TEST(delivery)
{
	static const uint8_t all[6] = { 255, 255, 255, 255, 255, 255 }, group[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const uint8_t stp[6] = { 0x01, 0x80, 0xc2, 0, 0, 0 };
	uint8_t mine[6];

	mac_of(1, mine);
	ck_assert_uint_eq(send_to(0, 2, 1), 1 << 1);
	ck_assert_uint_eq(send_to(0, 3, 1), 1 << 2);
	ck_assert_uint_eq(send_raw(0, all, mine), 6);
	ck_assert_uint_eq(send_raw(0, group, mine), 6);
	ck_assert_uint_eq(send_raw(0, stp, mine), 0);
	ck_assert_uint_eq(send_to(0, 99, 1), 6); /* nobody knows it */
	ck_assert_uint_eq(send_to(0, 1, 1), 0);  /* to itself */
	ck_assert_uint_eq(send_to(0, 4, 1), 6);  /* on another switch: nobody's */
	port[1]->ops->carrier(port[1], false);
	ck_assert_uint_eq(send_to(0, 2, 1), 0);
	ck_assert_uint_eq(send_raw(0, all, mine), 4);
	full = true;
	ck_assert_uint_eq(send_raw(0, all, mine), 0);
}
END_TEST

START_TEST(spoofing)
{
	static const uint8_t zero[6], group[6] = { 1, 2, 3, 4, 5, 6 };
	uint8_t dst[6];

	mac_of(2, dst);
	ck_assert_uint_eq(send_to(2, 2, 1), 0);
	ck_assert_uint_eq(send_raw(2, dst, zero), 0);
	ck_assert_uint_eq(send_raw(2, dst, group), 0);
	/* An address of nobody's is learned, and then it is that port's. */
	ck_assert_uint_eq(send_to(0, 2, 50), 1 << 1);
	ck_assert_uint_eq(send_to(2, 2, 50), 0);
	ck_assert_uint_eq(send_to(1, 50, 2), 1 << 0);
	/* Who owns it by the store comes first, however often it was claimed. */
	for (unsigned int i = 0; i < 1000; i++)
		(void)send_to(2, 2, 2);
	ck_assert_uint_eq(send_to(0, 2, 1), 1 << 1);
}
END_TEST

/* A flood of addresses evicts the flooder's own. */
START_TEST(shares)
{
	ck_assert_uint_eq(send_to(0, 2, 50), 1 << 1);
	for (unsigned int i = 60; i < 250; i++)
		(void)send_to(2, 2, i);
	ck_assert_uint_eq(send_to(1, 50, 2), 1 << 0);
	ck_assert_uint_eq(send_to(1, 60, 2), 5);      /* forgotten: everybody */
	ck_assert_uint_eq(send_to(1, 249, 2), 1 << 2);
}
END_TEST

START_TEST(ports)
{
	struct net_link *l = NULL;

	ck_assert_int_eq(open_port(3, "lan", 1, &l), -EEXIST);
	ck_assert_ptr_null(l);
	port[0]->ops->close(port[0]);
	port[0] = NULL;
	ck_assert_int_eq(open_port(0, "lan", 1, &port[0]), 0);
	/* Not up yet. */
	ck_assert_uint_eq(send_to(1, 1, 2), 0);
}
END_TEST

START_TEST(learning)
{
	struct learn_table t = { 0 };
	uint8_t mac[6];

	for (unsigned int i = 0; i < LEARN_MAX + 1; i++) {
		mac_of(i, mac);
		learn_note(&t, mac, 100 + i);
	}
	mac_of(0, mac);
	ck_assert(!learn_has(&t, mac, 200));
	mac_of(1, mac);
	ck_assert(learn_has(&t, mac, 200));
	ck_assert(!learn_has(&t, mac, 102 + LEARN_HOLD_NS));
	learn_note(&t, mac, 300);
	ck_assert(learn_has(&t, mac, 102 + LEARN_HOLD_NS));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("switch");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, delivery);
	tcase_add_test(c, spoofing);
	tcase_add_test(c, shares);
	tcase_add_test(c, ports);
	tcase_add_test(c, learning);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
