/* SPDX-License-Identifier: MIT */
/* The life of domains and of the clients that build and use them. */
#include "tests/unit/daemon/daemon_fixture.h"
#include <xen/io/console.h>

#define SOME_UUID "61000000-0000-0000-0000-000000000001"

START_TEST(uncommitted_domains_go_with_their_builder)
{
	int fd = dial(d.control_path);
	uint32_t id = 0;

	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, &id), 0);
	ck_assert_uint_eq(id, 1);
	ck_assert(!is_gone(1));
	close(fd);
	ck_assert(within(is_gone, 1));
}
END_TEST

START_TEST(store_nodes_go_with_their_builder)
{
	int fd = dial(d.control_path), second = dial(d.control_path);
	uint32_t id = 0, a;

	/* Domain 1 is whole; its UUID begins with 'a'. */
	a = build(second, "a", "{\"name\":\"a\"}");
	ck_assert_int_eq(store_write_as_client(second, "/vm/61000000-0000-0000-0000-000000000000/name", "a"), 0);
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, &id), 0);
	ck_assert_uint_eq(id, 2);
	ck_assert_int_eq(store_write_as_client(fd, "/local/domain/2/vm", "/vm/" SOME_UUID), 0);
	ck_assert_int_eq(store_write_as_client(fd, "/vm/" SOME_UUID "/name", "half"), 0);
	close(fd);
	ck_assert(within(is_gone, id));
	ck_assert_int_eq(store_read_as_client(second, "/vm/" SOME_UUID, XS_ERROR, sizeof("ENOENT")), 0);

	/* One that claims to be another's takes nothing with it. */
	fd = dial(d.control_path);
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, &id), 0);
	ck_assert_int_eq(store_write_as_client(fd, "/local/domain/2/vm", "/vm/61000000-0000-0000-0000-000000000000"), 0);
	close(fd);
	ck_assert(within(is_gone, id));
	ck_assert_int_eq(store_read_as_client(second, "/vm/61000000-0000-0000-0000-000000000000/name", XS_READ, 1), 0);
	ck_assert_int_eq(domctl(second, XEN_DOMCTL_destroydomain, &a), 0);
}
END_TEST

START_TEST(committed_domains_stay)
{
	int fd = dial(d.control_path), second = dial(d.control_path);
	struct { struct proto_domid d; char name[8]; } r = { .name = "b" };
	struct proto_domain_row row;
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");

	close(fd);
	ck_assert_int_eq(ask(second, PROTO_DOMAINS, NULL, 0, &row, sizeof(row), NULL), 0);
	ck_assert_str_eq(row.name, "a");
	ck_assert_uint_eq(row.domid, id);
	r.d.domid = id;
	ck_assert_int_eq(ask(second, PROTO_RENAME, &r, sizeof(r.d) + 1, NULL, 0, NULL), 0);
	ck_assert_int_eq(ask(second, PROTO_DOMAINS, NULL, 0, &row, sizeof(row), NULL), 0);
	ck_assert_str_eq(row.name, "b");
	ck_assert_int_eq(ask(second, PROTO_RENAME, &r, sizeof(r.d), NULL, 0, NULL), -EINVAL);
	ck_assert_uint_eq(fake_state(ram)->mapped, 2);
	ck_assert_int_eq(domctl(second, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert(within(nothing_mapped, 0));
	ck_assert_int_eq(ask(second, PROTO_FORGET, &r.d, sizeof(r.d), NULL, 0, NULL), -ESRCH);
}
END_TEST

/* Its builder is killed when he has said his last word: it runs. */
START_TEST(committed_domains_run)
{
	struct { struct proto_header h; struct proto_commit c; char json[12]; } m = {
		{ PROTO_COMMIT, sizeof(m.c) + sizeof(m.json), 7, 0 }, { .flags = PROTO_COMMIT_UNPAUSE, .name = "a" }, "{\"name\":\"a\"}",
	};
	int fd = dial(d.control_path);

	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_createdomain, &m.c.domid), 0);
	ck_assert_uint_eq(fake_state(ram)->flags[m.c.domid], XEN_DOMINF_paused);
	ck_assert_int_gt(write(fd, &m, sizeof(m.h) + m.h.len), 0);
	close(fd);
	ck_assert(within(is_running, m.c.domid));
}
END_TEST

