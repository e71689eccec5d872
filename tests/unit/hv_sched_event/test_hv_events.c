/* SPDX-License-Identifier: MIT */
/* Event channels: bindings, both ABIs, and guests that scribble over their half. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/hv_sched_event/shim.h"
#include "event/poll.h"
#include "event/private.h"
#include "lib/errno.h"
#include "x86/softirq.h"

static struct domain *d1, *d2;

static void setup(void)
{
	test_machine(2);
	d1 = test_domain(1, 2, 4000);
	d2 = test_domain(2, 1, 200);
	current = d1->vcpu[0];
}

static long op(struct domain *d, unsigned long cmd, void *arg)
{
	current = d->vcpu[0];
	return do_event_channel_op(cmd, (unsigned long)arg);
}

static uint32_t bind_ipi(struct domain *d, unsigned int vcpu)
{
	struct evtchn_bind_ipi b = { .vcpu = vcpu };

	ck_assert_int_eq(op(d, EVTCHNOP_bind_ipi, &b), 0);
	return b.port;
}

static uint32_t connect(uint32_t *port1)
{
	struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = 2 };
	struct evtchn_bind_interdomain b = { .remote_dom = 1 };

	ck_assert_int_eq(op(d1, EVTCHNOP_alloc_unbound, &a), 0);
	b.remote_port = *port1 = a.port;
	ck_assert_int_eq(op(d2, EVTCHNOP_bind_interdomain, &b), 0);
	return b.local_port;
}

START_TEST(interdomain)
{
	struct evtchn_bind_interdomain again = { .remote_dom = 1 };
	struct evtchn_status st = { .dom = DOMID_SELF };
	struct evtchn_close cl;
	uint32_t p1, p2 = connect(&p1);

	ck_assert_int_eq(d1->refcnt, 2);
	ck_assert_int_eq(d2->refcnt, 2);
	ck_assert(evtchn_port_pending(d2, p2));
	again.remote_port = p1;
	ck_assert_int_eq(op(d2, EVTCHNOP_bind_interdomain, &again), -EINVAL);
	ck_assert(!evtchn_port_pending(d1, p1));
	ck_assert_int_eq(evtchn_send(d2, p2), 0);
	ck_assert(evtchn_port_pending(d1, p1));
	ck_assert_int_eq(d1->vcpu[0]->vcpu_info->evtchn_upcall_pending, 1);
	cl.port = p2;
	ck_assert_int_eq(op(d2, EVTCHNOP_close, &cl), 0);
	ck_assert_int_eq(op(d2, EVTCHNOP_close, &cl), -EINVAL);
	st.port = p1;
	ck_assert_int_eq(op(d1, EVTCHNOP_status, &st), 0);
	ck_assert_int_eq(st.status, EVTCHNSTAT_unbound);
	ck_assert_int_eq(st.u.unbound.dom, 2);
	ck_assert_int_eq(d1->refcnt, 1);
	ck_assert_int_eq(d2->refcnt, 1);
	/* Somebody else's port, and a foreign status. */
	ck_assert_int_eq(op(d1, EVTCHNOP_bind_interdomain, &again), -EINVAL);
	st.dom = 2;
	ck_assert_int_eq(op(d1, EVTCHNOP_status, &st), -EPERM);
}
END_TEST

START_TEST(loopback)
{
	struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_bind_interdomain b = { .remote_dom = DOMID_SELF };
	struct evtchn_close cl;

	ck_assert_int_eq(op(d1, EVTCHNOP_alloc_unbound, &a), 0);
	b.remote_port = a.port;
	ck_assert_int_eq(op(d1, EVTCHNOP_bind_interdomain, &b), 0);
	ck_assert_int_eq(evtchn_send(d1, b.local_port), 0);
	ck_assert(evtchn_port_pending(d1, a.port));
	cl.port = a.port;
	ck_assert_int_eq(op(d1, EVTCHNOP_close, &cl), 0);
	ck_assert_int_eq(d1->refcnt, 1);
}
END_TEST

