/* SPDX-License-Identifier: MIT */
/* Clocks and timers. What is asserted is order and delivery, never how long it took. */
#include "guest.h"

const char test_name[] = "time";

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static uint64_t now(void)
{
	struct vcpu_time_info *t = &my_vcpu_info()->time, c;
	uint64_t delta;

	do {
		c.version = READ_ONCE(t->version) & ~1u;
		barrier();
		c.tsc_timestamp = t->tsc_timestamp;
		c.system_time = t->system_time;
		c.tsc_to_system_mul = t->tsc_to_system_mul;
		c.tsc_shift = t->tsc_shift;
		delta = rdtsc() - c.tsc_timestamp;
		barrier();
	} while (c.version != READ_ONCE(t->version));
	delta = c.tsc_shift >= 0 ? delta << c.tsc_shift : delta >> -c.tsc_shift;
	return c.system_time + (uint64_t)((unsigned __int128)delta * c.tsc_to_system_mul >> 32);
}

static uint32_t timer_port;

static bool timer_pending(void)
{
	return READ_ONCE(shared.info.evtchn_pending[timer_port / 64]) >> timer_port % 64 & 1;
}

static void timer_clear(void)
{
	__atomic_and_fetch(&shared.info.evtchn_pending[timer_port / 64], ~(1ul << timer_port % 64), __ATOMIC_SEQ_CST);
	my_vcpu_info()->evtchn_pending_sel = 0;
	my_vcpu_info()->evtchn_upcall_pending = 0;
}

static bool wait_timer(uint64_t limit_ns)
{
	uint64_t end = now() + limit_ns;

	while (!timer_pending() && now() < end)
		hc_sched_op(SCHEDOP_yield, NULL);
	return timer_pending();
}

static void clock(void)
{
	uint64_t last = now(), t;
	unsigned int i;

	CHECK(my_vcpu_info()->time.tsc_to_system_mul != 0, "no time in vcpu_info");
	for (i = 0; i < 20000; i++) {
		t = now();
		CHECK(t >= last, "time went back by %lu ns", last - t);
		last = t;
		if (i % 1000 == 0)
			hc_sched_op(SCHEDOP_yield, NULL);
	}
	CHECK(shared.info.wc_sec != 0, "no wall clock");
	CHECK(!(shared.info.wc_version & 1), "wc_version %u", shared.info.wc_version);
}

static void timers(void)
{
	struct evtchn_bind_virq bv = { .virq = VIRQ_TIMER, .vcpu = 0 };
	struct vcpu_set_singleshot_timer s = { .timeout_abs_ns = now() + 2000000 };
	struct vcpu_set_periodic_timer p = { .period_ns = 10000000 };
	unsigned int i;

	EXPECT(hc_event_channel_op(EVTCHNOP_bind_virq, &bv), 0);
	timer_port = bv.port;
	__atomic_and_fetch(&shared.info.evtchn_mask[timer_port / 64], ~(1ul << timer_port % 64), __ATOMIC_SEQ_CST);
	EXPECT(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
	timer_clear();

	EXPECT(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &s), 0);
	CHECK(wait_timer(5000000000), "the single-shot timer did not fire");
	CHECK(now() >= s.timeout_abs_ns, "the single-shot timer fired early");
	timer_clear();
	s.timeout_abs_ns = now() + 300000000;
	EXPECT(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &s), 0);
	EXPECT(hc_vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
	s.timeout_abs_ns = 1;
	s.flags = VCPU_SSHOTTMR_future;
	EXPECT(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &s), -ETIME);
	s.flags = 0;
	EXPECT(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &s), 0); /* past: at once */
	CHECK(wait_timer(5000000000), "a timer in the past did not fire");
	timer_clear();
	EXPECT(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &p), 0);
	for (i = 0; i < 3; i++) {
		CHECK(wait_timer(5000000000), "period %u did not come", i);
		timer_clear();
	}
	EXPECT(hc_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL), 0);
	p.period_ns = 1;
	EXPECT_ERROR(hc_vcpu_op(VCPUOP_set_periodic_timer, 0, &p));
	timer_clear();
	EXPECT(hc_set_timer(now() + 1000000), 0);
	CHECK(wait_timer(5000000000), "set_timer_op did not fire");
	EXPECT(hc_set_timer(0), 0);
	timer_clear();
}

static void poll_and_block(void)
{
	evtchn_port_t ports[1] = { timer_port }, wild[1] = { 0x7fffffff };
	struct sched_poll p = { .nr_ports = 1, .timeout = now() + 3000000 };
	struct vcpu_set_singleshot_timer s = { .timeout_abs_ns = now() + 3000000 };

	set_xen_guest_handle(p.ports, ports);
	EXPECT(hc_sched_op(SCHEDOP_poll, &p), 0);
	CHECK(now() >= p.timeout, "poll came back before its time");
	s.timeout_abs_ns = now() + 3000000;
	EXPECT(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &s), 0);
	p.timeout = now() + 20000000000;
	EXPECT(hc_sched_op(SCHEDOP_poll, &p), 0);
	CHECK(timer_pending(), "poll came back without its event");
	EXPECT(hc_sched_op(SCHEDOP_poll, &p), 0); /* pending: does not wait */
	timer_clear();
	set_xen_guest_handle(p.ports, wild);
	EXPECT(hc_sched_op(SCHEDOP_poll, &p), -EINVAL);
	p.nr_ports = 1000;
	EXPECT(hc_sched_op(SCHEDOP_poll, &p), -EINVAL);
	p.nr_ports = 1;
	set_xen_guest_handle(p.ports, (evtchn_port_t *)HV_START);
	EXPECT(hc_sched_op(SCHEDOP_poll, &p), -EFAULT);

	s.timeout_abs_ns = now() + 3000000;
	EXPECT(hc_vcpu_op(VCPUOP_set_singleshot_timer, 0, &s), 0);
	EXPECT(hc_sched_op(SCHEDOP_block, NULL), 0); /* unmasks events, too */
	CHECK(event_count > 0, "block came back without an event");
	my_vcpu_info()->evtchn_upcall_mask = 1;
	timer_clear();
}

void test_main(void)
{
	clock();
	timers();
	poll_and_block();
}