START_TEST(console)
{
	int fd = dial(d.control_path), view, late;
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");
	struct xencons_interface *r = fake_page(ram, id, 0);
	struct proto_console c = { .domid = id, .replay_bytes = ~0ull };
	char buf[64], path[400];
	FILE *f;

	memcpy(r->out, "hello ", 6);
	r->out_prod = 6;
	guest_rings(id, 2);
	ck_assert_int_eq(ask(fd, PROTO_CONSOLE, &c, sizeof(c), NULL, 0, &view), 0);
	ck_assert_uint_eq(get(view, buf, 6), 6);
	ck_assert_mem_eq(buf, "hello ", 6);
	ck_assert_int_eq(write(view, "ls\n", 3), 3);
	for (unsigned int i = 0; i < 500 && r->in_prod != 3; i++)
		usleep(10000);
	ck_assert_mem_eq(r->in, "ls\n", 3);
	/* The last words: in the ring when it dies. */
	memcpy(r->out + 6, "world", 5);
	r->out_prod = 11;
	ck_assert_int_eq(domctl(fd, XEN_DOMCTL_destroydomain, &id), 0);
	ck_assert_uint_eq(get(view, buf, 5), 5);
	ck_assert_mem_eq(buf, "world", 5);
	ck_assert_int_eq(read(view, buf, 1), 0);
	ck_assert_int_eq(ask(fd, PROTO_CONSOLE, &c, sizeof(c), NULL, 0, &late), 0);
	ck_assert_uint_eq(get(late, buf, 11), 11);
	ck_assert_int_eq(read(late, buf, 1), 0);
	snprintf(path, sizeof(path), "%s/state/n/console/a.log", base);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(buf, 1, sizeof(buf), f), 11);
	fclose(f);
}
END_TEST

START_TEST(guest_store)
{
	int fd = dial(d.control_path), raw;
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");
	struct xenstore_domain_interface *r = fake_page(ram, id, 1);
	struct xsd_sockmsg m = { .type = XS_READ, .req_id = 9, .len = 21 }, got;

	memcpy(r->req, &m, sizeof(m));
	memcpy(r->req + sizeof(m), "/local/domain/0/domid", 22);
	r->req_prod = sizeof(m) + 21;
	guest_rings(id, 1);
	usleep(50000);
	ck_assert_uint_eq(r->req_cons, 0 + sizeof(m) + 21);
	memcpy(&got, r->rsp, sizeof(got));
	ck_assert_uint_eq(got.req_id, 9);
	/* Nonsense: its connection ends, the daemon and the others go on. */
	r->req_prod += 5000;
	guest_rings(id, 1);
	usleep(50000);
	ck_assert_uint_eq(r->error, XENSTORE_ERROR_RINGIDX);
	raw = dial(d.store_path);
	m.len = 22;
	ck_assert_int_eq(write(raw, &m, sizeof(m)), sizeof(m));
	ck_assert_int_eq(write(raw, "/local/domain/0/domid", 22), 22);
	ck_assert_int_eq(wire_recv(raw, &got, sizeof(got), NULL), 0);
	ck_assert_uint_eq(got.type, XS_READ);
	ck_assert_uint_eq(got.len, 1);
}
END_TEST

/* A tool that introduces a domain once more is refused, and costs it nothing. */
START_TEST(introduced_twice)
{
	struct proto_introduce in = { .store_port = 1 };
	int fd = dial(d.control_path);
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}"), port = port_of(id, 2);
	struct xencons_interface *con = fake_page(ram, id, 0);

	in.domid = id;
	ck_assert_int_ne(ask(fd, PROTO_INTRODUCE, &in, sizeof(in), NULL, 0, NULL), 0);
	ck_assert_uint_eq(fake_state(ram)->mapped, 2);
	ck_assert_uint_eq(port_of(id, 2), port);
	memcpy(con->out, "hello", 5);
	con->out_prod = 5;
	guest_rings(id, 2);
	usleep(50000);
	ck_assert_uint_eq(con->out_cons, 5);
}
END_TEST