START_TEST(virqs)
{
	struct evtchn_bind_virq b = { .virq = VIRQ_TIMER, .vcpu = 1 };
	struct evtchn_bind_vcpu m = { .vcpu = 0 };

	ck_assert_int_eq(op(d1, EVTCHNOP_bind_virq, &b), 0);
	m.port = b.port;
	ck_assert_int_eq(op(d1, EVTCHNOP_bind_vcpu, &m), -EINVAL);
	ck_assert_int_eq(op(d1, EVTCHNOP_bind_virq, &b), -EEXIST);
	send_guest_vcpu_virq(d1->vcpu[1], VIRQ_TIMER);
	ck_assert(evtchn_port_pending(d1, b.port));
	ck_assert_int_eq(d1->vcpu[0]->vcpu_info->evtchn_upcall_pending, 0);
	ck_assert_int_eq(d1->vcpu[1]->vcpu_info->evtchn_upcall_pending, 1);
	ck_assert_int_eq(evtchn_send(d1, b.port), -EINVAL);
	b = (struct evtchn_bind_virq){ .virq = VIRQ_DOM_EXC };
	ck_assert_int_eq(op(d1, EVTCHNOP_bind_virq, &b), -EPERM);
	ck_assert_int_eq(op(host_domain, EVTCHNOP_bind_virq, &b), 0);
	send_host_virq(VIRQ_DOM_EXC);
	ck_assert_uint_eq(test_rings, 1);
	b.virq = 24;
	ck_assert_int_eq(op(d1, EVTCHNOP_bind_virq, &b), -EINVAL);
	b = (struct evtchn_bind_virq){ .virq = VIRQ_TIMER, .vcpu = 2 };
	ck_assert_int_eq(op(d1, EVTCHNOP_bind_virq, &b), -ENOENT);
}
END_TEST

START_TEST(limits)
{
	struct evtchn_bind_ipi b = { .vcpu = 0 };
	struct evtchn_reset r = { .dom = DOMID_SELF };
	unsigned int n = 0;

	while (op(d2, EVTCHNOP_bind_ipi, &b) == 0)
		n++;
	ck_assert_uint_eq(n, 200);
	ck_assert_int_eq(op(d2, EVTCHNOP_bind_ipi, &b), -ENOSPC);
	ck_assert_int_eq(op(d2, EVTCHNOP_reset, &r), 0);
	ck_assert_uint_eq(bind_ipi(d2, 0), 1);
	r.dom = 1;
	ck_assert_int_eq(op(d2, EVTCHNOP_reset, &r), -EPERM);
	ck_assert_int_eq(op(host_domain, EVTCHNOP_reset, &r), 0);
	ck_assert_int_eq(op(d1, 99, &r), -ENOSYS);
}
END_TEST

START_TEST(mask_2l)
{
	uint32_t p = bind_ipi(d1, 0);
	struct evtchn_unmask u = { .port = p };

	d1->shared_info->evtchn_mask[0] = ~0UL;
	evtchn_send(d1, p);
	ck_assert_int_eq(d1->vcpu[0]->vcpu_info->evtchn_upcall_pending, 0);
	ck_assert_int_eq(op(d1, EVTCHNOP_unmask, &u), 0);
	ck_assert_int_eq(d1->vcpu[0]->vcpu_info->evtchn_upcall_pending, 1);
	ck_assert_uint_eq(d1->vcpu[0]->vcpu_info->evtchn_pending_sel, 1);
}
END_TEST

START_TEST(polling)
{
	uint32_t p = bind_ipi(d1, 0), q = bind_ipi(d1, 0);
	evtchn_port_t port = p;
	struct sched_poll sp = { .ports = { &port }, .nr_ports = 1 };
	struct vcpu *v = d1->vcpu[0];

	d1->shared_info->evtchn_mask[0] = ~0UL;
	current = v;
	ck_assert_int_eq(vcpu_poll(v, &sp), 0);
	ck_assert(v->pause_flags & VPF_blocked);
	evtchn_send(d1, q);
	ck_assert(v->pause_flags & VPF_blocked);
	evtchn_send(d1, p);
	ck_assert(!(v->pause_flags & VPF_blocked));
	/* Pending already: no sleep. */
	ck_assert_int_eq(vcpu_poll(v, &sp), 0);
	ck_assert(!(v->pause_flags & VPF_blocked));
	ck_assert_uint_eq(d1->evtchn->pollers, 0);
	port = 4001;
	ck_assert_int_eq(vcpu_poll(v, &sp), -EINVAL);
	sp.nr_ports = 129;
	ck_assert_int_eq(vcpu_poll(v, &sp), -EINVAL);
	/* A block that comes too late does not sleep. */
	v->vcpu_info->evtchn_upcall_pending = 1;
	vcpu_block(v);
	ck_assert(!(v->pause_flags & VPF_blocked));
}
END_TEST

/* --- FIFO: the guest's side, as the ABI describes it --- */

