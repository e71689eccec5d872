/* SPDX-License-Identifier: MIT */
/* What sched/, time/ and event/ need of the rest of the hypervisor, hosted. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/hv_sched_event/shim.h"
#include "event/evtchn.h"
#include "host/host.h"
#include "mm/frametable.h"
#include "pv/mmu.h"
#include "sched/private.h"
#include "vtime/vtime.h"
#include "x86/softirq.h"
#include "domain/uaccess.h"
#undef memset
#undef memcpy

struct cpu_info test_cpus[NR_CPUS];
unsigned int test_cpu;
uint64_t cpu_online_map;
uint8_t test_ram[TEST_PAGES][4096] __aligned(4096);
static struct page_info frames[TEST_PAGES];
struct page_info *test_frames = frames;
struct domain *host_domain, *idle_domain;
DEFINE_PER_CPU(struct vcpu *, idle_vcpu);
DEFINE_PER_CPU(uint32_t, softirq_pending);
struct tsc_scale tsc_scale = { 1u << 31, 1 };
uint32_t tsc_khz = 1000000;
s_time_t test_now = 1;
unsigned int test_kicks, test_rings, test_page_refs;
static struct node_shared node;
struct node_shared *node_shared = &node;
static void (*softirqs[NR_SOFTIRQS])(void);

s_time_t NOW(void) { return test_now; }
uint64_t tsc_read(void) { return (uint64_t)test_now; }
s_time_t tsc_to_ns(uint64_t t) { return (s_time_t)t; }
void lapic_timer_set(s_time_t expires) { }
void softirq_register(unsigned int nr, void (*fn)(void)) { softirqs[nr] = fn; }
void softirq_raise(unsigned int nr) { softirq_pending[test_cpu] |= 1u << nr; }
void softirq_raise_cpu(unsigned int cpu, unsigned int nr)
{
	if (nr == KICK_SOFTIRQ)
		test_kicks++;
	softirq_pending[cpu] |= 1u << nr;
}
void do_softirq(void)
{
	while (softirq_pending[test_cpu]) {
		unsigned int nr = (unsigned int)__builtin_ctz(softirq_pending[test_cpu]);

		softirq_pending[test_cpu] &= ~(1u << nr);
		if (softirqs[nr])
			softirqs[nr]();
	}
}

void host_ring(unsigned int v) { test_rings++; }
void host_ring_if_asleep(unsigned int v) { test_rings++; }
bool host_work_pending(void) { return false; }
void host_do_work(void) { }
void host_heard(void) { }
void watchdog_destroy(struct domain *d) { }
void wallclock_update(struct domain *d) { }

bool mfn_valid(mfn_t m) { return m.m < TEST_PAGES; }
int get_page_and_type(struct page_info *pg, struct domain *d, uint64_t type)
{
	if (pg->owner != d->domid + 1)
		return -22;
	test_page_refs++;
	return 0;
}
void put_page_and_type(struct page_info *pg) { test_page_refs--; }

unsigned int test_busy_looks;
bool __real_fifo_is_busy(struct domain *d, const void *chn);
bool __wrap_fifo_is_busy(struct domain *d, const void *chn)
{
	test_busy_looks++;
	return __real_fifo_is_busy(d, chn);
}

void *xzalloc_bytes(size_t size, size_t align) { return calloc(1, size); }
void xfree(void *p) { free(p); }
/* The C library has both, but with another type for the list on some systems. */
void printk(const char *fmt, ...) { }
void gprintk(const char *fmt, ...) { }
void bug_at(const char *file, int line, const char *expr)
{
	fprintf(stderr, "BUG at %s:%d: %s\n", file, line, expr);
	abort();
}
unsigned long copy_from_guest_raw(void *dst, uint64_t src, unsigned long n) { memcpy(dst, (void *)src, n); return 0; }
unsigned long copy_to_guest_raw(uint64_t dst, const void *src, unsigned long n) { memcpy((void *)dst, src, n); return 0; }
unsigned long clear_guest_raw(uint64_t dst, unsigned long n) { memset((void *)dst, 0, n); return 0; }
long hypercall_continuation(unsigned int op, unsigned long a1, unsigned long a2, unsigned long a3, unsigned long a4,
			    unsigned long a5) { return -0x7fff; }

bool get_domain(struct domain *d) { d->refcnt++; return true; }
void put_domain(struct domain *d) { if (d->refcnt-- == 0) abort(); }
struct domain *test_domains[8];
struct domain *get_domain_by_id(domid_t id)
{
	struct domain *d = id == DOMID_SELF ? current->domain : id < 8 ? test_domains[id] : NULL;

	if (d)
		d->refcnt++;
	return d;
}

/* Registers do not matter here, only who has the CPU. */
void context_switch(struct vcpu *prev, struct vcpu *next)
{
	prev->is_running = false;
	next->is_running = true;
	current = next;
}
void flush_lazy_here(struct run_queue *rq) { }
bool drop_lazy_here(struct vcpu *v) { v->is_running = false; return true; }
void host_softirq(void) { }
bool host_request_free(void) { return false; }

struct domain *test_domain(domid_t id, unsigned int vcpus, uint32_t max_port)
{
	struct domain *d = calloc(1, sizeof(*d) + NR_CPUS * sizeof(d->sched_share[0]));
	unsigned int i;

	d->domid = id;
	d->refcnt = 1;
	d->max_vcpus = vcpus;
	d->sched_weight = 256;
	d->shared_info = calloc(1, sizeof(*d->shared_info));
	d->is_idle = id == DOMID_IDLE;
	if (id < 8)
		test_domains[id] = d;
	if (evtchn_init(d, max_port))
		abort();
	for (i = 0; i < vcpus; i++) {
		struct vcpu *v = calloc(1, sizeof(*v));

		v->domain = d;
		v->vcpu_id = i;
		v->vcpu_info = &d->shared_info->vcpu_info[i];
		if (d->is_idle) {
			v->processor = i;
			idle_vcpu[i] = v;
		}
		if (!d->is_idle || i < MAX_VCPUS)
			d->vcpu[i] = v;
		sched_init_vcpu(v);
		vtime_init_vcpu(v);
	}
	return d;
}

void test_machine(unsigned int cpus)
{
	unsigned int i;

	memset(run_queues, 0, sizeof(run_queues));
	memset(softirq_pending, 0, sizeof(softirq_pending));
	cpu_online_map = cpus == 64 ? ~0ULL : (1ULL << cpus) - 1;
	for (i = 0; i < TEST_PAGES; i++)
		frames[i].owner = 1 + 1;
	memset(test_ram, 0, sizeof(test_ram));
	test_page_refs = test_kicks = test_rings = 0;
	test_cpu = 0;
	for (i = 0; i < cpus; i++)
		test_cpus[i].cpu = i;
	sched_init();
	idle_domain = test_domain(DOMID_IDLE, cpus, 0);
	for (i = 0; i < cpus; i++) {
		test_cpus[i].cur = run_queues[i].curr = idle_vcpu[i];
		idle_vcpu[i]->is_running = true;
	}
	idle_cpus = cpu_online_map;
	host_domain = test_domain(0, 1, 4095);
}

/* Nobody asks which pages were written. */
void dirty_log_mark(struct dirty_log *l, struct page_info *pg) { }
void page_written_known(struct page_info *pg) { }

/* None of these domains has a p2m. */
struct page_info *p2m_get_page(struct domain *d, uint64_t gfn, bool write) { return NULL; }
struct page_info *p2m_get_page_at(uint64_t va) { return NULL; }
