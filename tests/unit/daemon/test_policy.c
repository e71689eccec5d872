/* SPDX-License-Identifier: MIT */
/* Domains that end: the events, what on_crash and its like ask for, cores, and zombies. */
#include "tests/unit/daemon/daemon_fixture.h"
#include <elf.h>
#include <glob.h>

START_TEST(policy_and_events)
{
	int fd = dial(d.control_path), ev;
	struct proto_events want = { .mask = 0x1ff };
	uint32_t a = build(fd, "a", "{\"name\":\"a\"}");
	uint32_t b = build(fd, "b", "{\"name\":\"b\",\"on_crash\":\"preserve\"}");
	struct pvctl_event e = { .size = sizeof(e) };

	ck_assert_int_eq(ask(fd, PROTO_EVENTS, &want, sizeof(want), NULL, 0, &ev), 0);
	shut(b, 3);
	ck_assert_int_eq(recv(ev, &e, sizeof(e), 0), sizeof(e));
	ck_assert_uint_eq(e.type, PVCTL_EVENT_SHUTDOWN);
	ck_assert_int_eq(e.reason, PVCTL_REASON_CRASH);
	shut(a, 0);
	ck_assert_int_eq(recv(ev, &e, sizeof(e), 0), sizeof(e));
	ck_assert_uint_eq(e.domid, a);
	ck_assert_int_eq(recv(ev, &e, sizeof(e), 0), sizeof(e));
	ck_assert_uint_eq(e.type, PVCTL_EVENT_DESTROYED);
	ck_assert_str_eq(e.name, "a");
	ck_assert(is_gone(a));
	ck_assert(!is_gone(b));
}
END_TEST

static uint32_t xs_resume(int fd, const char *domid)
{
	struct { struct xsd_sockmsg h; char body[8]; } m = { .h.type = XS_RESUME, .h.len = (uint32_t)strlen(domid) + 1 };
	struct { struct xsd_sockmsg h; char body[3]; } a = { 0 };

	memcpy(m.body, domid, m.h.len);
	(void)ask(fd, PROTO_STORE, &m, sizeof(m.h) + m.h.len, m.h.len > 2 ? NULL : &a, sizeof(a.h) + 3, NULL);
	return a.h.type;
}

/* A save that was given up: each later end counts again, whoever says that it runs. */
START_TEST(resumed_domains_end_again)
{
	int fd = dial(d.control_path), ev = events_of(fd);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_CREATED);
	shut(id, 2);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_SHUTDOWN);
	/* It is told to the store first, which is not believed. */
	ck_assert_uint_eq(xs_resume(fd, "1"), XS_RESUME);
	ck_assert_uint_eq(xs_resume(fd, "77"), 0);
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_resumedomain, &id), 0);
	shut(id, 2);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_SHUTDOWN);
	/* Resumed by somebody who has the hypervisor's ear otherwise. */
	fake_state(ram)->flags[id] = XEN_DOMINF_running;
	ck_assert_uint_eq(xs_resume(fd, "1"), XS_RESUME);
	shut(id, 0);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_SHUTDOWN);
	ck_assert_uint_eq(next_event(ev, id), PVCTL_EVENT_DESTROYED);
}
END_TEST

/* How often @releaseDomain fires until nothing more comes for a while. */
static unsigned int releases(int raw, int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct xsd_sockmsg h;
	char body[100];
	unsigned int n = 0;

	setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	while (!wire_recv(raw, &h, sizeof(h), NULL)) {
		ck_assert_int_eq(wire_recv(raw, body, h.len, NULL), 0);
		n += h.type == XS_WATCH_EVENT;
	}
	return n;
}

START_TEST(zombies_are_told_of)
{
	int fd = dial(d.control_path), raw = dial(d.store_path);
	struct { struct xsd_sockmsg h; char body[17]; } w = { { XS_WATCH, 1, 0, 17 }, "@releaseDomain\0t" };
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}"), other = build(fd, "b", "{\"name\":\"b\"}");

	ck_assert_int_eq(write(raw, &w, sizeof(w.h) + 17), sizeof(w.h) + 17);
	ck_assert_uint_eq(releases(raw, 200), 1);
	fake_state(ram)->held[id] = 1;
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert_uint_eq(releases(raw, 1000), 1);
	/* The one after it is what the hypervisor tells of now. */
	fake_state(ram)->flags[id] = 0;
	ck_assert_uint_eq(releases(raw, 2000), 1);
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, &other), 0);
	/* Its nodes, then itself. */
	ck_assert_uint_eq(releases(raw, 1000), 2);
}
END_TEST

static bool lib_takes(const char *action)
{
	struct pvctl_config *c;
	struct pvctl_error e;
	bool ok;

	ck_assert(!pvctl_config_new(&c, &e));
	ok = !pvctl_config_set_str(c, "on_crash", action, &e);
	pvctl_config_free(c);
	if (!ok)
		fprintf(stderr, "skipped: libpvctl: %s\n", e.msg);
	return ok;
}

START_TEST(core_dump)
{
	int fd = lib_takes("coredump-destroy") ? dial(d.control_path) : -1;
	uint64_t *m2p = (void *)(ram + FAKE_M2P), mfn;
	uint32_t id;
	struct { Elf64_Ehdr e; Elf64_Phdr p[2]; } h;
	char path[200], bytes[4];
	glob_t g;
	FILE *f;

	if (fd < 0)
		return;
	id = build(fd, "a", "{\"name\":\"a\",\"on_crash\":\"coredump-destroy\"}");
	mfn = (FAKE_PAGES >> 12) + id * 2;
	memcpy(fake_page(ram, id, 1), "two", 3);
	m2p[mfn] = 5;
	m2p[mfn + 1] = 2;
	shut(id, 3);
	ck_assert(within(is_gone, id));
	snprintf(path, sizeof(path), "%s/n/dump/a-*.core", getenv("PVCTL_STATE_DIR"));
	ck_assert_int_eq(glob(path, 0, NULL, &g), 0);
	f = fopen(g.gl_pathv[0], "r");
	ck_assert_uint_eq(fread(&h, sizeof(h), 1, f), 1);
	ck_assert_uint_eq(h.e.e_phnum, 2);
	ck_assert_uint_eq(h.p[0].p_paddr, 2 * 4096);
	ck_assert_uint_eq(h.p[1].p_paddr, 5 * 4096);
	fseek(f, (long)h.p[0].p_offset, SEEK_SET);
	ck_assert_uint_eq(fread(bytes, 1, 3, f), 3);
	ck_assert_mem_eq(bytes, "two", 3);
	fseek(f, 0, SEEK_END);
	ck_assert_int_eq(ftell(f), (long)(h.p[1].p_offset + 4096));
	fclose(f);
	globfree(&g);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *all = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 30);
	tcase_add_test(all, policy_and_events);
	tcase_add_test(all, resumed_domains_end_again);
	tcase_add_test(all, zombies_are_told_of);
	tcase_add_test(all, core_dump);
	suite_add_tcase(s, all);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
