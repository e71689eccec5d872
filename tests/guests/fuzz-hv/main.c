/* SPDX-License-Identifier: MIT */
/*
 * Start, meetings and end of the fuzzers. Options: secs=, seed=, rounds=; alone=1: no neighbour was made just before;
 * neighbour=1: be that.
 */
#include "fuzz.h"

const char test_name[] = "fuzz-hv";
struct fuzzer fuzzers[VCPUS];
uint64_t seed, kernel_l4_entry;
uint16_t self_id, peer_id;
volatile bool fuzz_stop;
static uint64_t end_ns, start_ns, max_rounds;
static volatile uint32_t arrived, meeting, down;

uint64_t rnd(struct fuzzer *z)
{
	uint64_t x = z->rng += 0x9e3779b97f4a7c15ul;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ul;
	x = (x ^ x >> 27) * 0x94d049bb133111ebul;
	return x ^ x >> 31;
}

void finding(struct fuzzer *z, const char *fmt, ...)
{
	static volatile uint32_t found;
	char text[120];
	__builtin_va_list ap;

	/* The first is it: what follows may come of it. */
	while (__atomic_exchange_n(&found, 1, __ATOMIC_SEQ_CST))
		hc_sched_op(SCHEDOP_yield, NULL);
	__builtin_va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	__builtin_va_end(ap);
	test_failed("seed %lu vCPU %u step %lu, %s: %s", seed, z->id, z->step, z->what, text);
	test_end();
}

/* How often each kind of step was to work, and how often not: a fuzzer whose calls all fail finds nothing. */
static void count_kind(struct fuzzer *z, bool good)
{
	struct kind *k = z->kinds;

	while (k < z->kinds + KINDS - 1 && k->what && k->what != z->what)
		k++;
	k->what = z->what;
	if (good)
		k->good++;
	else
		k->bad++;
}

void expect(struct fuzzer *z, long rc, bool good)
{
	count_kind(z, good);
	if ((rc == 0) != good)
		finding(z, "gave %ld, should have %s", rc, good ? "worked" : "failed");
}

static long in_multicall(struct fuzzer *z, unsigned long nr, const unsigned long *a)
{
	unsigned int n = 1 + below(z, ARRAY_SIZE(z->mc)), at = below(z, n), i;
	struct multicall_entry *mc = z->mc;

	memset(mc, 0, sizeof(z->mc));
	for (i = 0; i < n; i++)
		mc[i].op = __HYPERVISOR_xen_version;
	mc[at].op = nr;
	for (i = 0; i < 4; i++)
		mc[at].args[i] = a[i];
	z->calls += n;
	if (hc_multicall(mc, n) != 0)
		finding(z, "a multicall failed");
	return (long)mc[at].result;
}

long call(struct fuzzer *z, unsigned long nr, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4)
{
	if (one_in(z, 8))
		return in_multicall(z, nr, (unsigned long[]){ a1, a2, a3, a4 });
	z->calls++;
	return hypercall(nr, a1, a2, a3, a4, 0);
}

long mmuext(struct fuzzer *z, unsigned int cmd, uint64_t a1, uint64_t a2)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = a1 };

	op.arg2.src_mfn = a2;
	return CALL(mmuext_op, &op, 1, 0, DOMID_SELF);
}

long set_va(struct fuzzer *z, const volatile void *va, uint64_t pte, unsigned long flags)
{
	return CALL(update_va_mapping, va, pte, flags, 0);
}

unsigned long any_flush(struct fuzzer *z)
{
	static uint64_t all_vcpus = ~0ul;
	const unsigned long kinds[] = { UVMF_INVLPG | UVMF_LOCAL, UVMF_INVLPG | UVMF_ALL, UVMF_TLB_FLUSH | UVMF_LOCAL,
					UVMF_TLB_FLUSH | UVMF_ALL, UVMF_INVLPG | (uint64_t)&all_vcpus };

	return kinds[one_in(z, 4) ? below(z, ARRAY_SIZE(kinds)) : 0];
}

struct xen_memory_reservation *reservation(struct fuzzer *z, uint64_t frame)
{
	struct xen_memory_reservation *r = (void *)z->arg;

	z->list[0] = frame;
	memset(r, 0, sizeof(struct xen_memory_exchange));
	set_xen_guest_handle(r->extent_start, z->list);
	r->nr_extents = 1;
	r->domid = DOMID_SELF;
	return r;
}

uint64_t now_ns(void)
{
	const volatile struct vcpu_time_info *t = &shared.info.vcpu_info[0].time;
	uint32_t version;
	uint64_t delta, ns;

	do {
		version = t->version;
		barrier();
		delta = __builtin_ia32_rdtsc() - t->tsc_timestamp;
		delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
		ns = t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
		barrier();
	} while ((version & 1) || version != t->version);
	return ns;
}

uint64_t detach(const void *page)
{
	uint64_t frame = va_to_mfn(page);

	EXPECT(hc_update_va_mapping(page, 0, UVMF_TLB_FLUSH | UVMF_ALL), 0);
	return frame;
}

void next_step(struct fuzzer *z, void (*step)(struct fuzzer *))
{
	z->rng = (seed ^ (uint64_t)z->id << 56) + z->step * 0xd1342543de82ef95ul;
	rnd(z);
	step(z);
	z->step++;
}

