/* SPDX-License-Identifier: MIT */
/* A device's number is free again when its guest has seen that the last one is gone, or has had its time. */
#include "pvctld/backend/departed.h"
#include "pvctld/backend/device.h"
#include "pvctld/domain/domains.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

static struct daemon d;
static struct store_conn *guest;
static struct xenbus_dev *made;

static unsigned int told;

static void output(void *data, const void *bytes, size_t len)
{
	const struct xsd_sockmsg *h = bytes;

	told += len >= sizeof(*h) && h->type == XS_WATCH_EVENT && strstr((const char *)(h + 1), "device/vbd/7");
}

static void broken(void *data, const char *why) { }
static const struct store_conn_ops conn_ops = { .output = output, .broken = broken };

static int put_none(struct xenbus_dev *x) { return 0; }
static bool disconnect(struct xenbus_dev *x) { return true; }
static void free_dev(struct xenbus_dev *x) { free(x); }
static const struct xenbus_ops ops = { .type = "vbd", .what = "disk", .put_backend = put_none, .put_frontend = put_none,
				       .connect = put_none, .disconnect = disconnect, .free = free_dev };

static int devid(const char *spec, uint32_t *ret, struct pvctl_error *err)
{
	*ret = 7;
	return 0;
}

static int create(struct dom *dom, const char *spec, struct xenbus_dev **ret, struct pvctl_error *err)
{
	made = calloc(1, sizeof(*made));
	ck_assert_ptr_nonnull(made);
	xenbus_dev_init(made, &d, &ops, 5, 7, "x");
	*ret = made;
	return 0;
}
static const struct device_class class = { .key = "disk", .row_size = sizeof(struct proto_p9_row), .max = 9, .ops = &ops, .devid = devid, .create = create };

static void ask(uint32_t type, const char *path, size_t len)
{
	struct xsd_sockmsg h = { .type = type, .len = (uint32_t)len };

	ck_assert_uint_eq(store_conn_input(guest, &h, sizeof(h)), sizeof(h));
	ck_assert_uint_eq(store_conn_input(guest, path, len), len);
}
#define ASK(type, path) ask(type, path, sizeof(path))

static void quit(void *data) { d.loop.quit = true; }

static void turn(void)
{
	struct loop_timer t;

	loop_timer_init(&t, quit, NULL);
	loop_timer_set(&d.loop, &t, 1000000);
	d.loop.quit = false;
	loop_run(&d.loop);
}

static bool there(void)
{
	char *text = store_read(d.store, "/local/domain/5/device/vbd/7/state", NULL);
	bool yes = text != NULL;

	free(text);
	return yes;
}

static int attach(void)
{
	struct dom dom = { .d = &d, .domid = 5 };
	struct pvctl_error e;

	return device_attach(&class, &dom, "", &e);
}

static void setup(void)
{
	memset(&d, 0, sizeof(d));
	daemon_init(&d);
	ck_assert_int_eq(loop_init(&d.loop), 0);
	d.store = store_new(NULL, NULL, NULL);
	store_hear(d.store, departed_asked, &d);
	guest = store_conn_new(d.store, 5, &conn_ops, NULL);
	ck_assert_int_eq(store_mkdir(d.store, "/local/domain/5"), 0);
	ck_assert_int_eq(store_set_perms(d.store, "/local/domain/5", (const char *const[]){ "n5" }, 1), 0);
}

static void teardown(void)
{
	devices_fini(&d);
	store_free(d.store);
	loop_fini(&d.loop);
}

START_TEST(waits_for_the_look)
{
	ASK(XS_WATCH, "device\0token");
	ck_assert_int_eq(attach(), 0);
	ck_assert_int_eq(store_write(d.store, "/local/domain/5/device/vbd/7/state", "4", 1), 0);
	xenbus_dev_remove(made);
	ck_assert_int_eq(attach(), -EINPROGRESS);
	turn();
	ck_assert(!there());
	/* It asks for another reason, of the old one, or of another device. */
	ASK(XS_READ, "device/vbd/7/state");
	ASK(XS_DIRECTORY, "device/vbd/8");
	turn();
	ck_assert(!there());
	ASK(XS_DIRECTORY, "device/vbd/7");
	told = 0;
	turn();
	/* Its driver reads and writes what it likes; the second look is behind all of it. */
	ck_assert_uint_eq(told, 1);
	ASK(XS_READ, "device/vbd/7/state");
	turn();
	ck_assert(!there());
	ASK(XS_DIRECTORY, "device/vbd/7");
	turn();
	ck_assert(there());
	ck_assert(!made->pending);
}
END_TEST

/* netfront reads its backend's state again when it is removed: a new one's would keep it from ending. */
START_TEST(closed_is_not_let_go)
{
	ASK(XS_WATCH, "device\0token");
	ck_assert_int_eq(attach(), 0);
	ck_assert_int_eq(store_write(d.store, "/local/domain/5/device/vbd/7/state", "6", 1), 0);
	xenbus_dev_remove(made);
	ck_assert_int_eq(attach(), -EINPROGRESS);
	ck_assert_int_eq(attach(), -EEXIST);
	ASK(XS_DIRECTORY, "device/vbd/7");
	/* Of an event that was on its way before. */
	ASK(XS_DIRECTORY, "device/vbd/7");
	turn();
	ck_assert(!there());
	ASK(XS_DIRECTORY, "device/vbd/7");
	turn();
	ck_assert(there());
}
END_TEST

START_TEST(nobody_looks)
{
	ck_assert_int_eq(attach(), 0);
	xenbus_dev_remove(made);
	ck_assert_int_eq(attach(), 0);
	ck_assert(there());
}
END_TEST

START_TEST(the_host_holds)
{
	ck_assert_int_eq(attach(), 0);
	xenbus_dev_remove(made);
	ck_assert(departed_hold(&d, &ops, 5, 7));
	ck_assert(departed_hold(&d, &ops, 5, 7));
	ck_assert_int_eq(attach(), -EINPROGRESS);
	departed_release(&d, &ops, 5, 7);
	ck_assert(!there());
	departed_release(&d, &ops, 5, 7);
	ck_assert(there());
}
END_TEST

START_TEST(domain_goes_meanwhile)
{
	ASK(XS_WATCH, "device\0token");
	ck_assert_int_eq(attach(), 0);
	xenbus_dev_remove(made);
	ck_assert_int_eq(attach(), -EINPROGRESS);
	devices_domain_gone(&d, 5);
	ck_assert(list_empty(&d.devices));
	ck_assert(list_empty(&d.departed));
	ASK(XS_DIRECTORY, "device/vbd/7");
	turn();
	ck_assert(!there());
}
END_TEST

int main(void)
{
	Suite *s = suite_create("departed");
	TCase *c = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, waits_for_the_look);
	tcase_add_test(c, closed_is_not_let_go);
	tcase_add_test(c, nobody_looks);
	tcase_add_test(c, the_host_holds);
	tcase_add_test(c, domain_goes_meanwhile);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