static event_word_t *words;
static struct evtchn_fifo_control_block *control[2];
static uint32_t head[2][16];

static void fifo_setup(void)
{
	struct evtchn_expand_array e;
	unsigned int i;

	setup();
	memset(head, 0, sizeof(head));
	for (i = 0; i < 2; i++) {
		struct evtchn_init_control c = { .control_gfn = 10 + i, .offset = 64, .vcpu = i };

		ck_assert_int_eq(op(d1, EVTCHNOP_init_control, &c), 0);
		ck_assert_int_eq(c.link_bits, 17);
		ck_assert_int_eq(op(d1, EVTCHNOP_init_control, &c), -EINVAL);
		control[i] = (void *)(test_ram[10 + i] + 64);
	}
	words = (void *)test_ram[20];
	for (i = 0; i < 4; i++) {
		e.array_gfn = 20 + i;
		ck_assert_int_eq(op(d1, EVTCHNOP_expand_array, &e), 0);
	}
	ck_assert_int_eq(op(d1, EVTCHNOP_expand_array, &e), -ENOSPC);
	ck_assert_uint_eq(test_page_refs, 6);
}

/* Takes one event of the queue: its port, or 0. */
static uint32_t consume(unsigned int vcpu, unsigned int prio, bool *empty)
{
	uint32_t port = head[vcpu][prio], w;

	if (!port)
		port = control[vcpu]->head[prio];
	w = words[port];
	words[port] = w & ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK);
	head[vcpu][prio] = w & EVTCHN_FIFO_LINK_MASK;
	*empty = head[vcpu][prio] == 0;
	if (!(w & 1u << EVTCHN_FIFO_PENDING) || (w & 1u << EVTCHN_FIFO_MASKED))
		return 0;
	words[port] &= ~(1u << EVTCHN_FIFO_PENDING);
	return port;
}

static unsigned int consume_all(unsigned int vcpu, unsigned char *seen)
{
	unsigned int n = 0, prio;
	uint32_t ready = control[vcpu]->ready, port;
	bool empty;

	control[vcpu]->ready = 0;
	d1->vcpu[vcpu]->vcpu_info->evtchn_upcall_pending = 0;
	while (ready) {
		prio = (unsigned int)__builtin_ctz(ready);
		port = consume(vcpu, prio, &empty);
		if (empty)
			ready &= ~(1u << prio);
		if (port) {
			seen[port]++;
			n++;
		}
		ready |= control[vcpu]->ready;
		control[vcpu]->ready = 0;
	}
	return n;
}

START_TEST(fifo_order)
{
	struct evtchn_set_priority sp;
	uint32_t a = bind_ipi(d1, 0), b = bind_ipi(d1, 0), c = bind_ipi(d1, 0);
	bool empty;

	sp = (struct evtchn_set_priority){ .port = c, .priority = 0 };
	ck_assert_int_eq(op(d1, EVTCHNOP_set_priority, &sp), 0);
	sp.priority = 16;
	ck_assert_int_eq(op(d1, EVTCHNOP_set_priority, &sp), -EINVAL);
	evtchn_send(d1, b);
	evtchn_send(d1, a);
	evtchn_send(d1, a);
	evtchn_send(d1, c);
	ck_assert_uint_eq(control[0]->ready, 1u << 7 | 1u);
	ck_assert_uint_eq(consume(0, 0, &empty), c);
	ck_assert(empty);
	ck_assert_uint_eq(consume(0, 7, &empty), b);
	ck_assert(!empty);
	ck_assert_uint_eq(consume(0, 7, &empty), a);
	ck_assert(empty);
}
END_TEST

