/* SPDX-License-Identifier: MIT */
/*
 * What a guest's request may cost, and what a guest may have. Costs are counted in the store's
 * units, of about 50 ns: none may have more than MOST, and so hold the daemon's loop for 5 ms.
 */
#include "tests/unit/store/client.h"
#include "pvctld/store/private.h"

#define MOST 100000u
#define LITTLE 3000u

static uint64_t units_of(struct client *c, uint32_t type, uint32_t tx, const void *body, size_t len, char *buf)
{
	uint64_t before = store_units();

	ask(c, type, tx, body, len, buf);
	return store_units() - before;
}

static void go_on(void)
{
	while (store_is_busy(store)) {
		uint64_t before = store_units();

		store_go_on(store);
		ck_assert_uint_lt(store_units() - before, MOST);
	}
}

/* What the accounts say is what there is. */
struct sum { long nodes, bytes; };
static void add_up(const struct node *n, struct sum *sums)
{
	sums[n->perms[0].domid].nodes++;
	sums[n->perms[0].domid].bytes += node_bytes(n);
	for (uint32_t i = 0; i < n->nchildren; i++)
		add_up(n->children[i], sums);
}
static void check_accounts(void)
{
	struct sum sums[8] = { 0 };

	add_up(store->root, sums);
	for (int d = 0; d < 8; d++) {
		long watches = 0;

		for (struct store_conn *c = store->conns; c; c = c->next)
			for (struct watch *w = c->domid == (uint32_t)d ? c->watches : NULL; w; w = w->next_of_conn)
				watches += w->bytes;
		ck_assert_int_eq(sums[d].nodes, store->nodes[d]);
		ck_assert_int_eq(sums[d].bytes + watches, store->live[d]);
	}
}

static int deep_path(char *buf, const char *top, int components)
{
	int n = sprintf(buf, "%s", top);

	for (int i = 0; i < components; i++)
		n += sprintf(buf + n, "/a");
	return n + 1;
}

START_TEST(depth)
{
	char path[4096], buf[8192];
	int n = deep_path(path, "/local/domain/5", QUOTA_DEPTH - 3);

	ck_assert_uint_lt(units_of(&dom5, XS_WRITE, 0, path, n, buf), LITTLE);
	ck_assert_str_eq(buf, "OK");
	n = deep_path(path, "/local/domain/5", QUOTA_DEPTH - 2);
	ask(&dom5, XS_WRITE, 0, path, n, buf);
	ck_assert_str_eq(buf, "E2BIG");
	n = deep_path(path, "/local/domain/5", 900);
	ck_assert_uint_lt(units_of(&dom5, XS_MKDIR, 0, path, n, buf), LITTLE);
	ck_assert_str_eq(buf, "E2BIG");
	ck_assert_uint_lt(units_of(&dom5, XS_READ, 0, path, n, buf), LITTLE);
	ck_assert_str_eq(buf, "ENOENT");
	/* Those who are trusted may; and it is not dear either. */
	n = deep_path(path, "/tool", 900);
	ck_assert_uint_lt(units_of(&dom0, XS_MKDIR, 0, path, n, buf), 2 * 900 * 10);
	ck_assert_str_eq(buf, "OK");
}
END_TEST

/* A write costs what it touches, however much there is beside it, and also where a transaction keeps what was. */
START_TEST(cost_of_a_write)
{
	char path[64], buf[8192];
	uint64_t first;
	int n;

	for (int i = 0; i < 900; i++) {
		n = sprintf(path, "d/%d%c", i, 0);
		ask(&dom5, XS_WRITE, 0, path, n, buf);
	}
	begin(&dom0);
	n = sprintf(path, "d/5%cv", 0) + 1;
	first = units_of(&dom5, XS_WRITE, 0, path, n, buf);
	ck_assert_uint_lt(first, LITTLE);
	ck_assert_uint_lt(units_of(&dom5, XS_WRITE, 0, path, n, buf), 100);
}
END_TEST