static void any_step(struct fuzzer *z)
{
	static void (*const steps[])(struct fuzzer *) = {
		own_step, own_step, own_step, own_step, own_step, own_step, own_step, own_step, descriptor_step,
		descriptor_step, walk_step, walk_step, grant_step, grant_step, grant_step, grant_step, watch_step, watch_step,
		watch_step, watch_step, wild_step, wild_step, wild_step, wild_step, loose_step, loose_step, misc_step,
		vcpu_step, grant_peer_step, root_step, root_step, rest_step,
	};

	static void (*const focus[4][2])(struct fuzzer *) = {
		{ NULL, NULL }, { root_step, watch_step }, { wild_step, vcpu_step }, { own_step, grant_step },
	};
	unsigned int f = seed / 4 % 4, which = below(z, 2), k = below(z, ARRAY_SIZE(steps));

	/* Some runs do a little of all, others mostly what races with each other. */
	if (f && !one_in(z, 4))
		focus[f][which](z);
	else
		steps[k](z);
}

static void wait_for(volatile uint32_t *p, uint32_t want)
{
	while (*p != want)
		hc_sched_op(SCHEDOP_yield, NULL);
}

/* All fuzzers come together; the first does what needs the others to stand still. */
static void meet(struct fuzzer *z)
{
	uint32_t this = meeting;
	bool new_version = this % 8 == 7;

	own_check(z);
	if (new_version) {
		grant_drop_all(z);
		wild_drop_all(z);
	}
	__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
	if (z->id != 0) {
		wait_for(&meeting, this + 1);
		return;
	}
	wait_for(&arrived, FUZZERS);
	watch_check(z);
	if (new_version)
		grant_next_version(z);
	fuzz_stop = now_ns() >= end_ns || (max_rounds && this + 1 >= max_rounds);
	arrived = 0;
	mb();
	meeting = this + 1;
}

static void report(void)
{
	uint64_t steps = 0, calls = 0, ms = (now_ns() - start_ns) / 1000000;
	unsigned int i;

	for (i = 0; i < VCPUS; i++) {
		steps += fuzzers[i].step;
		calls += fuzzers[i].calls;
	}
	for (i = 0; i < KINDS; i++)
		if (fuzzers[0].kinds[i].what)
			printk("  %s: %lu good, %lu refused\n", fuzzers[0].kinds[i].what, fuzzers[0].kinds[i].good,
			       fuzzers[0].kinds[i].bad);
	printk("fuzz-hv: seed %lu: %lu operations in %lu steps, %lu ms\n", seed, calls, steps, ms);
}

static void fuzz(struct fuzzer *z)
{
	unsigned int i;

	traps_init_vcpu(z);
	while (!fuzz_stop) {
		for (i = 0; i < ROUND; i++)
			next_step(z, any_step);
		meet(z);
	}
	__atomic_fetch_add(&down, 1, __ATOMIC_SEQ_CST);
	while (z->id != 0)
		hc_vcpu_op(VCPUOP_down, z->id, NULL);
	wait_for(&down, FUZZERS);
	report();
	printk("TEST RESULT: SUCCESS fuzz-hv: nothing found\n");
	/* As it is now it shall be looked at. */
	for (;;)
		hc_sched_op(SCHEDOP_block, NULL), info_of(z)->evtchn_upcall_mask = 1;
}

static uint64_t option(const char *name, uint64_t otherwise)
{
	const char *s = (const char *)start_info->cmd_line;
	size_t n = strlen(name);
	uint64_t v = 0;

	for (; *s && strncmp(s, name, n) != 0; s++)
		;
	if (!*s)
		return otherwise;
	for (s += n; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (uint64_t)(*s - '0');
	return v;
}

static void start(void)
{
	static struct vcpu_guest_context c;
	unsigned int i;

	for (i = 0; i < VCPUS; i++) {
		fuzzers[i].id = i;
		info_of(&fuzzers[i])->evtchn_upcall_mask = 1;
	}
	for (i = 0; i < FUZZERS; i++) {
		own_init(&fuzzers[i]);
		watch_init_fuzzer(&fuzzers[i]);
		loose_init(&fuzzers[i]);
	}
	grant_init();
	watch_init();
	wild_init();
	root_init();
	events_init();
	for (i = 1; i < FUZZERS; i++) {
		vcpu_context(&c, &fuzzers[i], fuzz);
		EXPECT(hc_vcpu_op(VCPUOP_initialise, i, &c), 0);
		EXPECT(hc_vcpu_op(VCPUOP_up, i, NULL), 0);
	}
	run_on(stacks[0] + STACK_SIZE - 8192, fuzz, &fuzzers[0]);
}

void test_main(void)
{
	my_vcpu_info()->evtchn_upcall_mask = 1;
	self_id = own_domid();
	/* Domains are numbered one after the other. */
	peer_id = (uint16_t)(option("neighbour=", 0) ? self_id + 1 : option("alone=", 0) ? 0 : self_id - 1);
	start_ns = now_ns();
	end_ns = start_ns + option("secs=", 10) * 1000000000ul;
	max_rounds = option("rounds=", 0);
	seed = option("seed=", __builtin_ia32_rdtsc() & 0xffffffffu);
	kernel_l4_entry = ((uint64_t *)start_info->pt_base)[511] | PTE_A;
	if (option("neighbour=", 0))
		neighbour(option("secs=", 10));
	if (hc_vcpu_op(VCPUOP_is_up, VCPUS - 1, NULL) < 0) {
		test_skip("give it %u vCPUs", VCPUS);
		return;
	}
	printk("fuzz-hv: seed %lu\n", seed);
	start();
}