START_TEST(fifo_random)
{
	static unsigned char seen[4001], want[4001];
	uint32_t port[300], i, round;
	struct evtchn_alloc_unbound au = { .dom = 1, .remote_dom = 0 };

	srand(1);
	for (i = 0; i < 300; i++) {
		struct evtchn_bind_interdomain b = { .remote_dom = 1 };

		ck_assert_int_eq(op(host_domain, EVTCHNOP_alloc_unbound, &au), 0);
		b.remote_port = port[i] = au.port;
		ck_assert_int_eq(op(host_domain, EVTCHNOP_bind_interdomain, &b), 0);
	}
	for (round = 0; round < 20000; round++) {
		uint32_t p = port[rand() % 300];
		struct evtchn_bind_vcpu m = { .port = p, .vcpu = rand() % 2 };
		struct evtchn_set_priority sp = { .port = p, .priority = rand() % 16 };
		struct evtchn_unmask u = { .port = p };

		switch (rand() % 12) {
		case 0:
			op(d1, EVTCHNOP_bind_vcpu, &m);
			break;
		case 1:
			op(d1, EVTCHNOP_set_priority, &sp);
			break;
		case 2:
			words[p] |= 1u << EVTCHN_FIFO_MASKED;
			break;
		case 3:
			op(d1, EVTCHNOP_unmask, &u);
			break;
		case 4:
			consume_all(rand() % 2, seen);
			break;
		default: {
			struct evtchn *chn = port_lookup(d1, p);

			if (!(words[p] & 1u << EVTCHN_FIFO_PENDING))
				want[p]++;
			evtchn_send(host_domain, chn->remote_port);
		}
		}
	}
	for (i = 0; i < 300; i++) {
		struct evtchn_unmask u = { .port = port[i] };

		op(d1, EVTCHNOP_unmask, &u);
	}
	consume_all(0, seen);
	consume_all(1, seen);
	ck_assert_mem_eq(seen, want, sizeof(seen));
}
END_TEST

START_TEST(fifo_hostile)
{
	uint32_t port[64], i, round;

	srand(2);
	for (i = 0; i < 64; i++)
		port[i] = bind_ipi(d1, i % 2);
	for (round = 0; round < 20000; round++) {
		struct evtchn_unmask u = { .port = port[rand() % 64] };
		struct evtchn_close cl = { .port = port[rand() % 64] };

		words[rand() % 4096] = (uint32_t)rand() * 2u + (uint32_t)rand() % 2;
		control[rand() % 2]->head[rand() % 16] = (uint32_t)rand();
		control[rand() % 2]->ready = (uint32_t)rand();
		evtchn_send(d1, port[rand() % 64]);
		op(d1, EVTCHNOP_unmask, &u);
		if (round % 100 == 0) {
			struct evtchn_bind_ipi b = { .vcpu = rand() % 2 };

			op(d1, EVTCHNOP_close, &cl);
			op(d1, EVTCHNOP_bind_ipi, &b);
		}
	}
	ck_assert_int_eq(evtchn_destroy(d1), 0);
	ck_assert_uint_eq(test_page_refs, 0);
	ck_assert_uint_eq(d1->evtchn->nr_bound, 0);
	evtchn_free(d1);
}
END_TEST

START_TEST(fifo_reset)
{
	struct evtchn_reset r = { .dom = DOMID_SELF };
	uint32_t p = bind_ipi(d1, 1);

	evtchn_send(d1, p);
	ck_assert_int_eq(op(d1, EVTCHNOP_reset, &r), 0);
	ck_assert_uint_eq(test_page_refs, 0);
	p = bind_ipi(d1, 0);
	evtchn_send(d1, p);
	ck_assert(test_bit(p, d1->shared_info->evtchn_pending));
}
END_TEST

/* Raised before the array has a word for it, or before the ABI was chosen: not lost. */
START_TEST(fifo_early)
{
	struct evtchn_init_control c = { .control_gfn = 10 };
	struct evtchn_expand_array e = { .array_gfn = 20 };
	uint32_t a = bind_ipi(d1, 0), b = bind_ipi(d1, 0);

	evtchn_send(d1, a);
	ck_assert_int_eq(op(d1, EVTCHNOP_expand_array, &e), -EOPNOTSUPP);
	c.offset = 4096 - sizeof(struct evtchn_fifo_control_block) + 8;
	ck_assert_int_eq(op(d1, EVTCHNOP_init_control, &c), -EINVAL);
	c.offset = 0;
	c.control_gfn = TEST_PAGES;
	ck_assert_int_eq(op(d1, EVTCHNOP_init_control, &c), -EINVAL);
	c.control_gfn = 10;
	ck_assert_int_eq(op(d1, EVTCHNOP_init_control, &c), 0);
	evtchn_send(d1, b);
	ck_assert_int_eq(op(d1, EVTCHNOP_expand_array, &e), 0);
	ck_assert(evtchn_port_pending(d1, a));
	ck_assert(evtchn_port_pending(d1, b));
	ck_assert_uint_eq(((struct evtchn_fifo_control_block *)test_ram[10])->head[7], a);
}
END_TEST