START_TEST(commits)
{
	char path[4096], buf[8192];
	uint64_t worst = 0, units;

	for (int other = 0; other < 2; other++) {
		uint32_t t = begin(&dom5);
		int n = deep_path(path, "/local/domain/5", QUOTA_DEPTH - 3);

		for (int i = 0; i < 400; i++) {
			ask(&dom5, XS_WRITE, t, path, n, buf);
			ck_assert_str_eq(buf, "OK");
			ask(&dom5, XS_RM, t, "/local/domain/5/a", 18, buf);
			ck_assert_str_eq(buf, "OK");
		}
		for (int i = 0; i < 800; i++) {
			n = sprintf(path, "t/%d%c", i, 0);
			units = units_of(&dom5, XS_WRITE, t, path, n, buf);
			worst = units > worst ? units : worst;
			ck_assert_str_eq(buf, "OK");
		}
		if (other)
			WRITE(dom6, 0, "x", "1", "OK");
		units = units_of(&dom5, XS_TRANSACTION_END, t, "T", 2, buf);
		ck_assert_str_eq(buf, "OK");
		/* The tree is the transaction's, or what it did is done once. */
		ck_assert_uint_lt(units, other ? MOST : 20000);
		ck_assert_uint_lt(worst, LITTLE);
		go_on();
		ASK(dom5, XS_READ, "t/799", "");
		ASK(dom5, XS_READ, "a", "ENOENT");
		check_accounts();
		ASK(dom5, XS_RM, "t", "OK");
	}
}
END_TEST

/* All is removed and made anew, and done once more for another's change. */
START_TEST(commit_of_everything)
{
	char path[64], buf[8192];
	uint32_t t;

	for (int i = 0; i < 900; i++)
		ask(&dom5, XS_MKDIR, 0, path, sprintf(path, "d/%d", i) + 1, buf);
	t = begin(&dom5);
	expect(&dom5, XS_RM, t, "d", 2, "OK");
	for (int i = 0; i < 900; i++)
		ask(&dom5, XS_MKDIR, t, path, sprintf(path, "d/%d", i) + 1, buf);
	ck_assert_str_eq(buf, "OK");
	WRITE(dom6, 0, "x", "1", "OK");
	ck_assert_uint_lt(units_of(&dom5, XS_TRANSACTION_END, t, "T", 2, buf), MOST);
	ck_assert_str_eq(buf, "OK");
	go_on();
	ASK(dom5, XS_READ, "d/899", "");
	check_accounts();
}
END_TEST

START_TEST(commit_beside_others_changes)
{
	uint32_t t;

	WRITE(dom5, 0, "a/old", "1", "OK");
	WRITE(dom5, 0, "b", "1", "OK");
	t = begin(&dom5);
	WRITE(dom5, t, "a/new", "0", "OK");
	expect(&dom5, XS_RM, t, "a", 2, "OK");
	WRITE(dom5, t, "a/new", "2", "OK");
	expect(&dom5, XS_SET_PERMS, t, "a\0n5\0r6", 8, "OK");
	WRITE(dom5, t, "c/d", "3", "OK");
	expect(&dom5, XS_RM, t, "b", 2, "OK");
	WRITE(dom5, t, "gone", "4", "OK");
	expect(&dom5, XS_RM, t, "gone", 5, "OK");
	WRITE(dom6, 0, "x", "1", "OK");
	expect(&dom0, XS_WATCH, 0, "/local/domain/5/a/old\0t", 24, "OK");
	expect(&dom0, XS_WATCH, 0, "/local/domain/5/gone\0t", 23, "OK");
	dom0.len = 0;
	expect(&dom5, XS_TRANSACTION_END, t, "T", 2, "OK");
	ck_assert_uint_eq(events(&dom0, "/local/domain/5/a/old", "t"), 1);
	ck_assert_uint_eq(events(&dom0, "/local/domain/5/gone", "t"), 0);
	ASK(dom6, XS_READ, "x", "1");
	ASK(dom5, XS_READ, "a/old", "ENOENT");
	ASK(dom5, XS_READ, "a/new", "2");
	expect(&dom5, XS_GET_PERMS, 0, "a", 2, "n5");
	ASK(dom6, XS_DIRECTORY, "/local/domain/5/a", "new");
	ASK(dom5, XS_READ, "c/d", "3");
	ASK(dom5, XS_READ, "b", "ENOENT");
	ASK(dom5, XS_READ, "gone", "ENOENT");
	check_accounts();
}
END_TEST

