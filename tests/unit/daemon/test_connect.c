/* SPDX-License-Identifier: MIT */
/* A disk that connects half way leaves nothing of its rings: what they have of the daemon's memory is for others again. */
#include <check.h>
#include <stdlib.h>
#undef fail /* the daemon has its own */

#define xenbus_read_u32 fake_read
#define xenbus_read fake_read_text
#define gnt_window_map fake_map
#define gnt_window_unmap fake_unmap
#define evtchn_bind_interdomain fake_bind
#define evtchn_close fake_close
#include "pvctld/block/connect.c"

static struct daemon d;
static struct vbd vbd;
static void *page;
static unsigned int mapped, bound, binds_left;

int fake_read(struct xenbus_dev *x, const char *node, uint32_t *ret)
{
	*ret = !strcmp(node, "multi-queue-num-queues") ? VBD_MAX_RINGS : !strcmp(node, "ring-page-order") ? 0 : 1;
	return 0;
}

char *fake_read_text(struct xenbus_dev *x, const char *node)
{
	return NULL;
}

int fake_map(struct daemon *daemon, uint32_t domid, const uint32_t *refs, unsigned int n, struct gnt_window *w)
{
	*w = (struct gnt_window){ .pages = n, .at = page };
	mapped++;
	return 0;
}

void fake_unmap(struct daemon *daemon, struct gnt_window *w)
{
	mapped -= w->pages != 0;
	*w = (struct gnt_window){ 0 };
}

int fake_bind(struct daemon *daemon, uint32_t domid, uint32_t remote, void (*fn)(void *data), void *data, uint32_t *ret)
{
	if (!binds_left)
		return -EINVAL;
	binds_left--;
	*ret = ++bound;
	return 0;
}

void fake_close(struct daemon *daemon, uint32_t port)
{
	bound -= port != 0;
}

static bool is_free(unsigned int ring)
{
	char key[STATE_SLOT_KEY];
	bool is_new;

	snprintf(key, sizeof(key), "vbd/5/51712/%u", ring);
	state_slot_free(&d.state, state_slot(&d.state, key, &is_new));
	return is_new;
}

START_TEST(nothing_is_left)
{
	page = aligned_alloc(4096, 4096);
	memset(page, 0, 4096);
	memset(&d, 0, sizeof(d));
	ck_assert_int_eq(state_new(&d.state), 0);
	ck_assert_int_eq(loop_init(&d.loop), 0);
	for (unsigned int n = 0; n < VBD_MAX_RINGS; n++) {
		memset(&vbd, 0, sizeof(vbd));
		xenbus_dev_init(&vbd.x, &d, &vbd_ops, 5, 51712, "xvda");
		binds_left = n;
		ck_assert_int_eq(vbd_connect(&vbd.x), -EINVAL);
		ck_assert_uint_eq(mapped, 0);
		ck_assert_uint_eq(bound, 0);
		for (unsigned int i = 0; i < VBD_MAX_RINGS; i++)
			ck_assert_msg(is_free(i), "ring %u, of %u that were bound", i, n);
	}
	loop_fini(&d.loop);
	state_close(&d.state);
	free(page);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("connect");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, nothing_is_left);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
