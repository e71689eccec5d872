/* SPDX-License-Identifier: MIT */
/* Steps with no memory in them: events, timers, registers, other vCPUs. */
#include "fuzz.h"

/* Some runs use the FIFO ABI, whose pages the hypervisor holds. */
static bool fifo(void) { return seed & 32; }
static uint32_t words[1024] page_aligned;
static uint64_t control[VCPUS][512] page_aligned;

void events_init(void)
{
	struct evtchn_expand_array e = { .array_gfn = va_to_mfn(words) };
	unsigned int v;

	for (v = 0; fifo() && v < VCPUS; v++) {
		struct evtchn_init_control c = { .control_gfn = va_to_mfn(control[v]), .vcpu = v };

		EXPECT(hc_event_channel_op(EVTCHNOP_init_control, &c), 0);
	}
	if (fifo())
		EXPECT(hc_event_channel_op(EVTCHNOP_expand_array, &e), 0);
}

static bool take_pending(uint32_t port)
{
	uint32_t fifo_bit = 1u << EVTCHN_FIFO_PENDING;
	unsigned long bit = 1ul << port % 64;

	/* Out of its queue as well, or the port could not be had again. */
	if (fifo())
		return __atomic_exchange_n(&words[port], 0, __ATOMIC_SEQ_CST) & fifo_bit;
	return __atomic_fetch_and(&shared.info.evtchn_pending[port / 64], ~bit, __ATOMIC_SEQ_CST) & bit;
}

static void close_port(struct fuzzer *z, uint32_t port)
{
	struct evtchn_close c = { .port = port };
	struct evtchn_status s = { .dom = DOMID_SELF, .port = port };

	expect(z, CALL(event_channel_op, EVTCHNOP_close, &c, 0, 0), true);
	take_pending(port);
	(void)CALL(event_channel_op, EVTCHNOP_status, &s, 0, 0);
}

static void send(struct fuzzer *z, uint32_t from, uint32_t to)
{
	struct evtchn_send s = { .port = from };

	expect(z, CALL(event_channel_op, EVTCHNOP_send, &s, 0, 0), true);
	if (!take_pending(to))
		finding(z, "port %u sent, port %u is not pending", from, to);
}

static void channel(struct fuzzer *z)
{
	struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_bind_interdomain b = { .remote_dom = DOMID_SELF };
	struct evtchn_bind_vcpu v;

	z->what = "event channel";
	expect(z, CALL(event_channel_op, EVTCHNOP_alloc_unbound, &a, 0, 0), true);
	b.remote_port = a.port;
	expect(z, CALL(event_channel_op, EVTCHNOP_bind_interdomain, &b, 0, 0), true);
	v = (struct evtchn_bind_vcpu){ .port = a.port, .vcpu = below(z, VCPUS) };
	expect(z, CALL(event_channel_op, EVTCHNOP_bind_vcpu, &v, 0, 0), true);
	take_pending(a.port);
	take_pending(b.local_port);
	send(z, b.local_port, a.port);
	send(z, a.port, b.local_port);
	close_port(z, b.local_port);
	close_port(z, a.port);
}

