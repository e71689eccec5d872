/* SPDX-License-Identifier: MIT */
/*
 * A client and the daemon, over the socket, with each allocation of one of them failing: an answer to everything,
 * a daemon that goes on, and no domain that is left behind.
 */
#include "libpvctl/src/domain/private.h"
#include "libpvctl/src/store/client.h"
#include "tests/unit/daemon/daemon_fixture.h"
#include "tests/unit/lib/fail_alloc.h"
#include <sys/mman.h>

#define MAX_ALLOCS 3000u

static struct pvctl_error err;
static bool daemon_fails;

static void *exempt_hv(void *data)
{
	fail_alloc_exempt = true;
	return fake_main(data);
}

static void exempt_daemon(void)
{
	fail_alloc_exempt = !daemon_fails;
}

static void setup_both(void)
{
	struct pvctl_node_info info = { .size = sizeof(info) };

	fail_alloc = mmap(NULL, sizeof(*fail_alloc), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(fail_alloc, MAP_FAILED);
	in_daemon = exempt_daemon;
	hv_main = exempt_hv;
	make_dirs();
	start_daemon(0);
	for (unsigned int i = 0; i < 500 && pvctl_node_get("n", &info, NULL); i++)
		usleep(10000);
}

static void setup_daemon(void)
{
	daemon_fails = true;
	setup_both();
	fail_alloc_exempt = true; /* here, that is */
}

static void setup_client(void)
{
	daemon_fails = false;
	setup_both();
}

static int request(struct pvctl *ctx, uint32_t type, const void *body, size_t len, int *ret_fd)
{
	void *got = NULL;
	size_t n = 0;
	int rc = ctx->t->ops->request(ctx->t, type, body, len, &got, &n, ret_fd, &err);

	free(got);
	return rc;
}

/* All that create does with the daemon; the fake hypervisor has no memory to build in. */
static int create(struct pvctl *ctx, uint32_t *ret)
{
	static const char json[] = "{\"name\": \"web1\", \"memory\": 16, \"on_crash\": \"preserve\", \"kernel\": \"/k\"}";
	struct { struct proto_commit c; char json[sizeof(json)]; } c = { .c.name = "web1", .c.uuid = { 1 } };
	struct xen_domctl_createdomain how = { .max_vcpus = 1 };
	struct proto_introduce in = { .store_port = 1, .console_port = 2 };
	struct store_batch *b;
	char path[60];
	int rc = hv_domain_create(ctx->t, &how, 0, ret, &err);

	if (rc)
		return rc;
	memset(fake_page(ram, *ret, 0), 0, 8192);
	in.domid = c.c.domid = *ret;
	memcpy(c.json, json, sizeof(c.json));
	b = malloc(sizeof(*b));
	if (!b)
		return -ENOMEM;
	store_batch_init(b, ctx->t, &err);
	snprintf(path, sizeof(path), "/local/domain/%u", *ret);
	store_batch_mkdir(b, path, "n0", 3);
	snprintf(path, sizeof(path), "/local/domain/%u/name", *ret);
	store_batch_write(b, path, "web1", 4);
	rc = store_batch_end(b);
	free(b);
	rc = rc ? rc : request(ctx, PROTO_INTRODUCE, &in, sizeof(in), NULL);
	return rc ? rc : request(ctx, PROTO_COMMIT, &c, sizeof(c.c) + strlen(json), NULL);
}

static int look(struct pvctl *ctx, uint32_t domid)
{
	struct proto_console con = { .domid = domid, .replay_bytes = ~0ull };
	struct pvctl_domain_list *list = NULL;
	struct pvctl_config *config = NULL;
	struct pvctl_events *ev = NULL;
	struct pvctl_channel_list *channels = NULL;
	char *value = NULL;
	int fd = -1, rc;

	rc = pvctl_domain_list(ctx, &list, &err);
	rc = rc ? rc : pvctl_domain_config(ctx, domid, &config, &err);
	rc = rc ? rc : pvctl_events_open(ctx, ~0u, &ev, &err);
	rc = rc ? rc : request(ctx, PROTO_CONSOLE, &con, sizeof(con), &fd);
	rc = rc ? rc : pvctl_channel_list(ctx, domid, &channels, &err);
	rc = rc ? rc : pvctl_store_write(ctx, "/tool/x/y/z", "value", 5, &err);
	rc = rc ? rc : pvctl_store_read(ctx, "/tool/x/y/z", &value, NULL, &err);
	rc = rc ? rc : pvctl_store_rm(ctx, "/tool/x", &err);
	rc = rc ? rc : pvctl_domain_rename(ctx, domid, "web2", &err);
	pvctl_free(value);
	pvctl_channel_list_free(channels);
	pvctl_events_close(ev);
	pvctl_config_free(config);
	pvctl_domain_list_free(list);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Everything once. What create could not finish is taken back as it does that, by the same connection. */
static int one(struct pvctl **ret_ctx)
{
	uint32_t domid = 0;
	int rc = pvctl_open(&(struct pvctl_open_opts){ .size = sizeof(struct pvctl_open_opts), .node = "n" }, ret_ctx, &err);
	struct pvctl_error why;

	if (rc)
		return rc;
	rc = create(*ret_ctx, &domid);
	rc = rc ? rc : look(*ret_ctx, domid);
	if (domid && domain_remove(*ret_ctx, domid, &why) && why.code != -ENOMEM) {
		err = why;
		return why.code;
	}
	return rc;
}

/* In the store, that is: seen by another connection. */
static bool nodes_left(void)
{
	struct pvctl *ctx;
	char *name;
	int rc;

	ck_assert_int_eq(pvctl_open(&(struct pvctl_open_opts){ .size = sizeof(struct pvctl_open_opts), .node = "n" }, &ctx, &err), 0);
	rc = pvctl_store_read(ctx, "/local/domain/1/name", &name, NULL, &err);
	if (!rc)
		pvctl_free(name);
	pvctl_close(ctx);
	return rc != -ENOENT;
}

static bool none_left(void)
{
	for (unsigned int i = 0; i < FAKE_MAX_DOMAINS; i++)
		if (fake_state(ram)->flags[i])
			return false;
	return !fake_state(ram)->mapped;
}

/* One after the other, until none fails. on: all after it, too. */
static void each_allocation(bool on)
{
	unsigned long n;
	bool failed = true, exempt = fail_alloc_exempt;
	struct pvctl *ctx;
	int rc;

	for (n = 1; failed; n++) {
		ck_assert_uint_lt(n, MAX_ALLOCS);
		memset(&err, 0, sizeof(err));
		ctx = NULL;
		fail_alloc_from(n, on);
		rc = one(&ctx);
		failed = fail_alloc_stop();
		fail_alloc_exempt = true;
		ck_assert_msg(rc == 0 || (failed && rc == -ENOMEM), "allocation %lu: %d: %s", n, rc, err.msg);
		/* While the connection is there, what one failure left behind is an orphan. */
		for (unsigned int i = 0; i < 500 && !none_left(); i++) {
			usleep(2000);
			if (i == 100 && on) {
				pvctl_close(ctx);
				ctx = NULL;
			}
		}
		ck_assert_msg(none_left(), "allocation %lu: a domain is left behind (%d: %s)", n, rc, err.msg);
		for (unsigned int i = 0; i < 200 && nodes_left(); i++)
			usleep(20000);
		ck_assert_msg(!nodes_left(), "allocation %lu: store nodes are left behind", n);
		pvctl_close(ctx);
		ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
		fail_alloc_exempt = exempt;
	}
	ck_assert_uint_gt(n, 20);
	fail_alloc_exempt = true;
	ck_assert_int_eq(one(&ctx), 0);
	pvctl_close(ctx);
}

START_TEST(each)
{
	each_allocation(_i);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nomem");
	TCase *of_daemon = tcase_create("daemon"), *of_client = tcase_create("client");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(of_daemon, setup_daemon, teardown);
	tcase_add_checked_fixture(of_client, setup_client, teardown);
	tcase_set_timeout(of_daemon, 200);
	tcase_set_timeout(of_client, 200);
	tcase_add_loop_test(of_daemon, each, 0, 2);
	tcase_add_loop_test(of_client, each, 0, 2);
	suite_add_tcase(s, of_daemon);
	suite_add_tcase(s, of_client);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
