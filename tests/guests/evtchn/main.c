/* SPDX-License-Identifier: MIT */
/* Event channels within one domain: delivery, masks, and every way to be refused. */
#include "guest.h"

const char test_name[] = "evtchn";

static bool pending(uint32_t port)
{
	return READ_ONCE(shared.info.evtchn_pending[port / 64]) >> port % 64 & 1;
}

static void clear(uint32_t port)
{
	__atomic_and_fetch(&shared.info.evtchn_pending[port / 64], ~(1ul << port % 64), __ATOMIC_SEQ_CST);
	my_vcpu_info()->evtchn_pending_sel = 0;
}

static void set_mask(uint32_t port, bool on)
{
	if (on)
		__atomic_or_fetch(&shared.info.evtchn_mask[port / 64], 1ul << port % 64, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&shared.info.evtchn_mask[port / 64], ~(1ul << port % 64), __ATOMIC_SEQ_CST);
}

static long send(uint32_t port)
{
	struct evtchn_send s = { .port = port };

	return hc_event_channel_op(EVTCHNOP_send, &s);
}

static long close_port(uint32_t port)
{
	struct evtchn_close c = { .port = port };

	return hc_event_channel_op(EVTCHNOP_close, &c);
}

static void loop(void)
{
	struct evtchn_alloc_unbound au = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_bind_interdomain bi = { .remote_dom = DOMID_SELF };
	struct evtchn_status st = { .dom = DOMID_SELF };
	struct evtchn_unmask um;
	uint32_t before;

	EXPECT(hc_event_channel_op(EVTCHNOP_alloc_unbound, &au), 0);
	st.port = au.port;
	EXPECT(hc_event_channel_op(EVTCHNOP_status, &st), 0);
	CHECK(st.status == EVTCHNSTAT_unbound, "status %u after alloc_unbound", st.status);
	bi.remote_port = au.port;
	EXPECT(hc_event_channel_op(EVTCHNOP_bind_interdomain, &bi), 0);
	EXPECT(hc_event_channel_op(EVTCHNOP_status, &st), 0);
	CHECK(st.status == EVTCHNSTAT_interdomain && st.u.interdomain.port == bi.local_port, "status %u after bind",
	      st.status);
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_bind_interdomain, &bi)); /* taken */

	clear(au.port);
	set_mask(au.port, false);
	before = event_count;
	my_vcpu_info()->evtchn_upcall_mask = 0;
	EXPECT(send(bi.local_port), 0);
	hc_version(XENVER_version, NULL);
	CHECK(event_count > before, "no upcall");
	CHECK(pending(au.port), "the other end is not pending");
	clear(au.port);

	set_mask(au.port, true);
	before = event_count;
	EXPECT(send(bi.local_port), 0);
	CHECK(pending(au.port), "a masked port is not pending");
	CHECK(event_count == before, "an upcall for a masked port");
	um.port = au.port;
	EXPECT(hc_event_channel_op(EVTCHNOP_unmask, &um), 0);
	hc_version(XENVER_version, NULL);
	CHECK(event_count > before, "no upcall after unmask");
	my_vcpu_info()->evtchn_upcall_mask = 1;
	clear(au.port);

	EXPECT(close_port(bi.local_port), 0);
	EXPECT(hc_event_channel_op(EVTCHNOP_status, &st), 0);
	CHECK(st.status == EVTCHNSTAT_unbound, "status %u after the peer closed", st.status);
	EXPECT(close_port(au.port), 0);
	EXPECT_ERROR(close_port(au.port));
	EXPECT_ERROR(send(au.port));
}