static void ipi(struct fuzzer *z)
{
	struct evtchn_bind_ipi b = { .vcpu = z->id };
	struct evtchn_send s;
	uint64_t before = z->events;

	z->what = "IPI";
	expect(z, CALL(event_channel_op, EVTCHNOP_bind_ipi, &b, 0, 0), true);
	s.port = b.port;
	take_pending(b.port);
	/* Nobody cleared the selector after earlier ones, which would hide this one. */
	__atomic_store_n(&info_of(z)->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	expect(z, CALL(event_channel_op, EVTCHNOP_send, &s, 0, 0), true);
	info_of(z)->evtchn_upcall_mask = 0;
	hc_version(XENVER_version, NULL);
	info_of(z)->evtchn_upcall_mask = 1;
	/* Nobody empties the queues. */
	if (z->events == before && !fifo())
		finding(z, "an event for this vCPU did not come");
	close_port(z, b.port);
}

static void debug_registers(struct fuzzer *z)
{
	unsigned int reg = below(z, 4);
	uint64_t addr = (uint64_t)stacks + below(z, 1u << 20);

	z->what = "debug register";
	expect(z, CALL(set_debugreg, reg, HV_START + below(z, 1u << 20), 0, 0), false);
	expect(z, CALL(set_debugreg, reg, addr, 0, 0), true);
	if ((uint64_t)CALL(get_debugreg, reg, 0, 0, 0) != addr)
		finding(z, "a debug register does not hold what was set");
}

static void registers(struct fuzzer *z)
{
	z->what = "registers";
	expect(z, CALL(fpu_taskswitch, below(z, 2), 0, 0, 0), true);
	expect(z, CALL(set_segment_base, SEGBASE_FS, rnd(z) >> 20, 0, 0), true);
	expect(z, CALL(set_segment_base, SEGBASE_GS_USER, 1ul << 63 >> below(z, 10), 0, 0), false);
	if (one_in(z, 8))
		traps_init_vcpu(z);
}

static void timers(struct fuzzer *z)
{
	struct vcpu_set_singleshot_timer s = { .timeout_abs_ns = now_ns() + below(z, 1u << 24) };
	struct vcpu_set_periodic_timer p = { .period_ns = 1000000 + below(z, 1u << 24) };

	z->what = "timer";
	switch (below(z, 4)) {
	case 0:
		expect(z, CALL(set_timer_op, rnd(z) >> 1 >> below(z, 60), 0, 0, 0), true);
		break;
	case 1:
		expect(z, CALL(vcpu_op, VCPUOP_set_singleshot_timer, z->id, &s, 0), true);
		break;
	case 2:
		expect(z, CALL(vcpu_op, VCPUOP_set_periodic_timer, z->id, &p, 0), true);
		break;
	default:
		expect(z, CALL(vcpu_op, VCPUOP_stop_periodic_timer, z->id, 0, 0), true);
	}
}

static void yield(struct fuzzer *z)
{
	struct sched_poll poll = { .nr_ports = 0, .timeout = 1 };

	z->what = "yield";
	if (one_in(z, 2))
		hc_sched_op(SCHEDOP_yield, NULL);
	else
		hc_sched_op(SCHEDOP_poll, &poll);
}

void misc_step(struct fuzzer *z)
{
	static void (*const steps[])(struct fuzzer *) = { channel, ipi, debug_registers, registers, timers, yield };

	steps[below(z, ARRAY_SIZE(steps))](z);
}

/* What the vCPUs beside the fuzzers do, each time that one of them brings them up. */
static void helper(struct fuzzer *z)
{
	unsigned int i;

	for (;;) {
		for (i = 0; i < 64 && !fuzz_stop; i++)
			next_step(z, wild_step);
		hc_vcpu_op(VCPUOP_down, z->id, NULL);
	}
}

static struct vcpu_guest_context contexts[FUZZERS];

static void initialise(struct fuzzer *z, unsigned int v)
{
	struct vcpu_guest_context *c = &contexts[z->id];

	vcpu_context(c, &fuzzers[v], helper);
	/* Whether these are fit for it nobody knows; that one is not fit for cr3. */
	if (one_in(z, 2))
		c->ctrlreg[1] = wild_frame(z) << PAGE_SHIFT;
	if (one_in(z, 2)) {
		c->gdt_frames[0] = wild_frame(z);
		c->gdt_ents = 512;
	}
	if (one_in(z, 4))
		c->ctrlreg[3] = 0x200ul << PAGE_SHIFT;
	CALL(vcpu_op, VCPUOP_initialise, v, c, 0);
}

void vcpu_step(struct fuzzer *z)
{
	unsigned int v = FUZZERS + below(z, VCPUS - FUZZERS - 1);
	struct vcpu_register_vcpu_info r = { .offset = (uint32_t)below(z, 64) * 64 };
	struct vcpu_runstate_info info;

	z->what = "vCPU";
	switch (below(z, 8)) {
	case 0:
		initialise(z, v);
		break;
	case 1:
		/* The last vCPU never runs: it is there to be registered for. */
		r.mfn = wild_frame(z);
		CALL(vcpu_op, VCPUOP_register_vcpu_info, VCPUS - 1, &r, 0);
		break;
	case 2:
		expect(z, CALL(vcpu_op, VCPUOP_get_runstate_info, v, &info, 0), true);
		break;
	case 3:
		expect(z, CALL(vcpu_op, VCPUOP_is_up, z->id, 0, 0) == 1 ? 0 : -1, true);
		break;
	default:
		CALL(vcpu_op, VCPUOP_up, v, 0, 0);
	}
}
