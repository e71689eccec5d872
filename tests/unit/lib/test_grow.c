/* SPDX-License-Identifier: MIT */
/* Callers and daemons of another version: what both sides know gets across, and nothing beyond is touched. */
#include "mock_fixture.h"
#include "device/request.h"
#include "util/grow.h"
#include <errno.h>

/* struct pvctl_domain_info as an older header had it, and as a newer one may have it. */
struct older { size_t size; uint32_t domid; uint64_t unique_id; char name[128]; };
struct newer { struct pvctl_domain_info info; uint64_t more[4]; };

START_TEST(older_caller)
{
	union { struct pvctl_domain_info whole; struct older o; } u;

	memset(&u, 0x5a, sizeof(u));
	u.o.size = sizeof(u.o);
	ck_assert_int_eq(pvctl_domain_get(ctx, 0, &u.whole, &err), 0);
	ck_assert_uint_eq(u.o.size, sizeof(u.o));
	ck_assert_uint_eq(u.o.domid, 0);
	ck_assert_str_eq(u.o.name, "Domain-0");
	for (size_t i = sizeof(u.o); i < sizeof(u); i++)
		ck_assert_uint_eq(((uint8_t *)&u)[i], 0x5a);
}
END_TEST

START_TEST(newer_caller)
{
	struct newer n;

	memset(&n, 0x5a, sizeof(n));
	n.info.size = sizeof(n);
	ck_assert_int_eq(pvctl_domain_get(ctx, 0, &n.info, &err), 0);
	ck_assert_uint_eq(n.info.size, sizeof(n));
	ck_assert_str_eq(n.info.name, "Domain-0");
	for (unsigned int i = 0; i < 4; i++)
		ck_assert_uint_eq(n.more[i], 0);
}
END_TEST

START_TEST(size_forgotten)
{
	static const size_t sizes[] = { 0, 4, sizeof(size_t), (size_t)1 << 40, SIZE_MAX };
	struct pvctl_domain_info info;
	struct pvctl_host_info host;

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		memset(&info, 0x5a, sizeof(info));
		info.size = sizes[i];
		ck_assert_int_eq(pvctl_domain_get(ctx, 0, &info, &err), -EINVAL);
		ck_assert_ptr_nonnull(strstr(err.msg, "size"));
		ck_assert_uint_eq(info.domid, 0x5a5a5a5a);
		host.size = sizes[i];
		ck_assert_int_eq(pvctl_host_get(ctx, &host, &err), -EINVAL);
	}
	info.size = 0;
	ck_assert_int_eq(pvctl_node_get("no-such-node", (struct pvctl_node_info *)&info, &err), -EINVAL);
}
END_TEST

START_TEST(lists_say_their_size)
{
	struct pvctl_domain_list *l;

	ck_assert_int_eq(pvctl_domain_list(ctx, &l, &err), 0);
	ck_assert_uint_gt(pvctl_domain_list_count(l), 0);
	ck_assert_uint_eq(pvctl_domain_list_at(l, 0)->size, sizeof(struct pvctl_domain_info));
	pvctl_domain_list_free(l);
}
END_TEST

/* A daemon whose disk rows are so long, n of them and some bytes more. */
static size_t row_bytes, said_bytes, rows, cut;

static int answer(struct transport *tr, uint32_t type, const void *body, size_t len, void **ret_body, size_t *ret_len,
                  int *ret_fd, struct pvctl_error *e)
{
	uint8_t *b = calloc(1, rows * row_bytes + cut + 1);

	for (size_t i = 0; i < rows; i++) {
		memset(b + i * row_bytes, 0x11 + (int)i, row_bytes);
		memcpy(b + i * row_bytes, &said_bytes, sizeof(said_bytes));
	}
	*ret_body = b;
	*ret_len = rows * row_bytes + cut;
	return 0;
}

static int ask(size_t row, size_t said, size_t n, size_t more, struct pvctl_disk_list **ret)
{
	static const struct transport_ops ops = { .request = answer };
	struct transport fake = { .ops = &ops };
	struct pvctl c = { .t = &fake };

	row_bytes = row;
	said_bytes = said;
	rows = n;
	cut = more;
	return pvctl_disk_list(&c, 7, ret, &err);
}

START_TEST(other_daemons)
{
	const size_t own = sizeof(struct pvctl_disk_info), old = offsetof(struct pvctl_disk_info, bytes);
	const struct pvctl_disk_info *d;
	struct pvctl_disk_list *l;

	ck_assert_int_eq(ask(old, old, 3, 0, &l), 0);
	ck_assert_uint_eq(pvctl_disk_list_count(l), 3);
	d = pvctl_disk_list_at(l, 2);
	ck_assert_uint_eq(d->size, own);
	ck_assert_uint_eq(d->domid, 0x13131313);
	ck_assert_uint_eq(d->bytes, 0);
	ck_assert_uint_eq(d->discard_sectors, 0);
	pvctl_disk_list_free(l);

	ck_assert_int_eq(ask(own + 24, own + 24, 3, 0, &l), 0);
	ck_assert_uint_eq(pvctl_disk_list_count(l), 3);
	d = pvctl_disk_list_at(l, 2);
	ck_assert_uint_eq(d->size, own);
	ck_assert_uint_eq(d->domid, 0x13131313);
	ck_assert_uint_eq(d->discard_sectors, 0x1313131313131313);
	pvctl_disk_list_free(l);

	ck_assert_int_eq(ask(own, own, 0, 0, &l), 0);
	ck_assert_uint_eq(pvctl_disk_list_count(l), 0);
	pvctl_disk_list_free(l);

	ck_assert_int_eq(ask(own, own, 2, 5, &l), -EPROTO);
	ck_assert_int_eq(ask(own, 0, 2, 0, &l), -EPROTO);
	ck_assert_int_eq(ask(own, sizeof(size_t), 2, 0, &l), -EPROTO);
	ck_assert_int_eq(ask(own, SIZE_MAX, 2, 0, &l), -EPROTO);
	ck_assert_int_eq(ask(own, own, 0, 3, &l), -EPROTO);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("grow");
	TCase *tc = tcase_create("grow");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, older_caller);
	tcase_add_test(tc, newer_caller);
	tcase_add_test(tc, size_forgotten);
	tcase_add_test(tc, lists_say_their_size);
	tcase_add_test(tc, other_daemons);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