/* The sender found the 2-level ABI in use and is late with its bit. */
START_TEST(fifo_late_sender)
{
	struct evtchn_init_control c = { .control_gfn = 10 };
	struct evtchn_expand_array e = { .array_gfn = 20 };
	uint32_t a = bind_ipi(d1, 0), b = bind_ipi(d1, 0);
	struct evtchn_fifo_control_block *block = (void *)test_ram[10];

	ck_assert_int_eq(op(d1, EVTCHNOP_init_control, &c), 0);
	l2_set_pending(d1, port_lookup(d1, a));
	ck_assert_int_eq(op(d1, EVTCHNOP_expand_array, &e), 0);
	ck_assert(evtchn_port_pending(d1, a));
	ck_assert_uint_eq(block->head[7], a);
	l2_set_pending(d1, port_lookup(d1, b));
	ck_assert(evtchn_port_pending(d1, b));
	ck_assert_uint_eq(((event_word_t *)test_ram[20])[a] & EVTCHN_FIFO_LINK_MASK, b);
}
END_TEST

static void close_port(struct domain *d, uint32_t port)
{
	struct evtchn_close c = { .port = port };

	ck_assert_int_eq(op(d, EVTCHNOP_close, &c), 0);
}

START_TEST(closed_ports_come_back)
{
	struct evtchn_bind_ipi b = { .vcpu = 0 };
	struct evtchn_reset r = { .dom = DOMID_SELF };
	uint32_t i;

	for (i = 1; i <= 200; i++)
		ck_assert_uint_eq(bind_ipi(d2, 0), i);
	ck_assert_int_eq(op(d2, EVTCHNOP_bind_ipi, &b), -ENOSPC);
	close_port(d2, 77);
	close_port(d2, 5);
	close_port(d2, 200);
	ck_assert_uint_eq(bind_ipi(d2, 0), 77);
	close_port(d2, 77);
	ck_assert_uint_eq(bind_ipi(d2, 0), 5);
	ck_assert_uint_eq(bind_ipi(d2, 0), 200);
	ck_assert_uint_eq(bind_ipi(d2, 0), 77);
	ck_assert_int_eq(op(d2, EVTCHNOP_bind_ipi, &b), -ENOSPC);
	ck_assert_int_eq(op(d2, EVTCHNOP_reset, &r), 0);
	ck_assert_uint_eq(bind_ipi(d2, 0), 1);
}
END_TEST

/* A domain of many ports is taken apart in slices. */
START_TEST(destroy_gives_way)
{
	unsigned int slices = 0;
	uint32_t i, p1;

	connect(&p1);
	for (i = 0; i < 1000; i++)
		bind_ipi(d1, 0);
	softirq_raise(LOG_SOFTIRQ);
	while (evtchn_destroy(d1) == -ERESTART_HC)
		slices++;
	ck_assert_uint_ge(slices, 1000 / 64);
	ck_assert_uint_eq(d1->evtchn->nr_bound, 0);
	ck_assert_int_eq(d1->refcnt, 1);
	ck_assert_int_eq(d2->refcnt, 1);
}
END_TEST

/* The guest says of all its closed ports that its queues still lead over them. */
START_TEST(fifo_busy_ports)
{
	struct evtchn_bind_ipi b = { .vcpu = 0 };
	uint32_t port[3000], i;

	for (i = 0; i < 3000; i++)
		port[i] = bind_ipi(d1, 0);
	for (i = 0; i < 3000; i++) {
		close_port(d1, port[i]);
		words[port[i]] |= 1u << EVTCHN_FIFO_LINKED;
	}
	test_busy_looks = 0;
	for (i = 0; i < 10; i++)
		(void)op(d1, EVTCHNOP_bind_ipi, &b);
	ck_assert_uint_le(test_busy_looks, 10 * 64);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv_events");
	TCase *c = tcase_create("bindings"), *f = tcase_create("fifo");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, interdomain);
	tcase_add_test(c, loopback);
	tcase_add_test(c, virqs);
	tcase_add_test(c, limits);
	tcase_add_test(c, mask_2l);
	tcase_add_test(c, polling);
	tcase_add_test(c, closed_ports_come_back);
	tcase_add_test(c, destroy_gives_way);
	tcase_add_test(c, fifo_early);
	tcase_add_test(c, fifo_late_sender);
	tcase_add_checked_fixture(f, fifo_setup, NULL);
	tcase_add_test(f, fifo_order);
	tcase_add_test(f, fifo_random);
	tcase_add_test(f, fifo_hostile);
	tcase_add_test(f, fifo_reset);
	tcase_add_test(f, fifo_busy_ports);
	suite_add_tcase(s, c);
	suite_add_tcase(s, f);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