static void fill(struct client *c, uint32_t tx, int nodes, size_t size, char with)
{
	char body[4096], buf[8192];
	int n;

	for (int i = 0; i < nodes; i++) {
		n = sprintf(body, "f/%d", i) + 1;
		memset(body + n, with, size);
		ask(c, XS_WRITE, tx, body, n + size, buf);
	}
}

START_TEST(bytes_of_nodes)
{
	char buf[8192];
	uint32_t t;

	fill(&dom5, 0, 1000, 2000, 'a');
	ck_assert_uint_le(store->live[5], QUOTA_BYTES);
	WRITE(dom5, 0, "f/x", "1234567890", "OK"); /* a little fits yet */
	ck_assert_uint_lt(store->nodes[5], 300);
	/* Transactions, each with the tree as it was and as it would be. */
	for (int i = 0; i < 10; i++) {
		ask(&dom5, XS_TRANSACTION_START, 0, "", 1, buf);
		t = atoi(buf);
		fill(&dom5, 0, 240, 1990, 'b' + i);
		fill(&dom5, t, 240, 1980, 'c' + i);
		ck_assert_uint_le(store->bytes[5], (2u << 20) + 16384);
	}
	/* The last had all that it may write. The domain's other requests are none the worse for it. */
	WRITE(dom5, t, "y", "1", "ENOSPC");
	WRITE(dom5, 0, "y", "1", "OK");
	expect(&dom5, XS_TRANSACTION_END, t, "F", 2, "OK");
	ASK(dom6, XS_READ, "/local/domain/5/f/x", "1234567890");
	ck_assert_uint_lt(units_of(&dom5, XS_RESET_WATCHES, 0, "", 1, buf), MOST);
	ck_assert_uint_lt(units_of(&dom5, XS_RM, 0, "f", 2, buf), MOST);
	ck_assert_str_eq(buf, "OK");
	check_accounts();
	ck_assert_uint_lt(store->bytes[5], 4096);
}
END_TEST

/* Watches are memory, too. */
START_TEST(bytes_of_watches)
{
	char body[4096], buf[8192];
	int n = 0, rc = XS_WATCH;

	for (int i = 0; i < (int)QUOTA_WATCHES && rc == XS_WATCH; i++) {
		n = sprintf(body, "w%c%d-", 0, i);
		memset(body + n, 't', 4090 - n);
		body[4090] = '\0';
		rc = ask(&dom5, XS_WATCH, 0, body, 4091, buf);
		n = i;
	}
	ck_assert_str_eq(buf, "ENOSPC");
	ck_assert_int_gt(n, 100);
	store_conn_backlog(dom5.conn, 0);
	WRITE(dom6, 0, "w", "1", "OK");
	check_accounts();
	ASK(dom5, XS_RESET_WATCHES, "", "OK");
	WRITE(dom5, 0, "w", "1", "OK");
	check_accounts();
}
END_TEST

/* Who writes much ends his own transactions; another's only if it keeps more than once all that he has. */
START_TEST(transactions_that_keep_too_much)
{
	uint32_t six = begin(&dom6), mine, late;

	WRITE(dom6, six, "x", "1", "OK");
	fill(&dom5, 0, 240, 1990, 'a');
	mine = begin(&dom5);
	WRITE(dom5, mine, "x", "1", "OK");
	for (char c = 'b'; c < 'f'; c++) {
		begin(&dom5);
		fill(&dom5, 0, 240, 1990, c);
	}
	expect(&dom5, XS_TRANSACTION_END, mine, "T", 2, "EAGAIN");
	expect(&dom6, XS_TRANSACTION_END, six, "T", 2, "OK");
	ASK(dom5, XS_RESET_WATCHES, "", "OK");
	/* Four snapshots of another: the oldest goes; what is asked in it is answered all the same. */
	for (char c = 'b'; c < 'f'; c++) {
		late = begin(&dom6);
		six = c == 'b' ? late : six;
		fill(&dom5, 0, 240, 1990, c);
	}
	WRITE(dom6, six, "x", "2", "OK");
	expect(&dom6, XS_READ, six, "x", 2, "1");
	expect(&dom6, XS_TRANSACTION_END, six, "T", 2, "EAGAIN");
	WRITE(dom6, late, "x", "3", "OK");
	expect(&dom6, XS_TRANSACTION_END, late, "T", 2, "OK");
	WRITE(dom5, 0, "x", "1", "OK");
	check_accounts();
}
END_TEST