/* The RAM file is 8 MiB. */
START_TEST(memory_is_allocated_when_asked)
{
	static const struct { struct proto_range r[2]; unsigned int n; int code; } cases[] = {
		{ { { 4u << 20, 1u << 20 }, { 6u << 20, 4096 } }, 2, 0 },
		{ { { 4u << 20, 0 } }, 1, -EINVAL },
		{ { { 4096, 100 } }, 1, -EINVAL },
		{ { { 100, 4096 } }, 1, -EINVAL },
		{ { { 8u << 20, 4096 } }, 1, -EINVAL },
		{ { { 7u << 20, 2u << 20 } }, 1, -EINVAL },
		{ { { NODE_HIGH_PADDR, 4096 } }, 1, -EINVAL },
		{ { { -4096ull, 8192 } }, 1, -EINVAL },
		{ { { 4096, -4096ull } }, 1, -EINVAL },
		{ { { 4096, 4096 }, { 4096, PROTO_BACK_BYTES } }, 2, -EINVAL },
		{ { { 0 } }, 0, -EINVAL },
	};
	struct proto_memory_check check = { .domid = 9, .bytes = ~0ull };
	struct pvctl_node_info before = { .size = sizeof(before) }, after = { .size = sizeof(after) };
	int fd = dial(d.control_path);

	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, &before, sizeof(before), NULL), 0);
	ck_assert_uint_ne(before.host_available_bytes, 0);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(ask(fd, PROTO_MEMORY_BACK, cases[i].r, cases[i].n * sizeof(cases[i].r[0]), NULL, 0, NULL) ==
			      cases[i].code, "case %u", i);
	ck_assert_int_eq(ask(fd, PROTO_MEMORY_BACK, cases[0].r, 17, NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(ask(fd, PROTO_NODE_INFO, NULL, 0, &after, sizeof(after), NULL), 0);
	ck_assert_uint_ge(after.backed_bytes, before.backed_bytes + (1u << 20));
	ck_assert_uint_le(after.backed_bytes, before.backed_bytes + (2u << 20));
	/* A domain cannot be larger than the node: that is the hypervisor's to refuse. */
	ck_assert_int_eq(ask(fd, PROTO_MEMORY_CHECK, &check, sizeof(check), NULL, 0, NULL), 0);
	ck_assert_int_eq(ask(fd, PROTO_MEMORY_CHECK, &check, sizeof(check) - 1, NULL, 0, NULL), -EINVAL);
	close(fd);
}
END_TEST

/* What was sent in one piece is answered in order, and a descriptor comes with the answer that it belongs to. */
START_TEST(requests_in_one_piece)
{
	static const uint32_t types[] = { PROTO_DOMAINS, 99, PROTO_NODE_INFO, PROTO_HELLO, PROTO_DOMAINS, PROTO_HELLO };
	struct proto_header h[6] = { { 0 } };
	static char body[PROTO_MAX_BODY];
	int sock = dial(d.control_path);

	for (unsigned int i = 0; i < 6; i++)
		h[i] = (struct proto_header){ .type = types[i], .id = 100 + i };
	ck_assert_int_eq(write(sock, h, sizeof(h)), sizeof(h));
	for (unsigned int i = 0; i < 6; i++) {
		struct proto_header a;
		int fd = -1;

		ck_assert_int_eq(wire_recv(sock, &a, sizeof(a), &fd), 0);
		ck_assert_uint_eq(a.id, 100 + i);
		ck_assert_uint_eq(a.type, types[i] | PROTO_REPLY);
		ck_assert_int_eq(a.code, types[i] == 99 ? -ENOSYS : 0);
		ck_assert_int_eq(wire_recv(sock, body, a.len, NULL), 0);
		ck_assert_msg((fd >= 0) == (types[i] == PROTO_HELLO), "answer %u", i);
		if (fd >= 0)
			close(fd);
	}
	close(sock);
}
END_TEST

START_TEST(rude_clients)
{
	struct proto_header h = { .type = PROTO_HYPERCALL, .len = 0xffffffffu };
	int fd = dial(d.control_path), half = dial(d.control_path), ok = dial(d.control_path);
	struct proto_hello_reply r;
	char c;

	ck_assert_int_eq(write(half, &h, 7), 7);
	ck_assert_int_eq(write(fd, &h, sizeof(h)), sizeof(h));
	ck_assert_int_eq(read(fd, &c, 1), 0);
	ck_assert_int_eq(ask(ok, PROTO_HYPERCALL, "x", 1, NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(ask(ok, 99, NULL, 0, NULL, 0, NULL), -ENOSYS);
	ck_assert_int_eq(ask(ok, PROTO_CONSOLE, NULL, 0, NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(ask(ok, PROTO_HELLO, NULL, 0, &r, sizeof(r), &fd), 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(r.ram_bytes, 8u << 20);
}
END_TEST

/* Nobody can reach it any more: it ends, its domains with it, and leaves alone what another made in its place. */
START_TEST(run_dir_is_removed)
{
	int fd = dial(d.control_path), status;
	uint32_t id = build(fd, "a", "{\"name\":\"a\"}");
	char cmd[1000], path[300];

	snprintf(path, sizeof(path), "%s/lock", d.run_dir);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'; [ %d = 0 ] || { mkdir '%s' && touch '%s'; }", d.run_dir, _i, d.run_dir, path);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	ck_assert(is_gone(id) && nothing_mapped(0));
	ck_assert_int_eq(access(path, F_OK), _i - 1);
}
END_TEST

START_TEST(stop)
{
	int fd = dial(d.control_path), status;

	build(fd, "a", "{\"name\":\"a\"}");
	build(fd, "b", "{\"name\":\"b\"}");
	ck_assert_int_eq(ask(fd, PROTO_NODE_STOP, NULL, 0, NULL, 0, NULL), 0);
	ck_assert(is_gone(1) && is_gone(2));
	ck_assert_int_eq(access(d.run_dir, F_OK), -1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon");
	TCase *all = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_set_timeout(all, 30);
	tcase_add_test(all, uncommitted_domains_go_with_their_builder);
	tcase_add_test(all, store_nodes_go_with_their_builder);
	tcase_add_test(all, committed_domains_stay);
	tcase_add_test(all, committed_domains_run);
	tcase_add_test(all, console);
	tcase_add_test(all, guest_store);
	tcase_add_test(all, introduced_twice);
	tcase_add_test(all, memory_is_allocated_when_asked);
	tcase_add_test(all, requests_in_one_piece);
	tcase_add_test(all, rude_clients);
	tcase_add_loop_test(all, run_dir_is_removed, 0, 2);
	tcase_add_test(all, stop);
	suite_add_tcase(s, all);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