static void virqs_and_ipis(void)
{
	struct evtchn_bind_virq bv = { .virq = VIRQ_DEBUG, .vcpu = 0 };
	struct evtchn_bind_ipi ipi = { .vcpu = 0 };

	EXPECT(hc_event_channel_op(EVTCHNOP_bind_virq, &bv), 0);
	EXPECT(hc_event_channel_op(EVTCHNOP_bind_virq, &bv), -EEXIST);
	EXPECT(close_port(bv.port), 0);
	bv.virq = 24;
	EXPECT(hc_event_channel_op(EVTCHNOP_bind_virq, &bv), -EINVAL);
	bv = (struct evtchn_bind_virq){ .virq = VIRQ_TIMER, .vcpu = 999 };
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_bind_virq, &bv));
	EXPECT(hc_event_channel_op(EVTCHNOP_bind_ipi, &ipi), 0);
	clear(ipi.port);
	EXPECT(send(ipi.port), 0);
	CHECK(pending(ipi.port), "an IPI to itself is not pending");
	EXPECT(close_port(ipi.port), 0);
	ipi.vcpu = 4000;
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_bind_ipi, &ipi));
}

static void refused(void)
{
	struct evtchn_expand_array ea = { .array_gfn = 0x200 };
	static const uint32_t ports[] = { 4096, 131071, 131072, 0x7fffffff, 0xffffffff };
	struct evtchn_alloc_unbound au = { .dom = 0x7000, .remote_dom = 0 };
	struct evtchn_bind_interdomain bi = { .remote_dom = 0, .remote_port = 1 };
	struct evtchn_init_control ic = { .control_gfn = ~0ul, .vcpu = 0 };
	struct evtchn_bind_vcpu bv = { .port = 1, .vcpu = 77 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ports); i++) {
		struct evtchn_status st = { .dom = DOMID_SELF, .port = ports[i] };
		struct evtchn_unmask um = { .port = ports[i] };

		EXPECT_ERROR(send(ports[i]));
		EXPECT_ERROR(close_port(ports[i]));
		EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_status, &st));
		EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_unmask, &um));
	}
	EXPECT_ERROR(close_port(0));
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_alloc_unbound, &au));
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_bind_interdomain, &bi));
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_bind_vcpu, &bv));
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_init_control, &ic));
	ic.control_gfn = 0x200;
	EXPECT_ERROR(hc_event_channel_op(EVTCHNOP_init_control, &ic));
	/* The array is the FIFO ABI's, which is not in use. */
	EXPECT(hc_event_channel_op(EVTCHNOP_expand_array, &ea), -EOPNOTSUPP);
	EXPECT(hc_event_channel_op(9999, &bi), -ENOSYS);
}

/* As many as there may be: the limit is an error, and all come back. */
static void many(void)
{
	struct evtchn_alloc_unbound au;
	uint32_t n = 0, port;
	long ret;

	for (;;) {
		au = (struct evtchn_alloc_unbound){ .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
		ret = hc_event_channel_op(EVTCHNOP_alloc_unbound, &au);
		if (ret != 0)
			break;
		n++;
		if (n > 200000) {
			test_failed("no limit to ports");
			break;
		}
	}
	CHECK(ret == -ENOSPC || n > 200000, "%u ports, then %ld", n, ret);
	CHECK(n > 500, "only %u ports", n);
	for (port = 1; port < 140000; port++) {
		struct evtchn_status st = { .dom = DOMID_SELF, .port = port };

		if (hc_event_channel_op(EVTCHNOP_status, &st) != 0)
			break;
		if (st.status == EVTCHNSTAT_unbound && st.u.unbound.dom != 0)
			close_port(port);
	}
	/* All of them, not the first alone. */
	for (; n; n--) {
		au = (struct evtchn_alloc_unbound){ .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
		ret = hc_event_channel_op(EVTCHNOP_alloc_unbound, &au);
		if (ret != 0)
			break;
	}
	CHECK(n == 0, "%u ports did not come back: %ld", n, ret);
	for (port = 1; port < 140000; port++) {
		struct evtchn_status st = { .dom = DOMID_SELF, .port = port };

		if (hc_event_channel_op(EVTCHNOP_status, &st) != 0)
			break;
		if (st.status == EVTCHNSTAT_unbound && st.u.unbound.dom != 0)
			close_port(port);
	}
}

void test_main(void)
{
	loop();
	virqs_and_ipis();
	refused();
	many();
}