static char told[8][32];
static unsigned int ntold;
static void quota_told(void *data, uint32_t domid, const char *name)
{
	ck_assert_uint_eq(domid, 5);
	ck_assert_uint_lt(ntold, 8);
	strcpy(told[ntold++], name);
}

START_TEST(said_once)
{
	static const struct store_host_ops host = { .quota = quota_told };
	char path[4096], buf[8192];
	int n = deep_path(path, "/local/domain/5", 100);

	store->host_ops = &host;
	ntold = 0;
	for (int i = 0; i < 3; i++) {
		ask(&dom5, XS_WRITE, 0, path, n, buf);
		fill(&dom5, 0, 1, 2049, 'x');
	}
	ck_assert_uint_eq(ntold, 2);
	ck_assert_str_eq(told[0], "depth");
	ck_assert_str_eq(told[1], "value");
	store_domain_released(store, 5);
	ask(&dom5, XS_WRITE, 0, "f/1\0", 4, buf);
	store->host_ops = NULL;
}
END_TEST

/* Many guests that watch what one of them changes: told in portions, in order, each once. */
#define WATCHERS 40
static struct { struct store_conn *conn; unsigned int events, last; } watchers[WATCHERS];
static void watcher_output(void *data, const void *bytes, size_t len)
{
	struct xsd_sockmsg h;
	unsigned int nr;

	memcpy(&h, bytes, sizeof(h));
	if (h.type != XS_WATCH_EVENT)
		return;
	ck_assert_int_eq(sscanf((const char *)bytes + sizeof(h), "/local/domain/5/w/%u", &nr), 1);
	watchers[(uintptr_t)data].events++;
	ck_assert_uint_ge(nr, watchers[(uintptr_t)data].last);
	watchers[(uintptr_t)data].last = nr;
}

START_TEST(many_watchers)
{
	static const struct store_conn_ops watcher_ops = { .output = watcher_output, .broken = broken };
	char body[64], buf[8192];
	uint64_t units;
	uint32_t t;
	struct xsd_sockmsg h = { XS_READ, 1, 0, 0 };

	WRITE(dom5, 0, "w", "", "OK");
	expect(&dom5, XS_SET_PERMS, 0, "w\0r5", 5, "OK");
	for (uintptr_t i = 0; i < WATCHERS; i++) {
		watchers[i].conn = store_conn_new(store, 10 + i, &watcher_ops, (void *)i);
		watchers[i].events = watchers[i].last = 0;
		for (int k = 0; k < 100; k++)
			ck_assert_int_eq(watch_add(watchers[i].conn, "/local/domain/5/w",
			                           (char[]){ 'a' + k / 10, '0' + k % 10, 0 }, 0), 0);
	}
	t = begin(&dom5);
	for (int k = 0; k < 20; k++)
		ask(&dom5, XS_WRITE, t, body, sprintf(body, "w/%d", k) + 1, buf);
	units = units_of(&dom5, XS_TRANSACTION_END, t, "T", 2, buf);
	ck_assert_str_eq(buf, "OK");
	ck_assert_uint_lt(units, 20000);
	ck_assert(store_is_busy(store));
	ck_assert_uint_eq(store_conn_input(dom5.conn, &h, sizeof(h)), 0);
	/* A watcher that leaves in the midst of it. */
	store_conn_free(watchers[3].conn);
	ASK(dom0, XS_READ, "/local/domain/5/w/19", "");
	go_on();
	ck_assert_uint_eq(store_conn_input(dom5.conn, &h, sizeof(h)), sizeof(h));
	for (int i = 0; i < WATCHERS; i++)
		if (i != 3)
			ck_assert_uint_eq(watchers[i].events, 20 * 100);
}
END_TEST

/* No request of a hostile stream costs much, and the accounts are right all the time. */
START_TEST(any_requests)
{
	static const char *const names[] = { "a", "b", "a/b", "a/b/c", "d/e/f/g", "/local/domain/5/s", "/local/domain/5" };
	struct client *who[] = { &dom0, &dom5, &dom6 };
	uint32_t tx[3][4] = { 0 };
	char body[256], buf[8192];

	srandom(_i);
	ck_assert_int_eq(store_mkdir(store, "/local/domain/0"), 0);
	for (int i = 0; i < 4000; i++) {
		int w = random() % 3, k = random() % 4;
		const char *name = names[random() % 7];
		uint32_t t = random() % 2 ? tx[w][k] : 0;
		int n = sprintf(body, "%s", name) + 1;

		switch (random() % 10) {
		case 0:
			if (ask(who[w], XS_TRANSACTION_START, 0, "", 1, buf) == XS_TRANSACTION_START) {
				if (tx[w][k])
					ask(who[w], XS_TRANSACTION_END, tx[w][k], random() % 3 ? "T" : "F", 2, body);
				tx[w][k] = atoi(buf);
			}
			break;
		case 1: case 2: case 3:
			ask(who[w], XS_WRITE, t, body, n + random() % 100, buf);
			break;
		case 4: ask(who[w], XS_RM, t, body, n, buf); break;
		case 5: ask(who[w], XS_MKDIR, t, body, n, buf); break;
		case 6:
			n += sprintf(body + n, "b%ld", w ? 4 + w : random() % 7) + 1;
			n += sprintf(body + n, "b%ld", random() % 8) + 1;
			ask(who[w], XS_SET_PERMS, t, body, n, buf);
			break;
		case 7: ask(who[w], XS_DIRECTORY, t, body, n, buf); break;
		case 8:
			n += sprintf(body + n, "%ld", random() % 4) + 1;
			ask(who[w], random() % 2 ? XS_WATCH : XS_UNWATCH, 0, body, n, buf);
			break;
		case 9:
			if (random() % 50 == 0) {
				store_domain_released(store, 4 + w);
				memset(tx[w], 0, w ? sizeof(tx[w]) : 0);
			} else {
				ask(who[w], XS_READ, t, body, n, buf);
			}
		}
		go_on();
		if (i % 20 == 0)
			check_accounts();
	}
	/* Without snapshots there is nothing but the tree. */
	for (int w = 0; w < 3; w++)
		txn_abort_all(who[w]->conn);
	check_accounts();
	ASK(dom0, XS_RM, "/local", "OK");
	for (int w = 1; w < 3; w++) {
		watch_drop_all(who[w]->conn);
		ck_assert_uint_eq(store->bytes[4 + w], 0);
	}
}
END_TEST

#define QUOTA(words, answer) expect(&dom0, XS_CONTROL, 0, words, sizeof(words), answer)
START_TEST(limits_that_were_set)
{
	char body[64], buf[8192];
	int i = 0, n;

	QUOTA("quota\0set\0005\0nodes\00020", "OK");
	QUOTA("quota\0set\0005\0transactions\0002", "OK");
	for (strcpy(buf, "OK"); i < 100 && !strcmp(buf, "OK"); i++) {
		n = sprintf(body, "n%d", i) + 1;
		ask(&dom5, XS_MKDIR, 0, body, n, buf);
	}
	ck_assert_str_eq(buf, "ENOSPC");
	ck_assert_int_eq(store->nodes[5], 20);
	ask(&dom5, XS_TRANSACTION_START, 0, "", 1, buf);
	ask(&dom5, XS_TRANSACTION_START, 0, "", 1, buf);
	expect(&dom5, XS_TRANSACTION_START, 0, "", 1, "ENOSPC");
	QUOTA("quota\0get\0005\0000", "nodes 20 1000 20");
	QUOTA("quota\0get\0005\0006", "transactions 2 10 2");
	QUOTA("quota\0get\0005\00010", "ENOENT");
	/* Above its own value, and back to it. */
	QUOTA("quota\0set\0005\0nodes\0004000", "OK");
	WRITE(dom5, 0, "more", "1", "OK");
	QUOTA("quota\0set\0005\0nodes\0000", "OK");
	QUOTA("quota\0get\0005\0000", "nodes 1000 1000 21");
	QUOTA("quota\0get\0006\0000", "nodes 1000 1000 1");
	/* Never so much that work is without bounds, and what recursion depends on not at all. */
	QUOTA("quota\0set\0005\0nodes\0004001", "EINVAL");
	QUOTA("quota\0set\0005\0depth\00040", "EINVAL");
	QUOTA("quota\0set\0005\0colour\0001", "EINVAL");
	QUOTA("quota\0set\0005\0nodes\0004294967296", "EINVAL");
	QUOTA("quota\0set\0005\0nodes\0-1", "EINVAL");
	QUOTA("quota\0set\0009\0nodes\0001", "EACCES");
	QUOTA("quota\0set\0000\0nodes\0001", "EACCES");
	QUOTA("quota\0set\0005\0nodes", "EINVAL");
	QUOTA("quota\0drop\0005\0nodes\0001", "EINVAL");
	expect(&dom5, XS_CONTROL, 0, "quota\0get\0005\0000", 14, "EACCES");
	/* A later domain of that number has its own. */
	store_domain_released(store, 5);
	store_domain_introduced(store, 5);
	QUOTA("quota\0get\0005\0006", "transactions 10 10 0");
}
END_TEST

static uint32_t mentions_below(const struct node *n, uint32_t domid)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n->nperms; i++)
		sum += n->perms[i].domid == domid;
	for (uint32_t i = 0; i < n->nchildren; i++)
		sum += mentions_below(n->children[i], domid);
	return sum;
}

/* Whether the tree is looked through when a domain goes depends on the count: of all nodes, in snapshots, too. */
START_TEST(mentions_are_counted)
{
	const char *three[] = { "n0", "r5", "b5" }, *none[] = { "n6" };
	char buf[5000];
	uint32_t tx;

	ck_assert_uint_eq(store->mentions[5], mentions_below(store->root, 5));
	ck_assert_int_eq(store_write(store, "/a/b/c", "x", 1), 0);
	ck_assert_int_eq(store_set_perms(store, "/a/b", three, 3), 0);
	ck_assert_int_eq(store_write(store, "/a/b/d/e", "x", 1), 0);
	ck_assert_int_eq(ask(&dom5, XS_WRITE, 0, "data/x/y\0z", 10, buf), XS_WRITE);
	ck_assert_uint_eq(store->mentions[5], mentions_below(store->root, 5));
	ck_assert_int_eq(ask(&dom0, XS_TRANSACTION_START, 0, "", 1, buf), XS_TRANSACTION_START);
	tx = (uint32_t)strtoul(buf, NULL, 10);
	ck_assert_int_eq(ask(&dom0, XS_WRITE, tx, "/a/b/d/f\0z", 10, buf), XS_WRITE);
	ck_assert_int_eq(store_set_perms(store, "/a/b", none, 1), 0);
	ck_assert_uint_gt(store->mentions[5], mentions_below(store->root, 5));
	ck_assert_int_eq(ask(&dom0, XS_TRANSACTION_END, tx, "F", 2, buf), XS_TRANSACTION_END);
	ck_assert_uint_eq(store->mentions[5], mentions_below(store->root, 5));
	ck_assert_uint_ge(store->mentions[5], 4);
	store_domain_released(store, 5);
	ck_assert_uint_eq(mentions_below(store->root, 5), 0);
	ck_assert_uint_eq(store->mentions[5], 0);
	ck_assert_uint_eq(store->mentions[6], mentions_below(store->root, 6));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store limits");
	TCase *tc = tcase_create("limits");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, depth);
	tcase_add_test(tc, cost_of_a_write);
	tcase_add_test(tc, commits);
	tcase_add_test(tc, commit_of_everything);
	tcase_add_test(tc, commit_beside_others_changes);
	tcase_add_test(tc, bytes_of_nodes);
	tcase_add_test(tc, bytes_of_watches);
	tcase_add_test(tc, transactions_that_keep_too_much);
	tcase_add_test(tc, limits_that_were_set);
	tcase_add_test(tc, said_once);
	tcase_add_test(tc, mentions_are_counted);
	tcase_add_test(tc, many_watchers);
	tcase_add_loop_test(tc, any_requests, 0, 8);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
